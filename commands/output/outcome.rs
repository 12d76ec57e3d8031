//! What a command returns: its data, how a person sees it, warnings, gauges, and how the run ends.

use super::csv;
use super::nagios::Probe;
use super::page::Page;
use app::Document;
use app::paging::PageEnd;
use base::{Code, Error, Exit, Result};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use watch::metrics::Gauge;

/// Output of a command: the serialisation is the JSON contract, with its schema, the page is for a person.
pub trait Present: Serialize + JsonSchema {
    /// Writes what a person wants to see.
    fn present(&self, page: &mut Page);
}

/// An output, whatever its type. It is written in the one form that somebody wants to see.
trait Output {
    fn json(&self) -> Result<Box<RawValue>>;
    fn present(&self, page: &mut Page);
}

impl<T: Present> Output for T {
    fn json(&self) -> Result<Box<RawValue>> {
        serde_json::value::to_raw_value(self)
            .map_err(|e| Error::new(Code::Bug, format!("the output cannot be written as JSON: {e}")))
    }

    fn present(&self, page: &mut Page) {
        Present::present(self, page);
    }
}

/// How a command ended.
#[derive(Default)]
pub struct Outcome {
    /// None where there is nothing to show.
    output: Option<Box<dyn Output>>,
    /// Where there is more than this page of a list.
    more: Option<String>,
    /// The page was shown before.
    is_shown: bool,
    /// The same as CSV, where that is asked for; it is shown instead.
    pub csv: Option<String>,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// The command's own metrics.
    pub gauges: Vec<Gauge>,
    /// Why the exit code is not 0 although there is data: partly done, or a check found something.
    pub failure: Option<Error>,
    /// Lines of NDJSON went before: the envelope is the stream's last line, of type `result`.
    pub streamed: bool,
    /// What a monitoring system is told instead of all that, and the exit status it wants.
    pub probe: Option<Probe>,
    /// The page is a file that was asked for by the name of stdout: `--quiet` does not keep it back.
    pub is_file: bool,
}

impl Outcome {
    /// A finished command with its output.
    pub fn of(output: impl Present + 'static) -> Self {
        Self { output: Some(Box::new(output)), ..Self::default() }
    }

    /// A finished command with a document of the services, its warnings, metrics and failure.
    pub fn document(output: impl Document + Present + 'static) -> Self {
        let (warnings, gauges, failure) = (output.warnings().to_vec(), output.gauges(), output.failure());
        Self::of(output).warn(warnings).gauges(gauges).but(failure)
    }

    /// The page of a list with these rows: says where there is more, and has the rows as CSV where that is asked for.
    pub fn list<T: Present + 'static, R: Serialize + JsonSchema>(
        output: T,
        rows: impl FnOnce(&T) -> (&[R], &PageEnd),
        csv: bool,
    ) -> Result<Self> {
        let (rows, end) = rows(&output);
        let more = end.cursor.as_ref().map(|cursor| {
            let shown = match end.total {
                Some(total) => format!("{} of {total}", rows.len()),
                None => format!("the first {}", rows.len()),
            };
            format!("{shown}, see all with --all, the next with --after {cursor}")
        });
        let csv = csv.then(|| csv::text(rows)).transpose()?;
        let warnings = more.clone().filter(|_| csv.is_some());
        Ok(Self { more, csv, ..Self::of(output) }.warn(warnings))
    }

    /// The command's data as JSON; none where there is nothing to show.
    pub fn data(&self) -> Result<Option<Box<RawValue>>> {
        self.output.as_ref().map(|output| output.json()).transpose()
    }

    /// The same for a person; empty where it was shown before.
    pub fn page(&self) -> Page {
        let mut page = Page::default();
        if let (Some(output), false) = (&self.output, self.is_shown) {
            output.present(&mut page);
            if let Some(more) = &self.more {
                page.line(more);
            }
        }
        page
    }

    /// The page, which is not shown again at the end.
    #[cfg(feature = "sandbox")]
    pub fn page_now(&mut self) -> Page {
        let page = self.page();
        self.is_shown = true;
        page
    }

    /// A command that failed with nothing to show.
    pub fn failed(failure: Error) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }

    /// Adds warnings.
    #[must_use]
    pub fn warn(mut self, warnings: impl IntoIterator<Item = String>) -> Self {
        self.warnings.extend(warnings);
        self
    }

    /// Adds metrics.
    #[must_use]
    pub fn gauges(mut self, gauges: impl IntoIterator<Item = Gauge>) -> Self {
        self.gauges.extend(gauges);
        self
    }

    /// Ends the command with this error although there is data.
    #[must_use]
    pub fn but(mut self, failure: Option<Error>) -> Self {
        self.failure = failure;
        self
    }

    /// Makes the envelope the last line of a stream.
    #[must_use]
    pub fn streamed(mut self) -> Self {
        self.streamed = true;
        self
    }

    /// Tells a monitoring system instead of a person.
    #[must_use]
    pub fn probe(mut self, probe: Probe) -> Self {
        self.probe = Some(probe);
        self
    }

    /// Whether the page is a file that was asked for by the name of stdout.
    #[must_use]
    pub fn file(mut self, is_file: bool) -> Self {
        self.is_file = is_file;
        self
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.failure.as_ref().map_or(Exit::Done, Error::exit)
    }
}
