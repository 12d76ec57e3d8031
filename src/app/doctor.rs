//! Of `doctor`: is this installation sound. It prints what it can and stops at nothing.

use schemars::JsonSchema;
use serde::Serialize;

/// What was looked at.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DoctorOutput {
    /// `ok`, `warn` or `fail`: the worst of all.
    pub verdict: &'static str,
    /// How many are as they should be.
    pub ok: usize,
    /// How many work, and should be mended.
    pub warn: usize,
    /// How many do not work.
    pub fail: usize,
    /// One by one.
    pub checks: Vec<LineView>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LineView {
    /// `config`, `files`, `state`, `clock`, `evm`, `stellar`, `contracts`, `farmers` or `expiry`.
    pub area: &'static str,
    /// What was looked at.
    pub subject: String,
    /// `ok`, `warn` or `fail`.
    pub status: &'static str,
    /// What was found.
    pub found: String,
    /// What mends it.
    pub mend: Option<String>,
}
