//! `poolctl oracle …`: price feeds, and whether their prices may be used.

use crate::app::App;
use crate::at::AtFlag;
use crate::options::DryRun;
use crate::session::Session;
use crate::views::Failure;
use clap::{Args, Subcommand};
use poolctl::amount::{self, E18, Quantity, to_units};
use poolctl::clock;
use poolctl::config::value::address;
use poolctl::oracle::quote::Limits;
use poolctl::oracle::{self, AddFeed, Feed, FeedKind, Fetched, Price};
use poolctl::output::{Code, Error, Gauge, Outcome, Page, Present, Result, Table};
use poolctl::pool::ViewStamp;
use serde::Serialize;

/// Add price feeds, read them, and check that they may be used
#[derive(Debug, Subcommand)]
#[command(before_help = "Example: poolctl oracle check")]
pub enum Command {
    Add(Add),
    List(List),
    Fetch(Fetch),
    Get(Get),
    Check(Check),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What the command says.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        match self {
            Self::Add(command) => command.run(session),
            Self::List(List {}) => List::run(session),
            Self::Fetch(command) => command.run(session),
            Self::Get(command) => command.run(session),
            Self::Check(command) => command.run(session),
        }
    }
}

/// Add a feed, after looking at its contract
///
/// Adding the same feed again changes nothing.
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
    address: String,
    /// What the contract answers to: chainlink
    #[arg(long, default_value = "chainlink")]
    kind: String,
    /// Oldest accepted quote in seconds, the feed's heartbeat [default: oracle.max_staleness_sec]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    max_staleness: Option<u64>,
    /// Lowest accepted price
    #[arg(long, value_name = "PRICE")]
    min: Option<String>,
    /// Highest accepted price
    #[arg(long, value_name = "PRICE")]
    max: Option<String>,
    /// Largest accepted change against the last good price, 0 to 1
    #[arg(long, value_name = "RATIO")]
    max_deviation: Option<String>,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
}

/// A feed.
#[derive(Debug, Serialize)]
pub struct FeedView {
    /// The operator's name for it.
    pub name: String,
    /// What it prices.
    pub asset: String,
    /// Its kind.
    pub kind: &'static str,
    /// Its contract.
    pub address: String,
    /// The contract's own description.
    pub description: Option<String>,
    /// Oldest accepted quote.
    pub max_staleness_sec: u64,
    /// Lowest accepted price.
    pub min: Option<Quantity>,
    /// Highest accepted price.
    pub max: Option<Quantity>,
    /// Largest accepted change.
    pub max_deviation: Option<String>,
    /// Refusals in a row.
    pub failure_streak: u64,
}

impl From<&Feed> for FeedView {
    fn from(feed: &Feed) -> Self {
        let price = |bound| Quantity::new(bound, E18, "");
        Self {
            name: feed.name.clone(),
            asset: feed.asset.clone(),
            kind: feed.kind.word(),
            address: feed.address.to_string(),
            description: feed.description.clone(),
            max_staleness_sec: feed.limits.max_staleness_sec,
            min: feed.limits.min_e18.map(price),
            max: feed.limits.max_e18.map(price),
            max_deviation: feed.limits.max_deviation_ppm.map(crate::views::ppm),
            failure_streak: feed.failure_streak,
        }
    }
}

/// What was added.
#[derive(Debug, Serialize)]
pub struct AddOutput {
    /// False where it stood there before.
    pub added: bool,
    /// The feed.
    #[serde(flatten)]
    pub feed: FeedView,
    /// Whose view of the contract.
    pub checked_at: Option<ViewStamp>,
}

impl Add {
    fn run(self, session: &Session) -> Result<Outcome> {
        let price = |flag: &str, text: &Option<String>| {
            text.as_deref().map(|text| amount::parse_flag(flag, text, E18)).transpose()
        };
        let (min_e18, max_e18) = (price("--min", &self.min)?, price("--max", &self.max)?);
        if min_e18.zip(max_e18).is_some_and(|(min, max)| min > max) {
            return Err(Error::new(Code::InvalidValue, "--min is above --max: no price could be accepted"));
        }
        let deviation = self.max_deviation.as_deref();
        let deviation = deviation.map(|text| amount::parse_weight("--max-deviation", text)).transpose()?;
        let feed_address = address("--address", &self.address)?;
        let asset = oracle::asset_name("--asset", &self.asset)?;
        let kind = FeedKind::parse(&self.kind)?;
        let app = App::open(session)?;
        let at = self.at.or(&app.config)?;
        let staleness = self.max_staleness;
        let ask = AddFeed {
            name: self.name,
            asset,
            kind,
            address: feed_address,
            limits: Limits {
                max_staleness_sec: staleness
                    .map_or_else(|| app.config.number("oracle.max_staleness_sec"), Ok)?,
                min_e18,
                max_e18,
                max_deviation_ppm: deviation,
            },
        };
        let (feed, view) = app
            .write_on_chain(self.dry.dry_run, async |work, chain| oracle::add(work, chain, &ask, at).await)
            .map_err(|e| e.context(format!("cannot add feed \"{}\"", ask.name)))?;
        Outcome::of(&AddOutput { added: view.is_some(), feed: FeedView::from(&feed), checked_at: view })
    }
}

