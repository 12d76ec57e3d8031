//! Of `withdrawal request`: validate and reserve, at once.

use crate::withdrawal::WithdrawalView;
use base::amount::Quantity;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::{Member, Pool};
use vault::risk::verdict::Verdict;

/// What became of the request.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RequestOutput {
    /// True where it is new.
    pub requested: bool,
    /// The withdrawal; null where it does not validate.
    pub withdrawal: Option<WithdrawalView>,
    /// Whether it is valid, and every failed rule.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What was asked for, for a person.
    #[serde(skip)]
    pub what: String,
}

/// What is asked for, for a person.
pub fn what(pool: &Pool, member: &Member, shares: &Quantity) -> String {
    format!("withdrawal of {shares} by {} from pool \"{}\"", member.shown(), pool.name)
}
