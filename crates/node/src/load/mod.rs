//! An exact load: so many requests a second whatever the answers, and what became of each. It ends early at an
//! interrupt, with the figures so far, and when nobody reads any more what it says.

mod sender;
mod stats;

use crate::failure::{Context, Failure, Result};
use andamio_manifest::{LoadFigures, LoadJob, LoadLine};
use sender::{Schedule, Sender};
use stats::{Sample, Stats};
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// A user's patience, from the scheduled send.
const TIMEOUT: Duration = Duration::from_secs(2);
const SECOND: Duration = Duration::from_secs(1);

/// Sends what the job on `input` says. Everything there is to say goes to `each`, figures last.
///
/// # Errors
/// When the job cannot be read, or nothing can be sent as it says.
pub async fn load(
    mut input: impl Read,
    mut each: impl FnMut(&LoadLine) -> std::io::Result<()>,
) -> Result<()> {
    let mut text = String::new();
    input.read_to_string(&mut text).during("reading the job")?;
    let job: LoadJob = serde_json::from_str(&text).during("the job cannot be read")?;
    if job.rate == 0 || job.seconds == 0 {
        return Err(Failure::new("a load needs a rate and a duration"));
    }
    let sender = Arc::new(Sender::new(&job)?);
    let schedule = Schedule::new(&sender, &job.requests)?;
    let (stop, stopped) = watch::channel(false);
    let (ended, mut samples) = mpsc::unbounded_channel::<Sample>();
    let begun = Instant::now();
    each(&LoadLine::Begun).during("saying that it begins")?;
    let (rate, seconds) = (job.rate, job.seconds);
    let sending = tokio::spawn(send(sender, schedule, (rate, seconds), begun, ended, stopped));
    let mut stats = Stats::new(begun);
    let mut interrupt = signal(SignalKind::interrupt()).during("hearing an interrupt")?;
    let mut tick = tokio::time::interval_at((begun + SECOND).into(), SECOND);
    loop {
        // Every request ends within its patience, and the sender is gone by then.
        tokio::select! {
            sample = samples.recv() => match sample {
                Some(sample) => stats.add(&sample),
                None => break,
            },
            _ = tick.tick() => {
                if each(&stats.second()).is_err() {
                    // Whoever wanted to know is gone.
                    let _ = stop.send(true);
                    return Ok(());
                }
            }
            _ = interrupt.recv() => drop(stop.send(true)),
        }
    }
    let end = sending.await.during("sending")?;
    each(&LoadLine::Figures(figures(&stats, end))).during("printing the figures")
}

/// On schedule, whatever comes back; answers when the load ended.
async fn send(
    sender: Arc<Sender>,
    mut schedule: Schedule,
    (rate, seconds): (u32, u32),
    begun: Instant,
    ended: mpsc::UnboundedSender<Sample>,
    mut stopped: watch::Receiver<bool>,
) -> Instant {
    for index in 0..u64::from(rate) * u64::from(seconds) {
        let due = begun + Duration::from_secs_f64(index as f64 / f64::from(rate));
        if due > Instant::now() {
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => {}
                _ = stopped.changed() => {}
            }
        }
        if *stopped.borrow() {
            return Instant::now().min(due);
        }
        let Some(request) = schedule.next() else { break };
        let (sender, ended) = (Arc::clone(&sender), ended.clone());
        tokio::spawn(async move {
            let failure = sender.send(&request, due).await;
            let now = Instant::now();
            let took = now.saturating_duration_since(due);
            let _ = ended.send(Sample { ended: now, took, failure });
        });
    }
    begun + Duration::from_secs(u64::from(seconds))
}

fn figures(stats: &Stats, end: Instant) -> LoadFigures {
    LoadFigures {
        requests: stats.requests(),
        failures: stats.failures(),
        longest_gap_ms: u64::try_from(stats.longest_gap(end).as_millis()).unwrap_or(u64::MAX),
        p50_ms: stats.percentile(0.5),
        p99_ms: stats.percentile(0.99),
        causes: stats.causes(),
        timeline: stats.timeline(),
        ..LoadFigures::default()
    }
}

#[cfg(test)]
mod tests;
