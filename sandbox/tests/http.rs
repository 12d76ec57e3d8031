//! The HTTP server by itself: what it takes, what it refuses, and that it stops.
#![allow(clippy::unwrap_used)] // Helpers of tests, too.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use poolctl_sandbox::fault::{Fault, FaultBook};
use poolctl_sandbox::http::{RpcError, Server, Service};
use serde_json::{Value, json};

#[derive(Default)]
struct Echo(FaultBook);

impl Service for Echo {
    fn call(&self, method: &str, params: &Value, _: Option<&Fault>) -> Result<Value, RpcError> {
        match method {
            "echo" => Ok(params.clone()),
            _ => Err(RpcError { data: Some(json!("more")), ..RpcError::new(3, "no") }),
        }
    }

    fn faults(&self) -> &FaultBook {
        &self.0
    }
}

fn exchange(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.url().trim_start_matches("http://")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn requests_in_every_framing() {
    let server = Server::start(0, Arc::new(Echo::default())).unwrap();
    assert!(server.url().starts_with("http://127.0.0.1:"));
    let call = r#"{"jsonrpc":"2.0","id":"a","method":"echo","params":[1]}"#;
    let result = r#"{"jsonrpc":"2.0","id":"a","result":[1]}"#;
    let plain = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{call}", call.len());
    let answer = exchange(&server, &plain);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(result), "{answer}");
    let twice = exchange(&server, &format!("{plain}{plain}"));
    assert_eq!(twice.matches(result).count(), 2, "one connection serves several requests: {twice}");
    let (head, tail) = call.split_at(10);
    let chunked = format!(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{head}\r\n{:x}\r\n{tail}\r\n0\r\n\r\n",
        head.len(),
        tail.len()
    );
    assert!(exchange(&server, &chunked).ends_with(result));
    let error = r#"{"id":1,"method":"other"}"#;
    let answer =
        exchange(&server, &format!("POST / HTTP/1.0\r\nContent-Length: {}\r\n\r\n{error}", error.len()));
    assert!(answer.ends_with(r#""id":1,"error":{"code":3,"message":"no","data":"more"}}"#), "{answer}");
    let answer = exchange(&server, "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}");
    assert!(answer.contains("-32600"), "{answer}");
}

#[test]
fn what_is_refused() {
    let server = Server::start(0, Arc::new(Echo::default())).unwrap();
    let status = |request: &str| exchange(&server, request).split(' ').nth(1).unwrap_or("none").to_owned();
    assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), "405");
    assert_eq!(status("POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"), "413");
    assert_eq!(status("POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n"), "413");
    assert_eq!(status("POST / HTTP/1.1\r\nnonsense\r\n\r\n"), "400");
    assert_eq!(status("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "400");
    assert_eq!(status("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{}"), "none", "less than it said");
    assert_eq!(status("POST / HTTP/1.1\r\n\r\n"), "200", "an empty body is a parse error of JSON-RPC");
}

#[test]
fn it_stops_when_dropped() {
    let server = Server::start(0, Arc::new(Echo::default())).unwrap();
    let address = server.url().trim_start_matches("http://").to_owned();
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}
