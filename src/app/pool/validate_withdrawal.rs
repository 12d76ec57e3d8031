//! Of `pool validate-withdrawal`: may a member withdraw so many shares now, and if not, for which reasons.

use base::amount::Quantity;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::ViewStamp;
use vault::risk::verdict::Verdict;

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ValidateWithdrawalOutput {
    /// The pool's name, or what was typed where there is none.
    pub pool: String,
    /// The member's address, or what was typed where there is none.
    pub member: String,
    /// The member's name, if it has one.
    pub member_name: Option<String>,
    /// Shares asked for; null where what was typed is no amount of them.
    pub shares: Option<Quantity>,
    /// What they are worth by the last sync, rounded down; null where that is not known.
    pub assets: Option<Quantity>,
    /// Whether it is valid, and every failed rule.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Whose view the figures are; null before the first sync.
    pub view: Option<ViewStamp>,
    /// How long ago that was read.
    pub age_sec: Option<u64>,
}

impl ValidateWithdrawalOutput {
    /// "withdrawal of 12.50 sUSD by alice from pool "main"".
    pub fn what(&self) -> String {
        let shares = self.shares.as_ref().map(|shares| format!(" of {shares}")).unwrap_or_default();
        let member = self.member_name.as_ref().unwrap_or(&self.member);
        format!("withdrawal{shares} by {member} from pool \"{}\"", self.pool)
    }
}
