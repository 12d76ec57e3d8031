//! What farming calls share: the farm, the keys that are unlocked only when something is signed, and words.

pub mod block;
pub mod farmer;
pub mod harvest;
pub mod lines;
pub mod losses;
pub mod operations;
pub mod plan;
pub mod plant;
pub mod pooler;
pub mod profit;
pub mod reconcile;
pub mod run;
pub mod work;

use crate::context::{STELLAR_PIN, submit_options};
use crate::{App, open_keys};
use base::amount::{Base, Quantity};
use base::{Result, clock, counted, forms};
use config::Config;
use kale::contract::DECIMALS;
use kale::farming::{Farming, Keyring, Leads, Scope, Terms};
use kale::rows::{self, FarmerRow};
use kale::settings::Settings;
use kale::site::Site;
use kale::sponsor::{Role, Sponsor};
use kale::view::View;
use kale::wallet::Look;
use kale::{Who, farmers};
use keys::KeyStore;
use outbox::Status;
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::Serialize;
use state::{State, ValuePermit, WriteContext};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use stellar::submit::{Settled, SubmitOptions};
use stellar::xdr::AccountId;
use stellar::{Client, Signers};

/// The key store, unlocked on first use.
pub struct Keys<'a, 's> {
    app: &'a App<'s>,
    opened: RefCell<Option<Rc<KeyStore>>>,
}

impl<'a, 's> Keys<'a, 's> {
    /// Nothing is unlocked yet.
    pub const fn new(app: &'a App<'s>) -> Self {
        Self { app, opened: RefCell::new(None) }
    }

    fn store(&self) -> Result<Rc<KeyStore>> {
        if let Some(store) = &*self.opened.borrow() {
            return Ok(Rc::clone(store));
        }
        let store = Rc::new(open_keys(self.app)?);
        self.opened.replace(Some(Rc::clone(&store)));
        Ok(store)
    }
}

impl Keyring for Keys<'_, '_> {
    fn signers(&self) -> Result<Rc<dyn Signers>> {
        Ok(self.store()?)
    }

    fn sponsor(&self) -> Result<Option<AccountId>> {
        self.store()?.sponsor().map(|address| stellar::account("the sponsor", address)).transpose()
    }

    fn holds(&self, account: &AccountId) -> Result<bool> {
        Ok(self.store()?.holds(&account.to_string()))
    }

    fn renew(&self) -> Result<bool> {
        let opened = self.opened.borrow().clone();
        let Some(store) = opened.filter(|store| store.is_replaced()) else { return Ok(false) };
        // One that cannot be opened is looked at again when it is the next one.
        let store = store.again().map_err(|e| {
            e.context("the key store was changed and cannot be opened again; the keys at hand stay")
        })?;
        self.opened.replace(Some(Rc::new(store)));
        Ok(true)
    }
}

/// The settings of the profile, with what the state holds.
struct InForce<'a, 's> {
    app: &'a App<'s>,
    parallel: Option<usize>,
}

impl InForce<'_, '_> {
    fn of(&self, config: &Config) -> Result<(Settings, SubmitOptions)> {
        let settings = Settings::of(config)?;
        let settings = Settings { parallel: self.parallel.unwrap_or(settings.parallel), ..settings };
        let options =
            SubmitOptions { max_resource_fee: settings.max_resource_fee, ..submit_options(config)? };
        Ok((settings, options))
    }
}

impl Terms for InForce<'_, '_> {
    fn read(&self, state: &State) -> Result<(Settings, SubmitOptions)> {
        let read = self.app.config_with(state).and_then(|config| self.of(&config));
        read.map_err(|e| e.context("the settings were changed and cannot be used; those of before stay"))
    }
}

/// The profile's farm.
pub fn site(app: &App<'_>, client: &Client) -> Result<Site> {
    let known = stellar::known(app.config.require("stellar.network")?)?;
    Ok(Site { client: client.clone(), known, farm: app.farm_contract()? })
}

/// Runs `body` for the farms that it `leads`, after everything that an earlier run left unfinished for them has been settled.
pub fn on_farm<T>(
    app: &App<'_>,
    dry_run: bool,
    parallel: Option<usize>,
    leads: &Leads,
    body: impl AsyncFnOnce(&mut Farming<'_, '_>) -> Result<T>,
) -> Result<T> {
    at_desk(app, dry_run, (parallel, leads, !dry_run), body)
}

/// Runs `body` for the farms that it `leads`; nothing is settled first.
pub fn unsettled<T>(
    app: &App<'_>,
    dry_run: bool,
    leads: &Leads,
    body: impl AsyncFnOnce(&mut Farming<'_, '_>) -> Result<T>,
) -> Result<T> {
    at_desk(app, dry_run, (None, leads, false), body)
}

fn at_desk<T>(
    app: &App<'_>,
    dry_run: bool,
    (parallel, leads, settles): (Option<usize>, &Leads, bool),
    body: impl AsyncFnOnce(&mut Farming<'_, '_>) -> Result<T>,
) -> Result<T> {
    let (client, keys) = (app.stellar()?, Keys::new(app));
    app.write_async(dry_run, async |work| {
        // Before the work: what is sent on a network must not outlive the knowledge of which one it was.
        state::pin_network(work.state, work.permit, STELLAR_PIN, client.passphrase())?;
        let terms = InForce { app, parallel };
        // In this order: what is changed in between is found at the first look.
        let stored = state::settings(work.state.conn())?;
        let (settings, submit_options) = terms.of(&app.config_with(work.state)?)?;
        let (site, scope) = (site(app, &client)?, Scope::All);
        let (site, keys, terms, heard, faults) = (&site, &keys, &terms, None, Vec::new());
        let (leases, elsewhere) = (BTreeMap::new(), Vec::new());
        let mut farming = Farming {
            work,
            site,
            settings,
            submit_options,
            stored,
            terms,
            scope,
            leases,
            elsewhere,
            keys,
            heard,
            faults,
        };
        let done = async {
            farming.lead(leads)?;
            if settles {
                settle(app, &mut farming).await?;
            }
            body(&mut farming).await
        };
        let done = done.await;
        farming.faults.into_iter().for_each(|fault| app.call().fault(fault));
        done
    })
}

