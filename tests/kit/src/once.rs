//! One JSON-RPC request on a connection of its own, and whatever comes back.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// An HTTP answer, or what there was of it.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// As much of it as came.
    pub body: String,
    /// Whether the body has the length that its head gives.
    pub is_whole: bool,
}

/// Posts a body; none when the connection closes without an answer.
pub fn post(url: &str, body: &str) -> Option<Answer> {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close"
    );
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
    let mut text = String::new();
    // A connection that is cut off gives what came before.
    stream.read_to_string(&mut text).ok();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let field =
        |line: &str| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok();
    let length = head.lines().find_map(field)?;
    Some(Answer { status, body: body.to_owned(), is_whole: body.len() == length })
}

/// A request with the id 7.
pub fn request(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

/// The whole JSON-RPC reply to any body.
pub fn exchange(url: &str, body: &Value) -> Value {
    let answer = post(url, &body.to_string()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// The result of a call that must succeed.
pub fn call(url: &str, method: &str, params: &Value) -> Value {
    let mut reply = exchange(url, &request(method, params));
    assert!(reply.get("error").is_none(), "{method} {params}: {reply}");
    reply["result"].take()
}
