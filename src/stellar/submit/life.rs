//! The life of one operation: attempt after attempt, each signed only when the one before can no longer land.

use super::commits::{Commits, Write};
use super::prepare::{Market, Prepared, Priced};
use super::settle::{Envelope, Fate, Settler};
use super::{Intent, RESTORE, Reason, Settled, Status, Submitted};
use crate::diagnostics::Raised;
use crate::replies::Landed;
use crate::results::{Failure, Kind, failure};
use crate::transaction::{Action, Signers, stored};
use crate::xdr::SorobanTransactionData;
use base::{Code, Error, Result, Stop};
use serde_json::json;
use state::operations::{AttemptOutcome, Operation, OperationState};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Envelopes that are made for one operation in one go.
const MOST_ATTEMPTS: u32 = 3;

/// What every life needs.
pub(super) struct Lives<'a> {
    pub settler: Settler<'a>,
    pub market: &'a Market<'a>,
    pub commits: &'a Commits,
    pub signers: &'a dyn Signers,
    pub stop: &'a Stop,
    pub slots: Semaphore,
}

/// What follows from an attempt.
enum Next {
    Done(Box<Settled>),
    /// It had no effect, for a reason that a new attempt may overcome.
    Again(AttemptOutcome, String),
}

impl Lives<'_> {
    /// Leads a planned operation, of which `made` envelopes have ended before, to its end.
    pub async fn lead(&self, intent: &Intent, operation: &Operation, made: u32) -> Result<Submitted> {
        let mut restored = false;
        // Where the attempt before was prepared, whose simulation the ledger has contradicted.
        let mut than: Option<String> = None;
        for round in 1..=MOST_ATTEMPTS {
            let (priced, slot) =
                match self.compose(intent, made + round, than.as_deref(), &mut restored).await {
                    Ok((Prepared::Ready(priced), slot)) => (priced, slot),
                    Ok((Prepared::Refused(settled), _)) => return self.end(operation, None, settled).await,
                    Ok((Prepared::Restore(_), _)) => {
                        let words = "entries that it needs are archived, though they were just restored";
                        return self.end(operation, None, Box::new(Settled::refused(words, None))).await;
                    }
                    Err(error) => return self.abandon(operation.id, error).await,
                };
            let endpoint = priced.endpoint.clone();
            let envelope = match self.sign(intent, operation, *priced).await {
                Ok(envelope) => envelope?,
                Err(error) => return self.abandon(operation.id, error).await,
            };
            let fate = self.settler.settle(&envelope, Some(slot)).await?;
            self.learn(intent, &envelope, &fate);
            than = matches!(fate, Fate::Landed(_)).then_some(endpoint);
            match next(fate, &envelope, round == MOST_ATTEMPTS) {
                Next::Done(settled) => {
                    let capped = self.is_capped(intent, &settled);
                    let done = self.end(operation, Some(envelope.attempt), settled).await?;
                    return capped.map_or(Ok(done), Err);
                }
                Next::Again(outcome, error) => {
                    tracing::debug!(key = intent.key, hash = envelope.hash, error, "another attempt");
                    let attempt = envelope.attempt;
                    self.commits.write(Write::Again { id: operation.id, attempt, outcome, error }).await?;
                }
            }
        }
        Err(Error::new(Code::Bug, "the last attempt has no end"))
    }

    /// Prepares, restoring archived entries first where that is asked for, once.
    async fn compose(
        &self,
        intent: &Intent,
        attempt: u32,
        than: Option<&str>,
        restored: &mut bool,
    ) -> Result<(Prepared, SemaphorePermit<'_>)> {
        loop {
            let slot =
                self.slots.acquire().await.map_err(|_| Error::new(Code::Bug, "the slots are closed"))?;
            self.stop.check()?;
            let nearing = self.commits.nearing();
            let prepared = self.market.compose(intent, attempt, than).await?;
            drop(nearing);
            match prepared {
                Prepared::Restore(data) if !*restored => {
                    drop(slot);
                    *restored = true;
                    Box::pin(self.restore(intent, data)).await?;
                }
                prepared => return Ok((prepared, slot)),
            }
        }
    }

    /// Restores archived entries, as an operation of its own. Doing it twice is harmless.
    async fn restore(&self, intent: &Intent, data: SorobanTransactionData) -> Result<()> {
        let ledger = self.market.client.seen().map_or(0, |ledger| ledger.sequence);
        let plan = json!({ "for": intent.key });
        let key = format!("{RESTORE}:{ledger}:{}", intent.key);
        let action = Action::Restore { data };
        let restore = Intent { key, kind: RESTORE, plan, action, ..intent.clone() };
        let write = Write::Plan {
            key: restore.key.clone(),
            kind: RESTORE,
            subject: restore.subject.clone(),
            plan: restore.plan.clone(),
        };
        let operation = planned(self.commits.write(write).await?.0, &restore);
        let done = self.lead(&restore, &operation, 0).await?;
        match &done {
            Submitted::Settled(settled) => {
                match &settled.reason {
                    Some(reason) => Err(reason
                        .to_error(&format!("archived entries for \"{}\" cannot be restored", intent.key))),
                    None => Ok(()),
                }
            }
            Submitted::AlreadyDone { .. } => Ok(()),
        }
    }

    /// Signs and stores. The outer error came before anything was stored.
    async fn sign(&self, intent: &Intent, operation: &Operation, priced: Priced) -> Result<Result<Envelope>> {
        let endpoint = priced.endpoint.clone();
        let signed = self.market.sign(intent, priced, self.signers)?;
        let (hash, text) = (signed.hash.clone(), signed.envelope.clone());
        let stored = stored(&text)?;
        let write = Write::Signed { id: operation.id, signed, endpoint };
        Ok(self.commits.write(write).await.map(|written| Envelope {
            id: operation.id,
            key: operation.key.clone(),
            attempt: u32::try_from(written.0).unwrap_or_default(),
            hash,
            text,
            stored,
            fresh: true,
            told: self.settler.recorder.is_told_by_the_chain(operation),
        }))
    }

    /// What an envelope's fate says of the account and of the fees.
    fn learn(&self, intent: &Intent, envelope: &Envelope, fate: &Fate) {
        match fate {
            Fate::Landed(_) => self.market.used(&intent.source, envelope.stored.sequence),
            Fate::Refused(_) | Fate::Superseded | Fate::Expired | Fate::Forgotten => {
                self.market.forget(&intent.source);
            }
        }
        if let Fate::Refused(Failure { kind: Kind::InclusionFee, .. }) = fate {
            self.market.forget_fees();
        }
    }

    /// Whether it was the cap that kept the transaction out.
    fn is_capped(&self, intent: &Intent, settled: &Settled) -> Option<Error> {
        let failure = settled.reason.as_ref()?.failure.as_ref()?;
        let cap = self.market.terms.max_inclusion_fee;
        (failure.kind == Kind::InclusionFee).then(|| {
            Error::new(
                Code::FeeCapped,
                format!(
                    "operation \"{}\": inclusion costs more than the {cap} stroops that may be offered",
                    intent.key
                ),
            )
            .hint("try again when the network is less busy, or raise stellar.max_inclusion_fee")
        })
    }

    /// Ends the operation, with what follows from it.
    pub async fn end(
        &self,
        operation: &Operation,
        attempt: Option<u32>,
        settled: Box<Settled>,
    ) -> Result<Submitted> {
        let write = Write::Ended { operation: operation.clone(), attempt, settled: settled.clone() };
        self.commits.write(write).await?;
        Ok(Submitted::Settled(settled))
    }

    /// Nothing was signed, and the error is what came of it.
    pub async fn abandon(&self, id: i64, error: Error) -> Result<Submitted> {
        self.commits.write(Write::Abandoned { id, error: error.to_string() }).await?;
        Err(error)
    }
}

