//! Whose request it is, and whether it may come now.

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use super::{App, error::ApiError};
use crate::{cache::Admission, token::Session};

/// A signed-in employee within the limits. Asking for this is asking for both.
pub(crate) struct SignedIn(pub(crate) Session);

impl SignedIn {
    /// Employees see and do only what is theirs.
    pub(crate) fn must_be(&self, employee: &str) -> Result<(), ApiError> {
        if self.0.employee == employee { Ok(()) } else { Err(ApiError::forbidden()) }
    }
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let now = jiff::Timestamp::now().as_second();
        let session = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .and_then(|(_, token)| Session::from_token(token.trim(), &app.store.keys, now))
            .ok_or_else(|| ApiError::unauthorized("sign in first"))?;
        match app.limits.admit(&session.employee, &session.id).await {
            Admission::Go => Ok(Self(session)),
            Admission::Ended => Err(ApiError::unauthorized("this session was ended")),
            Admission::Wait(ms) => {
                Err(ApiError::too_many(ms, "more than 20 requests a second of one employee"))
            }
        }
    }
}

/// Employees' names as they may be: short, plain, safe in file names and keys.
pub(crate) fn employee_name(text: &str) -> bool {
    (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}
