//! Compares what RabbitMQ has with what is declared. Pure.

use super::{Change, Live};
use crate::diff::Diff;
use crate::net::http::encode;
use andamio_manifest::{Rabbitmq, RabbitmqUser};
use base64::Engine;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(super) fn compare(declared: &Rabbitmq, live: &Live) -> (Diff, Vec<Change>) {
    let mut diff = Diff::default();
    let mut changes = Vec::new();
    for vhost in &declared.vhosts {
        if !live.vhosts.iter().any(|v| text(v, "name") == vhost) {
            diff.plus(format!("vhost {vhost}"));
            let path = format!("/api/vhosts/{}", encode(vhost));
            changes.push(Change { method: "PUT", path, body: json!({}) });
        }
    }
    for user in &declared.users {
        account(user, live, &mut diff, &mut changes);
        permissions(user, live, &mut diff, &mut changes);
    }
    policies(declared, live, &mut diff, &mut changes);
    strangers(declared, live, &mut diff, &mut changes);
    // The account every RabbitMQ comes with, whose password everybody knows.
    let guest = |user: &Value| text(user, "name") == "guest";
    if live.users.iter().any(guest) && !declared.users.iter().any(|user| user.name == "guest") {
        diff.minus("user guest");
        changes.push(Change {
            method: "DELETE",
            path: "/api/users/guest".into(),
            body: Value::Null,
        });
    }
    (diff, changes)
}

fn account(user: &RabbitmqUser, live: &Live, diff: &mut Diff, changes: &mut Vec<Change>) {
    let known = live.users.iter().find(|known| text(known, "name") == user.name);
    let before = changes.len();
    let change = Change {
        method: "PUT",
        path: format!("/api/users/{}", encode(&user.name)),
        body: json!({ "password": user.password.text, "tags": user.tags }),
    };
    let mut differs = false;
    match known {
        None => {
            diff.plus(format!("user {}", user.name));
            differs = true;
        }
        Some(known) => {
            if !opens(text(known, "password_hash"), &user.password.text) {
                diff.remark(format!("password of {} differs (secret)", user.name));
                differs = true;
            }
            let (old, new) = (tags(&known["tags"]), tags(&json!(user.tags)));
            if old != new {
                diff.value(&format!("tags of {}", user.name), old.join(","), new.join(","));
                differs = true;
            }
        }
    }
    if differs {
        changes.insert(before, change);
    }
}

/// Exactly one permission each: on the declared virtual host, and none elsewhere.
fn permissions(user: &RabbitmqUser, live: &Live, diff: &mut Diff, changes: &mut Vec<Change>) {
    let path = |vhost: &str| format!("/api/permissions/{}/{}", encode(vhost), encode(&user.name));
    let show = |vhost: &str, configure: &str, write: &str, read: &str| {
        format!("{} on {vhost}: configure {configure} write {write} read {read}", user.name)
    };
    let new = show(&user.vhost, &user.configure, &user.write, &user.read);
    let mut have = false;
    for known in live.permissions.iter().filter(|p| text(p, "user") == user.name) {
        let vhost = text(known, "vhost");
        let old = show(vhost, text(known, "configure"), text(known, "write"), text(known, "read"));
        if old == new {
            have = true;
            continue;
        }
        diff.minus(old);
        if vhost != user.vhost {
            changes.push(Change { method: "DELETE", path: path(vhost), body: Value::Null });
        }
    }
    if !have {
        diff.plus(new);
        let body = json!({ "configure": user.configure, "write": user.write, "read": user.read });
        changes.push(Change { method: "PUT", path: path(&user.vhost), body });
    }
}

fn policies(declared: &Rabbitmq, live: &Live, diff: &mut Diff, changes: &mut Vec<Change>) {
    for policy in &declared.policies {
        let known = live
            .policies
            .iter()
            .find(|p| text(p, "name") == policy.name && text(p, "vhost") == policy.vhost);
        let same = known.is_some_and(|known| {
            text(known, "pattern") == policy.pattern
                && text(known, "apply-to") == policy.apply_to
                && known["definition"] == policy.definition
        });
        if same {
            continue;
        }
        let what = format!("policy {} on {}", policy.name, policy.vhost);
        if let Some(known) = known {
            let (pattern, apply_to) = (text(known, "pattern"), text(known, "apply-to"));
            diff.minus(format!("{what}: {pattern} {apply_to} {}", known["definition"]));
        }
        diff.plus(format!("{what}: {} {} {}", policy.pattern, policy.apply_to, policy.definition));
        changes.push(Change {
            method: "PUT",
            path: format!("/api/policies/{}/{}", encode(&policy.vhost), encode(&policy.name)),
            body: json!({
                "pattern": policy.pattern,
                "apply-to": policy.apply_to,
                "definition": policy.definition,
            }),
        });
    }
}

