//! A process of the application as a Quadlet: podman makes a systemd unit of it.

use super::container::Whose;
use super::environment;
use crate::context::RoleContext;
use crate::error::Error;
use crate::inputs::Release;
use crate::render::render;
use andamio_spec::Spec;
use andamio_spec::model::Process;
use minijinja::context;

/// Name of the unit and of the container, without suffix.
pub(super) fn unit_name(spec: &Spec, process: &str) -> String {
    format!("{}-{process}", spec.project.name)
}

pub(super) fn quadlet(
    cx: &RoleContext<'_>,
    name: &str,
    process: &Process,
    release: &Release,
) -> Result<String, Error> {
    let spec = cx.inputs.spec;
    let whose = Whose { inputs: cx.inputs, process: Some(name) };
    let mounts = whose.mounts();
    let volumes = mounts.iter().map(|mount| {
        let mode = if mount.read_only { ":ro" } else { "" };
        format!("{}:{}{mode}", quoted(&mount.host), quoted(&mount.path))
    });
    let stored = whose.stored()?;
    let secrets = stored.iter().map(|(id, (name, _))| quoted(&environment::reference(id, name)));
    let (program, arguments) = match process.command.split_first() {
        Some((program, arguments)) => (Some(quoted(program)), arguments),
        None => (None, process.arguments.as_slice()),
    };
    let words =
        |words: &[String]| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    // One process that grows without end must not take the machine with it.
    let memory = process.container.memory_bytes.map(|bytes| bytes.to_string());
    render(
        "process.container",
        include_str!("process.container"),
        context! {
            project => spec.project.name,
            env => cx.inputs.topology.env,
            name,
            unit => unit_name(spec, name),
            image => release.image,
            release => release.id,
            program,
            arguments => words(arguments),
            options => words(&whose.options()),
            env_file => whose.env_file(),
            secrets => secrets.collect::<Vec<_>>(),
            volumes => volumes.collect::<Vec<_>>(),
            grace => process.container.stop_grace_s,
            memory => memory.unwrap_or_else(|| format!("{}M", cx.memory_mib(75))),
            cpu => process.container.cpu_milli.map(|milli| milli.div_ceil(10)),
        },
    )
}

/// One word for systemd: quoted where needed, `%` and `$` without their meanings.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '%' | '$' => text.extend([c, c]),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            _ => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_survive_systemd() {
        assert_eq!(quoted("--port=8080"), "--port=8080");
        assert_eq!(quoted(""), "\"\"");
        assert_eq!(quoted("say \"100 %\" for $HOME"), "\"say \\\"100 %%\\\" for $$HOME\"");
    }
}
