//! Who can go on, and who pays: looked at before anything is staked or sent, the sponsor first; and the alerts on whoever
//! cannot.

use super::Farming;
use crate::alerts::{NOT_READY, SPONSOR_LOW};
use crate::chain::Who;
use crate::chain::wallet::{Wallet, spares};
use crate::farmers;
use crate::farmers::status::Status;
use crate::fees::purse::{Books, Judged, Spares};
use crate::fees::sponsor::Sponsor;
use crate::fees::{Lack, Payer, payers};
use crate::record::plan::kind;
use base::Result;
use state::Tx;
use state::alert::{self, Subject};
use std::collections::{BTreeMap, BTreeSet};
use stellar::submit::Intent;
use stellar::xdr::AccountId;

impl Farming<'_, '_> {
    /// What is recorded of fees and stakes.
    pub fn books(&self) -> Result<Books> {
        let state = &*self.work.state;
        Books::read(state.conn(), &self.settings, &self.submit_options, state.run().clock.now())
    }
}

/// Looks at the sponsor, and at what these farmers (id, status, account) lack to plant once more. Where no sponsor is known, the
/// keys are asked for one only if a farmer is short of lumens.
pub async fn judge(farming: &Farming<'_, '_>, farmers: &[(&str, Status, Option<&Wallet>)]) -> Result<Judged> {
    let mut books = farming.books()?;
    let is_short = |(id, _, wallet): &(&str, Status, Option<&Wallet>)| {
        wallet.is_some_and(|w| w.spare() < books.least(id))
    };
    if books.sponsor.is_none() && farmers.iter().any(is_short) {
        books.sponsor = farming.keys.sponsor()?;
    }
    let state = &*farming.work.state;
    let books = books.with_spent(state.conn(), state.run().clock.now())?;
    let has_payers = books.sponsor.is_some() || !books.submitters.is_empty();
    let spares = if has_payers {
        farming.site.client.view(async |view| Spares::read(view, &books).await).await?
    } else {
        Spares::default()
    };
    let judged = books.judge_all(&spares, farmers);
    let low = judged.sponsor.iter().chain(judged.submitters.iter().filter(|submitter| !submitter.is_ready()));
    if judged.farmers.iter().any(|farmer| farmer.payer == Some(Payer::Itself)) {
        low.for_each(|payer| payer.warn(&farming.site.client));
    }
    Ok(judged)
}

/// What intents take of a sponsor, beside what is there.
struct Claim<'i> {
    /// Stroops of lumens that each source takes.
    each: BTreeMap<&'i AccountId, i64>,
    /// Their sum.
    cost: i64,
    /// Of it, what is not among what is open: plants.
    fresh: i64,
    sponsor: Sponsor,
    /// What the sponsor has left for these.
    left: i64,
}

async fn claim<'i>(farming: &Farming<'_, '_>, payer: &AccountId, intents: &'i [Intent]) -> Result<Claim<'i>> {
    let books = farming.books()?;
    let mut each: BTreeMap<&AccountId, i64> = BTreeMap::new();
    let mut counted: i64 = 0;
    for intent in intents.iter().filter(|intent| intent.source != *payer) {
        let Some(cost) = books.fees.needed(intent.kind) else { continue };
        let sum = each.entry(&intent.source).or_default();
        *sum = sum.saturating_add(cost);
        if intent.kind != kind::PLANT {
            counted = counted.saturating_add(cost);
        }
    }
    let spare = if each.is_empty() {
        None
    } else {
        let read = farming.site.client.view(async |view| spares(view, &[payer]).await).await?;
        read.first().copied().flatten()
    };
    // What these still take is among what is open, but for plants.
    let others = books.owed_by_all().saturating_sub(counted).max(0);
    let left = spare.unwrap_or_default().saturating_sub(others);
    let cost = each.values().fold(0_i64, |sum, cost| sum.saturating_add(*cost));
    let fresh = cost.saturating_sub(counted);
    Ok(Claim { each, cost, fresh, sponsor: books.sponsor_for(payer, spare, fresh), left })
}

/// The sponsor `payer` as it is found, and whether it can pay for all of these intents beside what else is open.
pub async fn left_for(
    farming: &Farming<'_, '_>,
    payer: &AccountId,
    intents: &[Intent],
) -> Result<(Sponsor, bool)> {
    let Claim { sponsor, left, cost, .. } = claim(farming, payer, intents).await?;
    Ok((sponsor, left >= cost))
}

/// The sources among these intents that pay for themselves where the sponsor `payer` cannot pay for all of them, with the
/// sponsor as it was found; nobody where it can.
pub async fn own(
    farming: &Farming<'_, '_>,
    payer: &AccountId,
    intents: &[Intent],
) -> Result<(BTreeSet<AccountId>, Option<Sponsor>)> {
    let Claim { each, cost, fresh, sponsor, left } = claim(farming, payer, intents).await?;
    if each.is_empty() || left >= cost {
        return Ok((BTreeSet::new(), None));
    }
    let state = &*farming.work.state;
    let books = farming.books()?.with_spent(state.conn(), state.run().clock.now())?;
    let sponsor = books.sponsor_for(payer, sponsor.spare, fresh);
    let sources: Vec<&AccountId> = each.keys().copied().collect();
    let own = farming.site.client.view(async |view| spares(view, &sources).await).await?;
    let can = |(cost, spare): (&i64, Option<i64>)| (*cost, spare.is_some_and(|spare| spare >= *cost));
    let each: Vec<(i64, bool)> = each.values().zip(own).map(can).collect();
    let payers = payers(Some(left), &each).into_iter().zip(sources);
    let itself = payers.filter(|(payer, _)| *payer == Some(Payer::Itself));
    let own: BTreeSet<AccountId> = itself.map(|(_, source)| source.clone()).collect();
    if !own.is_empty() {
        sponsor.warn(&farming.site.client);
    }
    Ok((own, Some(sponsor)))
}

/// Opens or closes the alert of a farmer, by what it lacks.
pub fn farmer(tx: &Tx<'_>, id: &str, address: &str, lacks: &[Lack]) -> Result<bool> {
    let words: Vec<String> = lacks.iter().map(|lack| lack.words()).collect();
    let why = (!words.is_empty()).then(|| format!("farmer {address} {}", words.join(", and ")));
    alert::edge(tx, Subject::Farm(id), NOT_READY, why.as_deref())
}

/// Opens and closes the alerts on the sponsor and on farmers, by what each lacks: in one write, and none where all stands as
/// it should and stood so before.
pub fn note(
    farming: &mut Farming<'_, '_>,
    sponsor: Option<&Sponsor>,
    lacking: &[(Who, Vec<Lack>)],
) -> Result<()> {
    let conn = farming.work.state.conn();
    let mut is_due = match sponsor {
        Some(sponsor) => {
            sponsor.why().is_some()
                || alert::is_open(conn, Subject::Farm(&sponsor.account.to_string()), SPONSOR_LOW)?
        }
        None => false,
    };
    for (who, lacks) in lacking {
        is_due = is_due || !lacks.is_empty() || alert::is_open(conn, Subject::Farm(&who.id), NOT_READY)?;
    }
    if !is_due {
        return Ok(());
    }
    farming.write(|tx| {
        if let Some(sponsor) = sponsor {
            sponsor.alert(tx)?;
        }
        lacking.iter().try_for_each(|(who, lacks)| {
            // One that plants no more has nothing to lack, whatever was found.
            let plants = farmers::by_id(tx.conn(), &who.id)?.status.plants();
            farmer(tx, &who.id, &who.address, if plants { lacks.as_slice() } else { &[] }).map(drop)
        })
    })
}
