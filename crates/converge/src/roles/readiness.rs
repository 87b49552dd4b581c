//! Whether a process can serve: one declaration, asked by the machine that it runs on and by the balancers.

use andamio_manifest::{Check, Request};
use andamio_spec::Ready;
use std::collections::BTreeMap;

/// Where a process is asked.
pub(crate) struct Asked<'a> {
    /// `host:port`; none for a process without a port.
    pub(crate) address: Option<String>,
    /// Of the container and, without its suffix, of its unit.
    pub(crate) container: &'a str,
    /// What the application is called by people; empty where it has no name.
    pub(crate) domain: &'a str,
}

/// What the machine asks. Who has no port is ready when it runs, whatever is declared for those who have one.
pub(crate) fn check(ready: &Ready, asked: &Asked<'_>) -> Check {
    let runs = || Check::Unit(format!("{}.service", asked.container));
    match (ready, &asked.address) {
        (Ready::Path { path, status, headers, host }, Some(address)) => Check::Request(Request {
            address: address.clone(),
            path: path.clone(),
            host: host.clone().or_else(|| named(asked.domain)),
            headers: headers.clone(),
            status: status.clone(),
        }),
        (Ready::Tcp, Some(address)) => Check::Tcp(address.clone()),
        (Ready::Command(command), _) => {
            Check::Command { container: asked.container.to_owned(), command: command.clone() }
        }
        (Ready::Path { .. } | Ready::Tcp, None) | (Ready::None, _) => runs(),
    }
}

/// The same for HAProxy, as lines of a backend whose servers say `check`. It runs no command: what the machine
/// asks that way, or not at all, has for HAProxy a port that takes connections.
pub(crate) fn haproxy(ready: &Ready, domain: &str, otherwise: &str) -> Vec<String> {
    let Ready::Path { path, status, headers, host } = ready else {
        // As the servers say: with a handshake where they speak TLS, at whose end the application's proxy refuses.
        return vec!["option tcp-check".to_owned(), "tcp-check connect default".to_owned()];
    };
    // HTTP/1.0, which is HAProxy's own, some servers refuse; and all of them know what 1.1 wants of `Host`.
    let host = host.clone().or_else(|| named(domain)).unwrap_or_else(|| otherwise.to_owned());
    let mut send = format!(
        "http-check send meth GET uri {} ver HTTP/1.1 hdr Host {}",
        word(path),
        word(&formatted(&host))
    );
    for (name, value) in headers {
        send.push_str(&format!(" hdr {} {}", word(name), word(&formatted(value))));
    }
    let accepted: Vec<String> = status.iter().map(u16::to_string).collect();
    let accepted = if accepted.is_empty() { "200-299".to_owned() } else { accepted.join(",") };
    let mut lines = vec!["option httpchk".to_owned(), send];
    // Who is being stopped and says so gets nothing new. Before the status, which may be another one then. (Two
    // texts, because a pattern would be compiled into memory that is written and executed.)
    for said in [DRAINING, DRAINING_SPACED] {
        lines.push(format!("http-check expect ! string '{said}' error-status L7OKC"));
    }
    lines.push(format!("http-check expect status {accepted}"));
    lines
}

/// How an application says in the answer that it is being stopped.
const DRAINING: &str = "\"draining\":true";
const DRAINING_SPACED: &str = "\"draining\": true";

/// What a request through a balancer shows of the application: where it is asked, and how. Without a path nobody
/// knows what may be asked, and `/` stands for the balancer's own word.
pub(crate) fn through(ready: &Ready, domain: &str, address: String) -> Request {
    let asked = Asked { address: Some(address.clone()), container: "", domain };
    match check(ready, &asked) {
        Check::Request(request) => request,
        _ => Request {
            address,
            path: "/".to_owned(),
            host: None,
            headers: BTreeMap::new(),
            status: Vec::new(),
        },
    }
}

fn named(domain: &str) -> Option<String> {
    (!domain.is_empty()).then(|| domain.to_owned())
}

/// A header's value is a format to HAProxy.
fn formatted(value: &str) -> String {
    value.replace('%', "%%")
}

/// One word for HAProxy: in strong quotes, where nothing has a meaning, unless it is plain.
pub(crate) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+?&%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(address: Option<&str>) -> Asked<'static> {
        Asked { address: address.map(str::to_owned), container: "shop-web", domain: "shop.example" }
    }

    fn full() -> Ready {
        Ready::Path {
            path: "/up?deep=1".to_owned(),
            status: vec![200, 401],
            headers: BTreeMap::from([("X-Key".to_owned(), "50 % 'off'\n".to_owned())]),
            host: None,
        }
    }

    #[test]
    fn the_domain_is_asked_for_where_there_is_one() {
        let Check::Request(request) = check(&full(), &asked(Some("198.18.2.10:80"))) else {
            panic!("no request");
        };
        assert_eq!(request.host.as_deref(), Some("shop.example"));
        assert_eq!(request.status, [200, 401]);
        let without = Asked { domain: "", ..asked(Some("198.18.2.10:80")) };
        let Check::Request(request) = check(&Ready::path("/up"), &without) else {
            panic!("no request");
        };
        assert_eq!(request.host, None);
        assert!(haproxy(&Ready::path("/up"), "", "balancer-1")[1].ends_with("hdr Host balancer-1"));
    }

    #[test]
    fn who_has_no_port_is_asked_for_nothing_but_a_command() {
        let runs = Check::Unit("shop-web.service".to_owned());
        for ready in [Ready::path("/up"), Ready::Tcp, Ready::None] {
            assert_eq!(check(&ready, &asked(None)), runs);
        }
        assert_eq!(check(&Ready::None, &asked(Some("a:1"))), runs);
        assert_eq!(check(&Ready::Tcp, &asked(Some("a:1"))), Check::Tcp("a:1".to_owned()));
        let command = check(&Ready::Command(vec!["healthy".to_owned()]), &asked(None));
        assert!(matches!(command, Check::Command { container, .. } if container == "shop-web"));
    }

    #[test]
    fn haproxy_asks_the_same() {
        let lines = haproxy(&full(), "shop.example", "balancer-1");
        assert_eq!(
            lines,
            [
                "option httpchk",
                r"http-check send meth GET uri /up?deep=1 ver HTTP/1.1 hdr Host shop.example hdr X-Key '50 %% '\''off'\'''",
                "http-check expect ! string '\"draining\":true' error-status L7OKC",
                "http-check expect ! string '\"draining\": true' error-status L7OKC",
                "http-check expect status 200,401",
            ]
        );
        assert_eq!(haproxy(&Ready::path("/"), "", "b")[4], "http-check expect status 200-299");
        for ready in [Ready::Tcp, Ready::None, Ready::Command(Vec::new())] {
            assert_eq!(haproxy(&ready, "", "b"), ["option tcp-check", "tcp-check connect default"]);
        }
    }
}
