//! Of `version`: which poolctl this is, and what it reads and writes.

use schemars::JsonSchema;
use serde::Serialize;

/// Versions.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VersionOutput {
    /// Of poolctl.
    pub version: &'static str,
    /// How it was built: `release` or `debug`, and for which system and processor.
    pub build: String,
    /// The state schema that it reads and writes.
    pub state_schema: u32,
    /// `schema_version` of what it writes with `--json`.
    pub json_schema: u32,
}
