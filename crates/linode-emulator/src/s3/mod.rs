//! Object Storage as S3: buckets and keys are those of API v4, objects are files below the state. s3s has
//! the protocol and verifies the signatures.

mod access;
mod content;
mod files;
mod lifecycle;
pub(crate) mod list;
mod multipart;
mod object;
mod operations;
mod serve;
pub(crate) mod sign;
mod sums;

pub(crate) use access::SECRET;
pub(crate) use content::forget_uploads;
pub use serve::S3;

use crate::app::App;
use crate::error::Errors;
use crate::store::State;
use access::{Hosts, Keys};
use files::Files;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, s3_error};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// What becomes of `If-None-Match: *`. Not every service that speaks S3 keeps to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Conditions {
    #[default]
    Kept,
    /// Looks, and writes later: rivals come through, latecomers do not.
    Racy,
    Ignored,
}

impl FromStr for Conditions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "kept" => Ok(Self::Kept),
            "racy" => Ok(Self::Racy),
            "ignored" => Ok(Self::Ignored),
            _ => Err(format!("`{text}` is none of kept, racy, ignored")),
        }
    }
}

struct Objects {
    app: Arc<App>,
    files: Files,
    conditions: Conditions,
}

/// The service on what is in the folder. `name` is that of the host, without a port.
///
/// # Errors
/// The folder cannot be used.
async fn service(
    app: &Arc<App>,
    folder: &Path,
    name: &str,
    conditions: Conditions,
) -> io::Result<S3Service> {
    let known = |state: &State| Ok::<HashSet<_>, Errors>(content::known(state).collect());
    let known = app.read(known).await.map_err(|_| io::Error::other("the state cannot be read"))?;
    let files = Files::open(folder, &known)?;
    let mut builder = S3ServiceBuilder::new(Objects { app: Arc::clone(app), files, conditions });
    builder.set_auth(Keys(Arc::clone(app)));
    builder.set_access(Keys(Arc::clone(app)));
    builder.set_host(Hosts { name: name.to_owned() });
    Ok(builder.build())
}

impl From<Errors> for S3Error {
    fn from(errors: Errors) -> Self {
        s3_error!(InternalError, "{}", errors.to_json())
    }
}

impl From<Infallible> for Errors {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
