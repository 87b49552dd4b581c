//! Figures for Prometheus, in its text format.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use axum::{extract::State, http::header, response::IntoResponse};

use super::App;

/// Upper bounds in seconds.
const BUCKETS: [f64; 12] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0];

#[derive(Default)]
pub(crate) struct Metrics(Mutex<BTreeMap<(String, String), Route>>);

#[derive(Default)]
struct Route {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum_s: f64,
    statuses: BTreeMap<u16, u64>,
}

impl Metrics {
    /// `route` is the pattern, not the path: as many series as there are routes.
    pub(crate) fn record(&self, method: &str, route: &str, status: u16, took: Duration) {
        let mut routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = routes.entry((method.into(), route.into())).or_default();
        let seconds = took.as_secs_f64();
        for (bound, bucket) in BUCKETS.iter().zip(&mut entry.buckets) {
            if seconds <= *bound {
                *bucket += 1;
            }
        }
        entry.count += 1;
        entry.sum_s += seconds;
        *entry.statuses.entry(status).or_default() += 1;
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let routes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = "ficharfirm_http_request_duration_seconds";
        head(out, name, "histogram", "Time from a request's arrival to its answer.")?;
        for ((method, route), r) in routes.iter() {
            let labels = format!("method=\"{method}\",route=\"{route}\"");
            for (bound, count) in BUCKETS.iter().zip(r.buckets) {
                writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}")?;
            }
            writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", r.count)?;
            writeln!(out, "{name}_sum{{{labels}}} {}", r.sum_s)?;
            writeln!(out, "{name}_count{{{labels}}} {}", r.count)?;
        }
        let name = "ficharfirm_http_requests_total";
        head(out, name, "counter", "Requests by answer.")?;
        for ((method, route), r) in routes.iter() {
            for (status, count) in &r.statuses {
                writeln!(
                    out,
                    "{name}{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}} {count}"
                )?;
            }
        }
        let name = "ficharfirm_http_errors_total";
        head(out, name, "counter", "Requests answered with a status of 500 or more.")?;
        for ((method, route), r) in routes.iter() {
            let errors: u64 = r.statuses.range(500..).map(|(_, count)| count).sum();
            writeln!(out, "{name}{{method=\"{method}\",route=\"{route}\"}} {errors}")?;
        }
        Ok(())
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn gauge(out: &mut String, name: &str, help: &str, value: impl fmt::Display) -> fmt::Result {
    head(out, name, "gauge", help)?;
    writeln!(out, "{name} {value}")
}

pub(crate) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let mut out = String::with_capacity(16 * 1024);
    // Writing to a String cannot fail.
    let _ = write(&app, &mut out);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], out)
}

fn write(app: &App, out: &mut String) -> fmt::Result {
    app.metrics.write(out)?;
    let gauges = app.health.gauges();
    let seconds = |ms: i64| if ms < 0 { -1.0 } else { ms as f64 / 1000.0 };
    head(out, "ficharfirm_up", "gauge", "Whether a service answers this process.")?;
    for (service, up) in [
        ("mariadb", app.health.database()),
        ("redis", app.cache.ok()),
        ("rabbitmq", app.relay.ok()),
    ] {
        writeln!(out, "ficharfirm_up{{service=\"{service}\"}} {}", u8::from(up))?;
    }
    gauge(
        out,
        "ficharfirm_outbox_depth",
        "Sign requests that the broker has not confirmed.",
        gauges.depth.unsent,
    )?;
    gauge(
        out,
        "ficharfirm_sign_backlog",
        "Sign requests that no worker has done.",
        gauges.depth.undone,
    )?;
    gauge(
        out,
        "ficharfirm_sign_backlog_age_seconds",
        "Age of the oldest sign request that is not done; 0 without one.",
        seconds(gauges.depth.oldest_ms),
    )?;
    if let Some(depth) = app.relay.depth() {
        let help = "Messages that wait in the queue.";
        head(out, "ficharfirm_queue_depth", "gauge", help)?;
        writeln!(out, "ficharfirm_queue_depth{{queue=\"{}\"}} {depth}", crate::queue::QUEUE)?;
    }
    gauge(out, "ficharfirm_workers", "Workers heard of within 16 seconds.", gauges.workers.alive)?;
    gauge(
        out,
        "ficharfirm_worker_heartbeat_age_seconds",
        "Time since any worker was heard of; -1 where none ever was.",
        seconds(gauges.workers.newest_beat_ms),
    )?;
    gauge(
        out,
        "ficharfirm_requests_in_flight",
        "Requests being answered.",
        app.in_flight.load(std::sync::atomic::Ordering::Relaxed),
    )?;
    head(out, "ficharfirm_build_info", "gauge", "What is running.")?;
    let release = app.config.release.replace(['"', '\\', '\n'], "_");
    writeln!(
        out,
        "ficharfirm_build_info{{version=\"{}\",release=\"{release}\"}} 1",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_cumulative_buckets_and_errors() {
        let metrics = Metrics::default();
        metrics.record("POST", "/p", 201, Duration::from_millis(4));
        metrics.record("POST", "/p", 503, Duration::from_secs(60));
        let mut out = String::new();
        metrics.write(&mut out).unwrap();
        for line in [
            "_bucket{method=\"POST\",route=\"/p\",le=\"0.002\"} 0",
            "_bucket{method=\"POST\",route=\"/p\",le=\"0.005\"} 1",
            "_bucket{method=\"POST\",route=\"/p\",le=\"+Inf\"} 2",
            "ficharfirm_http_errors_total{method=\"POST\",route=\"/p\"} 1",
        ] {
            assert!(out.contains(line), "{line} is not in\n{out}");
        }
    }
}
