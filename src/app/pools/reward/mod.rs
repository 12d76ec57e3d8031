//! Of `reward …`: weights, cycles, epochs, what is owed, yields, and claims.

pub mod epoch;
pub mod export;

use crate::Document;
use crate::failures::{Failure, partly};
use crate::paging::PageEnd;
use crate::pools::views::stamp;
use base::amount::{Base, Quantity, to_units};
use base::{Error, Result, forms};
use evm::ViewStamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use vault::oracle::Price;
use vault::pool::Member;
use vault::reward::apr::{DECIMALS, Yields};
use vault::reward::{CycleReport, Outlook, Pending};

/// What is owed in one pool, in one token.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PendingView {
    /// The pool.
    pub pool: String,
    /// The token's symbol.
    pub symbol: String,
    /// The sum.
    pub amount: Quantity,
    /// Epochs it comes from.
    pub epochs: u64,
}

impl From<Pending> for PendingView {
    fn from(pending: Pending) -> Self {
        Self {
            pool: pending.pool,
            symbol: pending.amount.symbol.clone(),
            amount: pending.amount,
            epochs: pending.epochs,
        }
    }
}

/// What a member has not claimed yet in one pool, in one token.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ClaimableView {
    /// The member's address.
    #[schemars(with = "forms::EvmAddress")]
    pub member: String,
    /// The member's name, if it has one.
    pub member_name: Option<String>,
    /// How much.
    #[serde(flatten)]
    pub pending: PendingView,
}

impl ClaimableView {
    /// Each of what a member can claim.
    pub fn of(member: &Member, pending: Vec<Pending>) -> impl Iterator<Item = Self> + use<> {
        let (member, member_name) = (member.address.to_string(), member.name.clone());
        pending.into_iter().map(move |pending| Self {
            member: member.clone(),
            member_name: member_name.clone(),
            pending: pending.into(),
        })
    }
}

/// What a pool owes its members in all.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OwedView {
    /// The pool.
    pub pool: String,
    /// The token's address.
    #[schemars(with = "forms::EvmAddress")]
    pub asset: String,
    /// The token's symbol.
    pub symbol: String,
    /// The sum.
    pub amount: Quantity,
}

/// A sum over pools in one token.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TotalView {
    /// The token's address.
    #[schemars(with = "forms::EvmAddress")]
    pub asset: String,
    /// The token's symbol.
    pub symbol: String,
    /// The sum.
    pub amount: Quantity,
}

/// The sums by token, in the order of their addresses.
pub fn totals<'a>(amounts: impl Iterator<Item = (&'a str, &'a Quantity)>) -> Result<Vec<TotalView>> {
    let mut sums: BTreeMap<&str, Quantity> = BTreeMap::new();
    for (asset, amount) in amounts {
        let sum = sums.entry(asset).or_insert_with(|| Quantity { base: Base::ZERO, ..amount.clone() });
        let more = sum.base.checked_add(amount.base);
        sum.base = more.ok_or_else(|| Error::corrupt("the sum of rewards passes 256 bits"))?;
    }
    let view = |(asset, amount): (&str, Quantity)| TotalView {
        asset: asset.to_owned(),
        symbol: amount.symbol.clone(),
        amount,
    };
    Ok(sums.into_iter().map(view).collect())
}

/// Rewards that are not claimed yet.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PendingOutput {
    /// The member's address; null where all were asked for.
    pub member: Option<String>,
    /// By member, pool and token; a page holds so many members.
    pub pending: Vec<ClaimableView>,
    /// Where the page ends.
    #[serde(flatten)]
    pub end: PageEnd,
    /// What each pool owes all members, by the ledger; none where one member was asked for.
    pub pools: Vec<OwedView>,
    /// The sums by token: of the pools, or of the member.
    pub totals: Vec<TotalView>,
    /// What is in Merkle trees, to be claimed on chain; by pool and token, of a member only.
    pub exported: Vec<PendingView>,
}

/// What was credited.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ClaimOutput {
    /// The member's address.
    pub member: String,
    /// By pool and token; empty where there was nothing to claim.
    pub credited: Vec<PendingView>,
    /// What is in Merkle trees, to be claimed on chain; by pool and token.
    pub exported: Vec<PendingView>,
    /// Audit event and ledger transaction.
    pub event: Option<i64>,
}

