//! `poolctl metrics`: the state as Prometheus text.

use crate::output::{Outcome, Page, Present};
use crate::session::Session;
use app::App;
use base::{Result, forms};
use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use watch::metrics::{self, Gauge};
use watch::telemetry;

/// Print the state as metrics, in Prometheus' text format
///
/// Asks no network. For node_exporter's textfile collector: --metrics-file writes the same to a file that appears whole. It
/// says of every scheduled command what the --metrics-file of that command says of one run: collect the one or the other.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl metrics\n         poolctl metrics --quiet --metrics-file poolctl.prom"
)]
#[expect(clippy::doc_markdown, reason = "clap shows these lines as they stand")]
pub struct Metrics {}

/// The metrics.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MetricsOutput {
    /// Sample by sample; those of one name need not stand together.
    pub metrics: Vec<MetricView>,
    #[serde(skip)]
    text: String,
}

/// One sample of a gauge.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MetricView {
    /// The metric's name, with its unit.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Labels by name.
    pub labels: BTreeMap<&'static str, String>,
    /// An exact decimal.
    #[schemars(with = "forms::Decimal")]
    pub value: String,
}

impl From<Gauge> for MetricView {
    fn from(gauge: Gauge) -> Self {
        Self {
            name: gauge.name,
            help: gauge.help,
            labels: gauge.labels.into_iter().collect(),
            value: gauge.value,
        }
    }
}

impl Metrics {
    /// # Errors
    /// Those of the settings and the state.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let gauges = telemetry::gauges(&state, &app.config, session.call.run.clock.now())?;
        let text = metrics::render(&gauges);
        let views = gauges.iter().cloned().map(MetricView::from).collect();
        Ok(Outcome::of(&MetricsOutput { metrics: views, text })?.gauges(gauges))
    }
}

impl Present for MetricsOutput {
    fn present(&self, page: &mut Page) {
        for line in self.text.lines() {
            page.line(line);
        }
    }
}
