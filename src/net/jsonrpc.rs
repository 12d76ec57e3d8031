//! A JSON-RPC 2.0 client that is strict about answers: ids match, every item of a batch is answered, no silent gap.

use super::endpoint::Endpoint;
use super::fault::{Fault, FaultKind};
use super::http::{Http, Reply};
use super::redact::Redactor;
use alloy::rpc::json_rpc::{ErrorPayload, Id, Request, Response, ResponsePayload};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One call: a method and its parameters.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method's name.
    pub method: &'static str,
    /// Its parameters: an array or an object.
    pub params: Value,
}

impl Call {
    /// A call.
    pub fn new(method: &'static str, params: Value) -> Self {
        Self { method, params }
    }
}

/// An error that the server answered with, in its own words without secrets.
#[derive(Debug, Clone)]
pub struct RpcError {
    /// The server's code; for a batch that was refused below JSON-RPC, the HTTP status.
    pub code: i64,
    /// The server's message, cleaned and cut.
    pub message: String,
    /// The server's data, as it came.
    pub data: Option<Box<RawValue>>,
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.message, self.code)
    }
}

/// What one call was answered with.
pub type Answer = Result<Box<RawValue>, RpcError>;

/// What a batch was answered with.
#[derive(Debug)]
pub enum Batch {
    /// One answer per call, in the order of the calls.
    Answers(Vec<Answer>),
    /// The server takes no batch, or not one of this size.
    Refused(RpcError),
}

/// A client for one endpoint. It sends once and never retries.
#[derive(Debug)]
pub struct Client {
    http: Arc<Http>,
    endpoint: Endpoint,
    redactor: Redactor,
    next_id: AtomicU64,
}

impl Client {
    /// A client that shares the HTTP connections of others.
    pub fn new(http: Arc<Http>, endpoint: Endpoint) -> Self {
        let redactor = endpoint.redactor();
        Self { http, endpoint, redactor, next_id: AtomicU64::new(1) }
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Cleans a text that came from the endpoint.
    pub fn clean(&self, text: &str) -> String {
        self.redactor.clean(text)
    }

    /// Sends one call in one HTTP request.
    pub async fn one(&self, call: &Call) -> Result<Answer, Fault> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let reply = self.post(&Request::new(call.method, Id::Number(id), &call.params)).await?;
        match serde_json::from_slice::<Response>(&reply.body) {
            Ok(response) if response.id == Id::Number(id) && reply.status != 429 => {
                Ok(self.answer(response.payload))
            }
            // A server that could not even read the request answers with a null id.
            Ok(Response { id: Id::None, payload: ResponsePayload::Failure(error) })
                if reply.status < 500 && reply.status != 429 =>
            {
                Ok(Err(self.error(error)))
            }
            Ok(response) => Err(self.status_fault(&reply).unwrap_or_else(|| {
                let words = format!("{}: the answer has id {} instead of {id}", call.method, response.id);
                Fault::new(FaultKind::BadReply, self.clean(&words))
            })),
            Err(error) => Err(self.unreadable(&reply, &error)),
        }
    }

