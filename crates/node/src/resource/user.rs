//! System accounts.

use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::Result;
use crate::machine::Machine;
use crate::process;
use andamio_manifest::User;
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
    if accounts.group(&declared.group).is_none() {
        process::run(&["groupadd", "--system", &declared.group], "", TOOL).await?;
    }
    let uid = declared.uid.map(|uid| uid.to_string());
    let mut argv = match accounts.account(&declared.name) {
        // The home is a directory resource's business.
        None => vec!["useradd", "--system", "--no-create-home"],
        Some(_) => vec!["usermod"],
    };
    argv.extend(["--gid", &declared.group, "--home", &declared.home, "--shell", &declared.shell]);
    if let Some(uid) = &uid {
        argv.extend(["--uid", uid]);
    }
    argv.push(&declared.name);
    process::run(&argv, "", TOOL).await.map(drop)
}
