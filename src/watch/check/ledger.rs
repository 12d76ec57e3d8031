//! The ledger's invariants: every transaction balances, every account holds what its entries say.

use super::add;
use super::groups::{Groups, side_by_side};
use base::Result;
use base::amount::Delta;
use rusqlite::Connection;
use state::columns::at;
use std::collections::BTreeMap;

/// Entries of a transaction sum to zero per asset.
pub(super) fn ledger_sums_to_zero(conn: &Connection) -> Result<Vec<String>> {
    // The entries in the order of their events, whatever the planner thinks of the accounts.
    let mut entries = conn.prepare(
        "SELECT e.event_id, a.asset, e.amount FROM ledger_entries e
         CROSS JOIN ledger_accounts a ON a.id = e.account_id ORDER BY e.event_id",
    )?;
    let mut transactions = Groups::by_id(&mut entries, |sums: &mut BTreeMap<String, Delta>, row| {
        add(sums.entry(row.get(1)?).or_default(), at(row, 2)?)
    })?;
    let mut found = Vec::new();
    while let Some((event, sums)) = transactions.next()? {
        for (asset, sum) in sums.iter().filter(|(_, sum)| !sum.is_zero()) {
            found.push(format!("ledger transaction of event {event}: {sum} of {asset} left over"));
        }
    }
    Ok(found)
}

#[derive(Default)]
struct Cached {
    name: String,
    balance: Delta,
    overdraft: bool,
}

/// The cached balance of an account = Σ of its entries, and nothing is below zero that may not be.
pub(super) fn cached_equals_derived(conn: &Connection) -> Result<Vec<String>> {
    let mut accounts = conn.prepare(
        "SELECT id, owner_kind || ' ' || owner || ' ' || purpose, balance, overdraft FROM ledger_accounts ORDER BY id",
    )?;
    let mut entries = conn.prepare("SELECT account_id, amount FROM ledger_entries ORDER BY account_id")?;
    let accounts = Groups::by_id(&mut accounts, |cached: &mut Cached, row| {
        *cached = Cached { name: row.get(1)?, balance: at(row, 2)?, overdraft: row.get(3)? };
        Ok(())
    })?;
    let entries = Groups::by_id(&mut entries, |sum: &mut Delta, row| add(sum, at(row, 1)?))?;
    let mut found = Vec::new();
    side_by_side(accounts, entries, |id, cached, derived| {
        // Entries without an account are the foreign keys' finding.
        let Some(Cached { name, balance, overdraft }) = cached else { return Ok(()) };
        let sum = derived.unwrap_or_default();
        if balance != sum {
            found.push(format!("account {id} ({name}) holds {balance}, its entries sum to {sum}"));
        }
        if sum.is_negative() && !overdraft {
            found.push(format!("account {id} ({name}) is below zero: {sum}"));
        }
        Ok(())
    })?;
    Ok(found)
}
