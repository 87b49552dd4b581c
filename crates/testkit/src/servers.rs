//! Bare servers: Debian 13 with sshd, sudo and systemd, where Andamio never was. Each has a disk, limits and
//! a host key of its own; all of a call are in one network, which no other run has.
//!
//! They are machines of this host below an instance's id, so that `down`, the search for leftovers and the
//! sweep after an interrupted run know them as they know every environment.

use crate::command::Ended;
use crate::sandbox::DEADLINE;
use crate::{Sandbox, run, wait::until};
use andamio_provision::local::{Image, Local, Roots, Seed, allocate};
use andamio_remote::KeyPair;
use andamio_spec::topology::{Machine, compute};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

/// What a provider's own image of Debian has beyond the base system, as far as it matters here.
const PACKAGES: &[&str] = &[
    "ca-certificates",
    "dbus",
    "iproute2",
    "locales",
    "openssh-server",
    "sudo",
    "systemd",
    "systemd-sysv",
];
const HOOKS: &[&str] = &[
    "chroot \"$1\" localedef -i de_DE -f UTF-8 de_DE.UTF-8",
    "chroot \"$1\" localedef -i es_ES -f UTF-8 es_ES.UTF-8",
    "chroot \"$1\" systemctl --quiet enable systemd-networkd.service ssh.service",
    // Every server has keys and an id of its own.
    "rm -f \"$1\"/etc/ssh/ssh_host_* && : > \"$1\"/etc/machine-id",
];
/// Never brought up: it lends its id and its network, and `down` removes what is below them.
const LENDER: &str = "bare";
const TOML: &str = "[project]\nname = \"bare\"\n[environments.bare]\nredis = { machines = 1 }\n";
/// Nobody needs longer to boot, or to build the image.
const BOOT: Duration = Duration::from_secs(60);

/// How large each server is.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub vcpu: u32,
    pub memory_bytes: u64,
    pub disk_bytes: u64,
}

impl Default for Shape {
    fn default() -> Self {
        Self { vcpu: 2, memory_bytes: 2 << 30, disk_bytes: 20_000_000_000 }
    }
}

/// Servers that run until this is dropped.
pub struct Servers {
    pub list: Vec<Server>,
    /// The person's private key, which opens root everywhere: OpenSSH, Ed25519, without a passphrase.
    pub key: PathBuf,
    /// `ssh-ed25519 AAAA…` of it.
    pub public: String,
    sandbox: Rc<Sandbox>,
}

pub struct Server {
    pub address: Ipv4Addr,
    /// `ssh-ed25519 AAAA…`.
    pub host_key: String,
    name: String,
    sandbox: Rc<Sandbox>,
}

impl Servers {
    /// That many bare servers, which answer.
    #[must_use]
    pub fn start(count: u32) -> Self {
        Self::start_with(count, &[], Shape::default())
    }

    /// The same with more Debian packages in their image, and of another size. Every list of packages is an
    /// image of its own, built once (20 s).
    #[must_use]
    pub fn start_with(count: u32, packages: &[&str], shape: Shape) -> Self {
        let sandbox = Rc::new(Sandbox::new(TOML));
        // So that `down` is owed, also after a failure.
        let _ = sandbox.command(&["down", LENDER]);
        let person = KeyPair::generate().unwrap();
        let key = sandbox.folder.join("id_ed25519");
        fs::write(&key, &person.private).unwrap();
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        let list = start(&sandbox, count, &image(packages), &person.public, shape);
        Self { list, key, public: person.public, sandbox }
    }

    /// A known_hosts file with all of them.
    #[must_use]
    pub fn known_hosts(&self) -> String {
        self.list.iter().map(|s| format!("{} {}\n", s.address, s.host_key)).collect()
    }

    /// A folder that goes with them, for what a test needs beside.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.sandbox.folder
    }
}

impl Server {
    /// A shell line as root, entered from the host: it needs neither SSH nor a key. Standard output; panics
    /// when it fails.
    pub fn sh(&self, line: &str) -> String {
        self.enter(line).stdout
    }

    /// The same, with all that it said.
    pub fn enter(&self, line: &str) -> Ended {
        self.sandbox.enter_within(LENDER, &self.name, line, DEADLINE)
    }

