//! systemd over D-Bus: one connection for the whole run.
//!
//! Only the system bus is asked. systemd's private socket would do without one, but names itself in a
//! way that the D-Bus library refuses, and every machine has a bus.

use crate::failure::{Context, Failure, Result};
use futures_util::StreamExt;
use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;
use zbus::zvariant::DynamicType;
use zbus::{
    Connection, Message, MessageStream, OwnedObjectPath, OwnedVariant, connection::Builder,
};

const BUS: &str = "unix:path=/run/dbus/system_bus_socket";
const NAME: &str = "org.freedesktop.systemd1";
const PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
/// systemd answers in milliseconds; while it reloads many units it may take some seconds.
const ANSWER: Duration = Duration::from_secs(25);
/// Twice systemd's own start time-out, which ends almost every job before.
const JOB: Duration = Duration::from_secs(180);

#[derive(Clone)]
pub(crate) struct Systemd {
    connection: Connection,
    /// systemd sends the ends of jobs only to those who asked, once.
    subscribed: Rc<Cell<bool>>,
}

/// A unit as systemd knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    /// `loaded`, `not-found`, `masked`, …
    pub(crate) load: String,
    /// `active`, `inactive`, `failed`, …
    pub(crate) active: String,
    /// `running`, `exited`, `auto-restart`, …
    pub(crate) sub: String,
    /// `enabled`, `disabled`, `static`, …; empty for a unit without a file.
    pub(crate) file: String,
    /// A file of it was changed since systemd read it.
    pub(crate) stale: bool,
}

/// A service's main process as systemd knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Service {
    /// How often systemd has started it again by itself, since somebody started it.
    pub(crate) restarts: u32,
    /// How the last one ended, as `waitid` says it: 1 by itself, 2 and 3 by a signal, 0 while it runs.
    pub(crate) code: i32,
    /// Of its exit, or the signal.
    pub(crate) status: i32,
    /// `success`, `exit-code`, `signal`, `oom-kill`, …
    pub(crate) result: String,
}

impl Systemd {
    /// # Errors
    /// When the bus does not answer: dbus is not installed or not running.
    pub(crate) async fn connect() -> Result<Self> {
        let bus = async { Builder::address(BUS).method_timeout(ANSWER).build().await };
        let connection =
            tokio::time::timeout(ANSWER, bus)
                .await
                .during("asking the system bus")?
                .during("asking the system bus (systemctl status dbus.socket says more)")?;
        Ok(Self { connection, subscribed: Rc::default() })
    }

    async fn call<B>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> zbus::Result<Message>
    where
        B: serde::Serialize + DynamicType,
    {
        self.connection.call_method(Some(NAME), path, Some(interface), method, body).await
    }

    async fn manager<B>(&self, method: &str, body: &B) -> Result<Message>
    where
        B: serde::Serialize + DynamicType,
    {
        self.call(PATH, MANAGER, method, body).await.during(format!("systemd, {method}"))
    }

    pub(crate) async fn unit(&self, name: &str) -> Result<Unit> {
        let path: OwnedObjectPath = body(&self.manager("LoadUnit", &(name,)).await?)?;
        let all = self
            .call(path.as_str(), "org.freedesktop.DBus.Properties", "GetAll", &(UNIT,))
            .await
            .during(format!("systemd, state of {name}"))?;
        let all: HashMap<String, OwnedVariant> = body(&all)?;
        let text = |key: &str| {
            all.get(key).and_then(|v| <&str>::try_from(v).ok()).unwrap_or_default().to_owned()
        };
        Ok(Unit {
            load: text("LoadState"),
            active: text("ActiveState"),
            sub: text("SubState"),
            file: text("UnitFileState"),
            stale: all.get("NeedDaemonReload").is_some_and(|v| bool::try_from(v).unwrap_or(false)),
        })
    }

    /// What the main process of a service did.
    pub(crate) async fn service(&self, name: &str) -> Result<Service> {
        let path: OwnedObjectPath = body(&self.manager("LoadUnit", &(name,)).await?)?;
        let all = self
            .call(path.as_str(), "org.freedesktop.DBus.Properties", "GetAll", &(SERVICE,))
            .await
            .during(format!("systemd, process of {name}"))?;
        let all: HashMap<String, OwnedVariant> = body(&all)?;
        let number = |key: &str| all.get(key).and_then(|v| i32::try_from(v).ok()).unwrap_or(0);
        let result = all.get("Result").and_then(|v| <&str>::try_from(v).ok());
        Ok(Service {
            restarts: all.get("NRestarts").and_then(|v| u32::try_from(v).ok()).unwrap_or(0),
            code: number("ExecMainCode"),
            status: number("ExecMainStatus"),
            result: result.unwrap_or_default().to_owned(),
        })
    }

