//! `reward cycle`: every closed epoch of every pool, in order, up to the last final block.
//!
//! What is paid follows from the chain and from the history of the settings alone. First each closed epoch gets its budget,
//! for all pools; then the pools are paid, each as far as nothing stands in its way. A pool that fails is paid the same
//! later.

use super::accrual::Weights;
use super::balances::{Compared, Comparer, Comparison, Differs, refusal};
use super::budget::{Claimant, sharers};
use super::distribute::{Distributed, Draft, Due, LastBlock, accrue, decide, distribute};
use super::emission::CarryReason;
use super::epochs::{created, token_of};
use super::grid::{EmissionTerms, terms_at};
use super::pause::paused;
use super::prepare::{emit, prepare, reward_address, wanted};
use super::store::{claimants, schedule, timelines, weight_rows};
use super::timeline::{Step, Timeline};
use crate::pool::contract::{self, Answered};
use crate::pool::holdings::Holdings;
use crate::pool::{self, Asset, Pool, Stand, abi};
use crate::risk::{self, Barrier};
use crate::sync::{self, Balance};
use base::amount::{Base, Quantity};
use base::{Code, Error, Result, say};
use config::Config;
use evm::{At, BlockRef, Chain, PinnedView, ViewStamp};
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::Serialize;
use state::{Lease, ValuePermit, WriteContext};
use std::collections::{BTreeMap, HashMap};

