//! A machine's file system: ext4 of the declared size in a sparse file, so that a machine that fills its disk
//! fills nobody else's.
//!
//! It is mounted in the machine's own mount namespace only, over a loop device that the kernel gives back with
//! the last mount. Before that the file must not be mounted again: two devices over one file destroy it.

use super::network::{feed, run};
use super::{LocalError, host, list, tool};
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::libc;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

pub(super) const IMAGE: &str = "disk.img";
/// Where it is mounted, seen by the machine's launcher alone.
pub(super) const POINT: &str = "disk";
/// Where a machine sees a folder of it as itself, not below the overlay.
pub(super) const CONTAINERS: &str = "/var/lib/containers";
/// What fills a disk on purpose. In the root: no folder on the way to it can lead out of the machine.
const FILLER: &str = "andamio-full-disk";
/// The kernel writes to the file what the machine left in memory: gigabytes, on a slow disk.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(10);
/// Metadata only goes through it. The default of a large disk, up to 1 GB, would be the first thing that the
/// host's disk loses to each machine.
const JOURNAL_MB: &str = "size=64";

/// Makes the file with what `content` holds in it. Takes tens of milliseconds and a few megabytes: what was
/// never written takes no room on the host, and a new sparse file need not be zeroed.
pub(super) async fn make(image: &Path, bytes: u64, content: &Path) -> Result<(), LocalError> {
    sized(image, bytes)?;
    let (content, file) = (content.display().to_string(), image.display().to_string());
    let arguments = [
        "-q",
        "-F",
        "-b",
        "4096",
        // One for every 32 KiB: images of the application hold many small files.
        "-i",
        "32768",
        // The services are what the machine is for, and have nothing like root's reserve.
        "-m",
        "0",
        // What cannot be written must not look written.
        "-e",
        "remount-ro",
        "-J",
        JOURNAL_MB,
        "-E",
        "lazy_journal_init=1,root_owner=0:0",
        "-d",
        &content,
        &file,
    ];
    feed("mkfs.ext4", &arguments, "").await
}

/// Makes it larger, while it is not mounted. Safe to repeat.
pub(super) async fn grow(image: &Path, bytes: u64) -> Result<(), LocalError> {
    let file = image.display().to_string();
    sized(image, bytes)?;
    check(image, &["-f"]).await?;
    feed("resize2fs", &[&file], "").await
}

/// Takes up the journal of a machine that lost its power, and looks at what was marked as damaged; where nothing
/// was, that takes milliseconds. Not while it is mounted. `Some` with what was repaired where data may have
/// been lost.
pub(super) async fn check(image: &Path, how: &[&str]) -> Result<Option<String>, LocalError> {
    /// Of e2fsck: errors were left, or it could not do its work.
    const LEFT: i32 = 4;
    let file = image.display().to_string();
    let mut said = String::new();
    // What needs no question first; then yes to all, because nobody could answer better.
    for answers in ["-p", "-y"] {
        let arguments: Vec<&str> = how.iter().copied().chain([answers, &file]).collect();
        let output = run("e2fsck", &arguments, "").await?;
        said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.code().is_some_and(|code| code < LEFT) {
            return Ok((answers == "-y").then_some(said));
        }
        said.push_str(String::from_utf8_lossy(&output.stderr).trim());
    }
    Err(LocalError::Tool { program: "e2fsck".to_owned(), output: said })
}

/// Did the kernel stop writing to it? Of `/proc/PID/mountinfo` of a process of the machine. The words are those
/// of older and newer kernels.
pub(super) fn is_read_only(mounts: &str) -> bool {
    mounts.lines().any(|line| {
        let Some((mount, kind)) = line.split_once(" - ") else { return false };
        let own = mount.split_whitespace().nth(4) == Some(CONTAINERS) && kind.starts_with("ext4 ");
        let options = kind.split_whitespace().nth(2).unwrap_or_default();
        own && options.split(',').any(|o| ["ro", "emergency_ro", "shutdown"].contains(&o))
    })
}

fn sized(image: &Path, bytes: u64) -> Result<(), LocalError> {
    let open = File::options().create(true).write(true).truncate(false).open(image);
    let file = open.map_err(LocalError::io("open", image))?;
    file.set_len(bytes).map_err(LocalError::io("set the size of", image))
}

