//! Of `state …`: is the file sound, copies of it, its old rows, its schema, and where it is.

use schemars::JsonSchema;
use serde::Serialize;
use state::{BackupReport, PruneReport};
use std::path::PathBuf;
use watch::check::CheckReport;

/// What `state check` found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CheckOutput {
    /// The file.
    pub path: PathBuf,
    /// What was checked and what does not hold.
    #[serde(flatten)]
    pub report: CheckReport,
}

/// A finished, checked copy.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BackupOutput {
    /// Where it is, its size, digest and number of events.
    #[serde(flatten)]
    pub report: BackupReport,
    /// It went to the standard output.
    #[serde(skip)]
    pub is_stdout: bool,
}

/// What `state restore` did.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RestoreOutput {
    /// The backup.
    pub source: PathBuf,
    /// The state now in place; in a dry run, the backup itself.
    #[serde(flatten)]
    pub report: BackupReport,
    /// Where the replaced state was moved, if there was one.
    pub replaced: Option<PathBuf>,
}

/// What `state migrate` did.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MigrateOutput {
    /// The file.
    pub path: PathBuf,
    /// Its schema before.
    pub from: u32,
    /// Its schema now; in a dry run, the one it would have.
    pub to: u32,
    /// Steps that were taken, or would be.
    pub steps: u32,
}

/// Where the state file is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PathOutput {
    /// The path.
    pub path: PathBuf,
    /// Whether there is a file.
    pub exists: bool,
}

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
