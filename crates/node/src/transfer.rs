//! What the machine sends to the outside, by months: a counter of the kernel, read every minute and added up on
//! the machine's disk, so that neither a restart nor the operator's absence loses more than that minute.
//!
//! The counter sees what is handed to the network card, where several segments of one connection are still one
//! packet: 3 to 4 % less than what goes over the wire.

use crate::failure::{Context, Result};
use crate::{STATE, disk, process};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LOCK: &str = "/run/andamio-transfer.lock";
/// A table of its own: the firewall's is replaced whole, and its counters with it.
const TABLE: &str = "inet andamio_transfer";
const NFT: Duration = Duration::from_secs(20);
/// Shorter spans say nothing of a rate.
const SPAN_S: i64 = 5;
/// A year to compare with.
const MONTHS: usize = 13;

/// What is known of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    pub v: u32,
    /// `2026-11` → bytes; months are UTC months.
    pub months: BTreeMap<String, u64>,
    /// Between the last two looks.
    pub bytes_per_s: u64,
    /// Addresses that are not outside, as nft writes a set.
    inside: String,
    /// The kernel's counter at the last look, and when that was, in seconds since 1970.
    counter: u64,
    at_s: i64,
}

/// Adds up to now. `inside` lists the addresses that are not outside; without it those of the last time.
///
/// # Errors
/// When nft does not answer, or the machine's disk cannot be written.
pub async fn transfer(inside: Option<&str>) -> Result<Transfer> {
    let lock = File::create(LOCK).during(format!("opening {LOCK}"))?;
    let locked = tokio::task::spawn_blocking(|| Flock::lock(lock, FlockArg::LockExclusive)).await;
    let _lock = locked.ok().and_then(std::result::Result::ok);
    let path = path();
    // One that cannot be read is as good as none: the month begins anew.
    let known: Option<Transfer> =
        disk::read(&path)?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut known = known.unwrap_or_default();
    let counter = counter().await;
    known.add(counter.unwrap_or(0), Timestamp::now());
    let inside = inside.unwrap_or(&known.inside).to_owned();
    if !inside.is_empty() && (counter.is_none() || inside != known.inside) {
        process::run(&["nft", "-f", "-"], &rules(&inside), NFT).await?;
        known.counter = 0;
        known.inside = inside;
    }
    let bytes = serde_json::to_vec(&known).during("writing what was sent")?;
    disk::write_state(&path, &bytes)?;
    Ok(known)
}

fn path() -> PathBuf {
    Path::new(STATE).join("transfer.json")
}

impl Transfer {
    fn add(&mut self, counter: u64, now: Timestamp) {
        // A smaller one began anew, with the machine or with the table.
        let sent = counter.checked_sub(self.counter).unwrap_or(counter);
        let month = now.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string();
        *self.months.entry(month).or_default() += sent;
        while self.months.len() > MONTHS {
            self.months.pop_first();
        }
        let span = now.as_second() - self.at_s;
        self.v = andamio_manifest::VERSION;
        self.counter = counter;
        if span < SPAN_S && self.at_s > 0 && span >= 0 {
            return;
        }
        let span = u64::try_from(span).unwrap_or(1).max(1);
        self.bytes_per_s = if self.at_s > 0 { sent / span } else { 0 };
        self.at_s = now.as_second();
    }
}

fn rules(inside: &str) -> String {
    format!(
        "table {TABLE} {{}}\ndelete table {TABLE}\ntable {TABLE} {{\n counter sent {{ }}\n chain out {{\n  \
         type filter hook postrouting priority 300; policy accept;\n  oifname \"lo\" return\n  \
         ip daddr {{ {inside}, 224.0.0.0/4 }} return\n  ip6 daddr {{ fe80::/10, ff00::/8 }} return\n  \
         counter name \"sent\"\n }}\n}}\n"
    )
}

/// `None` where the table is not there.
async fn counter() -> Option<u64> {
    let argv = ["nft", "-j", "list", "counter", "inet", "andamio_transfer", "sent"];
    let json = process::run(&argv, "", NFT).await.ok()?;
    let json: serde_json::Value = serde_json::from_str(&json).ok()?;
    json.get("nftables")?.as_array()?.iter().find_map(|o| o.pointer("/counter/bytes")?.as_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_begin_anew_and_months_end() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let mut sent = Transfer::default();
        sent.add(1000, at("2026-11-30T23:58:00Z"));
        sent.add(7000, at("2026-11-30T23:59:00Z"));
        assert_eq!((sent.months["2026-11"], sent.bytes_per_s), (7000, 100));
        // A look in between changes no rate.
        sent.add(7001, at("2026-11-30T23:59:01Z"));
        assert_eq!((sent.months["2026-11"], sent.bytes_per_s), (7001, 100));
        // The machine was started again.
        sent.add(50, at("2026-12-01T00:00:00Z"));
        assert_eq!((sent.months["2026-11"], sent.months["2026-12"]), (7001, 50));
        for month in 1..=12 {
            sent.add(50, at(&format!("2027-{month:02}-02T00:00:00Z")));
        }
        assert!(sent.months.len() == MONTHS && !sent.months.contains_key("2026-11"));
    }
}
