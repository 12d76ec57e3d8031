//! Members: addresses that hold shares, or that the operator named.

use super::store::Pool;
use alloy::primitives::Address;
use base::amount::Base;
use base::{Code, Error, Result};
use rusqlite::{Connection, params};
use serde_json::json;
use state::columns::at;
use state::rows::Row;
use state::{Named, Tx, check_words, resolve, rows};

/// Purpose of the ledger account with what a member has and was not yet paid out.
pub const AVAILABLE: &str = "available";

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Row id; ties in a split go to the lower one.
    pub id: i64,
    /// The holder's address.
    pub address: Address,
    /// The operator's name for it.
    pub name: Option<String>,
}

impl Member {
    /// The name, or the address where there is none.
    pub fn shown(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.address.to_string())
    }
}

/// A member by its name, its address or the beginning of that.
pub fn find_member(conn: &Connection, name: &str) -> Result<Member> {
    let id: i64 = resolve(conn, Named::Member, name)?;
    let missing = || Error::corrupt(format!("there is no member with the row id {id}"));
    rows::first(conn, "SELECT id, address, name FROM members WHERE id = ?1", [id], read)?.ok_or_else(missing)
}

fn read(row: &Row<'_>) -> Result<Member> {
    Ok(Member { id: row.get("id")?, address: at(row, "address")?, name: row.get("name")? })
}

/// Members by id, the first `limit` after `after`.
pub fn list_members(conn: &Connection, after: i64, limit: u32) -> Result<Vec<Member>> {
    let sql = "SELECT id, address, name FROM members WHERE id > ?1 ORDER BY id LIMIT ?2";
    rows::all(conn, sql, params![after, limit], read)
}

/// How many members there are; `None` where they are too many to count.
pub fn member_count(conn: &Connection) -> Result<Option<u64>> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM members LIMIT ?1)";
    rows::count(conn, sql, [rows::UNCOUNTED])
}

/// A member's part of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who.
    pub member: Member,
    /// Share base units.
    pub shares: Base,
}

/// The holders of a pool, the largest first: `limit` of them, behind one who has so many shares and this row id.
pub fn holders(
    conn: &Connection,
    pool: &Pool,
    after: Option<(Base, i64)>,
    limit: u32,
) -> Result<Vec<Holder>> {
    // Digits without leading zeros are in the order of their numbers: first by length, then as texts.
    let sql = "SELECT m.id, m.address, m.name, s.shares FROM user_pool_shares s JOIN members m ON m.id = s.member_id
         WHERE s.pool_id = ?1 AND s.shares <> '0'
             AND (?2 IS NULL OR (length(s.shares), s.shares, -m.id) < (length(?2), ?2, -?3))
         ORDER BY length(s.shares) DESC, s.shares DESC, m.id LIMIT ?4";
    let (shares, id) = after.unzip();
    let values = params![pool.id, shares.map(|shares| shares.to_string()), id, limit];
    rows::all(conn, sql, values, |row| Ok(Holder { member: read(row)?, shares: at(row, "shares")? }))
}

/// Refuses what is no name for a member, or another one's.
fn check_member_name(conn: &Connection, address: Address, name: &str) -> Result<()> {
    check_words("name", name)?;
    let holder: Option<String> = rows::value(conn, "SELECT address FROM members WHERE name = ?1", [name])?;
    match holder.filter(|other| *other != address.to_string()) {
        None => Ok(()),
        Some(other) => {
            let why = format!("the name \"{name}\" is taken by member {other}");
            Err(Error::new(Code::Conflict, why))
        }
    }
}

/// Names a member, known or new; `conflict` where another one has the name. Returns it and whether anything changed.
pub fn add_member(tx: &Tx<'_>, address: Address, name: Option<&str>) -> Result<(Member, bool)> {
    name.map_or(Ok(()), |name| check_member_name(tx.conn(), address, name))?;
    let text = address.to_string();
    let sql = "SELECT id, address, name FROM members WHERE address = ?1";
    let known: Option<Member> = rows::first(tx.conn(), sql, [&text], read)?;
    match (known, name) {
        (Some(member), None) => Ok((member, false)),
        (Some(member), Some(name)) => rename_member(tx, &member, name),
        (None, _) => {
            tx.conn().execute(
                "INSERT INTO members (address, name, added_at) VALUES (?1, ?2, ?3)",
                params![text, name, tx.now()],
            )?;
            let id = tx.conn().last_insert_rowid();
            tx.event("member.added", &text, &json!({ "name": name }))?;
            Ok((Member { id, address, name: name.map(str::to_owned) }, true))
        }
    }
}

/// Gives a member another name; `conflict` where another one has it. Returns it and whether anything changed.
pub fn rename_member(tx: &Tx<'_>, member: &Member, name: &str) -> Result<(Member, bool)> {
    check_member_name(tx.conn(), member.address, name)?;
    // As it is called now.
    let old: Option<String> = rows::one(tx.conn(), "SELECT name FROM members WHERE id = ?1", [member.id])?;
    let changed = old.as_deref() != Some(name);
    if changed {
        rows::run(tx.conn(), "UPDATE members SET name = ?2 WHERE id = ?1", params![member.id, name])?;
        tx.event("member.named", &member.address.to_string(), &json!({ "old": old, "new": name }))?;
    }
    Ok((Member { name: Some(name.to_owned()), ..member.clone() }, changed))
}

/// Shares of a member, pool by pool, zeros left out.
pub fn member_pools(conn: &Connection, member: &Member, pools: &[Pool]) -> Result<Vec<(i64, Base)>> {
    let mut found = Vec::new();
    let sql = "SELECT pool_id, shares FROM user_pool_shares WHERE member_id = ?1 AND shares <> '0' ORDER BY pool_id";
    rows::each(conn, sql, [member.id], |row| {
        let id: i64 = row.get("pool_id")?;
        if pools.iter().any(|pool| pool.id == id) {
            found.push((id, at(row, "shares")?));
        }
        Ok(())
    })?;
    Ok(found)
}
