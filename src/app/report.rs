//! Of `report`: one page with pictures, from the state alone.

use base::forms;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::PathBuf;
use watch::report::Counts;

/// The page that was written.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ReportOutput {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: usize,
    /// SHA-256 of it, lower-case hex.
    #[schemars(with = "forms::Digest")]
    pub sha256: String,
    /// How much of everything is on it.
    pub counts: Counts,
    /// The page itself, where it goes to stdout.
    #[serde(skip)]
    pub html: Option<String>,
}
