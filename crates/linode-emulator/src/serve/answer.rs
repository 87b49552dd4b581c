//! From a request to its answer: token, rate limit, faults that are asked for, handler, headers. The
//! same for every route.

use crate::api::{self, Handler, Route};
use crate::app::App;
use crate::call::Call;
use crate::error::Errors;
use crate::fault::What;
use crate::filter::Filter;
use crate::limits::{self, Class, Quota};
use crate::store::Body;
use axum::Router;
use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::{RawPathParams, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;

/// User data may have 64 KiB, a certificate with its chain less.
const BODY: usize = 1 << 20;
/// Both name the same API here: clients send what is new there to the second.
const VERSIONS: &[&str] = &["/v4", "/v4beta"];

pub(super) fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for route in api::routes() {
        for version in VERSIONS {
            let app = Arc::clone(&app);
            let filter = match route.method {
                "GET" => MethodFilter::GET,
                "POST" => MethodFilter::POST,
                "PUT" => MethodFilter::PUT,
                _ => MethodFilter::DELETE,
            };
            let handle = move |parts: RawPathParams, request: Request| {
                let path = parts.iter().map(|(_, value)| value.to_owned()).collect();
                answer(Arc::clone(&app), route, path, request)
            };
            router = router.route(&format!("{version}{}", route.path), on(filter, handle));
        }
    }
    router
        .fallback(|| async { respond(&Err(Errors::not_found()), None) })
        .method_not_allowed_fallback(|| async { respond(&Err(Errors::method_not_allowed()), None) })
}

async fn answer(
    app: Arc<App>,
    route: &'static Route,
    path: Vec<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let token = token(&parts.headers);
    if !(app.admits(token) || route.open && token.is_empty()) {
        return respond(&Err(Errors::unauthorized()), None);
    }
    let quota = app
        .options
        .rate_limits
        .then(|| app.limits.count(digest(token), class(route, &parts.method), limits::now()));
    if let Some(Quota { refused: Some(wait), .. }) = quota {
        return respond(&Err(Errors::too_many(wait)), quota);
    }
    let fault = app.options.faults.strike(route.method, without_version(&parts.uri));
    if let Some(answer) = refusal(&app, fault).await {
        return answer.map_or_else(cut_off, |errors| respond(&Err(errors), quota));
    }
    let answer = match call(path, &parts.uri, &parts.headers, body).await {
        Err(errors) => Err(errors),
        Ok(call) => match route.handler {
            Handler::Read(read) => app.read(|state| read(state, &call)).await,
            Handler::Write(write) => app.write(|tx| write(tx, &call)).await,
        },
    };
    if fault == Some(What::Lost) {
        return cut_off();
    }
    respond(&answer, quota)
}

/// What is answered instead; `Some(None)` is nothing at all.
async fn refusal(app: &App, fault: Option<What>) -> Option<Option<Errors>> {
    match fault? {
        What::Lost => None,
        What::TooMany => Some(Some(Errors::too_many(1))),
        What::Internal => Some(Some(Errors::server(500, "Internal server error"))),
        What::Unavailable => Some(Some(Errors::server(503, "Service unavailable"))),
        What::RequestTimeout => Some(Some(Errors::server(408, "Request timed out"))),
        What::Busy => Some(Some(Errors::busy())),
        What::Timeout => {
            tokio::time::sleep(app.options.timeout).await;
            Some(None)
        }
    }
}

/// An answer whose body breaks off at once: the server closes the connection, and the client has
/// nothing that it could take for an answer.
fn cut_off() -> Response {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    let nothing = Gone(Some(broken));
    let mut response = Response::new(HttpBody::new(nothing));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}

/// A body that is an error.
struct Gone(Option<std::io::Error>);

impl hyper::body::Body for Gone {
    type Data = hyper::body::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Ready(self.0.take().map(Err))
    }
}

async fn call(
    path: Vec<String>,
    uri: &Uri,
    headers: &HeaderMap,
    body: HttpBody,
) -> Result<Call, Errors> {
    let body = to_bytes(body, BODY).await;
    let body = body.map_err(|_| Errors::server(413, "The request is too large"))?;
    let body = match serde_json::from_slice(&body) {
        _ if body.is_empty() => Body::new(),
        Ok(Value::Object(object)) => object,
        Ok(Value::Null) => Body::new(),
        _ => return Err(Errors::bad("The request's body must be a JSON object")),
    };
    let filter = match headers.get("x-filter") {
        None => Filter::default(),
        Some(text) => {
            let text = text.to_str();
            let text = text.map_err(|_| Errors::field("X-Filter", "Must be a JSON object"))?;
            if text.trim().is_empty() { Filter::default() } else { Filter::parse(text)? }
        }
    };
    Ok(Call { path, query: query(uri), filter, body })
}

/// Only numbers are asked for in a query: nothing in it needs decoding.
fn query(uri: &Uri) -> HashMap<String, String> {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn token(headers: &HeaderMap) -> &str {
    let value = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    value
        .and_then(|v| v.strip_prefix("Bearer ").or(v.strip_prefix("bearer ")))
        .map_or("", str::trim)
}

/// Limits are counted for each token, and the token itself is not kept.
fn digest(token: &str) -> u64 {
    let digest = Sha256::digest(token.as_bytes());
    digest.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn class(route: &Route, method: &Method) -> Class {
    match route.path {
        "/linode/instances" if method == Method::POST => Class::CreateInstance,
        _ if route.paginated => Class::Page,
        _ => Class::Other,
    }
}

fn without_version(uri: &Uri) -> &str {
    let path = uri.path();
    let rest = path.strip_prefix('/').and_then(|p| p.find('/')).map(|at| &path[at + 1..]);
    rest.unwrap_or(path)
}

fn respond(answer: &Result<Value, Errors>, quota: Option<Quota>) -> Response {
    let (status, value, retry_after) = match answer {
        Ok(value) => (200, value.to_string(), None),
        Err(errors) => (errors.status, errors.to_json().to_string(), errors.retry_after),
    };
    let mut response = Response::new(HttpBody::from(value));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    // Exactly this: linodego takes an error with any other type for something that is not from the API.
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(quota) = quota {
        headers.insert("x-ratelimit-limit", HeaderValue::from(quota.limit));
        headers.insert("x-ratelimit-remaining", HeaderValue::from(quota.remaining));
        headers.insert("x-ratelimit-reset", HeaderValue::from(quota.reset));
    }
    response
}
