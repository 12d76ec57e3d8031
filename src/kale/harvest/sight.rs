//! Pails that are gone: what the endpoint's history tells of them, and the alert where it is too short to tell.

use super::due::{Due, HarvestOutcome, Harvested, Suspect, look};
use super::elsewhere::{self, Gone, Search};
use crate::alerts::{MISSING, OUT_OF_SIGHT};
use crate::farming::Farming;
use crate::record::plan::harvest_key;
use crate::record::reason::Reason;
use crate::record::rows::{self, FarmerRow, OpenPail};
use base::amount::Base;
use base::{Code, Error, Result, say};
use rusqlite::Connection;
use state::alert::{self, Subject};
use std::collections::{BTreeMap, HashMap};
use stellar::xdr::ContractId;
use stellar::{View, is_of_endpoints};

/// What the chain tells of each, all from one endpoint.
pub(super) async fn search(
    farming: &Farming<'_, '_>,
    asset: &ContractId,
    gone: &[Due],
) -> Result<Vec<Search>> {
    farming.site.client.view(async |chain| search_at(farming, chain, asset, gone).await).await
}

async fn search_at<'d>(
    farming: &Farming<'_, '_>,
    chain: &View,
    asset: &ContractId,
    gone: impl IntoIterator<Item = &'d Due>,
) -> Result<Vec<Search>> {
    let (conn, network) = (farming.work.state.conn(), farming.site.network());
    let (mut found, mut taken) = (Vec::new(), Vec::new());
    for due in gone {
        let key = harvest_key(network, &due.hand.who.address, due.pail.block);
        let ours = rows::envelopes(conn, &key)?;
        let gone = Gone { who: &due.hand.who, pail: &due.pail, reward: due.computed(), ours };
        found.push(elsewhere::search(chain, conn, asset, &gone, &mut taken).await?);
    }
    Ok(found)
}

/// Whether another endpoint than `first` shows the same of each suspect; so it is where there is no other. An endpoint that
/// is contradicted is asked last for a while. An inner error is that nobody else could be asked.
pub(super) async fn second(
    farming: &Farming<'_, '_>,
    first: &str,
    asset: &ContractId,
    suspects: &[Suspect],
) -> Result<Vec<Result<bool>>> {
    let hands: HashMap<&str, &FarmerRow> =
        suspects.iter().map(|(due, ..)| (due.hand.who.id.as_str(), &due.hand)).collect();
    let pails: Vec<OpenPail> = suspects.iter().map(|(due, ..)| due.pail.clone()).collect();
    let asked = farming.site.client.elsewhere(first, async |chain| {
        let again = look(farming.site, chain, &pails, &hands).await?;
        let gone = again.iter().filter(|due| due.chain.is_none());
        let mut found = search_at(farming, chain, asset, gone).await?.into_iter();
        let same = |(now, (before, ..)): (&Due, &Suspect)| match (&now.chain, &before.chain) {
            (Some(pail), Some(_)) => !pail.entry.worked(),
            (None, None) => matches!(found.next(), Some(Search::Nothing | Search::Forgotten(_))),
            (None, Some(_)) => found.next().is_none(),
            (Some(_), None) => false,
        };
        Ok((chain.endpoint().to_owned(), again.iter().zip(suspects).map(same).collect::<Vec<bool>>()))
    });
    let agreed = match asked.await {
        None => vec![true; suspects.len()],
        Some(Ok((other, agreed))) => {
            if agreed.contains(&false) {
                let why = format!("{other:?} shows pails otherwise; its answer is used");
                farming.site.client.distrust(first, &why);
            }
            agreed
        }
        Some(Err(e)) if is_of_endpoints(e.code()) => {
            let why = |_: &Suspect| {
                let why = format!("the pail looks lost, and no other endpoint could be asked: {e}");
                Err(Error::new(Code::Drift, why).hint("the next harvest asks again"))
            };
            return Ok(suspects.iter().map(why).collect());
        }
        Some(Err(e)) => return Err(e),
    };
    Ok(agreed.into_iter().map(Ok).collect())
}

/// Endpoints go on contradicting each other about a pail.
pub(super) fn contradicted() -> Error {
    Error::new(Code::Drift, "endpoints contradict each other about the pail")
        .hint("the next harvest asks again; take the endpoint that is wrong out of stellar.rpc_urls")
}

/// The endpoint remembers too little; `oldest` is the first ledger that it knows.
pub(super) fn forgotten(due: &Due, oldest: u32) -> Error {
    let planted = due.pail.planted_ledger;
    let why = format!(
        "the pail is gone, and whether it was paid is out of sight: planted in ledger {planted}, \
         and the endpoint's history begins at {oldest}"
    );
    let hint = say("put an endpoint with a longer history first in stellar.rpc_urls, or give the stake up: ");
    Error::new(Code::Drift, why).hint(hint.run("harvest").with("record-lost"))
}

/// Our own harvest minted less than the stake.
pub(super) fn short(due: &Due, minted: Base) -> Error {
    let stake = due.pail.stake;
    let why = format!("our harvest minted {minted} stroops, less than the stake of {stake}");
    Error::new(Code::Drift, why)
        .hint(say("look the transaction up: ").run("events").with("kind").of("operation.confirmed"))
}

/// What the alerts have to say of each farmer of these pails: why one is open, or nothing where one is open that need not be.
pub(super) fn hidden<'e>(
    conn: &Connection,
    ends: &'e [Harvested],
) -> Result<Vec<(&'e str, &'static str, Option<String>)>> {
    let mut told = Vec::new();
    for (kind, of) in [(OUT_OF_SIGHT, Reason::OutOfSight), (MISSING, Reason::Missing)] {
        let mut hidden: BTreeMap<&str, Option<String>> = BTreeMap::new();
        for end in ends {
            let why = hidden.entry(&end.hand.who.id).or_default();
            if let HarvestOutcome::Failed { reason, error } = &end.outcome
                && *reason == of
                && rows::pail(conn, &end.hand.who.id, end.block)?.is_some()
            {
                let before = why.take().map(|before| format!("{before}; ")).unwrap_or_default();
                *why = Some(format!("{before}block {}: {}", end.block, error.message()));
            }
        }
        for (farmer, why) in hidden {
            if why.is_some() || alert::is_open(conn, Subject::Farm(farmer), kind)? {
                told.push((farmer, kind, why));
            }
        }
    }
    Ok(told)
}
