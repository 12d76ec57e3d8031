//! A JSON-RPC 2.0 client that is strict about answers: ids match, every item of a batch is answered, no silent gap.

use super::envelope::{self, Id, Refusal, Response};
use super::fault::{Fault, FaultKind};
use super::http::{Http, Reply};
use base::redact::Redactor;
use base::{Endpoint, clock};
use grind::json::why;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One call: a method and its parameters.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method's name.
    pub method: &'static str,
    /// Its parameters: an array or an object.
    pub params: Value,
    /// Whether an error is an answer to it, whatever it says: there is another way to ask.
    pub spare: bool,
}

impl Call {
    /// A call.
    pub fn new(method: &'static str, params: Value) -> Self {
        Self { method, params, spare: false }
    }

    /// A call that is asked in another way where it fails.
    pub fn spare(method: &'static str, params: Value) -> Self {
        Self { method, params, spare: true }
    }
}

/// An error that the server answered with, in its own words without secrets.
#[derive(Debug, Clone, Default)]
pub struct RpcError {
    /// The server's code; 0 where it gave none.
    pub code: i64,
    /// The server's message, cleaned and cut.
    pub message: String,
    /// The server's data, as it came.
    pub data: Option<Box<RawValue>>,
    /// The HTTP status that it came with.
    pub status: u16,
    /// How long the server asked to wait.
    pub retry_after: Option<Duration>,
}

impl RpcError {
    /// Whether it came with HTTP's own request to wait: status 429, or `Retry-After`.
    pub fn asks_to_wait(&self) -> bool {
        self.status == 429 || self.retry_after.is_some()
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = self.status >= 400;
        if refused && !self.message.starts_with("HTTP ") {
            write!(f, "HTTP {}: ", self.status)?;
        }
        f.write_str(&self.message)?;
        if self.code != 0 {
            write!(f, " (code {})", self.code)?;
        }
        match self.retry_after {
            Some(wait) if refused => write!(f, " (it asks to wait {})", clock::span(wait.as_secs())),
            _ => Ok(()),
        }
    }
}

/// What one call was answered with.
pub type Answer = Result<Box<RawValue>, RpcError>;

/// What a batch was answered with.
#[derive(Debug)]
pub struct Batch {
    /// One per call, in their order; none where the server left it open.
    pub answers: Vec<Option<Answer>>,
    /// Why it left some open: it takes no batch, or not one of this size.
    pub refused: Option<RpcError>,
}

#[derive(Serialize)]
struct Request<'a> {
    jsonrpc: &'static str,
    id: u64,
    method: &'static str,
    params: &'a Value,
}

impl<'a> Request<'a> {
    fn new(id: u64, call: &'a Call) -> Self {
        Self { jsonrpc: "2.0", id, method: call.method, params: &call.params }
    }
}

/// A client for one endpoint. It sends once and never retries.
#[derive(Debug)]
pub struct Client {
    http: Arc<Http>,
    wire: reqwest::Client,
    endpoint: Endpoint,
    redactor: Redactor,
    next_id: AtomicU64,
}

impl Client {
    /// A client that shares the HTTP connections of others. Errors: `bug` when TLS cannot be set up.
    pub fn new(http: Arc<Http>, endpoint: Endpoint) -> base::Result<Self> {
        let redactor = endpoint.redactor();
        let wire = http.client(&endpoint)?;
        Ok(Self { http, wire, endpoint, redactor, next_id: AtomicU64::new(1) })
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What cleans the server's words.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Sends one call in one HTTP request.
    pub async fn one(&self, call: &Call) -> Result<Answer, Fault> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let reply = self.post(&Request::new(id, call)).await?;
        let response = envelope::one(&reply.body).map_err(|error| self.unreadable(&reply, &error))?;
        match response {
            _ if response.id == Id::Number(id) => self.answer(response, &reply),
            // A server that could not even read the request answers with a null id.
            Response { id: Id::Null, error: Some(error), .. } if !matches!(reply.status, 401..=403) => {
                Ok(Err(self.error(&error, &reply)))
            }
            Response { id: got, .. } => Err(self.status_fault(&reply).unwrap_or_else(|| {
                let words = format!("{}: the answer has id {got} instead of {id}", call.method);
                Fault::new(FaultKind::BadReply, self.redactor.clean(&words))
            })),
        }
    }

