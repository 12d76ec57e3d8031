//! `reward epoch verify`: epochs computed again, from the chain's own logs or from the stored transfers, beside what
//! was paid.

use super::accrual::{Accrual, Weights};
use super::budget::{Budget, Claimant, sharers};
use super::emission::{CarryReason, Share, split_members};
use super::epochs::{EpochRow, Origin, carry_before, each_reward};
use super::grid::{EmissionTerms, Epoch, terms_at};
use super::pause::paused;
use super::recount::{Mismatch, Recount, Walk};
use super::store::{carry_into, claimants, emission_at, schedule};
use crate::pool::holdings::{Holdings, MemberId, Movement};
use crate::pool::{self, Pool, abi};
use crate::sync;
use alloy::primitives::Address;
use base::amount::Base;
use base::{Code, Error, Progress, Result, Stop, counted, forms, say};
use evm::{At, Chain, LogRange, PinnedView, ViewStamp};
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::Serialize;
use state::rows;
use std::collections::{HashMap, VecDeque};

/// Differences that are named one by one; more are counted.
pub const NAMED: usize = 10_000;

/// Pools whose logs travel in one query.
const POOLS_PER_QUERY: usize = 250;

/// Epochs of one pool that are to be verified.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The pool.
    pub pool: Pool,
    /// Distributed epochs in order.
    pub epochs: Vec<EpochRow>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DifferenceView")]
pub struct Difference {
    /// The epoch.
    pub epoch: i64,
    /// Its pool.
    pub pool: String,
    /// The member's address; null for a figure of the epoch itself.
    #[schemars(with = "Option<forms::EvmAddress>")]
    pub member: Option<String>,
    /// Which figure.
    pub field: &'static str,
    /// What the state has; amounts in base units.
    pub stored: Option<String>,
    /// What it comes to.
    pub computed: Option<String>,
}

/// An epoch that was computed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedEpoch {
    /// The epoch as it stands in the state.
    pub row: EpochRow,
    /// Its pool's name.
    pub pool: String,
    /// Stored rewards that were compared.
    pub rewards: u64,
    /// Differences found in it.
    pub differences: u64,
}

/// What a verification came to.
#[derive(Debug, Clone, Default)]
pub struct Verification {
    /// The view of the chain; `None` where the stored transfers were used.
    pub view: Option<ViewStamp>,
    /// Epoch by epoch, by pool and block.
    pub epochs: Vec<VerifiedEpoch>,
    /// The first [`NAMED`] differences.
    pub differences: Vec<Difference>,
    /// All differences.
    pub total: u64,
}

