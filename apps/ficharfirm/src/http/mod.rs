//! The HTTP interface: routes, and what all requests have in common.

mod auth;
mod body;
mod client_address;
mod error;
mod health;
mod metrics;
mod page;
mod punches;
mod server;
mod sessions;
mod sheets;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::sync::Semaphore;
use tracing::Instrument as _;

pub(crate) use server::serve;

use self::{error::ApiError, health::Health, metrics::Metrics};
use crate::{
    cache::Cache, config::Config, keys::random_name, limits::Limits, queue::relay::RelayState,
    signals::Shutdown, store::Store,
};

/// Beyond this many requests at once, new ones are turned away: better a quick no than all too late.
const IN_FLIGHT: usize = 2000;
/// The longest a request may take, its body's arrival included.
const REQUEST: Duration = Duration::from_secs(15);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What handlers work with.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) cache: Cache,
    pub(crate) limits: Limits,
    pub(crate) relay: RelayState,
    pub(crate) shutdown: Shutdown,
    health: Arc<Health>,
    metrics: Metrics,
    /// One PIN's hash takes 19 MiB and a processor: as many at once as there are processors, four at most.
    pin_turns: Arc<Semaphore>,
    in_flight: AtomicUsize,
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    pub(crate) fn new(
        config: Config,
        store: Store,
        cache: Cache,
        relay: RelayState,
        shutdown: Shutdown,
    ) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from).min(4);
        Self(Arc::new(Parts {
            config,
            store,
            limits: Limits::new(cache.clone()),
            cache,
            relay,
            shutdown,
            health: Arc::default(),
            metrics: Metrics::default(),
            pin_turns: Arc::new(Semaphore::new(processors)),
            in_flight: AtomicUsize::new(0),
        }))
    }

    /// Looks at the services; runs beside the server.
    pub(crate) async fn watch(self) {
        Arc::clone(&self.health).watch(self.store.clone()).await;
    }
}

fn router(app: App) -> Router {
    let sheet = "/api/v1/employees/{employee}/timesheets/{month}";
    Router::new()
        .route("/", get(page::index))
        .route("/app.js", get(page::script))
        .route("/style.css", get(page::style))
        .route("/icon.svg", get(page::icon))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/api/v1/sessions", post(sessions::sign_in).delete(sessions::sign_out))
        .route("/api/v1/punches", post(punches::punch))
        .route("/api/v1/corrections", post(punches::correct))
        .route("/api/v1/employees/{employee}/status", get(punches::status))
        .route(sheet, get(sheets::read))
        .route(&format!("{sheet}/sign"), post(sheets::sign))
        .fallback(async || {
            ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
        })
        .method_not_allowed_fallback(async || {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            ApiError::new(status, "method_not_allowed", "this can't be done here")
        })
        .layer(DefaultBodyLimit::max(body::LIMIT))
        .layer(middleware::from_fn_with_state(app.clone(), around))
        .with_state(app)
}

/// Around every request: its id, its time, its log line, and headers that keep browsers careful.
async fn around(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    let method = request.method().as_str().to_owned();
    let route =
        request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let api = request.uri().path().starts_with("/api/");
    let span = tracing::info_span!("request", request_id = %id);

    let counted = Counted::new(&app);
    let mut response = if api && counted.0 > IN_FLIGHT {
        ApiError::unavailable("too much at once").into_response()
    } else {
        match tokio::time::timeout(REQUEST, next.run(request).instrument(span.clone())).await {
            Ok(response) => response,
            Err(_) => ApiError::unavailable("this took too long").into_response(),
        }
    };
    drop(counted);

    let took = started.elapsed();
    let status = response.status().as_u16();
    app.metrics.record(&method, &route, status, took);
    let took_ms = took.as_secs_f64() * 1000.0;
    if api {
        tracing::info!(parent: &span, method, route, status, took_ms, "answered");
    } else {
        tracing::debug!(parent: &span, method, route, status, took_ms, "answered");
    }
    harden(&mut response, api, &id, app.shutdown.begun());
    response
}

struct Counted<'a>(usize, &'a App);

impl<'a> Counted<'a> {
    fn new(app: &'a App) -> Self {
        Self(app.in_flight.fetch_add(1, Ordering::Relaxed) + 1, app)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.1.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The caller's id where it is plain, else a new one.
fn request_id(request: &Request) -> String {
    let plain = |text: &&str| {
        (1..=128).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
    };
    match request.headers().get(REQUEST_ID).and_then(|v| v.to_str().ok()).filter(plain) {
        Some(id) => id.into(),
        None => random_name().unwrap_or_default(),
    }
}

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                   connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

fn harden(response: &mut Response, api: bool, id: &str, draining: bool) {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=()",
        ),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if api {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if draining {
        // Clients with a connection to this process take their next request elsewhere.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}
