//! One look at a service: does it answer as it should?

use crate::certificate;
use crate::failure::{Context, Failure, Result};
use crate::machine::{Machine, journal};
use crate::net::http::{self, Request};
use crate::net::{look, mysql, resp};
use crate::process;
use crate::resource::redis::cluster_info;
use andamio_manifest::{Cause, Check, Request as Asked};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// One try; a service that takes longer to answer is not ready.
const TRY: Duration = Duration::from_secs(5);
/// A command has a program to start first.
const COMMAND: Duration = Duration::from_secs(10);

/// Asks once, for a bounded time.
pub(super) async fn once(check: &Check, machine: &mut Machine) -> Result<()> {
    let limit = match check {
        // It has its own limit, at which it is ended.
        Check::Command { .. } => COMMAND * 2,
        _ => TRY,
    };
    match tokio::time::timeout(limit, ask(check, machine)).await {
        Ok(result) => result,
        Err(_) => Err(Failure::new(format!("no answer within {} s", limit.as_secs()))),
    }
}

/// Between two tries: a service that comes up is noticed at once, and not disturbed meanwhile.
pub(super) fn interval(check: &Check) -> Duration {
    Duration::from_millis(if matches!(check, Check::Command { .. }) { 1000 } else { 100 })
}

async fn ask(check: &Check, machine: &mut Machine) -> Result<()> {
    match check {
        Check::Tcp(address) => {
            tokio::net::TcpStream::connect(address).await.map(drop).during(address)
        }
        Check::Http(url) => request(&plain(url)?).await,
        Check::Request(asked) => request(asked).await,
        Check::Command { container, command } => run(container, command).await,
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

fn plain(url: &str) -> Result<Asked> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| Failure::new(format!("{url} does not begin with http://")))?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let path = if path.is_empty() { "/" } else { path }.to_owned();
    Ok(Asked { address, path, host: None, headers: BTreeMap::new(), status: Vec::new() })
}

async fn request(asked: &Asked) -> Result<()> {
    let answer = look::look(asked).await?;
    let fine = match asked.status.as_slice() {
        [] => (200..300).contains(&answer.status),
        accepted => accepted.contains(&answer.status),
    };
    if fine {
        return Ok(());
    }
    let accepted: Vec<String> = asked.status.iter().map(u16::to_string).collect();
    let wanted = if accepted.is_empty() { "2xx".to_owned() } else { accepted.join(" or ") };
    let host = asked.host.as_ref().map_or_else(String::new, |host| format!(" (Host: {host})"));
    let to = answer.location.map_or_else(String::new, |to| format!(" to {to}"));
    let text = format!(
        "http://{}{}{host} answers {}{to}, not {wanted}: {}",
        asked.address, asked.path, answer.status, answer.body
    );
    let text = text.trim_end_matches([' ', ':']).to_owned();
    // These say that it will be another time, as all of 5xx do; the others are its answer.
    let is_decided =
        (200..500).contains(&answer.status) && ![408, 425, 429].contains(&answer.status);
    Err(if is_decided { Failure::because(Cause::Application, text) } else { Failure::new(text) })
}

/// What a command that is run in a container can be found by: podman leaves it running when it is ended itself.
const MARK: &str = "ANDAMIO_CHECK";

async fn run(container: &str, command: &[String]) -> Result<()> {
    let mark = format!("{MARK}={}", std::process::id());
    let mut argv = vec!["podman", "exec", "--env", &mark, container];
    argv.extend(command.iter().map(String::as_str));
    let result = process::run(&argv, "", COMMAND).await;
    if result.is_err() {
        end_marked(&mark);
    }
    result.map(drop).map_err(|failure| {
        let said = failure.to_string();
        let said = said.strip_prefix("podman failed ").unwrap_or(&said);
        Failure::new(format!("`{}` {said}", command.join(" ")))
    })
}

fn end_marked(mark: &str) {
    let Ok(entries) = fs::read_dir("/proc") else { return };
    for entry in entries.flatten() {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(pid) = pid
            && environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
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

#[cfg(test)]
mod tests;
