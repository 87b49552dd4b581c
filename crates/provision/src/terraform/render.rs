//! The text, as `terraform fmt` would leave it.

use super::network;
use andamio_spec::price::{Bought, CostError, MACHINE_TYPES, bought};
use andamio_spec::topology::{self, Flow, Peer, Protocol, Role};
use andamio_spec::{Environment, Group, Place, Spec, Tls, Topology, TopologyError, counts};
use std::collections::{BTreeMap, BTreeSet};

/// A volume is called PROJECT-ENVIRONMENT-GROUP-N, in the 32 characters that Linode gives it.
const LONGEST_NAMES: usize = 20;
const DAY_S: u64 = 86_400;

#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("no environment `{0}`")]
    UnknownEnvironment(String),
    #[error("`{0}` is not a place of kind linode")]
    NotLinode(String),
    #[error("`{project}` and `{env}` have more than 20 characters together")]
    Names { project: String, env: String },
    #[error(transparent)]
    Topology(#[from] TopologyError),
    #[error(transparent)]
    Cost(#[from] CostError),
}

impl RenderError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::UnknownEnvironment(_) => "`andamio check` lists the environments",
            Self::NotLinode(_) => "Terraform makes machines at a place of kind linode",
            Self::Names { .. } => "shorten one: names of volumes at Linode are made of both",
            Self::Topology(error) => error.help(),
            Self::Cost(_) => "declare a smaller size or disk; see `andamio check`",
        }
    }
}

/// The `terraform.tfvars` of an environment at a place of kind linode.
///
/// # Errors
/// A name is unknown or too long, or no machine is sold in a size.
pub fn render(spec: &Spec, env: &str, place: &str) -> Result<String, RenderError> {
    let environment = spec
        .environments
        .iter()
        .find(|known| known.name == env)
        .ok_or_else(|| RenderError::UnknownEnvironment(env.to_owned()))?;
    let Some(Place::Linode { region, .. }) = spec.places.get(place) else {
        return Err(RenderError::NotLinode(place.to_owned()));
    };
    let project = &spec.project.name;
    if project.len() + env.len() > LONGEST_NAMES {
        return Err(RenderError::Names { project: project.clone(), env: env.to_owned() });
    }
    let topology = topology::compute(spec, env, place, network(project, env))?;
    let groups = bought(environment, &counts(environment), MACHINE_TYPES)?;
    let days = spec.backup.keep_s.div_ceil(DAY_S);
    let values = [
        ("project", text(project)),
        ("environment", text(env)),
        ("region", text(region)),
        ("storage_region", text(storage_region(region))),
        ("network", text(&topology.network.to_string())),
        ("bastion", text(bastion(&topology))),
        ("entry_ports", format!("[{}]", words(entry_ports(&topology)))),
        ("issuer", text(issuer(&environment.tls))),
        ("backup_days", days.to_string()),
        ("machine_limit", machine_limit(environment)),
    ];
    let mut out = header(env, place);
    let widest = values.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in values {
        out.push_str(&format!("{name:widest$} = {value}\n"));
    }
    out.push_str("\ngroups = {\n");
    for one in &groups {
        out.push_str(&group(environment, one));
    }
    out.push_str("}\n\nflows = [\n");
    for ((to, from, protocol), ports) in flows(&topology) {
        out.push_str(&format!(
            "  {{ from = {}, to = {}, protocol = {}, ports = {} }},\n",
            text(&from),
            text(&to),
            text(protocol),
            text(&words(ports).replace(' ', ""))
        ));
    }
    out.push_str("]\n");
    Ok(out)
}

fn header(env: &str, place: &str) -> String {
    format!(
        "# Rendered from andamio.toml, the only source. `andamio plan {env} --on {place}` shows what would\n\
         # change here, and with --render it writes this file: changes that were made by hand are lost then.\n\n"
    )
}

/// Object Storage is not in every region; Madrid's nearest is Paris (Linode's region list, 2026-07).
fn storage_region(region: &str) -> &str {
    match region {
        "es-mad" => "fr-par",
        other => other,
    }
}

/// The machine with the ops roles; it is not in the path of a request.
fn bastion(topology: &Topology) -> &str {
    let first = topology.machines.first();
    topology.with_role(Role::Ops).next().or(first).map_or("", |machine| &machine.name)
}

/// What the NodeBalancer takes from the world for the balancers; nothing where there are none.
fn entry_ports(topology: &Topology) -> BTreeSet<u16> {
    let to_balancer = |flow: &&Flow| {
        flow.from == Peer::World
            && topology.machine(&flow.to).is_some_and(|m| m.group == Group::Balancer)
    };
    topology.flows.iter().filter(to_balancer).map(|flow| flow.port).collect()
}

/// Who alone may issue certificates, for the domain's CAA record.
fn issuer(tls: &Tls) -> &'static str {
    match tls {
        Tls::Acme { directory, .. } if directory.contains(".letsencrypt.org/") => "letsencrypt.org",
        _ => "",
    }
}

fn machine_limit(env: &Environment) -> String {
    env.limits.machines.map_or_else(|| "null".to_owned(), |limit| limit.to_string())
}

fn group(env: &Environment, one: &Bought) -> String {
    let (max, layout) =
        env.groups.get(&one.group).map_or((one.count, ""), |g| (g.max, g.layout.as_str()));
    let (first, _) = topology::address_range(one.group);
    format!(
        "  {} = {{\n    machines   = {}\n    max        = {max}\n    type       = {}\n    \
         first_host = {first}\n    layout     = {}\n    volume_gb  = {}\n    backups    = {}\n  }}\n",
        one.group,
        one.count,
        text(&one.machine.id),
        text(layout),
        one.volume_gb,
        one.backups
    )
}

/// To, from and protocol of groups, with the ports.
type Flows = BTreeMap<(String, String, &'static str), BTreeSet<u16>>;

/// The table of flows by group: machines of a group differ only in their number. VRRP is not in it: the
/// NodeBalancer stands before both balancers, and no address has to move.
fn flows(topology: &Topology) -> Flows {
    let group = |name: &str| topology.machine(name).map(|machine| machine.group.to_string());
    let mut flows = Flows::new();
    for flow in &topology.flows {
        let protocol = match flow.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Vrrp => continue,
        };
        let from = match &flow.from {
            Peer::Operator => Some("operator".to_owned()),
            Peer::World => Some("world".to_owned()),
            Peer::Machine(name) => group(name),
        };
        if let (Some(from), Some(to)) = (from, group(&flow.to)) {
            flows.entry((to, from, protocol)).or_default().insert(flow.port);
        }
    }
    flows
}

fn words(numbers: impl IntoIterator<Item = u16>) -> String {
    numbers.into_iter().map(|number| number.to_string()).collect::<Vec<_>>().join(", ")
}

/// A quoted string. Names hold none of what has to be escaped, `${` least of all.
fn text(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${");
    format!("\"{}\"", escaped.replace("%{", "%%{"))
}
