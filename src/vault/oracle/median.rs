//! One price from several: the median of what was accepted, if enough was and it lies together (pure). `oracle aggregate` reads
//! every feed of an asset at one block for it.

use super::fetch::{Deviation, Fetched, fetch};
use crate::feed::quote::majority;
use crate::feed::{Feed, of_asset};
use base::amount::{Base, mul_div, to_people};
use base::{Code, Error, Result, counted, say};
use evm::{At, Chain, ViewStamp};
use state::WriteContext;

/// What several prices come to, all with 18 decimals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Median {
    /// The middle one, or the floor of the mean of the middle two.
    pub price_e18: Base,
    /// The lowest.
    pub lowest_e18: Base,
    /// The highest.
    pub highest_e18: Base,
}

/// Why several prices are not one.
#[allow(missing_docs, reason = "the texts say what the figures are")]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Split {
    #[error("{accepted} of {feeds} feeds have a valid price, {needed} are needed")]
    NoQuorum { accepted: usize, feeds: usize, needed: usize },
    #[error("prices from {} to {} lie further apart than {max_ppm} ppm of their median", shown(.lowest_e18), shown(.highest_e18))]
    Spread { lowest_e18: Base, highest_e18: Base, max_ppm: u32 },
}

fn shown(price_e18: &Base) -> String {
    to_people(*price_e18, 18)
}

impl Split {
    /// The code of the command that this ends.
    pub const fn code(&self) -> Code {
        match self {
            Self::NoQuorum { .. } => Code::NoQuorum,
            Self::Spread { .. } => Code::SpreadExceeded,
        }
    }
}

/// The median of accepted prices of `feeds` feeds, of which `quorum` at least must have one. The lowest and the highest may lie
/// `max_ppm` millionths of it apart.
pub fn median(prices_e18: &[Base], feeds: usize, quorum: usize, max_ppm: u32) -> Result<Median, Split> {
    let mut sorted = prices_e18.to_vec();
    sorted.sort_unstable();
    let none = Split::NoQuorum { accepted: sorted.len(), feeds, needed: quorum };
    if sorted.len() < quorum {
        return Err(none);
    }
    let upper = sorted.len() / 2;
    let lower = (sorted.len().max(1) - 1) / 2;
    let (Some(&low), Some(&high)) = (sorted.get(lower), sorted.get(upper)) else { return Err(none) };
    let (Some(&lowest_e18), Some(&highest_e18)) = (sorted.first(), sorted.last()) else { return Err(none) };
    // Half of the distance, so that no sum can pass 256 bits.
    let price_e18 = low + (high - low) / Base::from(2u8);
    let allowed = mul_div(price_e18, Base::from(max_ppm), Base::from(1_000_000u32)).unwrap_or(Base::MAX);
    if highest_e18 - lowest_e18 > allowed {
        return Err(Split::Spread { lowest_e18, highest_e18, max_ppm });
    }
    Ok(Median { price_e18, lowest_e18, highest_e18 })
}

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

/// Reads every feed of an asset; `min_quorum` of `None` asks for a strict majority of them. That there is no quorum is in the
/// result.
pub async fn aggregate(
    work: &mut WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    asset: &str,
    min_quorum: Option<usize>,
    max_spread_ppm: u32,
    at: At,
) -> Result<Aggregate> {
    let feeds: Vec<Feed> = of_asset(work.state.conn(), asset)?;
    let quorum = min_quorum.unwrap_or_else(|| majority(feeds.len()));
    if quorum > feeds.len() {
        let why = format!("{quorum} is more than the {} of {asset}", counted(feeds.len(), "feed"));
        return Err(Error::field(Code::InvalidValue, "min-quorum", why)
            .hint(say("add feeds with: ").run("oracle add")));
    }
    let (view, fetched) = fetch(work, chain, &feeds, at, Deviation::Limited).await?;
    let prices: Vec<Base> =
        fetched.iter().filter_map(|f| f.result.as_ref().ok().map(|price| price.price_e18)).collect();
    let result = median(&prices, feeds.len(), quorum, max_spread_ppm);
    Ok(Aggregate { view, quorum, fetched, result })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(prices: &[u64], quorum: usize, max_spread_ppm: u32) -> Result<u64, Split> {
        let prices: Vec<Base> = prices.iter().copied().map(Base::from).collect();
        median(&prices, 5, quorum, max_spread_ppm).map(|m| m.price_e18.to())
    }

    #[test]
    fn the_middle_or_the_floor_between_the_middle_two() {
        for (prices, want) in [
            (vec![7], 7),
            (vec![9, 7], 8),
            (vec![7, 10], 8),
            (vec![1_000, 1, 2], 2),
            (vec![4, 1, 9, 6], 5),
            (vec![4, 1, 9, 7], 5),
        ] {
            assert_eq!(of(&prices, 1, u32::MAX), Ok(want), "{prices:?}");
        }
        let high = [Base::MAX, Base::MAX - Base::ONE];
        assert!(matches!(median(&high, 2, 2, 0), Err(Split::Spread { .. })), "no overflow at the top");
        assert_eq!(median(&[Base::MAX; 2], 2, 2, 0).unwrap().price_e18, Base::MAX);
    }

    #[test]
    fn a_quorum_and_a_spread_include_their_limits() {
        assert_eq!([1, 2, 3, 4, 5].map(majority), [1, 2, 2, 3, 3]);
        assert_eq!(of(&[5, 5], 2, 0), Ok(5));
        assert_eq!(of(&[5, 5], 3, 0), Err(Split::NoQuorum { accepted: 2, feeds: 5, needed: 3 }));
        let none = Err(Split::NoQuorum { accepted: 0, feeds: 5, needed: 0 });
        assert_eq!(of(&[], 0, 0), none, "nothing is no price");
        // 5 % of a median of 1,000 is 50.
        assert_eq!(of(&[980, 1_000, 1_030], 2, 50_000), Ok(1_000));
        assert!(matches!(of(&[980, 1_000, 1_031], 2, 50_000), Err(Split::Spread { .. })));
    }

    proptest! {
        #[test]
        fn no_more_than_half_lie_on_either_side(prices in proptest::collection::vec(1u64.., 1..12)) {
            // Only prices that lie more than 4,295 times the median apart are refused here.
            let Ok(got) = of(&prices, 1, u32::MAX) else { return Ok(()) };
            let below = prices.iter().filter(|p| **p < got).count();
            let above = prices.iter().filter(|p| **p > got).count();
            prop_assert!(2 * below <= prices.len() && 2 * above <= prices.len());
        }
    }
}
