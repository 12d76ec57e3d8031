//! Poolers: who works for a group of farmers, on what terms, and for how many.

use super::reward_split::{RewardSplit, ratio};
use crate::contract::address::shown;
use base::{Code, Error, Result, say};
use rusqlite::{Connection, Row, params};
use serde_json::json;
use state::{Tx, rows};
use uuid::Uuid;

/// A pooler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pooler {
    /// UUID.
    pub id: String,
    /// The operator's name for it.
    pub name: String,
    /// Most farmers that it takes.
    pub capacity: u32,
    /// How its farmers' rewards are shared out.
    pub terms: RewardSplit,
    /// When it was added, seconds since 1970.
    pub added_at: i64,
    /// When it last worked.
    pub last_seen_at: Option<i64>,
    /// Its farmers, without those who have departed.
    pub farmers: u32,
}

const POOLER: &str = "SELECT p.id, p.name, p.capacity, p.reward_split_ppm, p.platform_fee_ppm, p.added_at,
         p.last_seen_at, (SELECT count(*) FROM farmers f WHERE f.pooler_id = p.id AND f.status <> 'departed') AS farmers
     FROM poolers p";

fn read(row: &Row<'_>) -> Result<Pooler> {
    Ok(state::from_row!(row => Pooler { id, name, capacity, added_at, last_seen_at, farmers } and {
        terms: RewardSplit::new(row.get("reward_split_ppm")?, row.get("platform_fee_ppm")?)?,
    }))
}

/// A name as it may stand in commands, files and metrics.
pub fn check_name(flag: &str, name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = !name.is_empty()
        && name.len() <= 64
        && name.chars().all(plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        // So that a name is never taken for an id.
        && Uuid::try_parse(name).is_err();
    if good {
        return Ok(());
    }
    Err(Error::new(Code::InvalidValue, format!("{flag}: invalid name: {}", shown(name))).hint(
        "a name is 1 to 64 letters, digits, dots, dashes and underscores, and begins with a letter or digit",
    ))
}

/// A pooler by name or id. `unknown_pooler` where there is none.
pub fn find(conn: &Connection, name: &str) -> Result<Pooler> {
    if let Some(found) = rows::first(conn, &format!("{POOLER} WHERE p.name = ?1 OR p.id = ?1"), [name], read)?
    {
        return Ok(found);
    }
    let names: Vec<String> = list(conn)?.into_iter().map(|pooler| pooler.name).collect();
    let e = Error::new(Code::UnknownPooler, format!("no pooler {}", shown(name)));
    Err(match config::keys::nearest(name, names.iter().map(String::as_str)) {
        Some(near) => e.hint(format!("did you mean \"{near}\"?")),
        None if names.is_empty() => {
            e.hint(say("there is no pooler yet; add one with: ").run("pooler add").of("NAME"))
        }
        None => e.hint(say("see them with: ").run("pooler list")),
    })
}

/// All poolers by name.
pub fn list(conn: &Connection) -> Result<Vec<Pooler>> {
    rows::all(conn, &format!("{POOLER} ORDER BY p.name"), [], read)
}

/// Adds a pooler; true where it is new. The same again changes nothing.
/// `conflict` for one of that name on other terms.
pub fn add(tx: &Tx<'_>, name: &str, capacity: u32, terms: RewardSplit) -> Result<(Pooler, bool)> {
    check_name("NAME", name)?;
    match find(tx.conn(), name) {
        Ok(there) if there.capacity == capacity && there.terms == terms => return Ok((there, false)),
        Ok(there) => {
            let (split, fee) = (ratio(there.terms.reward_split_ppm()), ratio(there.terms.platform_fee_ppm()));
            let why = format!(
                "pooler \"{name}\" exists already, with capacity {}, reward split {split} and platform fee {fee}",
                there.capacity
            );
            return Err(Error::new(Code::Conflict, why).hint(
                "terms that farmers joined on do not change; make a pooler of another name and move them",
            ));
        }
        Err(e) if e.code() == Code::UnknownPooler => {}
        Err(e) => return Err(e),
    }
    let id = Uuid::new_v4().to_string();
    let (split, fee) = (terms.reward_split_ppm(), terms.platform_fee_ppm());
    tx.conn().execute(
        "INSERT INTO poolers (id, name, capacity, reward_split_ppm, platform_fee_ppm, added_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![id, name, capacity, split, fee, tx.now()],
    )?;
    let facts = json!({
        "name": name, "capacity": capacity, "reward_split": ratio(split), "platform_fee": ratio(fee),
    });
    tx.event("pooler.added", &id, &facts)?;
    Ok((find(tx.conn(), &id)?, true))
}
