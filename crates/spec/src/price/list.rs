//! Linode's public price list, as it was recorded. A list in the repository keeps plans and budgets
//! reproducible; its date stands beside every amount.

use super::Usd;
use crate::model::{Group, Layout, Size};
use crate::units::GB;
use serde::Serialize;
use std::borrow::Cow;

/// When the machine types below were recorded; three rows were confirmed 2026-09-17.
pub const LIST_DATE: &str = "2024-07-19";

/// A row of the list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MachineType {
    pub id: Cow<'static, str>,
    pub vcpu: u32,
    pub memory_gib: u32,
    pub disk_gib: u32,
    /// Outgoing TB a month that are included, pooled over the account.
    pub transfer_tb: u32,
    /// Most that it sends, in Mbit a second.
    pub network_mbit: u32,
    pub month: Usd,
    pub hour: Usd,
    /// The platform's backups of the whole machine.
    pub backups: Price,
}

/// What one of something costs. A month is a cap: whoever has it for less pays by the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Price {
    pub month: Usd,
    pub hour: Usd,
}

impl Price {
    pub(super) fn times(self, count: u64) -> Self {
        Self { month: self.month.times(count), hour: self.hour.times(count) }
    }

    fn plus_percent(self, percent: u64) -> Self {
        Self { month: self.month.plus_percent(percent), hour: self.hour.plus_percent(percent) }
    }
}

/// Where prices come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The list in the repository.
    Recorded,
    /// The API, asked now.
    Live,
}

/// What everything costs in one region.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    pub source: Source,
    /// When they were recorded, `YYYY-MM-DD`.
    pub date: Cow<'static, str>,
    /// Cheapest first.
    pub machines: Vec<MachineType>,
    pub nodebalancer: Price,
    /// For each GB of a volume.
    pub volume_gb: Price,
    /// The least that an account with buckets pays: 250 GB and 1 TB of transfer are in it.
    pub object_storage: Price,
    /// For each GB that is sent beyond the pool.
    pub transfer_gb: Usd,
}

impl Prices {
    /// The list in the repository, in a region; `""`: where nothing is added.
    #[must_use]
    pub fn recorded(region: &str) -> Self {
        let percent = surcharge_percent(region);
        let machines = MACHINE_TYPES.iter().map(|row| MachineType {
            month: row.month.plus_percent(percent),
            hour: row.hour.plus_percent(percent),
            backups: row.backups.plus_percent(percent),
            ..row.clone()
        });
        Self {
            source: Source::Recorded,
            date: Cow::Borrowed(LIST_DATE),
            machines: machines.collect(),
            nodebalancer: NODEBALANCER.plus_percent(percent),
            volume_gb: VOLUME_GB.plus_percent(percent),
            object_storage: OBJECT_STORAGE.plus_percent(percent),
            transfer_gb: TRANSFER_GB.plus_percent(percent),
        }
    }
}

const fn price(month_cents: u64, hour: u64) -> Price {
    Price {
        month: Usd::thousandths_of_cents(month_cents * 1000),
        hour: Usd::thousandths_of_cents(hour),
    }
}

/// Processors, memory, disk, transfer, network; cents a month and thousandths of cents an hour, for the
/// machine and for its backups.
const fn row(
    id: &'static str,
    [vcpu, memory_gib, disk_gib, transfer_tb, network_mbit]: [u32; 5],
    machine: Price,
    backups: Price,
) -> MachineType {
    let Price { month, hour } = machine;
    let id = Cow::Borrowed(id);
    MachineType { id, vcpu, memory_gib, disk_gib, transfer_tb, network_mbit, month, hour, backups }
}

/// `GET /v4/linode/types`. Cheapest first.
pub const MACHINE_TYPES: &[MachineType] = &[
    row("g6-nanode-1", [1, 1, 25, 1, 1000], price(500, 750), price(200, 300)),
    row("g6-standard-1", [1, 2, 50, 2, 2000], price(1200, 1800), price(250, 400)),
    row("g6-standard-2", [2, 4, 80, 4, 4000], price(2400, 3600), price(500, 800)),
    row("g6-dedicated-2", [2, 4, 80, 4, 4000], price(3600, 5400), price(500, 800)),
    row("g6-standard-4", [4, 8, 160, 5, 5000], price(4800, 7200), price(1000, 1500)),
    row("g6-dedicated-4", [4, 8, 160, 5, 5000], price(7200, 10_800), price(1000, 1500)),
    row("g6-standard-6", [6, 16, 320, 8, 6000], price(9600, 14_400), price(2000, 3000)),
    row("g6-dedicated-8", [8, 16, 320, 6, 6000], price(14_400, 21_600), price(2000, 3000)),
    row("g6-standard-8", [8, 32, 640, 16, 7000], price(19_200, 28_800), price(4000, 6000)),
    row("g6-dedicated-16", [16, 32, 640, 7, 7000], price(28_800, 43_200), price(4000, 6000)),
];

/// Recorded 2025-08.
const NODEBALANCER: Price = price(1000, 1500);

/// The hour here and below is the month by the 667 hours that the list counts in one.
const VOLUME_GB: Price = price(10, 15);

const OBJECT_STORAGE: Price = price(500, 750);

pub const TRANSFER_GB: Usd = Usd::thousandths_of_cents(500);

/// European Central Bank, reference rate of 2025-02-28: 1 EUR = 1.0411 USD.
pub const RATE: Rate = Rate { usd_eur: 0.9605, date: "2025-02-28" };

/// Euros for one dollar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    pub usd_eur: f64,
    pub date: &'static str,
}

/// How many percent more everything costs in a region; about, as Linode's list has it.
fn surcharge_percent(region: &str) -> u64 {
    match region {
        "id-cgk" => 20,
        "br-gru" => 40,
        _ => 0,
    }
}

/// The first type with at least this many processors, this memory and this disk; of lists that are in order
/// the cheapest.
#[must_use]
pub fn machine_type(types: &[MachineType], size: Size, disk_bytes: u64) -> Option<&MachineType> {
    types.iter().find(|row| {
        row.vcpu >= size.vcpu
            && u64::from(row.memory_gib) << 30 >= size.memory_bytes
            && u64::from(row.disk_gib) << 30 >= disk_bytes
    })
}

pub(crate) fn largest() -> String {
    MACHINE_TYPES.last().map_or_else(String::new, |row| {
        format!("{}x{} with {} GB ({})", row.vcpu, row.memory_gib, row.disk_gib, row.id)
    })
}

/// GB of the volume that each machine of a group keeps its data on; 0: on its own disk.
///
/// A MariaDB that has more than one machine is there to lose nothing, and what it holds must outlive
/// each of them. A single one is on its own disk: a volume (4 USD for 40 GB) would take the document's
/// development environment over its 100 €.
#[must_use]
pub fn volume_gb(group: Group, layout: Layout, disk_bytes: u64) -> u32 {
    match (group, layout) {
        (Group::Mariadb, Layout::Replica | Layout::Galera) => {
            // Volumes have at least 10 GB.
            u32::try_from(disk_bytes.div_ceil(GB)).unwrap_or(u32::MAX).max(10)
        }
        _ => 0,
    }
}

/// Does the platform back up the whole machine? The ops machine holds registry, metrics and logs, of
/// which there is no other copy; data has backups of its own, and everything else is made anew.
#[must_use]
pub fn machine_backups(group: Group) -> bool {
    group == Group::Ops
}