    /// Sends all calls in one HTTP request. What is answered of it is answered for good, whatever became of the rest.
    pub async fn batch(&self, calls: &[Call]) -> Result<Batch, Fault> {
        let count = calls.len() as u64;
        let first = self.next_id.fetch_add(count, Ordering::Relaxed);
        let requests: Vec<_> = calls.iter().zip(first..).map(|(call, id)| Request::new(id, call)).collect();
        let reply = self.post(&requests).await?;
        let mut batch = Batch { answers: Vec::new(), refused: None };
        batch.answers.resize_with(calls.len(), || None);
        let responses = match envelope::many(&reply.body, calls.len()) {
            Ok(responses) => responses,
            Err(error) => {
                batch.refused = Some(self.refused(&reply, &error)?);
                return Ok(batch);
            }
        };
        for response in responses {
            let place = response.id.number().and_then(|id| usize::try_from(id.checked_sub(first)?).ok());
            match place.and_then(|place| batch.answers.get_mut(place)) {
                Some(slot @ None) => *slot = Some(self.answer(response, &reply)?),
                Some(Some(_)) => {
                    let words = format!("the answer to a batch has id {} twice", response.id);
                    return Err(Fault::new(FaultKind::BadReply, words));
                }
                None => match response.error {
                    // What a limit on one batch's items looks like at some servers.
                    Some(error) if response.id == Id::Null => {
                        batch.refused = Some(self.error(&error, &reply));
                    }
                    _ => {
                        let words = "the answer to a batch has an id that was not asked for";
                        return Err(Fault::new(FaultKind::BadReply, words));
                    }
                },
            }
        }
        let got = batch.answers.iter().flatten().count();
        if got < calls.len() {
            // An error beside calls that were left open speaks of the batch: geth puts it on the first call alone.
            let told = batch.answers.iter_mut().find(|answer| matches!(answer, Some(Err(_))));
            let told = told.and_then(Option::take).and_then(Result::err);
            batch.refused = batch.refused.or(told).or_else(|| {
                let message = format!("only {got} of {count} calls of a batch were answered");
                Some(RpcError { message, ..RpcError::default() })
            });
        }
        Ok(batch)
    }

    /// The error of a batch that was answered as a whole, below JSON-RPC or in one object.
    fn refused(&self, reply: &Reply, error: &serde_json::Error) -> Result<RpcError, Fault> {
        let fault = self.status_fault(reply);
        let denied = matches!(&fault, Some(Fault { kind: FaultKind::Denied, .. }));
        match (envelope::one(&reply.body), fault) {
            (Ok(Response { error: Some(error), .. }), _) if !denied => Ok(self.error(&error, reply)),
            (_, Some(Fault { kind: FaultKind::Status, words, retry_after })) => {
                Ok(RpcError { message: words, status: reply.status, retry_after, ..RpcError::default() })
            }
            (_, Some(fault)) => Err(fault),
            (_, None) => Err(self.unreadable(reply, error)),
        }
    }

    async fn post<T: Serialize>(&self, request: &T) -> Result<Reply, Fault> {
        let body = serde_json::to_vec(request)
            .map_err(|e| Fault::new(FaultKind::BadReply, format!("the request cannot be written: {e}")))?;
        self.http.post(&self.wire, &self.endpoint, &self.redactor, body).await
    }