/// Verifies from the chain: every Transfer log is read again through one view, from the pool's creation on. Differences are
/// only believed when a second reading has as many: at another endpoint where one serves the view's block, else in narrower
/// ranges.
///
/// Whether the pool was paused is asked at each epoch's last block. What differs is no error; a view that ends before an
/// epoch does is one.
pub async fn verify_on_chain(
    conn: &Connection,
    chain: &Chain,
    at: At,
    subjects: &[Subject],
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<Verification> {
    let ends = subjects.iter().filter_map(|subject| subject.epochs.last());
    let last = ends.map(|row| row.epoch.end - 1).max().unwrap_or_default();
    chain
        .view_above(at, last, async |view| {
            if view.block().number < last {
                let (name, here) = (view.endpoint(), view.block().number);
                let why =
                    format!("endpoint \"{name}\" reads at block {here}, the last block to verify is {last}");
                let hint = say("wait for the endpoint, name another with ").with("endpoint").say(", or add ");
                return Err(Error::new(Code::Behind, why).hint(hint.with("offline")));
            }
            let found = reading(conn, (view, false), subjects, progress, stop).await?;
            if found.total == 0 {
                return Ok(found);
            }
            let other = view.elsewhere(0).await;
            let second = other.as_ref().unwrap_or(view);
            let again = match reading(conn, (second, true), subjects, progress, stop).await {
                Ok(again) => again,
                Err(e) if other.is_none() => return Err(e),
                Err(e) if matches!(e.code(), Code::Interrupted | Code::State | Code::StateCorrupt) => {
                    return Err(e);
                }
                Err(e) => {
                    view.warn(format!("endpoint {:?} gave no second reading: {e}", second.endpoint()));
                    return Ok(found);
                }
            };
            if again.total == found.total {
                return Ok(found);
            }
            view.warn(format!(
                "{} as read at endpoint {:?}, {} as read again at endpoint {:?}: one of the readings \
                 left out transfers; the one that fits what was paid better is shown",
                counted(found.total, "difference"),
                view.endpoint(),
                again.total,
                second.endpoint()
            ));
            Ok(if again.total < found.total { again } else { found })
        })
        .await
}

/// Epochs computed from one reading of all Transfer logs, in narrow ranges or in the usual ones.
async fn reading(
    conn: &Connection,
    (view, narrow): (&PinnedView, bool),
    subjects: &[Subject],
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<Verification> {
    let mut judge = Judge::new(conn)?;
    judge.found.view = Some(ViewStamp::of(view));
    last_blocks(view, subjects, &mut judge).await?;
    let mut order: Vec<&Subject> = subjects.iter().collect();
    order.sort_by_key(|subject| subject.pool.deploy_block);
    for chunk in order.chunks(POOLS_PER_QUERY) {
        replay((view, narrow), chunk, &mut judge, progress, stop).await?;
    }
    Ok(judge.end())
}

/// Verifies from the transfers that the state holds, without a network: finds what was altered after it was paid,
/// and what the split got wrong, but not logs that are missing from the state. Whether a pool was paused is taken from it.
pub fn verify_stored(
    conn: &Connection,
    subjects: &[Subject],
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<Verification> {
    let mut judge = Judge::new(conn)?;
    for subject in subjects {
        let Some(first) = subject.epochs.first() else { continue };
        progress.begin(&format!("verifying \"{}\"", subject.pool.name), Some(subject.epochs.len() as u64));
        let (opening, mut broken) = match pool::holdings_before(conn, subject.pool.id, first.epoch.start) {
            Ok(opening) => (opening, None),
            Err(e) if e.code() == Code::Drift => (Holdings::default(), Some(e)),
            Err(e) => return Err(e),
        };
        let mut way = Stored { conn, pool: &subject.pool, holdings: opening, at: first.epoch.start };
        for row in &subject.epochs {
            stop.check()?;
            // Without possible holders nothing that follows can be computed.
            match broken.take().map_or_else(|| way.through(row), Err) {
                Ok(weights) => judge.epoch(&subject.pool, row, &weights)?,
                Err(e) if e.code() == Code::Drift => {
                    judge.impossible(&subject.pool, row, &e);
                    broken = Some(e);
                }
                Err(e) => return Err(e),
            }
            progress.advance(1);
        }
        progress.end();
    }
    Ok(judge.end())
}

/// A pool on its way through its epochs, by the stored transfers.
struct Stored<'c> {
    conn: &'c Connection,
    pool: &'c Pool,
    holdings: Holdings,
    /// Transfers in blocks below this one are part of `holdings`.
    at: u64,
}

impl Stored<'_> {
    /// The epoch's weights; goes on to its end.
    fn through(&mut self, row: &EpochRow) -> Result<Weights> {
        let Epoch { start, end } = row.epoch;
        pool::each_movement(self.conn, self.pool.id, self.at, start, |m| self.holdings.apply(m))?;
        let mut accrual = Accrual::new(&std::mem::take(&mut self.holdings), start, end, row.basis);
        pool::each_movement(self.conn, self.pool.id, start, end, |m| accrual.take(m))?;
        let (weights, closing) = accrual.finish();
        (self.holdings, self.at) = (closing, end);
        Ok(weights)
    }
}

/// Compares the hash of each epoch's last block, and finds out whether the pool was paused there.
async fn last_blocks(view: &PinnedView, subjects: &[Subject], judge: &mut Judge<'_>) -> Result<()> {
    let rows: Vec<(&Pool, &EpochRow)> =
        subjects.iter().flat_map(|s| s.epochs.iter().map(|row| (&s.pool, row))).collect();
    let known = view.blocks_of(rows.iter().map(|(_, row)| row.epoch.end - 1)).await?;
    let mut asked = Vec::with_capacity(rows.len());
    for (pool, row) in rows {
        let block = known.get(&(row.epoch.end - 1)).copied();
        let (stored, found) = (row.last_hash, block.map(|block| block.hash));
        judge.same(pool, row, "last_hash", stored.map(|h| h.to_string()), found.map(|h| h.to_string()));
        asked.extend(block.map(|block| ((pool, block), row.id)));
    }
    let (questions, ids): (Vec<_>, Vec<i64>) = asked.into_iter().unzip();
    for (id, paused) in ids.into_iter().zip(paused(view, &questions).await?) {
        judge.paused.insert(id, paused?);
    }
    Ok(())
}

async fn replay(
    (view, narrow): (&PinnedView, bool),
    subjects: &[&Subject],
    judge: &mut Judge<'_>,
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<()> {
    let rows = || subjects.iter().flat_map(|subject| &subject.epochs);
    let Some(to) = rows().map(|row| row.epoch.end - 1).max() else { return Ok(()) };
    let from = subjects.iter().map(|subject| subject.pool.deploy_block).min().unwrap_or_default();
    let mut ways: HashMap<Address, Way<'_>> =
        subjects.iter().map(|subject| (subject.pool.address, Way::new(subject))).collect();
    let addresses: Vec<Address> = ways.keys().copied().collect();
    let mut members = Members::after(judge.strangers.len());
    progress.begin("replaying transfers", Some((to + 1).saturating_sub(from)));
    let take = |range: LogRange| {
        for log in &range.logs {
            let Some(way) = ways.get_mut(&log.inner.address) else { continue };
            if log.block_number < way.subject.pool.deploy_block {
                continue;
            }
            let transfer = sync::decode(log)?;
            way.recount.push(Movement {
                block: log.block_number,
                from: members.of(judge.conn, transfer.from)?,
                to: members.of(judge.conn, transfer.to)?,
                shares: transfer.value,
            });
        }
        judge.strangers.append(&mut members.strangers);
        for way in ways.values_mut() {
            way.reach(range.end.number + 1, judge)?;
        }
        progress.advance(range.end.number + 1 - range.from);
        stop.check()
    };
    let topic = abi::sol::transfer_topic();
    if narrow {
        evm::replay_narrow(view, &addresses, topic, from, to, take).await?;
    } else {
        evm::replay(view, &addresses, topic, from, to, take).await?;
    }
    for way in ways.values_mut() {
        way.reach(to + 1, judge)?;
    }
    progress.end();
    Ok(())
}

/// A pool on its way through its epochs, by the chain's logs.
struct Way<'s> {
    subject: &'s Subject,
    recount: Recount,
    due: VecDeque<&'s EpochRow>,
}

impl<'s> Way<'s> {
    fn new(subject: &'s Subject) -> Self {
        Self { subject, recount: Recount::new(Holdings::default(), 0), due: subject.epochs.iter().collect() }
    }

    /// Judges the epochs that end by block `next`, below which all movements are there.
    fn reach(&mut self, next: u64, judge: &mut Judge<'_>) -> Result<()> {
        while let Some(row) = self.due.front() {
            match self.recount.through(row.epoch, row.basis, next) {
                Ok(None) => return Ok(()),
                Ok(Some(weights)) => judge.epoch(&self.subject.pool, row, &weights)?,
                Err(e) if e.code() == Code::Drift => {
                    // Without possible holders nothing that follows can be computed.
                    for row in std::mem::take(&mut self.due) {
                        judge.impossible(&self.subject.pool, row, &e);
                    }
                    return Ok(());
                }
                Err(e) => return Err(e),
            }
            self.due.pop_front();
        }
        Ok(())
    }
}

/// Ids of members by address. A holder that the state does not know gets one above all others.
#[derive(Default)]
struct Members {
    known: HashMap<Address, MemberId>,
    strangers: Vec<Address>,
    met: i64,
}

/// Ids from here on stand for holders that the state does not know.
const STRANGERS: MemberId = 1 << 62;

impl Members {
    const MOST: usize = 2_000_000;

    /// Goes on where so many strangers were met before.
    fn after(strangers: usize) -> Self {
        Self { met: i64::try_from(strangers).unwrap_or(i64::MAX), ..Self::default() }
    }

    fn of(&mut self, conn: &Connection, address: Address) -> Result<Option<MemberId>> {
        if address.is_zero() {
            return Ok(None);
        }
        if let Some(id) = self.known.get(&address) {
            return Ok(Some(*id));
        }
        let sql = "SELECT id FROM members WHERE address = ?1";
        let found: Option<MemberId> = rows::value(conn, sql, [address.to_string()])?;
        let id = found.unwrap_or_else(|| {
            self.strangers.push(address);
            self.met += 1;
            STRANGERS + self.met - 1
        });
        if self.known.len() >= Self::MOST {
            self.known.retain(|_, id| *id >= STRANGERS);
        }
        self.known.insert(address, id);
        Ok(Some(id))
    }
}

/// Lays what was computed beside what stands in the state.
struct Judge<'c> {
    conn: &'c Connection,
    terms: Vec<EmissionTerms>,
    claimants: Vec<Claimant>,
    strangers: Vec<Address>,
    found: Verification,
    counts: HashMap<i64, u64>,
    /// Whether the pool was paused in an epoch, by the epoch's id, as far as the chain was asked.
    paused: HashMap<i64, bool>,
}

