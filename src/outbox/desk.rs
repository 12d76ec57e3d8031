//! Many operations at once: each account's one after the other, what they want written in as few writes as possible.

use super::chain::Chain;
use super::commits::Commits;
use super::intent::{Intent, Recorder, Settled, Submitted};
use super::life::{self, Life, Pace, Pen, planned};
use super::network::{Network, Past};
use super::rows::{self, Operation, OperationState};
use base::{Code, Error, Result, Stop, say};
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use rusqlite::Connection;
use state::{Permit, State, Tx, ValuePermit};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::pin::pin;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// What submitting works with.
pub struct Desk<'a, N> {
    /// The network, with the terms on which transactions are offered.
    pub network: N,
    /// The state, opened for writing.
    pub state: &'a mut State,
    /// The right to write to it.
    pub permit: Permit<'a>,
    /// The wish to stop: nothing more is signed then, and what was is settled.
    pub stop: &'a Stop,
    /// How many at once, and for how long.
    pub pace: Pace,
}

/// Says of each open operation whether a run may settle it, which no other leads; beside it the account that sends its last
/// envelope, none where none was signed.
pub type Mine<'m, C> = &'m dyn Fn(&Operation, Option<&<C as Chain>::Account>) -> bool;

/// A [`Mine`] of a run beside which there is no other.
pub const fn all<C: Chain>(_operation: &Operation, _sender: Option<&C::Account>) -> bool {
    true
}

