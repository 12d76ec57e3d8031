//! The one way to submit: every transaction of the product takes effect once, or not at all, and is recorded.
//!
//! The life of an operation is planned → signed → sent → confirmed, failed or expired. An envelope and its hash are
//! committed before it is sent for the first time, and a newer one is signed only when the older one can no longer
//! land. What follows from an operation is recorded in the same write that ends it.

mod by_hand;
mod commits;
mod desk;
mod intent;
mod life;
mod polls;
mod prepare;
mod resources;
mod settle;

pub use by_hand::{GivenUp, Outlook, give_up, look, may_give_up};
pub use desk::{Desk, Terms};
pub use intent::{Intent, NothingMore, Reason, Recorder, Rehearsal, Settled, Status, Submitted};

use self::commits::{Commits, Write};
use self::life::{Lives, planned};
use self::polls::Polls;
use self::prepare::{Market, Prepared};
use self::settle::{Envelope, Settler};
use super::transaction::{Signers, stored};
use super::xdr::AccountId;
use base::{Code, Error, Result, say};
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use state::operations::{self, Operation, OperationState};
use state::{Permit, State, ValuePermit};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// The kind of operations that restore archived entries for others; nothing beside them is recorded.
pub const RESTORE: &str = "restore";

/// Works through the intents, [`Terms::parallel`] at a time; the results are in their order, each its own. A failed
/// simulation ends its operation as failed, without a signature; it may be tried again later.
///
/// # Errors
/// Of the whole: the state cannot be written, or no endpoint serves at the start. Of one: `outcome_unknown` where it is
/// under way still (the next run settles it); `fee_capped`; `unreachable` and others of [`super::Client::view`] where
/// nothing was signed; `interrupted`; `conflict` for a key that stands twice.
pub async fn submit(
    desk: &mut Desk<'_>,
    _permit: ValuePermit<'_>,
    intents: &[Intent],
    signers: &dyn Signers,
    recorder: &dyn Recorder,
) -> Result<Vec<Result<Submitted>>> {
    let mut results: Vec<Option<Result<Submitted>>> = Vec::new();
    let mut wanted: Vec<(usize, &Intent)> = Vec::new();
    let mut keys = BTreeSet::new();
    let held = under_way(desk.state)?;
    for (place, intent) in intents.iter().enumerate() {
        let before = operations::find(desk.state.conn(), &intent.key)?;
        let known = before_sending(intent, before, keys.insert(&intent.key)).or_else(|| waits(intent, &held));
        if known.is_none() {
            wanted.push((place, intent));
        }
        results.push(known);
    }
    if !wanted.is_empty() {
        let usual = resources::usual(desk.state.conn(), wanted.iter().map(|(_, intent)| intent.kind))?;
        let market = Market::new(desk.client, &desk.terms, usual);
        market.open(wanted.iter().map(|(_, intent)| &intent.source)).await?;
        let planned = desk.state.write(desk.permit, |tx| {
            let plan = |(_, i): &(usize, &Intent)| {
                let id = operations::plan(tx, &i.key, i.kind, &i.subject, &i.plan)?;
                Ok((id, operations::attempts_made(tx.conn(), id)?))
            };
            wanted.iter().map(plan).collect::<Result<Vec<_>>>()
        })?;
        let (commits, polls) = (Commits::default(), Polls::default());
        let lives = Lives {
            settler: Settler {
                market: &market,
                commits: &commits,
                polls: &polls,
                recorder,
                started: Instant::now(),
                may_send: true,
                // What is sent is settled.
                stop: None,
            },
            market: &market,
            commits: &commits,
            signers,
            stop: desk.stop,
            slots: Semaphore::new(desk.terms.parallel.max(1)),
        };
        let mut lanes: BTreeMap<&AccountId, Vec<Planned<'_>>> = BTreeMap::new();
        for ((place, intent), (id, made)) in wanted.into_iter().zip(planned) {
            lanes.entry(&intent.source).or_default().push(Planned { place, intent, id, made });
        }
        let lanes =
            lanes.into_values().map(|lane| -> LocalBoxFuture<'_, _> { Box::pin(in_order(&lives, lane)) });
        let done = drive(&market, &commits, &polls, desk.state, desk.permit, recorder, lanes).await;
        for (place, result) in done.into_iter().flatten() {
            if let Some(slot) = results.get_mut(place) {
                *slot = Some(result);
            }
        }
    }
    let missing = || Err(Error::new(Code::Bug, "an intent was left without a result"));
    Ok(results.into_iter().map(|result| result.unwrap_or_else(missing)).collect())
}

/// What is known of an intent before anything is sent.
fn before_sending(intent: &Intent, before: Option<Operation>, is_first: bool) -> Option<Result<Submitted>> {
    let key = &intent.key;
    if !is_first {
        return Some(Err(Error::new(Code::Conflict, format!("operation \"{key}\" is wanted twice at once"))));
    }
    let before = before?;
    match before.state {
        OperationState::Recorded => Some(Ok(Submitted::AlreadyDone { operation: before.id })),
        OperationState::Planned | OperationState::Failed | OperationState::Expired => None,
        OperationState::Signed | OperationState::Sent | OperationState::Confirmed => Some(Err(Error::new(
            Code::OutcomeUnknown,
            format!("operation \"{key}\" is under way, and it is not known yet what became of it"),
        )
        .hint("run the same command again: it settles this first, and nothing is done twice")
        .detail("operation", key.as_str()))),
    }
}

/// Operations whose envelope may still land, each with the account that sends it: the next one must not take its sequence
/// number.
///
/// # Errors
/// `state_error`; `state_corrupt` for an envelope that cannot be read.
pub fn under_way(state: &State) -> Result<Vec<(AccountId, Operation)>> {
    let mut held = Vec::new();
    for operation in operations::open(state.conn())? {
        let last = operations::attempts(state.conn(), operation.id)?.pop();
        if let Some(last) = last.filter(|last| !last.ended) {
            held.push((stored(&last.envelope)?.source, operation));
        }
    }
    Ok(held)
}

/// What is said of an intent that must wait for another one: of the same account, or the same thing for the same subject,
/// whoever sends it.
fn waits(intent: &Intent, held: &[(AccountId, Operation)]) -> Option<Result<Submitted>> {
    let is_in_the_way = |(source, other): &&(AccountId, Operation)| {
        *source == intent.source || (other.kind == intent.kind && other.subject == intent.subject)
    };
    held.iter().find(is_in_the_way).map(|(_, other)| Err(waiting(intent, &other.key)))
}

fn waiting(intent: &Intent, other: &str) -> Error {
    let why = format!("operation \"{}\" waits: it is not known yet what became of \"{other}\"", intent.key);
    let hint = say("run it again: that is settled first; see: ").run("operations list");
    Error::new(Code::OutcomeUnknown, why).hint(hint).detail("operation", other)
}

/// Ledger time in seconds until which a stored envelope may take effect.
///
/// # Errors
/// `state_corrupt` for one that cannot be read.
pub fn valid_until(envelope: &str) -> Result<u64> {
    Ok(stored(envelope)?.validity.until)
}

/// An intent with its operation's row.
struct Planned<'a> {
    /// Its place among the intents.
    place: usize,
    intent: &'a Intent,
    id: i64,
    /// Envelopes of it that have ended.
    made: u32,
}

