//! The life of one operation, from its plan to its end.
//!
//! ```text
//! planned ─ prepare ─ sign ─ commit ─ send ⇄ look ─┬─ end: what follows is recorded in the same write
//!    └────────────── again, once it can no longer land ─┘
//! ```
//! Nothing is sent that is not committed; a new envelope is signed only when the one before can no longer land; what is
//! not known is never guessed: the operation stays open, and the next run settles it first ([`Life::recover`]).

use super::chain::Chain;
use super::commits::{Commits, Write};
use super::intent::{Intent, Reason, Recorder, Settled, Submitted};
use super::network::{Envelope, Fate, Network, Prepared, Refused, Sent};
use super::rows::{Attempt, AttemptOutcome, Operation, OperationState};
use base::{Code, Error, Result, Stop};
use std::cell::Cell;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Duration, Instant, sleep_until};

/// Envelopes that are made for one operation in one go.
const MOST_ATTEMPTS: u32 = 3;
/// Blocks after which an envelope that is in none is sent again: the network forgets those that wait for long.
const FORGOTTEN_AFTER: u64 = 5;
/// A chain that stands still is looked at so often at the least.
const SLOWEST: Duration = Duration::from_secs(5);
/// So many looks without a newer block make the next ones rarer.
const PATIENT: u32 = 32;
/// Seconds of the chain's time after an envelope's validity in which whoever can tell of it has told: three ledgers.
const TOLD_BY: u64 = 15;

/// How many transactions at once, and how long they are awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Transactions being prepared and sent at once; those that wait for their block do not count.
    pub parallel: usize,
    /// Between two looks at what became of a transaction.
    pub poll: Duration,
    /// How long an outcome is waited for in all; zero looks once.
    pub wait: Duration,
}

impl Pace {
    /// Between two looks at a chain that has shown no newer block for so long: the longer it stands still, the rarer.
    pub fn after(&self, still: Duration) -> Duration {
        let mut poll = self.poll.max(Duration::from_millis(1));
        while poll < SLOWEST && still >= poll.saturating_mul(PATIENT) {
            poll = poll.saturating_mul(2).min(SLOWEST);
        }
        poll
    }
}

/// What the lives that are led at once have in common.
pub(super) struct Life<'a, N: Network> {
    pub network: &'a N,
    pub pace: &'a Pace,
    pub commits: &'a Commits<N::Chain>,
    pub recorder: &'a dyn Recorder<N::Chain>,
    pub started: Instant,
    /// The newest block, and when it was first seen.
    pub seen: Cell<(u64, Instant)>,
    /// Whether envelopes may be sent at all.
    pub may_send: bool,
    /// The wish to wait no longer, where what is open may stay so.
    pub stop: Option<&'a Stop>,
}

/// What it takes to sign as well.
pub(super) struct Pen<'a, C: Chain> {
    pub signers: &'a C::Signers,
    /// The wish to stop: nothing more is signed then.
    pub stop: &'a Stop,
    /// Transactions being prepared and sent at once.
    pub slots: Semaphore,
}

/// What was tried for one envelope so far.
struct Tried<C: Chain> {
    sends: Cell<u32>,
    /// The newest block when somebody took it.
    taken_at: Option<u64>,
    refused: Option<(Refused, Reason<C>)>,
    trouble: Option<Error>,
}

