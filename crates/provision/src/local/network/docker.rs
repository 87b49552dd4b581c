//! Docker on the same host: it drops all that is forwarded and not its own. Its chain `DOCKER-USER` is the
//! documented place for those who have other bridges; Docker never empties it. Rules in another table would not help,
//! because a packet has to be accepted in all of them.

use super::{Local, LocalError, ask, feed};

const CHAIN: &str = "DOCKER-USER";
const LEGACY: &str = "iptables-legacy";

impl Local {
    /// The two ways through, in nft's words and in those of iptables.
    fn passes(&self) -> [(String, [String; 2]); 2] {
        let bridge = self.bridge();
        [("iifname", "-i"), ("oifname", "-o")].map(|(nft, iptables)| {
            (format!("{nft} \"{bridge}\""), [iptables.to_owned(), bridge.clone()])
        })
    }

    pub(super) async fn docker_differs(&self) -> Option<String> {
        let lacks = !self.lacking(&nft_chain().await).is_empty()
            || !self.lacking_legacy(&legacy_chain().await).is_empty();
        lacks.then(|| format!("Docker's chain {CHAIN} does not let {} through", self.bridge()))
    }

    pub(super) async fn docker_up(&self) -> Result<(), LocalError> {
        for (way, _) in self.lacking(&nft_chain().await) {
            let rule = format!("insert rule ip filter {CHAIN} {way} counter accept\n");
            feed("nft", &["-f", "-"], &rule).await?;
        }
        for (_, [flag, bridge]) in self.lacking_legacy(&legacy_chain().await) {
            let insert = ["-w", "-I", CHAIN, &flag, &bridge, "-j", "ACCEPT"];
            feed(LEGACY, &insert, "").await?;
        }
        Ok(())
    }

    /// What is gone already is no failure.
    pub(super) async fn docker_down(&self) {
        if let Some(chain) = nft_chain().await {
            for handle in handles(&chain, &self.bridge()) {
                let delete = format!("delete rule ip filter {CHAIN} handle {handle}\n");
                let _ = feed("nft", &["-f", "-"], &delete).await;
            }
        }
        if legacy_chain().await.is_some() {
            for (_, [flag, bridge]) in self.passes() {
                let delete = ["-w", "-D", CHAIN, &flag, &bridge, "-j", "ACCEPT"];
                let _ = feed(LEGACY, &delete, "").await;
            }
        }
    }

    /// Ways that the chain, where there is one, does not have.
    fn lacking(&self, chain: &Option<String>) -> Vec<(String, [String; 2])> {
        let Some(chain) = chain else { return Vec::new() };
        let has =
            |way: &str| chain.lines().any(|line| line.contains(way) && line.contains("accept"));
        self.passes().into_iter().filter(|(way, _)| !has(way)).collect()
    }

    fn lacking_legacy(&self, chain: &Option<String>) -> Vec<(String, [String; 2])> {
        let Some(chain) = chain else { return Vec::new() };
        let has = |words: &[String; 2]| {
            chain.lines().any(|line| line.contains(&format!("{} {} -j ACCEPT", words[0], words[1])))
        };
        self.passes().into_iter().filter(|(_, words)| !has(words)).collect()
    }
}

async fn nft_chain() -> Option<String> {
    ask("nft", &["-a", "list", "chain", "ip", "filter", CHAIN]).await.ok()
}

/// iptables of before nftables. Where nobody uses it it is not asked, because asking makes its tables.
async fn legacy_chain() -> Option<String> {
    let used = std::fs::read_to_string("/proc/net/ip_tables_names").unwrap_or_default();
    if !used.lines().any(|table| table == "filter") {
        return None;
    }
    ask(LEGACY, &["-w", "-S", CHAIN]).await.ok()
}

/// Numbers of the rules that speak of the bridge, as `nft -a` shows them.
fn handles(chain: &str, bridge: &str) -> Vec<u64> {
    let name = format!("\"{bridge}\"");
    let ours = chain.lines().filter(|line| line.contains(&name));
    ours.filter_map(|line| line.rsplit_once("# handle ")?.1.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_its_own_rules() {
        let chain = "table ip filter {\n\tchain DOCKER-USER { # handle 3\n\
                     \t\tiifname \"andamio-0\" counter packets 0 bytes 0 accept # handle 7\n\
                     \t\tiifname \"andamio-1\" counter packets 0 bytes 0 accept # handle 8\n\t\tcounter return # handle 4\n\t}\n}\n";
        assert_eq!(handles(chain, "andamio-0"), [7]);
    }
}
