//! `poolctl oracle aggregate`: the median of an asset's feeds.

use super::quotes::table;
use crate::output::{Outcome, Page, Present};
use crate::shell::at::AtFlag;
use crate::shell::options::DryRun;
use crate::shell::session::Session;
use app::App;
use app::pools::oracle::AggregateOutput;
use base::amount::{self, to_units};
use base::{Error, Result, clock};
use clap::Args;
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

impl Aggregate {
    /// # Errors
    /// `unknown_asset`, `invalid_value`; those of the transport. `no_quorum` and `spread_exceeded` come with data.
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
        let gauge = output.price.as_ref().map(|price| Gauge {
            name: "poolctl_oracle_aggregate_price",
            help: "Median of the feeds of an asset.",
            labels: vec![("asset", output.asset.clone())],
            value: to_units(price.base, price.decimals),
        });
        Ok(Outcome::of(&output)?.gauges(gauge).but(failure))
    }
}

impl Present for AggregateOutput {
    fn present(&self, page: &mut Page) {
        let feeds = self.used.len() + self.left_out.len();
        page.pairs([
            ("asset", self.asset.clone()),
            ("price", crate::shell::views::or_dash(self.price.as_ref())),
            ("from", format!("{} of {feeds} feeds, {} needed", self.used.len(), self.quorum)),
            ("range", self.range.as_ref().map(|[low, high]| format!("{low} – {high}")).unwrap_or_default()),
            ("oldest", self.age_sec.map(clock::span).unwrap_or_default()),
        ]);
        page.table(table(&self.used));
        if !self.left_out.is_empty() {
            page.line("left out:").table(table(&self.left_out));
        }
        if let Some(view) = &self.view {
            page.line(view);
        }
    }
}
