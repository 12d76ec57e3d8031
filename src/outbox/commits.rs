//! Group commit: what many transactions want written becomes true in as few writes as possible, since a write costs
//! a wait for the disk. Each learns what came of its own part.

use super::chain::{Chain, Effect, Signed};
use super::intent::{Intent, Recorder, Settled, Status};
use super::rows::{self, AttemptOutcome, Operation, OperationState};
use base::{Code, Error, Result};
use serde_json::{Map, Value, json};
use state::{Permit, State, Tx};
use std::cell::{Cell, RefCell};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

/// How long a write waits for others that are nearly as far.
const LINGER: Duration = Duration::from_millis(5);
/// How long notes wait that nothing depends on.
const LAZY: Duration = Duration::from_millis(50);

/// Something to be written, before its transaction goes on.
#[derive(Debug)]
pub(super) enum Write<C: Chain> {
    /// A transaction that another one needs first.
    Plan(Box<Intent<C>>),
    /// An envelope, before it is sent, and the plan that it was made by.
    Signed { id: i64, plan: Value, signed: Signed, endpoint: String },
    /// An envelope ended without effect; the next one will be made.
    Again { id: i64, attempt: u32, outcome: AttemptOutcome, error: String },
    /// The operation ended.
    Ended { operation: Operation, attempt: Option<u32>, settled: Box<Settled<C>> },
    /// Nothing was signed, and nothing will be now.
    Abandoned { id: i64, error: String },
}

/// An envelope was sent; if the note is lost, settling finds out.
#[derive(Debug)]
struct SentNote {
    id: i64,
    attempt: u32,
    times: u32,
    endpoint: String,
}

/// A write, and who hears what came of it: the number of what it made.
type Waiting<C> = (Write<C>, oneshot::Sender<Result<i64>>);

/// What waits to be written.
#[derive(Debug, Default)]
pub(super) struct Commits<C: Chain> {
    writes: RefCell<Vec<Waiting<C>>>,
    notes: RefCell<Vec<SentNote>>,
    changed: Notify,
    /// When the first of the writes, or of the notes, came.
    since: Cell<Option<(Instant, Instant)>>,
    /// Transactions that will soon want a write of their own.
    nearing: Cell<usize>,
}

/// Says, until dropped, that a write will come soon.
pub(super) struct Nearing<'a, C: Chain>(&'a Commits<C>);

impl<C: Chain> Drop for Nearing<'_, C> {
    fn drop(&mut self) {
        self.0.nearing.set(self.0.nearing.get().saturating_sub(1));
        self.0.changed.notify_one();
    }
}

impl<C: Chain> Commits<C> {
    /// Writes, together with others, and gives the number of what was made.
    pub async fn write(&self, write: Write<C>) -> Result<i64> {
        let (done, written) = oneshot::channel();
        self.writes.borrow_mut().push((write, done));
        self.began();
        written.await.map_err(|_| Error::new(Code::Bug, "a write was dropped"))?
    }

    /// Notes that an envelope was sent; written with whatever is written next.
    pub fn note_sent(&self, id: i64, attempt: u32, times: u32, endpoint: &str) {
        self.notes.borrow_mut().push(SentNote { id, attempt, times, endpoint: endpoint.to_owned() });
        self.began();
    }

    /// Others wait for a write that is near.
    pub fn nearing(&self) -> Nearing<'_, C> {
        self.nearing.set(self.nearing.get() + 1);
        Nearing(self)
    }

    fn began(&self) {
        let now = Instant::now();
        let (write, note) = self.since.get().unwrap_or((now, now));
        // The first write counts from when it came, not from an earlier note.
        let write = if self.writes.borrow().len() == 1 { now } else { write };
        self.since.set(Some((write, note)));
        self.changed.notify_one();
    }

    /// When the next write is to be made; none while nothing waits.
    fn next(&self) -> Option<Instant> {
        let (write, note) = self.since.get()?;
        match (self.writes.borrow().is_empty(), self.notes.borrow().is_empty()) {
            (true, true) => None,
            (true, false) => Some(note + LAZY),
            (false, _) if self.nearing.get() == 0 => Some(write),
            (false, _) => Some(write + LINGER),
        }
    }

    /// Waits until something should be written.
    pub async fn due(&self) {
        loop {
            match self.next() {
                None => self.changed.notified().await,
                Some(at) if at <= Instant::now() => return,
                Some(at) => tokio::select! {
                    () = sleep_until(at) => return,
                    () = self.changed.notified() => {}
                },
            }
        }
    }

    /// Writes everything that waits. Where one part makes the whole fail, each is written alone; where another run holds the
    /// state, none is.
    pub fn flush(&self, state: &mut State, permit: Permit<'_>, recorder: &dyn Recorder<C>) {
        let (writes, notes) = (self.writes.take(), self.notes.take());
        self.since.set(None);
        if writes.is_empty() && notes.is_empty() {
            return;
        }
        let together = state.write(permit, |tx| {
            notes.iter().try_for_each(|note| note.apply(tx))?;
            writes.iter().map(|(write, _)| write.apply(tx, recorder)).collect::<Result<Vec<_>>>()
        });
        match together {
            Ok(written) => {
                for ((_, done), written) in writes.into_iter().zip(written) {
                    // One whose transaction is not awaited any more needs no answer.
                    let _ = done.send(Ok(written));
                }
                return;
            }
            Err(e) if e.code() == Code::StateLocked => {
                // Each alone would wait for it as long again.
                for (_, done) in writes {
                    let _ = done.send(Err(e.clone()));
                }
                return;
            }
            Err(_) => {}
        }
        for note in notes {
            // Lost notes are made up for by the next run, which looks the envelope up whatever they say.
            let _ = state.write(permit, |tx| note.apply(tx));
        }
        for (write, done) in writes {
            let _ = done.send(state.write(permit, |tx| write.apply(tx, recorder)));
        }
    }
}

