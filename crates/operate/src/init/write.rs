//! The text of a new andamio.toml.

use super::repository::{Found, Process};
use crate::key::Member;
use andamio_converge::{Turn, table};
use andamio_spec::Group;
use std::fmt::Write;

pub(super) fn render(found: &Found, team: &[Member]) -> String {
    let mut out = String::new();
    let _ = write_all(&mut out, found, team);
    out
}

fn write_all(out: &mut String, found: &Found, team: &[Member]) -> std::fmt::Result {
    out.push_str(
        "# What exists, where, and how large. Everything left out has a default:\n\
         # `andamio check --explain` shows them all, with reasons.\n\n[project]\n",
    );
    writeln!(out, "name = {}", quoted(&found.name))?;
    out.push_str("currency = \"EUR\"\n# Who can read secrets; `andamio key add` and `key remove` edit this and encrypt anew.\nteam = [\n");
    for Member { key, name } in team {
        writeln!(out, "    {}, # {name}", quoted(key))?;
    }
    out.push_str("]\n\n[app]\n");
    let source = found.source.as_deref().unwrap_or(".");
    writeln!(out, "source = {:24} # the folder with the Containerfile", quoted(source))?;
    out.push_str(
        "# domain = \"example.org\"         # what people type; needed for certificates\n",
    );
    match &found.ready {
        Some(path) => writeln!(out, "ready = {:25} # answers 2xx when a process can serve", quoted(path))?,
        None => out.push_str(
            "# Nothing here names a path that answers 2xx when a process can serve; best is one of its own.\nready = \"/\"\n",
        ),
    }
    if found.prepare.is_empty() {
        out.push_str("# prepare = [\"make\"]             # runs here, before the image is built\n");
    } else {
        writeln!(out, "prepare = {}", list(&found.prepare))?;
    }
    out.push_str("# migrate = [\"app\", \"migrate\"]   # called with up, down or status\n");
    out.push_str("# secrets = [\"SESSION_KEY\"]      # names; values: andamio secret set\n");
    if !found.files.is_empty() {
        writeln!(out, "files = {}", list(&found.files))?;
    }
    out.push_str("\n# Addresses of services arrive as DATABASE_URL, REDIS_URL and AMQP_URL; the port as PORT.\n[app.processes]\n");
    for process in &found.processes {
        write_process(out, process)?;
    }
    if found.processes.is_empty() {
        out.push_str("web = { command = [\"app\"], port = 8080 }\n");
    }
    if !found.processes.iter().any(|p| p.port.is_none()) {
        out.push_str("# worker = { command = [\"app\", \"worker\"] }\n");
    }
    out.push_str("\n# One machine of each on this computer: `andamio up dev`.\n[environments.dev]\napp = { machines = 1 }\n");
    let keeps_data = |group: &Group| table(group.role()).turn == Turn::Data;
    for group in Group::ALL.into_iter().filter(keeps_data) {
        let off = if found.services.contains_key(&group) { "" } else { "# " };
        writeln!(out, "{off}{group} = {{ machines = 1 }}")?;
    }
    out.push_str("\n# An environment that survives the loss of any machine. `andamio up prod --on local` rehearses it here.\n");
    out.push_str("# [environments.prod]\n# app = { machines = 3 }\n");
    for group in Group::ALL.iter().filter(|g| keeps_data(g) && found.services.contains_key(g)) {
        writeln!(out, "# {group} = {{ machines = 3 }}")?;
    }
    out.push_str("# balancer = { machines = 2 }\n# ops = { machines = 1 }\n# tls = \"test\"\n# window = \"02:00..04:00 UTC\"       # when maintenance may interrupt\n");
    Ok(())
}

fn write_process(out: &mut String, process: &Process) -> std::fmt::Result {
    let port = process.port.map(|port| format!(", port = {port}")).unwrap_or_default();
    writeln!(out, "{} = {{ command = {}{port} }}", process.name, list(&process.command))
}

fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}
