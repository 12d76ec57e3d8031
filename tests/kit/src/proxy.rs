//! A faulty wire: an HTTP proxy in front of a JSON-RPC endpoint that records what is asked and spoils what is answered.

use crate::http::{self, Connection};
use anyhow::Result;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::{self, BufReader, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

const JSON: &str = "content-type: application/json\r\n";
const TEXT: &str = "content-type: text/plain\r\n";

/// Rewrites one JSON-RPC response; gets the request and the response.
pub type Rewrite = fn(request: &Value, response: Value) -> Value;

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection is closed without an answer.
    Refuse,
    /// An HTTP status without JSON, with `Retry-After` in seconds if given.
    Status(u16, Option<u64>),
    /// 200 with a web page.
    Html,
    /// The connection is closed after half of the promised body.
    Truncated,
    /// A whole HTTP answer with half of the JSON.
    CutJson,
    /// Passed on after a while.
    Delay(Duration),
    /// From now on nobody listens any more, and open connections are closed.
    DieForever,
    /// `eth_call` answers `0x`.
    EmptyCall,
    /// `eth_chainId` answers this.
    ChainId(u64),
    /// `result` is null.
    ResultNull,
    /// An error instead of a result; `data` is left out when null.
    RpcError {
        /// JSON-RPC's code.
        code: i64,
        /// What the node says.
        message: String,
        /// For instance revert data as hex.
        data: Value,
    },
    /// Anything else done to a response.
    Custom(Rewrite),
    /// Anything else done to the whole answer: an array where the request was a batch.
    Whole(Rewrite),
    /// An HTTP answer of its own making, from the request.
    Http(fn(request: &Value) -> Answer),
}

/// An HTTP answer as a faulty wire makes it.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Further header lines, each ended by CR LF.
    pub headers: &'static str,
    /// The body, sent as JSON whatever it is.
    pub body: String,
}

/// Which requests a rule is about. In a batch the HTTP request matches when one of its calls does, and faults that
/// change responses change those of the matching calls only.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// Every request.
    Any,
    /// Calls of this method.
    Method(String),
    /// `eth_call`s with this selector anywhere in their data, so within Multicall3 too.
    Selector([u8; 4]),
    /// Calls for which this is true.
    Where(fn(&Value) -> bool),
}

/// A fault, what it applies to and when: by default to every request, from the first on, for ever.
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    matcher: Matcher,
    after: usize,
    times: usize,
}

impl Rule {
    /// The fault for every request, for ever.
    pub fn new(fault: Fault) -> Self {
        Self { fault, matcher: Matcher::Any, after: 0, times: usize::MAX }
    }

    /// Only for requests that match.
    #[must_use]
    pub fn on(mut self, matcher: Matcher) -> Self {
        self.matcher = matcher;
        self
    }

    /// Only for requests with a call of this method.
    #[must_use]
    pub fn on_method(self, method: &str) -> Self {
        self.on(Matcher::Method(method.to_owned()))
    }

    /// Lets this many matching HTTP requests pass first.
    #[must_use]
    pub fn after(mut self, requests: usize) -> Self {
        self.after = requests;
        self
    }

    /// Spoils only this many matching HTTP requests.
    #[must_use]
    pub fn times(mut self, requests: usize) -> Self {
        self.times = requests;
        self
    }

