//! `--ping-url-file`: tells a watchdog that a run begins and how it ended. Whatever fails here is a warning.

use crate::output::words;
use crate::shell::session::{Session, runtime};
use app::{one_line, private_text};
use base::{Code, Endpoint, Error, Exit, Result};
use net::ping::{Step, ping};
use std::path::Path;
use std::thread::JoinHandle;

/// The pings of one run.
pub struct Pings {
    command: String,
    url: Result<Endpoint>,
    /// The first one is under way beside the command, which does not wait for it.
    started: Option<JoinHandle<Result<()>>>,
}

impl Pings {
    /// Reads the URL, if the run has one, and sends the first ping.
    pub fn start(session: &Session) -> Option<Self> {
        let path = session.options.ping_url_file.as_deref()?;
        let command = session.call.command.clone();
        let url = url_of(path, session.env.get("CREDENTIALS_DIRECTORY").map(Path::new));
        let started = url.as_ref().ok().map(|url| {
            let (url, command) = (url.clone(), command.clone());
            std::thread::spawn(move || send(&url, &command, Step::Start))
        });
        Some(Self { command, url, started })
    }

    /// Sends the last ping; returns what the operator should know.
    pub fn end(&mut self, exit: Exit) -> Vec<String> {
        // In this order, or the end would be taken for that of an earlier run.
        let first = self.started.take().map_or(Ok(()), |thread| {
            thread.join().unwrap_or_else(|_| Err(Error::new(Code::Bug, "the first ping broke off")))
        });
        let last = self.url.clone().and_then(|url| send(&url, &self.command, Step::End(exit)));
        let mut warnings: Vec<String> =
            [first, last].into_iter().filter_map(Result::err).map(|e| warning(&e)).collect();
        warnings.dedup();
        warnings
    }
}

fn warning(e: &Error) -> String {
    let hint = e.remedy().map(|remedy| format!("; {}", words::hint(remedy))).unwrap_or_default();
    format!("no ping: {e}{hint}")
}

fn send(url: &Endpoint, command: &str, step: Step) -> Result<()> {
    runtime()?.block_on(ping(url, command, step))
}

/// The URL that stands in a file which only its owner may read, or in a credential.
fn url_of(path: &Path, credentials: Option<&Path>) -> Result<Endpoint> {
    let bytes = private_text("ping URL file", path, credentials, Code::Io)?;
    let bad =
        |why: &str| Error::new(Code::InvalidValue, format!("the ping URL file {}: {why}", path.display()));
    let url = one_line(&bytes).map_err(bad)?;
    // Its errors name places, never the text.
    Endpoint::parse(url, 1).map_err(|e| bad(e.message()))
}
