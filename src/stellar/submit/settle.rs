//! One envelope on the network: sent until somebody has it, and looked for until it is known what became of it.

use super::Recorder;
use super::commits::Commits;
use super::polls::Polls;
use super::prepare::{Market, read_sequence};
use crate::replies::{Landed, Lookup, Sent};
use crate::results::{Failure, Kind, failure};
use crate::transaction::{Stored, stored};
use base::{Code, Error, Result, Stop};
use state::operations::{Attempt, Operation};
use std::cell::Cell;
use tokio::sync::SemaphorePermit;
use tokio::time::{Duration, Instant, sleep_until};

/// Ledgers after which an envelope that is in none is sent again: the network forgets those that wait for long.
const FORGOTTEN_AFTER: u32 = 5;

/// Seconds of ledger time after an envelope's validity in which whoever can tell of it has told: three ledgers.
const TOLD_BY: u64 = 15;

/// A stored envelope.
#[derive(Debug)]
pub(super) struct Envelope {
    /// Its operation's row.
    pub id: i64,
    /// Its operation's key, for messages.
    pub key: String,
    /// Its number within the operation.
    pub attempt: u32,
    /// Lower-case hex.
    pub hash: String,
    /// Base64.
    pub text: String,
    /// What is in it.
    pub stored: Stored,
    /// Whether nobody can have sent it before.
    pub fresh: bool,
    /// Whether the chain tells what it did; see [`super::Recorder::is_told_by_the_chain`].
    pub told: bool,
}

impl Envelope {
    /// One that may have been sent before.
    ///
    /// # Errors
    /// `state_corrupt` for one that cannot be read.
    pub fn again(operation: &Operation, last: Attempt, recorder: &dyn Recorder) -> Result<Self> {
        Ok(Self {
            id: operation.id,
            key: operation.key.clone(),
            attempt: last.attempt,
            stored: stored(&last.envelope)?,
            hash: last.hash,
            text: last.envelope,
            fresh: false,
            told: operation.kind == super::RESTORE || recorder.is_told_by_the_chain(operation),
        })
    }
}

/// What became of an envelope.
#[derive(Debug)]
pub(super) enum Fate {
    /// It is in a ledger, with success or without.
    Landed(Box<Landed>),
    /// The network did not take it, and nobody else has it.
    Refused(Failure),
    /// Another transaction used its sequence number, so that it can never land.
    Superseded,
    /// Its time is over, and it is in no ledger.
    Expired,
    /// Its time is over, its sequence number is used, and no endpoint remembers by what: the chain shows what it did, if it did.
    Forgotten,
}

/// Sends and looks.
pub(super) struct Settler<'a> {
    pub market: &'a Market<'a>,
    pub commits: &'a Commits,
    pub polls: &'a Polls,
    pub recorder: &'a dyn Recorder,
    pub started: Instant,
    /// Whether envelopes may be sent at all.
    pub may_send: bool,
    /// The wish to wait no longer, where what is open may stay so.
    pub stop: Option<&'a Stop>,
}

/// What was tried for one envelope so far.
#[derive(Default)]
struct Tried {
    sends: Cell<u32>,
    /// The newest ledger when somebody took it.
    taken_at: Option<u32>,
    refused: Option<Failure>,
    trouble: Option<Error>,
}