/// The row of an intent that was just planned.
pub(super) fn planned(id: i64, intent: &Intent) -> Operation {
    Operation {
        id,
        key: intent.key.clone(),
        kind: intent.kind.to_owned(),
        subject: intent.subject.clone(),
        state: OperationState::Planned,
        plan: intent.plan.clone(),
    }
}

fn next(fate: Fate, envelope: &Envelope, is_last: bool) -> Next {
    let again = match &fate {
        Fate::Landed(landed) if !landed.succeeded => {
            let why = failure(&landed.result);
            let is_limit = landed.raised.as_ref().is_none_or(Raised::is_limit);
            (why.kind == Kind::Resources || why.kind == Kind::Trapped && is_limit)
                .then_some((AttemptOutcome::Failed, why.words))
        }
        Fate::Refused(why) => matches!(why.kind, Kind::Resources | Kind::InclusionFee)
            .then(|| (AttemptOutcome::Failed, why.words.clone())),
        Fate::Superseded => {
            Some((AttemptOutcome::Expired, "another transaction used its sequence number".to_owned()))
        }
        Fate::Landed(_) | Fate::Expired | Fate::Forgotten => None,
    };
    match again {
        Some((outcome, words)) if !is_last => Next::Again(outcome, words),
        _ => Next::Done(Box::new(Settled::of_fate(fate, envelope))),
    }
}

