//! Folders that containers keep: what the image has there is where a new one begins.

use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::{Context, Failure, Result};
use crate::machine::{Accounts, Machine};
use crate::{disk, process};
use andamio_manifest::KeptFolder;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// podman waits for a lock that another podman has.
const PODMAN: Duration = Duration::from_secs(60);
/// Folders of gigabytes belong in no image, but some are.
const COPY: Duration = Duration::from_secs(10 * 60);
/// Links on the way to a file, as the kernel counts them.
const LINKS: usize = 40;

impl Resource for KeptFolder {
    async fn diff(&self, _: &mut Machine) -> Result<Diff> {
        let mut diff = Diff::default();
        match fs::metadata(&self.path) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(Failure::new(format!("{} is no folder", self.path))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                diff.plus(format!("folder, as {} has it", self.image));
            }
            Err(e) => return Err(e).during(format!("looking at {}", self.path)),
        }
        Ok(diff)
    }

    async fn make(&self, _: &mut Machine, say: &Say) -> Result<String> {
        let path = Path::new(&self.path);
        disk::create_parents(path)?;
        // Beside it and renamed, so that it is whole or not there.
        let new = PathBuf::from(format!("{}.andamio-new", self.path));
        if new.exists() {
            fs::remove_dir_all(&new).during(format!("removing {}", new.display()))?;
        }
        say.say(format!("looking into {}", self.image));
        let root = process::run(&["podman", "image", "mount", &self.image], "", PODMAN).await?;
        let copied = copy(self, Path::new(root.trim()), &new).await;
        let unmounted =
            process::run(&["podman", "image", "unmount", &self.image], "", PODMAN).await;
        copied?;
        unmounted?;
        fs::rename(&new, path).during(format!("making {}", self.path))?;
        disk::sync_folder(disk::parent(path)?)?;
        Ok(String::new())
    }

    fn doing(&self) -> String {
        format!("kept folder {}", self.inside)
    }
}

async fn copy(declared: &KeptFolder, root: &Path, new: &Path) -> Result<()> {
    let what = format!("looking at {} in {}", declared.inside, declared.image);
    let there = within(root, &declared.inside).during(&what)?;
    let Some(folder) = there.filter(|path| path.is_dir()) else {
        let (uid, gid) = user(declared, root).await?;
        fs::create_dir(new).during(format!("making {}", new.display()))?;
        chown(new, Some(uid), Some(gid)).during(format!("giving {} away", new.display()))?;
        let mode = fs::Permissions::from_mode(0o755);
        return fs::set_permissions(new, mode).during(format!("opening {}", new.display()));
    };
    let (from, to) = (folder.display().to_string(), new.display().to_string());
    // With owners, links, times and attributes, sparse where it was.
    process::run(&["cp", "-a", "--reflink=auto", &from, &to], "", COPY).await.map(drop)
}

/// Whose a folder is that the image does not have.
async fn user(declared: &KeptFolder, root: &Path) -> Result<(u32, u32)> {
    let user = match &declared.user {
        Some(user) => user.clone(),
        None => {
            let argv =
                ["podman", "image", "inspect", "--format", "{{.Config.User}}", &declared.image];
            process::run(&argv, "", PODMAN).await?.trim().to_owned()
        }
    };
    let text = |path: &str| -> Result<String> {
        let found = within(root, path).during(format!("looking for {path}"))?;
        let bytes = found.map(|path| disk::read(&path)).transpose()?.flatten();
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default())
    };
    let accounts = Accounts::parse(&text("/etc/passwd")?, &text("/etc/group")?);
    ids(&user, &accounts)
}

/// Numbers of `USER` or `USER:GROUP`; nothing is root.
fn ids(user: &str, accounts: &Accounts) -> Result<(u32, u32)> {
    let (user, group) =
        user.split_once(':').map_or((user, None), |(user, group)| (user, Some(group)));
    if user.is_empty() {
        return Ok((0, 0));
    }
    let account = accounts.account(user);
    // A number without an account is in root's group, as podman has it.
    let own_group = account.map_or("0".to_owned(), |account| account.gid.to_string());
    accounts.ids(user, group.unwrap_or(&own_group))
}

/// Where a path of an image lies below the folder that it is mounted at: links in it lead to the image's own files,
/// never to the machine's. `None`: there is nothing.
fn within(root: &Path, path: &str) -> io::Result<Option<PathBuf>> {
    let mut left: Vec<PathBuf> = vec![PathBuf::from(path)];
    let (mut at, mut links) = (root.to_path_buf(), 0);
    while let Some(part) = left.pop() {
        let mut parts = part.components();
        let Some(first) = parts.next() else { continue };
        left.push(parts.as_path().to_path_buf());
        match first {
            Component::RootDir => at = root.to_path_buf(),
            Component::ParentDir if at != root => {
                at.pop();
            }
            Component::Normal(name) => {
                let next = at.join(name);
                match fs::symlink_metadata(&next) {
                    Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(e) => return Err(e),
                    Ok(meta) if meta.is_symlink() => {
                        links += 1;
                        if links > LINKS {
                            return Ok(None);
                        }
                        left.push(fs::read_link(&next)?);
                    }
                    Ok(_) => at = next,
                }
            }
            _ => {}
        }
    }
    Ok(Some(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_of_an_image_stay_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("var/lib/shop")).unwrap();
        symlink("/var/lib/shop", root.join("data")).unwrap();
        symlink("../../../../etc", root.join("var/out")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let at = |path| within(root, path).unwrap();
        assert_eq!(at("/data"), Some(root.join("var/lib/shop")));
        assert_eq!(at("/var/lib/shop"), Some(root.join("var/lib/shop")));
        assert_eq!(at("/var/out/passwd"), None);
        assert_eq!(at("/loop"), None);
        assert_eq!(at("/var/none"), None);
    }

    #[test]
    fn users_are_numbers_or_names_of_the_image() {
        let accounts = Accounts::parse(
            "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/sh\n",
            "root:x:0:\nwww-data:x:33:\nstaff:x:50:\n",
        );
        for (user, numbers) in [
            ("", (0, 0)),
            ("www-data", (33, 33)),
            ("www-data:staff", (33, 50)),
            ("1000", (1000, 0)),
            ("1000:1001", (1000, 1001)),
        ] {
            assert_eq!(ids(user, &accounts).unwrap(), numbers, "{user}");
        }
        assert!(ids("nobody-here", &accounts).is_err());
    }
}