/// What a cycle did.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "CycleOutput")]
pub struct CycleReport {
    /// The block and endpoint that the chain was read at.
    pub view: ViewStamp,
    /// The last final block: nothing is paid beyond it.
    pub final_block: u64,
    /// The reward token's symbol.
    pub symbol: String,
    /// Pool by pool.
    pub pools: Vec<PoolCycle>,
    /// What the operator should know.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// One pool's part of a cycle.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PoolCycleView")]
pub struct PoolCycle {
    /// The pool.
    pub pool: String,
    /// Epochs distributed now.
    pub epochs: Vec<Paid>,
    /// The epoch that comes next.
    pub next_start_block: Option<u64>,
    /// Its end; it is paid when the block before is final.
    pub next_end_block: Option<u64>,
    /// Why the remaining epochs were not distributed.
    pub error: Option<String>,
    /// The same, whole.
    #[serde(skip)]
    pub failure: Option<Error>,
}

/// A distributed epoch.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PaidView")]
pub struct Paid {
    /// Its id.
    pub epoch: i64,
    /// First block.
    pub start_block: u64,
    /// First block after it.
    pub end_block: u64,
    /// The pool's part of the emission.
    pub part: Quantity,
    /// Carried in.
    pub carry_in: Quantity,
    /// Given to members.
    pub distributed: Quantity,
    /// Carried to the next epoch.
    pub carry_out: Quantity,
    /// Why.
    pub carry_reason: Option<&'static str>,
    /// Members who got something.
    pub holders: u64,
}

impl Paid {
    fn of(token: &Asset, Distributed { id, epoch, sums }: &Distributed) -> Self {
        Self {
            epoch: *id,
            start_block: epoch.start,
            end_block: epoch.end,
            part: token.quantity(sums.part),
            carry_in: token.quantity(sums.carry_in),
            distributed: token.quantity(sums.distributed),
            carry_out: token.quantity(sums.carry_out),
            carry_reason: sums.reason.map(CarryReason::as_str),
            holders: sums.holders,
        }
    }
}

/// Members that differed, whose balances prove that transfers that were read again are right.
const PROOFS: usize = 100;

/// What of all that is due is to be paid.
#[derive(Debug, Clone, Copy)]
enum Scope {
    /// Everything; rewards begin at this block, where the operator names it.
    All(Option<u64>),
    /// What was made manually: all of it, or one epoch of one pool.
    Manual(Option<(i64, i64)>),
}

/// Distributes what is due: the closed epochs of the grid, and those made manually. Running it again for the same
/// blocks changes nothing. A pool's own failure is in the report and leaves the others done.
pub async fn cycle(
    work: &mut WriteContext<'_>,
    chain: &Chain,
    _agreed: &ValuePermit<'_>,
    from: Option<u64>,
    at: At,
) -> Result<CycleReport> {
    work.config.require("reward.asset")?;
    if weight_rows(work.state.conn())?.is_empty() && created(work.state.conn())?.is_empty() {
        return Err(Error::new(Code::MissingSetting, "no pool has a reward weight")
            .hint(say("give one with: ").run("reward set-weight").of("POOL").of("1")));
    }
    run(work, chain, Scope::All(from), None, at).await
}

/// Distributes epochs that were made manually: one, by its id and its pool's, or all that are due.
/// A pool's own failure is in the report: `not_final` where the named epoch's blocks are not all final, `conflict` where epochs
/// before it are not distributed.
pub async fn distribute_manual(
    work: &mut WriteContext<'_>,
    chain: &Chain,
    _agreed: &ValuePermit<'_>,
    only: Option<(i64, i64)>,
    at: At,
) -> Result<CycleReport> {
    let conn = work.state.conn();
    let row = created(conn)?.pop();
    let none = || Error::new(Code::UnknownEpoch, "no epoch waits to be distributed");
    // All rewards are counted in one token.
    let token = token_of(conn, &row.ok_or_else(none)?)?;
    run(work, chain, Scope::Manual(only), Some(token), at).await
}

async fn run(
    work: &mut WriteContext<'_>,
    chain: &Chain,
    scope: Scope,
    token: Option<Asset>,
    at: At,
) -> Result<CycleReport> {
    let _lease = work.permit.lease(&Lease::Pools)?;
    let mut so_far = SoFar::default();
    let mut last = None;
    let done = state::anew_async(async || {
        last = None;
        let known = pool::newest(work.state.conn())?;
        let report = chain
            .view_above(at, known, async |view| {
                one_view(work, view, scope, token.as_ref(), &mut so_far).await
            })
            .await?;
        // The other pools are paid; of these it is decided anew.
        let mut failures = report.pools.iter().filter_map(|pool| pool.failure.as_ref());
        match failures.find(|e| e.code() == Code::StateChanged).cloned() {
            Some(e) => {
                last = Some(report);
                Err(e)
            }
            None => Ok(report),
        }
    })
    .await;
    // A pool that kept changing is a failure among others: what was paid is told.
    done.or_else(|e| last.filter(|_| e.code() == Code::StateChanged).ok_or(e))
}

/// What survives a view that starts over, and a state that was changed meanwhile: it is reported once.
#[derive(Default)]
struct SoFar {
    /// Finished epochs, by pool.
    done: BTreeMap<i64, Vec<Distributed>>,
    notes: Vec<String>,
}

/// The steps that are due, and of which pools.
struct Plan {
    terms: Vec<EmissionTerms>,
    timelines: HashMap<i64, Timeline>,
    claimants: Vec<Claimant>,
    scope: Scope,
    last_final: u64,
    /// Of the state, before all of it was read.
    version: i64,
}

impl Plan {
    fn steps<'a>(&'a self, pool: &Pool) -> impl Iterator<Item = Step> + use<'a> {
        let (scope, pool_id) = (self.scope, pool.id);
        let closed =
            self.timelines.get(&pool.id).map(|timeline| timeline.closed(&self.terms, self.last_final));
        let wanted = move |step: &Step| match (scope, step) {
            (Scope::All(_), _) | (Scope::Manual(None), Step::Manual(_)) => true,
            (Scope::Manual(Some((pool, epoch))), Step::Manual(row)) => pool == pool_id && epoch == row.id,
            (Scope::Manual(_), Step::Grid(_)) => false,
        };
        // Nothing is paid before what comes before it.
        closed.into_iter().flatten().take_while(wanted)
    }

    /// Where the amount of a step's epoch comes from.
    fn due<'a>(&'a self, step: &'a Step) -> Result<Due<'a>> {
        match step {
            Step::Manual(row) => Ok(Due::Manual(row)),
            Step::Grid(epoch) => {
                let none = || Error::new(Code::Bug, format!("no terms at block {}", epoch.start));
                Ok(Due::Grid(*epoch, terms_at(&self.terms, epoch.start).ok_or_else(none)?))
            }
        }
    }

    /// Why the epoch that was asked for cannot be paid, where that is so.
    fn refusal(&self, pool: &Pool) -> Option<Error> {
        let Scope::Manual(Some((wanted, id))) = self.scope else { return None };
        let timeline = self.timelines.get(&pool.id).filter(|_| wanted == pool.id)?;
        let row = timeline.created.iter().find(|row| row.id == id)?;
        if row.epoch.end > self.last_final.saturating_add(1) {
            let last = row.epoch.end - 1;
            let why =
                format!("epoch {id} ends with block {last}, the last final block is {}", self.last_final);
            return Some(Error::new(Code::NotFinal, why).hint("wait until that block is final"));
        }
        match timeline.step(&self.terms, timeline.cursor?)? {
            Step::Manual(next) if next.id == id => None,
            step => {
                let why = format!("the epoch from block {} comes before epoch {id}", step.epoch().start);
                let hint = say("distribute everything in order: ").run("reward cycle");
                Some(Error::new(Code::Conflict, why).hint(hint))
            }
        }
    }
}