    /// Its root folder, seen from the host while it runs.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.sandbox.first(LENDER, &self.name).path("")
    }

    /// Writes a file below its root, with its folders. Mode in octal.
    pub fn write(&self, path: &str, content: &str, mode: u32) {
        let file = self.root().join(path.trim_start_matches('/'));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    }

    /// Waits until its SSH server answers, with the banner that comes before any authentication.
    pub fn answers(&self, port: u16) {
        until("SSH of a server", BOOT, || {
            let at = (self.address, port).into();
            let said = TcpStream::connect_timeout(&at, Duration::from_secs(1)).and_then(|mut s| {
                let mut banner = [0; 4];
                s.set_read_timeout(Some(Duration::from_secs(5)))?;
                s.read_exact(&mut banner).map(|()| banner)
            });
            said.map(drop).map_err(|e| e.to_string())
        });
    }
}

fn start(
    sandbox: &Rc<Sandbox>,
    count: u32,
    image: &Path,
    person: &str,
    shape: Shape,
) -> Vec<Server> {
    let roots = Roots::default();
    let id = sandbox.id(LENDER);
    let network = allocate(&roots.data, &id, None, true).unwrap();
    let local = Local { roots, id, network, image: Image { folder: image.to_owned() } };
    let spec = andamio_spec::parse("andamio.toml", TOML).spec.unwrap();
    let model = compute(&spec, LENDER, "local", network).unwrap().machines.remove(0);
    let launcher = [&run::built("andamio").display().to_string(), "machine", "launch"];
    let launcher = launcher.map(str::to_owned);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let resolver = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers: Vec<Server> = runtime.block_on(async {
        local.network_up().await.unwrap();
        let mut servers = Vec::new();
        for index in 1..=count {
            let name = format!("server-{index}");
            let mut machine = Machine { name: name.clone(), index, ..model.clone() };
            machine.address = network.host(u8::try_from(10 + index).unwrap());
            machine.size.vcpu = shape.vcpu;
            machine.size.memory_bytes = shape.memory_bytes;
            machine.disk_bytes = shape.disk_bytes;
            let host = KeyPair::generate().unwrap();
            let operator = format!("{person}\n");
            let host_key = (host.private.as_str(), host.public.as_str());
            let seed = Seed { host_key, operator: &operator, resolver: &resolver };
            local.create(&machine, &seed).await.unwrap();
            let _ = local.start(&machine, &launcher).await.unwrap();
            let (address, sandbox) = (machine.address, Rc::clone(sandbox));
            servers.push(Server { address, host_key: host.public, name, sandbox });
        }
        servers
    });
    for server in &servers {
        server.answers(22);
    }
    servers
}

/// The image with these packages beside its own, built where it is not there yet. Its folder's name is what it
/// was made of.
fn image(packages: &[&str]) -> PathBuf {
    let mut include = PACKAGES.to_vec();
    include.extend(packages);
    let mut recipe = vec![
        "--variant=minbase".to_owned(),
        format!("--include={}", include.join(",")),
        "--aptopt=APT::Install-Recommends \"false\"".to_owned(),
    ];
    recipe.extend(HOOKS.iter().map(|hook| format!("--customize-hook={hook}")));
    recipe.push("trixie".to_owned());
    let cache = Roots::default().cache.join("bare");
    fs::create_dir_all(&cache).unwrap();
    let folder = cache.join(name(&recipe.join("\n")));
    let lock = File::create(folder.with_extension("lock")).unwrap();
    let lock = Flock::lock(lock, FlockArg::LockExclusive).unwrap();
    if !folder.exists() {
        let unfinished = folder.with_extension("building");
        let _ = fs::remove_dir_all(&unfinished);
        // Namespaces of its own, which end with it: nothing stays mounted after an interrupted build.
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--mount-proc", "--fork", "--kill-child", "mmdebstrap"]);
        command.args(&recipe).arg(&unfinished);
        let _ = crate::command::run(command, DEADLINE).expect(0);
        fs::rename(&unfinished, &folder).unwrap();
    }
    drop(lock);
    folder
}

/// FNV-1a: names of a cache, nothing that somebody could want to forge.
fn name(recipe: &str) -> String {
    let hash = recipe.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