    /// Whether the fault is due for this request, which counts.
    fn due(&mut self, request: &Value) -> bool {
        if self.times == 0 || !calls_of(request).iter().any(|call| self.matcher.matches(call)) {
            return false;
        }
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

impl Matcher {
    fn matches(&self, call: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Method(method) => call["method"] == *method,
            Self::Selector(selector) => {
                let transaction = &call["params"][0];
                let data =
                    transaction.get("input").or_else(|| transaction.get("data")).and_then(Value::as_str);
                let selector = alloy::hex::encode(selector);
                call["method"] == "eth_call" && data.is_some_and(|data| data.contains(&selector))
            }
            Self::Where(matches) => matches(call),
        }
    }
}

/// A running proxy, ended when dropped.
pub struct Proxy {
    shared: Arc<Shared>,
}

struct Shared {
    address: SocketAddr,
    upstream: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    requests: Vec<Value>,
    rules: Vec<Rule>,
    /// The open ones, by the client's port.
    connections: HashMap<u16, TcpStream>,
    dead: bool,
}

impl Proxy {
    /// Starts a proxy on a free port in front of an `http://` endpoint.
    pub fn start(upstream: &str) -> Result<Self> {
        Connection::new(upstream)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { address, upstream: upstream.to_owned(), state: Mutex::default() });
        let served = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, &served));
        Ok(Self { shared })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.shared.address)
    }

    /// Adds a rule. All that are due for a request apply, in the order in which they were added, up to the first whose
    /// fault is the end of the request; those after it do not count it.
    pub fn fault(&self, rule: Rule) {
        self.shared.state().rules.push(rule);
    }

    /// Takes all rules away.
    pub fn heal(&self) {
        self.shared.state().rules.clear();
    }

    /// The body of every HTTP request so far, the spoilt ones too; a string where it is no JSON.
    pub fn requests(&self) -> Vec<Value> {
        self.shared.state().requests.clone()
    }

    /// Every JSON-RPC call so far, batches taken apart.
    pub fn calls(&self) -> Vec<Value> {
        self.shared.state().requests.iter().flat_map(calls_of).cloned().collect()
    }

    /// The method of every JSON-RPC call so far.
    pub fn methods(&self) -> Vec<String> {
        self.calls().iter().map(|call| call["method"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// How many HTTP requests there were.
    pub fn http_count(&self) -> usize {
        self.shared.state().requests.len()
    }

    /// Forgets the requests so far. Rules go on counting.
    pub fn clear(&self) {
        self.shared.state().requests.clear();
    }

    /// From now on nobody listens any more, and open connections are closed.
    pub fn die(&self) {
        self.shared.die();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.die();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn die(&self) {
        let mut state = self.state();
        state.dead = true;
        for connection in state.connections.values() {
            // It may be closed already.
            connection.shutdown(Shutdown::Both).ok();
        }
        drop(state);
        // Wakes the thread that accepts, so that it sees the end; when it has seen it already, there is nobody to wake.
        TcpStream::connect(self.address).ok();
    }

    /// Keeps a connection to close it at the end; false when the end has come.
    fn admit(&self, connection: &TcpStream, port: u16) -> io::Result<bool> {
        let mut state = self.state();
        if !state.dead {
            state.connections.insert(port, connection.try_clone()?);
        }
        Ok(!state.dead)
    }

    /// Closes a connection.
    fn dismiss(&self, port: u16) {
        if let Some(connection) = self.state().connections.remove(&port) {
            // It may be closed already.
            connection.shutdown(Shutdown::Both).ok();
        }
    }

    /// Records a request and gives the faults that are due for it, the last of which may be its end.
    fn record(&self, request: &Value) -> Vec<(Matcher, Fault)> {
        let mut state = self.state();
        state.requests.push(request.clone());
        let mut due = Vec::new();
        for rule in &mut state.rules {
            if rule.due(request) {
                due.push((rule.matcher.clone(), rule.fault.clone()));
                if rule.fault.is_the_end() {
                    break;
                }
            }
        }
        due
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    while let Ok((connection, peer)) = listener.accept() {
        match shared.admit(&connection, peer.port()) {
            Ok(true) => {}
            Ok(false) => return,
            Err(_) => continue,
        }
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // A client that goes away, or a fault, ends the connection; either is the test's business, not an error here.
            answer_all(&connection, &shared).ok();
            shared.dismiss(peer.port());
        });
    }
}

/// Answers the requests of one connection until either side closes it.
fn answer_all(client: &TcpStream, shared: &Shared) -> Result<()> {
    client.set_nodelay(true)?;
    let mut upstream = Connection::new(&shared.upstream)?;
    let mut reader = BufReader::new(client);
    while let Some(message) = http::read(&mut reader)? {
        let request = serde_json::from_slice(&message.body)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&message.body)));
        let due = shared.record(&request);
        for (_, fault) in &due {
            if let Fault::Delay(pause) = fault {
                thread::sleep(*pause);
            }
        }
        let end = due.last().map(|(_, fault)| fault);
        match end {
            Some(Fault::Refuse) => return Ok(()),
            Some(Fault::DieForever) => {
                shared.die();
                return Ok(());
            }
            Some(Fault::Status(status, retry_after)) => {
                let retry =
                    retry_after.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
                http::respond(client, *status, &format!("{TEXT}{retry}"), b"no")?;
                continue;
            }
            Some(Fault::Html) => {
                let page = b"<!doctype html><title>Welcome</title>";
                http::respond(client, 200, "content-type: text/html\r\n", page)?;
                continue;
            }
            Some(Fault::Http(make)) => {
                let Answer { status, headers, body } = make(&request);
                http::respond(client, status, &format!("{JSON}{headers}"), body.as_bytes())?;
                continue;
            }
            _ => {}
        }
        let Ok(answer) = upstream.post(&message.body) else {
            http::respond(client, 502, TEXT, b"no upstream")?;
            continue;
        };
        let mut body = answer.body;
        for (matcher, fault) in due.iter().filter(|(_, fault)| fault.is_in_json()) {
            let answer = serde_json::from_slice(&body)?;
            body = serde_json::to_vec(&match fault {
                Fault::Whole(rewrite) => rewrite(&request, answer),
                _ => spoil_all(fault, matcher, &request, answer),
            })?;
        }
        let half = body.len() / 2;
        match end {
            Some(Fault::Truncated) => {
                let head = http::head(200, JSON, body.len());
                body.truncate(half);
                let mut client = client;
                return Ok(client.write_all(&[head.as_bytes(), &body].concat())?);
            }
            Some(Fault::CutJson) => body.truncate(half),
            _ => {}
        }
        let status = answer.start.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(502);
        http::respond(client, status, JSON, &body)?;
    }
    Ok(())
}

