//! systemd units: enabled, masked, running, and restarted when what they read has changed.

use super::{Resource, Say, probe};
use crate::diff::Diff;
use crate::failure::{Failure, Result};
use crate::machine::stamp::Stamp;
use crate::machine::systemd;
use crate::machine::{Machine, Mode};
use andamio_manifest::Unit;

/// How a running unit takes what has changed.
#[derive(Debug, PartialEq, Eq)]
enum Refresh {
    No,
    Reload(String),
    Restart(String),
}

impl Resource for Unit {
    async fn diff(&self, machine: &mut Machine) -> Result<Diff> {
        let systemd = match machine.systemd().await {
            // The bus comes with a package that is not there yet.
            Err(_) if machine.comes_later() => {
                let missing = systemd::Unit { load: "not-found".to_owned(), ..Default::default() };
                return absent(self, machine, &missing, Diff::default());
            }
            systemd => systemd?,
        };
        let mut state = systemd.unit(&self.name).await?;
        let wanted = self.running == Some(true) || self.enabled == Some(true);
        if state.load == "not-found" && wanted && machine.mode == Mode::Apply {
            // Its file may have been written by this run, or by one that was killed right after.
            machine.reload_units(&systemd).await?;
            state = systemd.unit(&self.name).await?;
        }
        let mut diff = Diff::default();
        if matches!(&*state.load, "not-found" | "bad-setting" | "error") {
            return absent(self, machine, &state, diff);
        }
        compare_files(self, &state, &mut diff)?;
        match self.running {
            Some(true) if !up(&state) && !is_judged_later(&self.name, machine, &state) => {
                diff.minus(format!("{} ({})", state.active, state.sub));
                diff.plus("active");
                diff.down = true;
            }
            // Also one that fails and is started again and again: it takes what another one needs.
            Some(false) if !rests(&state) => {
                diff.minus(&state.active);
                diff.plus("inactive");
                diff.disrupts |= self.disrupts;
            }
            Some(false) => {}
            _ if up(&state) => {
                match refresh(self, machine)? {
                    Refresh::No => {}
                    Refresh::Reload(why) => diff.plus(format!("reload: {why}")),
                    Refresh::Restart(why) => {
                        diff.plus(format!("restart: {why}"));
                        diff.disrupts |= self.disrupts;
                    }
                };
            }
            _ => {}
        }
        if diff.is_empty() && state.stale {
            diff.plus("daemon-reload: a file of it was changed on disk");
        }
        Ok(diff)
    }

    async fn make(&self, machine: &mut Machine, say: &Say) -> Result<String> {
        let systemd = machine.systemd().await?;
        let mut state = systemd.unit(&self.name).await?;
        if machine.reload_needed || state.stale {
            machine.reload_needed = true;
            machine.reload_units(&systemd).await?;
            state = systemd.unit(&self.name).await?;
        }
        if (state.file == "masked") != self.masked {
            systemd.mask(&self.name, self.masked).await?;
            state = systemd.unit(&self.name).await?;
        }
        if let Some(enabled) = self.enabled.filter(|_| !self.masked)
            && enabled != is_enabled(&state)
        {
            systemd.enable(&self.name, enabled).await?;
        }
        let mut declared = Stamp::declared(self, &machine.manifest);
        // What is not there yet is not what the unit runs with.
        declared.triggers.retain(|id, _| !machine.failed(id));
        let (method, verb) = match self.running {
            Some(false) if !rests(&state) => ("StopUnit", "stopping"),
            Some(false) => return Ok(String::new()),
            Some(true) if !up(&state) => ("StartUnit", "starting"),
            None if !up(&state) => return Ok(String::new()),
            _ => match refresh(self, machine)? {
                Refresh::No => return Ok(String::new()),
                Refresh::Reload(_) => ("ReloadUnit", "reloading"),
                Refresh::Restart(_) => ("RestartUnit", "restarting"),
            },
        };
        say.say(format!("{verb} {}", self.name));
        if method == "StartUnit" && !rests(&state) {
            // That attempt began before what it needs was there, for example its image.
            if job(self, machine, method).await.is_err() {
                job(self, machine, "RestartUnit").await?;
            }
        } else {
            job(self, machine, method).await?;
        }
        if method != "StopUnit" && !(self.restart_on.is_empty() && self.reload_on.is_empty()) {
            declared.write(&self.name)?;
        }
        Ok(String::new())
    }

    fn doing(&self) -> String {
        self.name.clone()
    }
}

