//! What is asked of journalctl, and what is refused.

use super::select::{Filter, Query, units};
use andamio_spec::Spec;
use andamio_spec::topology::{self, Network};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

const TOML: &str = "[project]\nname = \"shop\"\n[app]\nsource = \"app\"\n\
    [app.processes]\nweb = { command = [\"web\"], port = 8080 }\nbeat = { command = [\"beat\"] }\n\
    [environments.dev]\napp = { machines = 1 }\nmariadb = { machines = 1 }\nredis = { machines = 1 }\ntls = \"off\"\n";

fn spec() -> Spec {
    andamio_spec::parse("andamio.toml", TOML).spec.unwrap()
}

fn query(filter: &Filter) -> Result<Query, String> {
    let now = "2026-01-31T12:30:00Z".parse().unwrap();
    Query::new(filter, &spec(), now).map_err(|f| format!("{} {}", f.error.message, f.error.help))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn alone_it_is_the_application_and_warnings_of_the_rest() {
    let command = query(&Filter::default()).unwrap().journalctl(None, None);
    let expected = "--lines=200 _SYSTEMD_UNIT=shop-beat.service + UNIT=shop-beat.service + _SYSTEMD_UNIT=shop-web.service \
                    + UNIT=shop-web.service + PRIORITY=0 PRIORITY=1 PRIORITY=2 PRIORITY=3 PRIORITY=4";
    assert!(command.replace('\'', "").ends_with(expected), "{command}");
    assert!(command.contains(" --all "), "{command}");
}

#[test]
fn what_is_chosen_comes_whole_but_for_own_logins() {
    let of = |filter: &Filter| query(filter).unwrap().journalctl(None, None);
    let machine = Filter { machine: some("app-1"), ..Filter::default() };
    assert!(of(&machine).contains("(?!(Postponed"));
    assert!(!of(&machine).contains("PRIORITY="));
    let all = Filter { all: true, grep: some("a|b"), ..machine };
    assert!(of(&all).contains("'--grep=a|b' --case-sensitive=yes"), "{}", of(&all));
    let process = Filter { process: some("web"), since: some("10m"), ..Filter::default() };
    let command = of(&process);
    assert!(command.contains("--since=2026-01-31 12:20:00.000000 UTC"), "{command}");
    // Since then, all of it.
    assert!(!command.contains("--lines"), "{command}");
    assert!(!command.contains("beat") && !command.contains("PRIORITY="), "{command}");
    let after = query(&process).unwrap().journalctl(None, Some("s=1"));
    assert!(after.contains("--follow --no-tail --after-cursor=s=1"), "{after}");
}

#[test]
fn what_makes_no_sense_is_refused_with_a_way_out() {
    let refused = |filter: Filter| query(&filter).unwrap_err();
    let says = refused(Filter { since: some("soon"), ..Filter::default() });
    assert!(says.contains("10 min ago"), "{says}");
    let says = refused(Filter { process: some("wbe"), ..Filter::default() });
    assert!(says.contains("did you mean `web`"), "{says}");
    let says = refused(Filter { level: some("loud"), ..Filter::default() });
    assert!(says.contains("warning"), "{says}");
    let until = Filter { since: some("1h"), until: some("2h"), ..Filter::default() };
    assert!(refused(until).contains("later"));
    let both = Filter { follow: true, until: some("now"), ..Filter::default() };
    assert!(refused(both).contains("--follow"));
}

#[test]
fn a_unit_has_the_name_that_status_shows_or_systemds_own() {
    let (spec, network) = (spec(), Network { base: Ipv4Addr::new(198, 18, 0, 0) });
    let topology = topology::compute(&spec, "dev", "local", network).unwrap();
    let names = ["ssh.service", "redis-server@6379.service", "sshd-session"];
    let known: BTreeSet<String> = names.into_iter().map(str::to_owned).collect();
    let of = |name: &str| units(name, &spec, &topology, &known).map_err(|f| f.error.help);
    assert_eq!(of("web"), Ok(vec!["shop-web.service".to_owned()]));
    assert_eq!(of("redis"), Ok(vec!["redis-server@6379.service".to_owned()]));
    assert_eq!(of("ssh"), Ok(vec!["ssh.service".to_owned()]));
    assert_eq!(of("sshd-session"), Ok(vec!["sshd-session".to_owned()]));
    assert!(of("mariabd").unwrap_err().contains("did you mean `mariadb`"));
    assert!(of("rabbitmq").unwrap_err().contains("there are beat, mariadb, redis, ssh, web"));
    let query = query(&Filter { unit: some("ssh"), ..Filter::default() }).unwrap();
    let command = query.journalctl(Some(&["ssh.service".to_owned()]), None);
    assert!(command.ends_with("_SYSTEMD_UNIT=ssh.service + UNIT=ssh.service"), "{command}");
}