/// What was set.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SetWeightOutput {
    /// The pool.
    pub pool: String,
    /// Its weight.
    #[schemars(with = "forms::Decimal")]
    pub weight: String,
    /// First block it holds for.
    pub effective_block: u64,
    /// False where it was so already.
    pub changed: bool,
    /// The weight that was announced for that block before, and is withdrawn.
    #[schemars(with = "Option<forms::Decimal>")]
    pub replaces: Option<String>,
}

/// A pool's weight.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WeightView {
    /// The pool.
    pub pool: String,
    /// In force at the next epoch; null where it takes no part yet.
    #[schemars(with = "Option<forms::Decimal>")]
    pub weight: Option<String>,
    /// Share of the emission, 0 to 1, cut to six decimals; null where all weights are 0.
    #[schemars(with = "Option<forms::Decimal>")]
    pub share: Option<String>,
    /// A change to come.
    #[schemars(with = "Option<forms::Decimal>")]
    pub next_weight: Option<String>,
    /// First block of that change.
    pub next_block: Option<u64>,
}

/// The weights.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WeightsOutput {
    /// By pool.
    pub weights: Vec<WeightView>,
}

impl Document for CycleReport {
    fn failure(&self) -> Option<Error> {
        let failures: Vec<Failure> =
            self.pools.iter().filter_map(|p| Some((p.pool.clone(), p.failure.clone()?))).collect();
        partly(self.pools.len() - failures.len(), &failures, "pools")
    }

    fn warnings(&self) -> &[String] {
        &self.notes
    }
}

/// The yields.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AprOutput {
    /// Pool by pool.
    pub pools: Vec<AprView>,
}

/// What a pool yields.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AprView {
    /// The pool.
    pub pool: String,
    /// Simple, as a part of 1, cut to six decimals; null where it is unknown.
    #[schemars(with = "Option<forms::Decimal>")]
    pub apr: Option<String>,
    /// Compounded daily, the same.
    #[schemars(with = "Option<forms::Decimal>")]
    pub apy: Option<String>,
    /// Why one is missing.
    pub why: Option<&'static str>,
    /// A year's emission for the pool.
    pub yearly_emission: Option<Quantity>,
    /// What the pool holds.
    pub tvl: Option<Quantity>,
    /// Whose view TVL is.
    pub view: Option<ViewStamp>,
    /// Price of the reward token.
    pub reward_price: Option<PriceView>,
    /// Price of the pool's asset.
    pub asset_price: Option<PriceView>,
}

/// A price that was used.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PriceView {
    /// The feed.
    pub feed: String,
    /// 18 decimals.
    pub price: Quantity,
    /// Set by the operator.
    pub fixed: bool,
    /// Its age; null for a fixed one.
    pub age_sec: Option<u64>,
}

impl From<&Price> for PriceView {
    fn from(price: &Price) -> Self {
        Self {
            feed: price.feed.clone(),
            price: Quantity::new(price.price_e18, 18, ""),
            fixed: price.is_fixed(),
            age_sec: price.read.as_ref().map(|read| read.age_sec),
        }
    }
}

impl From<Outlook> for AprView {
    fn from(outlook: Outlook) -> Self {
        let yields = outlook.yields.ok();
        let text = |part: Base| to_units(part, DECIMALS);
        Self {
            apr: yields.map(|yields| text(yields.apr_e6)),
            apy: yields.and_then(|yields| yields.apy_e6).map(text),
            why: match outlook.yields {
                Ok(Yields { apy_e6: None, .. }) => Some("its APY is too large"),
                Ok(_) => None,
                Err(why) => Some(why),
            },
            yearly_emission: outlook.yearly,
            tvl: outlook.snapshot.as_ref().map(|s| outlook.pool.asset.quantity(s.total_assets)),
            view: outlook.snapshot.as_ref().map(stamp),
            reward_price: outlook.reward_price.as_ref().map(PriceView::from),
            asset_price: outlook.asset_price.as_ref().map(PriceView::from),
            pool: outlook.pool.name,
        }
    }
}
