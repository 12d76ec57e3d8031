//! `poolctl oracle aggregate`: the median of an asset's feeds.

use super::quotes::QuoteView;
use crate::at::AtFlag;
use crate::options::DryRun;
use crate::output::{Outcome, Page, Present};
use crate::session::Session;
use app::App;
use base::amount::{self, E18, Quantity, to_units};
use base::{Error, Result, clock, forms};
use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::ViewStamp;
use vault::{feed, oracle};
use watch::metrics::Gauge;

/// The median price of all feeds of an asset, if enough of them agree; exit 5 if not
///
/// Every feed is read at one block. Without a quorum, or with prices too far apart, there is no price.
#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "clap shows these lines as they stand")]
#[command(before_help = "Example: poolctl oracle aggregate ETH --min-quorum 2")]
pub struct Aggregate {
    /// A symbol or a token's address
    asset: String,
    /// So many feeds at least must have a price that may be used [default: more than half]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    min_quorum: Option<u16>,
    /// Largest distance between the prices, as a part of their median, 0 to 1 [default: oracle.max_spread]
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    max_spread: Option<String>,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
}

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

impl Aggregate {
    /// # Errors
    /// `unknown_asset`, `invalid_value`; those of the transport. `no_quorum` and `spread_exceeded` come with data.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let asset = feed::asset_name("ASSET", &self.asset)?;
        let spread = self.max_spread.as_deref();
        let spread = spread.map(|text| amount::parse_weight("--max-spread", text)).transpose()?;
        let app = App::open(session)?;
        let at = self.at.or(&app.config)?;
        let spread = spread.map_or_else(|| app.config.ratio_ppm("oracle.max_spread"), Ok)?;
        let quorum = self.min_quorum.map(usize::from);
        let found = app
            .write_async(self.dry.dry_run, async |work| {
                oracle::aggregate(work, || app.chain(), &asset, quorum, spread, at).await
            })
            .map_err(|e| e.context(format!("cannot price {asset}")))?;
        let failure = found.result.as_ref().err().map(|split| {
            Error::new(split.code(), format!("{asset} has no price: {split}"))
                .hint("see: poolctl oracle check")
        });
        let output = AggregateOutput::of(asset, &found);
        let gauge = output.price.as_ref().map(|price| Gauge {
            name: "poolctl_oracle_aggregate_price",
            help: "Median of the feeds of an asset.",
            labels: vec![("asset", output.asset.clone())],
            value: to_units(price.base, price.decimals),
        });
        Ok(Outcome::of(&output)?.gauges(gauge).but(failure))
    }
}

impl AggregateOutput {
    fn of(asset: String, found: &oracle::Aggregate) -> Self {
        let price = |e18| Quantity::new(e18, E18, "");
        let median = found.result.as_ref().ok();
        let quotes = |ok: bool| {
            let quotes = found.fetched.iter().filter(|fetched| fetched.result.is_ok() == ok);
            quotes.map(QuoteView::from).collect()
        };
        Self {
            asset,
            price: median.map(|median| price(median.price_e18)),
            updated_at: median.and(found.updated_at()).map(super::rfc3339),
            age_sec: median.and(found.age_sec()),
            range: median.map(|median| [price(median.lowest_e18), price(median.highest_e18)]),
            quorum: found.quorum,
            used: quotes(true),
            left_out: quotes(false),
            view: found.view.clone(),
        }
    }
}

impl Present for AggregateOutput {
    fn present(&self, page: &mut Page) {
        let feeds = self.used.len() + self.left_out.len();
        page.pairs([
            ("asset", self.asset.clone()),
            ("price", crate::views::or_dash(self.price.as_ref())),
            ("from", format!("{} of {feeds} feeds, {} needed", self.used.len(), self.quorum)),
            ("range", self.range.as_ref().map(|[low, high]| format!("{low} – {high}")).unwrap_or_default()),
            ("oldest", self.age_sec.map(clock::span).unwrap_or_default()),
        ]);
        page.table(QuoteView::table(&self.used));
        if !self.left_out.is_empty() {
            page.line("left out:").table(QuoteView::table(&self.left_out));
        }
        if let Some(view) = &self.view {
            page.line(view);
        }
    }
}
