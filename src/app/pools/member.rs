//! Of `member …`: the members there are, and what each has.

use crate::paging::PageEnd;
use base::amount::Quantity;
use base::forms;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool;

/// A member.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MemberView {
    /// Its address.
    #[schemars(with = "forms::EvmAddress")]
    pub address: String,
    /// Its name, if it has one.
    pub name: Option<String>,
}

impl From<pool::Member> for MemberView {
    fn from(member: pool::Member) -> Self {
        Self { address: member.address.to_string(), name: member.name }
    }
}

/// What was added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AddOutput {
    /// False where nothing changed.
    pub changed: bool,
    /// The member.
    #[serde(flatten)]
    pub member: MemberView,
}

/// The member as it is called now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RenameOutput {
    /// False where it was called so already.
    pub changed: bool,
    /// The member.
    #[serde(flatten)]
    pub member: MemberView,
}

/// A page of members.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// In the order in which they appeared.
    pub members: Vec<MemberView>,
    /// Where the page ends.
    #[serde(flatten)]
    pub end: PageEnd,
}

/// A member with everything it has.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShowOutput {
    /// Who.
    #[serde(flatten)]
    pub member: MemberView,
    /// Shares, pool by pool.
    pub shares: Vec<Shares>,
    /// Ledger balances.
    pub balances: Vec<Balance>,
}

/// Shares in one pool.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Shares {
    /// The pool.
    pub pool: String,
    /// The shares.
    pub shares: Quantity,
}

/// One ledger account.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Balance {
    /// What the money is for.
    pub purpose: String,
    /// The token's address.
    pub asset: String,
    /// The token's symbol.
    pub symbol: String,
    /// The balance.
    pub amount: Quantity,
}
