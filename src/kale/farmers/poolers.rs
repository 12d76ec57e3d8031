//! Poolers: who works for a group of farmers, on what terms, and for how many.

use super::reward_split::{RewardSplit, ratio};
use base::{Code, Error, Result, counted, say};
use rusqlite::{Connection, params};
use serde_json::{Map, Value, json};
use state::rows::Row;
use state::{Named, Tx, check_name, resolve, rows};
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

/// A pooler by its name, its id or the beginning of that. `unknown_pooler` where there is none.
pub fn find(conn: &Connection, name: &str) -> Result<Pooler> {
    let id: String = resolve(conn, Named::Pooler, name)?;
    let missing = || Error::corrupt(format!("there is no pooler {id}"));
    rows::first(conn, &format!("{POOLER} WHERE p.id = ?1"), [&id], read)?.ok_or_else(missing)
}

/// The pooler of this name, if there is one.
fn named(conn: &Connection, name: &str) -> Result<Option<Pooler>> {
    rows::first(conn, &format!("{POOLER} WHERE p.name = ?1"), [name], read)
}

/// All poolers by name.
pub fn list(conn: &Connection) -> Result<Vec<Pooler>> {
    rows::all(conn, &format!("{POOLER} ORDER BY p.name"), [], read)
}

/// Adds a pooler; true where it is new. The same again changes nothing.
/// `conflict` for one of that name on other terms.
pub fn add(tx: &Tx<'_>, name: &str, capacity: u32, terms: RewardSplit) -> Result<(Pooler, bool)> {
    check_name("NAME", name)?;
    match named(tx.conn(), name)? {
        Some(there) if there.capacity == capacity && there.terms == terms => return Ok((there, false)),
        Some(there) => {
            let (split, fee) = (ratio(there.terms.reward_split_ppm()), ratio(there.terms.platform_fee_ppm()));
            let why = format!(
                "pooler \"{name}\" exists already, with capacity {}, reward split {split} and platform fee {fee}",
                there.capacity
            );
            return Err(
                Error::new(Code::Conflict, why).hint(say("change it with: ").run("pooler set").of(name))
            );
        }
        None => {}
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

/// What is to change; `None` leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetPooler {
    /// The operator's name for it.
    pub name: Option<String>,
    /// Most farmers that it takes.
    pub capacity: Option<u32>,
    /// The pooler's part of each reward, in millionths.
    pub reward_split_ppm: Option<u32>,
    /// The operator's part of each reward, in millionths.
    pub platform_fee_ppm: Option<u32>,
}

/// Changes a pooler. Returns it and whether anything changed.
/// `conflict` for a name that another one has, fewer places than it has farmers, and terms that farmers have joined on.
pub fn set(tx: &Tx<'_>, name: &str, change: &SetPooler) -> Result<(Pooler, bool)> {
    let before = find(tx.conn(), name)?;
    let mut after = before.clone();
    let mut facts = Map::new();
    let mut note = |what: &str, old: Value, new: Value| {
        facts.insert(what.to_owned(), json!({ "old": old, "new": new }));
    };
    if let Some(name) = change.name.as_ref().filter(|name| **name != before.name) {
        check_name("name", name)?;
        if named(tx.conn(), name)?.is_some() {
            let why = format!("the name \"{name}\" is taken by another pooler");
            return Err(Error::new(Code::Conflict, why).hint(say("see them with: ").run("pooler list")));
        }
        note("name", before.name.as_str().into(), name.as_str().into());
        after.name.clone_from(name);
    }
    if let Some(capacity) = change.capacity.filter(|capacity| *capacity != before.capacity) {
        if capacity < before.farmers {
            let why = format!("pooler \"{}\" has {} already", before.name, counted(before.farmers, "farmer"));
            return Err(Error::field(Code::Conflict, "capacity", why).hint(
                say("move some to another one: ").run("farmer set").of("FARMER").with("pooler").of("NAME"),
            ));
        }
        note("capacity", before.capacity.into(), capacity.into());
        after.capacity = capacity;
    }
    let [split, fee] = [before.terms.reward_split_ppm(), before.terms.platform_fee_ppm()];
    after.terms =
        RewardSplit::new(change.reward_split_ppm.unwrap_or(split), change.platform_fee_ppm.unwrap_or(fee))?;
    if after.terms != before.terms {
        let had: bool = rows::one(
            tx.conn(),
            "SELECT EXISTS (SELECT 1 FROM farmers WHERE pooler_id = ?1)
                 OR EXISTS (SELECT 1 FROM block_operations WHERE pooler_id = ?1)",
            [&before.id],
        )?;
        if had {
            let why =
                format!("farmers have joined pooler \"{}\" on its terms: these do not change", before.name);
            return Err(Error::new(Code::Conflict, why)
                .hint(say("make a pooler of another name, and move them: ").run("pooler add").of("NAME")));
        }
        let ratios = |terms: RewardSplit| [terms.reward_split_ppm(), terms.platform_fee_ppm()].map(ratio);
        note("terms", json!(ratios(before.terms)), json!(ratios(after.terms)));
    }
    if facts.is_empty() {
        return Ok((before, false));
    }
    let (split, fee) = (after.terms.reward_split_ppm(), after.terms.platform_fee_ppm());
    rows::run(
        tx.conn(),
        "UPDATE poolers SET name = ?2, capacity = ?3, reward_split_ppm = ?4, platform_fee_ppm = ?5 WHERE id = ?1",
        params![after.id, after.name, after.capacity, split, fee],
    )?;
    tx.event("pooler.changed", &after.id, &Value::Object(facts))?;
    Ok((after, true))
}