impl<N: Network> Life<'_, N> {
    /// Leads a planned operation, of which `made` envelopes have ended before, to its end.
    pub async fn lead(
        &self,
        pen: &Pen<'_, N::Chain>,
        intent: &Intent<N::Chain>,
        operation: &Operation,
        made: u32,
    ) -> Result<Submitted<N::Chain>> {
        let mut did_first = false;
        // Where the attempt before was prepared, whose trial a block has contradicted.
        let mut than: Option<String> = None;
        for round in 1..=MOST_ATTEMPTS {
            let prepared = self.prepare(pen, intent, made + round, than.as_deref(), &mut did_first).await;
            let (draft, endpoint, slot) = match prepared {
                Ok((Prepared::Ready { draft, endpoint }, slot)) => (draft, endpoint, slot),
                Ok((Prepared::Refused(settled), _)) => return self.end(operation, None, settled).await,
                Ok((Prepared::First { again, .. }, _)) => {
                    let settled = Settled::refused(Reason::of(again));
                    return self.end(operation, None, Box::new(settled)).await;
                }
                Err(error) => return self.abandon(operation.id, error).await,
            };
            let envelope = match self.sign(pen, intent, operation, draft, &endpoint).await {
                Ok(envelope) => envelope?,
                Err(error) => return self.abandon(operation.id, error).await,
            };
            let fate = self.settle(&envelope, Some(slot)).await?;
            self.network.learn(&envelope, &fate);
            than = matches!(fate, Fate::Landed(_)).then_some(endpoint);
            let again = self.network.again(&fate).filter(|_| round < MOST_ATTEMPTS);
            let Some(error) = again else {
                let settled = fate.settled(&envelope);
                let complaint = self.network.complaint(intent, &settled);
                let done = self.end(operation, Some(envelope.attempt), Box::new(settled)).await?;
                return complaint.map_or(Ok(done), Err);
            };
            tracing::debug!(key = intent.key, hash = envelope.hash, error, "another attempt");
            let outcome = match fate {
                Fate::Landed(_) | Fate::Refused(_) => AttemptOutcome::Failed,
                Fate::Superseded(_) | Fate::Expired | Fate::Forgotten => AttemptOutcome::Expired,
            };
            let attempt = envelope.attempt;
            self.commits.write(Write::Again { id: operation.id, attempt, outcome, error }).await?;
        }
        Err(Error::new(Code::Bug, "the last attempt has no end"))
    }

    /// Prepares, doing first what the chain wants first, once.
    async fn prepare<'p>(
        &self,
        pen: &'p Pen<'_, N::Chain>,
        intent: &Intent<N::Chain>,
        attempt: u32,
        than: Option<&str>,
        did_first: &mut bool,
    ) -> Result<(Prepared<N>, SemaphorePermit<'p>)> {
        loop {
            let slot =
                pen.slots.acquire().await.map_err(|_| Error::new(Code::Bug, "the slots are closed"))?;
            pen.stop.check()?;
            let nearing = self.commits.nearing();
            let prepared = self.network.prepare(intent, attempt, than).await?;
            drop(nearing);
            match prepared {
                Prepared::First { intent: first, failed, .. } if !*did_first => {
                    drop(slot);
                    *did_first = true;
                    let write = Write::Plan(first.clone());
                    let operation = planned(self.commits.write(write).await?, &first);
                    let done = Box::pin(self.lead(pen, &first, &operation, 0)).await?;
                    if let Submitted::Settled(settled) = done
                        && let Some(reason) = &settled.reason
                    {
                        return Err(reason.to_error(&failed));
                    }
                }
                prepared => return Ok((prepared, slot)),
            }
        }
    }

    /// Signs and commits, before it is sent. The outer error came before anything was stored.
    async fn sign(
        &self,
        pen: &Pen<'_, N::Chain>,
        intent: &Intent<N::Chain>,
        operation: &Operation,
        draft: N::Draft,
        endpoint: &str,
    ) -> Result<Result<Envelope<N::Chain>>> {
        let signed = self.network.sign(intent, draft, pen.signers)?;
        let (hash, text) = (signed.hash.clone(), signed.envelope.clone());
        let last = Attempt { attempt: 0, hash, envelope: text, valid_until: None, ended: false };
        let envelope = Envelope { fresh: true, ..Envelope::again(operation, last, self.recorder)? };
        let (id, plan) = (operation.id, operation.plan.clone());
        let write = Write::Signed { id, plan, signed, endpoint: endpoint.to_owned() };
        Ok(self.commits.write(write).await.and_then(|number| {
            let attempt = u32::try_from(number)
                .map_err(|_| Error::new(Code::Bug, "an envelope has no number of its own"))?;
            Ok(Envelope { attempt, ..envelope })
        }))
    }

    /// Sends the envelope where that is needed, and finds out what became of it. `slot` is given back once it is sent.
    async fn settle(
        &self,
        envelope: &Envelope<N::Chain>,
        slot: Option<SemaphorePermit<'_>>,
    ) -> Result<Fate<N::Chain>> {
        let deadline = Instant::now() + self.pace.wait.min(self.longest(envelope));
        let mut tried = Tried { sends: Cell::new(0), taken_at: None, refused: None, trouble: None };
        let mut slot = slot;
        // One that may have been sent before may be in a block already.
        let mut look = !envelope.fresh;
        loop {
            if look && let Some(fate) = self.look(envelope, &mut tried).await {
                return Ok(fate);
            }
            if self.may_send && self.is_to_be_sent(envelope, &tried) {
                self.send(envelope, &mut tried).await;
                // The number of one that is in a block already is refused.
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

    fn is_to_be_sent(&self, envelope: &Envelope<N::Chain>, tried: &Tried<N::Chain>) -> bool {
        let Some(newest) = self.network.newest() else { return true };
        let is_forgotten = |at: u64| newest.number >= at.saturating_add(FORGOTTEN_AFTER);
        envelope.stored.validity.is_none_or(|validity| newest.time <= validity.until)
            && tried.refused.is_none()
            && tried.taken_at.is_none_or(is_forgotten)
    }

    async fn send(&self, envelope: &Envelope<N::Chain>, tried: &mut Tried<N::Chain>) {
        let sends = &tried.sends;
        let sent = self.network.send(envelope, |endpoint| {
            sends.set(sends.get() + 1);
            self.commits.note_sent(envelope.id, envelope.attempt, sends.get(), endpoint);
        });
        match sent.await {
            Ok(Sent::Taken) => {
                tried.taken_at = self.network.newest().map(|block| block.number);
                tried.trouble = None;
            }
            Ok(Sent::Later) => tried.trouble = None,
            Ok(Sent::Refused(kind, reason)) => tried.refused = Some((kind, reason)),
            Err(error) => tried.trouble = Some(error),
        }
    }

    /// Looks the envelope up, and says what its fate is, if that can be told.
    async fn look(
        &self,
        envelope: &Envelope<N::Chain>,
        tried: &mut Tried<N::Chain>,
    ) -> Option<Fate<N::Chain>> {
        let by_number = tried.refused.as_ref().is_some_and(|(kind, _)| *kind == Refused::Number);
        match self.network.look(envelope, by_number).await {
            Ok(None) => {}
            Ok(fate) => return fate,
            Err(error) => {
                tried.trouble = Some(error);
                return None;
            }
        }
        let (kind, reason) = tried.refused.take()?;
        match kind {
            // Of an endpoint that is behind; the same bytes are sent again.
            Refused::Number | Refused::Early => None,
            // Without an end to its validity, whoever refused it may still take it.
            Refused::Final
                if envelope.fresh && tried.sends.get() == 1 && envelope.stored.validity.is_some() =>
            {
                Some(Fate::Refused(reason))
            }
            // Somebody may have taken it all the same, so it must be waited for.
            Refused::Final => {
                tried.refused = Some((kind, reason));
                None
            }
        }
    }

    /// Whether waiting is in vain: its time was over some blocks ago, and whoever was asked could not tell.
    fn is_in_vain(&self, envelope: &Envelope<N::Chain>, tried: &Tried<N::Chain>) -> bool {
        let newest = self.network.newest();
        tried.trouble.is_some()
            && envelope
                .stored
                .validity
                .zip(newest)
                .is_some_and(|(validity, newest)| newest.time > validity.until.saturating_add(TOLD_BY))
    }

    /// How long an envelope is waited for by this machine's clock: a chain that stands still never tells that its time is over.
    fn longest(&self, envelope: &Envelope<N::Chain>) -> Duration {
        let times = envelope.stored.validity.zip(self.network.newest());
        let left = times.map(|(validity, newest)| validity.until.saturating_sub(newest.time));
        left.map_or(Duration::MAX, |left| Duration::from_secs(left.saturating_add(TOLD_BY)))
    }

    /// Waits until the next time that all transactions are looked for together.
    async fn tick(&self, deadline: Instant) {
        let poll = self.pace.after(self.still());
        let passed = self.started.elapsed().as_nanos() / poll.as_nanos();
        let next = u32::try_from(passed + 1).unwrap_or(u32::MAX);
        let at = self.started + poll.saturating_mul(next);
        sleep_until(at.min(deadline)).await;
    }

    /// How long no newer block has been seen.
    fn still(&self) -> Duration {
        let (newest, (before, since)) =
            (self.network.newest().map_or(0, |block| block.number), self.seen.get());
        if newest > before {
            self.seen.set((newest, Instant::now()));
            return Duration::ZERO;
        }
        since.elapsed()
    }

    /// Settles an envelope that an earlier run left, and ends its operation.
    pub async fn recover(&self, operation: &Operation, last: Attempt) -> Result<Settled<N::Chain>> {
        let envelope = Envelope::again(operation, last, self.recorder)?;
        let settled = self.settle(&envelope, None).await?.settled(&envelope);
        self.end(operation, Some(envelope.attempt), Box::new(settled.clone())).await?;
        Ok(settled)
    }

    /// Ends the operation, with what follows from it.
    async fn end(
        &self,
        operation: &Operation,
        attempt: Option<u32>,
        settled: Box<Settled<N::Chain>>,
    ) -> Result<Submitted<N::Chain>> {
        let write = Write::Ended { operation: operation.clone(), attempt, settled: settled.clone() };
        self.commits.write(write).await?;
        Ok(Submitted::Settled(settled))
    }

    /// Nothing was signed, and the error is what came of it.
    pub async fn abandon(&self, id: i64, error: Error) -> Result<Submitted<N::Chain>> {
        self.commits.write(Write::Abandoned { id, error: error.to_string() }).await?;
        Err(error)
    }
}

/// The row of an intent that was just planned.
pub(super) fn planned<C: Chain>(id: i64, intent: &Intent<C>) -> Operation {
    Operation {
        id,
        network: C::NAME.to_owned(),
        key: intent.key.clone(),
        kind: intent.kind.to_owned(),
        subject: intent.subject.clone(),
        state: OperationState::Planned,
        plan: intent.plan.clone(),
    }
}

fn unknown<C: Chain>(envelope: &Envelope<C>, tried: &Tried<C>) -> Error {
    let Envelope { key, hash, .. } = envelope;
    let trouble = tried.trouble.as_ref().map(|e| format!("; {e}")).unwrap_or_default();
    let refused = tried.refused.as_ref().map(|(_, why)| format!("; it was answered with {}", why.words));
    let refused = refused.unwrap_or_default();
    let why = format!(
        "operation \"{key}\": it is not known yet what became of transaction {hash}{refused}{trouble}"
    );
    under_way(key, why).detail("hash", hash.as_str())
}

/// It is not known yet what became of an operation.
pub(super) fn under_way(key: &str, why: String) -> Error {
    Error::new(Code::OutcomeUnknown, why)
        .hint("run the same command again: it settles this first, and nothing is done twice")
        .detail("operation", key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_that_stands_still_is_looked_at_more_and_more_rarely() {
        let millis = Duration::from_millis;
        let after = |poll, still| {
            let pace = Pace { parallel: 1, poll: millis(poll), wait: Duration::ZERO };
            u64::try_from(pace.after(millis(still)).as_millis()).unwrap()
        };
        for (poll, still, want) in [
            (1_000, 0, 1_000),
            (1_000, 31_999, 1_000),
            (1_000, 32_000, 2_000),
            (1_000, 64_000, 4_000),
            (1_000, 128_000, 5_000),
            (1_000, 3_600_000, 5_000),
            // Whoever wants fewer gets fewer.
            (20_000, 3_600_000, 20_000),
            (0, 31, 1),
            (0, 32, 2),
        ] {
            assert_eq!(after(poll, still), want, "{poll} {still}");
        }
        // All looks at one that stands for a quarter of an hour.
        let (mut looks, mut still) = (0, 0);
        while still < 900_000 {
            still += after(10, still);
            looks += 1;
        }
        assert!(looks < 400, "{looks}");
    }
}
