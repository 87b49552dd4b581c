//! Waits until a service answers. Changes nothing, but for a broker that lost its own accounts.

use super::Say;
use super::redis::cluster_info;
use crate::certificate;
use crate::failure::{Context, Failure, Result};
use crate::machine::{Machine, Mode, journal};
use crate::net::http::{self, Request};
use crate::net::{mysql, resp};
use andamio_manifest::{Cause, Check, Outcome, Probe};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Between two tries: a service that comes up is noticed at once, and not disturbed meanwhile.
const INTERVAL: Duration = Duration::from_millis(100);
/// A broker that is just starting lets nobody in for a moment.
const LOCKED_OUT: Duration = Duration::from_secs(10);
/// A unit that ended so often while it was waited for does not stay: with systemd's pauses in between that
/// takes some eight seconds.
const ENDED: u32 = 4;
/// A unit is active as soon as its process runs; one that ends at once is told from one that stays by this.
const STAYS: Duration = Duration::from_secs(1);
/// One try; a service that takes longer to answer is not ready.
const TRY: Duration = Duration::from_secs(5);

/// Waits for the answer; in a check it asks once. The message is the last error.
///
/// # Errors
/// When the service did not answer in time. In a check of a machine that was never applied there is
/// nothing to ask yet: that is [`Outcome::Skipped`].
pub(crate) async fn wait(
    probe: &Probe,
    machine: &mut Machine,
    say: &Say,
) -> Result<(Outcome, String)> {
    let begin = Instant::now();
    let deadline = Duration::from_secs(probe.deadline_s);
    let mut told = String::new();
    let mut restarted = false;
    let mut watch = Watch::default();
    loop {
        let result = match tokio::time::timeout(TRY, ask(&probe.check, machine)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::new(format!("no answer within {} s", TRY.as_secs()))),
        };
        let ended = watch.look(probe, machine).await;
        if result.is_ok() && watch.stays(&probe.check, machine) {
            return Ok((Outcome::Ok, String::new()));
        }
        if ended >= ENDED {
            return Err(Failure::new(format!(
                "{} does not stay: {} ended {ended} times since it was started; {}",
                probe.name,
                probe.unit.as_deref().unwrap_or_default(),
                last_words(probe, machine).await
            )));
        }
        let Err(failure) = result else {
            tokio::time::sleep(INTERVAL).await;
            continue;
        };
        if machine.mode == Mode::Check {
            if !machine.known {
                return Ok((Outcome::Skipped, "nothing was applied here yet".to_owned()));
            }
            return Err(failure);
        }
        // After its disk was full it runs and knows nobody any more, until it is started again.
        let locked_out = matches!(probe.check, Check::Rabbitmq { .. })
            && failure.cause() == Some(Cause::LockedOut);
        if locked_out && !restarted && begin.elapsed() >= LOCKED_OUT {
            restarted = true;
            say.say("restarting rabbitmq, which knows none of its accounts");
            machine.systemd().await?.job("RestartUnit", "rabbitmq-server.service").await?;
        }
        if begin.elapsed() >= deadline {
            let said = match &probe.unit {
                Some(_) => format!("; {}", last_words(probe, machine).await),
                None => String::new(),
            };
            return Err(Failure::new(format!(
                "{} did not answer within {} s: {failure}{said}",
                probe.name, probe.deadline_s
            )));
        }
        if told != failure.to_string() {
            told = failure.to_string();
            say.waits_for(format!("{}: {told}", probe.name));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// What the unit behind a probe does while it is waited for.
#[derive(Default)]
struct Watch {
    /// How often it had been started again when it was first looked at.
    before: Option<u32>,
    now: u32,
    /// Since when it has been seen to run without ending.
    since: Option<Instant>,
}

impl Watch {
    /// How often the unit ended since the first look. A check waits for nothing, so it does not look.
    async fn look(&mut self, probe: &Probe, machine: &mut Machine) -> u32 {
        let Some(unit) = probe.unit.as_ref().filter(|_| machine.mode == Mode::Apply) else {
            return 0;
        };
        let Ok(systemd) = machine.systemd().await else { return 0 };
        let Ok(now) = systemd.restarts(unit).await else { return 0 };
        let before = *self.before.get_or_insert(now);
        if now != self.now || self.since.is_none() {
            self.since = Some(Instant::now());
        }
        self.now = now;
        // Somebody may have started it anew meanwhile, which counts from nothing.
        now.saturating_sub(before)
    }

    /// That a unit is active is worth something when it was so for a moment; an answer is worth more. One that
    /// was not looked at has nothing to prove: it was not started just now, or this is a check.
    fn stays(&self, check: &Check, machine: &Machine) -> bool {
        let just_started = match check {
            Check::Unit(unit) => machine.changes(&format!("unit:{unit}")),
            _ => false,
        };
        !just_started || self.since.is_none_or(|since| since.elapsed() >= STAYS)
    }
}

/// The state of the unit that should have answered, and what it said last.
async fn last_words(probe: &Probe, machine: &mut Machine) -> String {
    let Some(unit) = &probe.unit else { return String::new() };
    let state = match machine.systemd().await {
        Ok(systemd) => systemd.unit(unit).await,
        Err(failure) => Err(failure),
    };
    let state = match state {
        Ok(state) => format!("{unit} is {} ({})", state.active, state.sub),
        Err(failure) => failure.to_string(),
    };
    format!("{state}; {}", journal::last_lines(unit).await)
}

async fn ask(check: &Check, machine: &mut Machine) -> Result<()> {
    match check {
        Check::Tcp(address) => {
            tokio::net::TcpStream::connect(address).await.map(drop).during(address)
        }
        Check::Http(url) => http(url).await,
        Check::Unit(name) => {
            let unit = machine.systemd().await?.unit(name).await?;
            if unit.active == "active" {
                return Ok(());
            }
            Err(Failure::new(format!("{name} is {} ({})", unit.active, unit.sub)))
        }
        Check::Run(name) => {
            if machine.systemd().await?.unit(name).await?.active != "failed" {
                return Ok(());
            }
            Err(Failure::new(journal::last_line(name).await))
        }
        Check::Certificate { path, days } => certificate::holds(path, *days),
        Check::Mariadb { socket, status } => mariadb(socket, status).await,
        Check::Replication { socket } => crate::task::replica::check(socket).await,
        Check::Redis { address, password } => redis(address, &password.text).await,
        Check::Rabbitmq { management, user, password } => {
            let login = Some((user.as_str(), password.text.as_str()));
            get(management, "/api/health/checks/alarms", login).await
        }
    }
}

async fn http(url: &str) -> Result<()> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| Failure::new(format!("{url} does not begin with http://")))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    get(&address, if path.is_empty() { "/" } else { path }, None).await
}