/// On a declared virtual host nobody else sets rules or has rights: a policy can drop messages that
/// were confirmed. Other virtual hosts are somebody else's.
fn strangers(declared: &Rabbitmq, live: &Live, diff: &mut Diff, changes: &mut Vec<Change>) {
    let ours = |vhost: &str| declared.vhosts.iter().any(|v| v == vhost);
    for known in live.policies.iter().filter(|p| ours(text(p, "vhost"))) {
        let (name, vhost) = (text(known, "name"), text(known, "vhost"));
        if declared.policies.iter().any(|p| p.name == name && p.vhost == vhost) {
            continue;
        }
        let (pattern, apply_to) = (text(known, "pattern"), text(known, "apply-to"));
        let definition = &known["definition"];
        diff.minus(format!("policy {name} on {vhost}: {pattern} {apply_to} {definition}"));
        let path = format!("/api/policies/{}/{}", encode(vhost), encode(name));
        changes.push(Change { method: "DELETE", path, body: Value::Null });
    }
    for known in live.permissions.iter().filter(|p| ours(text(p, "vhost"))) {
        let (user, vhost) = (text(known, "user"), text(known, "vhost"));
        if user == declared.admin || declared.users.iter().any(|u| u.name == user) {
            continue;
        }
        diff.minus(format!("{user} on {vhost}"));
        let path = format!("/api/permissions/{}/{}", encode(vhost), encode(user));
        changes.push(Change { method: "DELETE", path, body: Value::Null });
    }
}

/// Whether a password opens an account: its hash is base64 of four bytes of salt and
/// SHA-256(salt, password).
fn opens(hash: &str, password: &str) -> bool {
    let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(hash) else { return false };
    let Some((salt, digest)) = bytes.split_at_checked(4) else { return false };
    Sha256::new().chain_update(salt).chain_update(password).finalize().as_slice() == digest
}

/// A list since 3.9, before that a text with commas.
fn tags(value: &Value) -> Vec<String> {
    let mut tags: Vec<String> = match value {
        Value::Array(tags) => tags.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(tags) => tags.split(',').map(|tag| tag.trim().to_owned()).collect(),
        _ => Vec::new(),
    };
    tags.retain(|tag| !tag.is_empty());
    tags.sort();
    tags
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use andamio_manifest::{RabbitmqPolicy, Text};

    fn secret(text: &str) -> Text {
        Text { text: text.into(), sensitive: true }
    }

    fn declared() -> Rabbitmq {
        Rabbitmq {
            management: "127.0.0.1:15672".into(),
            admin: "admin".into(),
            admin_password: secret("admin-password"),
            vhosts: vec!["ficharfirm".into()],
            users: vec![RabbitmqUser {
                name: "app".into(),
                password: secret("app-password"),
                tags: String::new(),
                vhost: "ficharfirm".into(),
                configure: ".*".into(),
                write: ".*".into(),
                read: ".*".into(),
            }],
            policies: vec![RabbitmqPolicy {
                name: "limits".into(),
                vhost: "ficharfirm".into(),
                pattern: ".*".into(),
                apply_to: "queues".into(),
                definition: json!({ "max-length": 1000, "overflow": "reject-publish" }),
            }],
        }
    }

    fn hash(password: &str) -> String {
        let mut bytes = b"salt".to_vec();
        bytes.extend(Sha256::new().chain_update(b"salt").chain_update(password).finalize());
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }

    #[test]
    fn a_new_server_gets_all() {
        let live = Live {
            vhosts: vec![json!({ "name": "/" })],
            users: vec![
                json!({ "name": "guest", "password_hash": "x", "tags": ["administrator"] }),
            ],
            permissions: Vec::new(),
            policies: Vec::new(),
        };
        let (diff, changes) = compare(&declared(), &live);
        insta::assert_snapshot!(diff.show(), @r#"
        + vhost ficharfirm
        + user app
        + app on ficharfirm: configure .* write .* read .*
        + policy limits on ficharfirm: .* queues {"max-length":1000,"overflow":"reject-publish"}
        - user guest
        "#);
        assert!(!diff.show().contains("app-password"));
        assert_eq!(changes.len(), 5);
    }

    #[test]
    fn only_what_differs() {
        let mut live = Live {
            vhosts: vec![json!({ "name": "ficharfirm" })],
            users: vec![
                json!({ "name": "app", "password_hash": hash("app-password"), "tags": [] }),
            ],
            permissions: vec![
                json!({ "user": "app", "vhost": "ficharfirm", "configure": ".*", "write": ".*", "read": ".*" }),
            ],
            policies: vec![json!({
                "name": "limits", "vhost": "ficharfirm", "pattern": ".*", "apply-to": "queues",
                "definition": { "overflow": "reject-publish", "max-length": 1000 }, "priority": 0,
            })],
        };
        assert!(compare(&declared(), &live).0.is_empty());
        live.users[0]["password_hash"] = json!(hash("other"));
        live.users[0]["tags"] = json!(["administrator"]);
        live.permissions.push(
            json!({ "user": "app", "vhost": "/", "configure": "", "write": "", "read": ".*" }),
        );
        let (diff, changes) = compare(&declared(), &live);
        insta::assert_snapshot!(diff.show(), @r"
        password of app differs (secret)
        - tags of app administrator
        + tags of app
        - app on /: configure  write  read .*
        ");
        assert_eq!(changes.len(), 2);
    }
}
