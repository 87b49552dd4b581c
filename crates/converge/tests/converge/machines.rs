//! Snapshots: the machines of dev whole, and of the clusters what differs from it.

use crate::common::{FICHARFIRM, Fixture, text};

fn snapshot(env: &str, machine: &str, roles: &[&str]) {
    let fixture = Fixture::new(FICHARFIRM, env);
    let text = text(&fixture.manifest(machine), roles);
    insta::assert_snapshot!(format!("{env}-{machine}"), text);
}

#[test]
fn dev_app() {
    snapshot("dev", "app-1", &["base", "app"]);
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
