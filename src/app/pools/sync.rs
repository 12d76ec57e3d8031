//! Of `sync`: figures and holders of pools at one block.

use schemars::JsonSchema;
use serde::Serialize;
use vault::sync::SyncReport;

/// What a sync did.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SyncOutput {
    /// Null where there is no pool yet.
    #[serde(flatten)]
    pub report: Option<SyncReport>,
}
