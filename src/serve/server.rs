//! What the server has, whatever is asked: the face, who may ask how often, and what was answered last.

use crate::answer::Refusal;
use crate::endpoint::Endpoint;
use crate::limits::Limits;
use crate::tokens::{self, Token};
use crate::{Face, docs, idempotency, openapi};
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use base::{Code, Error, Result};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How a server behaves.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Requests a second of one token.
    pub rate: NonZeroU32,
    /// A proxy stands before it, and says who asks.
    pub behind_proxy: bool,
}

/// What every request needs.
pub struct Server {
    pub(crate) face: Box<dyn Face>,
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    pub(crate) limits: Limits,
    pub(crate) settings: Settings,
    pub(crate) worker: String,
    /// Connections to read the version of the state by, and who asks, again and again.
    readers: Mutex<Vec<(Option<Identity>, state::State)>>,
    /// What a request for the state was last answered.
    answers: Mutex<HashMap<String, Known>>,
    /// The routes, for programs and for people.
    pub(crate) document: Bytes,
    pub(crate) docs: Bytes,
    ending: watch::Sender<bool>,
}

/// Which file stands at the state's path: a restored one is another.
type Identity = (u64, u64);

/// An answer that stands as long as the state does, and so long.
struct Known {
    version: String,
    at: Instant,
    status: StatusCode,
    body: Bytes,
}

/// Ages stand in answers, in seconds.
const FRESH: Duration = Duration::from_secs(1);
/// Answers that are kept for those who ask the same.
const ANSWERS: usize = 256;
/// Readers that stay open.
const READERS: usize = 8;

pub(crate) type Shared = Arc<Server>;

/// Who asks: the token is kept with the request, for its log line.
#[derive(Clone)]
pub(crate) struct Asking(pub Arc<Token>);

impl Server {
    /// Around a face, with the routes of its commands; `run` is its run of the program.
    pub fn new(
        face: Box<dyn Face>,
        endpoints: Vec<Endpoint>,
        definitions: Map<String, Value>,
        settings: Settings,
        version: &str,
        run: &str,
    ) -> Self {
        let docs = docs::page(&endpoints, version).into();
        let document = openapi::document(&endpoints, definitions, version).into();
        Self {
            face,
            endpoints: endpoints.into_iter().map(Arc::new).collect(),
            limits: Limits::new(settings.rate),
            settings,
            worker: idempotency::worker(run),
            readers: Mutex::default(),
            answers: Mutex::default(),
            document,
            docs,
            ending: watch::Sender::new(false),
        }
    }

    /// It is to end: whoever waits for something is told so.
    pub(crate) fn end(&self) {
        self.ending.send_replace(true);
    }

    /// Waits so long, unless it is to end meanwhile.
    pub(crate) async fn ends_within(&self, time: Duration) -> bool {
        let mut ending = self.ending.subscribe();
        tokio::time::timeout(time, ending.wait_for(|ending| *ending)).await.is_ok()
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.face.now()
    }

    /// Reads off the threads that others wait on.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Shared,
        body: impl FnOnce(&state::State) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let server = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || server.reading(body)).await;
        read.unwrap_or_else(|e| Err(Error::new(Code::Bug, format!("a read broke off: {e}"))))
    }

    pub(crate) fn known(&self, whose: &str, version: &str) -> Option<(StatusCode, Bytes)> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let known =
            answers.get(whose).filter(|known| known.version == version && known.at.elapsed() < FRESH)?;
        Some((known.status, known.body.clone()))
    }

    pub(crate) fn remember(&self, whose: String, version: String, status: StatusCode, body: &Bytes) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= ANSWERS {
            answers.retain(|_, known| known.at.elapsed() < FRESH);
            if answers.len() >= ANSWERS {
                answers.clear();
            }
        }
        answers.insert(whose, Known { version, at: Instant::now(), status, body: body.clone() });
    }

    /// Reads by a connection that stays open.
    pub(crate) fn reading<T>(&self, body: impl FnOnce(&state::State) -> Result<T>) -> Result<T> {
        let idle = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let one = idle().pop().filter(|(file, state)| file.is_some() && *file == identity(state));
        let (file, state) = if let Some(one) = one {
            one
        } else {
            let state = self.face.state()?;
            (identity(&state), state)
        };
        let read = body(&state)?;
        // One that failed is not used again.
        let mut idle = idle();
        if idle.len() < READERS {
            idle.push((file, state));
        }
        Ok(read)
    }

    /// Whose a request is.
    pub(crate) fn whose(&self, headers: &HeaderMap) -> Result<Token, Refusal> {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let text = given
            .and_then(|value| value.split_once(' '))
            .filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        let (_, text) = text.ok_or_else(Refusal::unauthorized)?;
        let now = self.face.now();
        let found = self.reading(|state| tokens::check(state.conn(), text.trim(), now))?;
        found.ok_or_else(Refusal::unauthorized)
    }
}

fn identity(state: &state::State) -> Option<Identity> {
    let file = std::fs::metadata(state.path()).ok()?;
    Some((file.dev(), file.ino()))
}
