//! `poolctl oracle get` and `aggregate`: the price of an asset, from one feed or as the median of all.

use super::quotes::table;
use crate::pools::seen;
use crate::shell::at::AtFlag;
use crate::shell::prelude::*;
use crate::shell::views::or_dash;
use app::pools::oracle::{AggregateOutput, GetOutput};
use base::amount::{self, to_units};
use base::clock;
use vault::{feed, oracle};
use watch::metrics::Gauge;

/// The price of an asset: from the cache, or read now
///
/// Where the chain cannot be read, a cached price that is not stale is served and marked degraded.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl oracle get ETH")]
pub struct Get {
    /// A symbol or a token's address
    asset: String,
    /// Read the chain even if the cache is fresh
    #[arg(long)]
    refresh: bool,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
}

impl Get {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let asset = feed::asset_name("ASSET", &self.asset)?;
        let app = App::open(session)?;
        let at = self.at.or(&app.config)?;
        let ttl = app.config.number("oracle.cache_ttl_sec")?;
        let hit = oracle::cached(app.read()?.conn(), &asset, session.call.run.clock.now(), Some(ttl))?;
        if let Some(price) = hit.filter(|_| !self.refresh) {
            if self.dry.dry_run {
                session.call.set_dry_run();
            }
            return Ok(Outcome::of(GetOutput::of(price, "cache")));
        }
        let (price, degraded) = app
            .write_async(self.dry.dry_run, async |work| oracle::price(work, || app.chain(), &asset, at).await)
            .map_err(|e| e.context(format!("cannot price {asset}")))?;
        let source = if degraded.is_some() { "degraded" } else { "chain" };
        let warning =
            degraded.map(|e| format!("the chain cannot be read, this price is from the cache: {e}"));
        Ok(Outcome::of(GetOutput::of(price, source)).warn(warning))
    }
}

impl Present for GetOutput {
    fn present(&self, page: &mut Page) {
        page.pairs([
            ("asset", self.asset.clone()),
            ("price", self.price.to_string()),
            ("feed", self.feed.clone()),
            ("from", self.source.to_owned()),
            ("age", self.age_sec.map(clock::span).unwrap_or_default()),
            ("read at", self.view.as_ref().map(ToString::to_string).unwrap_or_default()),
        ]);
    }
}

/// The median price of all feeds of an asset, if enough of them agree; exit 5 if not
///
/// Every feed is read at one block. Without a quorum, or with prices too far apart, there is no price.
#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "clap shows these lines as they stand")]
#[command(before_help = "Example: poolctl oracle aggregate ETH --min-quorum 2")]
pub struct Aggregate {
    /// A symbol or a token's address
    asset: String,
    /// At least N feeds must have a valid price [default: more than half]
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

impl Aggregate {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let asset = feed::asset_name("ASSET", &self.asset)?;
        let spread = self.max_spread.as_deref();
        let spread = spread.map(|text| amount::parse_weight("max-spread", text)).transpose()?;
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
        let gauge = output.price.as_ref().map(|price| {
            let (value, labels) =
                (to_units(price.base, price.decimals), vec![("asset", output.asset.clone())]);
            let help = "Median of the feeds of an asset.";
            Gauge { name: "poolctl_oracle_aggregate_price", help, labels, value }
        });
        Ok(Outcome::of(output).gauges(gauge).but(failure))
    }
}

impl Present for AggregateOutput {
    fn present(&self, page: &mut Page) {
        let feeds = self.used.len() + self.left_out.len();
        page.pairs([
            ("asset", self.asset.clone()),
            ("price", or_dash(self.price.as_ref())),
            ("from", format!("{} of {feeds} feeds, {} needed", self.used.len(), self.quorum)),
            ("range", self.range.as_ref().map(|[low, high]| format!("{low} – {high}")).unwrap_or_default()),
            ("oldest", self.age_sec.map(clock::span).unwrap_or_default()),
        ]);
        page.table(table(&self.used));
        if !self.left_out.is_empty() {
            page.line("left out:").table(table(&self.left_out));
        }
        seen(page, self.view.as_ref());
    }
}
