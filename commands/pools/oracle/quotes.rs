//! `poolctl oracle fetch` and `check`: what the feeds say now, and whether it may be used.

use crate::output::Table;
use crate::output::nagios::{Perf, Probe, Status};
use crate::pools::oracle::NO_FEEDS;
use crate::pools::seen;
use crate::shell::at::AtFlag;
use crate::shell::prelude::*;
use crate::shell::views::or_dash;
use app::failures::Failure;
use app::pools::oracle::{QuoteView, QuotesOutput};
use base::clock;
use evm::ViewStamp;
use vault::feed;
use vault::feed::quote::Refusal;
use vault::oracle::{self, Deviation, Fetched};
use watch::metrics::Gauge;

/// A table of quotes.
pub fn table(quotes: &[QuoteView]) -> Table {
    Table::of(["FEED", "ASSET", "STATUS", ">PRICE", ">AGE", "WHY"], quotes, |it| {
        let fixed = if it.kind == "fixed" { " (fixed)" } else { "" };
        let price = format!("{}{fixed}", or_dash(it.price.as_ref()));
        cells![it.feed, it.asset, it.status, price, it.age_sec.map(clock::span), it.why]
    })
}

impl Present for QuotesOutput {
    fn present(&self, page: &mut Page) {
        if self.quotes.is_empty() {
            page.line(NO_FEEDS);
            return;
        }
        page.table(table(&self.quotes));
        seen(page, self.view.as_ref());
    }
}

/// Read feeds now; accepted prices enter the cache
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl oracle fetch")]
pub struct Fetch {
    /// Names; none = all
    #[arg(value_name = "FEED")]
    feeds: Vec<String>,
    /// Take the price of these feeds however far it is from the last good one; the other rules hold
    #[arg(long, requires = "feeds")]
    accept_deviation: bool,
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
    /// One line for a monitoring system, exit 0/1/2/3: warning while another feed prices the asset
    #[arg(long, conflicts_with = "json")]
    nagios: bool,
}

impl Fetch {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let deviation = if self.accept_deviation { Deviation::Accepted } else { Deviation::Limited };
        let read = Read::new(session, &self.feeds, self.at, self.dry, deviation)?;
        Ok(read.outcome().but(read.unpriced()))
    }
}

impl Check {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        match Read::new(session, &self.feeds, self.at, self.dry, Deviation::Limited) {
            Ok(read) if self.nagios => Ok(read.outcome().but(read.failure()).probe(read.probe())),
            Ok(read) => Ok(read.outcome().but(read.failure())),
            Err(e) if !self.nagios => Err(e),
            Err(e) => Ok(Outcome::failed(e.clone()).probe(Probe::failed(SERVICE, &e))),
        }
    }
}

const SERVICE: &str = "ORACLE";

/// Feeds that were read.
struct Read {
    view: Option<ViewStamp>,
    fetched: Vec<Fetched>,
    /// Refusals in a row that count as a failure of the oracle.
    threshold: u64,
}

impl Read {
    fn new(session: &Session, names: &[String], at: AtFlag, dry: DryRun, how: Deviation) -> Result<Self> {
        let app = App::open(session)?;
        let at = at.or(&app.config)?;
        let threshold = app.config.number("risk.failure_streak")?;
        let feeds = super::chosen(&app.read()?, names, feed::find_active)?;
        session.call.covers(names.is_empty());
        if feeds.is_empty() {
            return Ok(Self { view: None, fetched: Vec::new(), threshold });
        }
        let (view, fetched) = app
            .write_async(dry.dry_run, async |work| oracle::fetch(work, || app.chain(), &feeds, at, how).await)
            .map_err(|e| e.context("cannot read the feeds"))?;
        Ok(Self { view, fetched, threshold })
    }

    fn outcome(&self) -> Outcome {
        let quotes: Vec<QuoteView> = self.fetched.iter().map(QuoteView::from).collect();
        let gauges: Vec<Gauge> = quotes.iter().flat_map(QuoteView::gauges).collect();
        Outcome::of(QuotesOutput { view: self.view.clone(), quotes }).gauges(gauges)
    }

    fn refused(&self) -> Vec<Failure> {
        let refused = self.fetched.iter().filter_map(|f| {
            let refusal = f.result.as_ref().err()?;
            let e = Error::new(Code::NoPrice, format!("{}: {refusal}", refusal.as_str()));
            Some((f.feed.name.clone(), e))
        });
        refused.collect()
    }

    /// Why nothing came of it, where every feed was refused.
    fn unpriced(&self) -> Option<Error> {
        let refused = self.refused();
        let (name, first) = refused.first().filter(|_| refused.len() == self.fetched.len())?;
        let why = match refused.len() {
            1 => format!("feed \"{name}\" refused: {first}"),
            all => format!("all {all} feeds refused; first: {name}: {first}"),
        };
        Some(Error::new(Code::NoPrice, why).hint(self.advice()))
    }

    fn failure(&self) -> Option<Error> {
        let refused = self.refused();
        let (name, first) = refused.first()?;
        let names: Vec<&str> = refused.iter().map(|(name, _)| name.as_str()).collect();
        let (count, all) = (names.len(), self.fetched.len());
        let why = format!("{count} of {all} feeds refused; first: {name}: {first}");
        Some(Error::new(Code::CheckFailed, why).detail("feeds", names).hint(self.advice()))
    }

    /// What to do about the refusals.
    fn advice(&self) -> String {
        let moved = |f: &&Fetched| matches!(f.result, Err(Refusal::Deviation { .. }));
        match self.fetched.iter().find(moved) {
            Some(f) => {
                format!("if that price is right: poolctl oracle fetch {} --accept-deviation", f.feed.name)
            }
            None => "see since when: poolctl oracle alerts".to_owned(),
        }
    }

    /// Critical where an asset has no price left or a feed was refused too often; else a refusal is a warning.
    fn probe(&self) -> Probe {
        let refused = self.refused();
        let (count, all) = (refused.len(), self.fetched.len());
        let priced = |asset: &str| self.fetched.iter().any(|f| f.feed.asset == asset && f.result.is_ok());
        // This refusal came on top of those that were counted before.
        let lost = |f: &&Fetched| !priced(&f.feed.asset) || f.feed.failure_streak + 1 >= self.threshold;
        let critical = self.fetched.iter().filter(|f| f.result.is_err()).any(|f| lost(&f));
        let (status, text) = match refused.first() {
            _ if all == 0 => (Status::Unknown, "there are no feeds".to_owned()),
            None => (Status::Ok, format!("{all} of {all} feeds have a valid price")),
            Some((name, e)) => {
                let status = if critical { Status::Critical } else { Status::Warning };
                (status, format!("{count} of {all} feeds refused; first: {name}: {e}"))
            }
        };
        let mut perf =
            vec![Perf::new("refused", count.to_string()).warning(0), Perf::new("feeds", all.to_string())];
        for Fetched { feed, result } in &self.fetched {
            if let Some(read) = result.as_ref().ok().and_then(|price| price.read.as_ref()) {
                let age = Perf::new(format!("{}_age", feed.name), format!("{}s", read.age_sec));
                perf.push(age.critical(feed.limits.max_staleness_sec));
            }
        }
        Probe::new(SERVICE, status, text, perf)
    }
}
