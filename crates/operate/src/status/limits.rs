//! What an environment uses of the limits that andamio.toml gives it.

use crate::Instance;
use andamio_provision::{Inventory, MachineState};
use andamio_remote::Session;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A limit, and what is used of it; `null` where nobody set the one or can tell the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Use {
    pub used: Option<u64>,
    pub limit: Option<u64>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Limits {
    pub machines: Use,
    /// Declared disks of the machines that are there: what the limit counts.
    pub storage_bytes: Use,
    /// Sent to the outside in the last minute.
    pub bandwidth_bits_per_s: Use,
    /// Sent to the outside in this month (UTC).
    pub transfer_bytes: Use,
}

/// What a machine has counted, as its node prints it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Sent {
    months: BTreeMap<String, u64>,
    bytes_per_s: u64,
}

/// Asks a machine; `None` where it has not begun to count.
pub(super) async fn sent(session: &Session) -> Option<Sent> {
    let output = session.output("/usr/local/bin/andamio node transfer", &[]).await.ok()?;
    serde_json::from_slice(&output.stdout).ok().filter(|_| output.exit.success())
}

/// `month` as in `2026-11`.
pub(super) fn limits(
    instance: &Instance,
    inventory: &Inventory,
    sent: &[Sent],
    month: &str,
) -> Limits {
    let declared = &instance.environment.limits;
    let there: Vec<_> = inventory
        .machines
        .iter()
        .filter(|found| found.state != MachineState::Missing)
        .filter_map(|found| instance.topology.machine(&found.name))
        .collect();
    let machines = there.len() + inventory.surplus.len();
    let counted = |of: &dyn Fn(&Sent) -> u64| (!sent.is_empty()).then(|| sent.iter().map(of).sum());
    Limits {
        machines: Use {
            used: u64::try_from(machines).ok(),
            limit: declared.machines.map(u64::from),
        },
        storage_bytes: Use {
            used: Some(there.iter().map(|machine| machine.disk_bytes).sum()),
            limit: declared.storage_bytes,
        },
        bandwidth_bits_per_s: Use {
            used: counted(&|sent| sent.bytes_per_s * 8),
            limit: declared.bandwidth_bits_per_s,
        },
        transfer_bytes: Use {
            used: counted(&|sent| sent.months.get(month).copied().unwrap_or(0)),
            limit: declared.transfer_bytes,
        },
    }
}