async fn one_view(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    scope: Scope,
    token: Option<&Asset>,
    SoFar { done, notes }: &mut SoFar,
) -> Result<CycleReport> {
    let asset = match token {
        Some(token) => token.clone(),
        None => reward_asset(work, view).await?,
    };
    let last_final = view.final_block().number;
    if let Scope::All(from) = scope {
        notes.extend(begin(work, view, &asset, from)?);
        emit(work, last_final)?;
    }
    let conn = work.state.conn();
    let version = version(conn)?;
    let (terms, timelines, claimants) = (schedule(conn)?, self::timelines(conn)?, claimants(conn)?);
    let plan = Plan { terms, timelines, claimants, scope, last_final, version };
    let pools: Vec<Pool> = pool::rewarded(conn)?.into_iter().filter(|p| p.reward_cursor.is_some()).collect();
    let mut failures: HashMap<i64, Error> = HashMap::new();
    let mut due: Vec<Pool> = Vec::new();
    for pool in &pools {
        if let Some(e) = plan.refusal(pool) {
            failures.insert(pool.id, e);
        } else if plan.steps(pool).next().is_some() {
            match barrier(work.state.conn(), work.config, pool, work.state.run().clock.now())? {
                Some(e) => drop(failures.insert(pool.id, e)),
                None => due.push(pool.clone()),
            }
        }
    }
    if !due.is_empty() {
        pay(work, view, &plan, due, &mut failures, done).await?;
    }

    let timelines = self::timelines(work.state.conn())?;
    let begins = |pool: &Pool| {
        let joins =
            |timeline: &Timeline| timeline.joins(&plan.terms, pool.reward_genesis.unwrap_or_default());
        pool.reward_cursor.or_else(|| timelines.get(&pool.id).and_then(joins))
    };
    let pools = pool::rewarded(work.state.conn())?.into_iter();
    let shown = |pool: &Pool| match scope {
        Scope::All(_) => begins(pool).is_some(),
        Scope::Manual(_) => done.contains_key(&pool.id) || failures.contains_key(&pool.id),
    };
    let pools: Vec<Pool> = pools.filter(shown).collect();
    let report = pools.into_iter().map(|pool| {
        let next = timelines
            .get(&pool.id)
            .zip(begins(&pool))
            .and_then(|(timeline, at)| timeline.step(&plan.terms, at));
        let failure =
            failures.remove(&pool.id).map(|e| e.context(format!("cannot pay pool \"{}\"", pool.name)));
        PoolCycle {
            epochs: done.get(&pool.id).into_iter().flatten().map(|paid| Paid::of(&asset, paid)).collect(),
            next_start_block: next.as_ref().map(|step| step.epoch().start),
            next_end_block: next.as_ref().map(|step| step.epoch().end),
            error: failure.as_ref().map(ToString::to_string),
            failure,
            pool: pool.name,
        }
    });
    Ok(CycleReport {
        view: ViewStamp::of(view),
        final_block: last_final,
        pools: report.collect(),
        symbol: asset.symbol,
        notes: notes.clone(),
    })
}

/// Brings schedule and first epochs up to date, where a pool has a weight.
fn begin(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    asset: &Asset,
    from: Option<u64>,
) -> Result<Vec<String>> {
    let head = view.block().number;
    let config = work.config;
    work.state.write(work.permit, |tx| {
        let conn = tx.conn();
        state::settings_stand(conn, config, &["reward.", "risk."])?;
        // Its decimals are those that the operator accepted last.
        let known = pool::asset(conn, asset.address)?;
        let terms = wanted(config, known.as_ref().unwrap_or(asset))?;
        if weight_rows(conn)?.is_empty() {
            return Ok(Vec::new());
        }
        pool::put_asset(conn, asset)?;
        prepare(tx, &terms, &pool::rewarded(conn)?, head, from)
    })
}

async fn reward_asset(work: &WriteContext<'_>, view: &PinnedView) -> Result<Asset> {
    let address = reward_address(work.config)?;
    match pool::asset(work.state.conn(), address)? {
        Some(asset) => Ok(asset),
        None => pool::token(view, address).await,
    }
}

