//! Addresses: each group has a range of its own, so that growing one moves no other machine.

use super::Network;
use crate::model::Group;
use std::net::Ipv4Addr;

/// Last octet of the address that moves between two balancers.
pub const FLOATING: u8 = 200;

/// First and last octet of a group's machines.
#[must_use]
pub const fn address_range(group: Group) -> (u8, u8) {
    match group {
        Group::App => (10, 39),
        Group::Mariadb => (40, 59),
        Group::Redis => (60, 79),
        Group::Rabbitmq => (80, 99),
        Group::Balancer => (100, 109),
        Group::Ops => (110, 119),
    }
}

/// Address of the machine `index` (from 1) of a group; beyond the range it is the last one, which
/// the caller has ruled out.
pub(super) fn of(network: Network, group: Group, index: u32) -> Ipv4Addr {
    let (first, last) = address_range(group);
    let offset = u8::try_from(index.saturating_sub(1)).unwrap_or(u8::MAX);
    network.host(first.saturating_add(offset).min(last))
}
