//! What an environment costs at Linode, whatever place it is on: the price of the real thing is worth
//! knowing while rehearsing it. List prices, without value-added tax.

mod bill;
mod list;
mod usd;

pub use bill::{
    Bought, Cost, CostError, CostItem, EXPECTED_HOURS, bought, check_budget, cost, cost_at,
    cost_of, month_of,
};
pub(crate) use bill::{pool_tb, transfer_beyond, type_of};
pub(crate) use list::largest;
pub use list::{
    LIST_DATE, MACHINE_TYPES, MachineType, NODEBALANCER, OBJECT_STORAGE, Price, RATE, Rate,
    TRANSFER_GB, VOLUME_GB, machine_backups, machine_type, surcharge_percent, volume_gb,
};
pub use usd::Usd;
