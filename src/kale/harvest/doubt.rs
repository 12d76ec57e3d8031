//! A loss is the last thing to believe. What must agree before a stake is booked as lost: our own records, the pail's life
//! time, a look some ledgers later, and another endpoint where there is one. The rule is pure.

use super::due::{Due, HarvestOutcome, Harvested, Suspect, under_way};
use super::sight;
use crate::chain::view::View;
use crate::contract::LIFE;
use crate::farming::Farming;
use crate::record::plan::harvest_key;
use crate::record::reason::Reason;
use crate::record::rows::OpenPail;
use crate::record::{loss, rows, still};
use base::{Code, Error, Result};
use rusqlite::Connection;
use state::Tx;
use stellar::xdr::ContractId;

/// Ledgers between the first look that shows a stake as lost and the one that may book it: about a minute.
const LATER: u32 = 12;

/// What is at hand about a stake that one answer shows as lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Evidence {
    /// The pail is not shown; else it is shown without work.
    absent: bool,
    /// Work in it was confirmed, or seen before.
    worked: bool,
    /// Last ledger of its entry, at the least.
    until: u32,
    /// The ledger of the first look that showed the same.
    first: Option<u32>,
    /// The newest ledger.
    now: u32,
}

/// Why a stake is not booked as lost yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// Work in it is known, and work is never undone.
    Worked,
    /// Its entry lives to this ledger, and nobody was paid for it.
    Alive { until: u32 },
    /// It is looked at once more from this ledger on.
    Again { from: u32 },
}

impl Evidence {
    fn doubt(self) -> Option<Doubt> {
        let Self { absent, worked, until, first, now } = self;
        let from = first.unwrap_or(now).saturating_add(LATER);
        if !absent && worked {
            Some(Doubt::Worked)
        } else if absent && now <= until {
            Some(Doubt::Alive { until })
        } else {
            (now < from).then_some(Doubt::Again { from })
        }
    }
}

impl Doubt {
    fn error(self, due: &Due) -> Error {
        let later = "it is asked for again at every harvest; another endpoint may show it (stellar.rpc_urls)";
        let (code, why, hint) = match self {
            Self::Worked => {
                (Code::Drift, "is shown without work, though its work is known".to_owned(), later)
            }
            Self::Alive { until } => {
                let why =
                    format!("is missing: its entry lives to ledger {until}, and no payment for it is seen");
                (Code::Drift, why, later)
            }
            Self::Again { from } => {
                let is_there = due.chain.is_some();
                let what = if is_there { "was never worked" } else { "is gone, and nobody was paid for it" };
                let why = format!("{what}; a second look from ledger {from} on decides");
                (Code::StakeLost, why, "the next harvest looks again, and records the loss if it is one")
            }
        };
        Error::new(code, format!("the pail {why}")).hint(hint)
    }
}

