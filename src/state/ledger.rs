//! Double entry: every movement sums to zero per asset, and each account's cached balance moves with it.

use crate::columns::at;
use crate::rows;
use base::amount::Delta;
use base::{Code, Error, Result, say};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use strum::{Display, EnumString, IntoStaticStr, VariantNames};

/// Who owns an account.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Display, EnumString, IntoStaticStr, VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum OwnerKind {
    /// A member of an EVM pool, by address.
    Member,
    /// An EVM pool, by address.
    Pool,
    /// A KALE farmer, by id.
    Farmer,
    /// A KALE pooler, by id.
    Pooler,
    /// The operator.
    Operator,
    /// The other side of a movement on chain.
    Chain,
}

crate::stored_as_word!(OwnerKind);

/// An account, by what makes it unique. It is opened on first use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// Kind of owner.
    pub owner_kind: OwnerKind,
    /// Address or id of the owner.
    pub owner: String,
    /// What the money is for: `available`, `reward_payable`, `emission`.
    pub purpose: &'static str,
    /// Asset address or code.
    pub asset: String,
    /// A source of money may go below zero; a holding may not.
    pub overdraft: bool,
}

/// One line of a ledger transaction.
#[derive(Debug, Clone)]
pub struct Line {
    /// The account.
    pub account: Account,
    /// Base units; below zero takes away.
    pub amount: Delta,
}

pub(super) fn post(conn: &Connection, event_id: i64, lines: &[Line]) -> Result<()> {
    let bug = |why: &str| Error::new(Code::Bug, format!("ledger transaction of event {event_id} {why}"));
    let mut merged: BTreeMap<&Account, Delta> = BTreeMap::new();
    let mut sums: BTreeMap<&str, Delta> = BTreeMap::new();
    for line in lines {
        for slot in [merged.entry(&line.account).or_default(), sums.entry(&line.account.asset).or_default()] {
            *slot = slot.checked_add(line.amount).ok_or_else(|| bug("passes 256 bits"))?;
        }
    }
    if let Some((asset, sum)) = sums.iter().find(|(_, sum)| !sum.is_zero()) {
        return Err(bug(&format!("does not balance: {sum} of {asset} left over")));
    }
    let moves = merged.into_iter().filter(|(_, amount)| !amount.is_zero());
    for (line, (account, amount)) in (0i64..).zip(moves) {
        let (id, balance) = find_or_open(conn, account)?;
        let balance = balance.checked_add(amount).ok_or_else(|| bug("passes 256 bits"))?;
        if balance.is_negative() && !account.overdraft {
            let why = format!(
                "account {} {} \"{}\" would hold {balance} base units of {}",
                account.owner_kind, account.owner, account.purpose, account.asset
            );
            return Err(
                Error::new(Code::State, why).hint(say("nothing was written; run: ").run("state check"))
            );
        }
        let (held, entry) =
            (params![id, balance.to_string()], params![event_id, line, id, amount.to_string()]);
        rows::run(conn, "UPDATE ledger_accounts SET balance = ?2 WHERE id = ?1", held)?;
        rows::run(conn, "INSERT INTO ledger_entries VALUES (?1, ?2, ?3, ?4)", entry)?;
    }
    Ok(())
}

const FIND: &str = "SELECT id, balance FROM ledger_accounts
     WHERE owner_kind = ?1 AND owner = ?2 AND purpose = ?3 AND asset = ?4";

fn find(conn: &Connection, account: &Account) -> Result<Option<(i64, Delta)>> {
    let Account { owner_kind, owner, purpose, asset, .. } = account;
    let values = params![owner_kind, owner, purpose, asset];
    rows::first(conn, FIND, values, |row| Ok((row.get("id")?, at(row, "balance")?)))
}

fn find_or_open(conn: &Connection, account: &Account) -> Result<(i64, Delta)> {
    if let Some(found) = find(conn, account)? {
        return Ok(found);
    }
    let Account { owner_kind, owner, purpose, asset, overdraft } = account;
    let sql = "INSERT INTO ledger_accounts (owner_kind, owner, purpose, asset, overdraft) VALUES (?1, ?2, ?3, ?4, ?5)";
    rows::run(conn, sql, params![owner_kind, owner, purpose, asset, overdraft])?;
    Ok((conn.last_insert_rowid(), Delta::default()))
}

/// The balance of one account; zero if it was never used.
pub fn balance(conn: &Connection, account: &Account) -> Result<Delta> {
    Ok(find(conn, account)?.map_or_else(Delta::default, |(_, balance)| balance))
}

/// The sum of an account's entries, which its balance should be. As many rows are read as there are entries.
pub fn derived_balance(conn: &Connection, account: &Account) -> Result<Delta> {
    let sql = "SELECT e.amount FROM ledger_accounts a JOIN ledger_entries e ON e.account_id = a.id
         WHERE a.owner_kind = ?1 AND a.owner = ?2 AND a.purpose = ?3 AND a.asset = ?4";
    let values = params![account.owner_kind, account.owner, account.purpose, account.asset];
    let mut sum = Delta::default();
    rows::each(conn, sql, values, |row| {
        let passed = || Error::new(Code::StateCorrupt, "the entries of an account pass 256 bits");
        sum = sum.checked_add(at(row, "amount")?).ok_or_else(passed)?;
        Ok(())
    })?;
    Ok(sum)
}

/// (purpose, asset, balance) of every account of a member.
pub fn member_balances(conn: &Connection, address: &str) -> Result<Vec<(String, String, Delta)>> {
    let sql = "SELECT purpose, asset, balance FROM ledger_accounts
         WHERE owner_kind = 'member' AND owner = ?1 ORDER BY purpose, asset";
    rows::all(conn, sql, [address], |row| Ok((row.get("purpose")?, row.get("asset")?, at(row, "balance")?)))
}
