//! Operations that are not settled, as an operator looks at them: what every endpoint tells of each, and the end by hand of one
//! that can never land any more and of which nobody tells what became.

use super::chain::{Block, Chain, Validity};
use super::commits;
use super::desk::Desk;
use super::intent::{NothingMore, Reason, Recorder, Settled, Status};
use super::network::{Envelope, Fate, Network};
use super::rows::{self, Attempt, Operation};
use base::{Code, Error, Result, clock, say};
use state::ValuePermit;

/// What settling an operation would come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlook {
    /// It is in a block, or can never be in one: it would end so.
    Ends(Status),
    /// It may still take effect.
    Waits {
        /// Until then, in seconds of the chain's time; `None` = until its number is used.
        until: Option<u64>,
    },
    /// No envelope of it is under way: it would be planned anew.
    Unsigned,
}

/// Looks every unfinished operation up, as [`Network::look_everywhere`] does; sends and writes nothing.
///
/// # Errors
/// Of the whole: the state cannot be read. Of one: nobody could be asked, or nobody remembers.
pub async fn look<N: Network>(desk: &Desk<'_, N>) -> Result<Vec<(Operation, Result<Outlook>)>> {
    let mut found = Vec::new();
    for operation in rows::open_on(desk.state.conn(), N::Chain::NAME)? {
        let last = rows::under_way(desk.state.conn(), &operation)?;
        let outlook = outlook(&desk.network, &operation, last).await;
        found.push((operation, outlook));
    }
    Ok(found)
}

async fn outlook<N: Network>(network: &N, operation: &Operation, last: Option<Attempt>) -> Result<Outlook> {
    let Some(last) = last else { return Ok(Outlook::Unsigned) };
    let envelope = Envelope::again(operation, last, &NothingMore)?;
    match network.look_everywhere(&envelope).await? {
        None => Ok(Outlook::Waits { until: envelope.stored.validity.map(|validity| validity.until) }),
        Some(Fate::Forgotten) => Err(network.out_of_sight()),
        Some(fate) => Ok(Outlook::Ends(fate.settled(&envelope).status)),
    }
}

/// An operation that is ended by hand.
#[derive(Debug)]
pub struct GivenUp<C: Chain> {
    /// Which.
    pub operation: Operation,
    /// How it ended, where an endpoint knows that after all; it is recorded so then, and not given up.
    pub known: Option<Settled<C>>,
    last: Option<Attempt>,
}

/// Ends an operation by hand whose envelope can never land any more and of which nobody tells what became; what the
/// operator says is why. It is what [`may_give_up`] found, to which the consent was given, and must be so still: else
/// `state_changed`.
pub fn give_up<N: Network>(
    desk: &mut Desk<'_, N>,
    _permit: ValuePermit<'_>,
    given: &GivenUp<N::Chain>,
    why: &str,
    recorder: &dyn Recorder<N::Chain>,
) -> Result<()> {
    let reason = Reason::of(format!("given up: {why}"));
    let hash = given.last.as_ref().map(|last| last.hash.clone());
    let lost = || Settled { hash, ..Settled::without_effect(Status::Expired, reason) };
    let settled = given.known.clone().unwrap_or_else(lost);
    let (operation, attempt) = (&given.operation, given.last.as_ref().map(|last| last.attempt));
    desk.state.write(desk.permit, |tx| {
        let open = rows::open_on(tx.conn(), N::Chain::NAME)?.into_iter().find(|open| open.id == operation.id);
        let last = open.map(|open| rows::under_way(tx.conn(), &open)).transpose()?;
        if last.is_none_or(|last| last != given.last) {
            return Err(rows::changed(operation.id));
        }
        if given.known.is_none() {
            let facts = serde_json::json!({ "key": operation.key, "hash": settled.hash, "reason": why });
            tx.event("operation.given_up", &operation.subject, &facts)?;
        }
        commits::ended(tx, recorder, operation, attempt, &settled)
    })
}

/// The operation, if it can be ended by hand: it is looked up first, as [`Network::look_everywhere`] does.
///
/// # Errors
/// `invalid_value` for one that is not under way; `not_ready` while it may still land; those of the network where nobody
/// could be asked.
pub async fn may_give_up<N: Network>(
    desk: &Desk<'_, N>,
    id: i64,
    recorder: &dyn Recorder<N::Chain>,
) -> Result<GivenUp<N::Chain>> {
    let open = rows::open_on(desk.state.conn(), N::Chain::NAME)?;
    let operation = open.into_iter().find(|operation| operation.id == id).ok_or_else(|| {
        Error::new(Code::InvalidValue, format!("no operation {id} is under way"))
            .hint(say("see: ").run("operations list"))
    })?;
    let Some(last) = rows::under_way(desk.state.conn(), &operation)? else {
        return Ok(GivenUp { operation, known: None, last: None });
    };
    let envelope = Envelope::again(&operation, last.clone(), recorder)?;
    let known = match desk.network.look_everywhere(&envelope).await? {
        None => return Err(may_still_land(id, envelope.stored.validity, desk.network.newest())),
        Some(Fate::Forgotten) => None,
        Some(fate) => Some(fate.settled(&envelope)),
    };
    Ok(GivenUp { operation, known, last: Some(last) })
}

fn may_still_land(id: i64, validity: Option<Validity>, newest: Option<Block>) -> Error {
    let left = validity.zip(newest).map(|(validity, newest)| {
        format!(", for {} of ledger time", clock::span(validity.until.saturating_sub(newest.time) + 1))
    });
    let left = left.unwrap_or_default();
    Error::new(Code::NotReady, format!("operation {id} may still take effect{left}"))
        .hint(say("wait, then: ").run("operations settle"))
}