    fn answer(&self, response: Response, reply: &Reply) -> Result<Answer, Fault> {
        match (response.result, response.error) {
            (Some(result), None) => match self.status_fault(reply) {
                None => Ok(Ok(result)),
                Some(fault) => Err(fault),
            },
            (None, Some(error)) => Ok(Err(self.error(&error, reply))),
            // Servers that write every field give `"result":null` beside an error.
            (Some(result), Some(error)) if result.get() == "null" => Ok(Err(self.error(&error, reply))),
            (Some(_), Some(_)) => {
                Err(Fault::new(FaultKind::BadReply, "an answer with both a result and an error"))
            }
            (None, None) => Err(Fault::new(FaultKind::BadReply, "an answer without a result")),
        }
    }

    fn error(&self, error: &RawValue, reply: &Reply) -> RpcError {
        let error = Refusal::parse(error);
        RpcError {
            code: error.code,
            message: self.redactor.clean(&error.message),
            data: error.data,
            status: reply.status,
            retry_after: reply.retry_after,
        }
    }

    /// What an answer that does not parse means: its status first, then cut off, then no JSON.
    fn unreadable(&self, reply: &Reply, error: &serde_json::Error) -> Fault {
        if let Some(fault) = self.status_fault(reply) {
            return fault;
        }
        let broken = envelope::not_json(&reply.body);
        let start = String::from_utf8_lossy(reply.body.get(..200).unwrap_or(&reply.body));
        let start = start.trim_start();
        if start.is_empty() {
            Fault::new(FaultKind::Closed, "an empty answer")
        } else if reply.html || start.starts_with('<') {
            Fault::new(
                FaultKind::NotJson,
                self.redactor.clean(&format!("an HTML page instead of JSON: {start}")),
            )
        } else if broken.as_ref().is_some_and(serde_json::Error::is_eof) {
            let size = reply.body.len();
            Fault::new(FaultKind::Closed, format!("the answer is cut off after {size} bytes"))
        } else if broken.is_some() {
            Fault::new(FaultKind::NotJson, self.redactor.clean(&format!("not JSON: {start}")))
        } else {
            Fault::new(
                FaultKind::BadReply,
                self.redactor.clean(&format!("no JSON-RPC answer: {}", why(error))),
            )
        }
    }

    /// The fault that an HTTP status stands for; none for a success.
    fn status_fault(&self, reply: &Reply) -> Option<Fault> {
        let kind = match reply.status {
            200..=299 => return None,
            401..=403 => FaultKind::Denied,
            408 | 504 | 522 | 524 => FaultKind::Timeout,
            429 => FaultKind::RateLimited,
            300..=399 => FaultKind::Redirect,
            500..=599 => FaultKind::Server,
            _ => FaultKind::Status,
        };
        let reason = reqwest::StatusCode::from_u16(reply.status).ok().and_then(|s| s.canonical_reason());
        let mut words = format!("HTTP {}", reply.status);
        if let Some(reason) = reason {
            words = format!("{words} {reason}");
        }
        let said = match envelope::one(&reply.body) {
            Ok(Response { error: Some(error), .. }) => Refusal::parse(&error).message,
            _ if reply.html => String::new(),
            _ => String::from_utf8_lossy(reply.body.get(..400).unwrap_or(&reply.body)).into_owned(),
        };
        if !said.trim().is_empty() && !said.trim_start().starts_with('<') {
            words = format!("{words}: {}", self.redactor.clean(&said));
        }
        if let Some(to) = &reply.redirect {
            words = format!("{words}: it redirects to {to}, which is not followed");
        }
        Some(Fault { kind, words, retry_after: reply.retry_after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HttpLimits;
    use serde_json::json;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    /// Answers one request with `ID` in the body replaced by its first id.
    fn server(status: &'static str, kind: &'static str, body: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v3/SeCrEtKeY123", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut request = vec![0; length];
            reader.read_exact(&mut request).unwrap();
            let request: Value = serde_json::from_slice(&request).unwrap();
            let first = if request.is_array() { &request[0]["id"] } else { &request["id"] };
            let id = first.as_u64().unwrap();
            let body = body.replace("NEXT", &(id + 1).to_string()).replace("ID", &id.to_string());
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nretry-after: 7\r\nlocation: https://other.example/v3/KEY\r\n"
            );
            write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
        });
        url
    }

