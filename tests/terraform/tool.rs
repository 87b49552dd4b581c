//! Terraform or OpenTofu without a network: a filesystem mirror that has one provider, the one that
//! serves the official schema, or the official one.

use andamio_testkit::{Ended, command, run};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(300);
/// Nobody has its private part.
const KEYS: &str =
    "[\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA test\"]";

/// A port of loopback where nobody listens.
pub(crate) fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) struct Tool {
    name: &'static str,
    config: PathBuf,
}

impl Tool {
    /// Builds the provider and puts it where the tool looks for it.
    pub(crate) fn new(name: &'static str) -> Self {
        let (tool, file) = Self::mirror(name, "mirror");
        let mut build = Command::new("go");
        build.current_dir(run::checkout().join("tests/terraform/provider"));
        build.args(["build", "-trimpath", "-o"]).arg(file);
        build.arg(".").env("CGO_ENABLED", "0").env("GOFLAGS", "-mod=readonly");
        drop(command::run(build, Duration::from_secs(590)).expect(0));
        tool
    }

    /// With the provider that the tool finds by itself, or with that file.
    pub(crate) fn official(name: &'static str, provider: Option<&Path>) -> Self {
        let (tool, file) = Self::mirror(name, "official");
        match provider {
            Some(provider) => drop(fs::copy(provider, file).unwrap()),
            None => fs::write(&tool.config, "").unwrap(),
        }
        tool
    }

    /// A filesystem mirror, and the file that is to be the provider in it.
    fn mirror(name: &'static str, what: &str) -> (Self, PathBuf) {
        let folder = run::folder().join(format!("{name}-{what}"));
        // Where each looks a provider up that names no host.
        let domain = if name == "tofu" { "opentofu.org" } else { "terraform.io" };
        let host = format!("registry.{domain}");
        let place = folder.join(host).join("linode/linode/3.13.0/linux_amd64");
        fs::create_dir_all(&place).unwrap();
        let config = folder.join("config.tfrc");
        let mirror = folder.display();
        let text = format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = \"{mirror}\"\n  }}\n}}\n"
        );
        fs::write(&config, text).unwrap();
        (Self { name, config }, place.join("terraform-provider-linode_v3.13.0"))
    }

    pub(crate) fn run(&self, folder: &Path, arguments: &[&str]) -> Ended {
        self.run_with(folder, arguments, &[])
    }

    pub(crate) fn run_with(
        &self,
        folder: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Ended {
        let mut command = Command::new(self.name);
        command.current_dir(folder).args(arguments);
        // Nothing of a user's own may come in: no token, no other state.
        for (name, _) in std::env::vars() {
            if ["TF_", "LINODE_", "AWS_"].iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command.env("TF_CLI_CONFIG_FILE", &self.config).env("CHECKPOINT_DISABLE", "1");
        command.env("TF_VAR_authorized_keys", KEYS).env("TF_IN_AUTOMATION", "1");
        command.envs(variables.iter().copied());
        command::run(command, DEADLINE)
    }

    /// With the state in the copy's own folder.
    pub(crate) fn init(&self, tree: &Tree, env: &str) -> Ended {
        let folder = tree.environment(env);
        let text = "terraform {\n  backend \"local\" {}\n}\n";
        fs::write(folder.join("backend_override.tf"), text).unwrap();
        self.run(&folder, &["init", "-no-color", "-input=false"])
    }

    pub(crate) fn plan(&self, tree: &Tree, env: &str, variables: &[&str]) -> Value {
        self.plan_with(tree, env, variables, &[])
    }

    /// What would be made, as JSON.
    pub(crate) fn plan_with(
        &self,
        tree: &Tree,
        env: &str,
        variables: &[&str],
        environment: &[(&str, &str)],
    ) -> Value {
        let ended = self.planned(tree, env, variables, environment);
        drop(ended.expect(0));
        let shown = self.run(&tree.environment(env), &["show", "-json", "plan"]).expect(0);
        serde_json::from_str(&shown.stdout).unwrap()
    }

    pub(crate) fn try_plan(&self, tree: &Tree, env: &str, variables: &[&str]) -> Ended {
        self.planned(tree, env, variables, &[])
    }

    fn planned(
        &self,
        tree: &Tree,
        env: &str,
        variables: &[&str],
        environment: &[(&str, &str)],
    ) -> Ended {
        let variables: Vec<String> = variables.iter().map(|v| format!("-var={v}")).collect();
        let mut arguments = vec!["plan", "-no-color", "-input=false", "-lock=false", "-out=plan"];
        arguments.extend(variables.iter().map(String::as_str));
        self.run_with(&tree.environment(env), &arguments, environment)
    }
}

/// The checkout's tree, to be broken.
pub(crate) struct Tree(PathBuf);

impl Tree {
    pub(crate) fn copy() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = run::folder().join(format!("tree-{number}"));
        copy(&run::checkout().join("terraform"), &folder);
        Self(folder)
    }

    pub(crate) fn environment(&self, env: &str) -> PathBuf {
        self.0.join("environments").join(env)
    }

    pub(crate) fn replace(&self, file: &str, from: &str, to: &str) {
        let path = self.0.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no `{from}`");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if !run::keep() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// All but what somebody's own runs left there.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (name, target) = (entry.file_name(), to.join(entry.file_name()));
        let own = name.to_string_lossy();
        if own.starts_with(".terraform")
            || own.contains(".tfstate")
            || own.ends_with("_override.tf")
        {
            continue;
        }
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(crate) fn checkov(root: &Path) -> Value {
    let mut command = Command::new("checkov");
    command.args([
        "--framework",
        "terraform",
        "--skip-download",
        "--output",
        "json",
        "--directory",
    ]);
    command.arg(root).env("LOG_LEVEL", "ERROR").env("BC_SKIP_MAPPING", "TRUE");
    let ended = command::run(command, DEADLINE);
    serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {ended}"))
}
