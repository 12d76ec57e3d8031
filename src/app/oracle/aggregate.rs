//! Of `oracle aggregate`: the median of an asset's feeds.

use crate::oracle::quotes::QuoteView;
use base::amount::{E18, Quantity};
use base::forms;
use schemars::JsonSchema;
use serde::Serialize;
use vault::oracle;
use vault::pool::ViewStamp;

/// The median, or why there is none.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AggregateOutput {
    /// What is priced.
    pub asset: String,
    /// The price; null where there is none.
    pub price: Option<Quantity>,
    /// When the oldest quote that was used was computed, RFC 3339; null where all prices are fixed.
    #[schemars(with = "Option<forms::Time>")]
    pub updated_at: Option<String>,
    /// How old that one is.
    pub age_sec: Option<u64>,
    /// The lowest and the highest price that was used.
    pub range: Option<[Quantity; 2]>,
    /// How many prices it takes.
    pub quorum: usize,
    /// Those that were used.
    pub used: Vec<QuoteView>,
    /// Those that were left out, and why.
    pub left_out: Vec<QuoteView>,
    /// The block and endpoint; null where all prices are fixed.
    pub view: Option<ViewStamp>,
}

impl AggregateOutput {
    /// The median that was found, or why there is none.
    pub fn of(asset: String, found: &oracle::Aggregate) -> Self {
        let price = |e18| Quantity::new(e18, E18, "");
        let median = found.result.as_ref().ok();
        let quotes = |ok: bool| {
            let quotes = found.fetched.iter().filter(|fetched| fetched.result.is_ok() == ok);
            quotes.map(QuoteView::from).collect()
        };
        Self {
            asset,
            price: median.map(|median| price(median.price_e18)),
            updated_at: median.and(found.updated_at()).map(crate::farming::time),
            age_sec: median.and(found.age_sec()),
            range: median.map(|median| [price(median.lowest_e18), price(median.highest_e18)]),
            quorum: found.quorum,
            used: quotes(true),
            left_out: quotes(false),
            view: found.view.clone(),
        }
    }
}
