//! What is left to do when every resource had its turn.

use crate::certificate::identity;
use crate::failure::Result;
use crate::machine::{Machine, Mode};
use crate::resource::{agent, store};

/// Services take up their new certificates, which folders have data is written down, systemd reads unit files that
/// were written for units nobody declared, and agents go that nobody needs. Where something failed, certificates are for the next run.
pub(super) async fn settle(machine: &mut Machine) -> Result<()> {
    if !machine.any_failed() {
        for identity in std::mem::take(&mut machine.untold) {
            identity::tell(&identity).await?;
        }
    }
    if machine.mode == Mode::Apply {
        store::remember(&machine.manifest)?;
    }
    if machine.reload_needed {
        let systemd = machine.systemd().await?;
        machine.reload_units(&systemd).await?;
    }
    if machine.mode == Mode::Apply {
        agent::tidy(&machine.manifest);
    }
    Ok(())
}
