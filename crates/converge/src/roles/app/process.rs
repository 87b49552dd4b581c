//! A process of the application as a Quadlet: podman makes a systemd unit of it.

use super::{ENV_FILE, USER, environment, host_path};
use crate::context::RoleContext;
use crate::error::Error;
use crate::inputs::Release;
use crate::render::render;
use crate::tls;
use andamio_manifest::AUTHORITY;
use andamio_spec::Spec;
use andamio_spec::model::Process;
use minijinja::{Value, context};

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
    let volumes: Vec<Value> = spec
        .app
        .files
        .iter()
        .map(|path| context! { host => quoted(&host_path(path)), path => quoted(path) })
        .collect();
    let secrets: Vec<String> =
        environment::stored(cx.inputs).keys().map(|name| environment::reference(name)).collect();
    let (program, arguments) = match process.command.split_first() {
        Some((program, arguments)) => (Some(quoted(program)), arguments),
        None => (None, &[][..]),
    };
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
            arguments => arguments.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
            port => process.port,
            user => USER,
            env_file => ENV_FILE,
            secrets,
            authority => tls::is_there(cx.inputs).then_some(AUTHORITY),
            volumes,
            // One process that grows without end must not take the machine with it.
            memory_mib => cx.memory_mib(75),
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