async fn get(address: &str, path: &str, login: Option<(&str, &str)>) -> Result<()> {
    let answer =
        http::send(&Request { method: "GET", address, path, login, body: "" }, TRY).await?;
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let body: String = answer.body.trim().chars().take(2000).collect();
    let text = format!("http://{address}{path} answers {}: {body}", answer.status);
    Err(match answer.status {
        401 => Failure::because(Cause::LockedOut, text),
        _ => Failure::new(text),
    })
}

async fn mariadb(socket: &str, wanted: &BTreeMap<String, String>) -> Result<()> {
    let mut client = mysql::Client::root(socket).await?;
    // It answers, and no commit comes to an end until a minute after there is room again.
    let waiting = "SELECT 1 FROM information_schema.processlist \
                   WHERE state = 'Waiting for someone to free space'";
    if !client.query(waiting).await?.is_empty() {
        return Err(Failure::new("its commits wait for room on the disk"));
    }
    crate::health::has_room()?;
    if wanted.is_empty() {
        return Ok(());
    }
    let rows = client.query("SHOW GLOBAL STATUS").await?;
    let live: BTreeMap<String, String> = rows
        .into_iter()
        .filter_map(|row| {
            let mut fields = row.into_iter().flatten();
            Some((fields.next()?.to_lowercase(), fields.next()?))
        })
        .collect();
    for (name, wanted) in wanted {
        let value = live.get(&name.to_lowercase()).map_or("not there", String::as_str);
        if !value.eq_ignore_ascii_case(wanted) {
            return Err(Failure::new(format!("{name} is {value}, not {wanted}")));
        }
    }
    Ok(())
}

async fn redis(address: &str, password: &str) -> Result<()> {
    let mut client = resp::Client::connect(address, password).await?;
    client.call(&["PING"]).await?;
    // It answers, and takes no write, for as long as it cannot write its log.
    let persistence = client.call(&["INFO", "persistence"]).await?.text();
    if persistence.contains("aof_last_write_status:err") {
        return Err(Failure::new("it cannot write to its disk"));
    }
    let info = client.call(&["INFO", "cluster"]).await?.text();
    if !info.contains("cluster_enabled:1") {
        return Ok(());
    }
    match cluster_info(&mut client).await?.get("cluster_state").map(String::as_str) {
        Some("ok") => Ok(()),
        state => Err(Failure::new(format!("cluster_state is {}", state.unwrap_or("unknown")))),
    }
}
