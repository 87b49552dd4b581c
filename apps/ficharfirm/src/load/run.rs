//! Signing in, sending on schedule, and looking afterwards for what was acknowledged.

use std::{
    collections::{BTreeMap, HashSet},
    io::Write as _,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{mpsc, watch};

use super::{
    LoadError, Outcome, READ_EVERY, TIMEOUT,
    accounts::{Account, choose, read},
    client::{Answer, Client, Shared},
    stats::{Sample, Stats},
};
use crate::{cli::Load, keys::random_name, output};

/// Before and after the load, patience is no part of what is measured.
const PATIENCE: Duration = Duration::from_secs(60);

struct SignedIn {
    employee: String,
    token: String,
}

/// An acknowledged punch, as `--out` writes it.
#[derive(Debug, Serialize, Deserialize)]
struct Acknowledged {
    employee: String,
    id: String,
    seq: u64,
    hash: String,
    recorded_at: String,
}

struct Ended {
    sample: Sample,
    acknowledged: Option<Acknowledged>,
}

pub(crate) async fn run(load: Load) -> Result<ExitCode, LoadError> {
    let accounts = choose(read(load.accounts.as_deref())?, load.rate)?;
    let client = Arc::new(Client::new(&load.url, load.ca.as_deref(), load.connect)?);
    output::note(&format!("signing in {} accounts", accounts.len()));
    let signed_in: Vec<Arc<SignedIn>> = stream::iter(accounts)
        .map(|account| sign_in(Arc::clone(&client), account))
        .buffered(4)
        .try_collect()
        .await?;
    let Load { rate, seconds, .. } = load;
    output::note(&if load.json {
        // Who reads figures reads when they begin.
        json!({"v": 1, "type": "begun", "rate": rate, "seconds": seconds}).to_string()
    } else {
        format!("{rate} requests a second for {seconds} s")
    });
    let (mut stats, acknowledged, end) = send(&client, &signed_in, &load).await;
    if let Some(path) = &load.out {
        let failed = |e| LoadError::Write(path.display().to_string(), e);
        let mut file = std::io::BufWriter::new(std::fs::File::create(path).map_err(failed)?);
        for punch in &acknowledged {
            let line = serde_json::to_string(punch).unwrap_or_default();
            writeln!(file, "{line}").map_err(failed)?;
        }
        file.flush().map_err(failed)?;
    }
    output::note("looking for what was acknowledged");
    let (missing, unread) = look(&client, &signed_in, &acknowledged).await;
    let outcome = Outcome {
        requests: stats.requests(),
        failures: stats.failures,
        longest_gap_ms: stats.longest_gap(end).as_millis() as u64,
        p50_ms: round(stats.percentile(0.5)),
        p99_ms: round(stats.percentile(0.99)),
        acknowledged: acknowledged.len() as u64,
        missing,
        unread,
        timeline: stats.timeline(),
        causes: stats.causes,
    };
    let printed = if load.json { output::json(&outcome) } else { output::line(&outcome.text()) };
    printed.map_err(LoadError::Print)?;
    Ok(outcome.status())
}

fn round(ms: f64) -> f64 {
    (ms * 10.0).round() / 10.0
}

async fn sign_in(client: Shared, account: Account) -> Result<Arc<SignedIn>, LoadError> {
    #[derive(Deserialize)]
    struct Token {
        token: String,
    }
    let Account { employee, pin } = account;
    let end = Instant::now() + PATIENCE;
    let body = json!({"employee": employee, "pin": pin}).to_string();
    loop {
        let sending = client.send("POST", "/api/v1/sessions", None, Some(body.clone()));
        let problem = match tokio::time::timeout(TIMEOUT * 5, sending).await {
            Ok(Answer::Status(200 | 201, body)) => match serde_json::from_slice::<Token>(&body) {
                Ok(Token { token }) => return Ok(Arc::new(SignedIn { employee, token })),
                Err(error) => error.to_string(),
            },
            // Trying again would only make the limit's failures more.
            Ok(Answer::Status(status @ (400 | 401 | 403 | 404 | 429), _)) => {
                return Err(LoadError::SignIn(employee, format!("status {status}")));
            }
            Ok(Answer::Status(status, _)) => format!("status {status}"),
            Ok(Answer::Connection(problem)) => problem,
            Err(_) => "no answer".into(),
        };
        if Instant::now() > end {
            return Err(LoadError::SignIn(employee, problem));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Sends on schedule, whatever comes back. Returns when every request has ended.
async fn send(
    client: &Shared,
    accounts: &[Arc<SignedIn>],
    load: &Load,
) -> (Stats, Vec<Acknowledged>, Instant) {
    let (ended, mut all) = mpsc::unbounded_channel::<Ended>();
    let collecting = tokio::spawn(async move {
        let mut samples = Vec::new();
        while let Some(one) = all.recv().await {
            samples.push(one);
        }
        samples
    });
    let total = u64::from(load.rate) * u64::from(load.seconds);
    let mut stopped = interrupt();
    let began = Instant::now();
    let mut end = began + Duration::from_secs(u64::from(load.seconds));
    for index in 0..total {
        let due = began + Duration::from_secs_f64(index as f64 / f64::from(load.rate));
        tokio::select! {
            () = tokio::time::sleep_until(due.into()) => {}
            _ = stopped.changed() => {
                end = Instant::now();
                break;
            }
        }
        let Some(account) = accounts.get(index as usize % accounts.len()) else { break };
        let (client, account, ended) = (Arc::clone(client), Arc::clone(account), ended.clone());
        tokio::spawn(async move {
            // The receiver stays until the last of these is gone.
            let _ = ended.send(one(&client, &account, index, due).await);
        });
    }
    drop(ended);
    let samples = collecting.await.unwrap_or_default();
    let mut stats = Stats::new(began);
    let mut acknowledged = Vec::new();
    for one in samples {
        stats.add(one.sample);
        acknowledged.extend(one.acknowledged);
    }
    (stats, acknowledged, end)
}

/// Changes at the first interrupt, which ends the load early, with the figures so far; the second ends the process.
fn interrupt() -> watch::Receiver<bool> {
    let (tell, stopped) = watch::channel(false);
    tokio::spawn(async move {
        for again in [false, true] {
            if tokio::signal::ctrl_c().await.is_err() {
                // Nobody can interrupt, and nobody is told.
                std::future::pending::<()>().await;
            }
            if again {
                leave();
            }
            let _ = tell.send(true);
        }
    });
    stopped
}

#[expect(clippy::exit, reason = "somebody asked twice, and nothing is kept")]
fn leave() -> ! {
    std::process::exit(130)
}

async fn one(client: &Client, account: &SignedIn, index: u64, due: Instant) -> Ended {
    let SignedIn { employee, token } = account;
    let reads = index % READ_EVERY == READ_EVERY - 1;
    let answer = tokio::time::timeout_at((due + TIMEOUT).into(), async {
        if reads {
            return client.send("GET", &sheet(employee, &this_month()), Some(token), None).await;
        }
        let id = random_name().unwrap_or_else(|_| format!("load-{index}"));
        // By the second, so that an account that is punched often goes in and out in turn.
        let kind = if (index / READ_EVERY).is_multiple_of(2) { "in" } else { "out" };
        let body = json!({"id": id, "employee": employee, "kind": kind}).to_string();
        client.send("POST", "/api/v1/punches", Some(token), Some(body)).await
    })
    .await;
    let ended = Instant::now();
    let mut acknowledged = None;
    let failure = match answer {
        Err(_) => Some("timeout".into()),
        Ok(Answer::Connection(problem)) => Some(format!("connection: {problem}")),
        Ok(Answer::Status(200..=299, _)) if reads => None,
        Ok(Answer::Status(200..=299, body)) => match acknowledge(employee, &body) {
            Some(punch) => {
                acknowledged = Some(punch);
                None
            }
            None => Some("an acknowledgement that can't be read".into()),
        },
        Ok(Answer::Status(status, _)) => Some(format!("status {status}")),
    };
    let sample = Sample { ended, took: ended.saturating_duration_since(due), failure };
    Ended { sample, acknowledged }
}

fn acknowledge(employee: &str, body: &[u8]) -> Option<Acknowledged> {
    let mut value: serde_json::Value = serde_json::from_slice(body).ok()?;
    value.as_object_mut()?.insert("employee".into(), employee.into());
    serde_json::from_value(value).ok()
}

fn this_month() -> String {
    crate::month::Month::of(jiff::Timestamp::now()).to_string()
}

fn sheet(employee: &str, month: &str) -> String {
    format!("/api/v1/employees/{employee}/timesheets/{month}")
}

/// How many acknowledged punches the timesheets don't show, and how many stand in ones that can't be read.
async fn look(
    client: &Shared,
    accounts: &[Arc<SignedIn>],
    acknowledged: &[Acknowledged],
) -> (u64, u64) {
    let mut sheets: BTreeMap<(&str, &str), HashSet<&str>> = BTreeMap::new();
    for punch in acknowledged {
        let month = punch.recorded_at.get(..7).unwrap_or_default();
        sheets.entry((&punch.employee, month)).or_default().insert(&punch.id);
    }
    let end = Instant::now() + PATIENCE;
    let (mut missing, mut unread) = (0, 0);
    for ((employee, month), ids) in sheets {
        let token = accounts.iter().find(|a| a.employee == employee).map(|a| a.token.as_str());
        match read_sheet(client, &sheet(employee, month), token, end).await {
            Some(shown) => {
                missing += ids.iter().filter(|id| !shown.contains(**id)).count() as u64;
            }
            None => unread += ids.len() as u64,
        }
    }
    (missing, unread)
}

async fn read_sheet(
    client: &Client,
    path: &str,
    token: Option<&str>,
    end: Instant,
) -> Option<HashSet<String>> {
    #[derive(Deserialize)]
    struct Record {
        id: String,
    }
    #[derive(Deserialize)]
    struct Sheet {
        records: Vec<Record>,
    }
    loop {
        let sending = client.send("GET", path, token, None);
        if let Ok(Answer::Status(200, body)) = tokio::time::timeout(TIMEOUT * 10, sending).await
            && let Ok(sheet) = serde_json::from_slice::<Sheet>(&body)
        {
            return Some(sheet.records.into_iter().map(|r| r.id).collect());
        }
        if Instant::now() > end {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
