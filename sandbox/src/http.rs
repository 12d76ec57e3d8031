//! A small JSON-RPC server over HTTP/1.1 on loopback, which can misbehave on order; it knows nothing of any chain.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fault::{Fault, FaultBook};

/// Largest request body taken, in bytes; a contract upload in base64 is well below it.
const BODY_LIMIT: usize = 4 << 20;
/// Longest time a connection is left waiting before it looks whether the server stops.
const POLL: Duration = Duration::from_millis(100);

/// A JSON-RPC error object.
#[derive(Clone, Debug)]
pub struct RpcError {
    /// JSON-RPC's code, such as -32602 for bad parameters.
    pub code: i64,
    /// What is wrong, for a person.
    pub message: String,
    /// Extra data of the error, if it has any.
    pub data: Option<Value>,
}

impl RpcError {
    /// An error with this code and message.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Bad parameters (-32602).
    pub fn params(message: impl Into<String>) -> Self {
        Self::new(-32602, message)
    }

    /// A request that cannot be served (-32600).
    pub fn request(message: impl Into<String>) -> Self {
        Self::new(-32600, message)
    }

    /// A failure on this side (-32603).
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(-32603, message)
    }
}

/// What answers the requests.
pub trait Service: Send + Sync + 'static {
    /// Answers one call. `params` is `Null` when absent; `fault` is one that the server itself does not do.
    fn call(&self, method: &str, params: &Value, fault: Option<&Fault>) -> Result<Value, RpcError>;
    /// The faults ordered for this service.
    fn faults(&self) -> &FaultBook;
}

