//! Of `pool reconcile`: the state against the chain, holder by holder.

use base::{Code, Error, say};
use schemars::JsonSchema;
use serde::Serialize;
use vault::sync::Reconciled;

/// What the comparison found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReconcileOutput {
    /// Pool by pool.
    pub pools: Vec<Reconciled>,
    /// Differences in all.
    pub drifts: usize,
}

/// The error of a comparison that found differences, naming pools that could not be compared too.
pub fn drift(found: &[Reconciled]) -> Option<Error> {
    let differs: Vec<&Reconciled> = found.iter().filter(|line| !line.drifts.is_empty()).collect();
    let first = differs.first()?;
    let count: usize = differs.iter().map(|line| line.drifts.len()).sum();
    let names: Vec<&str> = differs.iter().map(|line| line.pool.as_str()).collect();
    let failed: Vec<&str> =
        found.iter().filter(|line| line.failure.is_some()).map(|line| line.pool.as_str()).collect();
    let also =
        if failed.is_empty() { String::new() } else { format!("; not compared: {}", failed.join(", ")) };
    let what = first.drifts.first().map(ToString::to_string).unwrap_or_default();
    Some(
        Error::new(
            Code::Drift,
            format!("{count} differences in {}; first: {}: {what}{also}", names.join(", "), first.pool),
        )
        .hint(
            say("compare at another endpoint; read its transfers again with: ")
                .run("pool rescan")
                .of(&first.pool),
        )
        .detail("pools", names)
        .detail("failed", failed),
    )
}