/// Works through the intents, [`Pace::parallel`] at a time; the results are in their order, each its own. A failed
/// simulation ends its operation as failed, without a signature; it may be tried again later. What the state says of an intent
/// is asked again in the write that plans it.
///
/// # Errors
/// Of the whole: the state cannot be written, or no endpoint serves at the start. Of one: `outcome_unknown` where it is
/// under way still (the next run settles it); `state_changed` where another run has changed what it was decided from, or leads it; `fee_capped`; `unreachable` and others of the network where nothing was signed;
/// `interrupted`; `conflict` for a key that stands twice.
pub async fn submit<N: Network>(
    desk: &mut Desk<'_, N>,
    _permit: ValuePermit<'_>,
    intents: &[Intent<N::Chain>],
    signers: &<N::Chain as Chain>::Signers,
    recorder: &dyn Recorder<N::Chain>,
) -> Result<Vec<Result<Submitted<N::Chain>>>> {
    let mut results: Vec<Option<Result<Submitted<N::Chain>>>> = Vec::new();
    let mut wanted: Vec<(usize, &Intent<N::Chain>)> = Vec::new();
    let mut keys = BTreeSet::new();
    let held = under_way::<N::Chain>(desk.state.conn())?;
    for (place, intent) in intents.iter().enumerate() {
        let known = known(desk.state.conn(), intent, keys.insert(&intent.key), &held)?;
        if known.is_none() {
            wanted.push((place, intent));
        }
        results.push(known);
    }
    if !wanted.is_empty() {
        let all: Vec<&Intent<N::Chain>> = wanted.iter().map(|(_, intent)| *intent).collect();
        desk.network.open(&all, past(desk.state.conn(), &all)?).await?;
        let planned = desk.state.write(desk.permit, |tx| {
            let held = under_way::<N::Chain>(tx.conn())?;
            all.iter().map(|intent| plan(tx, intent, &held, recorder)).collect::<Result<Vec<_>>>()
        })?;
        let commits = Commits::default();
        // What is sent is settled, so the wish to stop ends no waiting.
        let life = life(&desk.network, &desk.pace, &commits, recorder, true, None);
        let pen = Pen { signers, stop: desk.stop, slots: Semaphore::new(desk.pace.parallel.max(1)) };
        let mut lanes: BTreeMap<&<N::Chain as Chain>::Account, Vec<Planned<'_, N::Chain>>> = BTreeMap::new();
        for ((place, intent), planned) in wanted.into_iter().zip(planned) {
            match planned {
                ControlFlow::Continue((id, made)) => {
                    lanes.entry(&intent.source).or_default().push(Planned { place, intent, id, made });
                }
                ControlFlow::Break(known) => {
                    if let Some(slot) = results.get_mut(place) {
                        *slot = Some(known);
                    }
                }
            }
        }
        let lanes = lanes
            .into_values()
            .map(|lane| -> LocalBoxFuture<'_, _> { Box::pin(in_order(&life, &pen, lane)) });
        let done = drive(&life, desk.state, desk.permit, lanes).await;
        for (place, result) in done.into_iter().flatten() {
            if let Some(slot) = results.get_mut(place) {
                *slot = Some(result);
            }
        }
    }
    let missing = || Err(Error::new(Code::Bug, "an intent was left without a result"));
    Ok(results.into_iter().map(|result| result.unwrap_or_else(missing)).collect())
}

/// What an intent comes to before anything is sent; none where nothing is in its way.
type Known<C> = Option<Result<Submitted<C>>>;

fn known<C: Chain>(
    conn: &Connection,
    intent: &Intent<C>,
    is_first: bool,
    held: &[(C::Account, Operation)],
) -> Result<Known<C>> {
    let before = rows::find(conn, &intent.key)?;
    Ok(before_sending(intent, before, is_first).or_else(|| waits(intent, held)))
}

/// An operation's row, and how many envelopes of it have ended; or what the intent came to instead.
type Begun<C> = ControlFlow<Result<Submitted<C>>, (i64, u32)>;

/// Plans an intent, and says how many envelopes of it have ended; unless another run was faster, or has changed what it was
/// decided from.
fn plan<C: Chain>(
    tx: &Tx<'_>,
    intent: &Intent<C>,
    held: &[(C::Account, Operation)],
    recorder: &dyn Recorder<C>,
) -> Result<Begun<C>> {
    if let Some(known) = known(tx.conn(), intent, true, held)? {
        return Ok(ControlFlow::Break(known));
    }
    match recorder.still(tx.conn(), intent) {
        Err(e) if e.code() == Code::StateChanged => return Ok(ControlFlow::Break(Err(e))),
        still => still?,
    }
    let id = intent.planned(tx)?;
    Ok(ControlFlow::Continue((id, rows::attempts_made(tx.conn(), id)?)))
}

fn before_sending<C: Chain>(intent: &Intent<C>, before: Option<Operation>, is_first: bool) -> Known<C> {
    let key = &intent.key;
    if !is_first {
        return Some(Err(Error::new(Code::Conflict, format!("operation \"{key}\" is wanted twice at once"))));
    }
    let before = before?;
    if before.network != C::NAME {
        let why = format!("operation \"{key}\" is wanted on {}, and is one on {}", C::NAME, before.network);
        return Some(Err(Error::new(Code::Conflict, why)));
    }
    match before.state {
        OperationState::Recorded => Some(Ok(Submitted::AlreadyDone { operation: before.id })),
        OperationState::Planned | OperationState::Failed | OperationState::Expired => None,
        OperationState::Signed | OperationState::Sent | OperationState::Confirmed => {
            let why = format!("operation \"{key}\" is under way, and it is not known yet what became of it");
            Some(Err(life::under_way(key, why)))
        }
    }
}

/// What the envelopes of these intents' kinds could cost lately.
fn past<C: Chain>(conn: &Connection, intents: &[&Intent<C>]) -> Result<Past> {
    let kinds: BTreeSet<&'static str> = intents.iter().map(|intent| intent.kind).collect();
    let fee = |kind| Ok(rows::highest_fee(conn, C::NAME, kind)?.map(|fee| (kind, u128::from(fee))));
    kinds.into_iter().filter_map(|kind| fee(kind).transpose()).collect()
}

/// Operations whose envelope may still land, each with the account that sends it: the next one must not take its number.
pub fn under_way<C: Chain>(conn: &Connection) -> Result<Vec<(C::Account, Operation)>> {
    let mut held = Vec::new();
    for operation in rows::open_on(conn, C::NAME)? {
        let last = rows::attempts(conn, operation.id)?.pop();
        if let Some(last) = last.filter(|last| !last.ended) {
            held.push((C::stored(&last.envelope)?.source, operation));
        }
    }
    Ok(held)
}

/// What is said of an intent that must wait for another one: of the same account, or the same thing for the same subject,
/// whoever sends it.
fn waits<C: Chain>(intent: &Intent<C>, held: &[(C::Account, Operation)]) -> Known<C> {
    let is_in_the_way = |(source, other): &&(C::Account, Operation)| {
        *source == intent.source || (other.kind == intent.kind && other.subject == intent.subject)
    };
    held.iter().find(is_in_the_way).map(|(_, other)| Err(waiting(intent, &other.key)))
}

fn waiting<C: Chain>(intent: &Intent<C>, other: &str) -> Error {
    let why = format!("operation \"{}\" waits: it is not known yet what became of \"{other}\"", intent.key);
    let hint = say("run it again: that is settled first; see: ").run("operations list");
    Error::new(Code::OutcomeUnknown, why).hint(hint).detail("operation", other)
}

/// An intent with its operation's row.
struct Planned<'a, C: Chain> {
    /// Its place among the intents.
    place: usize,
    intent: &'a Intent<C>,
    id: i64,
    /// Envelopes of it that have ended.
    made: u32,
}