impl<'c> Judge<'c> {
    fn new(conn: &'c Connection) -> Result<Self> {
        let (found, counts, paused) = (Verification::default(), HashMap::new(), HashMap::new());
        let (terms, claimants) = (schedule(conn)?, claimants(conn)?);
        Ok(Self { conn, terms, claimants, strangers: Vec::new(), found, counts, paused })
    }

    fn end(mut self) -> Verification {
        for epoch in &mut self.found.epochs {
            epoch.differences = self.counts.get(&epoch.row.id).copied().unwrap_or_default();
        }
        self.found.epochs.sort_by_key(|epoch| (epoch.row.pool_id, epoch.row.epoch.start));
        self.found.differences.sort_by_key(|difference| difference.epoch);
        self.found
    }

    fn differs(&mut self, difference: Difference) {
        self.found.total += 1;
        *self.counts.entry(difference.epoch).or_default() += 1;
        if self.found.differences.len() < NAMED {
            self.found.differences.push(difference);
        }
    }

    fn same(
        &mut self,
        pool: &Pool,
        row: &EpochRow,
        field: &'static str,
        stored: Option<String>,
        computed: Option<String>,
    ) {
        if stored != computed {
            let pool = pool.name.clone();
            self.differs(Difference { epoch: row.id, pool, member: None, field, stored, computed });
        }
    }

