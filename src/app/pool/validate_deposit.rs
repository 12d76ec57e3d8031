//! Of `pool validate-deposit`: may a member deposit so much now, and if not, for which reasons.

use base::amount::Quantity;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::ViewStamp;
use vault::risk::verdict::Verdict;

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ValidateDepositOutput {
    /// The pool's name, or what was typed where there is none.
    pub pool: String,
    /// The member's address, or what was typed where there is none.
    pub member: String,
    /// The member's name, if it has one.
    pub member_name: Option<String>,
    /// The amount; null where what was typed is none of the pool's asset.
    pub amount: Option<Quantity>,
    /// What the member can deposit; null where pool or member is not known.
    pub balance: Option<Quantity>,
    /// Whether that balance and the figures were read on chain now.
    pub on_chain: bool,
    /// Whether it is valid, and every failed rule.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Whose view the pool's figures are; null where there are none.
    pub view: Option<ViewStamp>,
    /// How long ago they were read.
    pub age_sec: Option<u64>,
}

impl ValidateDepositOutput {
    /// "deposit of 250.00 USD by alice into pool "main"".
    pub fn what(&self) -> String {
        let amount = self.amount.as_ref().map(|amount| format!(" of {amount}")).unwrap_or_default();
        let member = self.member_name.as_ref().unwrap_or(&self.member);
        format!("deposit{amount} by {member} into pool \"{}\"", self.pool)
    }
}