/// systemd has no such unit, or cannot read it.
fn absent(
    declared: &Unit,
    machine: &Machine,
    state: &systemd::Unit,
    mut diff: Diff,
) -> Result<Diff> {
    // Nothing to run, nothing to stop.
    let gone = state.load == "not-found" && !declared.masked;
    if gone && declared.running != Some(true) && declared.enabled != Some(true) {
        return Ok(diff);
    }
    if declared.masked {
        diff.plus("masked");
    } else if machine.comes_later() {
        if let Some(true) = declared.enabled {
            diff.plus("enabled");
        }
        if let Some(true) = declared.running {
            diff.plus("active");
            diff.down = true;
        }
    } else {
        return Err(Failure::new(match &*state.load {
            "not-found" => {
                format!("systemd has no unit {}: is its package installed?", declared.name)
            }
            load => {
                format!("systemd cannot read {} ({load}): systemd-analyze verify it", declared.name)
            }
        }));
    }
    Ok(diff)
}

/// What its files say: masked, enabled.
fn compare_files(declared: &Unit, state: &systemd::Unit, diff: &mut Diff) -> Result<()> {
    let masked = state.file == "masked";
    if masked != declared.masked {
        diff.value("", &state.file, if declared.masked { "masked" } else { "not masked" });
    }
    if declared.masked {
        return Ok(());
    }
    let Some(enabled) = declared.enabled else { return Ok(()) };
    if enabled && matches!(&*state.file, "static" | "") && !masked {
        return Err(Failure::new(format!(
            "{} has no [Install] section and cannot be enabled: leave `enabled` out",
            declared.name
        )));
    }
    if enabled != is_enabled(state) {
        diff.value("", &state.file, if enabled { "enabled" } else { "disabled" });
    }
    Ok(())
}

/// Whether what the unit reads has changed since it read it.
fn refresh(declared: &Unit, machine: &Machine) -> Result<Refresh> {
    if declared.restart_on.is_empty() && declared.reload_on.is_empty() {
        return Ok(Refresh::No);
    }
    let Some(stamp) = Stamp::read(&declared.name)? else {
        return Ok(Refresh::Restart("it was not started by this node yet".to_owned()));
    };
    let wanted = Stamp::declared(declared, &machine.manifest);
    let changed = |watched: &[String]| {
        let mut ids = stamp.differing(&wanted, watched);
        ids.retain(|id| !machine.failed(id));
        if machine.mode == Mode::Check {
            // Nothing loses its stamp in a check; this run knows what would.
            ids.extend(watched.iter().map(String::as_str).filter(|id| machine.changes(id)));
        }
        ids.sort_unstable();
        ids.dedup();
        ids.join(", ")
    };
    let (restart, reload) = (changed(&declared.restart_on), changed(&declared.reload_on));
    Ok(if !restart.is_empty() {
        Refresh::Restart(restart)
    } else if !reload.is_empty() {
        Refresh::Reload(reload)
    } else {
        Refresh::No
    })
}

async fn job(declared: &Unit, machine: &mut Machine, method: &str) -> Result<()> {
    let systemd = machine.systemd().await?;
    if method != "StopUnit" {
        systemd.reset_failed(&declared.name).await;
    }
    let ended = systemd.job(method, &declared.name).await;
    let state = systemd.unit(&declared.name).await?;
    let fine = match method {
        "StopUnit" => rests(&state),
        _ => {
            let later = is_judged_later(&declared.name, machine, &state);
            up(&state) || later || declared.running.is_none()
        }
    };
    let failed = match ended {
        Ok(()) if fine => return Ok(()),
        Ok(()) => Failure::new(format!(
            "{} is {} ({}) after {method}",
            declared.name, state.active, state.sub
        )),
        Err(failure) => failure,
    };
    Err(probe::explain_start(&declared.name, failed, machine).await)
}

/// It was started by this run, has ended and is being started again: its probe has the time to see whether it
/// stays, and says why it does not.
fn is_judged_later(name: &str, machine: &Machine, state: &systemd::Unit) -> bool {
    machine.mode == Mode::Apply
        && state.sub == "auto-restart"
        && machine.changes(&format!("unit:{name}"))
        && probe::judges(machine, name)
}

/// Running, or going through a reload.
fn up(state: &systemd::Unit) -> bool {
    matches!(&*state.active, "active" | "reloading" | "refreshing")
}

/// Neither runs nor is about to.
fn rests(state: &systemd::Unit) -> bool {
    matches!(&*state.active, "inactive" | "failed")
}

/// Starts at boot, by a link of its own or by what generated it.
fn is_enabled(state: &systemd::Unit) -> bool {
    matches!(&*state.file, "enabled" | "generated" | "alias" | "indirect" | "linked")
}
