//! Groups with exactly the declared members.

use super::user::TOOL;
use super::{Resource, Say};
use crate::diff::Diff;
use crate::failure::Result;
use crate::machine::Machine;
use crate::process;
use andamio_manifest::Group;

impl Resource for Group {
    async fn diff(&self, machine: &mut Machine) -> Result<Diff> {
        let accounts = machine.accounts()?;
        let mut diff = Diff::default();
        let Some(group) = accounts.group(&self.name) else {
            diff.plus(format!("group {}", self.name));
            if let Some(gid) = self.gid {
                diff.plus(format!("gid {gid}"));
            }
            self.members.iter().for_each(|member| diff.plus(format!("member {member}")));
            return Ok(diff);
        };
        if let Some(gid) = self.gid {
            diff.value("gid", group.gid.to_string(), gid.to_string());
        }
        for member in group.members.iter().filter(|m| !self.members.contains(m)) {
            diff.minus(format!("member {member}"));
        }
        for member in self.members.iter().filter(|m| !group.members.contains(m)) {
            diff.plus(format!("member {member}"));
        }
        Ok(diff)
    }

    async fn make(&self, machine: &mut Machine, _: &Say) -> Result<String> {
        let done = change(self, machine).await;
        machine.forget();
        done.map(|()| String::new())
    }

    fn doing(&self) -> String {
        format!("group {}", self.name)
    }
}

async fn change(declared: &Group, machine: &mut Machine) -> Result<()> {
    let accounts = machine.accounts()?;
    let gid = declared.gid.map(|gid| gid.to_string());
    let group = accounts.group(&declared.name);
    let argv = match (group, &gid) {
        (None, Some(gid)) => vec!["groupadd", "--system", "--gid", gid, &declared.name],
        (None, None) => vec!["groupadd", "--system", &declared.name],
        (Some(_), Some(gid)) => vec!["groupmod", "--gid", gid, &declared.name],
        (Some(_), None) => vec![],
    };
    let none = Vec::new();
    let members = group.map_or(&none, |group| &group.members);
    let same = members.len() == declared.members.len()
        && members.iter().all(|member| declared.members.contains(member));
    if !argv.is_empty() {
        process::run(&argv, "", TOOL).await?;
    }
    if !same {
        let members = declared.members.join(",");
        process::run(&["gpasswd", "--members", &members, &declared.name], "", TOOL).await?;
    }
    Ok(())
}