    /// Sends all calls in one HTTP request.
    pub async fn batch(&self, calls: &[Call]) -> Result<Batch, Fault> {
        let count = calls.len() as u64;
        let first = self.next_id.fetch_add(count, Ordering::Relaxed);
        let requests: Vec<_> = calls
            .iter()
            .zip(first..)
            .map(|(c, id)| Request::new(c.method, Id::Number(id), &c.params))
            .collect();
        let reply = self.post(&requests).await?;
        // An object instead of an array: the batch as a whole was refused.
        if let Ok(Response { payload: ResponsePayload::Failure(error), .. }) =
            serde_json::from_slice::<Response>(&reply.body)
        {
            return match self.status_fault(&reply) {
                Some(fault) if fault.is_transient() || fault.kind == FaultKind::Denied => Err(fault),
                _ => Ok(Batch::Refused(self.error(error))),
            };
        }
        if let Some(fault) = self.status_fault(&reply) {
            return match fault.kind {
                FaultKind::Status => {
                    let code = i64::from(reply.status);
                    Ok(Batch::Refused(RpcError { code, message: fault.words, data: None }))
                }
                _ => Err(fault),
            };
        }
        let responses: Vec<Response> =
            serde_json::from_slice(&reply.body).map_err(|error| self.unreadable(&reply, &error))?;
        let mut answers: Vec<Option<Answer>> = Vec::new();
        answers.resize_with(calls.len(), || None);
        for response in responses {
            let slot = match &response.id {
                Id::Number(id) => {
                    id.checked_sub(first).and_then(|i| answers.get_mut(usize::try_from(i).ok()?))
                }
                _ => None,
            };
            match slot {
                Some(slot @ None) => *slot = Some(self.answer(response.payload)),
                Some(Some(_)) => {
                    return Err(Fault::new(
                        FaultKind::BadReply,
                        "the answer to a batch has the same id twice",
                    ));
                }
                None => {
                    let words = match response.payload {
                        // What a limit on one batch's items looks like at some servers.
                        ResponsePayload::Failure(error) => return Ok(Batch::Refused(self.error(error))),
                        ResponsePayload::Success(_) => {
                            "the answer to a batch has an id that was not asked for"
                        }
                    };
                    return Err(Fault::new(FaultKind::BadReply, words));
                }
            }
        }
        let got = answers.iter().flatten().count();
        answers.into_iter().collect::<Option<Vec<_>>>().map(Batch::Answers).ok_or_else(|| {
            Fault::new(FaultKind::BadReply, format!("only {got} of {count} calls of a batch were answered"))
        })
    }

    async fn post<T: serde::Serialize>(&self, request: &T) -> Result<Reply, Fault> {
        let body = serde_json::to_vec(request)
            .map_err(|e| Fault::new(FaultKind::BadReply, format!("the request cannot be written: {e}")))?;
        self.http.post(&self.endpoint, &self.redactor, body).await
    }

    fn answer(&self, payload: ResponsePayload) -> Answer {
        match payload {
            ResponsePayload::Success(value) => Ok(value),
            ResponsePayload::Failure(error) => Err(self.error(error)),
        }
    }

    fn error(&self, error: ErrorPayload) -> RpcError {
        RpcError { code: error.code, message: self.clean(&error.message), data: error.data }
    }

    /// What an answer that does not parse means: its status first, then cut off, then no JSON.
    fn unreadable(&self, reply: &Reply, error: &serde_json::Error) -> Fault {
        if let Some(fault) = self.status_fault(reply) {
            return fault;
        }
        let start = String::from_utf8_lossy(reply.body.get(..200).unwrap_or(&reply.body));
        let start = start.trim_start();
        if start.is_empty() {
            Fault::new(FaultKind::Closed, "an empty answer")
        } else if reply.html || start.starts_with('<') {
            Fault::new(FaultKind::NotJson, self.clean(&format!("an HTML page instead of JSON: {start}")))
        } else if error.is_eof() {
            let size = reply.body.len();
            Fault::new(FaultKind::Closed, format!("the answer is cut off after {size} bytes"))
        } else if error.is_syntax() {
            Fault::new(FaultKind::NotJson, self.clean(&format!("not JSON: {start}")))
        } else {
            Fault::new(FaultKind::BadReply, self.clean(&format!("no JSON-RPC answer: {error}")))
        }
    }

    /// The fault that an HTTP status stands for; none for a success.
    fn status_fault(&self, reply: &Reply) -> Option<Fault> {
        let kind = match reply.status {
            200..=299 => return None,
            401..=403 => FaultKind::Denied,
            408 | 504 | 522 | 524 => FaultKind::Timeout,
            429 => FaultKind::RateLimited,
            500..=599 => FaultKind::Server,
            _ => FaultKind::Status,
        };
        let reason = reqwest::StatusCode::from_u16(reply.status).ok().and_then(|s| s.canonical_reason());
        let mut words = format!("HTTP {}", reply.status);
        if let Some(reason) = reason {
            words = format!("{words} {reason}");
        }
        let said = match serde_json::from_slice::<Response>(&reply.body) {
            Ok(Response { payload: ResponsePayload::Failure(error), .. }) => error.message.into_owned(),
            _ if reply.html => String::new(),
            _ => String::from_utf8_lossy(reply.body.get(..400).unwrap_or(&reply.body)).into_owned(),
        };
        if !said.trim().is_empty() && !said.trim_start().starts_with('<') {
            words = format!("{words}: {}", self.clean(&said));
        }
        Some(Fault { kind, words, retry_after: reply.retry_after })
    }
}
