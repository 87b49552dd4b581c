//! Which of this host's rules drops what machines send. Judged from rule sets, after real packets were lost: it
//! explains, and claims nothing.

use crate::local::Local;
use crate::local::network::ask;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Whose rules they are, as far as their names tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    Docker,
    Ufw,
    Firewalld,
    /// `iptables` by hand or by another program.
    Iptables,
    /// A drill, or the drops of one that was not put back.
    Andamio,
    Nftables,
}

/// A chain through which forwarded packets do not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wall {
    pub keeper: Keeper,
    /// As `nft` names it: `ip filter`.
    pub table: String,
    pub chain: String,
    /// `policy drop`, or the rule's verdict.
    pub what: String,
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {}, chain {} ({})", self.table, self.chain, self.what)?;
        let by = match self.keeper {
            Keeper::Docker => ", Docker's",
            Keeper::Ufw => ", of ufw",
            Keeper::Firewalld => ", of firewalld",
            Keeper::Andamio => ", of a drill",
            Keeper::Iptables | Keeper::Nftables => "",
        };
        f.write_str(by)
    }
}

impl Wall {
    /// The command that lets the bridge through.
    #[must_use]
    pub fn remedy(&self, bridge: &str) -> String {
        let Self { table, chain, .. } = self;
        match self.keeper {
            Keeper::Docker => format!(
                "iptables -I DOCKER-USER -i {bridge} -j ACCEPT; iptables -I DOCKER-USER -o {bridge} -j ACCEPT"
            ),
            Keeper::Ufw => {
                format!("ufw route allow in on {bridge}; ufw route allow out on {bridge}")
            }
            Keeper::Firewalld => format!("firewall-cmd --zone=trusted --add-interface={bridge}"),
            Keeper::Iptables => {
                format!(
                    "iptables -I {chain} -i {bridge} -j ACCEPT; iptables -I {chain} -o {bridge} -j ACCEPT"
                )
            }
            Keeper::Andamio => format!("nft delete table {table}"),
            Keeper::Nftables => format!(
                "nft insert rule {table} {chain} iifname {bridge} accept; nft insert rule {table} {chain} oifname {bridge} accept"
            ),
        }
    }
}

impl Local {
    pub(super) async fn walls(&self) -> Vec<Wall> {
        let rules = ask("nft", &["-j", "list", "ruleset"]).await.unwrap_or_default();
        let own = format!("andamio_{}", self.id);
        let mut walls = of(&serde_json::from_str(&rules).unwrap_or_default(), &self.bridge(), &own);
        let legacy = std::fs::read_to_string("/proc/net/ip_tables_names").unwrap_or_default();
        if legacy.lines().any(|table| table == "filter")
            && let Ok(text) = ask("iptables-legacy", &["-w", "-S", "FORWARD"]).await
        {
            walls.extend(of_legacy(&text));
        }
        walls
    }
}

/// Chains that forwarded packets pass, of `nft -j list ruleset`.
fn of(ruleset: &Value, bridge: &str, own: &str) -> Vec<Wall> {
    let objects: Vec<&Value> = ruleset["nftables"].as_array().into_iter().flatten().collect();
    let of_kind =
        |kind: &'static str| objects.iter().map(move |o| &o[kind]).filter(|o| o.is_object());
    let table = |o: &Value| format!("{} {}", text(&o["family"]), text(&o["table"]));
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for chain in of_kind("chain") {
        names.entry(table(chain)).or_default().push(text(&chain["name"]));
    }
    let mut walls = Vec::new();
    for chain in of_kind("chain").filter(|c| c["hook"] == "forward") {
        let (table, name) = (table(chain), text(&chain["name"]));
        let ours = chain["table"] == *own && chain["family"] == "inet";
        if ours || !["ip", "inet", "bridge"].iter().any(|family| chain["family"] == *family) {
            continue;
        }
        let mut what = (chain["policy"] == "drop").then(|| "policy drop".to_owned());
        for rule in of_kind("rule") {
            let here = rule["chain"] == name
                && rule["table"] == chain["table"]
                && rule["family"] == chain["family"];
            if here && what.is_none() {
                what = stops(rule, bridge, chain["table"] == *own);
            }
        }
        if let Some(what) = what {
            let chains = names.get(&table).map_or(&[][..], Vec::as_slice);
            walls.push(Wall {
                keeper: keeper(&table, &name, chains, own),
                table,
                chain: name,
                what,
            });
        }
    }
    walls
}

