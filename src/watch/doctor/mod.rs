//! Whether this installation is sound: files, state, clock, endpoints, contracts, farmers. Finds what it can, changes nothing.

pub mod evm;
pub mod files;
pub mod peers;
pub mod stellar;
pub mod store;

pub use peers::{Head, ProbeOptions, Probed};

use base::Remedy;
use strum::IntoStaticStr;

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// It works, and something should be done.
    Warn,
    /// It does not work, or money is at risk.
    Fail,
}

impl CheckStatus {
    /// Its stable word.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What an endpoint says of contracts: a line each, or why it cannot tell; `None` where it was not asked.
type Told = Option<base::Result<Vec<Line>>>;

/// One line of the findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it belongs to: `config`, `files`, `state`, `clock`, `evm`, `stellar`, `contracts`, `farmers`, `expiry` or `notify`.
    pub area: &'static str,
    /// What was checked.
    pub subject: String,
    /// How it stands.
    pub verdict: CheckStatus,
    /// What was found.
    pub words: String,
    /// What fixes it.
    pub fix: Option<Remedy>,
}

impl Line {
    /// A thing that is as it should be.
    pub fn ok(area: &'static str, subject: impl Into<String>, words: impl Into<String>) -> Self {
        Self { area, subject: subject.into(), verdict: CheckStatus::Ok, words: words.into(), fix: None }
    }

    /// A thing that works, and about which something should be done.
    pub fn warn(
        area: &'static str,
        subject: impl Into<String>,
        words: impl Into<String>,
        fix: impl Into<Remedy>,
    ) -> Self {
        Self { verdict: CheckStatus::Warn, fix: Some(fix.into()), ..Self::ok(area, subject, words) }
    }

    /// A thing that does not work.
    pub fn fail(
        area: &'static str,
        subject: impl Into<String>,
        words: impl Into<String>,
        fix: impl Into<Remedy>,
    ) -> Self {
        Self { verdict: CheckStatus::Fail, fix: Some(fix.into()), ..Self::ok(area, subject, words) }
    }

    /// An error as a finding.
    pub fn error(area: &'static str, subject: impl Into<String>, e: &base::Error) -> Self {
        Self { verdict: CheckStatus::Fail, fix: e.remedy().cloned(), ..Self::ok(area, subject, e.message()) }
    }
}
