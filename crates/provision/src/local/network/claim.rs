//! A /24 for an instance: found, and claimed by a folder.

use super::routes::Taken;
use crate::local::{LocalError, disk, list};
use andamio_spec::topology::Network;
use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

/// Which instance a network belongs to.
pub(super) const OWNER: &str = "owner";

/// A /24 of 198.18.0.0/15 for the instance: the one it has, else the wanted one, else a free one. The
/// range is reserved for benchmarks (RFC 2544), so that no real network is hidden. Without `keep` it
/// only tells which one it would be.
///
/// # Errors
/// When the wanted one is taken, or none is free.
pub fn allocate(
    data: &Path,
    id: &str,
    wanted: Option<Network>,
    keep: bool,
) -> Result<Network, LocalError> {
    let folder = data.join("networks");
    let taken = Taken::read();
    let claim = |network| claim(data, id, network, keep, &taken);
    if let Some(network) = wanted {
        return match claim(network)? {
            None => Ok(network),
            Some(owner) => Err(LocalError::NetworkTaken { network: network.to_string(), owner }),
        };
    }
    for name in list(&folder) {
        let own = fs::read_to_string(folder.join(&name).join(OWNER)).is_ok_and(|o| o == id);
        if let (true, Ok(base)) = (own, name.parse()) {
            return Ok(Network { base });
        }
    }
    let mut owners = BTreeSet::new();
    for number in 1..512_u16 {
        let [high, low] = number.to_be_bytes();
        let network = Network { base: Ipv4Addr::new(198, 18 + high, low, 0) };
        match claim(network)? {
            None => return Ok(network),
            Some(owner) => _ = owners.insert(owner),
        }
    }
    let owners: Vec<String> = owners.into_iter().collect();
    Err(LocalError::NoNetwork { owners: owners.join(", ") })
}

/// Takes a network; `Some(owner)` when another has it.
fn claim(
    data: &Path,
    id: &str,
    network: Network,
    keep: bool,
    taken: &Taken,
) -> Result<Option<String>, LocalError> {
    let folder = data.join("networks");
    let place = folder.join(network.base.to_string());
    let owner_file = place.join(OWNER);
    let bridge = format!("andamio-{id}");
    match taken.by(network, &bridge) {
        None => {}
        Some("*") => return Ok(Some("a route of this host that leads nowhere".to_owned())),
        Some(interface) => return Ok(Some(format!("interface {interface} of this host"))),
    }
    let owner = fs::read_to_string(&owner_file).unwrap_or_default();
    let alive = !owner.is_empty() && data.join("instances").join(&owner).exists();
    if owner != id && alive {
        return Ok(Some(format!("instance {owner}")));
    }
    if !keep {
        return Ok(None);
    }
    disk::make(data, 0o700)?;
    if owner == id {
        return Ok(None);
    }
    // Complete under another name first: of two that want the same network, one rename wins, because
    // a folder that is not empty is never replaced.
    let mine = folder.join(format!("{id}.new"));
    disk::make(&mine, 0o755)?;
    fs::write(mine.join(OWNER), id).map_err(LocalError::io("write", mine.join(OWNER)))?;
    if !owner.is_empty() {
        disk::remove(&place)?;
    }
    if fs::rename(&mine, &place).is_err() {
        disk::remove(&mine)?;
        return Ok(Some("another run".to_owned()));
    }
    // The instance's folder is what keeps the claim alive.
    disk::make(&data.join("instances").join(id), 0o700)?;
    Ok(None)
}
