//! Of `status`: one look at everything, from the state alone.

use crate::farming::kale;
use crate::pools::reward::PriceView;
use crate::pools::views::{age, stamp};
use base::amount::{Base, Quantity};
use base::{Remedy, clock, forms};
use config::Severity;
use evm::ViewStamp;
use schemars::JsonSchema;
use serde::Serialize;
use state::runs::LastRun;
use watch::health::{Checked, InFlight};
use watch::leases::LeaseView;
use watch::status::{Attention, FarmLine, PoolLine, Status};

/// Everything at one look.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StatusOutput {
    /// When it was looked, RFC 3339.
    #[serde(serialize_with = "clock::serialize")]
    #[schemars(with = "forms::Time")]
    pub at: i64,
    /// What needs attention, the gravest first; breakers and pauses before all else.
    pub attention: Vec<AttentionView>,
    /// Every pool.
    pub pools: Vec<PoolStatus>,
    /// TVL of all pools whose asset has a valid price, in USD, rounded down; null where none has one.
    pub tvl_usd: Option<Quantity>,
    /// Synced pools whose asset has no valid price; they are not in that sum.
    pub unpriced: usize,
    /// The farm; null where there is no farmer.
    pub farm: Option<FarmStatus>,
    /// Transactions under way.
    pub operations: InFlight,
    /// Who is at work on the state.
    pub leases: Vec<LeaseView>,
    /// When each regular job must have gone well again, by the limits of health; the next one first.
    pub due: Vec<DueView>,
    /// When each scheduled command ended last, for runs that were for everything.
    pub runs: Vec<LastRun>,
}

/// Something that needs attention.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AttentionView {
    /// `info`, `warning` or `critical`.
    pub severity: Severity,
    /// The rule, the kind of alert, or what is late: `sync_overdue`.
    pub kind: String,
    /// The pool, feed, farmer or pooler; null where it is one job for all.
    pub subject: Option<String>,
    /// Why.
    pub why: String,
    /// Since when, RFC 3339; null where that is not known.
    #[serde(serialize_with = "clock::serialize_if")]
    #[schemars(with = "Option<forms::Time>")]
    pub since: Option<i64>,
    /// What can be done.
    pub fix: String,
}

/// A pool with the figures of its last sync.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PoolStatus {
    /// The pool.
    pub pool: String,
    /// TVL; null before the first sync, as are all others.
    pub tvl: Option<Quantity>,
    /// The same in USD, rounded down; null without a valid price.
    pub tvl_usd: Option<Quantity>,
    /// The price that was used.
    pub price: Option<PriceView>,
    /// Whether the contract is paused; null where it cannot be.
    pub paused: Option<bool>,
    /// Whose view the figures are.
    pub view: Option<ViewStamp>,
    /// How long ago they were read.
    pub age_sec: Option<u64>,
}

/// The farm as the state has it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FarmStatus {
    /// Active farmers.
    pub active_farmers: usize,
    /// The farm's block, as it was last seen; null where nothing was ever planted.
    pub block: Option<u32>,
    /// When that was, RFC 3339.
    #[serde(serialize_with = "clock::serialize_if")]
    #[schemars(with = "Option<forms::Time>")]
    pub seen_at: Option<i64>,
    /// How long ago.
    pub age_sec: Option<u64>,
    /// When a plant rolls that block over, by the ledger's time; null where nothing of ours is in it.
    #[serde(serialize_with = "clock::serialize_if")]
    #[schemars(with = "Option<forms::Time>")]
    pub due_at: Option<i64>,
    /// Stakes neither back nor lost.
    pub open_stakes: usize,
    /// Those of them that wait for your decision.
    pub held_stakes: usize,
    /// What is at stake.
    pub at_stake: Quantity,
    /// Stakes lost in the last 24 h.
    pub lost_stakes_24h: u64,
    /// What they held.
    pub lost_24h: Quantity,
    /// What was lost since the beginning.
    pub lost: Quantity,
}

