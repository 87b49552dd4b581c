//! `terraform/environments/ENV/terraform.tfvars`: rendered from andamio.toml, which is the only source,
//! and compared with the file that is there. Pure; who reads and writes the file is above.

mod found;
mod literal;
mod render;
#[cfg(test)]
mod tests;

pub use found::bought;
pub use render::{RenderError, render};

use andamio_spec::topology::Network;
use similar::TextDiff;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// Where the file is, from the folder of andamio.toml.
#[must_use]
pub fn file(env: &str) -> PathBuf {
    PathBuf::from("terraform/environments").join(env).join("terraform.tfvars")
}

/// What rendering would do to the file: hunks from what is there to what would be. Empty: nothing.
#[must_use]
pub fn diff(found: &str, rendered: &str) -> String {
    if found == rendered {
        return String::new();
    }
    TextDiff::from_lines(found, rendered).unified_diff().context_radius(3).to_string()
}

/// The private addresses of an environment: a /24 of 10.128.0.0/10. It follows from the names, so that
/// another environment in the file moves nobody; each has a network of its own, and two that got the
/// same range by chance would not meet.
#[must_use]
pub fn network(project: &str, env: &str) -> Network {
    // FNV-1a: spreads short names over the 64 × 256 ranges.
    let name = project.bytes().chain(*b"/").chain(env.bytes());
    let hash =
        name.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let [_, _, high, low] = (hash ^ (hash >> 16)).to_be_bytes();
    Network { base: Ipv4Addr::new(10, 128 + high % 64, low, 0) }
}
