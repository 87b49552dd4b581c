//! How people come in, with a certificate that an authority gives: before it is there, when it comes, renewed
//! under load, graded. The authority is Let's Encrypt's own test server, on one of the machines. Proves S4's
//! public side.

use crate::load;
use crate::prod::healthy;
use andamio_testkit::host::missing;
use andamio_testkit::wait::until;
use andamio_testkit::{Abandoned, Need, Sandbox, Scenario, Steps, command, run};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) const SCENARIO: Scenario = Scenario { name: "entry", need: Need::Machines, run: all };

const ENV: &str = "entry";
const DOMAIN: &str = "ficharfirm.example";
const FLOATING: &str = "198.18.77.200";
const AUTHORITY: &str = "198.18.77.100";
/// Seconds that a certificate of the authority holds.
const LIFE_S: u32 = 90;

fn toml(authority: &str) -> String {
    let own = fs::read_to_string(run::checkout().join("andamio.toml")).unwrap();
    let application = own.split("# ---- the three").next().unwrap();
    format!(
        "{application}
[environments.{ENV}]
app = {{ machines = 2 }}
mariadb = {{ machines = 1 }}
redis = {{ machines = 1 }}
rabbitmq = {{ machines = 1 }}
balancer = {{ machines = 2, layout = \"floating\" }}
network = \"198.18.77.0/24\"
limits = {{ bandwidth = \"40 Mbit/s\" }}
tls = {{ acme = \"https://{AUTHORITY}:14000/dir\", contact = \"ops@{DOMAIN}\", roots = \"\"\"\n{authority}\"\"\" }}
"
    )
}

fn all(steps: &mut Steps) -> Result<(), Abandoned> {
    if let Some(why) = missing(&["go", "curl", "openssl"]) {
        steps.skip("all of it", &why);
        return Ok(());
    }
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![AUTHORITY.to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let sandbox = Sandbox::beside_checkout(&toml(&certificate));
    let s = &sandbox;
    let mut programs = Vec::new();
    steps.must("the authority's program builds", || programs = build())?;
    steps.must("up, without an authority that answers", || {
        drop(s.ok(&["up", ENV]));
        let status = s.run(&["status", ENV, "--json"]).expect(7).json();
        assert_eq!(status["url"], format!("https://{DOMAIN}"), "{status}");
        assert_eq!(states(&status), ["down", "down"], "{status}");
    })?;
    steps.step(
        "until then people come in over plain HTTP, or with the environment's own authority",
        || {
            assert!(curl(&["http://FLOATING/readyz"]).0.starts_with("HTTP/1.1 200"));
            let own = format!("/var/lib/andamio/instances/{}/authority.pem", s.id(ENV));
            let (head, _) = curl(&["--cacert", &own, "https://FLOATING/readyz"]);
            assert!(head.starts_with("HTTP/2 200") && !head.contains("strict-transport"), "{head}");
        },
    );
    steps.must("an authority is there, and both balancers get a certificate", || {
        authority(s, &programs, &certificate, &key.serialize_pem());
        renew(s);
        drop(healthy(s, ENV, 7));
    })?;
    let root = s.folder.join("root.pem");
    steps.must("people trust it, and are sent on from plain HTTP", || {
        let (_, certificate) = curl(&["-k", &format!("https://{AUTHORITY}:15000/roots/0")]);
        fs::write(&root, certificate).unwrap();
        let (head, _) = trusted(&root, "/readyz");
        assert!(head.starts_with("HTTP/2 200"), "{head}");
        assert!(head.contains("strict-transport-security: max-age=31536000"), "{head}");
        let (head, _) = curl(&["http://FLOATING/somewhere?x=1", "-H", &format!("Host: {DOMAIN}")]);
        assert!(head.starts_with("HTTP/1.1 308"), "{head}");
        assert!(head.contains(&format!("location: https://{DOMAIN}/somewhere?x=1")), "{head}");
        assert!(s.on(ENV, "balancer-2", "cat /etc/haproxy/entry/acme.pem").contains("BEGIN"));
    })?;
    steps.step("renewed twice under load, no request fails", || {
        let served = renewed_under_load(s, &root);
        assert!(served.certificates >= 3, "{} certificates were seen", served.certificates);
        assert!(served.load["failures"] == 0 && served.load["missing"] == 0, "{}", served.load);
    });
    steps.step(
        "an authority that hangs: degraded, with the reason, and healthy again after it",
        || {
            s.on(ENV, "balancer-1", "systemctl kill -s STOP pebble");
            until("a renewal that fails", Duration::from_secs(150), || {
                // More starts than five in ten seconds systemd refuses.
                std::thread::sleep(Duration::from_secs(3));
                s.on(ENV, "balancer-1", "systemctl start andamio-certificate || true");
                let status = s.run(&["status", ENV, "--json"]).json();
                let bad = status["services"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|s| s["state"] == "degraded");
                let detail = bad.ok_or_else(|| status.to_string())?["detail"].as_str().unwrap();
                assert!(detail.contains(AUTHORITY), "{detail}");
                Ok(())
            });
            s.on(ENV, "balancer-1", "systemctl kill -s CONT pebble");
            renew(s);
            drop(healthy(s, ENV, 7));
        },
    );
    steps.step("one who takes more than the bandwidth limit is held to it", || {
        // 5 MB/s; a page of 40 kB, again and again on eight connections.
        let rate = download(&root);
        assert!((2_000_000.0..6_000_000.0).contains(&rate), "{rate} bytes/s");
    });
    match missing(&["testssl"]) {
        Some(why) => steps.skip("testssl.sh gives A+", &why),
        None => drop(steps.step("testssl.sh gives A+", || grade(&root))),
    }
    steps.step("a plan has nothing to do: what the balancers got is theirs", || {
        s.on(
            ENV,
            "balancer-1",
            "nft delete rule inet andamio input handle \
             $(nft -a list chain inet andamio input | awk '/14000/ { print $NF }')",
        );
        drop(s.run(&["plan", ENV, "--exit-code"]).expect(0));
    });
    steps.must("down", || drop(s.ok(&["down", ENV, "-y"])))
}

/// pebble, and the name server that its makers test it with.
fn build() -> Vec<PathBuf> {
    let folder = run::folder().join("pebble");
    let names = ["pebble", "pebble-challtestsrv"];
    for name in names {
        let mut go = Command::new("go");
        go.env("GOBIN", &folder).env("CGO_ENABLED", "0");
        go.arg("install").arg(format!("github.com/letsencrypt/pebble/v2/cmd/{name}@v2.8.0"));
        drop(command::run(go, Duration::from_secs(590)).expect(0));
    }
    names.map(|name| folder.join(name)).to_vec()
}

/// On a machine of the environment, because the host lets none of them in.
fn authority(s: &Sandbox, programs: &[PathBuf], certificate: &str, key: &str) {
    let settings = json!({ "pebble": {
        "listenAddress": "0.0.0.0:14000", "managementListenAddress": "0.0.0.0:15000",
        "certificate": "/root/authority.pem", "privateKey": "/root/authority.key",
        "httpPort": 80, "tlsPort": 443, "ocspResponderURL": "",
        "profiles": { "default": { "description": "short", "validityPeriod": LIFE_S } },
    } });
    let put = |name: &str, bytes: &[u8]| {
        let file = s.folder.join(name);
        fs::write(&file, bytes).unwrap();
        s.put(ENV, "balancer-1", &file, &format!("/root/{name}"));
    };
    put("authority.pem", certificate.as_bytes());
    put("authority.key", key.as_bytes());
    put("pebble.json", settings.to_string().as_bytes());
    for program in programs {
        let name = program.file_name().unwrap().to_str().unwrap();
        s.put(ENV, "balancer-1", program, &format!("/root/{name}"));
    }
    s.on(
        ENV,
        "balancer-1",
        &format!(
            "set -e; cd /root; chmod 755 pebble pebble-challtestsrv
             systemd-run -q --unit=names ./pebble-challtestsrv -defaultIPv4 {FLOATING} -defaultIPv6 '' \
                -dns01 127.0.0.1:8053 -http01 '' -https01 '' -tlsalpn01 '' -doh '' -management 127.0.0.1:8055
             systemd-run -q --unit=pebble -p WorkingDirectory=/root -E PEBBLE_VA_NOSLEEP=1 ./pebble -config pebble.json -dnsserver 127.0.0.1:8053
             nft insert rule inet andamio input tcp dport '{{ 14000, 15000 }}' accept"
        ),
    );
    until("the authority's answer", Duration::from_secs(20), || {
        TcpStream::connect((AUTHORITY, 14000)).map(drop).map_err(|e| e.to_string())
    });
}

fn renew(s: &Sandbox) {
    for machine in ["balancer-1", "balancer-2"] {
        s.on(
            ENV,
            machine,
            "systemctl start andamio-certificate || { journalctl -qu andamio-certificate; exit 1; }",
        );
    }
}

fn states(status: &Value) -> Vec<&str> {
    let services = status["services"].as_array().unwrap().iter();
    services.filter(|s| s["name"] == "certificate").map(|s| s["state"].as_str().unwrap()).collect()
}

/// Head and body of an answer.
fn curl(arguments: &[&str]) -> (String, String) {
    let mut curl = Command::new("curl");
    curl.args(["-sSi", "--max-time", "20"]);
    curl.args(arguments.iter().map(|word| word.replace("FLOATING", FLOATING)));
    let ended = command::run(curl, Duration::from_secs(30)).expect(0);
    let (head, body) = ended.stdout.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn trusted(root: &std::path::Path, path: &str) -> (String, String) {
    let resolve = format!("{DOMAIN}:443:{FLOATING}");
    let url = format!("https://{DOMAIN}{path}");
    curl(&["--cacert", root.to_str().unwrap(), "--resolve", &resolve, &url])
}

struct Served {
    load: Value,
    certificates: usize,
}

/// The authority's certificates hold 90 s: two thirds of that are over after 60.
fn renewed_under_load(s: &Sandbox, root: &std::path::Path) -> Served {
    let accounts = load::accounts(s, ENV, 20);
    let mut command = Command::new(run::built("ficharfirm"));
    command.args(["load", "--url", &format!("https://{DOMAIN}"), "--connect", FLOATING]);
    command.args(["--rate", "50", "--seconds", "150", "--json", "--ca"]).arg(root);
    command.arg("--accounts").arg(&accounts);
    let loading = load::follow(command, 150);
    let mut seen = std::collections::BTreeSet::new();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(140) {
        renew(s);
        let mut show = Command::new("sh");
        show.arg("-c").arg(format!(
            "openssl s_client -connect {FLOATING}:443 -servername {DOMAIN} </dev/null 2>/dev/null | openssl x509 -noout -serial"
        ));
        seen.insert(command::run(show, Duration::from_secs(20)).expect(0).stdout);
        std::thread::sleep(Duration::from_secs(5));
    }
    Served { load: loading.join().unwrap(), certificates: seen.len() }
}

/// Bytes a second over eight connections for some seconds.
fn download(root: &std::path::Path) -> f64 {
    let mut curl = Command::new("curl");
    let page = format!("https://{DOMAIN}/?[1-4000]");
    curl.args([
        "-sS",
        "--http1.1",
        "--parallel",
        "--parallel-max",
        "8",
        "--max-time",
        "10",
        "-o",
        "/dev/null",
    ]);
    curl.args([
        "-w",
        "%{size_download}\\n",
        "--resolve",
        &format!("{DOMAIN}:443:{FLOATING}"),
        "--cacert",
    ]);
    curl.arg(root).arg(page);
    let begun = Instant::now();
    let ended = command::run(curl, Duration::from_secs(60));
    let bytes: f64 = ended.stdout.lines().filter_map(|line| line.parse::<f64>().ok()).sum();
    bytes / begun.elapsed().as_secs_f64()
}

fn grade(root: &std::path::Path) {
    let mut testssl = Command::new("testssl");
    testssl.args(["--quiet", "--color", "0", "--ip", FLOATING, "--add-ca"]).arg(root).arg(DOMAIN);
    let ended = command::run(testssl, Duration::from_secs(600));
    let line = ended.stdout.lines().find(|line| line.contains("Overall Grade"));
    assert!(line.is_some_and(|line| line.ends_with("A+")), "{line:?}: {ended}");
}