/// A regular job.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DueView {
    /// `sync`, `oracle`, `risk`, `cycle`, `plant`, `work` or `harvest`.
    pub job: &'static str,
    /// The pool, feed or pooler; null where it is one job for all.
    pub subject: Option<String>,
    /// When it last went well, RFC 3339; null = never.
    #[serde(serialize_with = "clock::serialize_if")]
    #[schemars(with = "Option<forms::Time>")]
    pub last: Option<i64>,
    /// When it must have gone well again, RFC 3339.
    #[serde(serialize_with = "clock::serialize")]
    #[schemars(with = "forms::Time")]
    pub due_at: i64,
    /// `ok`, `overdue`, or `stalled` above twice the limit.
    pub status: &'static str,
}

/// Hundredths of a dollar.
fn usd(cents: Base) -> Quantity {
    Quantity::new(cents, 2, "USD")
}

impl StatusOutput {
    /// What a look at the state found at `now`, with what can be done as the face says it.
    pub fn of(status: Status, leases: Vec<LeaseView>, now: i64, say: fn(&Remedy) -> String) -> Self {
        let priced: Vec<Base> = status.pools.iter().filter_map(|line| line.usd_cents).collect();
        let sum = priced.iter().try_fold(Base::ZERO, |sum, cents| sum.checked_add(*cents));
        let is_unpriced = |line: &&PoolLine| line.snapshot.is_some() && line.usd_cents.is_none();
        Self {
            at: now,
            tvl_usd: sum.filter(|_| !priced.is_empty()).map(usd),
            unpriced: status.pools.iter().filter(is_unpriced).count(),
            attention: status.attention.into_iter().map(|one| AttentionView::of(one, say)).collect(),
            pools: status.pools.iter().map(|line| PoolStatus::of(line, now)).collect(),
            farm: status.farm.as_ref().map(|farm| FarmStatus::of(farm, now)),
            operations: status.operations,
            leases,
            due: status.jobs.iter().map(DueView::from).collect(),
            runs: status.runs,
        }
    }
}

impl AttentionView {
    fn of(one: Attention, say: fn(&Remedy) -> String) -> Self {
        let Attention { severity, kind, subject, why, since, fix } = one;
        Self { severity, kind, subject, why, since, fix: say(&fix) }
    }
}

impl PoolStatus {
    fn of(line: &PoolLine, now: i64) -> Self {
        let (pool, snapshot) = (&line.pool, line.snapshot.as_ref());
        Self {
            pool: pool.name.clone(),
            tvl: snapshot.map(|snapshot| pool.asset.quantity(snapshot.total_assets)),
            tvl_usd: line.usd_cents.map(usd),
            price: line.price.as_ref().filter(|_| line.usd_cents.is_some()).map(PriceView::from),
            paused: snapshot.and_then(|snapshot| snapshot.paused),
            view: snapshot.map(stamp),
            age_sec: snapshot.map(|snapshot| age(snapshot.synced_at, now)),
        }
    }
}

impl FarmStatus {
    fn of(farm: &FarmLine, now: i64) -> Self {
        let seen = farm.seen.as_ref();
        Self {
            active_farmers: farm.active,
            block: seen.map(|seen| seen.block),
            seen_at: seen.map(|seen| seen.at),
            age_sec: seen.map(|seen| age(seen.at, now)),
            due_at: seen.and_then(|seen| seen.due),
            open_stakes: farm.open,
            held_stakes: farm.held,
            at_stake: kale(farm.at_stake),
            lost_stakes_24h: farm.lost_day.0,
            lost_24h: kale(farm.lost_day.1),
            lost: kale(farm.lost),
        }
    }
}

impl From<&Checked> for DueView {
    fn from(job: &Checked) -> Self {
        Self {
            job: job.vital.check,
            subject: job.vital.subject.clone(),
            last: job.vital.last,
            due_at: job.due_at(),
            status: job.grade.as_str(),
        }
    }
}
