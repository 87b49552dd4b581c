//! The machine groups of an environment: `app = { machines = 2, size = "2x4" }`.

use super::reader::{Field, Reader, Table};
use crate::defaults;
use crate::model::{Group, GroupSpec, Layout, Size};
use crate::units::{parse_bytes, parse_size};
use std::collections::BTreeMap;

/// A system with a few services needs this much; images and packages alone take two.
const SMALLEST_DISK: u64 = 5_000_000_000;

pub(super) fn read_all(
    reader: &mut Reader<'_>,
    environment: &Table<'_>,
) -> BTreeMap<Group, GroupSpec> {
    // Other groups take their size from the application's.
    let app = environment.get(Group::App.as_str()).and_then(|field| read_app_size(&field));
    let app = app.unwrap_or(defaults::APP_SIZE);
    let mut groups = BTreeMap::new();
    for group in Group::ALL {
        if let Some(field) = environment.get(group.as_str()) {
            let help = format!("write {group} = {{ machines = 1 }}");
            if let Some(table) = reader.table(&field, &help) {
                groups.insert(group, read(reader, group, &table, app));
            }
        }
    }
    groups
}

/// Without findings: the group itself reports them.
fn read_app_size(field: &Field<'_>) -> Option<Size> {
    let size = field.value.as_table()?.get("size")?;
    parse_size(size.get_ref().as_str()?).ok()
}

fn read(reader: &mut Reader<'_>, group: Group, table: &Table<'_>, app: Size) -> GroupSpec {
    reader.known(table, &["machines", "max", "size", "disk", "layout"]);
    let most = defaults::most_machines(group);
    let number = |reader: &mut Reader<'_>, key: &str| {
        let field = table.get(key)?;
        let number = reader.integer(&field, 1..=i64::from(most))?;
        u32::try_from(number).ok()
    };
    let machines = number(reader, "machines").unwrap_or(defaults::MACHINES);
    let max = number(reader, "max").unwrap_or(machines);
    if let Some(field) = table.get("max") {
        check_max(reader, group, &field, machines, max);
    }
    let size = table.get("size").and_then(|field| size(reader, &field));
    let size = size.unwrap_or_else(|| defaults::size(group, app));
    let disk_bytes = table.get("disk").and_then(|field| disk(reader, &field));
    let layout = match table.get("layout") {
        Some(field) => layout(reader, group, &field),
        None => Some(defaults::layout(group, machines)),
    };
    if let Some(layout) = layout
        && let Some((needs, help)) = layout_problem(group, layout, machines)
    {
        let field = table.get("layout").or_else(|| table.get("machines"));
        let at = field.as_ref().map_or_else(|| table.at(), Field::at);
        let message = format!("{group} as {layout} {needs}, not {machines}");
        reader.error("layout-machines", at, message, help);
    }
    GroupSpec {
        machines,
        max,
        size,
        disk_bytes: disk_bytes.unwrap_or_else(|| defaults::disk_bytes(group)),
        layout: layout.unwrap_or_else(|| defaults::layout(group, machines)),
    }
}

fn check_max(reader: &mut Reader<'_>, group: Group, field: &Field<'_>, machines: u32, max: u32) {
    if max < machines {
        let message = format!("`max` is {max}, below the {machines} machines it starts with");
        let help = "raise `max` or lower `machines`";
        reader.error("max-below-machines", field.at(), message, help);
    } else if max > machines && group != Group::App {
        let message = format!("{group} does not grow by itself");
        let help = "leave `max` out; change `machines` and run `andamio up` to grow it";
        reader.error("max-not-scalable", field.at(), message, help);
    }
}

pub(super) fn size(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<Size> {
    let text = reader.string(field)?;
    match parse_size(text) {
        Ok(size) => Some(size),
        Err(problem) => {
            let help = "\"2x4\" is two processors and 4 GB of memory";
            reader.error("invalid-size", field.at(), format!("`{text}` {problem}"), help);
            None
        }
    }
}

fn disk(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<u64> {
    let text = reader.string(field)?;
    let bytes = parse_bytes(text).filter(|bytes| *bytes >= SMALLEST_DISK);
    if bytes.is_none() {
        let message = format!("`{text}` is not a disk");
        let help = "write at least \"5 GB\"";
        reader.error("invalid-quantity", field.at(), message, help);
    }
    bytes
}

fn layout(reader: &mut Reader<'_>, group: Group, field: &Field<'_>) -> Option<Layout> {
    let possible: &[Layout] = match group {
        Group::Mariadb => &[Layout::Single, Layout::Replica, Layout::Galera],
        Group::Redis | Group::Rabbitmq => &[Layout::Single, Layout::Cluster],
        Group::Balancer => &[Layout::Single, Layout::Floating],
        Group::App | Group::Ops => &[Layout::Single],
    };
    let text = reader.string(field)?;
    let found = possible.iter().copied().find(|layout| layout.as_str() == text);
    if found.is_none() {
        let names: Vec<&str> = possible.iter().map(|layout| layout.as_str()).collect();
        let message = format!("{group} has no layout `{text}`");
        reader.unknown("unknown-layout", field.at(), &message, text, &names);
    }
    found
}

/// What a layout needs that this number of machines is not, and what to do.
fn layout_problem(
    group: Group,
    layout: Layout,
    machines: u32,
) -> Option<(&'static str, &'static str)> {
    let clustered = "leave `layout` out, and it follows the number of machines";
    match (group, layout, machines) {
        (Group::Mariadb, Layout::Galera, n) if n < 3 || n % 2 == 0 => Some((
            "needs an odd number of at least three machines",
            "an even number has no majority when it is cut in half; use 3",
        )),
        (Group::Mariadb, Layout::Replica, n) if n != 2 => {
            Some(("needs two machines", "a primary and its replica; three machines are \"galera\""))
        }
        // Balancers each with an address of its own: the domain's name has all of them.
        (Group::App | Group::Ops, ..)
        | (Group::Balancer, Layout::Single, _)
        | (_, Layout::Galera | Layout::Replica, _) => None,
        (_, Layout::Single, n) if n != 1 => Some(("needs one machine", clustered)),
        (_, Layout::Cluster, 1) => Some(("needs at least two machines", clustered)),
        (_, Layout::Floating, n) if n != 2 => {
            Some(("needs two machines", "one address moves between two balancers"))
        }
        _ => None,
    }
}