/// Leads the operations of one account, one after the other. Behind one of which it is not known what became, none is begun:
/// it would take its sequence number.
async fn in_order(lives: &Lives<'_>, lane: Vec<Planned<'_>>) -> Vec<(usize, Result<Submitted>)> {
    let mut done = Vec::with_capacity(lane.len());
    let mut unknown: Option<&str> = None;
    for Planned { place, intent, id, made } in lane {
        let result = match unknown {
            Some(other) => lives.abandon(id, waiting(intent, other)).await,
            None => lives.lead(intent, &planned(id, intent), made).await,
        };
        if unknown.is_none() && result.as_ref().is_err_and(|e| e.code() == Code::OutcomeUnknown) {
            unknown = Some(&intent.key);
        }
        done.push((place, result));
    }
    done
}

/// Settles every unfinished operation, by the hashes of its envelopes: first thing that a writing command does. It
/// sends nothing over the network where nothing is unfinished. With a `permit`, an envelope that is stored and still
/// valid is sent again, the same bytes. What was planned and never signed is given up, and not among the results.
///
/// # Errors
/// Of the whole: the state cannot be read or written. Of one: `outcome_unknown` when [`Terms::wait`] is over;
/// `state_corrupt` for an envelope that cannot be read.
pub async fn settle_open(
    desk: &mut Desk<'_>,
    permit: Option<ValuePermit<'_>>,
    recorder: &dyn Recorder,
) -> Result<Vec<(Operation, Result<Settled>)>> {
    let mut open = Vec::new();
    let mut given_up = Vec::new();
    for operation in operations::open(desk.state.conn())? {
        let last = operations::attempts(desk.state.conn(), operation.id)?.pop();
        match last.filter(|last| !last.ended || operation.state == OperationState::Confirmed) {
            Some(last) => open.push((operation, last)),
            None => given_up.push(operation.id),
        }
    }
    if !given_up.is_empty() {
        desk.state.write(desk.permit, |tx| {
            let why = Some("it was planned, and the run ended before it was signed");
            given_up.iter().try_for_each(|id| operations::end(tx, *id, OperationState::Expired, why))
        })?;
    }
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let market = Market::new(desk.client, &desk.terms, resources::Usual::default());
    let (commits, polls) = (Commits::default(), Polls::default());
    let settler = Settler {
        market: &market,
        commits: &commits,
        polls: &polls,
        recorder,
        started: Instant::now(),
        may_send: permit.is_some(),
        stop: Some(desk.stop),
    };
    let lanes = open.into_iter().map(|(operation, last)| -> LocalBoxFuture<'_, _> {
        Box::pin(async {
            let settled = recover(&settler, &operation, last).await;
            (operation, settled)
        })
    });
    let mut done = drive(&market, &commits, &polls, desk.state, desk.permit, recorder, lanes).await;
    done.sort_by_key(|(operation, _)| operation.id);
    Ok(done)
}

