//! The instance's bridge, its /24, and its way to the package mirror.

use super::{Local, LocalError, disk, list, tool};
use andamio_spec::topology::Network;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// A setting of the host's kernel, and the least that machines need of it.
struct Setting {
    path: &'static str,
    least: u64,
}

const SETTINGS: [Setting; 2] = [
    Setting { path: "/proc/sys/net/ipv4/ip_forward", least: 1 },
    // Root of every machine is root of the host, and all of them share this. A machine takes five to ten;
    // with the kernel's 128 the systemd of the fifteenth ends at once, without a word.
    Setting { path: "/proc/sys/fs/inotify/max_user_instances", least: 8192 },
];
/// Which instance a network belongs to.
const OWNER: &str = "owner";

/// A /24 of 198.18.0.0/15 for the instance: the one it has, else the wanted one, else a free one. The
/// range is reserved for benchmarks (RFC 2544), so that no real network is hidden. Without `keep` it
/// only tells which one it would be.
///
/// # Errors
/// When the wanted one is taken, or none is free.
pub fn allocate(
    data: &Path,
    id: &str,
    wanted: Option<Network>,
    keep: bool,
) -> Result<Network, LocalError> {
    let folder = data.join("networks");
    let claim = |network| claim(data, id, network, keep);
    if let Some(network) = wanted {
        return match claim(network)? {
            None => Ok(network),
            Some(owner) => Err(LocalError::NetworkTaken { network: network.to_string(), owner }),
        };
    }
    for name in list(&folder) {
        let own = fs::read_to_string(folder.join(&name).join(OWNER)).is_ok_and(|o| o == id);
        if let (true, Ok(base)) = (own, name.parse()) {
            return Ok(Network { base });
        }
    }
    for number in 1..512_u16 {
        let [high, low] = number.to_be_bytes();
        let network = Network { base: Ipv4Addr::new(198, 18 + high, low, 0) };
        if claim(network)?.is_none() {
            return Ok(network);
        }
    }
    Err(LocalError::NoNetwork)
}

/// Takes a network; `Some(owner)` when another has it.
fn claim(
    data: &Path,
    id: &str,
    network: Network,
    keep: bool,
) -> Result<Option<String>, LocalError> {
    let folder = data.join("networks");
    let place = folder.join(network.base.to_string());
    let owner_file = place.join(OWNER);
    let bridge = format!("andamio-{id}");
    if let Some(interface) = interface_with(network).filter(|i| *i != bridge) {
        return Ok(Some(format!("interface {interface} of this host")));
    }
    let owner = fs::read_to_string(&owner_file).unwrap_or_default();
    let alive = !owner.is_empty() && data.join("instances").join(&owner).exists();
    if owner != id && alive {
        return Ok(Some(format!("instance {owner}")));
    }
    if !keep {
        return Ok(None);
    }
    disk::make(data, 0o700)?;
    if owner == id {
        return Ok(None);
    }
    // Complete under another name first: of two that want the same network, one rename wins, because
    // a folder that is not empty is never replaced.
    let mine = folder.join(format!("{id}.new"));
    disk::make(&mine, 0o755)?;
    fs::write(mine.join(OWNER), id).map_err(LocalError::io("write", mine.join(OWNER)))?;
    if !owner.is_empty() {
        disk::remove(&place)?;
    }
    if fs::rename(&mine, &place).is_err() {
        disk::remove(&mine)?;
        return Ok(Some("another run".to_owned()));
    }
    // The instance's folder is what keeps the claim alive.
    disk::make(&data.join("instances").join(id), 0o700)?;
    Ok(None)
}

/// The host's interface with a route into the network, from the kernel's routing table.
fn interface_with(network: Network) -> Option<String> {
    let routes = fs::read_to_string("/proc/net/route").ok()?;
    let wanted = u32::from(network.base);
    routes.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let interface = fields.next()?;
        let number = |text: &str| u32::from_str_radix(text, 16).ok().map(u32::swap_bytes);
        let destination = number(fields.next()?)?;
        let mask = number(fields.nth(5)?)?;
        let overlaps =
            mask != 0 && (wanted & mask & 0xffff_ff00) == (destination & mask & 0xffff_ff00);
        overlaps.then(|| interface.to_owned())
    })
}

impl Local {
    /// Is the bridge there?
    #[must_use]
    pub fn network_is_up(&self) -> bool {
        Path::new("/sys/class/net").join(self.bridge()).join("bridge").exists()
    }

    /// Bridge, address, forwarding and address translation. Safe to repeat.
    ///
    /// # Errors
    /// When `ip` or `nft` refuse.
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
        for setting in &SETTINGS {
            self.set(setting)?;
        }
        // Atomic: made empty if absent, deleted, made anew. Nothing new comes in from outside or from
        // another instance, and machines cannot reach the host's own services.
        let table = format!("inet andamio_{}", self.id);
        let rules = format!(
            r#"table {table} {{ }}
delete table {table}
table {table} {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {net} oifname != "{bridge}" masquerade
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    oifname "{bridge}" iifname != "{bridge}" ct state new drop
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname "{bridge}" ct state established,related accept
    iifname "{bridge}" meta l4proto icmp accept
    iifname "{bridge}" drop
  }}
}}
"#,
            net = self.network
        );
        feed("nft", &["-f", "-"], &rules).await
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
        // `add` makes the deletion safe to repeat.
        let table = format!("inet andamio_{}", self.id);
        feed("nft", &["-f", "-"], &format!("add table {table}\ndelete table {table}\n")).await?;
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

    /// The value that a setting had before the first instance; given back after the last.
    fn before(&self, setting: &Setting) -> PathBuf {
        let name = setting.path.rsplit('/').next().unwrap_or_default();
        self.roots.data.join(format!("{name}.before"))
    }

    fn set(&self, setting: &Setting) -> Result<(), LocalError> {
        let before = fs::read_to_string(setting.path).unwrap_or_default();
        if before.trim().parse::<u64>().is_ok_and(|value| value >= setting.least) {
            return Ok(());
        }
        let record = self.before(setting);
        fs::write(&record, before).map_err(LocalError::io("write", &record))?;
        fs::write(setting.path, setting.least.to_string())
            .map_err(LocalError::io("write", setting.path))
    }

    fn unset(&self) {
        if !list(&self.roots.data.join("networks")).is_empty() {
            return;
        }
        for setting in &SETTINGS {
            if let Ok(before) = fs::read_to_string(self.before(setting)) {
                let _ = fs::write(setting.path, before);
                let _ = fs::remove_file(self.before(setting));
            }
        }
    }
}

/// Runs a tool with the given input; its complaint is the error.
pub(super) async fn feed(program: &str, arguments: &[&str], input: &str) -> Result<(), LocalError> {
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
    let output = child.wait_with_output().await.map_err(spawn)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(LocalError::Tool { program: program.to_owned(), output: said })
}