/// The calls of a request: those of a batch, or the request itself.
fn calls_of(request: &Value) -> &[Value] {
    match request {
        Value::Array(batch) => batch,
        single => std::slice::from_ref(single),
    }
}

/// Spoils the responses to the calls that match. A batch may be answered in any order, so they are told apart by id.
fn spoil_all(fault: &Fault, matcher: &Matcher, request: &Value, answer: Value) -> Value {
    let spoil = |response: Value| {
        let call =
            calls_of(request).iter().find(|call| call["id"] == response["id"] && matcher.matches(call));
        match call {
            Some(call) => fault.spoil(call, response),
            None => response,
        }
    };
    match answer {
        Value::Array(batch) => batch.into_iter().map(spoil).collect(),
        single => spoil(single),
    }
}

impl Fault {
    /// Whether it changes the JSON of a response, and nothing of its transport.
    fn is_in_json(&self) -> bool {
        matches!(
            self,
            Self::EmptyCall
                | Self::ChainId(_)
                | Self::ResultNull
                | Self::RpcError { .. }
                | Self::Custom(_)
                | Self::Whole(_)
        )
    }

    /// Whether nothing can go wrong with the request after it.
    fn is_the_end(&self) -> bool {
        !self.is_in_json() && !matches!(self, Self::Delay(_))
    }

    fn spoil(&self, call: &Value, response: Value) -> Value {
        let method = call["method"].as_str().unwrap_or_default();
        let result = |result: Value| json!({"jsonrpc": "2.0", "id": call["id"], "result": result});
        match self {
            Self::EmptyCall if method == "eth_call" => result(json!("0x")),
            Self::ChainId(id) if method == "eth_chainId" => result(json!(format!("{id:#x}"))),
            Self::ResultNull => result(Value::Null),
            Self::RpcError { code, message, data } => {
                let mut error = json!({"code": code, "message": message});
                if !data.is_null() {
                    error["data"] = data.clone();
                }
                json!({"jsonrpc": "2.0", "id": call["id"], "error": error})
            }
            Self::Custom(rewrite) => rewrite(call, response),
            _ => response,
        }
    }
}
