//! What a pooler's farmers earned and lost day by day, by the ledger; and what their transactions cost, by the audit log.

use super::accounting;
use crate::farmers::poolers::{self, Pooler};
use base::amount::{Base, Delta, parse_base};
use base::clock::Clock;
use base::{Error, Result};
use rusqlite::{Connection, params};
use state::columns::at;
use state::rows::Row;
use state::{OwnerKind, rows};
use std::collections::{BTreeMap, HashMap};

/// The events that move what was earned or lost.
const MOVES: [&str; 4] =
    ["harvest.harvested", "harvest.harvested_elsewhere", "harvest.lost", "harvest.loss_reversed"];

/// The events that say what a transaction cost.
const COSTS: [&str; 2] = ["operation.confirmed", "operation.failed"];

/// What was earned and lost. Amounts in stroops, of KALE but for the last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Pails harvested.
    pub harvests: u64,
    /// Stakes lost, less those that were found again.
    pub lost_stakes: i64,
    /// Rewards, before they are shared out.
    pub reward: Base,
    /// The pooler's part of them.
    pub to_pooler: Base,
    /// The operator's part of them.
    pub platform_fee: Base,
    /// What the lost stakes held.
    pub lost: Delta,
    /// Fees of the network, in stroops of lumens.
    pub network_fees: Base,
}

/// What was earned and lost on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// Of UTC: `2026-11-30`.
    pub day: String,
    /// Name of the pooler.
    pub pooler: String,
    /// What.
    pub sums: Sums,
}

/// What was earned and lost since some time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profit {
    /// By day, the newest first, and by pooler in the order of names.
    pub days: Vec<Day>,
    /// Rows from before this time were pruned, so that days before it are not whole; `None` where all are.
    pub pruned_before: Option<String>,
}

impl Sums {
    /// Rewards less what was lost.
    pub fn net(&self) -> Delta {
        let lost = if self.lost.is_negative() {
            Delta::credit(self.lost.magnitude())
        } else {
            Delta::debit(self.lost.magnitude())
        };
        // Each is far below 2^255.
        Delta::credit(self.reward).checked_add(lost).unwrap_or_default()
    }

    /// Adds others.
    pub fn add(&mut self, more: &Self) -> Result<()> {
        let sum = |a: Base, b: Base| a.checked_add(b).ok_or_else(too_large);
        *self = Self {
            harvests: self.harvests + more.harvests,
            lost_stakes: self.lost_stakes + more.lost_stakes,
            reward: sum(self.reward, more.reward)?,
            to_pooler: sum(self.to_pooler, more.to_pooler)?,
            platform_fee: sum(self.platform_fee, more.platform_fee)?,
            lost: self.lost.checked_add(more.lost).ok_or_else(too_large)?,
            network_fees: sum(self.network_fees, more.network_fees)?,
        };
        Ok(())
    }

    /// Takes in an entry of the ledger.
    fn enter(&mut self, owner: OwnerKind, purpose: &str, amount: Delta) -> Result<()> {
        let entry = Self::default();
        self.add(&match (owner, purpose) {
            (OwnerKind::Chain, "mint") => Self { reward: amount.magnitude(), ..entry },
            (OwnerKind::Chain, "lost") => Self { lost: amount, ..entry },
            (OwnerKind::Pooler, "kale") => Self { to_pooler: amount.magnitude(), ..entry },
            (OwnerKind::Operator, "platform_fee") => Self { platform_fee: amount.magnitude(), ..entry },
            _ => return Ok(()),
        })
    }
}

fn too_large() -> Error {
    Error::corrupt("the sum of what was farmed passes 256 bits")
}

