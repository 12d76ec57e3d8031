//! Pails that are about to expire: the alert, and the transactions that let them live longer.

use crate::alerts::EXPIRING;
use crate::contract::{Entry, LIFE};
use crate::farming::{Farming, Scope};
use crate::record::plan::{self, ExtendPlan, kind};
use crate::record::rows::{self, FarmerRow};
use base::{Result, counted};
use rusqlite::Connection;
use state::alert::{self, Subject};
use state::{Tx, ValuePermit};
use std::collections::BTreeMap;
use stellar::submit::{Intent, Submitted};
use stellar::{Action, LedgerPace};

/// How long an extension lasts, in seconds.
const DAY: u64 = 86_400;

/// Of the farmers that a run acts for: whose open pails expire by ledger `until`, and of whom an alert says so.
type Concerned = (BTreeMap<String, Vec<(u32, u32)>>, Vec<String>);

fn concerned(conn: &Connection, scope: &Scope, until: u32) -> Result<Concerned> {
    let (mut near, mut open) = (rows::pails_until(conn, until)?, alert::farms_with(conn, EXPIRING)?);
    if near.is_empty() && open.is_empty() {
        return Ok((near, open));
    }
    if let Some(ours) = scope.farmers(conn)? {
        near.retain(|farmer, _| ours.contains(farmer));
        open.retain(|farmer| ours.contains(farmer));
    }
    Ok((near, open))
}

/// Whether [`alert`] may have something to open, say anew or close.
pub fn is_concerned(conn: &Connection, scope: &Scope, ledger: u32, alarm: u32) -> Result<bool> {
    let (near, open) = concerned(conn, scope, ledger.saturating_add(alarm))?;
    Ok(!near.is_empty() || !open.is_empty())
}

/// Opens the alert of each farmer in this scope who has open pails that expire within `alarm` ledgers, and closes those of all
/// others in it.
pub fn alert(tx: &Tx<'_>, scope: &Scope, ledger: u32, alarm: u32) -> Result<()> {
    let (near, open) = concerned(tx.conn(), scope, ledger.saturating_add(alarm))?;
    for farmer in near.keys().chain(open.iter().filter(|farmer| !near.contains_key(*farmer))) {
        let why = near.get(farmer).map(|pails| words(pails, ledger));
        alert::edge(tx, Subject::Farm(farmer), EXPIRING, why.as_deref())?;
    }
    Ok(())
}

/// What the alert says.
pub fn words(pails: &[(u32, u32)], ledger: u32) -> String {
    let each: Vec<String> = pails
        .iter()
        .map(|(block, until)| format!("block {block} in {}", counted(until.saturating_sub(ledger), "ledger")))
        .collect();
    format!("pails expire, stake and reward with them: {}", each.join(", "))
}

/// What became of an extension: the farmer, the blocks, and the ledger that they live to.
#[derive(Debug, Clone)]
pub struct Extended {
    /// Whose pails.
    pub hand: FarmerRow,
    /// In which blocks.
    pub blocks: Vec<u32>,
    /// Last ledger of their entries.
    pub live_until: u32,
    /// How the transaction ended.
    pub result: Result<Submitted>,
}

/// Lets pails that expire soon, and their blocks, live a day longer: one transaction per farmer, who pays for it.
/// `near` is what is still open of what [`crate::harvest::PreparedHarvest::near`] showed.
/// A farmer's own failure is in its line.
pub async fn extend(
    farming: &mut Farming<'_, '_>,
    hands: &[FarmerRow],
    near: &BTreeMap<String, Vec<(u32, u32)>>,
    (ledger, pace): (u32, LedgerPace),
    permit: ValuePermit<'_>,
) -> Result<Vec<Extended>> {
    let (farm, network) = (&farming.site.farm, farming.site.network());
    let life = pace.ledgers_in(DAY).max(LIFE);
    let live_until = ledger.saturating_add(life);
    let mut wanted: Vec<(FarmerRow, Vec<u32>, Intent)> = Vec::new();
    for (farmer, pails) in near {
        let Some(hand) = hands.iter().find(|hand| hand.who.id == *farmer) else { continue };
        let who = &hand.who;
        let mut keys = Vec::new();
        for (block, _) in pails {
            keys.push(Entry::Pail(who.contract_address(), *block).key(farm)?);
            keys.push(Entry::Block(*block).key(farm)?);
        }
        let blocks: Vec<u32> = pails.iter().map(|(block, _)| *block).collect();
        let first = blocks.first().copied().unwrap_or(0);
        let soonest = pails.iter().map(|(_, until)| *until).min().unwrap_or_default();
        let plan = ExtendPlan {
            farmer: farmer.clone(),
            pails: blocks.iter().map(|block| (farmer.clone(), *block)).collect(),
            live_until,
        };
        // What expires when makes it the same extension.
        let key = format!("extend:{network}:{}:{first}:{soonest}", who.address);
        let intent =
            plan::intent(kind::EXTEND, key, who, &plan, Action::Extend { keys, ledgers: life }, None)?;
        wanted.push((hand.clone(), blocks, intent));
    }
    let intents: Vec<Intent> = wanted.iter().map(|(_, _, intent)| intent.clone()).collect();
    let results = farming.submit(permit, &intents).await?;
    let extended = wanted.into_iter().zip(results);
    Ok(extended.map(|((hand, blocks, _), result)| Extended { hand, blocks, live_until, result }).collect())
}
