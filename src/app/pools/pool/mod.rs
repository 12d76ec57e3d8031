//! Of `pool …`: the pools there are, and what a member has in one.

pub mod chain;

use crate::paging::PageEnd;
use crate::pools::alerts::AlertView;
use crate::pools::views::PoolView;
use base::amount::Quantity;
use base::forms;
use evm::ViewStamp;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::known::Contract;
use vault::risk::verdict::Verdict;

/// The pools.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// By age in the state.
    pub pools: Vec<PoolView>,
    /// Where the page ends.
    #[serde(flatten)]
    pub end: PageEnd,
}

/// A member's position, as the state knows it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PositionOutput {
    /// The member's address.
    pub member: String,
    /// The member's name, if it has one.
    pub member_name: Option<String>,
    /// The pool.
    pub pool: String,
    /// Shares.
    pub shares: Quantity,
    /// Their worth, rounded down; null before the first sync.
    pub underlying: Option<Quantity>,
    /// Rewards not yet claimed, one amount per reward token.
    pub unclaimed: Vec<Reward>,
    /// Rewards claimed so far.
    pub claimed: Vec<Reward>,
    /// Rewards in Merkle trees, to be claimed on chain.
    pub exported: Vec<Reward>,
    /// Time of the last deposit, RFC 3339.
    #[schemars(with = "Option<forms::Time>")]
    pub last_deposit: Option<String>,
    /// Block of the last deposit.
    pub last_deposit_block: Option<u64>,
    /// Whose view; null before the first sync.
    pub view: Option<ViewStamp>,
    /// How long ago that was read.
    pub age_sec: Option<u64>,
}

/// A reward in one token.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reward {
    /// The token's symbol.
    pub symbol: String,
    /// The amount.
    pub amount: Quantity,
}

/// What the contract is from now on.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AcceptChangeOutput {
    /// The pool.
    pub pool: String,
    /// False where there was no change to accept.
    pub changed: bool,
    /// What it was before; null where nothing changed.
    pub before: Option<ContractView>,
    /// What it is now; null where it was never read.
    pub contract: Option<ContractView>,
}

/// What a contract is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ContractView {
    /// Keccak-256 of its code.
    #[schemars(with = "forms::EvmHash")]
    pub code_hash: String,
    /// Where a proxy passes its calls on to; null where it is none.
    #[schemars(with = "Option<forms::EvmAddress>")]
    pub implementation: Option<String>,
    /// What `decimals()` of its asset says; null where it says nothing.
    pub asset_decimals: Option<u8>,
    /// Whether it answers `paused()`.
    pub can_pause: bool,
}

impl From<&Contract> for ContractView {
    fn from(contract: &Contract) -> Self {
        Self {
            code_hash: contract.code_hash.to_string(),
            implementation: contract.implementation.map(|it| it.to_string()),
            asset_decimals: contract.asset_decimals,
            can_pause: contract.can_pause,
        }
    }
}

/// The pool that was added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AddOutput {
    /// False where it stood there before.
    pub added: bool,
    /// The pool.
    pub pool: PoolView,
    /// Block of its creation.
    pub deploy_block: u64,
    /// Whose view of the contract; null where it stood there before.
    pub checked_at: Option<ViewStamp>,
    /// The risk engine that the contract names; null where it names none, or was not read.
    #[schemars(with = "Option<forms::EvmAddress>")]
    pub risk_engine: Option<String>,
}

/// The pool as it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SetOutput {
    /// False where it was so already.
    pub changed: bool,
    /// The pool.
    pub pool: PoolView,
    /// Fall of the rate that is an alert.
    #[schemars(with = "forms::Decimal")]
    pub max_rate_drop: String,
    /// First block that earns rewards, once known.
    pub reward_genesis_block: Option<u64>,
}

/// What a pool is called now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RenameOutput {
    /// False where it was called so already.
    pub changed: bool,
    /// What it was called before.
    pub before: String,
    /// The pool.
    pub pool: PoolView,
}

/// A pool that was retired, or taken back.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RetireOutput {
    /// False where it was so already.
    pub changed: bool,
    /// The pool.
    pub pool: PoolView,
    /// What it carries to its next epoch, which is not paid while it is retired; null where it carries nothing.
    pub carries: Option<Quantity>,
}

/// A pool, whole.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShowOutput {
    /// The figures of the last sync.
    #[serde(flatten)]
    pub pool: PoolView,
    /// Symbol of the share token.
    pub share_symbol: String,
    /// Block of its creation.
    pub deploy_block: u64,
    /// Transfers are replayed through this block.
    pub transfers_through: Option<u64>,
    /// Members with shares.
    pub holders: u64,
    /// Fall of the rate that is an alert.
    #[schemars(with = "forms::Decimal")]
    pub max_rate_drop: String,
    /// What is wrong with it, the newest first: alerts of syncs and violations of risk rules that are open.
    pub alerts: Vec<AlertView>,
    /// First block that earns rewards, once known.
    pub reward_genesis_block: Option<u64>,
    /// Start of the next epoch to be paid, once known.
    pub reward_next_block: Option<u64>,
    /// TVL and rate at the last syncs, the oldest first.
    pub history: Vec<SyncPoint>,
}

/// The holders of a pool.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HoldersOutput {
    /// The pool.
    pub pool: String,
    /// The largest first.
    pub holders: Vec<HolderView>,
    /// Where the page ends.
    #[serde(flatten)]
    pub end: PageEnd,
    /// Transfers are replayed through this block.
    pub transfers_through: Option<u64>,
    /// Whose view the worth is; null before the first sync.
    pub view: Option<ViewStamp>,
    /// How long ago that was read.
    pub age_sec: Option<u64>,
}

/// A holder.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HolderView {
    /// The member's address.
    #[schemars(with = "forms::EvmAddress")]
    pub member: String,
    /// The member's name, if it has one.
    pub member_name: Option<String>,
    /// Shares.
    pub shares: Quantity,
    /// Their part of all shares, 0 to 1, cut to six decimals; null before the first sync, and where transfers are replayed
    /// beyond the last one.
    #[schemars(with = "Option<forms::Decimal>")]
    pub part: Option<String>,
    /// Their worth, rounded down; null before the first sync.
    pub underlying: Option<Quantity>,
}

/// TVL and rate at one sync.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SyncPoint {
    /// Block height.
    pub block: u64,
    /// Time of the block, RFC 3339.
    #[schemars(with = "forms::Time")]
    pub time: String,
    /// TVL.
    pub total_assets: Quantity,
    /// Assets per share.
    pub exchange_rate: Quantity,
}

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ValidateDepositOutput {
    /// The pool's name, or what was typed where there is none.
    pub pool: String,
    /// The member's address, or what was typed where there is none.
    pub member: String,
    /// The member's name, if it has one.
    pub member_name: Option<String>,
    /// The amount; null where the input is not a valid amount.
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

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ValidateWithdrawalOutput {
    /// The pool's name, or what was typed where there is none.
    pub pool: String,
    /// The member's address, or what was typed where there is none.
    pub member: String,
    /// The member's name, if it has one.
    pub member_name: Option<String>,
    /// Shares asked for; null where the input is not a valid amount.
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
