//! The instance's bridge, its /24, and its way to the rest of the world.

mod claim;
mod docker;
mod policy;
pub(super) mod routes;
mod rules;
mod settings;

pub use claim::allocate;

use super::resolver::{self, Resolver};
use super::{Local, LocalError, disk, list, tool};
use claim::OWNER;
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

impl Local {
    /// Is the bridge there?
    #[must_use]
    pub fn network_is_up(&self) -> bool {
        Path::new("/sys/class/net").join(self.bridge()).join("bridge").exists()
    }

    /// What of the host's side of the network is not as machines need it, a line each; empty when nothing
    /// is. Reads only.
    pub async fn network_differs(&self) -> Vec<String> {
        if !self.network_is_up() {
            return vec![format!("there is no bridge {}", self.bridge())];
        }
        let mut differs = settings::differ();
        let loose = self.loose();
        if !loose.is_empty() {
            differs.push(format!("{} of machines are not at the bridge", loose.join(", ")));
        }
        let (rules, docker, stray) =
            tokio::join!(self.rules_differ(), self.docker_differs(), self.stray());
        differs.extend(rules);
        differs.extend(docker);
        differs.extend(stray.map(|stray| stray.to_string()));
        differs
    }

    /// Bridge, address, forwarding, address translation, and a way past what this host has of its own.
    /// Safe to repeat.
    ///
    /// # Errors
    /// When `ip` or `nft` refuse, or the machines' addresses lead elsewhere.
    pub async fn network_up(&self) -> Result<(), LocalError> {
        let bridge = self.bridge();
        if !self.network_is_up() {
            if Path::new("/sys/class/net").join(&bridge).exists() {
                return Err(LocalError::InterfaceTaken { interface: bridge });
            }
            let batch = format!(
                "link add name {bridge} type bridge\naddress add {}/24 dev {bridge}\nlink set {bridge} up\n",
                self.network.gateway()
            );
            feed("ip", &["-batch", "-"], &batch).await?;
        }
        for cable in self.loose() {
            // One that ends with its machine meanwhile is not needed.
            let _ = feed("ip", &["link", "set", &cable, "up", "master", &bridge], "").await;
        }
        self.set()?;
        self.rules_up().await?;
        self.docker_up().await?;
        self.straighten().await
    }

    /// Cables of machines that no bridge has: somebody removed it under them.
    fn loose(&self) -> Vec<String> {
        let interfaces = Path::new("/sys/class/net");
        let ours = |name: &String| name.starts_with(&format!("vb-{}", self.id));
        let loose = |name: &String| !interfaces.join(name).join("brport").exists();
        list(interfaces).into_iter().filter(|name| ours(name) && loose(name)).collect()
    }

    pub(super) async fn network_down(&self) -> Result<(), LocalError> {
        let bridge = self.bridge();
        for port in list(&Path::new("/sys/class/net").join(&bridge).join("brif")) {
            // A port can vanish with its machine between the look and the deletion.
            let _ = feed("ip", &["link", "del", &port], "").await;
        }
        if self.network_is_up() {
            feed("ip", &["link", "del", &bridge], "").await?;
        }
        self.rules_down().await?;
        self.docker_down().await;
        self.unstraighten().await;
        self.forget_network()?;
        self.unset();
        Ok(())
    }

    /// Gives the claim back when nothing was made with it: a run that was refused leaves nothing.
    pub fn abandon(&self) {
        let machines = list(&self.instance_folder().join("machines"));
        if machines.is_empty() && !self.network_is_up() {
            let _ = self.forget_network();
            let _ = disk::remove(&self.instance_folder());
            self.remove_empty_folders();
        }
    }

    /// Name servers for this instance's machines, from what this host uses now.
    #[must_use]
    pub fn resolver(&self) -> Resolver {
        resolver::of_host(self.network.gateway())
    }

    fn forget_network(&self) -> Result<(), LocalError> {
        let networks = self.roots.data.join("networks");
        for name in list(&networks) {
            let place = networks.join(&name);
            if fs::read_to_string(place.join(OWNER)).is_ok_and(|o| o == self.id) {
                disk::remove(&place)?;
            }
        }
        Ok(())
    }
}

/// Runs a tool with the given input; its complaint is the error.
pub(super) async fn feed(program: &str, arguments: &[&str], input: &str) -> Result<(), LocalError> {
    let output = run(program, arguments, input).await?;
    succeeded(program, output).map(drop)
}

/// What a tool prints.
pub(super) async fn ask(program: &str, arguments: &[&str]) -> Result<String, LocalError> {
    let output = run(program, arguments, "").await?;
    succeeded(program, output)
}

pub(super) async fn run(
    program: &str,
    arguments: &[&str],
    input: &str,
) -> Result<Output, LocalError> {
    let spawn = |source| LocalError::Spawn { program: program.to_owned(), source };
    let mut child = Command::new(tool::find(program))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(spawn)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A tool that ended early says why on its error output.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    child.wait_with_output().await.map_err(spawn)
}

fn succeeded(program: &str, output: Output) -> Result<String, LocalError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(LocalError::Tool { program: program.to_owned(), output: said })
}
