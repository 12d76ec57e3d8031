//! Taking farmers in: the key first, on the disk, and the farmer after it, so that no death in between loses a key.
//!
//! A run that dies between the two leaves a key without a farmer. The next `register` takes a key that was made here
//! and has no farmer before it makes another; an imported one waits for its import to be run again.

use crate::alerts::SPONSOR_LOW;
use crate::farmers::{self, Farmer, Joining};
use base::{Code, Error, Result, say};
use config::Setting;
use ed25519_dalek::SigningKey;
use keys::{Editor, KeyStore, Origin, address_of};
use rusqlite::Connection;
use serde_json::json;
use state::alert::{self, Subject};
use state::{WriteContext, rows};
use stellar::xdr::AccountId;

/// A farmer that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The farmer.
    pub farmer: Farmer,
    /// False where it was there before, just so.
    pub changed: bool,
    /// True where its key was there before: of a run that died, or named by the operator.
    pub adopted: bool,
}

/// Which key a new farmer gets.
#[derive(Debug, Clone)]
pub enum KeyFor {
    /// A key that was made and has no farmer, or a new one.
    Any,
    /// The key of this address, which is in the store.
    Address(String),
    /// This key, which the operator brought.
    Imported(SigningKey),
}

/// Takes a farmer in. `no_key` for an address without a key; see [`Joining::check`] and [`farmers::add`].
pub fn register(
    work: &mut WriteContext<'_>,
    keys: &mut Editor,
    key: KeyFor,
    joining: &Joining,
) -> Result<Enrolled> {
    let conn = work.state.conn();
    let sponsor = keys.store().sponsor().map(str::to_owned).or(last_sponsor(conn)?);
    let serving = Serving { sponsor, submitters: work.config.get("kale.submitter") };
    let stored = stored_submitters(conn)?;
    let (address, adopted) = match key {
        KeyFor::Any => {
            joining.check(conn)?;
            let may = |address: &String| {
                keys.store().origin(address) == Some(Origin::Made) && serving.check(address).is_ok()
            };
            match idle(conn, keys.store())?.into_iter().find(may) {
                Some(address) => (address, true),
                None => (keys.make()?, false),
            }
        }
        KeyFor::Address(address) => {
            check_address(conn, &address, joining, &serving)?;
            keys.store().signer(&address)?;
            (address, true)
        }
        KeyFor::Imported(key) => {
            let address = address_of(&key);
            check_address(conn, &address, joining, &serving)?;
            (address, !keys.add(&key, Origin::Imported)?)
        }
    };
    let (farmer, changed) = work.state.write(work.permit, |tx| {
        // The key store is ours; who serves the farm may be others by now.
        if stored_submitters(tx.conn())? != stored {
            return Err(state::changed("kale.submitter"));
        }
        farmers::add(tx, &address, joining)
    })?;
    Ok(Enrolled { farmer, changed, adopted })
}

/// Makes an imported key the fee sponsor's; returns its address and whether anything changed.
/// `conflict` where the account is a farmer's.
pub fn sponsor(work: &mut WriteContext<'_>, keys: &mut Editor, key: &SigningKey) -> Result<(String, bool)> {
    let address = address_of(key);
    check_sponsor(work.state.conn(), &address)?;
    keys.add(key, Origin::Imported)?;
    keys.set_sponsor(&address)?;
    // A run that died after the key store was written has left no event.
    let is_new =
        |conn: &Connection| -> Result<bool> { Ok(last_sponsor(conn)?.as_deref() != Some(address.as_str())) };
    if !is_new(work.state.conn())? {
        return Ok((address, false));
    }
    let changed = work.state.write(work.permit, |tx| {
        // No other run could take this key for a farmer: the key store is ours.
        let known = last_sponsor(tx.conn())?;
        if !is_new(tx.conn())? {
            return Ok(false);
        }
        if let Some(old) = &known {
            alert::edge(tx, Subject::Farm(old), SPONSOR_LOW, None)?;
        }
        tx.event("sponsor.set", &address, &json!({ "old": known, "new": address }))?;
        Ok(true)
    })?;
    Ok((address, changed))
}

