//! `poolctl oracle …`: price feeds, and whether their prices may be used.

mod change;
mod price;
mod quotes;

use crate::pools::{Shown, table};
use crate::shell::at::AtFlag;
use crate::shell::prelude::*;
use crate::shell::views::or_dash;
use app::pools::alerts::AlertsOutput;
use app::pools::oracle::{AddOutput, FeedView, ListOutput};
use base::amount::{self, E18};
use base::clock;
use config::value::address;
use rusqlite::Connection;
use state::alert::Subject;
use std::collections::BTreeSet;
use vault::feed::quote::Limits;
use vault::feed::{self, AddFeed, Feed, Source};

commands! {
    /// Add and change price feeds, read them, and check that they may be used
    #[command(before_help = "Example: poolctl oracle check")]
    Command {
        Add(Add) = "oracle add": AddOutput;
        Set(change::Set) = "oracle set": app::pools::oracle::SetOutput;
        Remove(change::Remove) = "oracle remove": app::pools::oracle::RemoveOutput;
        List(List) = "oracle list": ListOutput;
        Fetch(quotes::Fetch) = "oracle fetch": app::pools::oracle::QuotesOutput;
        Get(price::Get) = "oracle get": app::pools::oracle::GetOutput;
        Aggregate(price::Aggregate) = "oracle aggregate": app::pools::oracle::AggregateOutput;
        Check(quotes::Check) = "oracle check": app::pools::oracle::QuotesOutput;
        Alerts(Alerts) = "oracle alerts": AlertsOutput;
    }
}

/// What a command for all feeds says where there are none.
const NO_FEEDS: &str = "no feeds; add one with: poolctl oracle add NAME --asset ASSET --address FEED";

/// Verify the contract of a feed and add it
///
/// A chainlink feed tells price, decimals and time. An adapter has getLatestPrice(asset) with 18 decimals, and its
/// quote is as old as its block. A fixed price is your own: it is always shown as fixed, and answers for an asset
/// that has no other feed. Adding the same feed again changes nothing; one that was removed is put back. A feed whose
/// price lies outside --min and --max now is refused.
#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "clap shows these lines as they stand")]
#[command(
    before_help = "Example: poolctl oracle add eth-usd --asset ETH --address 0x5f4eC3Df9cbd43714FE2740f5E3616155c5b8419"
)]
pub struct Add {
    /// A name of your own
    name: String,
    /// What it prices: a symbol or a token's address
    #[arg(long)]
    asset: String,
    /// The feed's contract
    #[arg(long)]
    address: Option<String>,
    /// What the contract answers to: chainlink, adapter; or fixed
    #[arg(long, default_value = "chainlink")]
    kind: String,
    /// The price of a fixed feed
    #[arg(long, allow_negative_numbers = true, conflicts_with_all = ["max_staleness", "min", "max", "max_deviation"])]
    price: Option<String>,
    /// Oldest accepted quote in seconds, the feed's heartbeat [default: oracle.max_staleness_sec]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    max_staleness: Option<u64>,
    /// Lowest accepted price
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true)]
    min: Option<String>,
    /// Highest accepted price
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true)]
    max: Option<String>,
    /// Largest accepted change against the last good price, 0 to 1
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    max_deviation: Option<String>,
    /// Do not look at the contract: neither whether it answers, nor whether its price lies within the bounds
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
}

