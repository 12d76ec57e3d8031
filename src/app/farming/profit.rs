//! Of `farm profit`: what was earned and lost, by day and pooler.

use crate::farming::kale;
use crate::paging::{PageEnd, Window, cursor};
use base::amount::{Base, Quantity};
use base::{Result, clock, forms};
use kale::contract::DECIMALS;
use kale::poolers;
use kale::profit::{Day, Sums, profit};
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::Serialize;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// What was earned and lost.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProfitOutput {
    /// Day by day, the newest first, and by pooler. A day without a harvest, a loss or a transaction is left out.
    pub days: Vec<DayView>,
    /// Where the page ends.
    #[serde(flatten)]
    pub end: PageEnd,
    /// All days together, those on other pages too.
    pub together: SumsView,
    /// Begin of the first day.
    #[schemars(with = "forms::Time")]
    pub since: String,
    /// Days before this time are not whole, because rows of them were pruned; null where all are whole.
    #[schemars(with = "Option<forms::Time>")]
    pub pruned_before: Option<String>,
}

/// What a pooler's farmers earned and lost on a day.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DayView {
    /// The day, UTC: `2026-11-30`.
    pub day: String,
    /// The pooler that the farmers have now.
    pub pooler: String,
    /// What.
    #[serde(flatten)]
    pub sums: SumsView,
}

/// What was earned and lost, in KALE but for the network's fees.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SumsView {
    /// Pails harvested.
    pub harvests: u64,
    /// Stakes lost, less those that were found again.
    pub lost_stakes: i64,
    /// Rewards, before they are shared out.
    pub reward: Quantity,
    /// The farmers' part of them.
    pub to_farmers: Quantity,
    /// The poolers' part.
    pub to_pooler: Quantity,
    /// The operator's part.
    pub platform_fee: Quantity,
    /// What the lost stakes held, less what was found again.
    #[schemars(with = "forms::Change")]
    pub lost: String,
    /// Rewards less what was lost.
    #[schemars(with = "forms::Change")]
    pub net: String,
    /// Fees of the network, in lumens; they are not in `net`.
    pub network_fees: Quantity,
}

impl From<&Sums> for SumsView {
    fn from(sums: &Sums) -> Self {
        let shared = sums.to_pooler.saturating_add(sums.platform_fee);
        Self {
            harvests: sums.harvests,
            lost_stakes: sums.lost_stakes,
            reward: kale(sums.reward),
            to_farmers: kale(sums.reward.saturating_sub(shared)),
            to_pooler: kale(sums.to_pooler),
            platform_fee: kale(sums.platform_fee),
            lost: sums.lost.to_units(DECIMALS),
            net: sums.net().to_units(DECIMALS),
            network_fees: lumens(sums.network_fees),
        }
    }
}

fn lumens(stroops: Base) -> Quantity {
    Quantity::new(stroops, DECIMALS, "XLM")
}

impl ProfitOutput {
    /// Of the last so many days, today being one, at `now`, seconds since 1970; of one pooler by name or id, or of all.
    pub fn of(conn: &Connection, days: u32, pooler: Option<&str>, window: &Window, now: i64) -> Result<Self> {
        let pooler = pooler.map(|name| poolers::find(conn, name)).transpose()?;
        let since = now - now.rem_euclid(DAY) - DAY * (i64::from(days) - 1);
        let found = profit(conn, pooler.as_ref(), since)?;
        let mut together = Sums::default();
        found.days.iter().try_for_each(|day| together.add(&day.sums))?;
        let (days, end) = window.of_whole(found.days, |day| cursor(&day.day, &day.pooler))?;
        let view = |Day { day, pooler, sums }: Day| DayView { day, pooler, sums: (&sums).into() };
        Ok(Self {
            days: days.into_iter().map(view).collect(),
            end,
            together: (&together).into(),
            since: clock::rfc3339(since),
            pruned_before: found.pruned_before,
        })
    }
}
