//! What things cost at Linode today, in any region. Nobody has to log in for it.

use super::api::{Api, ApiConfig, ApiError};
use andamio_spec::price::{MachineType, Price, Prices, Source, Usd};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The API's price list.
#[derive(Debug, Clone)]
pub struct Offers {
    date: String,
    machines: Vec<Machine>,
    nodebalancer: Offer,
    volume_gb: Offer,
    object_storage: Offer,
    transfer_gb: Offer,
}

/// Everywhere, and where it costs something else.
#[derive(Debug, Clone)]
struct Offer {
    everywhere: Price,
    regions: BTreeMap<String, Price>,
}

#[derive(Debug, Clone)]
struct Machine {
    /// With the price of everywhere.
    row: MachineType,
    price: Offer,
    backups: Offer,
}

/// What the list's types of machines are compared by: shared and dedicated processors. The others (GPUs,
/// accelerators, large memory, premium processors) are for other work and would not be the cheapest.
const CLASSES: &[&str] = &["nanode", "standard", "dedicated"];

/// Asks the API for all of its prices, `date` being today's, `YYYY-MM-DD`.
///
/// # Errors
/// When the API does not answer, or its list lacks something that is bought.
pub async fn offers(access: &ApiConfig, date: &str) -> Result<Offers, ApiError> {
    let api = Api::new(access)?;
    let (machines, nodebalancers, volumes, storage, transfer) = tokio::try_join!(
        api.list::<Listed>("/linode/types"),
        api.list::<Listed>("/nodebalancers/types"),
        api.list::<Listed>("/volumes/types"),
        api.list::<Listed>("/object-storage/types"),
        api.list::<Listed>("/network-transfer/prices"),
    )?;
    let missing = |what: &str| ApiError::Missing { url: api.base.clone(), what: what.to_owned() };
    let one = |list: &[Listed], id: &str| {
        let listed = list.iter().find(|listed| listed.id == id);
        listed.and_then(|listed| listed.offer()).ok_or_else(|| missing(id))
    };
    let machines: Vec<Machine> = machines.iter().filter_map(Listed::machine).collect();
    if machines.is_empty() {
        return Err(missing("machines"));
    }
    Ok(Offers {
        date: date.to_owned(),
        machines,
        nodebalancer: one(&nodebalancers, "nodebalancer")?,
        volume_gb: one(&volumes, "volume")?,
        object_storage: one(&storage, "objectstorage")?,
        transfer_gb: one(&transfer, "network_transfer")?,
    })
}

impl Offers {
    /// As they are in one region; `""`: where nothing is added.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Prices {
        let machines = self.machines.iter().map(|machine| {
            let Price { month, hour } = machine.price.at(region);
            MachineType { month, hour, backups: machine.backups.at(region), ..machine.row.clone() }
        });
        let mut machines: Vec<MachineType> = machines.collect();
        machines.sort_by(|a, b| (a.month, &a.id).cmp(&(b.month, &b.id)));
        Prices {
            source: Source::Live,
            date: Cow::Owned(self.date.clone()),
            machines,
            nodebalancer: self.nodebalancer.at(region),
            volume_gb: self.volume_gb.at(region),
            object_storage: self.object_storage.at(region),
            // What is counted by the GB has no month: the list calls the price of one its hour.
            transfer_gb: self.transfer_gb.at(region).hour,
        }
    }
}

impl Offer {
    fn at(&self, region: &str) -> Price {
        self.regions.get(region).copied().unwrap_or(self.everywhere)
    }
}

/// A row of any of the API's lists of prices.
#[derive(Debug, Deserialize)]
struct Listed {
    id: String,
    price: Amount,
    #[serde(default)]
    region_prices: Vec<Regional>,
    #[serde(default)]
    class: String,
    #[serde(default)]
    vcpus: u32,
    /// MB of 1024 kB, as are the disk's.
    #[serde(default)]
    memory: u32,
    #[serde(default)]
    disk: u32,
    /// GB a month.
    #[serde(default)]
    transfer: u32,
    /// Mbit a second.
    #[serde(default)]
    network_out: u32,
    addons: Option<Addons>,
}

/// Dollars; `null` where it is not sold by that period.
#[derive(Debug, Deserialize)]
struct Amount {
    hourly: Option<f64>,
    monthly: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Regional {
    id: String,
    #[serde(flatten)]
    price: Amount,
}

#[derive(Debug, Deserialize)]
struct Addons {
    backups: Option<Addon>,
}

#[derive(Debug, Deserialize)]
struct Addon {
    price: Amount,
    #[serde(default)]
    region_prices: Vec<Regional>,
}

impl Listed {
    fn offer(&self) -> Option<Offer> {
        offer(&self.price, &self.region_prices)
    }

    /// `None` for what is not compared, and for a row without a price.
    fn machine(&self) -> Option<Machine> {
        if !CLASSES.contains(&self.class.as_str()) {
            return None;
        }
        let backups = self.addons.as_ref()?.backups.as_ref()?;
        let (price, backups) = (self.offer()?, offer(&backups.price, &backups.region_prices)?);
        let row = MachineType {
            id: Cow::Owned(self.id.clone()),
            vcpu: self.vcpus,
            memory_gib: self.memory / 1024,
            disk_gib: self.disk / 1024,
            transfer_tb: self.transfer / 1000,
            network_mbit: self.network_out,
            month: price.everywhere.month,
            hour: price.everywhere.hour,
            backups: backups.everywhere,
        };
        Some(Machine { row, price, backups })
    }
}

fn offer(price: &Amount, regions: &[Regional]) -> Option<Offer> {
    let regions = regions.iter().filter_map(|at| Some((at.id.clone(), at.price.price()?)));
    Some(Offer { everywhere: price.price()?, regions: regions.collect() })
}

impl Amount {
    fn price(&self) -> Option<Price> {
        let usd = |dollars: Option<f64>| match dollars {
            Some(dollars) => Usd::from_dollars(dollars),
            None => Some(Usd::default()),
        };
        let (month, hour) = (usd(self.monthly)?, usd(self.hourly)?);
        (self.monthly.is_some() || self.hourly.is_some()).then_some(Price { month, hour })
    }
}
