//! What a client is told when its request cannot be done: reasons, each with the field it is about.

use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Errors {
    pub status: u16,
    reasons: Vec<(Option<String>, String)>,
    /// Whole seconds.
    pub retry_after: Option<u64>,
}

impl Errors {
    fn one(status: u16, reason: &str) -> Self {
        Self { status, reasons: vec![(None, reason.to_owned())], retry_after: None }
    }

    /// 400, about the request as a whole.
    pub(crate) fn bad(reason: &str) -> Self {
        Self::one(400, reason)
    }

    /// 400, about one field.
    pub(crate) fn field(field: &str, reason: impl Into<String>) -> Self {
        let reasons = vec![(Some(field.to_owned()), reason.into())];
        Self { status: 400, reasons, retry_after: None }
    }

    /// 400 with all of these, if there are any.
    ///
    /// # Errors
    /// There are.
    pub(crate) fn unless_empty(reasons: Vec<(String, String)>) -> Result<(), Self> {
        if reasons.is_empty() {
            return Ok(());
        }
        let reasons = reasons.into_iter().map(|(field, reason)| (Some(field), reason)).collect();
        Err(Self { status: 400, reasons, retry_after: None })
    }

    /// The same, of fields inside another one.
    pub(crate) fn within(mut self, at: &str) -> Self {
        for (field, _) in &mut self.reasons {
            if let Some(field) = field {
                field.insert_str(0, at);
            }
        }
        self
    }

    /// 400 in the words that clients retry on.
    pub(crate) fn busy() -> Self {
        Self::bad("Linode busy.")
    }

    pub(crate) fn unauthorized() -> Self {
        Self::one(401, "Invalid Token")
    }

    pub(crate) fn not_found() -> Self {
        Self::one(404, "Not found")
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::one(405, "Method Not Allowed")
    }

    pub(crate) fn too_many(retry_after: u64) -> Self {
        Self { retry_after: Some(retry_after), ..Self::one(429, "Too many requests") }
    }

    /// With a status of the server's own making.
    pub(crate) fn server(status: u16, reason: &str) -> Self {
        Self::one(status, reason)
    }

    pub(crate) fn to_json(&self) -> Value {
        let reasons = self.reasons.iter().map(|(field, reason)| match field {
            Some(field) => json!({"field": field, "reason": reason}),
            None => json!({"reason": reason}),
        });
        json!({"errors": reasons.collect::<Vec<_>>()})
    }
}
