//! Snapshots: the machines of dev whole, and of the clusters what differs from it.

use crate::common::{FICHARFIRM, Fixture, text};

fn snapshot(env: &str, machine: &str, roles: &[&str]) {
    let fixture = Fixture::new(FICHARFIRM, env);
    let text = text(&fixture.manifest(machine), roles);
    insta::assert_snapshot!(format!("{env}-{machine}"), text);
}

#[test]
fn dev_app() {
    snapshot("dev", "app-1", &["base", "containers", "app"]);
}

#[test]
fn dev_mariadb() {
    snapshot("dev", "mariadb-1", &["mariadb"]);
}

#[test]
fn dev_redis() {
    snapshot("dev", "redis-1", &["redis"]);
}

#[test]
fn dev_rabbitmq() {
    snapshot("dev", "rabbitmq-1", &["rabbitmq"]);
}

#[test]
fn staging_replica() {
    snapshot("staging", "mariadb-2", &["mariadb"]);
}

#[test]
fn staging_redis() {
    snapshot("staging", "redis-2", &["redis"]);
}

#[test]
fn prod_galera() {
    snapshot("prod", "mariadb-3", &["mariadb"]);
}

#[test]
fn prod_rabbitmq() {
    snapshot("prod", "rabbitmq-2", &["rabbitmq"]);
}

#[test]
fn staging_app_behind_a_balancer() {
    snapshot("staging", "app-2", &["containers", "app"]);
}

#[test]
fn prod_balancer() {
    snapshot("prod", "balancer-2", &["balancer"]);
}

/// With an authority of one's own, which can be asked from anywhere.
#[test]
fn balancer_with_a_certificate_of_its_own() {
    let directory = "https://acme.example/directory";
    let roots = "-----BEGIN CERTIFICATE-----\\n-----END CERTIFICATE-----";
    let toml = FICHARFIRM.replace(
        "acme = \"letsencrypt\",",
        &format!("acme = \"{directory}\", roots = \"{roots}\","),
    );
    let fixture = Fixture::new(&toml, "prod");
    assert_eq!(fixture.topology.url, "https://ficharfirm.example");
    let text = text(&fixture.manifest("balancer-1"), &["balancer"]);
    insta::assert_snapshot!("acme-balancer-1", text);
}
