//! `poolctl metrics`: the state as Prometheus text.

use crate::shell::prelude::*;
use app::watching::{MetricView, MetricsOutput};
use watch::metrics;
use watch::telemetry;

/// Print the state as metrics, in Prometheus' text format
///
/// Asks no network. For node_exporter's textfile collector: --metrics-file writes the same to a file that appears whole. It
/// says of every scheduled command what the --metrics-file of that command says of one run: collect the one or the other.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl metrics\n         poolctl metrics -q --metrics-file poolctl.prom")]
#[expect(clippy::doc_markdown, reason = "clap shows these lines as they stand")]
pub struct Metrics {}

impl Metrics {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let gauges = telemetry::gauges(&state, &app.config, session.call.run.clock.now())?;
        let text = metrics::render(&gauges);
        let views = gauges.iter().cloned().map(MetricView::from).collect();
        Ok(Outcome::of(MetricsOutput { metrics: views, text }).gauges(gauges))
    }
}

impl Present for MetricsOutput {
    fn present(&self, page: &mut Page) {
        for line in self.text.lines() {
            page.line(line);
        }
    }
}
