//! `oracle aggregate`: every feed of an asset is read at one block, and the median of what may be used is its price.

use super::fetch::{Deviation, Fetched, fetch};
use super::median::{Bar, Median, Split, majority, median};
use crate::feed::{Feed, of_asset};
use crate::pool::ViewStamp;
use base::amount::Base;
use base::{Code, Error, Result, say};
use evm::{At, Chain};
use state::Work;

/// What the feeds of an asset came to.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// The block and endpoint; `None` where every price is a fixed one.
    pub view: Option<ViewStamp>,
    /// Prices that it takes.
    pub quorum: usize,
    /// Feed by feed.
    pub fetched: Vec<Fetched>,
    /// The price, or why there is none.
    pub result: Result<Median, Split>,
}

impl Aggregate {
    /// When the oldest quote that was used was computed, seconds since 1970; `None` where all are fixed.
    pub fn updated_at(&self) -> Option<u64> {
        self.used().filter_map(|price| Some(price.read.as_ref()?.updated_at)).min()
    }

    /// How old that one is.
    pub fn age_sec(&self) -> Option<u64> {
        self.used().filter_map(|price| Some(price.read.as_ref()?.age_sec)).max()
    }

    fn used(&self) -> impl Iterator<Item = &super::Price> {
        self.fetched.iter().filter_map(|fetched| fetched.result.as_ref().ok())
    }
}

/// Reads every feed of an asset; `min_quorum` of `None` asks for a strict majority of them.
///
/// # Errors
/// `unknown_asset`; `invalid_value` for a quorum that can never be; those of the transport. That there is no quorum
/// is in the result.
pub async fn aggregate(
    work: &mut Work<'_>,
    chain: impl FnOnce() -> Result<Chain>,
    asset: &str,
    min_quorum: Option<usize>,
    max_spread_ppm: u32,
    at: At,
) -> Result<Aggregate> {
    let feeds: Vec<Feed> = of_asset(work.state.conn(), asset)?;
    let quorum = min_quorum.unwrap_or_else(|| majority(feeds.len()));
    if quorum > feeds.len() {
        return Err(Error::field(
            Code::InvalidValue,
            "min-quorum",
            format_args!("{quorum} is more than the {} feeds that price {asset}", feeds.len()),
        )
        .hint(say("add feeds with: ").run("oracle add")));
    }
    let (view, fetched) = fetch(work, chain, &feeds, at, Deviation::Limited).await?;
    let prices: Vec<Base> =
        fetched.iter().filter_map(|f| f.result.as_ref().ok().map(|price| price.price_e18)).collect();
    let result = median(&prices, feeds.len(), Bar { quorum, max_spread_ppm });
    Ok(Aggregate { view, quorum, fetched, result })
}
