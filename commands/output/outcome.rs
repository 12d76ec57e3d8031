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

/// How a command ended.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The command's data as JSON; none where there is nothing to show.
    pub data: Option<Box<RawValue>>,
    /// The same for a person.
    pub page: Page,
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
    pub fn of<T: Present + ?Sized>(output: &T) -> Result<Self> {
        let data = serde_json::value::to_raw_value(output)
            .map_err(|e| Error::new(Code::Bug, format!("the output cannot be written as JSON: {e}")))?;
        let mut page = Page::default();
        output.present(&mut page);
        Ok(Self { data: Some(data), page, ..Self::default() })
    }

    /// A finished command with a document of the services, its warnings, metrics and failure.
    pub fn document<T: Document + Present>(output: &T) -> Result<Self> {
        let warnings = output.warnings().iter().cloned();
        Ok(Self::of(output)?.warn(warnings).gauges(output.gauges()).but(output.failure()))
    }

    /// Makes it a page of a list, of these rows: says where there is more, and has the rows as CSV where that is asked for.
    pub fn paged<R: Serialize + JsonSchema>(mut self, rows: &[R], end: &PageEnd, csv: bool) -> Result<Self> {
        let more = end.cursor.as_ref().map(|cursor| {
            let shown = match end.total {
                Some(total) => format!("{} of {total}", rows.len()),
                None => format!("the first {}", rows.len()),
            };
            format!("{shown}, see all with --all, the next with --after {cursor}")
        });
        if csv {
            self.csv = Some(csv::text(rows)?);
            return Ok(self.warn(more));
        }
        if let Some(more) = more {
            self.page.line(more);
        }
        Ok(self)
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
