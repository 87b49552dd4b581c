//! Timesheets: reading one, and asking that it be signed.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{App, auth::SignedIn, error::ApiError};
use crate::{
    month::Month,
    store::sheets::{ReadSheet, RequestSignature, Sheet},
};

pub(crate) async fn read(
    State(app): State<App>,
    signed_in: SignedIn,
    Path((employee, month)): Path<(String, String)>,
) -> Result<Json<Sheet>, ApiError> {
    signed_in.must_be(&employee)?;
    let month = parse(&month)?;
    let read = ReadSheet { keys: &app.store.keys, employee: &employee, month };
    Ok(Json(app.store.run(read).await?))
}

pub(crate) async fn sign(
    State(app): State<App>,
    signed_in: SignedIn,
    Path((employee, month)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    signed_in.must_be(&employee)?;
    let month = parse(&month)?;
    if month > Month::of(Timestamp::now()) {
        return Err(ApiError::bad("month_to_come", "this month has not begun"));
    }
    let already = app.store.run(RequestSignature { employee: &employee, month }).await?;
    if !already {
        app.relay.wake();
    }
    let status = if already { "signed" } else { "requested" };
    Ok((StatusCode::ACCEPTED, Json(json!({ "status": status }))))
}

fn parse(month: &str) -> Result<Month, ApiError> {
    month.parse().map_err(|e: crate::month::BadMonth| ApiError::bad("bad_month", e.to_string()))
}
