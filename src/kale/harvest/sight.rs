//! Pails that are gone: what the endpoint's history tells of them, and the alert where it is too short to tell.

use super::{Due, Fate, Harvested};
use crate::alert::{self, Subject};
use crate::amount::Base;
use crate::kale::elsewhere::{self, Gone, Search};
use crate::kale::plan::harvest_key;
use crate::kale::reason::Reason;
use crate::kale::rows;
use crate::kale::site::Farming;
use crate::output::{Code, Error, Result};
use crate::stellar::xdr::ContractId;
use rusqlite::Connection;
use std::collections::BTreeMap;

/// The alert about pails that are gone, of which the endpoint cannot tell whether they were paid.
pub(super) const OUT_OF_SIGHT: &str = "pail_out_of_sight";

/// What the chain tells of each, all from one endpoint.
///
/// # Errors
/// Those of [`crate::stellar::Client::view`]; `state_error`.
pub(super) async fn search(
    farming: &Farming<'_, '_>,
    asset: &ContractId,
    gone: &[Due],
) -> Result<Vec<Search>> {
    let (conn, network) = (farming.work.state.conn(), farming.site.network());
    farming
        .site
        .client
        .view(async |chain| {
            let (mut found, mut taken) = (Vec::with_capacity(gone.len()), Vec::new());
            for due in gone {
                let key = harvest_key(network, &due.hand.who.address, due.pail.block);
                let ours = rows::confirmed(conn, &key)?;
                let gone = Gone { who: &due.hand.who, pail: &due.pail, reward: due.computed(), ours };
                found.push(elsewhere::search(chain, conn, asset, &gone, &mut taken).await?);
            }
            Ok(found)
        })
        .await
}

/// The endpoint remembers too little; `oldest` is the first ledger that it knows.
pub(super) fn forgotten(due: &Due, oldest: u32) -> Error {
    let (block, planted) = (due.pail.block, due.pail.planted_ledger);
    Error::new(
        Code::Drift,
        format!(
            "block {block}: the pail is gone, and whether it was paid is out of sight: planted in ledger {planted}, \
             and the endpoint's history begins at {oldest}"
        ),
    )
    .hint("put an endpoint with a longer history first in stellar.rpc_urls, or give the stake up: poolctl harvest --book-lost")
}

/// Our own harvest minted less than the stake.
pub(super) fn short(due: &Due, minted: Base) -> Error {
    let (block, stake) = (due.pail.block, due.pail.stake);
    Error::new(
        Code::Drift,
        format!("block {block}: our harvest minted {minted} stroops, less than the stake of {stake}"),
    )
    .hint("look the transaction up: poolctl events --kind operation.confirmed")
}

/// What the alert has to say of each farmer of these pails: why it is open, or nothing where one is open that need not be.
///
/// # Errors
/// `state_error`.
pub(super) fn hidden<'e>(
    conn: &Connection,
    ends: &'e [Harvested],
) -> Result<BTreeMap<&'e str, Option<String>>> {
    let mut hidden: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for end in ends {
        let why = hidden.entry(&end.hand.who.id).or_default();
        if let Fate::Failed { reason: Reason::OutOfSight, error } = &end.fate {
            let before = why.take().map(|before| format!("{before}; ")).unwrap_or_default();
            *why = Some(format!("{before}{}", error.message()));
        }
    }
    let mut told = BTreeMap::new();
    for (farmer, why) in hidden {
        if why.is_some() || is_open(conn, farmer)? {
            told.insert(farmer, why);
        }
    }
    Ok(told)
}

fn is_open(conn: &Connection, farmer: &str) -> Result<bool> {
    Ok(alert::list(conn, Subject::Farm(farmer), None)?.iter().any(|alert| alert.kind == OUT_OF_SIGHT))
}