async fn recover(settler: &Settler<'_>, operation: &Operation, last: operations::Attempt) -> Result<Settled> {
    let envelope = Envelope::again(operation, last, settler.recorder)?;
    let fate = settler.settle(&envelope, None).await?;
    let settled = Settled::of_fate(fate, &envelope);
    let (operation, attempt) = (operation.clone(), Some(envelope.attempt));
    settler.commits.write(Write::Ended { operation, attempt, settled: Box::new(settled.clone()) }).await?;
    Ok(settled)
}

/// Runs all lanes at once on this thread, writes what they want written, and asks what they ask.
async fn drive<'a, T>(
    market: &Market<'_>,
    commits: &Commits,
    polls: &Polls,
    state: &mut State,
    permit: Permit<'_>,
    recorder: &dyn Recorder,
    lanes: impl Iterator<Item = LocalBoxFuture<'a, T>>,
) -> Vec<T> {
    let mut lanes: FuturesUnordered<_> = lanes.collect();
    let mut asking = pin!(polls.run(market.client));
    let mut done = Vec::new();
    loop {
        // In this order: whoever can go on does so before a write is made, so that writes are few.
        tokio::select! {
            biased;
            next = lanes.next() => match next {
                Some(result) => done.push(result),
                None => break,
            },
            () = &mut asking => {}
            () = commits.due() => commits.flush(state, permit, recorder),
        }
    }
    commits.flush(state, permit, recorder);
    done
}

/// Simulates the intents without signing, sending or writing anything: what a dry run shows.
///
/// # Errors
/// Of the whole: no endpoint serves. Of one: `transaction_failed` where the simulation fails, and those of
/// [`super::Client::view`].
pub async fn rehearse(
    client: &super::Client,
    terms: &Terms,
    intents: &[Intent],
) -> Result<Vec<Result<Rehearsal>>> {
    let market = Market::new(client, terms, resources::Usual::default());
    market.open(intents.iter().map(|intent| &intent.source)).await?;
    let rehearsals = futures_util::stream::iter(intents).map(|intent| rehearse_one(&market, intent));
    Ok(rehearsals.buffered(terms.parallel.max(1)).collect().await)
}

async fn rehearse_one(market: &Market<'_>, intent: &Intent) -> Result<Rehearsal> {
    match market.compose(intent, 1, None).await? {
        Prepared::Ready(priced) => {
            Ok(Rehearsal { max_fee: Some(priced.max_fee), value: priced.value, restore_fee: None })
        }
        Prepared::Restore(data) => {
            Ok(Rehearsal { max_fee: None, value: None, restore_fee: Some(data.resource_fee) })
        }
        Prepared::Refused(settled) => {
            let reason = settled.reason.as_ref();
            let refused = reason.map(|reason| reason.to_error(&format!("operation \"{}\"", intent.key)));
            Err(refused.unwrap_or_else(|| Error::new(Code::Bug, "a refusal without a reason")))
        }
    }
}
