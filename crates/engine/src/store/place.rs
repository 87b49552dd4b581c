//! Where a state is: a folder of this machine, or a bucket of an S3 service.

use super::StoreError;
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// Amazon's own; a service elsewhere takes any name (Amazon S3 API reference, "Signature Version 4").
const REGION: &str = "us-east-1";

#[derive(Debug, Clone)]
pub enum StatePlace {
    Folder(PathBuf),
    Bucket(Bucket),
}

/// A bucket, and how to get at it.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(super) name: String,
    pub(super) prefix: String,
    pub(super) endpoint: Option<String>,
    pub(super) region: String,
    pub(super) key: Credentials,
    pub(super) authorities: Option<PathBuf>,
}

/// What the environment says about S3; the caller reads it.
#[derive(Debug, Clone, Default)]
pub struct S3Config {
    /// `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`; Amazon's without one.
    pub endpoint: Option<String>,
    /// `AWS_REGION` or `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// `AWS_ACCESS_KEY_ID`.
    pub key_id: Option<String>,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret: Option<Secret>,
    /// `AWS_SESSION_TOKEN`.
    pub token: Option<Secret>,
    /// `AWS_CA_BUNDLE`: certificates (PEM) to trust instead of the public authorities.
    pub authorities: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub(super) struct Credentials {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) token: Option<Secret>,
}

/// Text that no message shows.
#[derive(Clone)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Bucket {
    /// A bucket as its URL and the environment say. Nothing is asked over the network.
    ///
    /// # Errors
    /// When a credential is missing, or the endpoint is none that a secret may be sent to.
    pub fn new(name: &str, prefix: &str, access: S3Config) -> Result<Self, StoreError> {
        let place = url(name, prefix);
        let lacks = |variable: &str| StoreError::Credentials {
            place: place.clone(),
            reason: format!("{variable} is not set"),
        };
        let S3Config { endpoint, region, key_id, secret, token, authorities } = access;
        let key = Credentials {
            id: key_id.ok_or_else(|| lacks("AWS_ACCESS_KEY_ID"))?,
            secret: secret.ok_or_else(|| lacks("AWS_SECRET_ACCESS_KEY"))?,
            token,
        };
        let endpoint = endpoint.map(|text| checked(&text)).transpose()?;
        let region = match region {
            Some(region) => region,
            None if endpoint.is_some() => REGION.to_owned(),
            None => return Err(lacks("neither AWS_ENDPOINT_URL nor AWS_REGION")),
        };
        let (name, prefix) = (name.to_owned(), prefix.to_owned());
        Ok(Self { name, prefix, endpoint, region, key, authorities })
    }

    /// Who serves it: `https://…`.
    pub(super) fn service(&self) -> String {
        let amazon = || format!("https://s3.{}.amazonaws.com", self.region);
        self.endpoint.clone().unwrap_or_else(amazon)
    }

    /// May the connection be without TLS? [`checked`] lets only loopback be.
    pub(super) fn is_plain(&self) -> bool {
        self.service().starts_with("http://")
    }
}

impl StatePlace {
    /// Can nothing have been noted here yet? A bucket is there before anything is.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Folder(folder) if !folder.exists())
    }

    /// What tells this state from every other on a machine, whatever folder it is named from.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Folder(folder) => {
                let folder = folder.canonicalize().unwrap_or_else(|_| folder.clone());
                folder.display().to_string()
            }
            Self::Bucket(bucket) => {
                let service = hex::encode(Sha256::digest(bucket.service()));
                format!("{}#{service}", url(&bucket.name, &bucket.prefix))
            }
        }
    }
}

impl fmt::Display for StatePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Bucket(bucket) => bucket.fmt(f),
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", url(&self.name, &self.prefix), self.service())
    }
}

fn url(name: &str, prefix: &str) -> String {
    if prefix.is_empty() { format!("s3://{name}") } else { format!("s3://{name}/{prefix}") }
}

/// The address of a service, as far as it is one: credentials and state go there, so it is either
/// TLS or this machine.
fn checked(text: &str) -> Result<String, StoreError> {
    let no = |problem: &'static str| {
        // It may hold a password.
        let shown = if text.contains('@') { "what is set" } else { text };
        StoreError::Endpoint { endpoint: shown.to_owned(), problem }
    };
    let uri: hyper::Uri = text.parse().map_err(|_| no("is no URL"))?;
    let host = uri.host().filter(|h| !h.is_empty()).ok_or_else(|| no("has no host"))?;
    if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
        return Err(no("has a user in it; credentials have variables of their own"));
    }
    if uri.query().is_some() {
        return Err(no("has a query in it"));
    }
    let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let loopback = host == "localhost" || address.is_some_and(|a| a.is_loopback());
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if loopback => {}
        Some("http") => {
            return Err(no("is plain http, which only this machine may be spoken to in"));
        }
        _ => return Err(no("is neither https:// nor http://")),
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(endpoint: &str) -> S3Config {
        S3Config {
            endpoint: Some(endpoint.to_owned()),
            key_id: Some("id".to_owned()),
            secret: Some(Secret("hunter2".to_owned())),
            token: Some(Secret("hunter3".to_owned())),
            ..S3Config::default()
        }
    }

    #[test]
    fn secrets_go_over_tls_or_stay_here() {
        let good = [
            "https://s3.example",
            "https://s3.example:9000/",
            "http://127.0.0.1:9000",
            "http://127.9.8.7",
            "http://[::1]:9000",
            "http://localhost:9000",
        ];
        for endpoint in good {
            let bucket = Bucket::new("shop", "team", access(endpoint)).unwrap();
            assert_eq!(bucket.is_plain(), endpoint.starts_with("http:"), "{endpoint}");
        }
        for endpoint in [
            "http://s3.example",
            "http://10.0.0.1:9000",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "ftp://127.0.0.1",
            "s3.example",
            "https://",
            "https://s3.example/?x=1",
            "https://ana:hunter2@s3.example",
        ] {
            let error = Bucket::new("shop", "team", access(endpoint)).unwrap_err();
            assert!(matches!(error, StoreError::Endpoint { .. }), "{endpoint}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
        }
    }

    #[test]
    fn a_missing_credential_is_named_and_no_secret_is_shown() {
        let full = access("https://s3.example");
        let bucket = StatePlace::Bucket(Bucket::new("shop", "", full.clone()).unwrap());
        assert!(!format!("{bucket:?} {bucket} {full:?}").contains("hunter"));
        assert_eq!(bucket.to_string(), "s3://shop at https://s3.example");
        for (lacking, name) in [
            (S3Config { key_id: None, ..full.clone() }, "AWS_ACCESS_KEY_ID"),
            (S3Config { secret: None, ..full.clone() }, "AWS_SECRET_ACCESS_KEY"),
            (S3Config { endpoint: None, ..full.clone() }, "AWS_REGION"),
        ] {
            let error = Bucket::new("shop", "", lacking).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("s3://shop"), "{error}");
        }
    }

    #[test]
    fn states_of_two_services_are_two() {
        let id =
            |endpoint| StatePlace::Bucket(Bucket::new("shop", "", access(endpoint)).unwrap()).id();
        assert_eq!(id("https://a.example"), id("https://a.example/"));
        assert_ne!(id("https://a.example"), id("https://b.example"));
    }
}
