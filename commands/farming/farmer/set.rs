//! `poolctl farmer set`.

use crate::shell::prelude::*;
use app::farming::farmer::SetOutput;
use base::amount::{parse_flag, parse_weight};
use base::clock;
use clap::builder::PossibleValuesParser;
use kale::address::account;
use kale::contract::DECIMALS;
use kale::farmers::{self, Change};
use kale::strategy::{LONGEST_MIN_WORK, MOST_TARGET, Term};

/// Change a farmer: its name, stake percentage, payout, pooler, status, or what it is farmed by
///
/// Targets, times and stakes that a farmer does not have are those of all: strategy.target_zeros and so on in the config.
/// Where the least stake of one is above the most stake of the other, the most stake wins.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl farmer set GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE --status leaving",
    override_usage = "poolctl farmer set [OPTIONS] <FARMER>"
)]
#[expect(clippy::doc_markdown, reason = "clap shows these lines as they stand")]
#[group(required = true, multiple = true, args = ["name", "stake_percentage", "payout", "no_payout", "pooler", "status", "target_zeros", "min_work_time", "harvest_only", "min_stake", "max_stake"])]
pub struct Set {
    /// Its name, address or id
    farmer: String,
    /// A name of your own; none takes it away
    #[arg(long)]
    name: Option<String>,
    /// The part of its balance to stake in each block, 0 to 1
    #[arg(long, value_name = "RATIO")]
    stake_percentage: Option<String>,
    /// Where its proceeds go
    #[arg(long, value_name = "ADDRESS")]
    payout: Option<String>,
    /// Its proceeds stay with it
    #[arg(long, conflicts_with = "payout")]
    no_payout: bool,
    /// Move it to this pooler, by name or id
    #[arg(long, value_name = "POOLER")]
    pooler: Option<String>,
    /// active plants; leaving plants no more, and its open pails are still worked and harvested; departed is the end
    #[arg(long, value_parser = PossibleValuesParser::new(["active", "leaving", "departed"]))]
    status: Option<String>,
    /// Zeros that are enough for it, 1 to 16, and never more than count in the block; none = as for all
    #[arg(long, value_name = "ZEROS")]
    target_zeros: Option<String>,
    /// No work for it is submitted before, as in 180s after the block's start, but at the deadline; none = as for all
    #[arg(long, value_name = "TIME")]
    min_work_time: Option<String>,
    /// Plant nothing for it, and still work and harvest its open pails: true, false, or none = as for all
    #[arg(long, value_name = "WHETHER", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_parser = PossibleValuesParser::new(["true", "false", "none"]), hide_possible_values = true)]
    harvest_only: Option<String>,
    /// Stake at least AMOUNT KALE, and nothing where it holds less; none = as for all
    #[arg(long, value_name = "AMOUNT")]
    min_stake: Option<String>,
    /// Stake at most AMOUNT KALE; none = as for all
    #[arg(long, value_name = "AMOUNT")]
    max_stake: Option<String>,
    #[command(flatten)]
    dry: DryRun,
}

impl Set {
    fn terms(&self) -> Result<Vec<Term>> {
        let stroops = |flag: &'static str| move |text: &str| parse_flag(flag, text, DECIMALS);
        let terms = [
            own(self.target_zeros.as_ref(), target_zeros, Term::TargetZeros)?,
            own(self.min_work_time.as_ref(), min_work_time, Term::MinWork)?,
            own(self.harvest_only.as_ref(), |word| Ok(word == "true"), Term::HarvestOnly)?,
            own(self.min_stake.as_ref(), stroops("--min-stake"), Term::MinStake)?,
            own(self.max_stake.as_ref(), stroops("--max-stake"), Term::MaxStake)?,
        ];
        Ok(terms.into_iter().flatten().collect())
    }

    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let terms = self.terms()?;
        let stake = self.stake_percentage.map(|text| parse_weight("stake-percentage", &text)).transpose()?;
        let payout = self.payout.map(|text| account("payout", &text)).transpose()?;
        let change = Change {
            stake_percentage_ppm: stake,
            payout: payout.map(Some).or(self.no_payout.then_some(None)),
            pooler: self.pooler,
            status: self.status.and_then(|word| word.parse().ok()),
            terms,
            name: self.name.map(|name| (name != "none").then_some(name)),
        };
        let app = App::open(session)?;
        let (farmer, changed) = app.write(self.dry.dry_run, |work| {
            work.state.write(work.permit, |tx| farmers::change(tx, &self.farmer, &change))
        })?;
        Ok(Outcome::of(SetOutput { changed, farmer: farmer.into() }))
    }
}

/// A term as it is written; `none` takes it back.
fn own<T>(
    text: Option<&String>,
    read: impl Fn(&str) -> Result<T>,
    term: fn(Option<T>) -> Term,
) -> Result<Option<Term>> {
    text.map(|text| Ok(term(if text == "none" { None } else { Some(read(text)?) }))).transpose()
}

fn target_zeros(text: &str) -> Result<u32> {
    let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    number.filter(|zeros| (1..=MOST_TARGET).contains(zeros)).ok_or_else(|| {
        Error::new(
            Code::InvalidValue,
            format!("--target-zeros: \"{text}\" is not a whole number from 1 to {MOST_TARGET}"),
        )
        .hint("none = as for all")
    })
}

fn min_work_time(text: &str) -> Result<u64> {
    let span = clock::duration(text).ok().filter(|span| span.subsec_nanos() == 0).map(|span| span.as_secs());
    span.filter(|seconds| *seconds <= LONGEST_MIN_WORK).ok_or_else(|| {
        Error::new(Code::InvalidValue, format!("--min-work-time: invalid duration: \"{text}\"")).hint(
            format!(
                "write whole seconds or minutes within a block, 0s to {LONGEST_MIN_WORK}s; none = as for all"
            ),
        )
    })
}

impl Present for SetOutput {
    fn present(&self, page: &mut Page) {
        page.line(if self.changed { "changed" } else { "nothing to change" }).pairs(self.farmer.pairs());
    }
}