/// A rule that drops all that passes the bridge: it asks for nothing else. In `whole` any that drops.
fn stops(rule: &Value, bridge: &str, whole: bool) -> Option<String> {
    let parts = rule["expr"].as_array()?;
    let verdict =
        ["drop", "reject"].into_iter().find(|v| parts.iter().any(|p| p.get(v).is_some()))?;
    let fits = |part: &Value| {
        let Some(matched) = part.get("match") else { return true };
        let key = text(&matched["left"]["meta"]["key"]);
        let interface = ["iifname", "oifname", "iif", "oif"].contains(&key.as_str());
        let name = text(&matched["right"]);
        let same =
            name == bridge || name.strip_suffix('*').is_some_and(|start| bridge.starts_with(start));
        interface && (matched["op"] == "==" && same || matched["op"] == "!=" && !same)
    };
    let xtables = parts.iter().any(|part| part.get("xt").is_some());
    (whole || !xtables && parts.iter().all(fits)).then(|| format!("a rule that says {verdict}"))
}

fn keeper(table: &str, chain: &str, chains: &[String], own: &str) -> Keeper {
    let any = |start: &str| chains.iter().any(|chain| chain.starts_with(start));
    match table {
        "ip filter" if any("DOCKER") => Keeper::Docker,
        "ip filter" if any("ufw-") => Keeper::Ufw,
        "ip filter" if chain == "FORWARD" => Keeper::Iptables,
        "inet firewalld" => Keeper::Firewalld,
        _ if table.ends_with(own) => Keeper::Andamio,
        _ => Keeper::Nftables,
    }
}

/// Of `iptables-legacy -S FORWARD`.
fn of_legacy(text: &str) -> Option<Wall> {
    let drops = text.lines().any(|line| line == "-P FORWARD DROP");
    let keeper = if text.contains("DOCKER") {
        Keeper::Docker
    } else if text.contains("ufw-") {
        Keeper::Ufw
    } else {
        Keeper::Iptables
    };
    drops.then(|| Wall {
        keeper,
        table: "ip filter (iptables-legacy)".to_owned(),
        chain: "FORWARD".to_owned(),
        what: "policy drop".to_owned(),
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_what_drops() {
        let chain = |family: &str, table: &str, name: &str, policy: &str| json!({"chain": {"family": family, "table": table, "name": name, "hook": "forward", "policy": policy}});
        let plain =
            |name: &str| json!({"chain": {"family": "ip", "table": "filter", "name": name}});
        let rule = |table: &str, right: &str| {
            json!({"rule": {"family": "inet", "table": table, "chain": "f", "expr": [
                {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": right}}, {"drop": null}]}})
        };
        let ruleset = json!({"nftables": [
            chain("ip", "filter", "FORWARD", "drop"), plain("DOCKER-USER"),
            chain("inet", "andamio_0", "forward", "accept"),
            chain("inet", "x", "f", "accept"), rule("x", "andamio-*"),
            chain("inet", "y", "f", "accept"), rule("y", "docker0"),
            chain("ip6", "filter", "FORWARD", "drop"),
        ]});
        let walls = of(&ruleset, "andamio-0", "andamio_0");
        let said: Vec<String> = walls.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "table ip filter, chain FORWARD (policy drop), Docker's",
                "table inet x, chain f (a rule that says drop)",
            ]
        );
        assert_eq!(
            walls[1].remedy("andamio-0"),
            "nft insert rule inet x f iifname andamio-0 accept; nft insert rule inet x f oifname andamio-0 accept"
        );
        assert_eq!(
            of_legacy("-P FORWARD DROP\n-A FORWARD -j ufw-before-forward\n").unwrap().keeper,
            Keeper::Ufw
        );
        assert_eq!(of_legacy("-P FORWARD ACCEPT\n"), None);
    }
}
