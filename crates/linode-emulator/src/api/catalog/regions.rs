//! Regions with what each of them has: answers of `GET /v4/regions` that linodego v1.69 has among its
//! recordings (2026-05). Their resolvers are not copied: nothing here asks them.

use super::types;
use serde_json::{Value, json};

pub(crate) struct Region {
    pub id: &'static str,
    label: &'static str,
    country: &'static str,
    pub object_storage: bool,
    pub vpcs: bool,
}

const fn region_of(
    id: &'static str,
    label: &'static str,
    country: &'static str,
    [object_storage, vpcs]: [bool; 2],
) -> Region {
    Region { id, label, country, object_storage, vpcs }
}

const REGIONS: &[Region] = &[
    region_of("br-gru", "Sao Paulo, BR", "br", [true, true]),
    region_of("de-fra-2", "Frankfurt 2, DE", "de", [true, true]),
    region_of("es-mad", "Madrid, ES", "es", [false, true]),
    region_of("eu-central", "Frankfurt, DE", "de", [false, false]),
    region_of("eu-west", "London, UK", "gb", [false, false]),
    region_of("fr-par", "Paris, FR", "fr", [true, true]),
    region_of("gb-lon", "London 2, UK", "gb", [true, true]),
    region_of("id-cgk", "Jakarta, ID", "id", [true, true]),
    region_of("it-mil", "Milan, IT", "it", [false, true]),
    region_of("nl-ams", "Amsterdam, NL", "nl", [false, true]),
    region_of("no-osl-1", "Oslo, NO", "no", [true, true]),
    region_of("se-sto", "Stockholm, SE", "se", [false, true]),
    region_of("us-east", "Newark, NJ", "us", [true, false]),
    region_of("us-iad", "Washington, DC", "us", [true, true]),
    region_of("us-lax", "Los Angeles, CA", "us", [true, true]),
    region_of("us-mia", "Miami, FL", "us", [true, true]),
    region_of("us-ord", "Chicago, IL", "us", [true, true]),
    region_of("us-sea", "Seattle, WA", "us", [true, true]),
    region_of("us-southeast", "Atlanta, GA", "us", [true, false]),
];
/// What all of them have. What they have beyond it (Kubernetes, databases, GPUs, interfaces of the
/// second generation) the emulator has not, and so does not list.
const CAPABILITIES: &[&str] = &[
    "Linodes",
    "Block Storage Encryption",
    "Disk Encryption",
    "Backups",
    "NodeBalancers",
    "Block Storage",
    "Cloud Firewall",
    "Vlans",
    "Metadata",
    "Placement Group",
    "Maintenance Policy",
];
/// Machines of one placement group.
pub(crate) const PLACEMENT_MEMBERS: usize = 5;

pub(crate) fn region(id: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.id == id)
}

pub(crate) fn all() -> impl Iterator<Item = Value> {
    REGIONS.iter().map(Region::to_json)
}

pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|region| region.id)
}

pub(crate) fn object_storage_regions() -> impl Iterator<Item = &'static Region> {
    REGIONS.iter().filter(|region| region.object_storage)
}

/// Every type is there in every region.
pub(crate) fn availability() -> impl Iterator<Item = Value> {
    ids().flat_map(|region| {
        types::ids().map(move |plan| json!({"region": region, "plan": plan, "available": true}))
    })
}

impl Region {
    pub(crate) fn to_json(&self) -> Value {
        let more = [(self.object_storage, "Object Storage"), (self.vpcs, "VPCs")];
        let more = more.into_iter().filter(|(has, _)| *has).map(|(_, name)| name);
        let capabilities: Vec<&str> = CAPABILITIES.iter().copied().chain(more).collect();
        json!({
            "id": self.id,
            "label": self.label,
            "country": self.country,
            "capabilities": capabilities,
            "monitors": {"alerts": [], "metrics": []},
            "status": "ok",
            "site_type": "core",
            "resolvers": {"ipv4": "", "ipv6": ""},
            "placement_group_limits": {
                "maximum_pgs_per_customer": null,
                "maximum_linodes_per_pg": PLACEMENT_MEMBERS,
                "maximum_linodes_per_flexible_pg": PLACEMENT_MEMBERS,
            },
        })
    }

    /// Also the name of the cluster that came before regions.
    pub(crate) fn cluster(&self) -> String {
        format!("{}-1", self.id)
    }

    pub(crate) fn s3_endpoint(&self) -> String {
        format!("{}.linodeobjects.com", self.cluster())
    }
}
