//! What farming calls share: the farm, the keys that are unlocked only when something is signed, and words.

pub mod block;
pub mod farmer;
pub mod harvest;
pub mod lines;
pub mod operations;
pub mod plan;
pub mod plant;
pub mod pooler;
pub mod reconcile;
pub mod run;
pub mod work;

use crate::context::STELLAR_PIN;
use crate::{App, open_keys};
use base::amount::{Base, Quantity};
use base::{Code, Error, Result, clock, counted, forms, say};
use kale::contract::DECIMALS;
use kale::farming::{Farming, Keyring};
use kale::rows::{self, FarmerRow};
use kale::settings::Settings;
use kale::site::Site;
use kale::sponsor::{Role, Sponsor};
use kale::view::View;
use kale::wallet::Look;
use keys::KeyStore;
use outbox::{Chain, Status};
use schemars::JsonSchema;
use serde::Serialize;
use state::{ValuePermit, WriteContext};
use std::cell::OnceCell;
use std::time::Duration;
use stellar::submit::{Settled, Stellar, SubmitOptions};
use stellar::xdr::AccountId;
use stellar::{Client, Signers};

/// The key store, unlocked on first use.
pub struct Keys<'a, 's> {
    app: &'a App<'s>,
    opened: OnceCell<KeyStore>,
}

impl<'a, 's> Keys<'a, 's> {
    /// Nothing is unlocked yet.
    pub const fn new(app: &'a App<'s>) -> Self {
        Self { app, opened: OnceCell::new() }
    }

    fn store(&self) -> Result<&KeyStore> {
        if self.opened.get().is_none() {
            // Set once: this thread is the only one.
            let _ = self.opened.set(open_keys(self.app)?);
        }
        self.opened.get().ok_or_else(|| Error::new(Code::Bug, "the key store is not open"))
    }
}

impl Keyring for Keys<'_, '_> {
    fn signers(&self) -> Result<&(dyn Signers + 'static)> {
        Ok(self.store()?)
    }

    fn sponsor(&self) -> Result<Option<AccountId>> {
        self.store()?.sponsor().map(|address| stellar::account("the sponsor", address)).transpose()
    }

    fn holds(&self, account: &AccountId) -> Result<bool> {
        Ok(self.store()?.holds(&account.to_string()))
    }
}

/// The profile's farm.
pub fn site(app: &App<'_>, client: &Client) -> Result<Site> {
    let known = stellar::known(app.config.require("stellar.network")?)?;
    Ok(Site { client: client.clone(), known, farm: app.farm_contract()? })
}

/// Runs `body` as the one writer, after everything that an earlier run left unfinished has been settled.
pub fn on_farm<T>(
    app: &App<'_>,
    dry_run: bool,
    parallel: Option<usize>,
    body: impl AsyncFnOnce(&mut Farming<'_, '_>) -> Result<T>,
) -> Result<T> {
    at_desk(app, dry_run, parallel, !dry_run, body)
}

/// Runs `body` as the one writer; nothing is settled first.
pub fn unsettled<T>(
    app: &App<'_>,
    dry_run: bool,
    body: impl AsyncFnOnce(&mut Farming<'_, '_>) -> Result<T>,
) -> Result<T> {
    at_desk(app, dry_run, None, false, body)
}

fn at_desk<T>(
    app: &App<'_>,
    dry_run: bool,
    parallel: Option<usize>,
    settles: bool,
    body: impl AsyncFnOnce(&mut Farming<'_, '_>) -> Result<T>,
) -> Result<T> {
    let (client, keys) = (app.stellar()?, Keys::new(app));
    app.write_async(dry_run, async |work| {
        // Before the work: what is sent on a network must not outlive the knowledge of which one it was.
        state::pin_network(work.state, work.permit, STELLAR_PIN, client.passphrase())?;
        let mut settings = Settings::of(work.config)?;
        settings.parallel = parallel.unwrap_or(settings.parallel);
        let site = site(app, &client)?;
        let submit_options =
            SubmitOptions { max_resource_fee: settings.max_resource_fee, ..app.submit_options()? };
        let (site, keys, heard, faults) = (&site, &keys, None, Vec::new());
        let mut farming = Farming { work, site, settings, submit_options, keys, heard, faults };
        let settled = if settles { settle(app, &mut farming).await } else { Ok(()) };
        let done = match settled {
            Ok(()) => body(&mut farming).await,
            Err(e) => Err(e),
        };
        farming.faults.into_iter().for_each(|fault| app.call().fault(fault));
        done
    })
}

/// How long an earlier run's work is waited for: two ledgers. What is open then holds up its own farmer alone.
const SETTLE_WAIT: Duration = Duration::from_secs(10);

/// Settles what an earlier run left unfinished; what came of it becomes warnings.
async fn settle(app: &App<'_>, farming: &mut Farming<'_, '_>) -> Result<()> {
    let open = outbox::open_on(farming.work.state.conn(), Stellar::NAME)?;
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

/// The farmers of these names (ids or addresses), or all.
pub fn named(hands: Vec<FarmerRow>, names: &[String]) -> Result<Vec<FarmerRow>> {
    if names.is_empty() {
        return Ok(hands);
    }
    let mut found = Vec::new();
    for name in names {
        let hand = hands.iter().find(|hand| hand.who.id == *name || hand.who.address == *name);
        let hand = hand.ok_or_else(|| {
            Error::new(Code::UnknownFarmer, format!("no farmer {}", kale::address::shown(name))).hint(
                say("a farmer is named by its id or its address; ").run("farmer list").say(" shows them"),
            )
        })?;
        if !found.contains(hand) {
            found.push(hand.clone());
        }
    }
    Ok(found)
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