async fn pay(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    plan: &Plan,
    due: Vec<Pool>,
    failures: &mut HashMap<i64, Error>,
    done: &mut BTreeMap<i64, Vec<Distributed>>,
) -> Result<()> {
    let (_, unsettled) = sync::settle_reorgs(work, view, &due).await?;
    failures.extend(unsettled);
    let due = pool::again(work.state.conn(), &due)?.into_iter();
    let due = due.filter(|pool| !failures.contains_key(&pool.id));
    let here = view.block().number;
    // A pool that is younger than the view has no holders to ask for.
    let (alive, unborn): (Vec<Pool>, Vec<Pool>) = due.partition(|pool| pool.deploy_block <= here);
    let totals = ask_totals(work, view, &alive, failures).await?;
    let known = alive.iter().zip(&totals).filter_map(|(pool, total)| Some((pool.id, *total.as_ref().ok()?)));
    failures.extend(sync::replay_to(work, view, &alive, &known.collect(), here).await?.failed);
    let ends = last_blocks(view, plan, alive.iter().chain(&unborn)).await?;
    let nobody = unborn.iter().map(|pool| (pool, Ok(Base::ZERO)));
    let mut seen: Vec<(&Pool, Base)> = Vec::new();
    for (pool, total) in alive.iter().zip(totals).chain(nobody) {
        match total {
            Ok(total) => seen.push((pool, total)),
            Err(e) => drop(failures.entry(pool.id).or_insert(e)),
        }
    }
    let mut stands = HashMap::new();
    for (pool, _) in &seen {
        stands.insert(pool.id, pool::stand(work.state.conn(), pool.id)?);
    }
    let (mut begun, compared) = compare(work, view, plan, &ends, &seen, failures).await?;

    for (pool, _) in seen {
        if failures.contains_key(&pool.id) {
            continue;
        }
        let Some(stand) = stands.get(&pool.id) else { continue };
        let first = begun.remove(&pool.id);
        let slot = done.entry(pool.id).or_default();
        match pay_pool(work, (pool, *stand), plan, &ends, (first, &compared), slot) {
            Ok(()) => {}
            Err(e) if e.code() == Code::Interrupted => return Err(e),
            Err(e) => drop(failures.insert(pool.id, e)),
        }
    }
    Ok(())
}

/// What an accrual came to: the parts of its holders, and what they hold at its end.
type Accrued = (Weights, Holdings);

/// The first due epoch of each pool, accrued, once it is sure that the pool's holders have the token's supply now, and that
/// each of them has what the chain says at the end of every due epoch.
async fn compare(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    plan: &Plan,
    ends: &Ends,
    seen: &[(&Pool, Base)],
    failures: &mut HashMap<i64, Error>,
) -> Result<(HashMap<i64, Accrued>, HashMap<(i64, u64), Compared>)> {
    let conn = work.state.conn();
    let most = usize::try_from(work.config.number("reward.check_holders")?).unwrap_or(usize::MAX);
    let mut begun = HashMap::new();
    let mut comparer = Comparer::new(view, conn, most);
    for (pool, total) in seen {
        if failures.contains_key(&pool.id) {
            continue;
        }
        match compare_pool(&mut comparer, work, plan, ends, (pool, *total)).await {
            Ok(first) => drop(first.map(|first| begun.insert(pool.id, first))),
            // Its own rows; all else is the endpoint's.
            Err(e) if matches!(e.code(), Code::Drift | Code::StateCorrupt) => {
                failures.insert(pool.id, e);
            }
            Err(e) => return Err(e),
        }
    }
    let Comparison { compared, differs, failed } =
        comparer.finish(seen.iter().map(|(pool, _)| *pool)).await?;
    failures.extend(failed);
    for (pool, total) in seen {
        if let Some(differs) = differs.get(&pool.id) {
            let e = refusal(pool, differs);
            failures.insert(pool.id, heal(work, view, pool, *total, differs, e).await?);
        }
    }
    Ok((begun, compared))
}

