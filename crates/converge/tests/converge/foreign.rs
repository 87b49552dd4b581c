//! An application that nobody here made: what its file says of variables, secrets, files and rights.

use crate::common::{Fixture, text};
use andamio_converge::{app_environment, one_off};

const FILE: &str = r##"
[project]
name = "shop"
[app]
source   = "app"
domain   = "shop.example"
ready    = { path = "/up", status = [200, 204] }
start    = "3m"
migrate  = { up = ["php", "artisan", "migrate"] }
env_file = "/app/.env"
secrets  = ["APP_KEY", { name = "PAYMENT", given = true, processes = ["web"] }, { name = "TLS", file = "/run/tls.pem" }]
files    = ["/app/storage"]
[app.env]
DB_HOST = "{{ mariadb.host }}"
DB_URL  = "mysql://{{ mariadb.user }}:{{ mariadb.password | url }}@{{ mariadb.host }}/{{ mariadb.database }}?ca={{ mariadb.ca }}"
APP_URL = "https://{{ domain }}"
LIMIT   = 5
ODD     = "a # b 'c' \"d\" $E"
LINES   = "one\ntwo"
[app.processes]
web  = { port = 80, user = "www-data", stop = { signal = "WINCH", grace = "60s" }, env = { LIMIT = "6" } }
work = { arguments = ["queue", "--tries=3"], writable = false, tmpfs = ["/tmp"], capabilities = ["NET_BIND_SERVICE"], sysctls = { "fs.mqueue.msg_max" = 20 }, shm = "64 MB", workdir = "/app", memory = "512 MB", cpus = 0.5, files = ["/spool"] }
[environments.dev]
app     = { machines = 1 }
mariadb = { machines = 1 }
env     = { LIMIT = "4" }
processes = { work = { env = { LIMIT = "7" } } }
"##;

#[test]
fn a_foreign_application_gets_what_its_file_says() {
    let fixture = Fixture::new(FILE, "dev");
    insta::assert_snapshot!("foreign-app", text(&fixture.manifest("app-1"), &["app"]));
    let command = one_off(&fixture.inputs(), Some("work"), &["php".to_owned(), "-v".to_owned()]);
    insta::assert_snapshot!("foreign-one-off", command.unwrap().join("\n"));
}

#[test]
fn what_is_said_closer_wins() {
    let fixture = Fixture::new(FILE, "dev");
    let of = |process| app_environment(&fixture.inputs(), process).unwrap();
    let limit = |process| of(process)["LIMIT"].clone();
    assert_eq!(
        (limit(None), limit(Some("web")), limit(Some("work"))),
        ("4".into(), "6".into(), "7".into())
    );
    assert_eq!(of(Some("web"))["ODD"], "a # b 'c' \"d\" $E");
    assert!(of(Some("web")).contains_key("PAYMENT") && !of(Some("work")).contains_key("PAYMENT"));
    assert!(!of(Some("web")).contains_key("TLS"), "it is a file");
    assert_eq!(of(Some("web"))["PORT"], "80");
    assert!(!of(Some("work")).contains_key("PORT"));
}
