//! How a farming service sends: by whom, at whose cost, and recorded in the write that ends it.

use super::submitter::{self, Wait};
use super::{Farming, payers};
use crate::record::FarmRecorder;
use base::{Code, Error, Result, Stop};
use outbox::{Desk, GivenUp, Operation, Outlook, Pace};
use state::ValuePermit;
use std::collections::BTreeSet;
use std::time::Duration;
use stellar::submit::{self, Intent, Rehearsal, Settled, Stellar, StellarNetwork, SubmitOptions, Submitted};
use stellar::xdr::AccountId;

impl Farming<'_, '_> {
    /// Nothing is paid for others there.
    fn desk(&mut self) -> Desk<'_, StellarNetwork> {
        self.paid_desk(self.work.stop, None, BTreeSet::new())
    }

    fn paid_desk<'d>(
        &'d mut self,
        stop: &'d Stop,
        payer: Option<AccountId>,
        own: BTreeSet<AccountId>,
    ) -> Desk<'d, StellarNetwork> {
        let pace = Pace { parallel: self.settings.parallel, ..self.submit_options.pace };
        let terms = SubmitOptions { payer, own, pace, ..self.submit_options.clone() };
        let network = StellarNetwork::new(&self.site.client, terms);
        Desk { network, state: &mut *self.work.state, permit: self.work.permit, stop, pace }
    }

    fn recorder(&self) -> FarmRecorder {
        FarmRecorder::of(self.site)
    }

    /// Settles every unfinished operation: first thing that a writing service does. With a `permit`, what is signed and
    /// still valid is sent again. It waits for outcomes no longer than `wait`; what is open then stays so.
    pub async fn settle(
        &mut self,
        permit: Option<ValuePermit<'_>>,
        wait: Duration,
    ) -> Result<Vec<(Operation, Result<Settled>)>> {
        let recorder = self.recorder();
        let mut desk = self.desk();
        desk.pace.wait = desk.pace.wait.min(wait);
        outbox::settle_open(&mut desk, permit, &recorder).await
    }

    /// The operation with this number, if it can be given up.
    pub async fn may_give_up(&mut self, id: i64) -> Result<GivenUp<Stellar>> {
        let recorder = self.recorder();
        outbox::may_give_up(&self.desk(), id, &recorder).await
    }

    /// What settling would come to; nothing is sent or written.
    pub async fn look_at_open(&mut self) -> Result<Vec<(Operation, Result<Outlook>)>> {
        outbox::look(&self.desk()).await
    }

    /// Ends it by hand, for this reason.
    pub fn give_up(&mut self, permit: ValuePermit<'_>, given: &GivenUp<Stellar>, why: &str) -> Result<()> {
        let recorder = self.recorder();
        outbox::give_up(&mut self.desk(), permit, given, why, &recorder)
    }

    /// Submits and records; results in the order of the intents. What needs no authorisation is sent by the submitters. Where
    /// the sponsor cannot pay for all, those who can pay for themselves.
    pub async fn submit(
        &mut self,
        permit: ValuePermit<'_>,
        intents: &[Intent],
    ) -> Result<Vec<Result<Submitted>>> {
        self.submit_within(permit, intents, Wait::Turn, self.work.stop).await
    }

    /// The same, with a wish to stop of its own; what may wait for a submitter no longer than that.
    pub async fn submit_within(
        &mut self,
        permit: ValuePermit<'_>,
        intents: &[Intent],
        wait: Wait,
        stop: &Stop,
    ) -> Result<Vec<Result<Submitted>>> {
        if intents.is_empty() {
            return Ok(Vec::new());
        }
        let recorder = self.recorder();
        let (keys, payer) = (self.keys, self.keys.sponsor()?);
        submitter::choose(self)?;
        let routed = submitter::route(self, intents, wait).await?;
        let sent: Vec<Intent> = routed.iter().filter_map(|routed| routed.as_ref().ok()).cloned().collect();
        let mut own = BTreeSet::new();
        if let Some(payer) = &payer {
            let sponsor;
            (own, sponsor) = payers::own(self, payer, &sent).await?;
            payers::note(self, sponsor.as_ref(), &[])?;
        }
        let mut desk = self.paid_desk(stop, payer, own);
        let results = outbox::submit(&mut desk, permit, &sent, keys.signers()?, &recorder).await?;
        let mut results = results.into_iter();
        let result = |(routed, intent): (Result<Intent>, &Intent)| {
            routed?;
            let missing = || Err(Error::new(Code::Bug, "an intent was left without a result"));
            Ok(match results.next().unwrap_or_else(missing)? {
                Submitted::Settled(settled) => Submitted::Settled(Box::new(settled.sent_for(&intent.source))),
                done @ Submitted::AlreadyDone { .. } => done,
            })
        };
        Ok(routed.into_iter().zip(intents).map(result).collect())
    }

    /// Simulates without signing, sending or writing anything.
    pub async fn rehearse(&self, intents: &[Intent]) -> Result<Vec<Result<Rehearsal>>> {
        if intents.is_empty() {
            return Ok(Vec::new());
        }
        submit::rehearse(&self.site.client, &self.submit_options, intents).await
    }
}
