//! A container of the application: what it is given, as arguments of podman and as keys of a Quadlet alike.

use super::environment;
use crate::error::Error;
use crate::inputs::Inputs;
use crate::machine::{Resources, secret_file};
use crate::tls;
use andamio_manifest::{AUTHORITY, File, Text};
use andamio_spec::{Container, Process};
use std::collections::BTreeMap;

/// Variables and secret files of processes: nobody but root gets into it.
pub(super) const FOLDER: &str = "/etc/andamio/processes";
/// Kept folders of the application, below the paths that they have in containers.
pub(super) const FILES: &str = "/var/lib/andamio/files";

/// Whose container it is; `None`: a command's, where there is no process.
#[derive(Clone, Copy)]
pub(super) struct Whose<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) process: Option<&'a str>,
}

/// Host side and container side of a mount, and whether it cannot be written to.
pub(super) struct Mount {
    pub(super) host: String,
    pub(super) path: String,
    pub(super) read_only: bool,
}

impl<'a> Whose<'a> {
    pub(super) fn of(&self) -> Option<&'a Process> {
        self.inputs.spec.app.processes.get(self.process?)
    }

    fn name(&self) -> &'a str {
        // No process can be called so.
        self.process.unwrap_or("0")
    }

    /// The file with the variables that a line can carry.
    pub(super) fn env_file(&self) -> String {
        format!("{FOLDER}/{}.env", self.name())
    }

    fn dotenv_file(&self) -> String {
        format!("{FOLDER}/{}.dotenv", self.name())
    }

    fn secret_file(&self, secret: &str) -> String {
        format!("{FOLDER}/{}.secret.{secret}", self.name())
    }

    /// What the names of its values in podman's store begin with. No process has a dot in its name.
    pub(super) fn stored_prefix(&self) -> String {
        format!("{}{}.", environment::STORED, self.name())
    }

    /// What it is not given by its files of variables: by name in podman's store, name as it knows it, value.
    pub(super) fn stored(&self) -> Result<BTreeMap<String, (String, String)>, Error> {
        let variables = environment::app_environment(self.inputs, self.process)?;
        let prefix = self.stored_prefix();
        let stored = environment::stored(variables).into_iter();
        Ok(stored
            .map(|(name, value)| (format!("{prefix}{}", stored_name(&name)), (name, value)))
            .collect())
    }

    /// The files that it reads. Their mode lets any user of a container read what is mounted there; on the machine
    /// nobody but root gets to them.
    pub(super) fn add_files(&self, out: &mut Resources) -> Result<Vec<String>, Error> {
        let Self { inputs, process } = self;
        let variables = environment::app_environment(inputs, *process)?;
        let lines = environment::lines(&variables);
        let root = ("root", "root");
        let mut ids = vec![out.file(secret_file(&self.env_file(), lines, root, 0o600))];
        if inputs.spec.app.env_file.is_some() {
            let text = environment::dotenv(&environment::own_variables(inputs, *process)?);
            ids.push(out.file(secret_file(&self.dotenv_file(), text, root, 0o444)));
        }
        for secret in environment::secrets(inputs, *process) {
            if secret.file.is_some() {
                let path = self.secret_file(&secret.name);
                let content =
                    Text { text: inputs.secret(&secret.name).to_owned(), sensitive: true };
                let file = File { content: Some(content), ..secret_file(&path, "", root, 0o444) };
                ids.push(out.file(file));
            }
        }
        Ok(ids)
    }

    /// What it has of the machine's files.
    pub(super) fn mounts(&self) -> Vec<Mount> {
        let read_only =
            |host: String, path: &str| Mount { host, path: path.to_owned(), read_only: true };
        let mut mounts = Vec::new();
        if tls::is_there(self.inputs) {
            mounts.push(read_only(AUTHORITY.to_owned(), AUTHORITY));
        }
        if let Some(path) = &self.inputs.spec.app.env_file {
            mounts.push(read_only(self.dotenv_file(), path));
        }
        for secret in environment::secrets(self.inputs, self.process) {
            if let Some(path) = &secret.file {
                mounts.push(read_only(self.secret_file(&secret.name), path));
            }
        }
        for path in self.files() {
            mounts.push(Mount { host: host_path(path), path: path.clone(), read_only: false });
        }
        mounts
    }

    fn files(&self) -> Vec<&'a String> {
        let of_process = self.of().map(|process| &process.files);
        self.inputs.spec.app.files.iter().chain(of_process.into_iter().flatten()).collect()
    }

    /// What it may do.
    pub(super) fn options(&self) -> Vec<String> {
        let container = self.of().map(|process| process.container.clone()).unwrap_or_default();
        options(&container)
    }
}

/// Options of `podman run`, for a unit and a command alike.
fn options(container: &Container) -> Vec<String> {
    let mut all = vec![
        "--security-opt=no-new-privileges".to_owned(),
        // Readiness is asked from outside; podman would make a timer of the image's own check.
        "--no-healthcheck".to_owned(),
    ];
    if let Some(user) = &container.user {
        all.push(format!("--user={user}"));
    }
    if !container.writable {
        all.push("--read-only".to_owned());
    }
    if let Some(capabilities) = &container.capabilities {
        all.push("--cap-drop=all".to_owned());
        all.extend(capabilities.iter().map(|name| format!("--cap-add={name}")));
    }
    all.extend(container.tmpfs.iter().map(|path| format!("--tmpfs={path}")));
    all.extend(container.sysctls.iter().map(|(key, value)| format!("--sysctl={key}={value}")));
    if let Some(bytes) = container.shm_bytes {
        all.push(format!("--shm-size={bytes}b"));
    }
    if let Some(path) = &container.workdir {
        all.push(format!("--workdir={path}"));
    }
    if let Some(signal) = &container.stop_signal {
        all.push(format!("--stop-signal={signal}"));
    }
    all
}

/// The store has letters, digits and few more in its names.
fn stored_name(name: &str) -> String {
    let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_plain { name.to_owned() } else { format!("x-{}", hex::encode(name)) }
}

/// Host side of a kept path.
pub(super) fn host_path(path: &str) -> String {
    format!("{FILES}{path}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_in_the_store_are_plain() {
        assert_eq!(super::stored_name("A_b"), "A_b");
        assert_eq!(super::stored_name("a b"), "x-612062");
    }
}
