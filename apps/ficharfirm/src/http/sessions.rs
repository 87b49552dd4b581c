//! Signing in and out.

use axum::{Extension, Json, extract::State, http::HeaderMap, http::StatusCode};
use serde::{Deserialize, Serialize};

use super::{
    App,
    auth::{SignedIn, employee_name},
    body::JsonBody,
    client_address::{Peer, client_address},
    error::ApiError,
};
use crate::{
    cache::Admission,
    pin::Verifier,
    store::{employees::FindVerifier, records::time_text},
    token::{LIFETIME_S, Session},
};

/// How long a sign-in queues for its turn at the PIN's hash, which costs memory and processor on purpose.
const TURN: std::time::Duration = std::time::Duration::from_secs(8);

#[derive(Deserialize)]
pub(crate) struct Credentials {
    employee: String,
    pin: String,
}

#[derive(Serialize)]
pub(crate) struct Token {
    token: String,
    employee: String,
    expires_at: String,
}

pub(crate) async fn sign_in(
    State(app): State<App>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    JsonBody(credentials): JsonBody<Credentials>,
) -> Result<(StatusCode, Json<Token>), ApiError> {
    let Credentials { employee, pin } = credentials;
    if !employee_name(&employee) || pin.is_empty() || pin.len() > 64 {
        return Err(ApiError::bad("bad_credentials", "give employee and PIN"));
    }
    let address = client_address(peer, &headers, &app.config.trusted_proxies);
    // The empty session is never an ended one.
    if let Admission::Wait(ms) = app.limits.admit(&format!("{employee}:sign-in"), "").await {
        return Err(ApiError::too_many(ms, "more than 20 requests a second of one employee"));
    }
    let wait = app.limits.sign_in_wait(&employee, address).await;
    if wait > 0 {
        return Err(refused(wait));
    }
    let turn = tokio::time::timeout(TURN, app.pin_turns.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else { return Err(ApiError::unavailable("too many are signing in")) };
    // Asked again, now that those before have failed or not: a burst of guesses must not slip through.
    let wait = app.limits.sign_in_wait(&employee, address).await;
    if wait > 0 {
        return Err(refused(wait));
    }

    let find = FindVerifier { keys: &app.store.keys, employee: &employee };
    let verifier = app.store.run(find).await?;
    let known = verifier.is_some();
    let verifier = verifier.unwrap_or_else(Verifier::nobody);
    let matches = tokio::task::spawn_blocking(move || verifier.matches(&pin)).await;
    drop(turn);
    if !(known && matches.unwrap_or(false)) {
        app.limits.sign_in_failed(&employee, address).await;
        return Err(ApiError::unauthorized("employee and PIN don't go together"));
    }
    app.limits.sign_in_succeeded(&employee, address).await;
    let session = Session::start(&employee, jiff::Timestamp::now().as_second())
        .map_err(crate::store::StoreError::from)?;
    let token = session
        .token(&app.store.keys)
        .ok_or_else(|| ApiError::unavailable("no session could be made"))?;
    app.cache.begin_session(&employee, &session.id, LIFETIME_S.unsigned_abs()).await;
    let expires_at = time_text(session.expires.saturating_mul(1000));
    Ok((StatusCode::CREATED, Json(Token { token, employee, expires_at })))
}

fn refused(wait_ms: u64) -> ApiError {
    ApiError::too_many(wait_ms, "10 failed sign-ins within a minute; wait and try again")
}

pub(crate) async fn sign_out(
    State(app): State<App>,
    signed_in: SignedIn,
) -> Result<StatusCode, ApiError> {
    let session = signed_in.0;
    let left = session.expires - jiff::Timestamp::now().as_second();
    app.cache
        .end_session(&session.employee, &session.id, left.max(1).unsigned_abs())
        .await
        .map(|()| StatusCode::NO_CONTENT)
        .ok_or_else(|| ApiError::unavailable("the session could not be ended; try again"))
}
