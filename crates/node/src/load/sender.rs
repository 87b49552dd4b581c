//! Requests and their answers: kept connections, no redirects, no second try.

use super::TIMEOUT;
use crate::failure::{Context, Failure, Result};
use andamio_https::Client;
use andamio_manifest::{LoadJob, LoadRequest};
use bytes::Bytes;
use http::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Uri};
use http_body_util::{BodyExt, Full};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// Requests under way: each has a connection while it is. What finds no place in time is a timeout, as it would
/// be at a server that takes two thousand and no more.
const AT_ONCE: usize = 2000;

/// One of the requests that are sent again and again.
pub(super) struct Prepared {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    /// Answers that are no failure; empty for any 2xx.
    status: Vec<u16>,
}

pub(super) struct Sender {
    client: Client<Full<Bytes>>,
    places: Semaphore,
    /// Scheme and authority of what connections are made to.
    base: String,
    host: Option<HeaderValue>,
}

impl Sender {
    pub(super) fn new(job: &LoadJob) -> Result<Self> {
        let bad = || Failure::new(format!("{} is no URL that a load can be sent to", job.url));
        let url: Uri = job.url.parse().map_err(|_| bad())?;
        let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err(bad());
        };
        if !matches!(scheme, "http" | "https") || !matches!(url.path(), "" | "/") {
            return Err(bad());
        }
        let (mut to, mut host, mut name) = (authority.to_string(), None, None);
        if let Some(address) = &job.address {
            to.clone_from(address);
            host = Some(HeaderValue::from_str(authority.as_str()).during("the host's name")?);
            name = Some(authority.host());
        }
        let trusted = job.authority.as_deref().map(Path::new);
        let client = andamio_https::measuring(trusted, name, TIMEOUT).during("the client")?;
        Ok(Self { client, places: Semaphore::new(AT_ONCE), base: format!("{scheme}://{to}"), host })
    }

    fn prepare(&self, request: &LoadRequest) -> Result<Prepared> {
        let what = |part: &str| format!("{part} of {} {}", request.method, request.path);
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static("andamio-load"));
        if let Some(host) = &self.host {
            headers.insert(HOST, host.clone());
        }
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).during(what("a header"))?;
            headers.insert(name, HeaderValue::from_str(value).during(what("a header"))?);
        }
        Ok(Prepared {
            method: Method::from_bytes(request.method.as_bytes()).during(what("the method"))?,
            uri: format!("{}{}", self.base, request.path).parse().during(what("the path"))?,
            headers,
            body: Bytes::from(request.body.clone()),
            status: request.status.clone(),
        })
    }

    /// What failed; nothing for a success.
    pub(super) async fn send(&self, request: &Prepared, due: Instant) -> Option<String> {
        let whole = async {
            // It is never closed.
            let _place = self.places.acquire().await;
            self.exchange(request).await
        };
        match tokio::time::timeout_at((due + TIMEOUT).into(), whole).await {
            Ok(Ok(status)) if request.expects(status) => None,
            Ok(Ok(status)) => Some(format!("status {status}")),
            Ok(Err(problem)) => Some(format!("connection: {problem}")),
            Err(_) => Some("timeout".to_owned()),
        }
    }

    async fn exchange(&self, request: &Prepared) -> std::result::Result<u16, String> {
        let mut sent = http::Request::new(Full::new(request.body.clone()));
        *sent.method_mut() = request.method.clone();
        *sent.uri_mut() = request.uri.clone();
        *sent.headers_mut() = request.headers.clone();
        let answer = self.client.request(sent).await.map_err(|e| causes(&e))?;
        let status = answer.status().as_u16();
        // An answer counts when all of it is there, and nobody keeps it.
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            frame.map_err(|e| causes(&e))?;
        }
        Ok(status)
    }
}

impl Prepared {
    #[cfg(test)]
    pub(super) fn path(&self) -> &str {
        self.uri.path()
    }

    fn expects(&self, status: u16) -> bool {
        if self.status.is_empty() {
            return (200..300).contains(&status);
        }
        self.status.contains(&status)
    }
}

/// Which request is next: each as often as its weight says, evenly mixed.
pub(super) struct Schedule {
    /// With weight, and credit from the rounds in which others were sent.
    requests: Vec<(Arc<Prepared>, i64, i64)>,
}

impl Schedule {
    pub(super) fn new(sender: &Sender, requests: &[LoadRequest]) -> Result<Self> {
        if requests.is_empty() || requests.iter().any(|request| request.weight == 0) {
            return Err(Failure::new("a load needs requests, each with a weight"));
        }
        let one = |request: &LoadRequest| {
            Ok((Arc::new(sender.prepare(request)?), i64::from(request.weight), 0))
        };
        Ok(Self { requests: requests.iter().map(one).collect::<Result<_>>()? })
    }

    pub(super) fn next(&mut self) -> Option<Arc<Prepared>> {
        let whole: i64 = self.requests.iter().map(|(_, weight, _)| weight).sum();
        for (_, weight, credit) in &mut self.requests {
            *credit += *weight;
        }
        // Of equals the first.
        let (chosen, _, credit) = self.requests.iter_mut().rev().max_by_key(|(_, _, c)| *c)?;
        *credit -= whole;
        Some(Arc::clone(chosen))
    }
}

/// An error with what is behind it, without saying a part twice.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