/// `kale.submitter` as the state holds it.
fn stored_submitters(conn: &Connection) -> Result<Option<String>> {
    let is_it = |setting: &Setting| setting.key == "kale.submitter";
    Ok(state::settings(conn)?.into_iter().find(is_it).map(|setting| setting.value))
}

/// The sponsor by the audit log: who has been taken for it last.
pub fn last_sponsor(conn: &Connection) -> Result<Option<String>> {
    rows::value(conn, "SELECT subject FROM events WHERE kind = 'sponsor.set' ORDER BY id DESC LIMIT 1", [])
}

/// Refuses a farmer as sponsor: its fees would come out of what it farms.
pub fn check_sponsor(conn: &Connection, address: &str) -> Result<()> {
    let why = |id| format!("{address} is farmer {id}: it cannot be the fee sponsor too");
    refuse_farmer(conn, address, why, "the sponsor is an account of its own")
}

/// Refuses a farmer as submitter: its own plants would wait for the calls of others.
pub fn no_farmer(conn: &Connection, account: &AccountId) -> Result<()> {
    let why = |id| format!("kale.submitter: {account} is farmer {id}: it cannot send for others");
    let hint = "a submitter is an account of its own; the fee sponsor may be one";
    refuse_farmer(conn, &account.to_string(), why, hint)
}

fn refuse_farmer(
    conn: &Connection,
    address: &str,
    why: impl FnOnce(String) -> String,
    hint: &'static str,
) -> Result<()> {
    let refuse = |farmer: Farmer| Err(Error::new(Code::Conflict, why(farmer.id)).hint(hint));
    farmers::look_up(conn, address)?.map_or(Ok(()), refuse)
}

/// Who serves the farm, and so can be no farmer.
#[derive(Debug)]
pub struct Serving<'s> {
    /// The fee sponsor.
    pub sponsor: Option<String>,
    /// `kale.submitter`.
    pub submitters: Option<&'s str>,
}

impl Serving<'_> {
    fn check(&self, address: &str) -> Result<()> {
        let is_submitter = self.submitters.is_some_and(|list| list.split(',').any(|one| one == address));
        let what = if is_submitter {
            "a submitter (kale.submitter)"
        } else if self.sponsor.as_deref() == Some(address) {
            "the fee sponsor"
        } else {
            return Ok(());
        };
        Err(Error::new(Code::Conflict, format!("{address} is {what}: it cannot be a farmer too")).hint(
            say("a farmer is an account of its own: leave out ")
                .with("address")
                .say(" for a new key, or import another one"),
        ))
    }
}

/// Refuses before a key is written what would be refused after.
pub fn check_address(
    conn: &Connection,
    address: &str,
    joining: &Joining,
    serving: &Serving<'_>,
) -> Result<()> {
    if let Some(there) = farmers::look_up(conn, address)? {
        return farmers::check_same(&there, joining);
    }
    serving.check(address)?;
    joining.check(conn).map(drop)
}

/// Addresses in the key store that belong to no farmer, and not to the sponsor or a submitter.
pub fn idle(conn: &Connection, keys: &KeyStore) -> Result<Vec<String>> {
    let mut idle = Vec::new();
    for address in keys.addresses() {
        let serves = keys.sponsor() == Some(address) || keys.origin(address) == Some(Origin::Submitter);
        if !serves && farmers::look_up(conn, address)?.is_none() {
            idle.push(address.to_owned());
        }
    }
    Ok(idle)
}

/// Farmers whose key is not in the key store, those who have departed aside.
pub fn keyless(conn: &Connection, keys: &KeyStore) -> Result<Vec<Farmer>> {
    let mut farmers = farmers::list(conn, None, None)?;
    farmers.retain(|farmer| farmer.status.is_served() && !keys.holds(&farmer.address));
    Ok(farmers)
}