impl Present for AddOutput {
    fn present(&self, page: &mut Page) {
        let what = if self.added { "added" } else { "is there already:" };
        page.line(format!("feed \"{}\" {what} {} by {}", self.feed.name, self.feed.asset, self.feed.address));
    }
}

/// List the feeds with their limits
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl oracle list")]
pub struct List {}

/// The feeds.
#[derive(Debug, Serialize)]
pub struct ListOutput {
    /// In the order in which they were added.
    pub feeds: Vec<FeedView>,
    #[serde(skip)]
    bounds: Vec<Option<String>>,
}

impl List {
    fn run(session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let feeds = oracle::all(state.conn())?;
        let bounds = feeds.iter().map(|feed| feed.limits.bounds()).collect();
        Outcome::of(&ListOutput { feeds: feeds.iter().map(FeedView::from).collect(), bounds })
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        if self.feeds.is_empty() {
            page.line("no feeds; add one with: poolctl oracle add NAME --asset ASSET --address FEED");
            return;
        }
        let mut table = Table::new(&["FEED", "ASSET", "KIND", ">STALE AFTER", "BOUNDS", ">REFUSED"]);
        for (feed, bounds) in self.feeds.iter().zip(&self.bounds) {
            table.row([
                feed.name.clone(),
                feed.asset.clone(),
                feed.kind.to_owned(),
                clock::span(feed.max_staleness_sec),
                bounds.clone().unwrap_or_default(),
                feed.failure_streak.to_string(),
            ]);
        }
        page.table(table);
    }
}

/// A price, or why there is none.
#[derive(Debug, Serialize)]
pub struct QuoteView {
    /// The feed.
    pub feed: String,
    /// What it prices.
    pub asset: String,
    /// `ok`, or the kind of refusal.
    pub status: &'static str,
    /// The price, if accepted.
    pub price: Option<Quantity>,
    /// When the feed computed it, RFC 3339.
    pub updated_at: Option<String>,
    /// Its age against its block, and the time since.
    pub age_sec: Option<u64>,
    /// Why it was refused.
    pub why: Option<String>,
}

impl QuoteView {
    fn of(fetched: &Fetched) -> Self {
        let empty = Self {
            feed: fetched.feed.name.clone(),
            asset: fetched.feed.asset.clone(),
            status: "ok",
            price: None,
            updated_at: None,
            age_sec: None,
            why: None,
        };
        match &fetched.result {
            Ok(price) => Self {
                price: Some(Quantity::new(price.price_e18, E18, "")),
                updated_at: Some(rfc3339(price.updated_at)),
                age_sec: Some(price.age_sec),
                ..empty
            },
            Err(refusal) => Self { status: refusal.word(), why: Some(refusal.to_string()), ..empty },
        }
    }
}

fn rfc3339(second: u64) -> String {
    clock::rfc3339(i64::try_from(second).unwrap_or(i64::MAX))
}

/// What feeds answered.
#[derive(Debug, Serialize)]
pub struct QuotesOutput {
    /// The block and endpoint; null where there is no feed.
    pub view: Option<ViewStamp>,
    /// Feed by feed.
    pub quotes: Vec<QuoteView>,
}

impl Present for QuotesOutput {
    fn present(&self, page: &mut Page) {
        let Some(view) = &self.view else {
            page.line("no feeds; add one with: poolctl oracle add NAME --asset ASSET --address FEED");
            return;
        };
        let mut table = Table::new(&["FEED", "ASSET", "STATUS", ">PRICE", ">AGE", "WHY"]);
        for quote in &self.quotes {
            table.row([
                quote.feed.clone(),
                quote.asset.clone(),
                quote.status.to_owned(),
                crate::views::or_dash(quote.price.as_ref()),
                quote.age_sec.map(clock::span).unwrap_or_default(),
                quote.why.clone().unwrap_or_default(),
            ]);
        }
        page.table(table).line(view);
    }
}

/// Read feeds now; accepted prices enter the cache
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl oracle fetch")]
pub struct Fetch {
    /// Names; none = all
    #[arg(value_name = "FEED")]
    feeds: Vec<String>,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
}

/// Read feeds now and end with exit 5 if any price may not be used
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl oracle check || mail -s oracle ops@example.com")]
pub struct Check {
    /// Names; none = all
    #[arg(value_name = "FEED")]
    feeds: Vec<String>,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
}

impl Fetch {
    fn run(self, session: &Session) -> Result<Outcome> {
        let (output, _) = read(session, &self.feeds, self.at, self.dry)?;
        let gauges: Vec<Gauge> = output.quotes.iter().flat_map(gauges).collect();
        Ok(Outcome::of(&output)?.gauges(gauges))
    }
}