/// What the farmers of one pooler or of all earned and lost since `since`, seconds since 1970. A farmer counts for the pooler
/// that it has now.
pub fn profit(conn: &Connection, pooler: Option<&Pooler>, since: i64) -> Result<Profit> {
    let names: HashMap<String, String> =
        poolers::list(conn)?.into_iter().map(|pooler| (pooler.id, pooler.name)).collect();
    let farmers: HashMap<String, String> = rows::all(conn, "SELECT id, pooler_id FROM farmers", [], |row| {
        Ok((row.get("id")?, row.get("pooler_id")?))
    })?;
    let wanted = |farmer: &str| {
        let id = farmers.get(farmer)?;
        let is_wanted = pooler.is_none_or(|pooler| pooler.id == *id);
        names.get(id).filter(|_| is_wanted).cloned()
    };
    // As events are dated.
    let since = Clock::Fixed(since).rfc3339();
    let archived = "SELECT json_extract(payload, '$.before') FROM events WHERE kind = 'state.archived'
         ORDER BY id DESC LIMIT 1";
    let pruned_before = rows::value::<Option<String>>(conn, archived, [])?.flatten();
    let pruned_before = pruned_before.filter(|before| *before > since);
    let first = "SELECT id FROM events WHERE at >= ?1 ORDER BY at, id LIMIT 1";
    let Some(first) = rows::value::<i64>(conn, first, [&since])? else {
        return Ok(Profit { days: Vec::new(), pruned_before });
    };
    let mut sums: BTreeMap<(std::cmp::Reverse<String>, String), Sums> = BTreeMap::new();
    let mut of = |row: &Row<'_>, enter: &mut dyn FnMut(&mut Sums) -> Result<()>| {
        let (at, farmer): (String, String) = (row.get("at")?, row.get("subject")?);
        match (at.get(..10), wanted(&farmer)) {
            (Some(day), Some(pooler)) => {
                enter(sums.entry((std::cmp::Reverse(day.to_owned()), pooler)).or_default())
            }
            _ => Ok(()),
        }
    };
    // CROSS JOIN keeps the order: the events of a kind, and the entries of each.
    let entries = "SELECT e.at, e.subject, a.owner_kind, a.purpose, l.amount FROM events e
         CROSS JOIN ledger_entries l ON l.event_id = e.id CROSS JOIN ledger_accounts a ON a.id = l.account_id
         WHERE e.kind = ?1 AND e.id >= ?2 AND e.at >= ?3 AND a.asset = ?4";
    for kind in MOVES {
        rows::each(conn, entries, params![kind, first, since, accounting::ASSET], |row| {
            let (owner, purpose): (OwnerKind, String) = (row.get("owner_kind")?, row.get("purpose")?);
            let amount = at(row, "amount")?;
            of(row, &mut |sums| sums.enter(owner, &purpose, amount))
        })?;
    }
    let events = "SELECT at, subject FROM events WHERE kind = ?1 AND id >= ?2 AND at >= ?3";
    for kind in MOVES {
        let (harvests, lost_stakes) = match kind {
            "harvest.lost" => (0, 1),
            "harvest.loss_reversed" => (0, -1),
            _ => (1, 0),
        };
        rows::each(conn, events, params![kind, first, since], |row| {
            of(row, &mut |sums| sums.add(&Sums { harvests, lost_stakes, ..Sums::default() }))
        })?;
    }
    let costs = "SELECT at, subject, json_extract(payload, '$.fee') AS fee FROM events
         WHERE kind = ?1 AND id >= ?2 AND at >= ?3";
    for kind in COSTS {
        rows::each(conn, costs, params![kind, first, since], |row| {
            let fee: Option<String> = row.get("fee")?;
            let network_fees = fee.as_deref().and_then(parse_base).unwrap_or_default();
            of(row, &mut |sums| sums.add(&Sums { network_fees, ..Sums::default() }))
        })?;
    }
    let day =
        |((day, pooler), sums): ((std::cmp::Reverse<String>, String), Sums)| Day { day: day.0, pooler, sums };
    Ok(Profit { days: sums.into_iter().map(day).collect(), pruned_before })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_is_taken_back_is_earned_again() {
        let n = |value: u32| Base::from(value);
        let (lost, found) = (Delta::credit(n(30)), Delta::debit(n(30)));
        for (reward, moves, net) in [
            (100, vec![], Delta::credit(n(100))),
            (100, vec![lost], Delta::credit(n(70))),
            (10, vec![lost], Delta::debit(n(20))),
            (10, vec![lost, found], Delta::credit(n(10))),
            (0, vec![found], Delta::credit(n(30))),
        ] {
            let mut sums = Sums::default();
            sums.enter(OwnerKind::Chain, "mint", Delta::debit(n(reward))).unwrap();
            sums.enter(OwnerKind::Farmer, "kale", Delta::credit(n(7))).unwrap();
            for amount in &moves {
                sums.enter(OwnerKind::Chain, "lost", *amount).unwrap();
            }
            assert_eq!(sums.net(), net, "{reward}, {moves:?}");
        }
    }
}
