//! System accounts.

use super::file::look;
use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::Result;
use crate::machine::Machine;
use crate::process;
use andamio_manifest::User;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// The tools of the package passwd wait for a lock of theirs, but not long.
pub(super) const TOOL: Duration = Duration::from_secs(60);

impl Resource for User {
    async fn diff(&self, machine: &mut Machine) -> Result<Diff> {
        let accounts = machine.accounts()?;
        let mut diff = Diff::default();
        let Some(account) = accounts.account(&self.name) else {
            diff.plus(format!("account {}", self.name));
            if let Some(uid) = self.uid {
                diff.plus(format!("uid {uid}"));
            }
            diff.plus(format!("group {}", self.group));
            diff.plus(format!("home {}", self.home));
            diff.plus(format!("shell {}", self.shell));
            return Ok(diff);
        };
        if let Some(uid) = self.uid {
            diff.value("uid", account.uid.to_string(), uid.to_string());
        }
        diff.value("group", accounts.group_name(account.gid), &self.group);
        diff.value("home", &account.home, &self.home);
        diff.value("shell", &account.shell, &self.shell);
        Ok(diff)
    }

    async fn make(&self, machine: &mut Machine, _: &Say) -> Result<String> {
        let done = change(self, machine).await;
        machine.forget();
        done.map(|()| String::new())
    }

    fn doing(&self) -> String {
        format!("account {}", self.name)
    }
}

async fn change(declared: &User, machine: &mut Machine) -> Result<()> {
    let accounts = machine.accounts()?;
    let (mut uid, mut gid) = former(declared)?;
    // Numbers that another account has by now are that one's.
    uid = declared.uid.or(uid.filter(|uid| accounts.account_name(*uid) == uid.to_string()));
    gid = gid.filter(|gid| accounts.group_name(*gid) == gid.to_string());
    if accounts.group(&declared.group).is_none() {
        let account = accounts.account(&declared.name);
        let gid = account.map(|account| account.gid).or(gid).map(|gid| gid.to_string());
        let mut argv = vec!["groupadd", "--system"];
        if let Some(gid) = &gid {
            argv.extend(["--gid", gid]);
        }
        argv.push(&declared.group);
        process::run(&argv, "", TOOL).await?;
    }
    let uid = uid.map(|uid| uid.to_string());
    let mut argv = match accounts.account(&declared.name) {
        // The home is a directory resource's business.
        None => vec!["useradd", "--system", "--no-create-home"],
        Some(_) => vec!["usermod"],
    };
    argv.extend(["--gid", &declared.group, "--home", &declared.home, "--shell", &declared.shell]);
    if let Some(uid) = uid.as_ref().filter(|_| declared.uid.is_some() || argv[0] == "useradd") {
        argv.extend(["--uid", uid]);
    }
    argv.push(&declared.name);
    process::run(&argv, "", TOOL).await.map(drop)
}

/// The numbers that an account's folder belongs to: files of a deleted account are its own again. Never root's, which
/// only says that the package is new.
fn former(declared: &User) -> Result<(Option<u32>, Option<u32>)> {
    let Some(folder) = &declared.owns else { return Ok((None, None)) };
    let Some(meta) = look(Path::new(folder))? else { return Ok((None, None)) };
    let ours = |id: u32| (id != 0).then_some(id);
    Ok((ours(meta.uid()), ours(meta.gid())))
}