    /// Names of units that are in one of these states, for example `failed`.
    pub(crate) async fn names(&self, states: &[&str]) -> Result<Vec<String>> {
        type Row = (
            String,
            String,
            String,
            String,
            String,
            String,
            OwnedObjectPath,
            u32,
            String,
            OwnedObjectPath,
        );
        let rows: Vec<Row> = body(&self.manager("ListUnitsFiltered", &(states,)).await?)?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// Reads all unit files again, generated ones included.
    pub(crate) async fn reload(&self) -> Result<()> {
        self.manager("Reload", &()).await.map(drop)
    }

    pub(crate) async fn enable(&self, name: &str, enabled: bool) -> Result<()> {
        if enabled {
            // runtime: false, force: true (an old link elsewhere is replaced)
            self.manager("EnableUnitFiles", &(vec![name], false, true)).await?;
        } else {
            self.manager("DisableUnitFiles", &(vec![name], false)).await?;
        }
        self.reload().await
    }

    pub(crate) async fn mask(&self, name: &str, masked: bool) -> Result<()> {
        if masked {
            self.manager("MaskUnitFiles", &(vec![name], false, true)).await?;
        } else {
            self.manager("UnmaskUnitFiles", &(vec![name], false)).await?;
        }
        self.reload().await
    }

    /// Forgets earlier failures, so that the start limit does not refuse the next start.
    pub(crate) async fn reset_failed(&self, name: &str) {
        // A unit that is not loaded has nothing to forget.
        let _ = self.manager("ResetFailedUnit", &(name,)).await;
    }

    /// Runs a job (`StartUnit`, `StopUnit`, `RestartUnit`, `ReloadUnit`) and waits for its end.
    ///
    /// # Errors
    /// When systemd refuses it, when it ends otherwise than `done`, or after three minutes.
    pub(crate) async fn job(&self, method: &str, name: &str) -> Result<()> {
        // Before the job begins, so that its end cannot be missed.
        let rule = zbus::MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .interface(MANAGER)
            .member("JobRemoved")
            .build()
            .during("systemd, JobRemoved")?;
        let mut signals = MessageStream::for_match_rule(rule, &self.connection, None)
            .await
            .during("systemd, JobRemoved")?;
        if !self.subscribed.replace(true) {
            self.manager("Subscribe", &()).await?;
        }
        let begun = match self.call(PATH, MANAGER, method, &(name, "replace")).await {
            // Neither its file nor a process is there: its package is not yet, or no more.
            Err(error) if method == "StopUnit" && is_unknown(&error) => return Ok(()),
            begun => begun.during(format!("systemd, {method}"))?,
        };
        let job: OwnedObjectPath = body(&begun)?;
        let end = async {
            while let Some(signal) = signals.next().await {
                let signal = signal.during("systemd, JobRemoved")?;
                let (_, path, _, result): (u32, OwnedObjectPath, String, String) = body(&signal)?;
                if path == job {
                    return Ok(result);
                }
            }
            Err(Failure::new("systemd closed the connection"))
        };
        match tokio::time::timeout(JOB, end).await {
            Ok(Ok(result)) if result == "done" => Ok(()),
            Ok(Ok(result)) => Err(Failure::new(format!("{method} of {name} ended as {result}"))),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Failure::new(format!(
                "{method} of {name} did not end within {} s",
                JOB.as_secs()
            ))),
        }
    }
}

fn is_unknown(error: &zbus::Error) -> bool {
    let no_unit = "org.freedesktop.systemd1.NoSuchUnit";
    matches!(error, zbus::Error::MethodError(name, ..) if name.as_str() == no_unit)
}

fn body<T>(message: &Message) -> Result<T>
where
    T: for<'d> serde::Deserialize<'d> + zbus::zvariant::Type,
{
    message.body().deserialize::<T>().during("reading systemd's answer")
}
