//! The instance's own table of nftables. It is compared with what was live right after it was made: somebody who
//! loads rules of their own (`flush ruleset`, as Debian's nftables.service begins) takes it away in silence.

use super::{Local, LocalError, ask, feed};
use std::fs;
use std::path::PathBuf;

/// Beside the machines: the rules that were asked for, and what `nft` showed of them.
const RECORD: &str = "network.nft";
const BETWEEN: &str = "\n=== live ===\n";

impl Local {
    fn table(&self) -> String {
        format!("inet andamio_{}", self.id)
    }

    /// Nothing new comes in from outside or from another instance, and machines cannot reach the host's own
    /// services, but a name server that the host itself uses.
    fn rules(&self) -> String {
        let (table, bridge) = (self.table(), self.bridge());
        let own: Vec<String> = self.resolver().own.iter().map(ToString::to_string).collect();
        let names = if own.is_empty() {
            String::new()
        } else {
            format!(
                "    iifname \"{bridge}\" ip daddr {{ {} }} meta l4proto {{ tcp, udp }} th dport 53 accept\n",
                own.join(", ")
            )
        };
        format!(
            r#"table {table} {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {net} oifname != "{bridge}" masquerade
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    oifname "{bridge}" iifname != "{bridge}" ct state new drop
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname "{bridge}" ct state established,related accept
    iifname "{bridge}" meta l4proto icmp accept
{names}    iifname "{bridge}" drop
  }}
}}
"#,
            net = self.network
        )
    }

    async fn live(&self) -> Option<String> {
        ask("nft", &["list", "table", "inet", &format!("andamio_{}", self.id)]).await.ok()
    }

    fn record_of_rules(&self) -> PathBuf {
        self.instance_folder().join(RECORD)
    }

    pub(super) async fn rules_differ(&self) -> Option<String> {
        let Some(live) = self.live().await else {
            return Some(format!("the table {} of nftables is gone", self.table()));
        };
        let was = fs::read_to_string(self.record_of_rules()).unwrap_or_default();
        (was != format!("{}{BETWEEN}{live}", self.rules()))
            .then(|| format!("the table {} of nftables is not as it has to be", self.table()))
    }

    pub(super) async fn rules_up(&self) -> Result<(), LocalError> {
        let (table, rules) = (self.table(), self.rules());
        // Atomic: made empty if absent, deleted, made anew.
        let input = format!("table {table} {{ }}\ndelete table {table}\n{rules}");
        feed("nft", &["-f", "-"], &input).await?;
        let live = self.live().await.unwrap_or_default();
        let record = self.record_of_rules();
        fs::write(&record, format!("{rules}{BETWEEN}{live}"))
            .map_err(LocalError::io("write", record))
    }

    pub(super) async fn rules_down(&self) -> Result<(), LocalError> {
        let table = self.table();
        // `add` makes the deletion safe to repeat.
        feed("nft", &["-f", "-"], &format!("add table {table}\ndelete table {table}\n")).await
    }
}
