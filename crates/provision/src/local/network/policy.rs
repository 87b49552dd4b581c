//! Rules of routing that come before the main table: a VPN's own table may lead to the machines' addresses too,
//! and what it has is looked at first.

use super::{Local, LocalError, ask, feed};
use std::fmt;

/// Before any rule that a VPN makes; only what is about our /24 is answered there.
const PRIORITY: u32 = 100;

/// Where packets to the machines go instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stray {
    network: String,
    /// Empty where the rule refuses them.
    interface: String,
    /// As `ip rule` shows it.
    rule: String,
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.interface.is_empty() {
            "nowhere".to_owned()
        } else {
            format!("out by {}", self.interface)
        };
        write!(f, "packets to {} go {way}", self.network)?;
        if self.rule.is_empty() { Ok(()) } else { write!(f, " (ip rule: {})", self.rule) }
    }
}

impl Local {
    /// `None` when the machines' addresses lead to their bridge.
    pub(super) async fn stray(&self) -> Option<Stray> {
        let address = self.network.host(10).to_string();
        let route = ask("ip", &["-4", "route", "get", &address]).await;
        let (interface, table) = match &route {
            Ok(text) => (word_after(text, "dev").unwrap_or_default(), word_after(text, "table")),
            Err(LocalError::Tool { .. }) => (String::new(), None),
            // Nobody can be asked: nothing is claimed.
            Err(_) => return None,
        };
        if interface == self.bridge() {
            return None;
        }
        let rules = ask("ip", &["-4", "rule", "list"]).await.unwrap_or_default();
        let rule = culprit(&rules, table.as_deref()).unwrap_or_default();
        Some(Stray { network: self.network.to_string(), interface, rule })
    }

    /// Puts a rule for the machines' /24 before the others, where it is needed.
    pub(super) async fn straighten(&self) -> Result<(), LocalError> {
        let Some(stray) = self.stray().await else { return Ok(()) };
        let network = self.network.to_string();
        let first = stray.rule.split(':').next().and_then(|n| n.trim().parse::<u32>().ok());
        let priority = first.map_or(PRIORITY, |n| PRIORITY.min(n.saturating_sub(1))).to_string();
        let rule = ["-4", "rule", "add", "to", &network, "lookup", "main", "priority", &priority];
        // One that is there already did not help, which the second look says.
        let _ = feed("ip", &rule, "").await;
        match self.stray().await {
            None => Ok(()),
            Some(stray) => Err(LocalError::Stray { stray: stray.to_string() }),
        }
    }

    /// What is gone already is no failure.
    pub(super) async fn unstraighten(&self) {
        let network = self.network.to_string();
        let _ = feed("ip", &["-4", "rule", "del", "to", &network, "lookup", "main"], "").await;
    }
}

fn word_after(text: &str, word: &str) -> Option<String> {
    text.split_whitespace().skip_while(|w| *w != word).nth(1).map(str::to_owned)
}

/// The first rule that leads to the table; without one, the first that is not the kernel's own.
fn culprit(rules: &str, table: Option<&str>) -> Option<String> {
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = rules.lines().map(line);
    lines.find(|line| match table {
        Some(table) => word_after(line, "lookup").as_deref() == Some(table),
        None => {
            !["local", "main", "default"].iter().any(|own| line.ends_with(&format!("lookup {own}")))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str =
        "0:\tfrom all lookup local\n5270:\tfrom all lookup 52\n32766:\tfrom all lookup main\n";

    #[test]
    fn names_the_rule() {
        let route = "198.18.2.10 dev tailscale0 table 52 src 100.64.0.1 uid 0 \n    cache \n";
        let table = word_after(route, "table");
        assert_eq!(word_after(route, "dev").as_deref(), Some("tailscale0"));
        assert_eq!(culprit(RULES, table.as_deref()).as_deref(), Some("5270: from all lookup 52"));
        assert_eq!(
            culprit("9:\tfrom all unreachable\n", None).as_deref(),
            Some("9: from all unreachable")
        );
        assert_eq!(culprit("0:\tfrom all lookup local\n", None), None);
    }
}