/// How long an earlier run's work is waited for: two ledgers. What is open then holds up its own farmer alone.
const SETTLE_WAIT: Duration = Duration::from_secs(10);

/// Settles what an earlier run left unfinished; what came of it becomes warnings.
async fn settle(app: &App<'_>, farming: &mut Farming<'_, '_>) -> Result<()> {
    let open = farming.open()?;
    if open.is_empty() {
        return Ok(());
    }
    let what = format!("finish {} of an earlier run", counted(open.len(), "transaction"));
    let permit = app.value_permit(farming.work.permit, &what)?;
    for (operation, settled) in farming.settle(Some(permit), SETTLE_WAIT).await? {
        app.call().warn(format!("{} of an earlier run {}", operation.key, ended_in(&settled)));
    }
    Ok(())
}

/// How an operation ended, in words.
pub const fn ended_as(status: Status) -> &'static str {
    match status {
        Status::Confirmed => "took effect",
        Status::Failed => "failed",
        Status::Expired => "expired without effect",
    }
}

/// What became of an operation, in words.
pub fn ended_in(settled: &Result<Settled>) -> String {
    match settled {
        Ok(settled) => ended_as(settled.status).to_owned(),
        Err(e) => format!("is not settled: {e}"),
    }
}

/// Consent to what needs none: nothing of value leaves.
pub fn no_question<'a>(app: &App<'_>, work: &WriteContext<'a>, what: &str) -> Result<ValuePermit<'a>> {
    app.agree(work.permit, false, what)
}

/// The farmers of these names (as `kale::farmers::find` takes them), each once, or all.
pub fn chosen(app: &App<'_>, names: &[String]) -> Result<Vec<FarmerRow>> {
    if names.is_empty() {
        return everybody(app);
    }
    let state = app.read()?;
    let mut found = Vec::new();
    for name in names {
        let hand = rows::hand(state.conn(), &farmers::find_id(state.conn(), name)?)?;
        if !found.contains(&hand) {
            found.push(hand);
        }
    }
    Ok(found)
}

/// These farmers as they are now.
pub fn again<'w>(conn: &Connection, who: impl Iterator<Item = &'w Who>) -> Result<Vec<FarmerRow>> {
    who.map(|who| rows::hand(conn, &who.id)).collect()
}

/// Every farmer of the state.
pub fn everybody(app: &App<'_>) -> Result<Vec<FarmerRow>> {
    rows::hands(app.read()?.conn())
}

/// Whose view a figure is.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LedgerStamp {
    /// The ledger.
    pub ledger: u32,
    /// When it closed, RFC 3339.
    #[schemars(with = "forms::Time")]
    pub closed_at: String,
    /// The endpoint's name.
    pub endpoint: String,
}

impl From<&View> for LedgerStamp {
    fn from(view: &View) -> Self {
        Self { ledger: view.at.ledger, closed_at: time(view.at.time), endpoint: view.endpoint.clone() }
    }
}

impl From<&Look> for LedgerStamp {
    fn from(look: &Look) -> Self {
        Self { ledger: look.at.ledger, closed_at: time(look.at.time), endpoint: look.endpoint.clone() }
    }
}

impl std::fmt::Display for LedgerStamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ledger {} ({}), endpoint \"{}\"", self.ledger, self.closed_at, self.endpoint)
    }
}

/// Seconds of ledger time as RFC 3339.
pub fn time(second: u64) -> String {
    clock::rfc3339(i64::try_from(second).unwrap_or(i64::MAX))
}

/// A span in whole milliseconds.
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Stroops of KALE.
pub fn kale(stroops: Base) -> Quantity {
    Quantity::new(stroops, DECIMALS, "KALE")
}

/// Stroops of lumens.
pub fn lumens(stroops: i64) -> Quantity {
    Quantity::new(Base::from(u64::try_from(stroops).unwrap_or_default()), DECIMALS, "XLM")
}

/// The fee sponsor, or a submitter.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SponsorView {
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// Whether it can pay for what is open and to be planted.
    pub ready: bool,
    /// What it can spend; null without an account.
    pub spendable: Option<Quantity>,
    /// What that takes.
    pub needed: Quantity,
    /// For how many whole days it lasts at the rate of the last one; null where it spent nothing.
    pub days_left: Option<u64>,
    /// What is wrong with it; null where nothing is.
    pub why: Option<String>,
    #[serde(skip)]
    role: Role,
}

impl From<&Sponsor> for SponsorView {
    fn from(sponsor: &Sponsor) -> Self {
        Self {
            address: sponsor.account.to_string(),
            ready: sponsor.is_ready(),
            spendable: sponsor.spare.map(lumens),
            needed: lumens(sponsor.need),
            days_left: sponsor.lasts_sec.map(|sec| sec / 86_400),
            why: sponsor.why(),
            role: sponsor.role,
        }
    }
}

impl std::fmt::Display for SponsorView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(why) = &self.why {
            return f.write_str(why);
        }
        let spendable = self.spendable.as_ref().map(ToString::to_string).unwrap_or_default();
        let does = match self.role {
            Role::Sponsor => "the sponsor pays the fees",
            Role::Submitter => "a submitter sends work and harvests",
        };
        write!(f, "{does}: {} can spend {spendable}", self.address)
    }
}
