//! Answers that are not the wished-for one: `{"error": {"code", "message"}}`.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{causes::causes, store::StoreError};

#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Seconds.
    retry_after: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn unauthorized(message: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "this belongs to another employee")
    }

    pub(crate) fn too_many(wait_ms: u64, message: &str) -> Self {
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message);
        error.retry_after = Some(wait_ms.div_ceil(1000).max(1));
        error
    }

    pub(crate) fn unavailable(message: &str) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message);
        error.retry_after = Some(1);
        error
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::UnknownEmployee | StoreError::Erased => {
                Self::unauthorized("this employee's account is closed")
            }
            StoreError::IdTaken => {
                Self::new(StatusCode::CONFLICT, "id_taken", "this id was used by another employee")
            }
            StoreError::NoSuchRecord(seq) => {
                Self::bad("no_such_record", format!("there is no record {seq} to correct"))
            }
            error if error.unavailable() => {
                tracing::warn!(error = causes(&error), "database");
                Self::unavailable("the records can't be reached; nothing was recorded")
            }
            error => {
                tracing::error!(error = causes(&error), "cannot go on");
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Self::new(status, "internal", "something is wrong here; it was logged")
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::json!({"error": {"code": self.code, "message": self.message}});
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
