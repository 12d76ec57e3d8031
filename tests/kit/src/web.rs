//! A web server on the loopback that notes what it is asked and gives one answer.

use crate::http;
use anyhow::Result;
use std::{
    io::BufReader,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `POST /path?query`.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
}

impl Request {
    /// A header of it.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What is answered.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    /// Lines that each end with CR LF.
    headers: String,
    body: String,
}

/// A server that lives as long as the test process.
#[derive(Debug)]
pub struct Web {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Web {
    /// Answers 200 until told otherwise.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let answer = Answer { status: 200, headers: String::new(), body: "OK".to_owned() };
        let web = Self {
            address: listener.local_addr()?,
            answer: Arc::new(Mutex::new(answer)),
            requests: Arc::default(),
        };
        let (answer, requests) = (Arc::clone(&web.answer), Arc::clone(&web.requests));
        thread::spawn(move || {
            while let Ok((connection, _)) = listener.accept() {
                let (answer, requests) = (Arc::clone(&answer), Arc::clone(&requests));
                // A client that goes away is the test's business.
                thread::spawn(move || serve(&connection, &answer, &requests).ok());
            }
        });
        Ok(web)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers with this status from now on.
    pub fn answer(&self, status: u16) {
        self.answer_with(status, "", "OK");
    }

    /// Answers with this status, these header lines (each ends with CR LF), and this body from now on, in which `{request}`
    /// stands for all that was asked.
    pub fn answer_with(&self, status: u16, headers: &str, body: &str) {
        *guard(&self.answer) = Answer { status, headers: headers.to_owned(), body: body.to_owned() };
    }

    /// What was asked so far, which is then forgotten.
    pub fn take(&self) -> Vec<Request> {
        std::mem::take(&mut *guard(&self.requests))
    }
}

/// A port that takes connections and says nothing.
#[derive(Debug)]
pub struct Mute {
    url: String,
    _listener: TcpListener,
}

impl Mute {
    /// On a free port.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        Ok(Self { url: format!("http://{}", listener.local_addr()?), _listener: listener })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// The URL of a port where nobody listens.
pub fn nowhere() -> Result<String> {
    Ok(Mute::start()?.url)
}

fn guard<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(connection: &TcpStream, answer: &Mutex<Answer>, requests: &Mutex<Vec<Request>>) -> Result<()> {
    let mut reader = BufReader::new(connection);
    while let Some(message) = http::read(&mut reader)? {
        let line = message.start.rsplit_once(' ').map_or(message.start.as_str(), |(line, _)| line).to_owned();
        let body = String::from_utf8_lossy(&message.body).into_owned();
        let Answer { status, headers, body: answer } = guard(answer).clone();
        let answer = answer.replace("{request}", &format!("{line} {:?} {body}", message.headers));
        guard(requests).push(Request { line, headers: message.headers, body });
        http::respond(connection, status, &headers, answer.as_bytes())?;
    }
    Ok(())
}