impl Add {
    fn run(self, session: &Session) -> Result<Outcome> {
        let price = |flag: &str, text: &Option<String>| {
            text.as_deref().map(|text| amount::parse_flag(flag, text, E18)).transpose()
        };
        let (min_e18, max_e18) = (price("--min", &self.min)?, price("--max", &self.max)?);
        let deviation = self.max_deviation.as_deref();
        let deviation = deviation.map(|text| amount::parse_weight("max-deviation", text)).transpose()?;
        let feed_address = self.address.as_deref().map(|text| address("address", text)).transpose()?;
        let fixed = price("--price", &self.price)?;
        let asset = feed::asset_name("--asset", &self.asset)?;
        let source = Source::parse(&self.kind, &asset, feed_address, fixed)?;
        let app = App::open(session)?;
        let at = self.at.or(&app.config)?;
        let ask = AddFeed {
            name: self.name,
            asset,
            source,
            limits: Limits {
                max_staleness_sec: self
                    .max_staleness
                    .map_or_else(|| app.config.number("oracle.max_staleness_sec"), Ok)?,
                min_e18,
                max_e18,
                max_deviation_ppm: deviation,
            },
        };
        ask.limits.check()?;
        let dry = self.dry.dry_run;
        let added = if source.address().is_some() && !self.force {
            app.write_on_chain(dry, async |work, chain| feed::add(work, Some(chain), &ask, at).await)
        } else {
            app.write_async(dry, async |work| feed::add(work, None, &ask, at).await)
        };
        let (feed, added, view) =
            added.map_err(|e| e.context(format!("cannot add feed \"{}\"", ask.name)))?;
        Outcome::of(&AddOutput { added, feed: FeedView::from(&feed), checked_at: view })
    }
}

impl Present for AddOutput {
    fn present(&self, page: &mut Page) {
        let what = if self.added { "added" } else { "exists already:" };
        let by = match (&self.feed.address, &self.feed.fixed_price) {
            (Some(address), _) => format!("by {address}"),
            (None, price) => format!("fixed at {}", or_dash(price.as_ref())),
        };
        page.line(format!("feed \"{}\" {what} {} {by}", self.feed.name, self.feed.asset));
    }
}

/// List the feeds with their limits
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl oracle list")]
pub struct List {
    /// Those that were removed too
    #[arg(long)]
    removed: bool,
    #[command(flatten)]
    paging: Paging,
}

impl List {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let feeds = if self.removed { feed::every(state.conn())? } else { feed::all(state.conn())? };
        let (feeds, end) = self.paging.window().of_whole(feeds, |feed| feed.name.clone())?;
        let bounds = feeds.iter().map(|feed| feed.limits.bounds()).collect();
        let output = ListOutput { feeds: feeds.iter().map(FeedView::from).collect(), end, bounds };
        Outcome::of(&output)?.paged(&output.feeds, &output.end, self.paging.csv)
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        let rows = self.feeds.iter().zip(&self.bounds).map(|(feed, bounds)| {
            let (stale, bounds) = match &feed.fixed_price {
                Some(price) => (None, Some(format!("fixed at {price}"))),
                None => (Some(clock::span(feed.max_staleness_sec)), bounds.clone()),
            };
            let removed = feed.removed_at.is_some().then_some("removed");
            cells![feed.name, feed.asset, removed.unwrap_or(feed.kind), stale, bounds, feed.failure_streak]
        });
        if !table(page, ["FEED", "ASSET", "KIND", ">STALE AFTER", "BOUNDS", ">REFUSED"], rows) {
            page.line(NO_FEEDS);
        }
    }
}

/// The feeds of these names as `find` finds them, each once; none = all that are in use.
fn chosen(
    state: &state::State,
    names: &[String],
    find: fn(&Connection, &str) -> Result<Feed>,
) -> Result<Vec<Feed>> {
    if names.is_empty() {
        return feed::all(state.conn());
    }
    let mut seen = BTreeSet::new();
    let named = names.iter().map(|name| find(state.conn(), name));
    named.filter(|found| found.as_ref().map_or(true, |feed| seen.insert(feed.id))).collect()
}

/// Show the alerts of feeds: those that are open, or all of them
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl oracle alerts --closed")]
pub struct Alerts {
    /// Names; none = all
    #[arg(value_name = "FEED")]
    feeds: Vec<String>,
    #[command(flatten)]
    shown: Shown,
}

impl Alerts {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let feeds = chosen(&state, &self.feeds, feed::find)?;
        let subjects: Vec<Subject<'_>> =
            feeds.iter().map(|feed| Subject::Feed(feed.id, &feed.name)).collect();
        self.shown.outcome(session, state.conn(), &subjects, "FEED")
    }
}