    fn client(url: &str) -> Client {
        let http = Arc::new(Http::new(HttpLimits { max_body: 500, ..HttpLimits::default() }));
        Client::new(http, Endpoint::parse(url, 1).unwrap()).unwrap()
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    const JSON: &str = "application/json";

    #[test]
    fn one_call() {
        let of = |status: &'static str, body: &'static str, want: &'static str| (status, JSON, body, want);
        let ok = |body, want| of("200 OK", body, want);
        for (status, kind, body, want) in [
            ok(r#"{"jsonrpc":"2.0","id":ID,"result":null}"#, "ok null"),
            ok(r#"{"id":ID,"result":"0x1","error":null}"#, "ok \"0x1\""),
            ok(r#"{"id":ID,"result":null,"error":{"code":-1,"message":"no"}}"#, "error no (code -1)"),
            ok(r#"{"id":null,"error":{"code":-32700,"message":"parse"}}"#, "error parse (code -32700)"),
            of(
                "400 Bad",
                r#"{"id":ID,"error":{"code":3,"message":"reverted"}}"#,
                "error HTTP 400: reverted (code 3)",
            ),
            of(
                "500 Oops",
                r#"{"id":ID,"error":{"code":3,"message":"reverted"}}"#,
                "error HTTP 500: reverted (code 3) (it asks to wait 7s)",
            ),
            ok(r#"{"id":ID,"error":"over quota"}"#, "error over quota"),
            ok(r#"{"id":ID,"error":["a",1]}"#, "error [\"a\",1]"),
            ok(r#"{"id":ID,"error":{"code":"x","message":{"a":1}}}"#, "error {\"a\":1}"),
            ok(r#"{"id":ID,"error":{"code":-7}}"#, "error  (code -7)"),
            ok(r#"{"id":ID}"#, "BadReply an answer without a result"),
            ok(r#"{"id":ID,"result":1,"error":{"code":1,"message":""}}"#, "BadReply an answer with both"),
            ok(r#"{"id":"x","result":1}"#, "BadReply m: the answer has id \"x\" instead of 1"),
            ok(
                r#"[1,2,{"code":1}]"#,
                "BadReply no JSON-RPC answer: invalid type: sequence, expected an object",
            ),
            ok(r#"{"id":ID,"res"#, "Closed the answer is cut off after"),
            ok("", "Closed an empty answer"),
            ok("upstream down", "NotJson not JSON: upstream down"),
            ("200 OK", "text/html", "<p>hi", "NotJson an HTML page instead of JSON: <p>hi"),
            (
                "302 Found",
                "text/html",
                "<p>hi",
                "Redirect HTTP 302 Found: it redirects to https://other.example, which",
            ),
            of("401 No", r#"{"error":"bad key SeCrEtKeY123"}"#, "Denied HTTP 401 Unauthorized: bad key ***"),
            of("404 No", "", "Status HTTP 404 Not Found"),
            of(
                "429 No",
                r#"{"id":ID,"error":{"code":-5,"message":"slow down"}}"#,
                "error HTTP 429: slow down (code -5) (it asks to wait 7s)",
            ),
            ("503 No", "text/html", "<h1>x", "Server HTTP 503 Service Unavailable (it asks to wait 7s)"),
            of("504 No", "", "Timeout HTTP 504 Gateway Timeout"),
        ] {
            let got = match run(client(&server(status, kind, body)).one(&Call::new("m", json!([])))) {
                Ok(Ok(value)) => format!("ok {}", value.get()),
                Ok(Err(error)) => format!("error {error}"),
                Err(fault) => format!("{:?} {fault}", fault.kind),
            };
            assert!(got.starts_with(want), "{status} {body}: {got}");
            assert!(!got.contains("SeCrEt"), "{got}");
        }
    }

    #[test]
    fn a_batch() {
        let long = Box::leak(format!("[{}]", " ".repeat(600)).into_boxed_str());
        let ok = |body: &'static str, want: &'static str| ("200 OK", body, want);
        for (status, body, want) in [
            ok(r#"[{"id":NEXT,"result":2},{"id":ID,"result":1}]"#, "1 2"),
            ok(r#"[{"id":ID,"result":1},{"id":NEXT,"error":{"code":3,"message":"no"}}]"#, "1 no (code 3)"),
            ok(r#"[{"id":ID,"result":1}]"#, "1 open refused only 1 of 2 calls of a batch were answered"),
            ok("[]", "open open refused only 0 of 2 calls"),
            ok(
                r#"[{"id":ID,"result":1},{"id":NEXT,"result":2},{"id":9,"result":3}]"#,
                "BadReply the answer to",
            ),
            // The limit on the first call alone, as geth has it, and beside what was answered.
            ok(
                r#"[{"id":ID,"error":{"code":-32600,"message":"batch too large"}}]"#,
                "open open refused batch too large (code -32600)",
            ),
            ok(
                r#"[{"id":ID,"result":1},{"id":null,"error":{"code":-5,"message":"limit"}}]"#,
                "1 open refused limit (code -5)",
            ),
            (
                "503 No",
                r#"[{"id":ID,"error":{"code":-5,"message":"busy"}},{"id":NEXT,"error":{"code":-5,"message":"busy"}}]"#,
                "HTTP 503: busy (code -5)",
            ),
            ok(
                r#"[{"id":ID,"result":1},{"id":ID,"result":1}]"#,
                "BadReply the answer to a batch has id 1 twice",
            ),
            ok(r#"[{"id":ID,"result":1},{"id":77,"result":1}]"#, "BadReply the answer to a batch has an id"),
            ok(
                r#"[{"id":null,"error":{"code":1,"message":"too long"}}]"#,
                "open open refused too long (code 1)",
            ),
            ok(
                r#"{"id":null,"error":{"code":1,"message":"no batches"}}"#,
                "open open refused no batches (code 1)",
            ),
            ("413 No", "", "open open refused HTTP 413 Payload Too Large"),
            (
                "400 No",
                r#"{"id":1,"error":{"code":1,"message":"no batches"}}"#,
                "open open refused HTTP 400: no batches (code 1)",
            ),
            (
                "429 No",
                r#"{"id":1,"error":{"code":1,"message":"slow"}}"#,
                "open open refused HTTP 429: slow (code 1)",
            ),
            ("429 No", "", "RateLimited HTTP 429"),
            ("401 No", r#"{"id":1,"error":{"code":1,"message":"key"}}"#, "Denied HTTP 401 Unauthorized: key"),
            ("502 No", "", "Server HTTP 502"),
            ok("[{", "Closed the answer is cut off"),
            ok(long, "TooLarge the answer is larger than the limit of 500 bytes"),
        ] {
            let calls = [Call::new("m", json!([])), Call::new("m", json!({}))];
            let got = match run(client(&server(status, JSON, body)).batch(&calls)) {
                Ok(Batch { answers, refused }) => {
                    let each = answers.into_iter().map(|answer| match answer {
                        None => "open".to_owned(),
                        Some(Ok(value)) => value.get().to_owned(),
                        Some(Err(error)) => error.to_string(),
                    });
                    each.chain(refused.map(|error| format!("refused {error}"))).collect::<Vec<_>>().join(" ")
                }
                Err(fault) => format!("{:?} {fault}", fault.kind),
            };
            assert!(got.starts_with(want), "{status} {body}: {got}");
        }
    }
}