impl SentNote {
    fn apply(&self, tx: &Tx<'_>) -> Result<()> {
        rows::sent(tx, self.id, self.attempt, self.times, &self.endpoint)
    }
}

impl<C: Chain> Write<C> {
    fn apply(&self, tx: &Tx<'_>, recorder: &dyn Recorder<C>) -> Result<i64> {
        Ok(match self {
            Self::Plan(intent) => intent.planned(tx)?,
            Self::Signed { id, plan, signed, endpoint } => {
                i64::from(rows::signed(tx, *id, plan, signed, endpoint)?)
            }
            Self::Again { id, attempt, outcome, error } => {
                rows::again(tx, *id, *attempt, *outcome, error)?;
                *id
            }
            Self::Ended { operation, attempt, settled } => {
                ended(tx, recorder, operation, *attempt, settled)?;
                operation.id
            }
            Self::Abandoned { id, error } => {
                // One that another run has led on meanwhile is that run's.
                rows::end(tx, *id, OperationState::Planned, OperationState::Expired, Some(error))?;
                *id
            }
        })
    }
}

/// Ends an operation that is as it was left: with this envelope under way, or none signed. Where another run has ended it in
/// the same way, all of this is written already.
///
/// # Errors
/// `state_changed` where another run has led it on otherwise.
pub(super) fn ended<C: Chain>(
    tx: &Tx<'_>,
    recorder: &dyn Recorder<C>,
    operation: &Operation,
    attempt: Option<u32>,
    settled: &Settled<C>,
) -> Result<()> {
    let (outcome, state, event) = match settled.status {
        Status::Confirmed => (AttemptOutcome::Confirmed, OperationState::Recorded, "operation.confirmed"),
        Status::Failed => (AttemptOutcome::Failed, OperationState::Failed, "operation.failed"),
        Status::Expired => (AttemptOutcome::Expired, OperationState::Expired, "operation.expired"),
    };
    let words = settled.words();
    let id = operation.id;
    let now = rows::state_of(tx.conn(), id)?;
    let is_open = attempt.map(|attempt| rows::end_attempt(tx, id, attempt, outcome, words)).transpose()?;
    let is_it = |now: &OperationState| match now {
        OperationState::Planned => attempt.is_none(),
        OperationState::Signed | OperationState::Sent => is_open == Some(true),
        OperationState::Confirmed => attempt.is_some(),
        _ => false,
    };
    let Some(from) = now.filter(is_it) else {
        return if now == Some(state) { Ok(()) } else { Err(rows::changed(&operation.key)) };
    };
    rows::end(tx, id, from, state, words)?;
    let mut payload = Map::from_iter([("key".to_owned(), json!(operation.key))]);
    payload.insert("hash".to_owned(), json!(settled.hash));
    payload.extend(settled.effect.facts().into_iter().map(|(name, value)| (name.to_owned(), value)));
    payload.insert("payer".to_owned(), json!(settled.payer.as_ref().map(ToString::to_string)));
    payload.insert("source".to_owned(), json!(settled.source.as_ref().map(ToString::to_string)));
    payload.insert("reason".to_owned(), json!(words));
    tx.event(event, &operation.subject, &Value::Object(payload))?;
    if C::AHEAD == Some(operation.kind.as_str()) {
        return Ok(());
    }
    recorder.record(tx, &Operation { state, ..operation.clone() }, settled)
}
