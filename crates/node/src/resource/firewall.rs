//! The table `inet andamio`: replaced whole and at once, kept in /etc/nftables.d/andamio.nft (0600)
//! for the next boot, and undone unless the operator confirms it over a second connection.
//!
//! Drift is a live table other than the one that was seen after the last change ([`nft`]), or a source other than
//! the applied one.

use super::{Resource, Say};
use crate::diff::Diff;
use crate::disk;
use crate::failure::{Context, Result};
use crate::machine::Machine;
use crate::machine::nft::{self, Applied, Previous, SOURCE};
use crate::operator::confirm;
use andamio_manifest::Firewall;
use std::fs;
use std::path::Path;

impl Resource for Firewall {
    async fn diff(&self, machine: &mut Machine) -> Result<Diff> {
        let mut diff = Diff::default();
        let applied = Applied::read()?;
        let live = match nft::live_json().await {
            // nft comes with a package that is not there yet.
            Err(_) if machine.comes_later() => None,
            live => live?,
        };
        let source = nft::source()?.unwrap_or_default();
        if source != self.ruleset {
            diff.text(&source, &self.ruleset);
        } else if let (Some(applied), Some(live)) = (&applied, &live) {
            if applied.live != *live {
                let now = nft::live_text().await?.unwrap_or_default();
                diff.text(&now, &applied.text);
                if diff.is_empty() {
                    diff.remark("the live table differs from the one that was applied");
                }
            }
        } else if live.is_none() {
            diff.plus("table inet andamio (it is not loaded)");
        }
        if diff.is_empty() && applied.is_none_or(|applied| !applied.is_of(&self.ruleset)) {
            diff.remark("it is not known whether the live table is the declared one");
        }
        if diff.is_empty()
            && let Some((token, _)) = confirm::pending()?
            && machine.unconfirmed.as_ref() != Some(&token)
        {
            // The run that changed it was killed before its operator knew the token.
            diff.remark("its last change is not confirmed");
        }
        Ok(diff)
    }

    async fn prepare(&self, _: &mut Machine) -> Result<()> {
        nft::judge(&self.ruleset).await
    }

    async fn make(&self, machine: &mut Machine, say: &Say) -> Result<String> {
        let folder = Path::new(SOURCE).parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder).during(format!("creating {}", folder.display()))?;
        let previous = match confirm::pending()? {
            // What a second connection never confirmed is nothing to go back to.
            Some((_, previous)) => previous,
            None => Previous::read().await?,
        };
        // The guard stands before the change: a kill in between leaves nobody locked out.
        let token = confirm::guard(&previous)?;
        say.say("replacing the table");
        if let Err(failure) = nft::replace(&self.ruleset).await {
            confirm::cancel(&token);
            return Err(failure);
        }
        disk::write(Path::new(SOURCE), self.ruleset.as_bytes(), 0o600)?;
        Applied::note(&self.ruleset).await?;
        machine.unconfirmed = Some(token);
        Ok(String::new())
    }

    fn unconfirmed(&self, machine: &Machine) -> Option<String> {
        machine.unconfirmed.clone()
    }

    fn doing(&self) -> String {
        "firewall".to_owned()
    }
}
