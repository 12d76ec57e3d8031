//! Where the farm is, and what its services are handed.

use super::alerts;
use super::call::Call;
use super::purse::{self, Books};
use super::record::FarmRecorder;
use super::settings::Settings;
use crate::context::{Stop, Work};
use crate::guard::ValuePermit;
use crate::output::Result;
use crate::state::operations::Operation;
use crate::stellar::submit::{self, Desk, GivenUp, Intent, Outlook, Rehearsal, Settled, Submitted, Terms};
use crate::stellar::xdr::{AccountId, ContractId};
use crate::stellar::{Action, Client, Known, Signers};
use std::collections::BTreeSet;
use std::time::Duration;

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

    /// Submits and records; results in the order of the intents. Where the sponsor cannot pay for all of them, those who
    /// can pay for themselves.
    ///
    /// # Errors
    /// As [`submit::submit`] and [`purse::own`].
    pub async fn submit(
        &mut self,
        permit: ValuePermit<'_>,
        intents: &[Intent],
    ) -> Result<Vec<Result<Submitted>>> {
        self.submit_until(permit, intents, self.work.stop).await
    }

    /// The same, with a wish to stop of its own.
    ///
    /// # Errors
    /// As [`Farming::submit`].
    pub async fn submit_until(
        &mut self,
        permit: ValuePermit<'_>,
        intents: &[Intent],
        stop: &Stop,
    ) -> Result<Vec<Result<Submitted>>> {
        if intents.is_empty() {
            return Ok(Vec::new());
        }
        let recorder = self.recorder();
        let (keys, payer) = (self.keys, self.keys.sponsor()?);
        let mut own = BTreeSet::new();
        if let Some(payer) = &payer {
            let sponsor;
            (own, sponsor) = purse::own(self, payer, intents).await?;
            alerts::note(self, sponsor.as_ref(), &[])?;
        }
        let mut desk = self.desk(stop, payer, own);
        submit::submit(&mut desk, permit, intents, keys.signers()?, &recorder).await
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
