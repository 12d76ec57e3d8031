//! `--metrics-file`: the metrics of a run, which say how the process really ended.

use crate::shell::console::Console;
use crate::shell::out_file::Output;
use crate::shell::session::Session;
use base::files::{self, Access};
use base::{Code, Error, Exit, Result};
use std::io;
use std::path::Path;
use std::time::Instant;
use watch::metrics::{self, Gauge, RunFacts};

/// Such a file is never larger.
const MOST: u64 = 64 << 20;

/// Where the metrics of this run go, and what they say.
pub struct Textfile<'s> {
    session: &'s Session,
    place: Output,
    begun: Instant,
    gauges: Vec<Gauge>,
    /// What stood there before this run, once it was needed.
    before: Option<String>,
}

/// Refuses metrics on stdout where it takes one JSON document.
pub fn check(session: &Session) -> Result<()> {
    place(session).map(|_| ())
}

/// Where the run was told to write its metrics, if it was.
fn place(session: &Session) -> Result<Option<Output>> {
    let Some(path) = &session.options.metrics_file else { return Ok(None) };
    match Output::of(path)? {
        Output::Stdout if session.options.json => {
            Err(Error::new(Code::Usage, "--metrics-file: with --json, stdout takes the JSON document alone")
                .hint("name a file, or leave --json out"))
        }
        place => Ok(Some(place)),
    }
}

impl<'s> Textfile<'s> {
    /// The file that the run was given, if it was given one that it may write.
    pub fn of(session: &'s Session, begun: Instant, gauges: &[Gauge]) -> Option<Self> {
        let place = place(session).ok()??;
        Some(Self { session, place, begun, gauges: gauges.to_vec(), before: None })
    }

    /// Writes the file of a run that ends so. To be called again where it ends otherwise after all: when the command last
    /// succeeded is taken over from what stood there before the first time.
    pub fn write(&mut self, exit: Exit) -> Result<()> {
        let Output::File(path) = &self.place else { return Ok(()) };
        if self.before.is_none() {
            self.before = Some(standing(path)?);
        }
        let text = self.text(exit);
        files::write(path, Access::Shared, |out| out.write_all(text.as_bytes()))
            .map_err(|e| files::cannot_write("the metrics file", path, &e))
    }

    /// Writes to stdout what is to go there, after everything else.
    pub fn print(&self, exit: Exit) -> Result<()> {
        match self.place {
            Output::Stdout => Console::write(&self.text(exit)),
            Output::File(_) => Ok(()),
        }
    }

    fn text(&self, exit: Exit) -> String {
        let facts = RunFacts {
            command: &self.session.call.command,
            ended: self.session.call.run.clock.now(),
            took: self.begun.elapsed(),
            exit,
        };
        metrics::text(&facts, &self.gauges, self.before.as_deref().unwrap_or_default())
    }
}

/// What a file says now; nothing where there is none, or what is there is not to be read.
fn standing(path: &Path) -> Result<String> {
    match files::read_file(path, MOST) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) => {
            Ok(String::new())
        }
        Err(e) => {
            Err(Error::new(Code::Io, format!("cannot read the earlier metrics file {}: {e}", path.display()))
                .hint("it is left as it is; it says when the command last succeeded"))
        }
    }
}