impl Settled {
    /// What an envelope's fate means for its operation.
    pub(super) fn of_fate(fate: Fate, envelope: &Envelope) -> Self {
        let hash = Some(envelope.hash.clone());
        let (source, payer) = (Some(envelope.stored.source.clone()), envelope.stored.payer.clone());
        let settled = match fate {
            Fate::Landed(landed) => Self::landed(*landed),
            Fate::Refused(why) => {
                let reason =
                    Reason { words: format!("refused: {}", why.words), raised: None, failure: Some(why) };
                Self::without_effect(Status::Failed, reason)
            }
            Fate::Superseded => {
                let words = "another transaction used its sequence number".to_owned();
                let reason = Reason { words, raised: None, failure: None };
                Self::without_effect(Status::Expired, reason)
            }
            Fate::Forgotten => {
                let words = "its time ran out, and the ledgers that it was valid in are forgotten: what it did, if anything, is \
                             read from the chain"
                    .to_owned();
                let reason = Reason { words, raised: None, failure: None };
                Self::without_effect(Status::Expired, reason)
            }
            Fate::Expired => {
                let words = "its time ran out, and it is in no ledger".to_owned();
                let reason = Reason { words, raised: None, failure: None };
                Self::without_effect(Status::Expired, reason)
            }
        };
        Self { hash, sender: source.clone(), source, payer, ..settled }
    }

    fn landed(landed: Landed) -> Self {
        let status = if landed.succeeded { Status::Confirmed } else { Status::Failed };
        let reason = (!landed.succeeded).then(|| {
            let why = failure(&landed.result);
            let host = landed.raised.as_ref().and_then(|raised| raised.words.as_deref());
            let words = host.map_or_else(|| why.words.clone(), |host| format!("{}: {host}", why.words));
            Reason { words, raised: landed.raised, failure: Some(why) }
        });
        Self {
            status,
            hash: None,
            ledger: Some(landed.ledger),
            fee_charged: landed.result.fee_charged,
            source: None,
            payer: None,
            sender: None,
            value: landed.value,
            events: landed.events,
            reason,
        }
    }

    /// Not signed: the simulation, or the ledger, says that it would fail.
    pub(super) fn refused(words: impl Into<String>, raised: Option<Raised>) -> Self {
        Self::without_effect(Status::Failed, Reason { words: words.into(), raised, failure: None })
    }

    /// Not signed: its time is over.
    pub(super) fn too_late(until: u64, now: u64) -> Self {
        let words = format!("its time ran out at {until}, and the newest ledger closed at {now}");
        Self::without_effect(Status::Expired, Reason { words, raised: None, failure: None })
    }

    pub(super) fn without_effect(status: Status, reason: Reason) -> Self {
        Self {
            status,
            hash: None,
            ledger: None,
            fee_charged: 0,
            source: None,
            payer: None,
            sender: None,
            value: None,
            events: Vec::new(),
            reason: Some(reason),
        }
    }
}
