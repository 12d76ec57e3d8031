//! A web server on the loopback that notes what it is asked and answers with one status.

use crate::http;
use anyhow::Result;
use std::{
    io::BufReader,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    thread,
};

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `POST /path?query`.
    pub line: String,
    /// The body as text.
    pub body: String,
}

/// A server that lives as long as the test process.
#[derive(Debug)]
pub struct Web {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Web {
    /// Answers 200 until told otherwise.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let web =
            Self { address: listener.local_addr()?, status: Arc::new(200.into()), requests: Arc::default() };
        let (status, requests) = (Arc::clone(&web.status), Arc::clone(&web.requests));
        thread::spawn(move || {
            while let Ok((connection, _)) = listener.accept() {
                let (status, requests) = (Arc::clone(&status), Arc::clone(&requests));
                // A client that goes away is the test's business.
                thread::spawn(move || serve(&connection, &status, &requests).ok());
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
        self.status.store(status, Ordering::Relaxed);
    }

    /// What was asked so far, which is then forgotten.
    pub fn take(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner))
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

fn serve(connection: &TcpStream, status: &AtomicU16, requests: &Mutex<Vec<Request>>) -> Result<()> {
    let mut reader = BufReader::new(connection);
    while let Some(message) = http::read(&mut reader)? {
        let line = message.start.rsplit_once(' ').map_or(message.start.as_str(), |(line, _)| line).to_owned();
        let body = String::from_utf8_lossy(&message.body).into_owned();
        requests.lock().unwrap_or_else(PoisonError::into_inner).push(Request { line, body });
        http::respond(connection, status.load(Ordering::Relaxed), "", b"OK")?;
    }
    Ok(())
}
