//! `poolctl oracle set` and `remove`: what was added can be corrected, and taken out of use.

use crate::shell::at::AtFlag;
use crate::shell::options::duration;
use crate::shell::prelude::*;
use app::pools::oracle::{FeedView, RemoveOutput, SetOutput};
use base::amount::{self, E18};
use base::clock;
use config::value::address;
use vault::feed::{self, SetFeed};

/// Change a feed: its contract, the price of a fixed one, or what its quotes must satisfy
///
/// What is not named stays. Where the contract or the bounds change, the contract is looked at, and a price outside the
/// bounds is refused.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl oracle set eth-usd --min 500 --max 20000",
    override_usage = "poolctl oracle set [OPTIONS] <FEED>"
)]
#[group(required = true, multiple = true, args = ["address", "kind", "price", "max_staleness", "min", "max", "max_deviation"])]
pub struct Set {
    /// Its name
    #[arg(value_name = "FEED")]
    feed: String,
    #[command(flatten)]
    terms: Terms,
}

/// What a feed is read from, and what its quotes must satisfy.
#[derive(Debug, Args)]
pub(super) struct Terms {
    /// The feed's contract
    #[arg(long)]
    address: Option<String>,
    /// What the contract answers to: chainlink, adapter; or fixed
    #[arg(long)]
    kind: Option<String>,
    /// The price of a fixed feed
    #[arg(long, allow_negative_numbers = true, conflicts_with_all = ["max_staleness", "min", "max", "max_deviation"])]
    price: Option<String>,
    /// Oldest accepted quote, the feed's heartbeat: seconds, or a duration as 1h
    #[arg(long, value_name = "DURATION", value_parser = staleness)]
    max_staleness: Option<u64>,
    /// Lowest accepted price; none = any
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true)]
    min: Option<String>,
    /// Highest accepted price; none = any
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true)]
    max: Option<String>,
    /// Largest accepted change against the last good price, 0 to 1; none = any
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    max_deviation: Option<String>,
    /// Do not look at the contract: neither whether it answers, nor whether its price lies within the bounds
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub at: AtFlag,
    #[command(flatten)]
    pub dry: DryRun,
}

impl Terms {
    /// What was given of them.
    pub fn read(&self) -> Result<SetFeed> {
        let price = |flag: &'static str| move |text: &str| amount::parse_flag(flag, text, E18);
        Ok(SetFeed {
            kind: self.kind.clone(),
            address: self.address.as_deref().map(|text| address("address", text)).transpose()?,
            price_e18: self.price.as_deref().map(price("--price")).transpose()?,
            max_staleness_sec: self.max_staleness,
            min_e18: limit(self.min.as_ref(), price("--min"))?,
            max_e18: limit(self.max.as_ref(), price("--max"))?,
            max_deviation_ppm: limit(self.max_deviation.as_ref(), |text| {
                amount::parse_weight("max-deviation", text)
            })?,
        })
    }
}

/// Reads an age up to a year; digits alone are seconds.
fn staleness(text: &str) -> Result<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let seconds = duration(&if is_number { format!("{text}s") } else { text.to_owned() })?.as_secs();
    if (1..=31_536_000).contains(&seconds) {
        return Ok(seconds);
    }
    Err(Error::new(Code::InvalidValue, format!("\"{text}\" is not within 1s and 365d")))
}

/// A limit as it is written; `none` takes it away.
#[expect(clippy::option_option, reason = "not said, taken away, or given")]
fn limit<T>(text: Option<&String>, read: impl Fn(&str) -> Result<T>) -> Result<Option<Option<T>>> {
    text.map(|text| if text == "none" { Ok(None) } else { read(text).map(Some) }).transpose()
}

impl Set {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let (change, terms) = (self.terms.read()?, &self.terms);
        let app = App::open(session)?;
        let at = terms.at.or(&app.config)?;
        let found = feed::find_active(app.read()?.conn(), &self.feed)?;
        let set = app.write_async(terms.dry.dry_run, async |work| {
            feed::set(work, || app.chain(), found.id, (&change, terms.force), at).await
        });
        let (feed, changed, view) =
            set.map_err(|e| e.context(format!("cannot change feed \"{}\"", found.name)))?;
        Ok(Outcome::of(SetOutput { changed, feed: FeedView::from(&feed), checked_at: view }))
    }
}

impl Present for SetOutput {
    fn present(&self, page: &mut Page) {
        let feed = &self.feed;
        page.line(if self.changed { "changed" } else { "nothing to change" });
        let mut pairs =
            vec![("feed", feed.name.clone()), ("asset", feed.asset.clone()), ("kind", feed.kind.to_owned())];
        match (&feed.address, &feed.fixed_price) {
            (_, Some(price)) => pairs.push(("price", price.to_string())),
            (address, None) => {
                let any = |bound: Option<String>| bound.unwrap_or_else(|| "any".to_owned());
                let shown = |price: &amount::Quantity| price.to_string();
                pairs.extend([
                    ("address", address.clone().unwrap_or_default()),
                    ("stale after", clock::span(feed.max_staleness_sec)),
                    ("lowest", any(feed.min.as_ref().map(shown))),
                    ("highest", any(feed.max.as_ref().map(shown))),
                    ("largest change", any(feed.max_deviation.clone())),
                ]);
            }
        }
        page.pairs(pairs);
        crate::pools::seen(page, self.checked_at.as_ref());
    }
}

/// Take a feed out of use: it is not asked any more and prices nothing, and what it said stays
///
/// With --undo it is in use again, as it was.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl oracle remove eth-usd")]
pub struct Remove {
    /// Its name
    #[arg(value_name = "FEED")]
    feed: String,
    /// Take it back into use
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    dry: DryRun,
}

impl Remove {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let found = feed::find(app.read()?.conn(), &self.feed)?;
        let (feed, changed) = app.write(self.dry.dry_run, |work| {
            work.state.write(work.permit, |tx| feed::remove(tx, found.id, self.undo))
        })?;
        Ok(Outcome::of(RemoveOutput { changed, feed: FeedView::from(&feed) }))
    }
}

impl Present for RemoveOutput {
    fn present(&self, page: &mut Page) {
        let name = &self.feed.name;
        page.line(match (self.feed.removed_at.is_some(), self.changed) {
            (true, true) => {
                format!("removed feed \"{name}\"; put it back with: poolctl oracle remove {name} --undo")
            }
            (true, false) => format!("feed \"{name}\" is removed already"),
            (false, true) => {
                format!("feed \"{name}\" is in use again; see its price with: poolctl oracle fetch {name}")
            }
            (false, false) => format!("feed \"{name}\" is in use already"),
        });
    }
}
