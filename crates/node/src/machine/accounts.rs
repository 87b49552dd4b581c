//! Accounts and groups, from /etc/passwd and /etc/group: no name service, no process.

use crate::failure::{Context, Result};
use std::fs;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: String,
    pub(crate) shell: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) gid: u32,
    pub(crate) members: Vec<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Accounts {
    accounts: Vec<Account>,
    groups: Vec<Group>,
}

impl Accounts {
    pub(crate) fn read() -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).during(format!("reading {path}"));
        Ok(Self::parse(&read("/etc/passwd")?, &read("/etc/group")?))
    }

    /// Lines that are not as passwd(5) and group(5) say are passed over, as the C library does.
    pub(crate) fn parse(passwd: &str, group: &str) -> Self {
        let account = |line: &str| {
            let mut field = line.split(':');
            Some(Account {
                name: field.next()?.to_owned(),
                uid: field.nth(1)?.parse().ok()?,
                gid: field.next()?.parse().ok()?,
                home: field.nth(1)?.to_owned(),
                shell: field.next()?.to_owned(),
            })
        };
        let group_of = |line: &str| {
            let mut field = line.split(':');
            Some(Group {
                name: field.next()?.to_owned(),
                gid: field.nth(1)?.parse().ok()?,
                members: field
                    .next()?
                    .split(',')
                    .filter(|m| !m.is_empty())
                    .map(str::to_owned)
                    .collect(),
            })
        };
        Self {
            accounts: passwd.lines().filter_map(account).collect(),
            groups: group.lines().filter_map(group_of).collect(),
        }
    }

    pub(crate) fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|a| a.name == name)
    }

    pub(crate) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|g| g.name == name)
    }

    /// The name of a uid, or the number when nobody has it.
    pub(crate) fn account_name(&self, uid: u32) -> String {
        let account = self.accounts.iter().find(|a| a.uid == uid);
        account.map_or_else(|| uid.to_string(), |a| a.name.clone())
    }

    /// The name of a gid, or the number when nobody has it.
    pub(crate) fn group_name(&self, gid: u32) -> String {
        let group = self.groups.iter().find(|g| g.gid == gid);
        group.map_or_else(|| gid.to_string(), |g| g.name.clone())
    }

    /// Numbers of an owner named in a manifest.
    ///
    /// # Errors
    /// When the account or the group does not exist.
    pub(crate) fn ids(&self, owner: &str, group: &str) -> Result<(u32, u32)> {
        let uid = match (self.account(owner), owner.parse()) {
            (Some(account), _) => account.uid,
            (None, Ok(uid)) => uid,
            (None, Err(_)) => {
                return Err(crate::Failure::new(format!("there is no account {owner}")));
            }
        };
        let gid = match (self.group(group), group.parse()) {
            (Some(group), _) => group.gid,
            (None, Ok(gid)) => gid,
            (None, Err(_)) => {
                return Err(crate::Failure::new(format!("there is no group {group}")));
            }
        };
        Ok((uid, gid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_numbers() {
        let accounts = Accounts::parse(
            "root:x:0:0:root:/root:/bin/bash\nbroken\nredis:x:104:107::/var/lib/redis:/usr/sbin/nologin\n",
            "root:x:0:\nredis:x:107:app,web\n+\n",
        );
        let redis = accounts.account("redis").unwrap();
        assert_eq!((redis.uid, redis.gid, redis.home.as_str()), (104, 107, "/var/lib/redis"));
        assert_eq!(accounts.group("redis").unwrap().members, ["app", "web"]);
        assert_eq!(accounts.ids("redis", "root").unwrap(), (104, 0));
        assert_eq!(accounts.ids("1000", "1000").unwrap(), (1000, 1000));
        assert!(accounts.ids("nobody-here", "root").is_err());
        assert_eq!(
            (accounts.account_name(104), accounts.group_name(9)),
            ("redis".into(), "9".into())
        );
    }
}