impl Check {
    fn run(self, session: &Session) -> Result<Outcome> {
        let (output, failures) = read(session, &self.feeds, self.at, self.dry)?;
        let failure = failures.first().map(|(name, first)| {
            Error::new(
                Code::CheckFailed,
                format!(
                    "{} of {} feeds refused; first: {name}: {first}",
                    failures.len(),
                    output.quotes.len()
                ),
            )
            .detail("feeds", failures.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>())
        });
        let gauges: Vec<Gauge> = output.quotes.iter().flat_map(gauges).collect();
        Ok(Outcome::of(&output)?.gauges(gauges).but(failure))
    }
}

fn read(
    session: &Session,
    names: &[String],
    at: AtFlag,
    dry: DryRun,
) -> Result<(QuotesOutput, Vec<Failure>)> {
    let app = App::open(session)?;
    let at = at.or(&app.config)?;
    let state = app.read()?;
    let feeds = if names.is_empty() {
        oracle::all(state.conn())?
    } else {
        names.iter().map(|name| oracle::find(state.conn(), name)).collect::<Result<_>>()?
    };
    drop(state);
    if feeds.is_empty() {
        return Ok((QuotesOutput { view: None, quotes: Vec::new() }, Vec::new()));
    }
    let (view, fetched) = app
        .write_on_chain(dry.dry_run, async |work, chain| oracle::fetch(work, chain, &feeds, at).await)
        .map_err(|e| e.context("cannot read the feeds"))?;
    let failures = fetched
        .iter()
        .filter_map(|f| {
            let refusal = f.result.as_ref().err()?;
            Some((f.feed.name.clone(), Error::new(Code::NoPrice, format!("{}: {refusal}", refusal.word()))))
        })
        .collect();
    Ok((QuotesOutput { view, quotes: fetched.iter().map(QuoteView::of).collect() }, failures))
}

fn gauges(quote: &QuoteView) -> Vec<Gauge> {
    let labels = || vec![("feed", quote.feed.clone()), ("asset", quote.asset.clone())];
    let mut found = Vec::new();
    if let (Some(price), Some(age)) = (&quote.price, quote.age_sec) {
        found.push(Gauge {
            name: "poolctl_oracle_price",
            help: "Last accepted price.",
            labels: labels(),
            value: to_units(price.base, price.decimals),
        });
        found.push(Gauge {
            name: "poolctl_oracle_price_age_seconds",
            help: "Age of the last accepted price against its block.",
            labels: labels(),
            value: age.to_string(),
        });
    }
    found
}

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
}

/// A price that may be used.
#[derive(Debug, Serialize)]
pub struct GetOutput {
    /// What is priced.
    pub asset: String,
    /// The price.
    pub price: Quantity,
    /// The feed it comes from.
    pub feed: String,
    /// `cache`, `chain`, or `degraded` where the chain could not be read.
    pub source: &'static str,
    /// When the feed computed it, RFC 3339.
    pub updated_at: String,
    /// Its age.
    pub age_sec: u64,
    /// The block and endpoint it was read at.
    pub view: ViewStamp,
}

impl Get {
    fn run(self, session: &Session) -> Result<Outcome> {
        let asset = oracle::asset_name("ASSET", &self.asset)?;
        let app = App::open(session)?;
        let at = self.at.or(&app.config)?;
        let ttl = app.config.number("oracle.cache_ttl_sec")?;
        let state = app.read()?;
        let hit = oracle::cached(state.conn(), &asset, session.run.clock.now(), Some(ttl))?;
        drop(state);
        if let Some(price) = hit.filter(|_| !self.refresh) {
            return Outcome::of(&GetOutput::of(price, "cache"));
        }
        let (price, degraded) = app
            .write_on_chain(false, async |work, chain| oracle::price(work, chain, &asset, at).await)
            .map_err(|e| e.context(format!("cannot price {asset}")))?;
        let source = if degraded.is_some() { "degraded" } else { "chain" };
        let warning =
            degraded.map(|e| format!("the chain cannot be read, this price is from the cache: {e}"));
        Ok(Outcome::of(&GetOutput::of(price, source))?.warn(warning))
    }
}

impl GetOutput {
    fn of(price: Price, source: &'static str) -> Self {
        Self {
            asset: price.asset,
            price: Quantity::new(price.price_e18, E18, ""),
            feed: price.feed,
            source,
            updated_at: rfc3339(price.updated_at),
            age_sec: price.age_sec,
            view: price.view,
        }
    }
}

impl Present for GetOutput {
    fn present(&self, page: &mut Page) {
        page.pairs([
            ("asset", self.asset.clone()),
            ("price", self.price.to_string()),
            ("feed", self.feed.clone()),
            ("from", self.source.to_owned()),
            ("age", clock::span(self.age_sec)),
            ("read at", self.view.to_string()),
        ]);
    }
}
