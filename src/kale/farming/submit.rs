//! How a farming service sends: by whom, at whose cost, and recorded in the write that ends it.

use super::submitter::{self, Wait};
use super::{Farming, Scope, payers, scope};
use crate::record::plan::Plan;
use crate::record::{FarmRecorder, rows};
use base::{Code, Error, Result, Stop};
use outbox::{Chain, Desk, GivenUp, Operation, Outlook, Pace, Recorder};
use rusqlite::Connection;
use state::{Lease, Leased, Tx, ValuePermit};
use std::collections::BTreeSet;
use std::time::Duration;
use stellar::submit::{self, Intent, Rehearsal, Settled, Stellar, StellarNetwork, SubmitOptions, Submitted};
use stellar::xdr::AccountId;

/// Says in the write that plans an intent whether what it was decided from is as it was: `state_changed` where it is not.
pub type Still<'s> = &'s dyn Fn(&Connection, &Intent) -> Result<()>;

/// Records the farm's operations, and asks more than they say themselves before they are planned.
struct Asking<'s> {
    recorder: FarmRecorder,
    /// Those that it acts for: one may be moved to another pooler meanwhile, which another run leads.
    scope: Scope,
    still: Still<'s>,
}

impl Recorder<Stellar> for Asking<'_> {
    fn record(&self, tx: &Tx<'_>, operation: &Operation, settled: &Settled) -> Result<()> {
        self.recorder.record(tx, operation, settled)
    }

    fn still(&self, conn: &Connection, intent: &Intent) -> Result<()> {
        if self.scope != Scope::All
            && let Some(plan) = Plan::of_intent(intent)?
        {
            for farmer in plan.farmers() {
                if !self.scope.has(&rows::hand(conn, farmer)?.pooler) {
                    return Err(state::changed("the farmer's pooler"));
                }
            }
        }
        self.recorder.still(conn, intent)?;
        (self.still)(conn, intent)
    }

    fn is_told_by_the_chain(&self, operation: &Operation) -> bool {
        self.recorder.is_told_by_the_chain(operation)
    }
}

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

    /// The operations that are not settled, of those that this run acts for.
    pub fn open(&self) -> Result<Vec<Operation>> {
        let conn = self.work.state.conn();
        let farmers = self.scope.farmers(conn)?;
        let mut open = outbox::open_on(conn, Stellar::NAME)?;
        open.retain(|operation| scope::is_of(operation, farmers.as_ref()));
        Ok(open)
    }

    /// Settles every unfinished operation of those that this run acts for: first thing that a writing service does. With a
    /// `permit`, what is signed and still valid is sent again. It waits for outcomes no longer than `wait`; what is open then stays so.
    pub async fn settle(
        &mut self,
        permit: Option<ValuePermit<'_>>,
        wait: Duration,
    ) -> Result<Vec<(Operation, Result<Settled>)>> {
        let recorder = self.recorder();
        let farmers = self.scope.farmers(self.work.state.conn())?;
        let mine = |operation: &Operation, _: Option<&AccountId>| scope::is_of(operation, farmers.as_ref());
        let mut desk = self.desk();
        desk.pace.wait = desk.pace.wait.min(wait);
        outbox::settle_open(&mut desk, permit, &recorder, &mine).await
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

    /// The same, where more than the plans say is asked again in the write that plans them.
    pub async fn submit_while(
        &mut self,
        permit: ValuePermit<'_>,
        intents: &[Intent],
        still: Still<'_>,
    ) -> Result<Vec<Result<Submitted>>> {
        self.send(permit, intents, (Wait::Turn, self.work.stop), still).await
    }

    /// The same, with a wish to stop of its own; what may wait for a submitter no longer than that.
    pub async fn submit_within(
        &mut self,
        permit: ValuePermit<'_>,
        intents: &[Intent],
        wait: Wait,
        stop: &Stop,
    ) -> Result<Vec<Result<Submitted>>> {
        self.send(permit, intents, (wait, stop), &|_, _| Ok(())).await
    }

    async fn send(
        &mut self,
        permit: ValuePermit<'_>,
        intents: &[Intent],
        (wait, stop): (Wait, &Stop),
        still: Still<'_>,
    ) -> Result<Vec<Result<Submitted>>> {
        if intents.is_empty() {
            return Ok(Vec::new());
        }
        let recorder = Asking { recorder: self.recorder(), scope: self.scope.clone(), still };
        let (keys, payer) = (self.keys, self.keys.sponsor()?);
        submitter::choose(self)?;
        let (mut routed, leases) = submitter::route(self, intents, wait).await?;
        let _lease = self.lease_sponsor(&mut routed, payer.as_ref(), &leases)?;
        let sent: Vec<Intent> = routed.iter().filter_map(|routed| routed.as_ref().ok()).cloned().collect();
        let mut own = BTreeSet::new();
        if let Some(payer) = &payer {
            let sponsor;
            (own, sponsor) = payers::own(self, payer, &sent).await?;
            payers::note(self, sponsor.as_ref(), &[])?;
        }
        let mut desk = self.paid_desk(stop, payer, own);
        let results = outbox::submit(&mut desk, permit, &sent, &*keys.signers()?, &recorder).await?;
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

    /// Takes the sponsor's lease where it sends something itself: runs of other farms use it too. While it stays held, that is an
    /// error of each.
    fn lease_sponsor(
        &self,
        routed: &mut [Result<Intent>],
        sponsor: Option<&AccountId>,
        leases: &[(AccountId, Leased)],
    ) -> Result<Option<Leased>> {
        let is_its =
            |intent: &Result<Intent>| intent.as_ref().is_ok_and(|intent| Some(&intent.source) == sponsor);
        let Some(sponsor) = sponsor.filter(|_| routed.iter().any(is_its)) else { return Ok(None) };
        // As a submitter that was chosen it is leased already.
        if leases.iter().any(|(account, _)| account == sponsor) {
            return Ok(None);
        }
        match self.work.permit.lease(&Lease::Account(sponsor.to_string())) {
            Err(e) if e.code() == Code::LeaseHeld => {
                routed.iter_mut().filter(|one| is_its(one)).for_each(|one| *one = Err(e.clone()));
                Ok(None)
            }
            leased => leased,
        }
    }

    /// Simulates without signing, sending or writing anything.
    pub async fn rehearse(&self, intents: &[Intent]) -> Result<Vec<Result<Rehearsal>>> {
        if intents.is_empty() {
            return Ok(Vec::new());
        }
        submit::rehearse(&self.site.client, &self.submit_options, intents).await
    }
}