/// A running server; stops when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on 127.0.0.1; port 0 takes a free one.
    pub fn start<S: Service>(port: u16, service: Arc<S>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("sandbox-http".into()).spawn(move || {
            for stream in listener.incoming() {
                if flag.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let (service, flag) = (Arc::clone(&service), Arc::clone(&flag));
                // The host recurses deeply in a debug build; a thread's default stack is not enough for it.
                let spawned = std::thread::Builder::new()
                    .name("sandbox-rpc".into())
                    .stack_size(16 << 20)
                    .spawn(move || drop(converse(&stream, service.as_ref(), &flag)));
                drop(spawned);
            }
        })?;
        Ok(Self { address, stop, listener: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The listener looks at the flag only after a connection comes.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.listener.take() {
            drop(thread.join());
        }
    }
}

struct Request {
    is_post: bool,
    keep_alive: bool,
    body: Vec<u8>,
}

/// Serves one connection until either side ends it.
fn converse(stream: &TcpStream, service: &dyn Service, stop: &AtomicBool) -> io::Result<()> {
    stream.set_read_timeout(Some(POLL))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        match reader.fill_buf() {
            Ok([]) => return Ok(()),
            // A server that stops answers nobody, not those whose connection it has not closed yet either.
            Ok(_) if stop.load(Ordering::Relaxed) => return Ok(()),
            Ok(_) => {}
            Err(error) if is_timeout(&error) => {
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                continue;
            }
            Err(error) => return Err(error),
        }
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let request = match read_request(&mut reader, stream)? {
            Ok(request) => request,
            Err(status) => return respond(stream, status, "text/plain", b"", false),
        };
        if !request.is_post {
            respond(stream, 405, "text/plain", b"POST only\n", request.keep_alive)?;
        } else if !answer(stream, service, &request)? {
            return Ok(());
        }
        if !request.keep_alive {
            return Ok(());
        }
        stream.set_read_timeout(Some(POLL))?;
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Reads head and body; the inner error is the HTTP status to refuse with.
fn read_request(reader: &mut impl BufRead, mut stream: &TcpStream) -> io::Result<Result<Request, u16>> {
    let mut line = String::new();
    reader.by_ref().take(8192).read_line(&mut line)?;
    let is_post = line.starts_with("POST ");
    let mut keep_alive = line.trim_end().ends_with("HTTP/1.1");
    let (mut length, mut chunked, mut head) = (0_usize, false, line.len());
    loop {
        line.clear();
        head += reader.by_ref().take(8192).read_line(&mut line)?;
        if head > 65_536 {
            return Ok(Err(431));
        }
        let field = line.trim_end();
        if field.is_empty() {
            break;
        }
        let Some((name, value)) = field.split_once(':') else { return Ok(Err(400)) };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => match value.parse() {
                Ok(parsed) if parsed <= BODY_LIMIT => length = parsed,
                _ => return Ok(Err(413)),
            },
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" if value.eq_ignore_ascii_case("close") => keep_alive = false,
            "expect" => stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?,
            _ => {}
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            line.clear();
            reader.by_ref().take(64).read_line(&mut line)?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let Ok(size) = usize::from_str_radix(size, 16) else { return Ok(Err(400)) };
            if body.len().saturating_add(size) > BODY_LIMIT {
                return Ok(Err(413));
            }
            let start = body.len();
            body.resize(start + size, 0);
            reader.read_exact(body.get_mut(start..).unwrap_or_default())?;
            line.clear();
            reader.by_ref().take(64).read_line(&mut line)?;
            if size == 0 {
                break;
            }
        }
    } else {
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
    }
    Ok(Ok(Request { is_post, keep_alive, body }))
}

/// Carries out a request and answers it; false when the connection is to be dropped.
fn answer(stream: &TcpStream, service: &dyn Service, request: &Request) -> io::Result<bool> {
    let parsed: Option<Value> = serde_json::from_slice(&request.body).ok();
    // In a batch, the first call with an order is the one that has it; what is done to the wire is done to them all.
    let calls = match &parsed {
        Some(Value::Array(calls)) => calls.as_slice(),
        Some(call) => std::slice::from_ref(call),
        None => &[],
    };
    let ordered = calls.iter().enumerate().find_map(|(place, call)| {
        let method = call.get("method").and_then(Value::as_str)?;
        Some((place, service.faults().take(method)?))
    });
    let fault = ordered.as_ref().map(|(_, fault)| fault.clone());
    match &fault {
        Some(Fault::Delay(time)) => std::thread::sleep(*time),
        Some(Fault::DropBefore) => {
            stream.shutdown(Shutdown::Both)?;
            return Ok(false);
        }
        Some(Fault::Http(status)) => {
            let body = format!("{status} on order\n");
            respond(stream, *status, "text/plain", body.as_bytes(), request.keep_alive)?;
            return Ok(true);
        }
        Some(Fault::Html) => {
            let body = b"<!DOCTYPE html><html><body><h1>Just a moment...</h1></body></html>\n";
            respond(stream, 200, "text/html", body, request.keep_alive)?;
            return Ok(true);
        }
        _ => {}
    }
    let reply = match parsed {
        None => error_reply(&Value::Null, &RpcError::new(-32700, "Parse error")),
        Some(Value::Array(calls)) if calls.is_empty() => {
            error_reply(&Value::Null, &RpcError::request("Invalid request"))
        }
        Some(Value::Array(calls)) => {
            let own = |place| ordered.as_ref().filter(|(at, _)| *at == place).map(|(_, fault)| fault);
            calls.iter().enumerate().map(|(place, call)| reply(service, call, own(place))).collect()
        }
        Some(call) => reply(service, &call, fault.as_ref()),
    };
    let body = reply.to_string().into_bytes();
    match fault {
        Some(Fault::DropAfter) => {
            stream.shutdown(Shutdown::Both)?;
            Ok(false)
        }
        Some(Fault::Truncated) => {
            let mut writer = stream;
            write!(
                writer,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            )?;
            writer.write_all(body.get(..body.len() / 2).unwrap_or_default())?;
            stream.shutdown(Shutdown::Both)?;
            Ok(false)
        }
        Some(Fault::BadJson) => {
            respond(
                stream,
                200,
                "application/json",
                b"{\"jsonrpc\":\"2.0\",\"result\":{,}",
                request.keep_alive,
            )?;
            Ok(true)
        }
        _ => {
            respond(stream, 200, "application/json", &body, request.keep_alive)?;
            Ok(true)
        }
    }
}

fn reply(service: &dyn Service, call: &Value, fault: Option<&Fault>) -> Value {
    let id = call.get("id").cloned().unwrap_or(Value::Null);
    let Some(method) = call.get("method").and_then(Value::as_str) else {
        return error_reply(&id, &RpcError::request("Invalid Request: no method"));
    };
    let params = call.get("params").unwrap_or(&Value::Null);
    match service.call(method, params, fault) {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(error) => error_reply(&id, &error),
    }
}

fn error_reply(id: &Value, error: &RpcError) -> Value {
    let mut body = json!({"code": error.code, "message": error.message});
    if let (Some(data), Some(body)) = (&error.data, body.as_object_mut()) {
        body.insert("data".into(), data.clone());
    }
    json!({"jsonrpc": "2.0", "id": id, "error": body})
}

fn respond(mut stream: &TcpStream, status: u16, kind: &str, body: &[u8], keep_alive: bool) -> io::Result<()> {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        502 => "Bad Gateway",
        _ => "Internal Server Error",
    };
    let extra = if status == 429 { "Retry-After: 1\r\n" } else { "" };
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let mut bytes = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: {connection}\r\n{extra}\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    stream.write_all(&bytes)
}