    fn figure<T: ToString>(&mut self, pool: &Pool, row: &EpochRow, field: &'static str, of: [&T; 2]) {
        let [stored, computed] = of.map(|figure| Some(figure.to_string()));
        self.same(pool, row, field, stored, computed);
    }

    fn impossible(&mut self, pool: &Pool, row: &EpochRow, e: &Error) {
        self.same(pool, row, "transfers", None, Some(e.to_string()));
        self.verified(pool, row, 0);
    }

    fn verified(&mut self, pool: &Pool, row: &EpochRow, rewards: u64) {
        let pool = pool.name.clone();
        self.found.epochs.push(VerifiedEpoch { row: row.clone(), pool, rewards, differences: 0 });
    }

    fn epoch(&mut self, pool: &Pool, row: &EpochRow, weights: &Weights) -> Result<()> {
        let due = match row.origin {
            // What the operator gave is what was to be given.
            Origin::Manual => Share::whole(row.part),
            Origin::Cycle => self.emission(pool, row)?,
        };
        self.figure(pool, row, "part", [&row.part, &due.part]);
        let carry_in = carry_before(self.conn, pool.id, row.epoch.start)?;
        self.figure(pool, row, "carry_in", [&row.carry_in, &carry_in]);
        let past = || Error::new(Code::StateCorrupt, "the amounts of a reward epoch pass 256 bits");
        let amount = due.part.checked_add(carry_in).ok_or_else(past)?;
        let stored = row.reason == Some(CarryReason::PoolPaused);
        let paused = self.paused.get(&row.id).copied().unwrap_or(stored);
        let shared = split_members(amount, weights, paused);
        let word = |reason: Option<CarryReason>| reason.map(|reason| reason.as_str().to_owned());
        let reason = CarryReason::of(&shared, due.unsplit);
        self.same(pool, row, "carry_reason", word(row.reason), word(reason));
        self.figure(pool, row, "carry_out", [&row.carry_out, &shared.carry]);
        self.figure(pool, row, "distributed", [&row.distributed, &(amount - shared.carry)]);
        self.figure(pool, row, "holders", [&row.holders, &(shared.rewards.len() as u64)]);
        let rewards = self.rewards(pool, row, shared.rewards)?;
        self.verified(pool, row, rewards);
        Ok(())
    }

