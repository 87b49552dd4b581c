//! The one image that all machines share as the lower layer of their disks: Debian 13 with the
//! packages of every role, all of them switched off. Built once, cached by the digest of its recipe.

use super::{LocalError, Roots, disk, tool};
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

pub(super) const SUITE: &str = "trixie";
/// What a bare machine needs, whatever its roles. All is in one image, because a shared lower layer costs nothing a
/// machine, while installing costs minutes.
const PACKAGES: &[&str] = &[
    "apt-utils",
    "dbus",
    "iproute2",
    "libpam-systemd",
    "procps",
    "systemd",
    "systemd-sysv",
    "udev",
];
/// Of these, and of what they depend on; nobody asks for them.
const OFF: &[&str] = &["dpkg-db-backup.timer", "e2scrub_all.timer"];
/// Make no sense in a container, or cost start time.
const MASKED: &[&str] = &[
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "console-getty.service",
    "sshd-keygen.service",
    "systemd-networkd-wait-online.service",
    "systemd-pstore.service",
];
pub(super) const UNNEEDED: &[&str] =
    &["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"];

/// Without these no machine starts or is made true: an image that lacks one was damaged, and is built anew.
const WHOLE: [&str; 4] =
    ["etc/os-release", "usr/lib/systemd/systemd", "usr/sbin/sshd", "var/lib/dpkg/status"];

/// The build in namespaces of its own for mounts and processes, which end with the process that began it:
/// whenever that is killed, no process goes on and nothing stays mounted.
const ALONE: [&str; 10] = [
    "setpriv",
    "--pdeathsig",
    "KILL",
    "unshare",
    "--mount",
    "--pid",
    "--mount-proc",
    "--fork",
    "--kill-child",
    "mmdebstrap",
];

/// How the image is made; its digest names the result.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// In one order, whoever names them first.
    packages: BTreeSet<&'static str>,
    off: BTreeSet<&'static str>,
}

impl Recipe {
    /// `packages` are the roles', and `off` the units that these switch on: they start only where a role asks for them.
    #[must_use]
    pub fn of_roles(
        packages: impl IntoIterator<Item = &'static str>,
        off: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        Self {
            packages: packages.into_iter().chain(PACKAGES.iter().copied()).collect(),
            off: off.into_iter().chain(OFF.iter().copied()).collect(),
        }
    }

    /// Digest of everything that decides what the image is.
    #[must_use]
    pub fn digest(&self) -> String {
        hex::encode(&Sha256::digest(self.arguments().join("\n"))[..8])
    }

    /// What mmdebstrap is told.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let joined =
            |words: &BTreeSet<&str>, by| words.iter().copied().collect::<Vec<_>>().join(by);
        let mut arguments = vec![
            "--variant=minbase".to_owned(),
            format!("--include={}", joined(&self.packages, ",")),
            "--aptopt=APT::Install-Recommends \"false\"".to_owned(),
        ];
        arguments.extend(UNNEEDED.iter().map(|p| format!("--dpkgopt=path-exclude={p}")));
        for script in [
            format!("chroot \"$1\" systemctl --quiet disable {}", joined(&self.off, " ")),
            format!("chroot \"$1\" systemctl --quiet mask {}", MASKED.join(" ")),
            "chroot \"$1\" systemctl --quiet enable systemd-networkd.service ssh.service".to_owned(),
            // The base role's file, which comes later, says the same. Without it the first login starts a service
            // manager for root, which ends ten seconds after `up` on all machines of the host at once.
            "echo UsePAM no > \"$1\"/etc/ssh/sshd_config.d/10-andamio.conf".to_owned(),
            // Every machine has keys and an id of its own.
            "rm -f \"$1\"/etc/ssh/ssh_host_* && : > \"$1\"/etc/machine-id && rm -f \"$1\"/etc/resolv.conf \"$1\"/etc/hostname".to_owned(),
        ] {
            arguments.push(format!("--customize-hook={script}"));
        }
        arguments.push(SUITE.to_owned());
        arguments
    }
}

/// A finished image.
#[derive(Debug, Clone)]
pub struct Image {
    pub folder: PathBuf,
}