/// Mounts it in the calling process's mount namespace.
pub(super) fn mount(image: &Path, point: &Path) -> Result<(), LocalError> {
    let output = Command::new(tool::find("mount"))
        .args(["-n", "-t", "ext4", "-o", "loop,noatime"])
        .args([image, point])
        .stdin(Stdio::null())
        .output()
        .map_err(|source| LocalError::Spawn { program: "mount".to_owned(), source })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(LocalError::Tool { program: "mount".to_owned(), output: said });
    }
    // Past the host's cache: with it a database's commit takes 2.4 ms instead of 0.1 (measured), and everything
    // is in memory twice. Where the host's file system cannot do that, it is only slower.
    if let Some(device) = device(image) {
        let _ = Command::new(tool::find("losetup"))
            .args(["--direct-io=on", &format!("/dev/{device}")])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
    Ok(())
}

/// Takes what is left of the file system whose root this is. What is only set aside takes no room on the
/// host; the last blocks, which are too scattered for that, are written.
pub(super) fn fill(root: &Path) -> Result<(), LocalError> {
    const BLOCK: u64 = 4096;
    let path = root.join(FILLER);
    let failed = |source: io::Error| LocalError::Io { action: "fill", path: path.clone(), source };
    let mut file = File::options()
        .create(true)
        .append(true)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&path)
        .map_err(&failed)?;
    let mut part = host::free_bytes(root);
    while part >= BLOCK {
        let end = file.metadata().map_err(&failed)?.len();
        let size = |bytes: u64| libc::off_t::try_from(bytes).unwrap_or(libc::off_t::MAX);
        match fallocate(&file, FallocateFlags::empty(), size(end), size(part)) {
            Ok(()) => part = host::free_bytes(root),
            Err(Errno::ENOSPC) => part /= 2,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(failed(errno.into())),
        }
    }
    loop {
        match file.write_all(&[0; 4096]).and_then(|()| file.sync_data()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Gives back what [`fill`] took, where it did.
pub(super) fn unfill(root: &Path) -> Result<(), LocalError> {
    let path = root.join(FILLER);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(LocalError::Io { action: "remove", path, source: error })
        }
        _ => Ok(()),
    }
}

/// Waits until no loop device has the file any more: a machine's mounts end shortly after its processes.
pub(super) async fn released(image: &Path) -> Result<(), LocalError> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while device(image).is_some() {
        if tokio::time::Instant::now() > deadline {
            return Err(LocalError::Mounted { image: image.into(), seconds: PATIENCE.as_secs() });
        }
        // Nothing tells of the end of a mount in another namespace.
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// The loop device that has the file. The kernel shows the path as the ended namespace saw it, which may lack the mount point in front; the last
/// four names say which machine of which instance it is.
fn device(image: &Path) -> Option<String> {
    let names: Vec<_> = image.iter().rev().take(4).collect();
    let is_it = |name: &String| {
        let file = Path::new("/sys/block").join(name).join("loop/backing_file");
        let backing = std::fs::read_to_string(file).unwrap_or_default();
        Path::new(backing.trim_end()).iter().rev().take(4).eq(names.iter().copied())
    };
    let devices = list(Path::new("/sys/block"));
    devices.into_iter().filter(|name| name.starts_with("loop")).find(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_journal_that_was_aborted_shows() {
        let line = |options: &str| {
            format!("95 94 7:1 /containers {CONTAINERS} rw,noatime - ext4 /dev/loop1 {options}\n")
        };
        assert!(["ro", "rw,emergency_ro", "rw,shutdown"].iter().all(|o| is_read_only(&line(o))));
        assert!(!is_read_only(&line("rw,errors=remount-ro")));
        assert!(!is_read_only("95 94 7:1 / /etc ro - ext4 /dev/loop1 ro\n"));
    }

    #[tokio::test]
    async fn a_disk_takes_little_room_and_grows_with_what_is_on_it() {
        const GB: u64 = 1_000_000_000;
        if !["/usr/sbin/mkfs.ext4", "/usr/sbin/resize2fs"].iter().all(|p| Path::new(p).exists()) {
            return; // Made on other systems in other folders.
        }
        let folder = tempfile::tempdir().unwrap();
        let (seed, image) = (folder.path().join("seed"), folder.path().join(IMAGE));
        std::fs::create_dir(&seed).unwrap();
        std::fs::write(seed.join("kept"), "kept").unwrap();
        make(&image, 5 * GB, &seed).await.unwrap();
        let taken = || std::fs::metadata(&image).unwrap().blocks() * 512;
        assert!(taken() < 8_000_000, "{}", taken());
        for _ in 0..2 {
            grow(&image, 40 * GB).await.unwrap();
            assert!(taken() < 16_000_000, "{}", taken());
        }
        assert_eq!(std::fs::metadata(&image).unwrap().len(), 40 * GB);
        assert_eq!(check(&image, &[]).await.unwrap(), None);
        let read = Command::new("debugfs").args(["-R", "cat kept"]).arg(&image).output().unwrap();
        assert_eq!(read.stdout, b"kept");
        assert_eq!(device(&image), None);
    }
}
