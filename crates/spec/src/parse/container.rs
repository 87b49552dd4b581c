//! What a process's container may do and have.

use super::check;
use super::reader::{Field, Reader, Table};
use super::ready::seconds;
use crate::model::Container;
use crate::units::parse_bytes;
use toml::de::DeValue;

pub(super) const KEYS: &[&str] = &[
    "user",
    "writable",
    "tmpfs",
    "capabilities",
    "sysctls",
    "shm",
    "workdir",
    "stop",
    "memory",
    "cpus",
];
/// Of the kernel; the newest of them since 5.9 (capabilities(7)).
const CAPABILITIES: &[&str] = &[
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];
const SIGNALS: &[&str] =
    &["TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "WINCH", "KILL", "ABRT", "ALRM", "CONT", "PWR"];

/// Sets what the table says.
pub(super) fn read_into(reader: &mut Reader<'_>, table: &Table<'_>, into: &mut Container) {
    if let Some(field) = table.get("user") {
        into.user = user(reader, &field).or(into.user.take());
    }
    if let Some(field) = table.get("writable") {
        into.writable = reader.boolean(&field).unwrap_or(into.writable);
    }
    if let Some(field) = table.get("tmpfs") {
        into.tmpfs = paths(reader, &field);
    }
    if let Some(field) = table.get("capabilities") {
        into.capabilities = Some(capabilities(reader, &field));
    }
    if let Some(field) = table.get("sysctls") {
        sysctls(reader, &field, into);
    }
    if let Some(field) = table.get("shm") {
        into.shm_bytes = bytes(reader, &field);
    }
    if let Some(field) = table.get("workdir")
        && let Some(path) = reader.string(&field)
    {
        if let Some(problem) = check::absolute_path_problem(path).filter(|_| path != "/") {
            let help = "write an absolute path in the container, like \"/app\"";
            reader.error("invalid-path", field.at(), format!("`{path}` {problem}"), help);
        }
        into.workdir = Some(path.to_owned());
    }
    if let Some(field) = table.get("stop") {
        stop(reader, &field, into);
    }
    if let Some(field) = table.get("memory") {
        into.memory_bytes = bytes(reader, &field);
    }
    if let Some(field) = table.get("cpus") {
        into.cpu_milli = cpus(reader, &field);
    }
}

fn user(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<String> {
    let user = reader.string(field)?;
    let is_part = |part: &str| {
        !part.is_empty()
            && part.len() <= 32
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
            && !part.starts_with('-')
    };
    if user.split(':').count() > 2 || !user.split(':').all(is_part) {
        let message = format!("`{user}` is not a user");
        let help = "a name or a number, also with a group: \"1000\", \"www-data:www-data\"";
        reader.error("invalid-user", field.at(), message, help);
    }
    Some(user.to_owned())
}

fn paths(reader: &mut Reader<'_>, field: &Field<'_>) -> Vec<String> {
    let mut all = Vec::new();
    for (path, item) in reader.strings(field) {
        if let Some(problem) = check::absolute_path_problem(path) {
            let help = "write an absolute path in the container, like \"/tmp\"";
            reader.error("invalid-path", item.at(), format!("`{path}` {problem}"), help);
        }
        all.push(path.to_owned());
    }
    all
}

fn capabilities(reader: &mut Reader<'_>, field: &Field<'_>) -> Vec<String> {
    let mut all = Vec::new();
    for (name, item) in reader.strings(field) {
        let plain = name.to_ascii_uppercase();
        let plain = plain.strip_prefix("CAP_").unwrap_or(&plain);
        if !CAPABILITIES.contains(&plain) {
            let message = format!("the kernel has no capability `{name}`");
            reader.unknown("unknown-capability", item.at(), &message, plain, CAPABILITIES);
        }
        all.push(plain.to_owned());
    }
    all
}

fn sysctls(reader: &mut Reader<'_>, field: &Field<'_>, into: &mut Container) {
    let Some(table) = reader.table(field, "write { \"kernel.shmmax\" = 68719476736 }") else {
        return;
    };
    for (key, field) in table.fields_in_order() {
        let value = match field.value.as_integer() {
            Some(number) => Some(number.to_string()),
            None => reader.string(&field).map(str::to_owned),
        };
        let plain = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/ ".contains(&b))
        };
        let Some(value) = value else { continue };
        if !plain(key) || !plain(&value) {
            let message = format!("`{key} = {value}` is not a kernel parameter");
            let help = "for example \"kernel.shmmax\" = 68719476736";
            reader.error("invalid-sysctl", field.at(), message, help);
        }
        if key.starts_with("net.") {
            let message =
                format!("`{key}` belongs to the machine's network, which its processes share");
            let help = "leave it out";
            reader.error("invalid-sysctl", field.at_key(), message, help);
        }
        into.sysctls.insert(key.to_owned(), value);
    }
}

fn stop(reader: &mut Reader<'_>, field: &Field<'_>, into: &mut Container) {
    let help = "write { signal = \"QUIT\", grace = \"60s\" }";
    let Some(table) = reader.table(field, help) else { return };
    reader.known(&table, &["signal", "grace"]);
    if let Some(field) = table.get("signal")
        && let Some(signal) = reader.string(&field)
    {
        let plain = signal.strip_prefix("SIG").unwrap_or(signal);
        if !SIGNALS.contains(&plain) {
            let message = format!("there is no signal `{signal}`");
            reader.unknown("unknown-signal", field.at(), &message, plain, SIGNALS);
        }
        into.stop_signal = Some(plain.to_owned());
    }
    if let Some(field) = table.get("grace") {
        into.stop_grace_s = seconds(reader, &field, 1..=3_600).unwrap_or(into.stop_grace_s);
    }
}

/// An amount of memory.
fn bytes(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<u64> {
    let text = reader.string(field)?;
    let found = parse_bytes(text).filter(|bytes| *bytes >= 4_000_000);
    if found.is_none() {
        let message = format!("`{text}` is not an amount of memory of at least 4 MB");
        reader.error("invalid-quantity", field.at(), message, "for example \"512 MB\"");
    }
    found
}

/// Processors, also parts of one; in thousandths.
fn cpus(reader: &mut Reader<'_>, field: &Field<'_>) -> Option<u64> {
    let text = match field.value {
        DeValue::Integer(number) => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => {
            reader.wrong_type(field, "integer", "write a number of processors, for example 0.5");
            return None;
        }
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let milli = format!("{part:0<3}").get(..3).and_then(|part| part.parse::<u64>().ok());
    let whole = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(1000));
    let found = whole.zip(milli).map(|(whole, milli)| whole + milli);
    let found = found.filter(|milli| (10..=64_000).contains(milli));
    if found.is_none() {
        let message = format!("`cpus` is {text}; it can be 0.01 to 64");
        reader.error("out-of-range", field.at(), message, "for example 0.5 or 2");
    }
    found
}
