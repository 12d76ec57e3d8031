//! Of `withdrawal complete`: by the transaction that moved its shares, or on the operator's word.

use crate::withdrawal::WithdrawalView;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::ViewStamp;

/// How the withdrawal stands now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CompleteOutput {
    /// False where it stood like this before.
    pub changed: bool,
    /// The withdrawal.
    pub withdrawal: WithdrawalView,
    /// Whose view of the chain; null where it was not asked.
    pub view: Option<ViewStamp>,
}
