//! A client that speaks HTTP only.

use std::io::{Read, Write};
use std::net::TcpStream;

use poolctl_sandbox::evm::{Evm, EvmOptions};
use serde_json::{Value, json};

/// An HTTP answer, or what there was of it.
pub struct Answer {
    pub status: u16,
    pub body: String,
    /// Whether the body has the length that its head gives.
    pub is_whole: bool,
}

/// A network with a fixed clock.
pub fn start() -> Evm {
    start_with(EvmOptions::default())
}

pub fn start_with(options: EvmOptions) -> Evm {
    Evm::start(&EvmOptions { start_time: Some(1_700_000_000), ..options }).unwrap()
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
    let _ = stream.read_to_string(&mut text);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let field =
        |line: &str| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok();
    let length = head.lines().find_map(field)?;
    Some(Answer { status, body: body.to_owned(), is_whole: body.len() == length })
}

pub fn request(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

/// The whole JSON-RPC reply to any body.
pub fn exchange(url: &str, body: &Value) -> Value {
    let answer = post(url, &body.to_string()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

pub fn reply(evm: &Evm, method: &str, params: &Value) -> Value {
    exchange(&evm.url(), &request(method, params))
}

/// The result of a call that must succeed.
pub fn call(evm: &Evm, method: &str, params: Value) -> Value {
    let mut reply = reply(evm, method, &params);
    assert!(reply.get("error").is_none(), "{method} {params}: {reply}");
    reply["result"].take()
}

/// Code and message of a call that must fail.
pub fn error(evm: &Evm, method: &str, params: Value) -> (i64, String) {
    let reply = reply(evm, method, &params);
    let error = &reply["error"];
    assert!(error.is_object(), "{method} {params}: {reply}");
    (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())
}

pub fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

/// A dev account's address as text.
pub fn account(index: usize) -> String {
    poolctl_sandbox::evm::DEV_ACCOUNTS[index].address.to_string().to_lowercase()
}