impl Image {
    /// Where the image is or will be.
    #[must_use]
    pub fn of(roots: &Roots, recipe: &Recipe) -> Self {
        Self { folder: roots.cache.join("images").join(recipe.digest()) }
    }

    #[must_use]
    pub fn is_built(&self) -> bool {
        WHOLE.iter().all(|file| self.folder.join(file).exists())
    }

    /// Builds it by its recipe unless it is there; says what it is doing. Two builds at once: the second waits.
    ///
    /// # Errors
    /// When the package mirror or the disk does not deliver.
    pub async fn build(
        &self,
        recipe: &Recipe,
        mut doing: impl FnMut(&str),
    ) -> Result<bool, LocalError> {
        let images = self.folder.parent().unwrap_or(Path::new("/")).to_owned();
        disk::make(&images, 0o755)?;
        let lock = lock(self.folder.with_extension("lock"), &mut doing).await?;
        if self.is_built() {
            return Ok(false);
        }
        let unfinished = self.folder.with_extension("building");
        unmount_below(&unfinished)?;
        disk::remove(&unfinished)?;
        doing("installing Debian 13 and the packages of all roles (about a minute, once)");
        mmdebstrap(&recipe.arguments(), &unfinished, &mut doing).await?;
        // Only there when it is damaged.
        disk::remove(&self.folder)?;
        fs::rename(&unfinished, &self.folder)
            .map_err(LocalError::io("rename into", &self.folder))?;
        drop(lock);
        Ok(true)
    }
}

/// Runs mmdebstrap; `target` is a folder or an archive.
pub(super) async fn mmdebstrap(
    arguments: &[String],
    target: &Path,
    doing: &mut impl FnMut(&str),
) -> Result<(), LocalError> {
    let mut child = Command::new(tool::find(ALONE[0]))
        .args(&ALONE[1..])
        .env("PATH", tool::PATH)
        .args(arguments)
        .arg(target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| LocalError::Spawn { program: ALONE[0].to_owned(), source })?;
    let mut last = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(step) = line.strip_prefix("I: ") {
                doing(step);
            } else {
                last.push(line);
                if last.len() > 8 {
                    last.remove(0);
                }
            }
        }
    }
    let status = child
        .wait()
        .await
        .map_err(|source| LocalError::Spawn { program: "mmdebstrap".to_owned(), source })?;
    if !status.success() {
        return Err(LocalError::Image { output: last.join(" / ") });
    }
    Ok(())
}

/// What is mounted below a folder that is going to be removed: a build that was interrupted by a version
/// without [`ALONE`] has left the host's own file systems there, and removing would go into them.
fn unmount_below(folder: &Path) -> Result<(), LocalError> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = text.lines().filter_map(|line| line.split(' ').nth(4)).map(Path::new);
    let mut below: Vec<&Path> = points.filter(|point| point.starts_with(folder)).collect();
    below.sort();
    for point in below.into_iter().rev() {
        let done = nix::mount::umount2(point, nix::mount::MntFlags::MNT_DETACH);
        done.map_err(|errno| LocalError::Io {
            action: "unmount",
            path: point.into(),
            source: errno.into(),
        })?;
    }
    Ok(())
}

pub(super) async fn lock(
    path: PathBuf,
    doing: &mut impl FnMut(&str),
) -> Result<Flock<File>, LocalError> {
    let open = || File::create(&path).map_err(LocalError::io("open", &path));
    if let Ok(lock) = Flock::lock(open()?, FlockArg::LockExclusiveNonblock) {
        return Ok(lock);
    }
    doing("another run is building the image; waiting for it");
    let file = open()?;
    let waited =
        tokio::task::spawn_blocking(move || Flock::lock(file, FlockArg::LockExclusive)).await;
    match waited {
        Ok(Ok(lock)) => Ok(lock),
        Ok(Err((_, errno))) => Err(LocalError::Io { action: "lock", path, source: errno.into() }),
        Err(_) => Err(LocalError::Io {
            action: "lock",
            path,
            source: std::io::ErrorKind::Interrupted.into(),
        }),
    }
}