/// Leads the operations of one account, one after the other. Behind one of which it is not known what became, none is begun:
/// it would take its number.
async fn in_order<N: Network>(
    life: &Life<'_, N>,
    pen: &Pen<'_, N::Chain>,
    lane: Vec<Planned<'_, N::Chain>>,
) -> Vec<(usize, Result<Submitted<N::Chain>>)> {
    let mut done = Vec::with_capacity(lane.len());
    let mut unknown: Option<&str> = None;
    for Planned { place, intent, id, made } in lane {
        let result = match unknown {
            Some(other) => life.abandon(id, waiting(intent, other)).await,
            None => life.lead(pen, intent, &planned(id, intent), made).await,
        };
        if unknown.is_none() && result.as_ref().is_err_and(|e| e.code() == Code::OutcomeUnknown) {
            unknown = Some(&intent.key);
        }
        done.push((place, result));
    }
    done
}

/// Settles every unfinished operation of this network that is `mine`, by the hashes of its envelopes: first thing that a
/// writing command does. It sends nothing over the network where nothing is unfinished. With a `permit`, an envelope that is
/// stored and still valid is sent again, the same bytes. What was planned and never signed is given up, and not among the
/// results. What another run settles meanwhile is not recorded twice.
///
/// # Errors
/// Of the whole: the state cannot be read or written. Of one: `outcome_unknown` when [`Pace::wait`] is over;
/// `state_corrupt` for an envelope that cannot be read.
pub async fn settle_open<N: Network>(
    desk: &mut Desk<'_, N>,
    permit: Option<ValuePermit<'_>>,
    recorder: &dyn Recorder<N::Chain>,
    mine: Mine<'_, N::Chain>,
) -> Result<Vec<(Operation, Result<Settled<N::Chain>>)>> {
    let mut open = Vec::new();
    let mut given_up = Vec::new();
    for operation in rows::open_on(desk.state.conn(), N::Chain::NAME)? {
        let last = rows::under_way(desk.state.conn(), &operation)?;
        let sender = last.as_ref().and_then(|last| Some(N::Chain::read(&last.envelope)?.source));
        match last {
            _ if !mine(&operation, sender.as_ref()) => {}
            Some(last) => open.push((operation, last)),
            None => given_up.push((operation.id, operation.state)),
        }
    }
    if !given_up.is_empty() {
        desk.state.write(desk.permit, |tx| {
            let why = Some("it was planned, and the run ended before it was signed");
            // One that was led on since it was read is not open, or is another run's.
            let end =
                |(id, from): &(i64, _)| rows::end(tx, *id, *from, OperationState::Expired, why).map(drop);
            given_up.iter().try_for_each(end)
        })?;
    }
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let commits = Commits::default();
    let life = life(&desk.network, &desk.pace, &commits, recorder, permit.is_some(), Some(desk.stop));
    let lanes = open.into_iter().map(|(operation, last)| -> LocalBoxFuture<'_, _> {
        let life = &life;
        Box::pin(async move {
            let settled = life.recover(&operation, last).await;
            (operation, settled)
        })
    });
    let mut done = drive(&life, desk.state, desk.permit, lanes).await;
    done.sort_by_key(|(operation, _)| operation.id);
    Ok(done)
}

fn life<'a, N: Network>(
    network: &'a N,
    pace: &'a Pace,
    commits: &'a Commits<N::Chain>,
    recorder: &'a dyn Recorder<N::Chain>,
    may_send: bool,
    stop: Option<&'a Stop>,
) -> Life<'a, N> {
    let started = Instant::now();
    Life { network, pace, commits, recorder, started, seen: Cell::new((0, started)), may_send, stop }
}

/// Runs all lanes at once on this thread, and writes what they want written.
async fn drive<'a, N: Network, T>(
    life: &Life<'_, N>,
    state: &mut State,
    permit: Permit<'_>,
    lanes: impl Iterator<Item = LocalBoxFuture<'a, T>>,
) -> Vec<T> {
    let mut lanes: FuturesUnordered<_> = lanes.collect();
    let mut attending = pin!(life.network.attend());
    let mut done = Vec::new();
    loop {
        // In this order: whoever can go on does so before a write is made, so that writes are few.
        tokio::select! {
            biased;
            next = lanes.next() => match next {
                Some(result) => done.push(result),
                None => break,
            },
            () = &mut attending => {}
            () = life.commits.due() => life.commits.flush(state, permit, life.recorder),
        }
    }
    life.commits.flush(state, permit, life.recorder);
    done
}
