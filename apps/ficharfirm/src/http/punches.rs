//! Punching, correcting, and the status that follows from it.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{App, auth::SignedIn, body::JsonBody, error::ApiError};
use crate::store::{
    employees::ReadStatus,
    records::{Append, Appended, Correction, Kind, time_text},
};

#[derive(Deserialize)]
pub(crate) struct Punch {
    id: String,
    employee: String,
    kind: Kind,
}

#[derive(Deserialize)]
pub(crate) struct CorrectionBody {
    id: String,
    employee: String,
    kind: Kind,
    /// The time that should have been recorded.
    at: Timestamp,
    /// The record that is corrected; none where one was forgotten.
    corrects: Option<u64>,
    reason: String,
}

#[derive(Serialize)]
pub(crate) struct Acknowledgement {
    id: String,
    seq: u64,
    hash: String,
    recorded_at: String,
}

type Answer = Result<(StatusCode, Json<Acknowledgement>), ApiError>;

pub(crate) async fn punch(
    State(app): State<App>,
    signed_in: SignedIn,
    JsonBody(punch): JsonBody<Punch>,
) -> Answer {
    signed_in.must_be(&punch.employee)?;
    check_id(&punch.id)?;
    if punch.kind == Kind::Void {
        return Err(ApiError::bad("bad_kind", "a punch is in or out"));
    }
    append(&app, &punch.employee, &punch.id, punch.kind, None).await
}

pub(crate) async fn correct(
    State(app): State<App>,
    signed_in: SignedIn,
    JsonBody(body): JsonBody<CorrectionBody>,
) -> Answer {
    signed_in.must_be(&body.employee)?;
    check_id(&body.id)?;
    let reason = body.reason.trim();
    if reason.is_empty() || reason.chars().count() > 200 {
        return Err(ApiError::bad("bad_reason", "say why, in at most 200 characters"));
    }
    if body.kind == Kind::Void && body.corrects.is_none() {
        return Err(ApiError::bad("bad_kind", "void needs the record that it corrects"));
    }
    let year = body.at.to_zoned(jiff::tz::TimeZone::UTC).year();
    if body.at > Timestamp::now() || year < 2000 {
        return Err(ApiError::bad("bad_time", "the corrected time must be past"));
    }
    let correction = Correction {
        corrects: body.corrects,
        at_ms: body.at.as_millisecond(),
        reason: reason.into(),
    };
    append(&app, &body.employee, &body.id, body.kind, Some(correction)).await
}

async fn append(
    app: &App,
    employee: &str,
    id: &str,
    kind: Kind,
    correction: Option<Correction<'_>>,
) -> Answer {
    let punched = correction.is_none();
    let append = Append { keys: &app.store.keys, employee, id, kind, correction };
    let Appended { record, created } = app.store.run(append).await?;
    if created && punched {
        // Behind the answer: a slow Redis is nobody's business who has punched.
        let (cache, employee) = (app.cache.clone(), employee.to_owned());
        let (status, seq) = (spell(kind, record.recorded_at), record.seq);
        tokio::spawn(async move { cache.set_status(&employee, &status, seq).await });
    }
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let acknowledgement = Acknowledgement {
        id: record.id,
        seq: record.seq,
        hash: record.hash,
        recorded_at: time_text(record.recorded_at),
    };
    Ok((status, Json(acknowledgement)))
}

/// Clients choose ids: a UUID, or anything like it.
fn check_id(id: &str) -> Result<(), ApiError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    if (1..=64).contains(&id.len()) && id.bytes().all(plain) {
        return Ok(());
    }
    let message = "an id has 1 to 64 letters, digits or any of -_.: such as a UUID";
    Err(ApiError::bad("bad_id", message))
}

#[derive(Serialize)]
pub(crate) struct Status {
    /// `in`, `out`, or nothing where there never was a punch.
    status: Option<String>,
    since: Option<String>,
}

pub(crate) async fn status(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(employee): Path<String>,
) -> Result<Json<Status>, ApiError> {
    signed_in.must_be(&employee)?;
    if let Some((kind, ms)) = app.cache.status(&employee).await.as_deref().and_then(unspell) {
        return Ok(Json(Status { status: Some(kind), since: Some(time_text(ms)) }));
    }
    let read = ReadStatus { keys: &app.store.keys, employee: &employee };
    let Some((kind, ms, seq)) = app.store.run(read).await? else {
        return Ok(Json(Status { status: None, since: None }));
    };
    let spelled = spell(kind, ms);
    app.cache.set_status(&employee, &spelled, seq).await;
    let kind = unspell(&spelled).map(|(kind, _)| kind);
    Ok(Json(Status { status: kind, since: Some(time_text(ms)) }))
}

fn spell(kind: Kind, ms: i64) -> String {
    let kind = match kind {
        Kind::In => "in",
        Kind::Out => "out",
        Kind::Void => "void",
    };
    format!("{kind} {ms}")
}

fn unspell(text: &str) -> Option<(String, i64)> {
    let (kind, ms) = text.split_once(' ')?;
    Some((kind.into(), ms.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_and_plain() {
        assert!(check_id("3f2b8e1c-0000-4000-8000-000000000000").is_ok());
        for bad in ["", "a b", "a/b", "ñ", &"x".repeat(65)] {
            assert!(check_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_status_is_spelled_and_read_back() {
        assert_eq!(unspell(&spell(Kind::Out, 5)), Some(("out".into(), 5)));
        assert_eq!(unspell("nonsense"), None);
    }
}
