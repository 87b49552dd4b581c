//! What a service shows to other machines: there, for the right hosts, good for a while, and taken up.

use super::file::{look, ownership};
use super::{Resource, Say};
use crate::certificate::identity::{LATE, MODE, due, is_untold, put};
use crate::diff::Diff;
use crate::failure::Result;
use crate::machine::Machine;
use andamio_manifest::{SIGNER, ServiceCertificate};
use std::path::Path;

impl Resource for ServiceCertificate {
    async fn diff(&self, machine: &mut Machine) -> Result<Diff> {
        let mut diff = Diff::default();
        if machine.changes(&format!("file:{SIGNER}")) && machine.comes_later() {
            diff.plus("signed anew");
            return Ok(diff);
        }
        if let Some(why) = due(self, LATE)? {
            diff.plus(format!("signed anew: {why}"));
        } else if let Some(meta) = look(Path::new(&self.path))? {
            diff.extend(ownership(machine, &meta, MODE, "root", &self.group)?);
        }
        if is_untold(self) && !machine.untold.contains(self) {
            diff.plus("taken up by its service");
        }
        Ok(diff)
    }

    async fn prepare(&self, machine: &mut Machine) -> Result<()> {
        machine.accounts()?.ids("root", &self.group).map(drop)
    }

    async fn make(&self, machine: &mut Machine, _: &Say) -> Result<String> {
        put(self, machine.accounts()?.ids("root", &self.group)?)?;
        // At the run's end: a service that runs without its files can take up nothing before they are back.
        machine.untold.push(self.clone());
        Ok(String::new())
    }

    fn doing(&self) -> String {
        format!("signing {}", self.path)
    }
}