/// What comes of suspects: those that all agree about are booked as lost, the others stay open with the reason why. Pails
/// that another endpoint shows otherwise come back second, to be looked at there.
pub(super) async fn settle(
    farming: &mut Farming<'_, '_>,
    view: &View,
    asset: &ContractId,
    suspects: Vec<Suspect>,
) -> Result<(Vec<Harvested>, Vec<Due>)> {
    let (mut ends, mut otherwise, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    let second = sight::second(farming, &view.endpoint, asset, &suspects).await?;
    for (suspect, second) in suspects.into_iter().zip(second) {
        let doubt = of(farming.work.state.conn(), &suspect.0, view.at.ledger)?;
        match (second, doubt) {
            (Ok(false), _) => otherwise.push(suspect.0),
            (_, Some(error)) | (Err(error), None) => {
                ends.push(suspect.0.end(HarvestOutcome::Failed { reason: Reason::Missing, error }));
            }
            (Ok(true), None) => lost.push(suspect),
        }
    }
    if !lost.is_empty() {
        let (network, margin) = (farming.site.network(), farming.settings.work_margin);
        let booked = farming.write(|tx| {
            let book = |suspect| book(tx, network, suspect, (view.at.ledger, margin));
            lost.into_iter().map(book).collect::<Result<Vec<_>>>()
        })?;
        ends.extend(booked);
    }
    Ok((ends, otherwise))
}

/// Books a loss, if all that it was concluded from is in the state as it was.
fn book(
    tx: &Tx<'_>,
    network: &str,
    (mut due, ..): Suspect,
    (ledger, margin): (u32, u64),
) -> Result<Harvested> {
    let conn = tx.conn();
    let OpenPail { farmer, block, .. } = &due.pail;
    let Some(now) = rows::pail(conn, farmer, *block)? else {
        // Another run has booked its end.
        return Ok(due.end(HarvestOutcome::Already));
    };
    let is_sent = is_under_way(conn, network, &due)?;
    let failed = |due: Due, error| Ok(due.end(HarvestOutcome::Failed { reason: Reason::Missing, error }));
    if is_sent || now.held != due.pail.held || now.stake != due.pail.stake {
        let what =
            format!("the pail of {} in block {block} was held, corrected or harvested", due.hand.who.address);
        return failed(due, still::changed(what));
    }
    due.pail.work = now.work;
    if let Some(error) = of(conn, &due, ledger)? {
        return failed(due, error);
    }
    // What was recorded of it meanwhile may be another reason.
    let (reason, cause) = why_gone(conn, &due, ledger, margin)?;
    due.hand = rows::hand(conn, &due.hand.who.id)?;
    loss::book(tx, network, &due.hand, &due.pail, reason, cause)?;
    Ok(due.end(HarvestOutcome::Lost { reason, cause }))
}

/// Whether a harvest of it was sent whose outcome is not known.
pub(super) fn is_under_way(conn: &Connection, network: &str, due: &Due) -> Result<bool> {
    let key = harvest_key(network, &due.hand.who.address, due.pail.block);
    Ok(outbox::find(conn, &key)?.is_some_and(|operation| under_way(operation.state)))
}

/// Why this look does not book a pail as lost that it shows without work, or not at all; none where it may.
pub(super) fn of(conn: &Connection, due: &Due, now: u32) -> Result<Option<Error>> {
    let pail = &due.pail;
    let evidence = Evidence {
        absent: due.chain.is_none(),
        worked: pail.work.is_some(),
        // No answer makes it shorter than the network does.
        until: pail.live_until.unwrap_or_default().max(pail.planted_ledger.saturating_add(LIFE)),
        first: rows::missing_since(conn, &pail.farmer, pail.block)?,
        now,
    };
    Ok(evidence.doubt().map(|doubt| doubt.error(due)))
}

/// What a pail that is gone without pay was lost by.
pub(super) fn why_gone(conn: &Connection, due: &Due, ledger: u32, margin: u64) -> Result<(Reason, Reason)> {
    if due.pail.work.is_none() {
        return Ok((Reason::NotWorked, loss::why_not_worked(conn, &due.pail, due.pail.due, margin)?));
    }
    let expired = due.block.is_none() || due.pail.live_until.is_some_and(|until| until < ledger);
    let reason = if expired { Reason::PailExpired } else { Reason::PailGone };
    Ok((reason, reason))
}

/// A pail that is gone and that nobody was paid for.
pub(super) fn gone(conn: &Connection, due: Due, ledger: u32, margin: u64) -> Result<Suspect> {
    let (reason, cause) = why_gone(conn, &due, ledger, margin)?;
    Ok((due, reason, cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_loss_needs_the_agreement_of_everything() {
        let look = |absent, worked, until, first, now| Evidence { absent, worked, until, first, now }.doubt();
        let again = |from| Some(Doubt::Again { from });
        for (absent, worked, until, first, now, want) in [
            // Shown without work.
            (false, true, 900, Some(1), 800, Some(Doubt::Worked)),
            (false, true, 900, Some(1), 999, Some(Doubt::Worked)),
            (false, false, 900, None, 800, again(812)),
            (false, false, 900, Some(800), 811, again(812)),
            (false, false, 900, Some(800), 812, None),
            // Not shown at all.
            (true, true, 900, Some(1), 900, Some(Doubt::Alive { until: 900 })),
            (true, false, 900, Some(1), 900, Some(Doubt::Alive { until: 900 })),
            (true, true, 900, None, 901, again(913)),
            (true, true, 900, Some(895), 901, again(907)),
            (true, true, 900, Some(895), 907, None),
        ] {
            let got = look(absent, worked, until, first, now);
            assert_eq!(got, want, "{absent} {worked} {until} {first:?} {now}");
        }
    }

    proptest! {
        #[test]
        fn no_single_look_books_a_loss_and_no_living_or_worked_pail_is_one(
            absent: bool, worked: bool, until in 0u32..200, first in proptest::option::of(0u32..100), now in 0u32..200,
        ) {
            let doubt = Evidence { absent, worked, until, first, now }.doubt();
            if doubt.is_none() {
                prop_assert!(first.is_some_and(|first| now >= first + LATER));
                let is_over = if absent { now > until } else { !worked };
                prop_assert!(is_over);
            }
        }
    }
}