    /// The pool's part of the epoch's emission, by the terms and weights that were in force.
    fn emission(&mut self, pool: &Pool, row: &EpochRow) -> Result<Share> {
        let start = row.epoch.start;
        let Some(terms) = terms_at(&self.terms, start).cloned() else {
            self.same(pool, row, "start_block", Some(start.to_string()), None);
            return Ok(Share::whole(row.part));
        };
        let epoch = Epoch { start, end: start.saturating_add(terms.epoch_blocks) };
        self.figure(pool, row, "end_block", [&row.epoch.end, &epoch.end]);
        self.figure(pool, row, "basis", [&row.basis.as_str(), &terms.basis.as_str()]);
        self.figure(pool, row, "asset", [&row.asset, &terms.asset]);
        let stored = emission_at(self.conn, start)?;
        let carry_in = carry_into(self.conn, start)?;
        let taking_part = sharers(&self.claimants, start);
        let budget = Budget::of(epoch, &terms, &taking_part, carry_in)?;
        let words = |emission: Base, carry_in: Base, carry_out: Base| {
            format!("{emission} + {carry_in} - {carry_out}")
        };
        let computed = words(budget.emission, budget.carry_in, budget.carry_out);
        let stored = stored.map(|row| words(row.emission, row.carry_in, row.carry_out));
        self.same(pool, row, "emission", stored, Some(computed));
        let share = Share::of(budget.emission.saturating_add(carry_in), &taking_part, pool.id);
        let text = |ppm: Option<u32>| ppm.map(|ppm| ppm.to_string());
        self.same(pool, row, "weight_ppm", text(row.weight_ppm), text(share.weight));
        let text = |sum: Option<u64>| sum.map(|sum| sum.to_string());
        self.same(pool, row, "weight_sum_ppm", text(row.weight_sum_ppm), text(share.weight_sum));
        Ok(share)
    }

    /// Compares the rewards one by one; returns how many are stored.
    fn rewards(&mut self, pool: &Pool, row: &EpochRow, computed: Vec<(MemberId, Base)>) -> Result<u64> {
        let mut mismatches = Vec::new();
        let mut more = 0;
        let mut note = |mismatch: Mismatch| {
            if mismatches.len() < NAMED { mismatches.push(mismatch) } else { more += 1 }
        };
        let mut walk = Walk::new(computed);
        each_reward(self.conn, row.id, |member, amount| walk.stored(member, amount, &mut note))?;
        let rows = walk.rows;
        walk.end(&mut note);
        self.found.total += more;
        *self.counts.entry(row.id).or_default() += more;
        for mismatch in mismatches {
            let member = Some(self.address(mismatch.member)?);
            let text = |amount: Option<Base>| amount.map(|amount| amount.to_string());
            self.differs(Difference {
                epoch: row.id,
                pool: pool.name.clone(),
                member,
                field: "amount",
                stored: text(mismatch.stored),
                computed: text(mismatch.computed),
            });
        }
        Ok(rows)
    }

    fn address(&self, member: MemberId) -> Result<String> {
        let stranger = member.checked_sub(STRANGERS).and_then(|place| usize::try_from(place).ok());
        if let Some(address) = stranger.and_then(|place| self.strangers.get(place)) {
            return Ok(address.to_string());
        }
        rows::one(self.conn, "SELECT address FROM members WHERE id = ?1", [member])
    }
}
