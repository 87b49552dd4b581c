//! Types of instances with their prices, in USD: the answers of `GET /v4/linode/types` that linodego
//! v1.69 has among its recordings (2026-05); the first ten columns are those of the project's dated
//! price list too.

use serde_json::{Value, json};

pub(crate) struct Plan {
    pub id: &'static str,
    label: &'static str,
    class: &'static str,
    pub vcpus: u64,
    memory_gb: u64,
    disk_gb: u64,
    transfer_tb: u64,
    /// Gbit/s.
    network_out: u64,
    price: Price,
    backups: Price,
}

/// Everywhere but in two regions, in Jakarta, and in São Paulo: ten-thousandths of a dollar an hour, and
/// dimes a month.
struct Price([(u32, u32); 3]);

const DEARER: [&str; 2] = ["id-cgk", "br-gru"];

#[rustfmt::skip]
const PLANS: &[Plan] = &[
    row("g6-nanode-1", "Nanode 1GB", "nanode", [1, 1, 25, 1, 1], [(75, 50), (90, 60), (105, 70)], [(30, 20), (36, 24), (40, 28)]),
    row("g6-standard-1", "Linode 2GB", "standard", [1, 2, 50, 2, 2], [(180, 120), (220, 144), (250, 168)], [(40, 25), (45, 30), (50, 35)]),
    row("g6-standard-2", "Linode 4GB", "standard", [2, 4, 80, 4, 4], [(360, 240), (430, 288), (500, 336)], [(80, 50), (90, 60), (100, 70)]),
    row("g6-standard-4", "Linode 8GB", "standard", [4, 8, 160, 5, 5], [(720, 480), (860, 576), (1010, 672)], [(150, 100), (180, 120), (210, 140)]),
    row("g6-standard-6", "Linode 16GB", "standard", [6, 16, 320, 8, 6], [(1440, 960), (1730, 1152), (2020, 1344)], [(300, 200), (360, 240), (420, 280)]),
    row("g6-standard-8", "Linode 32GB", "standard", [8, 32, 640, 16, 7], [(2880, 1920), (3460, 2304), (4030, 2688)], [(600, 400), (720, 480), (840, 560)]),
    row("g6-dedicated-2", "Dedicated 4GB", "dedicated", [2, 4, 80, 4, 4], [(540, 360), (650, 432), (760, 504)], [(80, 50), (90, 60), (100, 70)]),
    row("g6-dedicated-4", "Dedicated 8GB", "dedicated", [4, 8, 160, 5, 5], [(1080, 720), (1300, 864), (1510, 1008)], [(150, 100), (180, 120), (210, 140)]),
    row("g6-dedicated-8", "Dedicated 16GB", "dedicated", [8, 16, 320, 6, 6], [(2160, 1440), (2590, 1728), (3020, 2016)], [(300, 200), (360, 240), (420, 280)]),
    row("g6-dedicated-16", "Dedicated 32GB", "dedicated", [16, 32, 640, 7, 7], [(4320, 2880), (5180, 3456), (6050, 4032)], [(600, 400), (720, 480), (840, 560)]),
];

const fn row(
    id: &'static str,
    label: &'static str,
    class: &'static str,
    [vcpus, memory_gb, disk_gb, transfer_tb, network_out]: [u64; 5],
    price: [(u32, u32); 3],
    backups: [(u32, u32); 3],
) -> Plan {
    let (price, backups) = (Price(price), Price(backups));
    Plan { id, label, class, vcpus, memory_gb, disk_gb, transfer_tb, network_out, price, backups }
}

pub(crate) fn plan(id: &str) -> Option<&'static Plan> {
    PLANS.iter().find(|plan| plan.id == id)
}

pub(crate) fn all() -> impl Iterator<Item = Value> {
    PLANS.iter().map(Plan::to_json)
}

pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    PLANS.iter().map(|plan| plan.id)
}

impl Plan {
    pub(crate) fn disk_mb(&self) -> u64 {
        self.disk_gb * 1024
    }

    pub(crate) fn memory_mb(&self) -> u64 {
        self.memory_gb * 1024
    }

    pub(crate) fn transfer_gb(&self) -> u64 {
        self.transfer_tb * 1000
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "label": self.label,
            "class": self.class,
            "disk": self.disk_mb(),
            "memory": self.memory_mb(),
            "vcpus": self.vcpus,
            "gpus": 0,
            "accelerated_devices": 0,
            "transfer": self.transfer_gb(),
            "network_out": self.network_out * 1000,
            "price": self.price.common(),
            "region_prices": self.price.dearer(),
            "addons": {"backups": {
                "price": self.backups.common(),
                "region_prices": self.backups.dearer(),
            }},
            "successor": null,
        })
    }
}

impl Price {
    fn common(&self) -> Value {
        let (hourly, monthly) = dollars(self.0[0]);
        json!({"hourly": hourly, "monthly": monthly})
    }

    fn dearer(&self) -> Value {
        let each = DEARER.iter().zip(&self.0[1..]).map(|(region, price)| {
            let (hourly, monthly) = dollars(*price);
            json!({"id": region, "hourly": hourly, "monthly": monthly})
        });
        each.collect()
    }
}

fn dollars((hourly, monthly): (u32, u32)) -> (f64, f64) {
    (f64::from(hourly) / 10_000.0, f64::from(monthly) / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use andamio_spec::Currency;
    use andamio_spec::price::MACHINE_TYPES;

    #[test]
    fn the_list_is_the_one_that_costs_are_reckoned_with() {
        assert_eq!(PLANS.len(), MACHINE_TYPES.len());
        for row in MACHINE_TYPES {
            let plan = plan(&row.id).unwrap();
            for (period, listed) in [("monthly", row.month), ("hourly", row.hour)] {
                let price = plan.to_json()["price"][period].as_f64().unwrap();
                assert!(
                    (price - listed.in_currency(Currency::Usd, 4)).abs() < 1e-9,
                    "{} {period}",
                    row.id
                );
            }
            let numbers = [plan.vcpus, plan.memory_gb, plan.disk_gb, plan.transfer_tb];
            let wanted = [row.vcpu, row.memory_gib, row.disk_gib, row.transfer_tb].map(u64::from);
            assert_eq!(numbers, wanted, "{}", row.id);
        }
    }
}
