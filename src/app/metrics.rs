//! Of `metrics`: the state as Prometheus text.

use base::forms;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use watch::metrics::Gauge;

/// The metrics.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MetricsOutput {
    /// Sample by sample; those of one name need not stand together.
    pub metrics: Vec<MetricView>,
    /// Prometheus' text format.
    #[serde(skip)]
    pub text: String,
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
