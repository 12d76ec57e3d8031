//! Of `withdrawal fail`: give it up, and free its shares.

use crate::withdrawal::WithdrawalView;
use schemars::JsonSchema;
use serde::Serialize;

/// How the withdrawal stands now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FailOutput {
    /// False where it had failed before.
    pub changed: bool,
    /// The withdrawal.
    pub withdrawal: WithdrawalView,
}
