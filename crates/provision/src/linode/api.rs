//! One question to the API: pages, tries, and what an answer that is none means.

use andamio_https::Client;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::RETRY_AFTER;
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use std::time::Duration;

/// For a whole answer.
const ANSWER: Duration = Duration::from_secs(20);
/// Bytes; the list of types has about 60 kB.
const LARGEST: usize = 8 << 20;
/// The most that a page may have (Linode API v4, "Pagination").
const PAGE_SIZE: u32 = 500;
const TRIES: u32 = 4;
/// Between tries, doubled each time; and the most that the API's own wish is followed.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Where the API is, from the variables that the Terraform provider reads too.
#[derive(Debug, Clone, Default)]
pub struct ApiConfig {
    /// `LINODE_URL`, without the version; Linode's own when it is not set.
    pub url: Option<String>,
    /// `LINODE_API_VERSION`: `v4` when it is not set.
    pub version: Option<String>,
    /// `LINODE_CA`: certificates (PEM) to trust instead of the public authorities.
    pub authorities: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("{0} is not an address of an API: it begins with http:// or https://")]
    Address(String),
    #[error(transparent)]
    Https(#[from] andamio_https::Error),
    #[error("{url}: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("{url} answers {status}: {reason}")]
    Refused { url: String, status: u16, reason: String },
    #[error("{url} has an answer that is none of API v4: {reason}")]
    Answer { url: String, reason: String },
    #[error("the price list of {url} has no {what}")]
    Missing { url: String, what: String },
}

pub(super) struct Api {
    client: Client<Empty<Bytes>>,
    /// With the version, without a slash at the end.
    pub(super) base: String,
}

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
    pages: u32,
}

impl Api {
    pub(super) fn new(access: &ApiConfig) -> Result<Self, ApiError> {
        let url = access.url.as_deref().unwrap_or("https://api.linode.com").trim_end_matches('/');
        let plain = url.starts_with("http://");
        if !plain && !url.starts_with("https://") {
            return Err(ApiError::Address(url.to_owned()));
        }
        let client = andamio_https::client(access.authorities.as_deref(), plain)?;
        let version = access.version.as_deref().unwrap_or("v4");
        Ok(Self { client, base: format!("{url}/{version}") })
    }

    /// Everything in a list.
    pub(super) async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, ApiError> {
        let mut all = Vec::new();
        let mut number = 1;
        loop {
            let url = format!("{}{path}?page={number}&page_size={PAGE_SIZE}", self.base);
            let page: Page<T> = self.get(&url).await?;
            all.extend(page.data);
            if number >= page.pages {
                return Ok(all);
            }
            number += 1;
        }
    }

    /// Asks again where the API is busy or does not answer: reading twice is the same as once.
    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, ApiError> {
        let mut tries = 1;
        let mut pause = PAUSE;
        loop {
            let error = match self.once(url).await {
                Ok((status, _, body)) if status.is_success() => {
                    return serde_json::from_slice(&body).map_err(|e| ApiError::Answer {
                        url: url.to_owned(),
                        reason: e.to_string(),
                    });
                }
                Ok((status, wish, body)) => {
                    let error = refused(url, status, &body);
                    let busy = status.is_server_error()
                        || matches!(status.as_u16(), 408 | 429)
                        || body.windows(12).any(|part| part == b"Linode busy.");
                    if !busy {
                        return Err(error);
                    }
                    pause = wish.map_or(pause, |wish| wish.clamp(pause, LONGEST_PAUSE));
                    error
                }
                Err(reason) => ApiError::Unreachable { url: url.to_owned(), reason },
            };
            if tries == TRIES {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            tries += 1;
            pause *= 2;
        }
    }

    async fn once(&self, url: &str) -> Result<(StatusCode, Option<Duration>, Bytes), String> {
        let request = Request::get(url).header("accept", "application/json");
        let request = request.body(Empty::new()).map_err(|e| e.to_string())?;
        let whole = async {
            let response = self.client.request(request).await.map_err(|e| chain(&e))?;
            let (status, wish) = (response.status(), wish(&response));
            let body = Limited::new(response.into_body(), LARGEST).collect().await;
            Ok((status, wish, body.map_err(|e| e.to_string())?.to_bytes()))
        };
        match tokio::time::timeout(ANSWER, whole).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer in {} s", ANSWER.as_secs())),
        }
    }
}

/// How long the API asks for.
fn wish<B>(response: &Response<B>) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// In the API's own words where it has any.
fn refused(url: &str, status: StatusCode, body: &[u8]) -> ApiError {
    #[derive(Deserialize)]
    struct Answer {
        errors: Vec<Reason>,
    }
    #[derive(Deserialize)]
    struct Reason {
        reason: String,
    }
    let reasons = serde_json::from_slice::<Answer>(body).map(|answer| {
        answer.errors.into_iter().map(|error| error.reason).collect::<Vec<_>>().join("; ")
    });
    let reason = reasons.unwrap_or_else(|_| "no reason given".to_owned());
    ApiError::Refused { url: url.to_owned(), status: status.as_u16(), reason }
}

/// With what is behind it: "client error (Connect)" alone helps nobody.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
