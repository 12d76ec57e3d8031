//! Where the farm is, and what its services are handed.

use super::alerts;
use super::call::Call;
use super::purse::{self, Books};
use super::record::FarmRecorder;
use super::settings::Settings;
use super::strategy::Heard;
use super::submitter::{self, Wait};
use base::{Code, Error, Result, Stop};
use state::operations::Operation;
use state::{ValuePermit, Work};
use std::collections::BTreeSet;
use std::time::Duration;
use stellar::submit::{self, Desk, GivenUp, Intent, Outlook, Rehearsal, Settled, Submitted, Terms};
use stellar::xdr::{AccountId, ContractId};
use stellar::{Action, Client, Known, Signers};

/// A farm on a network.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its network.
    pub client: Client,
    /// What is known of that network beforehand; its name stands in operation keys and ledger accounts.
    pub known: &'static Known,
    /// The farm contract.
    pub farm: ContractId,
}

impl Site {
    /// The network's name.
    pub const fn network(&self) -> &'static str {
        self.known.name
    }
}

/// A call of the farm as an action.
///
/// # Errors
/// `bug`, as [`Call::arguments`].
pub fn invoke(site: &Site, call: &Call) -> Result<Action> {
    Ok(Action::Invoke {
        contract: site.farm.clone(),
        function: call.name().to_owned(),
        args: call.arguments()?,
    })
}

/// The keys of farmers and sponsor. They are unlocked on first use: what needs none never asks for a passphrase.
pub trait Keyring {
    /// Who signs.
    ///
    /// # Errors
    /// Those of unlocking.
    fn signers(&self) -> Result<&dyn Signers>;

    /// Who pays the fees; each farmer its own where nobody does.
    ///
    /// # Errors
    /// Those of unlocking.
    fn sponsor(&self) -> Result<Option<AccountId>>;

    /// Whether there is a key for this account.
    ///
    /// # Errors
    /// Those of unlocking.
    fn holds(&self, account: &AccountId) -> Result<bool>;
}

/// What a farming service works with.
pub struct Farming<'f, 'w> {
    /// State, the right to write, progress, the wish to stop.
    pub work: &'f mut Work<'w>,
    /// The farm.
    pub site: &'f Site,
    /// The farm's settings.
    pub settings: Settings,
    /// The terms of transactions; who pays is for the keys to say.
    pub terms: Terms,
    /// The keys.
    pub keys: &'f dyn Keyring,
    /// What `strategy.command` said last in this run.
    pub heard: Option<Heard>,
    /// What did not keep this run from going on, and ends it with a failure all the same.
    pub faults: Vec<Error>,
}

impl Farming<'_, '_> {
    fn desk<'d>(
        &'d mut self,
        stop: &'d Stop,
        payer: Option<AccountId>,
        own: BTreeSet<AccountId>,
    ) -> Desk<'d> {
        Desk {
            client: &self.site.client,
            state: &mut *self.work.state,
            permit: self.work.permit,
            stop,
            terms: Terms { payer, own, parallel: self.settings.parallel, ..self.terms.clone() },
        }
    }

    /// What is recorded of fees and stakes.
    ///
    /// # Errors
    /// `state_error`, `state_corrupt`.
    pub fn books(&self) -> Result<Books> {
        let state = &*self.work.state;
        Books::read(state.conn(), &self.settings, &self.terms, state.run().clock.now())
    }

    fn recorder(&self) -> FarmRecorder {
        FarmRecorder::of(self.site)
    }

    /// Settles every unfinished operation: first thing that a writing service does. With a `permit`, what is signed and
    /// still valid is sent again. It waits for outcomes no longer than `wait`; what is open then stays so.
    ///
    /// # Errors
    /// As [`submit::settle_open`]; those of one operation stand beside it.
    pub async fn settle(
        &mut self,
        permit: Option<ValuePermit<'_>>,
        wait: Duration,
    ) -> Result<Vec<(Operation, Result<Settled>)>> {
        let recorder = self.recorder();
        let stop = self.work.stop;
        let mut desk = self.desk(stop, None, BTreeSet::new());
        desk.terms.wait = desk.terms.wait.min(wait);
        submit::settle_open(&mut desk, permit, &recorder).await
    }

    /// The operation with this number, if it can be given up.
    ///
    /// # Errors
    /// As [`submit::may_give_up`].
    pub async fn may_give_up(&mut self, id: i64) -> Result<GivenUp> {
        let (stop, recorder) = (self.work.stop, self.recorder());
        submit::may_give_up(&self.desk(stop, None, BTreeSet::new()), id, &recorder).await
    }

    /// What settling would come to; nothing is sent or written.
    ///
    /// # Errors
    /// As [`submit::look`].
    pub async fn look_at_open(&mut self) -> Result<Vec<(Operation, Result<Outlook>)>> {
        let stop = self.work.stop;
        submit::look(&self.desk(stop, None, BTreeSet::new())).await
    }

    /// Ends it by hand, for this reason.
    ///
    /// # Errors
    /// As [`submit::give_up`].
    pub async fn give_up(&mut self, permit: ValuePermit<'_>, id: i64, why: &str) -> Result<GivenUp> {
        let (stop, recorder) = (self.work.stop, self.recorder());
        submit::give_up(&mut self.desk(stop, None, BTreeSet::new()), permit, id, why, &recorder).await
    }

    /// Submits and records; results in the order of the intents. What needs no authorisation is sent by the submitters. Where
    /// the sponsor cannot pay for all, those who can pay for themselves.
    ///
    /// # Errors
    /// As [`submit::submit`], [`submitter::choose`], [`submitter::route`] and [`purse::own`].
    pub async fn submit(
        &mut self,
        permit: ValuePermit<'_>,
        intents: &[Intent],
    ) -> Result<Vec<Result<Submitted>>> {
        self.submit_within(permit, intents, Wait::Turn, self.work.stop).await
    }

    /// The same, with a wish to stop of its own; what may wait for a submitter no longer than that.
    ///
    /// # Errors
    /// As [`Farming::submit`].
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
            (own, sponsor) = purse::own(self, payer, &sent).await?;
            alerts::note(self, sponsor.as_ref(), &[])?;
        }
        let mut desk = self.desk(stop, payer, own);
        let results = submit::submit(&mut desk, permit, &sent, keys.signers()?, &recorder).await?;
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
    ///
    /// # Errors
    /// As [`submit::rehearse`].
    pub async fn rehearse(&self, intents: &[Intent]) -> Result<Vec<Result<Rehearsal>>> {
        if intents.is_empty() {
            return Ok(Vec::new());
        }
        submit::rehearse(&self.site.client, &self.terms, intents).await
    }
}
