//! Work transactions: what is wanted of the network for a nonce, and what came of it.

use super::nonces::hex;
use super::{WorkOutcome, Worked};
use crate::chain::Who;
use crate::chain::site::{Site, invoke};
use crate::contract::Pail;
use crate::contract::call::Call;
use crate::farming::{Farming, Wait};
use crate::fees;
use crate::record::gap_of;
use crate::record::plan::{self, WorkPlan, kind, work_key};
use crate::record::reason::{self, Reason};
use crate::record::rows::{self, Trace, WorkRow};
use crate::schedule::Step;
use base::{Result, Stop};
use grind::Solution;
use state::{Tx, ValuePermit};
use stellar::submit::{Intent, Submitted};

/// A nonce that is to be submitted.
#[derive(Debug, Clone)]
pub(super) struct Bid {
    /// For whom.
    pub who: Who,
    /// The pail as it was looked at.
    pub pail: Pail,
    /// The nonce.
    pub solution: Solution,
}

/// What is wanted of the network, by `valid_until` in seconds of ledger time.
pub(super) fn intent(site: &Site, block: u32, bid: &Bid, valid_until: u64) -> Result<Intent> {
    let Bid { who, pail, solution: Solution { nonce, hash, zeros } } = bid;
    let plan = WorkPlan {
        farmer: who.id.clone(),
        address: who.address.clone(),
        block,
        nonce: *nonce,
        hash: hex(hash),
        zeros: *zeros,
        improves: pail.worked(),
    };
    let call = Call::Work { farmer: who.contract_address(), hash: *hash, nonce: *nonce };
    let key = work_key(site.network(), &who.address, block, *zeros);
    plan::intent(kind::WORK, key, who, &plan, invoke(site, &call)?, Some(valid_until))
}

/// Submits and records; results in the order of the bids. A wish to stop does not keep it from signing: the work is at
/// hand, and a stake depends on it.
pub(super) async fn send(
    farming: &mut Farming<'_, '_>,
    permit: ValuePermit<'_>,
    block: u32,
    bids: &[Bid],
    valid_until: u64,
) -> Result<Vec<Worked>> {
    let site = farming.site;
    let intents: Vec<Intent> =
        bids.iter().map(|bid| intent(site, block, bid, valid_until)).collect::<Result<_>>()?;
    let now = site.client.seen().map_or(0, |ledger| ledger.close_time);
    let wait = Wait::Ledgers(fees::ledgers(now, valid_until));
    let results = farming.submit_within(permit, &intents, wait, &Stop::default()).await?;
    let worked = bids.iter().zip(results).map(|(bid, result)| Worked {
        who: bid.who.clone(),
        block,
        solution: Some(bid.solution),
        outcome: outcome(site, bid, result),
    });
    Ok(worked.collect())
}

fn outcome(site: &Site, bid: &Bid, result: Result<Submitted>) -> WorkOutcome {
    let settled = match result {
        Ok(Submitted::AlreadyDone { .. }) => return WorkOutcome::Already,
        Ok(Submitted::Settled(settled)) => settled,
        Err(error) => return WorkOutcome::Failed { reason: Reason::of_error(error.code()), error },
    };
    let Some((tx, ledger, fee)) = reason::landed(&settled) else {
        let (reason, error) = reason::why(&site.farm, Step::Work, &settled);
        return WorkOutcome::Failed { reason, error };
    };
    match gap_of(&settled, Some(bid.pail.sequence)) {
        Ok(gap) => {
            let sender = settled.sender.as_ref().map(ToString::to_string);
            WorkOutcome::Worked { tx, ledger, gap, fee, sender, improved: bid.pail.worked() }
        }
        Err(error) => WorkOutcome::Failed { reason: Reason::Other, error },
    }
}

/// Records a nonce that took no effect beside the farmer's works, for this reason, where no transaction of it tells.
pub(super) fn record_unsent(tx: &Tx<'_>, who: &Who, block: u32, best: &Solution, reason: &str) -> Result<()> {
    let row = WorkRow {
        farmer: &who.id,
        block,
        outcome: "failed",
        nonce: best.nonce,
        hash: &hex(&best.hash),
        zeros: best.zeros,
        gap: None,
    };
    rows::work(tx, &row, &Trace { reason: Some(reason), ..Trace::default() }).map(|_| ())
}