/// Takes up what a pool's holders have at the end of each due epoch; gives the first epoch, none where its last block is not
/// known.
async fn compare_pool<'a>(
    comparer: &mut Comparer<'a>,
    work: &WriteContext<'_>,
    plan: &Plan,
    ends: &Ends,
    (pool, total): (&'a Pool, Base),
) -> Result<Option<Accrued>> {
    let conn = work.state.conn();
    let steps: Vec<Step> = plan.steps(pool).collect();
    let Some(start) = steps.first().map(|step| step.epoch().start) else { return Ok(None) };
    let mut holdings = pool::opening_matched(conn, pool, total, comparer.here(), start)?;
    let mut first = None;
    for (step, after) in steps.iter().zip((0..steps.len()).rev()) {
        work.stop.check()?;
        // Nothing is paid from an epoch on whose last block is not known.
        let Some(Ok(end)) = ends.get(&(pool.id, step.epoch().end - 1)) else { break };
        let accrual = accrue(conn, pool, plan.due(step)?, &holdings)?;
        comparer.add(pool, end.block, accrual.members()).await?;
        let (weights, closing) = accrual.finish();
        if first.is_none() {
            holdings = if after > 0 { closing.clone() } else { Holdings::default() };
            first = Some((weights, closing));
        } else {
            holdings = closing;
        }
    }
    Ok(first)
}

/// Reads a pool's transfers again until every member has what the chain says. The pool is paid the next time: what was
/// wrong once is looked at by somebody first.
async fn heal(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    pool: &Pool,
    total: Base,
    differs: &[Differs],
    e: Error,
) -> Result<Error> {
    let balance =
        |differs: &Differs| Balance { block: differs.block, member: differs.member, shares: differs.chain };
    // A few prove as much as all of them: transfers that move one member's balance move another's too.
    let balances: Vec<Balance> = differs.iter().take(PROOFS).map(balance).collect();
    Ok(if sync::reread_to_balances(work, view, pool, total, &balances, &e).await? {
        e.hint("nobody of it was paid; its transfers were read again and are right now: run it once more")
    } else {
        e
    })
}

/// The total shares of each pool. One whose contract changed fails.
async fn ask_totals(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    pools: &[Pool],
    failures: &mut HashMap<i64, Error>,
) -> Result<Vec<Result<Base>>> {
    if pools.is_empty() {
        return Ok(Vec::new());
    }
    let mut batch = view.batch();
    let asked: Vec<_> = pools.iter().map(|pool| abi::ask_total(&mut batch, pool)).collect();
    let contracts: Vec<_> = pools.iter().map(|pool| contract::ask(&mut batch, pool)).collect();
    let reply = batch.send().await?;
    let totals: Vec<_> = asked.iter().map(|asked| asked(&reply)).collect();
    let answered = |total: &Result<Base>| total.as_ref().map_or(Answered::Nothing, |_| Answered::Figures);
    let answered: Vec<_> = totals.iter().map(answered).collect();
    let read = contract::read(view, &reply, pools, &contracts, &answered).await?;
    failures.extend(read.failed);
    let changed = contract::keep(work, view, &read.found)?;
    for (pool, why) in pools.iter().filter_map(|pool| Some((pool, changed.get(&pool.id)?))) {
        failures.insert(pool.id, contract::changed(&pool.name, why));
    }
    Ok(totals)
}

/// What the chain says of the last block of every epoch that is about to be paid, by pool and block.
pub(super) type Ends = HashMap<(i64, u64), Result<LastBlock>>;

async fn last_blocks(view: &PinnedView, plan: &Plan, pools: impl Iterator<Item = &Pool>) -> Result<Ends> {
    let due: Vec<(&Pool, u64)> =
        pools.flat_map(|pool| plan.steps(pool).map(move |step| (pool, step.epoch().end - 1))).collect();
    let blocks = view.blocks_of(due.iter().map(|(_, block)| *block)).await?;
    let asked: Vec<(&Pool, BlockRef)> =
        due.iter().filter_map(|(pool, block)| Some((*pool, *blocks.get(block)?))).collect();
    let paused = paused(view, &asked).await?;
    let end = |((pool, block), paused): ((&Pool, BlockRef), Result<bool>)| {
        ((pool.id, block.number), paused.map(|paused| LastBlock { block, paused }))
    };
    Ok(asked.into_iter().zip(paused).map(end).collect())
}

