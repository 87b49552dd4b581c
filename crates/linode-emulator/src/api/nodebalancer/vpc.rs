//! Where a NodeBalancer reaches into a VPC: a range of a subnet for each.

use super::body_of;
use crate::api::vpc::range::Range;
use crate::check::{Field, Given, Rule, create, field};
use crate::error::Errors;
use crate::store::{Body, Kind, Record, State, Tx};
use serde_json::{Value, json};

const VPC: &[Field] = &[
    field("subnet_id", Rule::Integer(1, i64::MAX)).required(),
    field("ipv4_range", Rule::Text(0, 32)),
    field("ipv4_range_auto_assign", Rule::Boolean),
];
/// Four addresses.
const PREFIX: u8 = 30;

pub(super) fn attach(tx: &mut Tx<'_>, balancer: &Record, list: &[Value]) -> Result<(), Errors> {
    for (number, wanted) in list.iter().enumerate() {
        let at = format!("vpcs[{number}].");
        let wanted = wanted.as_object().cloned().unwrap_or_default();
        let given = create(VPC, &wanted).map_err(|errors| errors.within(&at))?;
        let id = given.number("subnet_id").unwrap_or_default();
        let subnet = tx.all(Kind::Subnet).find(|s| s.id == id).cloned();
        let field = format!("{at}subnet_id");
        let subnet = subnet.ok_or_else(|| Errors::field(&field, "subnet_id is not valid"))?;
        let vpc = tx.get(Kind::Vpc, 0, subnet.parent);
        if vpc.is_some_and(|vpc| vpc.text("region") != balancer.text("region")) {
            return Err(Errors::field(&field, "The VPC must be in the NodeBalancer's region"));
        }
        let range = range(tx, &subnet, given.text("ipv4_range"), &format!("{at}ipv4_range"))?;
        let body = body_of([
            ("nodebalancer_id", balancer.id.into()),
            ("vpc_id", subnet.parent.into()),
            ("subnet_id", subnet.id.into()),
            ("ipv4_range", range.into()),
        ]);
        tx.insert(Kind::NodeBalancerVpc, balancer.id, body, Body::new());
    }
    Ok(())
}

/// The range that is asked for, or the first four addresses that no other NodeBalancer has.
fn range(
    state: &State,
    subnet: &Record,
    wanted: Option<&str>,
    field: &str,
) -> Result<String, Errors> {
    let whole: Range = subnet.text("ipv4").parse().map_err(|()| Errors::not_found())?;
    let of_it = state.all(Kind::NodeBalancerVpc).filter(|v| v.number("subnet_id") == subnet.id);
    let taken: Vec<Range> = of_it.filter_map(|v| v.text("ipv4_range").parse().ok()).collect();
    let free = |range: &Range| !taken.iter().any(|other| other.overlaps(*range));
    if let Some(text) = wanted.filter(|text| !text.is_empty()) {
        let range =
            text.parse::<Range>().ok().filter(|r| r.overlaps(whole) && r.prefix() <= PREFIX);
        return match range.filter(|range| free(range)) {
            Some(_) => Ok(text.to_owned()),
            None => {
                let reason =
                    format!("Must be a free /{PREFIX} or larger range of {}", subnet.text("ipv4"));
                Err(Errors::field(field, reason))
            }
        };
    }
    let starts = whole.usable().filter(|a| a.to_bits() % 4 == 0);
    let mut ranges = starts.map(|a| format!("{a}/{PREFIX}"));
    let found = ranges.find(|text| text.parse::<Range>().is_ok_and(|range| free(&range)));
    found.ok_or_else(|| Errors::field(field, "The subnet has no free range"))
}

/// As a subnet shows them.
pub(crate) fn in_subnet(state: &State, subnet: u64) -> Value {
    let of_it = state.all(Kind::NodeBalancerVpc).filter(|v| v.number("subnet_id") == subnet);
    let each = of_it.map(|v| {
        json!({"id": v.number("nodebalancer_id"), "ipv4_range": v.text("ipv4_range"), "ipv6_ranges": []})
    });
    each.collect()
}
