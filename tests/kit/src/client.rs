//! A client of the server, as simple as `curl`: what it sends can be anything.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test stops at the first surprise"
)]

use crate::http;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Child;
use std::thread::JoinHandle;
use std::time::Duration;

/// Nothing that a server is asked for here takes longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// A client with a token, or without one.
#[derive(Debug, Clone)]
pub struct Client {
    authority: String,
    token: Option<String>,
}

/// What the server answered.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Reply {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The code of its error.
    #[track_caller]
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Client {
    /// Of the server at `http://host:port`.
    pub fn new(url: &str) -> Self {
        let authority =
            url.strip_prefix("http://").unwrap_or_else(|| panic!("not an http:// address: {url}"));
        Self { authority: authority.to_owned(), token: None }
    }

    /// With a token.
    #[must_use]
    pub fn with(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// A connection on which nothing was said.
    pub fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.authority)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], b"")
    }

    /// POST of a document.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// POST of a document with a key.
    #[track_caller]
    pub fn post_once(&self, path: &str, key: &str, body: &Value) -> Reply {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.ask("POST", path, &headers, body.to_string().as_bytes())
    }

    /// POST of a document with a key where the server may die at it: `None` where it has not answered.
    pub fn try_post_once(&self, path: &str, key: &str, body: &Value) -> Option<Reply> {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.send(&self.request("POST", path, &headers, body.to_string().as_bytes())).ok().flatten()
    }

    /// Any request.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let reply = self.send(&self.request(method, path, headers, body)).unwrap();
        reply.unwrap_or_else(|| panic!("{method} {path}: closed without an answer"))
    }

    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.authority);
        if let Some(token) = &self.token {
            write!(head, "authorization: Bearer {token}\r\n").unwrap();
        }
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        write!(head, "content-length: {}\r\n\r\n", body.len()).unwrap();
        [head.as_bytes(), body].concat()
    }

    /// These bytes; `None` where the connection was closed without an answer.
    pub fn send(&self, bytes: &[u8]) -> io::Result<Option<Reply>> {
        let mut stream = self.connect()?;
        // A server that has answered already may not read the rest.
        let _ = stream.write_all(bytes);
        Self::read(stream)
    }

    /// Reads the answer on a connection.
    pub fn read(stream: TcpStream) -> io::Result<Option<Reply>> {
        let message = match http::read(&mut BufReader::new(stream)) {
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => None,
            read => read?,
        };
        Ok(message.map(|message| Reply {
            status: message
                .start
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse().ok())
                .unwrap_or_default(),
            body: String::from_utf8_lossy(&message.body).into_owned(),
            headers: message.headers,
        }))
    }
}

/// A server at work, until dropped.
pub struct Serving {
    child: Child,
    /// Somebody must read what it logs.
    log: Option<JoinHandle<String>>,
    /// Without a token.
    pub client: Client,
}

impl Serving {
    /// One that was just started, with `--json`.
    pub fn of(mut child: Child) -> Self {
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        let line: Value = serde_json::from_str(&said).unwrap_or_else(|e| {
            let mut why = String::new();
            child.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!("{e}: {said}{why}")
        });
        assert_eq!(line["type"], "listening");
        let client = Client::new(line["url"].as_str().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            let _ = stderr.read_to_string(&mut log);
            log
        });
        Self { child, log: Some(log), client }
    }

    /// Asks it to end, and gives its exit code and what it has logged.
    pub fn end(mut self) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        (status.code(), self.log.take().unwrap().join().unwrap())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
