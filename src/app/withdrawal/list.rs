//! Of `withdrawal list`: where withdrawals stand.

use crate::withdrawal::WithdrawalView;
use schemars::JsonSchema;
use serde::Serialize;

/// Withdrawals.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// The newest first.
    pub withdrawals: Vec<WithdrawalView>,
    /// Whether there are older ones that were left out.
    pub more: bool,
    /// Seconds since each was asked for.
    #[serde(skip)]
    pub ages: Vec<u64>,
}
