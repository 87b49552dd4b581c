//! Databases, accounts and variables of the local MariaDB server, over its socket as root.
//!
//! Accounts that the manifest does not name are left alone, but anonymous ones and the database
//! `test` go. Passwords are compared and set by what the server stores of them, so that no
//! statement, and no log of statements, has one in clear.

mod grants;
mod variable;

use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::{Context, Result};
use crate::machine::Machine;
use crate::net::mysql::{Client, Row, identifier, literal, stored};
use andamio_manifest::{Mariadb, MariadbAccount};
use serde_json::Value;
use std::collections::BTreeMap;

/// What differs, and the statements that make it so.
#[derive(Default)]
struct Work {
    diff: Diff,
    statements: Vec<String>,
}

impl Resource for Mariadb {
    async fn diff(&self, machine: &mut Machine) -> Result<Diff> {
        match work(self).await {
            Err(failure) if machine.role_comes_later() => {
                let mut diff = Diff::default();
                self.databases.iter().for_each(|name| diff.plus(format!("database {name}")));
                self.accounts.iter().for_each(|a| diff.plus(format!("account {}", name(a))));
                diff.message = format!("compared when the server runs: {failure}");
                Ok(diff)
            }
            work => work.map(|work| work.diff),
        }
    }

    async fn make(&self, _: &mut Machine, say: &Say) -> Result<String> {
        let work = work(self).await?;
        let mut client = Client::root(&self.socket).await?;
        if self.unlogged {
            client.query("SET SESSION sql_log_bin = 0").await?;
        }
        for statement in work.statements {
            // What follows is the stored form of a password.
            let shown = statement.split(" IDENTIFIED ").next().unwrap_or_default().to_owned();
            say.say(&shown);
            client.query(&statement).await.during(shown)?;
        }
        Ok(String::new())
    }

    fn doing(&self) -> String {
        "mariadb".to_owned()
    }
}

async fn work(declared: &Mariadb) -> Result<Work> {
    let mut client = Client::root(&declared.socket).await?;
    let mut work = Work::default();
    variables(declared, &mut client, &mut work).await?;
    databases(declared, &mut client, &mut work).await?;
    let rows = client
        .query("SELECT User, Host, Priv FROM mysql.global_priv")
        .await
        .during("reading the accounts")?;
    let mut privileges: BTreeMap<(String, String), Value> = BTreeMap::new();
    for row in rows {
        let [user, host, json] = three(row);
        let json = serde_json::from_str(&json).during("reading an account")?;
        privileges.insert((user, host), json);
    }
    for (user, host) in privileges.keys().filter(|(user, _)| user.is_empty()) {
        let account = format!("{}@{}", literal(user), literal(host));
        work.diff.minus(format!("anonymous account {account}"));
        work.statements.push(format!("DROP USER IF EXISTS {account}"));
    }
    for account in &declared.accounts {
        let known = privileges.get(&(account.name.clone(), account.host.clone()));
        compare(account, known, &mut client, &mut work).await?;
    }
    Ok(work)
}

async fn variables(declared: &Mariadb, client: &mut Client, work: &mut Work) -> Result<()> {
    if declared.variables.is_empty() {
        return Ok(());
    }
    let rows = client.query("SHOW GLOBAL VARIABLES").await.during("reading the variables")?;
    let live: BTreeMap<String, String> = rows
        .into_iter()
        .map(|row| {
            let [name, value, _] = three(row);
            (name.to_lowercase(), value)
        })
        .collect();
    for (name, wanted) in &declared.variables {
        let value = live.get(&name.to_lowercase()).map_or("(unknown)", String::as_str);
        if !variable::same(value, wanted) {
            work.diff.value(name, value, wanted);
            let name = identifier(name);
            let value = variable::literal(value, wanted);
            work.statements.push(format!("SET GLOBAL {name} = {value}"));
        }
    }
    Ok(())
}

async fn databases(declared: &Mariadb, client: &mut Client, work: &mut Work) -> Result<()> {
    let rows = client.query("SHOW DATABASES").await.during("reading the databases")?;
    let live: Vec<String> = rows.into_iter().map(three).map(|[n, ..]| n).collect();
    for name in declared.databases.iter().filter(|name| !live.contains(name)) {
        work.diff.plus(format!("database {name}"));
        work.statements.push(format!(
            "CREATE DATABASE IF NOT EXISTS {} CHARACTER SET utf8mb4",
            identifier(name)
        ));
    }
    let test = "test".to_owned();
    if live.contains(&test) && !declared.databases.contains(&test) {
        work.diff.minus("database test");
        work.statements.push("DROP DATABASE IF EXISTS `test`".to_owned());
    }
    Ok(())
}

/// Compares one account: that it is there, its password, its privileges.
async fn compare(
    account: &MariadbAccount,
    known: Option<&Value>,
    client: &mut Client,
    work: &mut Work,
) -> Result<()> {
    let quoted = format!("{}@{}", literal(&account.name), literal(&account.host));
    let hash = stored(&account.password.text);
    let identified = format!("IDENTIFIED VIA mysql_native_password USING {}", literal(&hash));
    let declared = grants::declared(&account.grants)?;
    let mut live = grants::Grants::new();
    match known {
        None => {
            work.diff.plus(format!("account {}", name(account)));
            work.statements.push(format!("CREATE USER IF NOT EXISTS {quoted} {identified}"));
            // Another member of the cluster may make it at the same moment.
            work.statements.push(format!("ALTER USER {quoted} {identified}"));
        }
        Some(json) => {
            if !signs_in(json, &hash) {
                work.diff.remark(format!("password of {} differs (secret)", name(account)));
                work.statements.push(format!("ALTER USER {quoted} {identified} ACCOUNT UNLOCK"));
            }
            let rows = client.query(&format!("SHOW GRANTS FOR {quoted}")).await;
            let rows = rows.during(format!("reading the privileges of {}", name(account)))?;
            let lines: Vec<String> = rows.into_iter().map(three).map(|[l, ..]| l).collect();
            live = grants::live(lines.iter().map(String::as_str));
        }
    }
    show(account, &live, &declared, &mut work.diff);
    work.statements.extend(grants::statements(&quoted, &live, &declared));
    Ok(())
}

/// Whether exactly this password, and nothing else, opens the account.
fn signs_in(json: &Value, hash: &str) -> bool {
    let text = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or_default();
    text("plugin") == "mysql_native_password"
        && text("authentication_string") == hash
        && json.get("auth_or").is_none()
        && json.get("account_locked").is_none_or(|locked| locked == &Value::Bool(false))
}

fn show(
    account: &MariadbAccount,
    live: &grants::Grants,
    declared: &grants::Grants,
    diff: &mut Diff,
) {
    let line = |on: &String, privileges: &std::collections::BTreeSet<String>| {
        let list: Vec<&str> = privileges.iter().map(String::as_str).collect();
        if list.is_empty() {
            return format!("{}: role {on}", name(account));
        }
        format!("{}: {} on {on}", name(account), list.join(", "))
    };
    for (on, has) in live.iter().filter(|(on, has)| declared.get(*on) != Some(has)) {
        diff.minus(line(on, has));
    }
    for (on, may) in declared.iter().filter(|(on, may)| live.get(*on) != Some(may)) {
        diff.plus(line(on, may));
    }
}

fn name(account: &MariadbAccount) -> String {
    format!("{}@{}", account.name, account.host)
}

/// The first three fields of a row; what is missing is empty.
fn three(row: Row) -> [String; 3] {
    let mut fields = row.into_iter().map(Option::unwrap_or_default);
    std::array::from_fn(|_| fields.next().unwrap_or_default())
}
