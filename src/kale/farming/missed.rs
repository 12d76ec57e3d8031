//! Stakes whose block has ended without work: seen on the chain, noted once, and an open alert until the loss is recorded.

use super::{Farming, Scope};
use crate::chain::Who;
use crate::chain::site::Site;
use crate::chain::view::living;
use crate::contract::{Entry, Pail, decode_pail};
use crate::record::loss;
use crate::record::rows::{self, OpenPail};
use base::Result;
use base::amount::Base;
use rusqlite::Connection;
use std::collections::HashMap;

/// A stake that will be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// Whose.
    pub who: Who,
    /// The block.
    pub block: u32,
    /// Stroops of KALE.
    pub stake: Base,
}

/// How many stakes, and what they come to.
pub fn total(stakes: impl Iterator<Item = Base>) -> (usize, Base) {
    stakes.fold((0, Base::ZERO), |(count, sum), stake| (count + 1, sum.saturating_add(stake)))
}

/// Pails without work that none gets into any more, as far as our records say: those of blocks before `block`, and its own
/// where work gets in `until` no time.
pub fn overdue(
    conn: &Connection,
    scope: &Scope,
    (block, until): (u32, Option<u64>),
) -> Result<Vec<OpenPail>> {
    let mut open = rows::pails_before(conn, block.saturating_add(u32::from(until.is_none())))?;
    open.retain(|pail| pail.work.is_none() && pail.held.is_none() && pail.stake > Base::ZERO);
    if !open.is_empty() {
        scope.retain(conn, &mut open, |pail| &pail.farmer)?;
    }
    Ok(open)
}

/// These pails as they are on the chain, which is asked only where there are any. What became of one that is gone is for the
/// harvest to find out.
pub async fn seen(conn: &Connection, site: &Site, pails: &[OpenPail]) -> Result<Vec<(Missed, Pail)>> {
    if pails.is_empty() {
        return Ok(Vec::new());
    }
    let who: HashMap<String, Who> =
        rows::hands(conn)?.into_iter().map(|hand| (hand.who.id.clone(), hand.who)).collect();
    let of = |pail: &OpenPail| {
        let (who, block, stake) = (who.get(&pail.farmer)?.clone(), pail.block, pail.stake);
        Some(Missed { who, block, stake })
    };
    let pails: Vec<Missed> = pails.iter().filter_map(of).collect();
    let key = |pail: &Missed| Entry::Pail(pail.who.contract_address(), pail.block).key(&site.farm);
    let keys = pails.iter().map(key).collect::<Result<Vec<_>>>()?;
    let entries = site.client.view(async |view| view.entries(keys.clone()).await).await?;
    let mut found = Vec::new();
    for (pail, key) in pails.into_iter().zip(&keys) {
        let address = pail.who.contract_address();
        let shown = living(&entries, key, |data| decode_pail(&site.farm, &address, pail.block, data))?;
        found.extend(shown.map(|living| (pail, living.entry)));
    }
    Ok(found)
}

impl Farming<'_, '_> {
    /// Notes the stakes that will be lost and that no run has seen so far, where work gets into this block until then. What is
    /// shown as worked after all is for the harvest to look at.
    pub async fn note_missed(&mut self, block: (u32, Option<u64>)) -> Result<Vec<Missed>> {
        let conn = self.work.state.conn();
        let mut new = overdue(conn, &self.scope, block)?;
        new.retain(|pail| pail.missed_at.is_none());
        let seen = seen(conn, self.site, &new).await?;
        if seen.is_empty() {
            return Ok(Vec::new());
        }
        self.write(|tx| {
            let mut missed = Vec::new();
            for (pail, entry) in seen {
                if !entry.worked() && loss::miss(tx, &pail.who.id, pail.block)? {
                    missed.push(pail);
                }
            }
            Ok(missed)
        })
    }

    /// How many stakes of those that it acts for will be lost, as runs have seen, and what they come to.
    pub fn all_missed(&self) -> Result<(usize, Base)> {
        let conn = self.work.state.conn();
        let mut missed = rows::pails_before(conn, u32::MAX)?;
        missed.retain(|pail| pail.missed_at.is_some());
        self.scope.retain(conn, &mut missed, |pail| &pail.farmer)?;
        Ok(total(missed.iter().map(|pail| pail.stake)))
    }
}
