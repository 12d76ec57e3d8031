//! Operations that are not settled, as an operator looks at them: what every endpoint tells of each, and the end by hand of one
//! that can never land any more and of which nobody tells what became.

use super::settle::{Envelope, Fate, out_of_sight};
use super::{Desk, Reason, Recorder, Settled, Status, commits};
use crate::Client;
use crate::replies::Lookup;
use crate::transaction::stored;
use base::{Code, Error, Result, say};
use state::ValuePermit;
use state::operations::{self, Attempt, Operation};

/// What settling an operation would come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlook {
    /// It is in a ledger, or can never be in one: it would end so.
    Ends(Status),
    /// It may still take effect until then, in seconds of ledger time.
    Waits {
        /// End of its validity.
        until: u64,
    },
    /// It was never signed: it would be planned anew.
    Unsigned,
}

/// Looks every unfinished operation up, at every endpoint; sends and writes nothing.
///
/// # Errors
/// Of the whole: the state cannot be read. Of one: nobody could be asked, or nobody remembers.
pub async fn look(desk: &Desk<'_>) -> Result<Vec<(Operation, Result<Outlook>)>> {
    let mut found = Vec::new();
    for operation in operations::open(desk.state.conn())? {
        let last = operations::attempts(desk.state.conn(), operation.id)?.pop();
        let outlook = match last {
            None => Ok(Outlook::Unsigned),
            Some(last) => outlook(desk.client, &last).await,
        };
        found.push((operation, outlook));
    }
    Ok(found)
}

async fn outlook(client: &Client, last: &Attempt) -> Result<Outlook> {
    let validity = stored(&last.envelope)?.validity;
    let lookup = everywhere(client, &last.hash).await?;
    match lookup.found {
        Some(landed) => Ok(Outlook::Ends(if landed.succeeded { Status::Confirmed } else { Status::Failed })),
        None if lookup.latest.close_time <= validity.until => Ok(Outlook::Waits { until: validity.until }),
        None if lookup.oldest.close_time <= validity.from => Ok(Outlook::Ends(Status::Expired)),
        None => Err(out_of_sight()),
    }
}

/// What an endpoint says that has the transaction; where none has, the one that remembers most.
async fn everywhere(client: &Client, hash: &str) -> Result<Lookup> {
    let hashes = [hash.to_owned()];
    let none = || Error::new(Code::BadReply, "getTransaction: no answer");
    let asked = client.each(async |view| {
        let lookups = view.transactions(&hashes).await?;
        lookups.into_iter().next().ok_or_else(none)?
    });
    let (mut absent, mut failed): (Option<Lookup>, Option<Error>) = (None, None);
    for answer in asked.await {
        match answer {
            Ok(lookup) if lookup.found.is_some() => return Ok(lookup),
            Ok(lookup) => {
                let remembers = |one: &Lookup| one.oldest.close_time;
                if absent.as_ref().is_none_or(|before| remembers(&lookup) < remembers(before)) {
                    absent = Some(lookup);
                }
            }
            Err(error) => failed = Some(error),
        }
    }
    let failed = || failed.unwrap_or_else(none).context("nobody could be asked what became of it");
    absent.ok_or_else(failed)
}

/// An operation that is ended by hand.
#[derive(Debug)]
pub struct GivenUp {
    /// Which.
    pub operation: Operation,
    /// How it ended, where an endpoint has it in a ledger after all; it is recorded so then, and not given up.
    pub landed: Option<Settled>,
    last: Option<Attempt>,
}

/// Ends an operation by hand whose envelope can never land any more and of which nobody tells what became; what the
/// operator says is why.
///
/// # Errors
/// As [`may_give_up`]; those of the state.
pub async fn give_up(
    desk: &mut Desk<'_>,
    _permit: ValuePermit<'_>,
    id: i64,
    why: &str,
    recorder: &dyn Recorder,
) -> Result<GivenUp> {
    let given = may_give_up(desk, id, recorder).await?;
    let reason = Reason { words: format!("given up: {why}"), raised: None, failure: None };
    let hash = given.last.as_ref().map(|last| last.hash.clone());
    let settled = given
        .landed
        .clone()
        .unwrap_or_else(|| Settled { hash, ..Settled::without_effect(Status::Expired, reason) });
    let (operation, attempt) = (&given.operation, given.last.as_ref().map(|last| last.attempt));
    desk.state.write(desk.permit, |tx| {
        if given.landed.is_none() {
            let facts = serde_json::json!({ "key": operation.key, "hash": settled.hash, "reason": why });
            tx.event("operation.given_up", &operation.subject, &facts)?;
        }
        commits::ended(tx, recorder, operation, attempt, &settled)
    })?;
    Ok(given)
}

/// The operation, if it can be ended by hand: every endpoint is asked for it first.
///
/// # Errors
/// `invalid_value` for one that is not under way; `not_ready` while it may still land; those of [`Client::view`] where nobody
/// could be asked.
pub async fn may_give_up(desk: &Desk<'_>, id: i64, recorder: &dyn Recorder) -> Result<GivenUp> {
    let open = operations::open(desk.state.conn())?;
    let operation = open.into_iter().find(|operation| operation.id == id).ok_or_else(|| {
        Error::new(Code::InvalidValue, format!("no operation {id} is under way"))
            .hint(say("see: ").run("operations list"))
    })?;
    let Some(last) = operations::attempts(desk.state.conn(), id)?.pop() else {
        return Ok(GivenUp { operation, landed: None, last: None });
    };
    let envelope = Envelope::again(&operation, last.clone(), recorder)?;
    let lookup = everywhere(desk.client, &last.hash).await?;
    let (now, until) = (lookup.latest.close_time, envelope.stored.validity.until);
    let landed = lookup.found.map(|landed| Settled::of_fate(Fate::Landed(Box::new(landed)), &envelope));
    if landed.is_none() && now <= until {
        let left = until - now + 1;
        let why = format!("operation {id} may still take effect, for {left} s of ledger time");
        return Err(Error::new(Code::NotReady, why).hint(say("wait, then: ").run("operations settle")));
    }
    Ok(GivenUp { operation, landed, last: Some(last) })
}
