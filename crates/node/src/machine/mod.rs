//! What many resources ask of the machine, read once per run and again only after a change.

pub(crate) mod accounts;
pub(crate) mod dpkg;
pub(crate) mod journal;
pub(crate) mod nft;
pub(crate) mod stamp;
pub(crate) mod systemd;

use crate::failure::Result;
use crate::resource::probe::Watch;
pub(crate) use accounts::Accounts;
use andamio_manifest::{Kind, Manifest, Resource, ServiceCertificate};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::SystemTime;
use systemd::Systemd;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Says what differs, changes nothing.
    Check,
    Apply,
}

/// The machine during one run.
pub(crate) struct Machine {
    pub(crate) manifest: Rc<Manifest>,
    pub(crate) mode: Mode,
    /// Whether the node ever applied a manifest here.
    pub(crate) known: bool,
    /// Ids of resources that were changed, or would be, in this run.
    changed: BTreeSet<String>,
    /// Ids of resources that are not as declared after this run.
    failed: BTreeSet<String>,
    /// Roles of those that were changed.
    roles: BTreeSet<String>,
    /// The resource at work and its role.
    pub(crate) current: (String, String),
    /// Token of the change of the firewall that this run has made; it goes to the operator.
    pub(crate) unconfirmed: Option<String>,
    /// Certificates whose services are told at the end of the run.
    pub(crate) untold: Vec<ServiceCertificate>,
    /// systemd has not read a unit file that was written.
    pub(crate) reload_needed: bool,
    /// What the units behind probes do, from the first of their role's probes on.
    pub(crate) watches: BTreeMap<String, Watch>,
    /// When the run began.
    pub(crate) begun: SystemTime,
    /// systemd has read all unit files in this run.
    reloaded: bool,
    packages: Option<dpkg::Status>,
    accounts: Option<Accounts>,
    systemd: Option<Systemd>,
}

impl Machine {
    pub(crate) fn new(manifest: Rc<Manifest>, mode: Mode, known: bool) -> Self {
        Self {
            manifest,
            mode,
            known,
            changed: BTreeSet::new(),
            failed: BTreeSet::new(),
            roles: BTreeSet::new(),
            current: Default::default(),
            unconfirmed: None,
            untold: Vec::new(),
            reload_needed: false,
            watches: BTreeMap::new(),
            begun: SystemTime::now(),
            reloaded: false,
            packages: None,
            accounts: None,
            systemd: None,
        }
    }

    /// Status of all packages, from /var/lib/dpkg/status.
    pub(crate) fn packages(&mut self) -> Result<&dpkg::Status> {
        if self.packages.is_none() {
            self.packages = Some(dpkg::Status::read()?);
        }
        Ok(self.packages.get_or_insert_default())
    }

    /// Accounts and groups, from /etc/passwd and /etc/group.
    pub(crate) fn accounts(&mut self) -> Result<&Accounts> {
        if self.accounts.is_none() {
            self.accounts = Some(Accounts::read()?);
        }
        Ok(self.accounts.get_or_insert_default())
    }

    /// systemd over one D-Bus connection.
    pub(crate) async fn systemd(&mut self) -> Result<Systemd> {
        if let Some(systemd) = &self.systemd {
            return Ok(systemd.clone());
        }
        let systemd = Systemd::connect().await?;
        self.systemd = Some(systemd.clone());
        Ok(systemd)
    }

    /// Packages and accounts are read again by whoever asks next.
    pub(crate) fn forget(&mut self) {
        self.packages = None;
        self.accounts = None;
    }

    /// Called before anything is done to a resource: units that watch it lose their stamp of it, so
    /// that a kill between the change and the restart is not lost.
    pub(crate) fn before_change(&self, id: &str) -> Result<()> {
        for resource in &self.manifest.resources {
            if let Kind::Unit(unit) = &resource.kind
                && unit.restart_on.iter().chain(&unit.reload_on).any(|trigger| trigger == id)
            {
                stamp::forget(&unit.name, id)?;
            }
        }
        Ok(())
    }

    /// Makes systemd read unit files that it has not read, at least once in a run.
    pub(crate) async fn reload_units(&mut self, systemd: &Systemd) -> Result<()> {
        if self.reload_needed || !self.reloaded {
            systemd.reload().await?;
            self.reload_needed = false;
            self.reloaded = true;
        }
        Ok(())
    }

    pub(crate) fn note_change(&mut self, resource: &Resource) {
        self.changed.insert(resource.id());
        self.roles.insert(resource.role.clone());
    }

    pub(crate) fn note_failure(&mut self, resource: &Resource) {
        self.failed.insert(resource.id());
    }

    /// Whether a resource failed, so that nothing has to be restarted because of it.
    pub(crate) fn failed(&self, id: &str) -> bool {
        self.failed.contains(id)
    }

    pub(crate) fn any_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    pub(crate) fn changes(&self, id: &str) -> bool {
        self.changed.contains(id)
    }

    /// In a check: something before would change, so what is missing now may be there then.
    pub(crate) fn comes_later(&self) -> bool {
        self.mode == Mode::Check && !self.changed.is_empty()
    }

    /// As [`Machine::comes_later`], only for changes of the same role.
    pub(crate) fn role_comes_later(&self) -> bool {
        self.mode == Mode::Check && self.roles.contains(&self.current.1)
    }
}
