//! `poolctl oracle …`: price feeds, and whether their prices may be used.

mod change;
mod price;
mod quotes;

use crate::pools::{Shown, table};
use crate::shell::prelude::*;
use crate::shell::views::or_dash;
use app::pools::alerts::AlertsOutput;
use app::pools::oracle::{AddOutput, FeedView, ListOutput};
use base::clock;
use rusqlite::Connection;
use state::alert::Subject;
use std::collections::BTreeSet;
use vault::feed::quote::Limits;
use vault::feed::{self, AddFeed, Feed, Source};

commands! {
    /// Add and change price feeds, read them, and check that they may be used
    #[command(before_help = "Example: poolctl oracle check")]
    Command {
        Add(Add) = "oracle add": AddOutput = api::post("/feeds", api::OPERATOR).made();
        Set(change::Set) = "oracle set": app::pools::oracle::SetOutput = api::post("/feeds/{feed}", api::OPERATOR);
        Remove(change::Remove) = "oracle remove": app::pools::oracle::RemoveOutput = api::post("/feeds/{feed}/remove", api::OPERATOR);
        List(List) = "oracle list": ListOutput = api::get("/feeds", api::READER);
        Fetch(quotes::Fetch) = "oracle fetch": app::pools::oracle::QuotesOutput = api::post("/feeds/fetch", api::OPERATOR);
        Get(price::Get) = "oracle get": app::pools::oracle::GetOutput = api::get("/prices/{asset}", api::OPERATOR).live();
        Aggregate(price::Aggregate) = "oracle aggregate": app::pools::oracle::AggregateOutput = api::get("/prices/{asset}/aggregate", api::OPERATOR).live();
        Check(quotes::Check) = "oracle check": app::pools::oracle::QuotesOutput = api::post("/feeds/check", api::OPERATOR);
        Alerts(Alerts) = "oracle alerts": AlertsOutput = api::get("/feeds/alerts", api::READER);
    }
}

/// What a command for all feeds says where there are none.
const NO_FEEDS: &str = "no feeds; add one with: poolctl oracle add NAME --asset ASSET --address FEED";

/// Verify the contract of a feed and add it
///
/// A chainlink feed tells price, decimals and time. An adapter has getLatestPrice(asset) with 18 decimals, and its
/// quote is as old as its block. A fixed price is your own: it is always shown as fixed, and answers for an asset
/// that has no other feed. Adding the same feed again changes nothing; one that was removed is put back, as it is asked for
/// now. A feed whose price lies outside --min and --max now is refused. Without --kind it is a chainlink feed, without
/// --max-staleness oracle.max_staleness_sec holds.
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
    #[command(flatten)]
    terms: change::Terms,
}

impl Add {
    fn run(self, session: &Session) -> Result<Outcome> {
        let (terms, dry) = (self.terms.read()?, self.terms.dry.dry_run);
        let asset = feed::asset_name("--asset", &self.asset)?;
        let kind = terms.kind.as_deref().unwrap_or("chainlink");
        let source = Source::parse(kind, &asset, terms.address, terms.price_e18)?;
        let app = App::open(session)?;
        let at = self.terms.at.or(&app.config)?;
        let max_staleness_sec =
            terms.max_staleness_sec.map_or_else(|| app.config.number("oracle.max_staleness_sec"), Ok)?;
        let limits = Limits {
            max_staleness_sec,
            min_e18: terms.min_e18.flatten(),
            max_e18: terms.max_e18.flatten(),
            max_deviation_ppm: terms.max_deviation_ppm.flatten(),
        };
        let ask = AddFeed { name: self.name, asset, source, limits };
        ask.limits.check()?;
        let added = if source.address().is_some() && !self.terms.force {
            app.write_on_chain(dry, async |work, chain| feed::add(work, Some(chain), &ask, at).await)
        } else {
            app.write_async(dry, async |work| feed::add(work, None, &ask, at).await)
        };
        let (feed, added, view) =
            added.map_err(|e| e.context(format!("cannot add feed \"{}\"", ask.name)))?;
        Ok(Outcome::of(AddOutput { added, feed: FeedView::from(&feed), checked_at: view }))
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
        Outcome::list(output, |output| (&output.feeds, &output.end), self.paging.csv)
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
