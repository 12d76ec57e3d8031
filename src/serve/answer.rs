//! Answers: the envelope of a command, or that of the server's own refusals.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base::{Code, Error, Exit, Result};
use serde_json::{Value, json};

/// A refusal of the server itself, in the form of every answer.
#[derive(Debug)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// What is wrong.
    pub error: Error,
    /// Seconds until another try makes sense.
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// With this status.
    pub fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Self {
        Self { status, error: Error::new(code, message), retry_after: None }
    }

    /// Without a token that is worth anything.
    pub fn unauthorized() -> Self {
        let why = "a token is wanted: Authorization: Bearer …";
        Self::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, why)
    }

    /// To be tried again after so many seconds.
    pub fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match error.code() {
            Code::Unauthorized => StatusCode::UNAUTHORIZED,
            Code::Forbidden => StatusCode::FORBIDDEN,
            code => crate::status::of(code.exit(), Some(code), false),
        };
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(AGAIN);
        Self { status, error, retry_after }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (code, message) = (self.error.code(), self.error.message());
        let inner = self.status.is_server_error();
        if inner {
            tracing::error!(target: "poolctl::serve", code = code.as_str(), "{message}");
        }
        // What goes on inside is the log's.
        let message = if inner { INSIDE } else { message };
        let nothing = serde_json::Map::new();
        let body = json!({
            "schema_version": 1, "command": "", "ok": false, "data": null, "warnings": [],
            "error": {
                "code": code.as_str(),
                "message": message,
                "hint": self.error.remedy().filter(|_| !inner).map(ToString::to_string),
                "details": if inner { &nothing } else { self.error.details() },
            },
        });
        let mut response = (self.status, json_body(body.to_string().into_bytes())).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"poolctl\""));
        }
        response
    }
}

/// Seconds after which what cannot be done now may be tried again.
pub const AGAIN: u64 = 5;

/// What is said of a fault of the machine: paths and endpoints are nobody's business.
const INSIDE: &str = "the server cannot do this now; its log says why";

/// A body of JSON.
pub fn json_body(bytes: impl Into<Body>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes.into())
}

/// The envelope of a command as the world may see it: of faults of the machine it says no more than that there is one.
pub fn seen(status: StatusCode, exit: Exit, envelope: Vec<u8>) -> Result<Vec<u8>> {
    if !status.is_server_error() {
        return Ok(envelope);
    }
    let broken = |e| Error::new(Code::Bug, format!("an envelope that is no JSON: {e}"));
    let mut document: Value = serde_json::from_slice(&envelope).map_err(broken)?;
    tracing::error!(target: "poolctl::serve", exit = exit.code(), "{}", document["error"]["message"]);
    if let Some(error) = document.get_mut("error").and_then(Value::as_object_mut) {
        error.insert("message".into(), INSIDE.into());
        error.insert("hint".into(), Value::Null);
        error.insert("details".into(), json!({}));
    }
    Ok(document.to_string().into_bytes())
}
