//! Correcting a pool: its name, and what it was added with.

use super::store::{Pool, by_id};
use base::{Code, Error, Result, say};
use rusqlite::params;
use serde_json::{Map, Value, json};
use state::columns::db_block;
use state::{Tx, check_name, rows};

/// What is to change; `None` leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetPool {
    /// Fall of the rate that is an alert, in millionths.
    pub max_rate_drop_ppm: Option<u32>,
    /// What its asset is called, by every pool of that asset.
    pub symbol: Option<String>,
    /// First epoch start for rewards, as long as they have not begun.
    pub reward_genesis: Option<u64>,
}

/// Changes a pool; `conflict` for the first block of rewards that have begun. Returns it and whether anything changed.
pub fn set(tx: &Tx<'_>, id: i64, change: &SetPool) -> Result<(Pool, bool)> {
    let before = by_id(tx.conn(), id)?;
    let mut facts = Map::new();
    let mut note = |what: &str, old: Value, new: Value| {
        facts.insert(what.to_owned(), json!({ "old": old, "new": new }));
    };
    if let Some(ppm) = change.max_rate_drop_ppm.filter(|ppm| *ppm != before.max_rate_drop_ppm) {
        rows::run(tx.conn(), "UPDATE pools SET max_rate_drop_ppm = ?2 WHERE id = ?1", params![id, ppm])?;
        note("max_rate_drop_ppm", before.max_rate_drop_ppm.into(), ppm.into());
    }
    if let Some(symbol) = change.symbol.as_ref().filter(|symbol| **symbol != before.asset.symbol) {
        let address = before.asset.address.to_string();
        rows::run(tx.conn(), "UPDATE assets SET symbol = ?2 WHERE address = ?1", params![address, symbol])?;
        note("symbol", before.asset.symbol.as_str().into(), symbol.as_str().into());
    }
    if let Some(block) = change.reward_genesis.filter(|block| Some(*block) != before.reward_genesis) {
        if let Some(begun) = before.reward_cursor.and(before.reward_genesis) {
            let why = format!("rewards of pool \"{}\" began at block {begun} already", before.name);
            return Err(Error::field(Code::Conflict, "reward-genesis-block", why)
                .hint("what was paid is not counted anew; leave it out"));
        }
        let sql = "UPDATE pools SET reward_genesis_block = ?2 WHERE id = ?1";
        rows::run(tx.conn(), sql, params![id, db_block(block)?])?;
        note("reward_genesis_block", json!(before.reward_genesis), block.into());
    }
    if facts.is_empty() {
        return Ok((before, false));
    }
    tx.event("pool.changed", &before.name, &Value::Object(facts))?;
    Ok((by_id(tx.conn(), id)?, true))
}

/// Gives a pool another name; `conflict` where another one has it. Returns it and whether anything changed.
pub fn rename(tx: &Tx<'_>, id: i64, name: &str) -> Result<(Pool, bool)> {
    check_name("NAME", name)?;
    let before = by_id(tx.conn(), id)?;
    if before.name == name {
        return Ok((before, false));
    }
    let sql = "SELECT address FROM pools WHERE name = ?1";
    if let Some(other) = rows::value::<String>(tx.conn(), sql, [name])? {
        let why = format!("the name \"{name}\" is taken by the pool at {other}");
        return Err(Error::new(Code::Conflict, why).hint(say("see it with: ").run("pool show").of(name)));
    }
    rows::run(tx.conn(), "UPDATE pools SET name = ?2 WHERE id = ?1", params![id, name])?;
    // Under its old name: the last that is said of that.
    tx.event("pool.renamed", &before.name, &json!({ "new": name, "address": before.address.to_string() }))?;
    Ok((by_id(tx.conn(), id)?, true))
}
