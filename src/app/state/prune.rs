//! Of `state prune`: old rows go into an archive, and out of the state.

use schemars::JsonSchema;
use serde::Serialize;
use state::PruneReport;
use std::path::PathBuf;

/// What `state prune` did, or in a dry run would do.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PruneOutput {
    /// The state.
    pub path: PathBuf,
    /// What went where.
    #[serde(flatten)]
    pub report: PruneReport,
    /// Nothing was removed.
    #[serde(skip)]
    pub dry_run: bool,
}
