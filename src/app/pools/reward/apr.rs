//! Of `reward apr`: what pools yield in a year.

use crate::pools::views::stamp;
use base::amount::{Base, Quantity, to_units};
use base::forms;
use schemars::JsonSchema;
use serde::Serialize;
use vault::oracle::Price;
use vault::pool::ViewStamp;
use vault::reward::Outlook;
use vault::reward::apr::{DECIMALS, Yields};

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
    /// Simple, as a part of 1, cut to six decimals; null where it cannot be told.
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
                Ok(Yields { apy_e6: None, .. }) => Some("its APY is too large to tell"),
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