impl Settler<'_> {
    /// Sends the envelope where that is needed, and finds out what became of it. `slot` is given back once it is sent.
    ///
    /// # Errors
    /// `outcome_unknown` when the patience of the terms is used up, or nobody can tell though its time is over.
    pub async fn settle(&self, envelope: &Envelope, slot: Option<SemaphorePermit<'_>>) -> Result<Fate> {
        let deadline = Instant::now() + self.market.terms.wait;
        let mut tried = Tried::default();
        let mut slot = slot;
        // One that may have been sent before may be in a ledger already.
        let mut look = !envelope.fresh;
        loop {
            if look && let Some(fate) = self.look(envelope, &mut tried).await {
                return Ok(fate);
            }
            if self.may_send && self.is_to_be_sent(envelope, &tried) {
                self.send(envelope, &mut tried).await;
                // One that is in a ledger already is answered with a bad sequence number.
                if tried.refused.is_some()
                    && let Some(fate) = self.look(envelope, &mut tried).await
                {
                    return Ok(fate);
                }
            }
            drop(slot.take());
            look = true;
            let is_stopped = self.stop.is_some_and(Stop::wanted);
            if Instant::now() >= deadline || is_stopped || self.is_in_vain(envelope, &tried) {
                return Err(unknown(envelope, &tried));
            }
            self.tick(deadline).await;
        }
    }

    /// Whether waiting is in vain: its time was over some ledgers ago, and whoever was asked could not tell.
    fn is_in_vain(&self, envelope: &Envelope, tried: &Tried) -> bool {
        let until = envelope.stored.validity.until.saturating_add(TOLD_BY);
        tried.trouble.is_some() && self.market.client.seen().is_some_and(|seen| seen.close_time > until)
    }

    fn is_to_be_sent(&self, envelope: &Envelope, tried: &Tried) -> bool {
        let Some(seen) = self.market.client.seen() else { return true };
        let is_forgotten = |at: u32| seen.sequence >= at.saturating_add(FORGOTTEN_AFTER);
        seen.close_time <= envelope.stored.validity.until
            && tried.refused.is_none()
            && tried.taken_at.is_none_or(is_forgotten)
    }

    /// Sends once. A failing endpoint hands over to the next one, which gets the same bytes.
    async fn send(&self, envelope: &Envelope, tried: &mut Tried) {
        let sends = &tried.sends;
        let sent = self.market.client.known(async |view| {
            sends.set(sends.get() + 1);
            self.commits.note_sent(envelope.id, envelope.attempt, sends.get(), view.endpoint());
            view.send(&envelope.text, &envelope.hash).await
        });
        match sent.await {
            Ok(Sent::Pending | Sent::Duplicate) => {
                tried.taken_at = self.market.client.seen().map(|ledger| ledger.sequence);
                tried.trouble = None;
            }
            Ok(Sent::TryAgainLater) => tried.trouble = None,
            Ok(Sent::Refused(result)) => tried.refused = Some(failure(&result)),
            Err(error) => tried.trouble = Some(error),
        }
    }

    /// Looks the envelope up, and says what its fate is, if that can be told.
    async fn look(&self, envelope: &Envelope, tried: &mut Tried) -> Option<Fate> {
        match self.polls.lookup(&envelope.hash).await {
            Ok(lookup) => self.judge(envelope, lookup, tried).await,
            Err(error) => {
                tried.trouble = Some(error);
                None
            }
        }
    }

    async fn judge(&self, envelope: &Envelope, lookup: Lookup, tried: &mut Tried) -> Option<Fate> {
        if let Some(landed) = lookup.found {
            return Some(Fate::Landed(Box::new(landed)));
        }
        let validity = envelope.stored.validity;
        let reaches_back = lookup.oldest.close_time <= validity.from;
        if lookup.latest.close_time > validity.until {
            if reaches_back {
                return Some(Fate::Expired);
            }
            // Past the number, it can never land, or has landed; below it, it did neither.
            if envelope.told
                && let Some((_, sequence)) = self.sequence(envelope).await
            {
                return Some(if sequence < envelope.stored.sequence {
                    Fate::Expired
                } else {
                    Fate::Forgotten
                });
            }
            tried.trouble = Some(out_of_sight());
            return None;
        }
        let refused = tried.refused.take()?;
        match refused.kind {
            Kind::BadSequence if reaches_back && self.is_superseded(envelope).await => Some(Fate::Superseded),
            // Of a server that is behind; the same bytes are sent again.
            Kind::BadSequence | Kind::TooEarly => None,
            _ if envelope.fresh && tried.sends.get() == 1 => Some(Fate::Refused(refused)),
            // Somebody may have taken it all the same, so it must be waited for.
            _ => {
                tried.refused = Some(refused);
                None
            }
        }
    }

    /// Whether another transaction used the envelope's sequence number: the account has moved on, and a server that
    /// knows the ledger in which it did does not know the envelope.
    async fn is_superseded(&self, envelope: &Envelope) -> bool {
        let Some((ledger, sequence)) = self.sequence(envelope).await else { return false };
        if sequence < envelope.stored.sequence {
            return false;
        }
        let lookup = self.polls.lookup(&envelope.hash).await;
        lookup.is_ok_and(|lookup| lookup.found.is_none() && lookup.latest.sequence >= ledger)
    }

    /// The sequence number that the envelope's account used last, and as of which ledger.
    async fn sequence(&self, envelope: &Envelope) -> Option<(u32, i64)> {
        let source = &envelope.stored.source;
        let read = self.market.client.known(async |view| read_sequence(view, source).await).await;
        read.ok().and_then(|(ledger, sequence)| Some((ledger, sequence?)))
    }

    /// Waits until the next time that all transactions are looked for together.
    async fn tick(&self, deadline: Instant) {
        let poll = self.market.terms.poll.max(Duration::from_millis(1));
        let passed = self.started.elapsed().as_nanos() / poll.as_nanos();
        let next = u32::try_from(passed + 1).unwrap_or(u32::MAX);
        let at = self.started + poll.saturating_mul(next);
        sleep_until(at.min(deadline)).await;
    }
}

/// An endpoint knows too little of the past to tell.
pub(super) fn out_of_sight() -> Error {
    Error::new(Code::Behind, "the endpoint does not keep ledgers from before the transaction was signed")
        .hint("put an endpoint with a longer history first in stellar.rpc_urls")
}

fn unknown(envelope: &Envelope, tried: &Tried) -> Error {
    let Envelope { key, hash, .. } = envelope;
    let trouble = tried.trouble.as_ref().map(|e| format!("; {e}")).unwrap_or_default();
    let refused = tried.refused.as_ref().map(|f| format!("; it was answered with {}", f.words));
    let refused = refused.unwrap_or_default();
    let why = format!(
        "operation \"{key}\": it is not known yet what became of transaction {hash}{refused}{trouble}"
    );
    Error::new(Code::OutcomeUnknown, why)
        .hint("run the same command again: it settles this first, and nothing is done twice")
        .detail("operation", key.as_str())
        .detail("hash", hash.as_str())
}
