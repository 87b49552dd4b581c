//! Who may do what: keys made through API v4 sign, their limits are kept, and a bucket's ACL says what
//! everybody may read.

use crate::app::App;
use crate::store::{Kind, Record, State};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::host::{S3Host, VirtualHost};
use s3s::{S3Result, s3_error};
use serde_json::Value;
use std::sync::Arc;

pub(super) struct Keys(pub Arc<App>);

/// Where a key's record has its secret. Keys of an emulator that kept none have no such thing.
pub(crate) const SECRET: &str = "secret";

fn key<'s>(state: &'s State, access_key: &str) -> Option<&'s Arc<Record>> {
    let key = state.named(Kind::ObjectKey, access_key);
    let key = key.or_else(|| state.all(Kind::ObjectSigner).next());
    key.filter(|key| key.text("access_key") == access_key)
}

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let secret = |state: &State| {
            let secret = key(state, access_key).and_then(|k| k.hidden.get(SECRET)?.as_str());
            secret.map(SecretKey::from).ok_or_else(|| {
                s3_error!(InvalidAccessKeyId, "There is no such key, or its secret was not kept")
            })
        };
        self.0.read(secret).await
    }
}

#[async_trait::async_trait]
impl S3Access for Keys {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let operation = cx.s3_op().name().to_owned();
        let access_key = cx.credentials().map(|c| c.access_key.clone());
        let bucket = cx.s3_path().get_bucket_name().map(str::to_owned);
        let may = |state: &State| {
            let may = may(state, access_key.as_deref(), bucket.as_deref(), reads(&operation));
            may.then_some(()).ok_or_else(|| s3_error!(AccessDenied))
        };
        self.0.read(may).await
    }
}

fn reads(operation: &str) -> bool {
    ["Get", "Head", "List"].iter().any(|begin| operation.starts_with(begin))
}

/// May this key (or anybody) read or write there? A bucket that is not there is no secret.
pub(super) fn may(
    state: &State,
    access_key: Option<&str>,
    bucket: Option<&str>,
    reads: bool,
) -> bool {
    let key = access_key.and_then(|name| key(state, name));
    let Some(bucket) = bucket else { return key.is_some() };
    let Some(bucket) = state.all(Kind::Bucket).find(|b| b.text("label") == bucket) else {
        return key.is_some();
    };
    let open = match bucket.hidden.get("acl").and_then(Value::as_str) {
        Some("public-read-write") => true,
        Some("public-read") => reads,
        Some("authenticated-read") => reads && key.is_some(),
        _ => false,
    };
    open || key.is_some_and(|key| granted(key, bucket, reads))
}

fn granted(key: &Record, bucket: &Record, reads: bool) -> bool {
    let list = |field: &str| key.body.get(field).and_then(Value::as_array);
    if key.body.get("limited") != Some(&Value::Bool(true)) {
        let regions = list("regions").map_or(&[][..], Vec::as_slice);
        return regions.is_empty() || regions.iter().any(|r| r["id"] == bucket.text("region"));
    }
    list("bucket_access").is_some_and(|granted| {
        granted.iter().any(|to| {
            to["bucket_name"] == bucket.text("label")
                && to["region"] == bucket.text("region")
                && (reads || to["permissions"] == "read_write")
        })
    })
}

/// Buckets as names before that of the service: the one it has here, or those it has at Linode.
pub(super) struct Hosts {
    pub name: String,
}

impl S3Host for Hosts {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let without_port = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let here = without_port.strip_suffix(&self.name);
        let there = without_port.strip_suffix(".linodeobjects.com");
        // The region's name is between the bucket and the domain.
        let there = there.and_then(|rest| rest.rsplit_once('.')).map(|(bucket, _)| bucket);
        let bucket = here.and_then(|rest| rest.strip_suffix('.')).or(there);
        Ok(match bucket.filter(|bucket| !bucket.is_empty()) {
            Some(bucket) => VirtualHost::new(host).with_bucket(bucket),
            None => VirtualHost::new(host),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_in_the_name_of_the_host() {
        let hosts = Hosts { name: "127.0.0.1".to_owned() };
        for (host, bucket) in [
            ("127.0.0.1:9000", None),
            ("team-state.127.0.0.1:9000", Some("team-state")),
            ("a.b.127.0.0.1", Some("a.b")),
            ("fr-par-1.linodeobjects.com", None),
            ("team-state.fr-par-1.linodeobjects.com", Some("team-state")),
            ("s3.example:9000", None),
        ] {
            assert_eq!(hosts.parse_host_header(host).unwrap().bucket(), bucket, "{host}");
        }
    }
}
