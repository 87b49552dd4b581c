//! What an environment costs at Linode, whatever place it is on: the price of the real thing is worth
//! knowing while rehearsing it. List prices, without value-added tax.

mod bill;
mod bought;
mod list;
mod usd;

pub use bill::{
    Cost, CostError, CostItem, EXPECTED_HOURS, check_budget, cost, cost_at, cost_by, cost_of,
    month_of,
};
pub use bought::{Bought, bought};
pub(crate) use bought::{pool_tb, transfer_beyond, type_of};
pub(crate) use list::largest;
pub use list::{
    LIST_DATE, MACHINE_TYPES, MachineType, Price, Prices, RATE, Rate, Source, TRANSFER_GB,
    machine_backups, machine_type, volume_gb,
};
pub use usd::Usd;
