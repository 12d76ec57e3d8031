//! What a service hands to whichever face called it: a command shows it as pages and JSON, a route sends the same JSON.

use base::Error;
use schemars::JsonSchema;
use serde::Serialize;
use watch::metrics::Gauge;

/// A public document; its serialisation is a contract.
pub trait Document: Serialize + JsonSchema {
    /// Why not all went well although there is something to show: partly done, or something was found.
    fn failure(&self) -> Option<Error> {
        None
    }

    /// What the operator should know.
    fn warnings(&self) -> &[String] {
        &[]
    }

    /// Its metrics.
    fn gauges(&self) -> Vec<Gauge> {
        Vec::new()
    }
}