/// Distributes what is due to a pool, whose first epoch is accrued by the transfers that are stored as it stands. Each epoch is
/// written only while nothing forbids it, it is what comes next, and everything is as it was accrued by.
fn pay_pool(
    work: &mut WriteContext<'_>,
    (pool, stand): (&Pool, Stand),
    plan: &Plan,
    ends: &Ends,
    (mut first, compared): (Option<Accrued>, &HashMap<(i64, u64), Compared>),
    done: &mut Vec<Distributed>,
) -> Result<()> {
    let steps: Vec<Step> = plan.steps(pool).collect();
    work.progress.begin(&format!("distributing \"{}\"", pool.name), Some(steps.len() as u64));
    let (mut rows, mut holdings) = (0, None);
    for step in &steps {
        work.stop.check()?;
        let last = step.epoch().end - 1;
        let unasked = || Error::new(Code::Bug, format!("block {last} was not asked for"));
        let end = ends.get(&(pool.id, last)).cloned().ok_or_else(unasked)??;
        let compared = compared.get(&(pool.id, last)).copied().ok_or_else(unasked)?;
        let due = plan.due(step)?;
        let (weights, closing) = match (first.take(), holdings.take()) {
            (Some(first), _) => first,
            (None, Some(opening)) => accrue(work.state.conn(), pool, due, &opening)?.finish(),
            (None, None) => return Err(unasked()),
        };
        holdings = Some(closing);
        let sharers = match step {
            Step::Manual(_) => Vec::new(),
            Step::Grid(epoch) => sharers(&plan.claimants, epoch.start),
        };
        let draft = Draft { due, sharers, last: end, compared, weights };
        let decided = decide(work.state.conn(), pool, &draft)?;
        let config = work.config;
        let paid = work.state.write(work.permit, |tx| {
            let now = pool::by_id(tx.conn(), pool.id)?;
            barrier(tx.conn(), config, &now, tx.now())?.map_or(Ok(()), Err)?;
            if now.stand() != stand || !is_next(tx.conn(), pool, plan, step, &draft)? {
                return Err(state::changed(format_args!("what comes next for pool \"{}\"", now.name)));
            }
            distribute(tx, &now, &draft, &decided)
        })?;
        rows += paid.sums.holders;
        done.push(paid);
        work.progress.advance(1);
    }
    work.progress.end();
    work.state.after_bulk(rows)
}

/// What changes whenever another connection commits to the state.
fn version(conn: &Connection) -> Result<i64> {
    Ok(conn.pragma_query_value(None, "data_version", |row| row.get(0))?)
}

/// Whether an epoch is still what a pool is paid next, by the terms and the weights that it was planned by. It is while nobody
/// else has written: a cycle's own writes follow its plan.
fn is_next(conn: &Connection, pool: &Pool, plan: &Plan, step: &Step, draft: &Draft<'_>) -> Result<bool> {
    if version(conn)? == plan.version {
        return Ok(true);
    }
    let terms = schedule(conn)?;
    let timeline = timelines(conn)?.remove(&pool.id).unwrap_or_default();
    let next = timeline.cursor.and_then(|at| timeline.step(&terms, at));
    let same = match draft.due {
        Due::Manual(_) => true,
        Due::Grid(epoch, by) => {
            terms_at(&terms, epoch.start) == Some(by)
                && sharers(&claimants(conn)?, epoch.start) == draft.sharers
        }
    };
    Ok(same && next.as_ref() == Some(step))
}

/// What forbids to pay a pool: a breaker or an emergency pause, ours or the engine's. Nothing is carried meanwhile:
/// who earned it is paid when it is over.
fn barrier(conn: &Connection, config: &Config, pool: &Pool, now: i64) -> Result<Option<Error>> {
    let gate = risk::gate(conn, config, pool, now)?;
    let name = &pool.name;
    let ours = |command| say("when the cause is gone: ").run(command).of(name).with("reason").of("…");
    let engine = || say("when the engine has let go: ").run("risk fetch").of(name);
    let paused = |why| Error::new(Code::PoolPaused, format!("its emergency pause holds: {why}"));
    let broken = |why| Error::new(Code::BreakerActive, format!("its circuit breaker is open: {why}"));
    Ok(gate.barriers.iter().find_map(|barrier| {
        let why = barrier.why();
        match barrier {
            // Limits say what may go in and out, not what was earned.
            Barrier::RiskUnknown(_) => None,
            Barrier::Paused { .. } => Some(paused(why).hint(ours("risk unpause"))),
            Barrier::EnginePaused => Some(paused(why).hint(engine())),
            Barrier::BreakerOpen(_) => Some(broken(why).hint(ours("risk reset-breaker"))),
            Barrier::EngineBreaker(_) => Some(broken(why).hint(engine())),
            Barrier::ContractChanged(_) => Some(contract::changed(name, &why)),
            Barrier::Retired(_) => Some(pool::is_retired(pool)),
        }
    }))
}
