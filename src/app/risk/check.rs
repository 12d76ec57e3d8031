//! Of `risk check`: every rule of every pool, for a person, a script or a monitoring system.

use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::ViewStamp;
use vault::risk::rules::{Rule, Verdict};

/// What the rules found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CheckOutput {
    /// Block and endpoint of the engines' answers; null where no engine was asked or reached.
    pub view: Option<ViewStamp>,
    /// Pool by pool.
    pub pools: Vec<PoolCheckView>,
}

/// One pool's findings.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PoolCheckView {
    /// The pool.
    pub pool: String,
    /// True where every rule is ok.
    pub ok: bool,
    /// Rule by rule.
    pub rules: Vec<RuleView>,
}

/// One rule's finding.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RuleView {
    /// The rule.
    pub rule: Rule,
    /// `ok`, `violated` or `unknown`.
    #[serde(flatten)]
    pub verdict: Verdict,
}
