//! Farmers: the custodial accounts that plant, their pooler, terms and status.

pub mod enrol;
pub mod poolers;
pub mod reward_split;
pub mod status;

use self::poolers::Pooler;
use self::reward_split::{ONE_PPM, ratio};
use self::status::Status;
use crate::alerts::{LOST, NOT_READY};
use crate::contract::address::{account, shown};
use crate::strategy::{Strategy, Term};
use base::{Code, Error, Result, counted, say};
use rusqlite::{Connection, params};
use serde_json::{Map, Value, json};
use state::alert::{self, Subject};
use state::columns::{maybe_at, only};
use state::rows::Row;
use state::{Named, Tx, check_words, resolve, rows};
use std::collections::HashMap;
use uuid::Uuid;

/// A farmer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farmer {
    /// UUID.
    pub id: String,
    /// Its account, `G…`.
    pub address: String,
    /// Id of its pooler.
    pub pooler_id: String,
    /// Name of its pooler.
    pub pooler: String,
    /// Where it is in its life.
    pub status: Status,
    /// The part of its balance that is staked, in millionths.
    pub stake_percentage_ppm: u32,
    /// Where its proceeds go, if not to itself.
    pub payout: Option<String>,
    /// When it was registered, seconds since 1970.
    pub added_at: i64,
    /// Since when it has its status.
    pub status_at: i64,
    /// What it is farmed by, where that is not as for all.
    pub strategy: Strategy,
    /// The operator's name for it.
    pub name: Option<String>,
}

const FARMER: &str =
    "SELECT f.id, f.address, f.name, f.pooler_id, p.name AS pooler, f.status, f.stake_percentage_ppm, f.payout_address,
         f.added_at, f.status_at, s.target_zeros, s.min_work_sec, s.harvest_only, s.min_stake, s.max_stake
     FROM farmers f JOIN poolers p ON p.id = f.pooler_id LEFT JOIN farmer_strategies s ON s.farmer_id = f.id";

fn read(row: &Row<'_>) -> Result<Farmer> {
    let id: String = row.get("id")?;
    Ok(Farmer {
        status: Status::stored(&row.get::<_, String>("status")?, &id)?,
        id,
        address: row.get("address")?,
        pooler_id: row.get("pooler_id")?,
        pooler: row.get("pooler")?,
        stake_percentage_ppm: row.get("stake_percentage_ppm")?,
        payout: row.get("payout_address")?,
        added_at: row.get("added_at")?,
        status_at: row.get("status_at")?,
        strategy: strategy_in(row)?,
        name: row.get("name")?,
    })
}

/// The terms in a row with the columns of `farmer_strategies`; all NULL where the farmer has none.
fn strategy_in(row: &Row<'_>) -> Result<Strategy> {
    Ok(state::from_row!(row => Strategy { target_zeros, min_work_sec, harvest_only } and {
        min_stake: maybe_at(row, "min_stake")?,
        max_stake: maybe_at(row, "max_stake")?,
        stake: None,
    }))
}

/// The id of a farmer by its name, its address, its id, or the beginning of one of these two.
pub fn find_id(conn: &Connection, name: &str) -> Result<String> {
    resolve(conn, Named::Farmer, name)
}

/// A farmer by what [`find_id`] takes.
pub fn find(conn: &Connection, name: &str) -> Result<Farmer> {
    by_id(conn, &find_id(conn, name)?)
}

/// A farmer by its id. `unknown_farmer` where it is gone.
pub fn by_id(conn: &Connection, id: &str) -> Result<Farmer> {
    look_up(conn, id)?.ok_or_else(|| Error::new(Code::UnknownFarmer, format!("no farmer {}", shown(id))))
}

/// A farmer by its whole id or address, where there may be none.
pub fn look_up(conn: &Connection, name: &str) -> Result<Option<Farmer>> {
    rows::first(conn, &format!("{FARMER} WHERE f.id = ?1 OR f.address = ?1"), [name], read)
}

/// All farmers in the order in which they came, those of one pooler or status if that is given.
pub fn list(conn: &Connection, pooler: Option<&Pooler>, status: Option<Status>) -> Result<Vec<Farmer>> {
    let sql = format!(
        "{FARMER} WHERE (?1 IS NULL OR f.pooler_id = ?1) AND (?2 IS NULL OR f.status = ?2) ORDER BY f.added_at, f.id"
    );
    let of = params![pooler.map(|pooler| &pooler.id), status.map(Status::as_str)];
    rows::all(conn, &sql, of, read)
}

/// Whether there are farmers that have not departed.
pub fn any(conn: &Connection) -> Result<bool> {
    rows::one(conn, "SELECT EXISTS (SELECT 1 FROM farmers WHERE status <> 'departed')", [])
}

/// What a farmer joins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    /// Name or id of its pooler.
    pub pooler: String,
    /// The part of its balance that is staked, in millionths.
    pub stake_percentage_ppm: u32,
    /// Where its proceeds go, if not to itself.
    pub payout: Option<String>,
    /// The operator's name for it.
    pub name: Option<String>,
}

impl Joining {
    /// Whether the farmer that is there joined with just this.
    pub fn is(&self, farmer: &Farmer) -> bool {
        (self.pooler == farmer.pooler || self.pooler == farmer.pooler_id)
            && self.stake_percentage_ppm == farmer.stake_percentage_ppm
            && self.payout == farmer.payout
            && self.name.as_ref().is_none_or(|name| Some(name) == farmer.name.as_ref())
    }

    /// Checks all that can be known without a key; returns the pooler.
    /// `unknown_pooler`, `pooler_full`, `invalid_weight`, `invalid_address`, `invalid_value`, `conflict`.
    pub fn check(&self, conn: &Connection) -> Result<Pooler> {
        check_terms(self.stake_percentage_ppm, self.payout.as_deref())?;
        self.name.as_deref().map_or(Ok(()), |name| check_free(conn, name, None))?;
        let pooler = poolers::find(conn, &self.pooler)?;
        check_room(&pooler)?;
        Ok(pooler)
    }
}

fn check_terms(stake_percentage_ppm: u32, payout: Option<&str>) -> Result<()> {
    if stake_percentage_ppm > ONE_PPM {
        return Err(Error::field(Code::InvalidWeight, "stake-percentage", "is above 1, the whole balance"));
    }
    payout.map_or(Ok(()), |payout| account("payout", payout).map(|_| ()))
}

/// Refuses what is no name for a farmer, or that of another one than the one of this id.
fn check_free(conn: &Connection, name: &str, of: Option<&str>) -> Result<()> {
    check_words("name", name)?;
    let sql = "SELECT id FROM farmers WHERE name = ?1 AND id IS NOT ?2";
    match rows::value::<String>(conn, sql, params![name, of])? {
        None => Ok(()),
        Some(other) => {
            let why = format!("the name {} is taken by farmer {other}", shown(name));
            Err(Error::new(Code::Conflict, why).hint(say("see it with: ").run("farmer show").of(other)))
        }
    }
}

fn check_room(pooler: &Pooler) -> Result<()> {
    if pooler.farmers < pooler.capacity {
        return Ok(());
    }
    let Pooler { name, farmers, capacity, .. } = pooler;
    let why = format!("pooler \"{name}\" is full: it has {farmers} of {capacity} farmers");
    Err(Error::new(Code::PoolerFull, why)
        .hint(say("choose another pooler, or make one with: ").run("pooler add").of("NAME"))
        .detail("pooler", pooler.name.as_str()))
}

/// Refuses to take in again, on other terms, who is there.
pub fn check_same(there: &Farmer, joining: &Joining) -> Result<()> {
    if joining.is(there) {
        return Ok(());
    }
    let Farmer { address, id, pooler, status, .. } = there;
    let stake = ratio(there.stake_percentage_ppm);
    let why =
        format!("{address} is farmer {id} already: pooler \"{pooler}\", stake percentage {stake}, {status}");
    Err(Error::new(Code::Conflict, why)
        .hint(say("change it with: ").run("farmer set").of(&there.id).of("…"))
        .detail("farmer", there.id.as_str()))
}

/// Records the farmer of an address; true where it is new. The same again changes nothing.
/// `conflict` for one that is there on other terms.
pub fn add(tx: &Tx<'_>, address: &str, joining: &Joining) -> Result<(Farmer, bool)> {
    let address = account("ADDRESS", address)?;
    if let Some(there) = look_up(tx.conn(), &address)? {
        check_same(&there, joining)?;
        return Ok((there, false));
    }
    let pooler = joining.check(tx.conn())?;
    let id = Uuid::new_v4().to_string();
    let (status, stake) = (Status::WalletCreated.as_str(), joining.stake_percentage_ppm);
    tx.conn().execute(
        "INSERT INTO farmers (id, address, pooler_id, status, stake_percentage_ppm, payout_address, added_at, status_at, name)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8)",
        params![id, address, pooler.id, status, stake, joining.payout, tx.now(), joining.name],
    )?;
    let facts = json!({
        "address": address, "pooler": pooler.name, "stake_percentage": ratio(stake), "payout": joining.payout,
        "name": joining.name,
    });
    tx.event("farmer.registered", &id, &facts)?;
    Ok((by_id(tx.conn(), &id)?, true))
}

/// What is to change; `None` leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The part of its balance that is staked, in millionths.
    pub stake_percentage_ppm: Option<u32>,
    /// Where its proceeds go; `Some(None)` = to itself.
    pub payout: Option<Option<String>>,
    /// Name or id of another pooler.
    pub pooler: Option<String>,
    /// Another status.
    pub status: Option<Status>,
    /// Terms of its own.
    pub terms: Vec<Term>,
    /// The operator's name for it; `Some(None)` = none.
    pub name: Option<Option<String>>,
}

/// Changes a farmer; true where anything changed.
/// `conflict` for a step that its life does not have, `unsettled` for a departure or a move with stakes or transactions out.
pub fn change(tx: &Tx<'_>, name: &str, change: &Change) -> Result<(Farmer, bool)> {
    let before = find(tx.conn(), name)?;
    let mut after = before.clone();
    let mut facts = Map::new();
    let mut note = |what: &str, old: Value, new: Value| {
        facts.insert(what.to_owned(), json!({ "old": old, "new": new }));
    };
    if let Some(stake) = change.stake_percentage_ppm.filter(|stake| *stake != before.stake_percentage_ppm) {
        note("stake_percentage", ratio(before.stake_percentage_ppm).into(), ratio(stake).into());
        after.stake_percentage_ppm = stake;
    }
    if let Some(payout) = change.payout.as_ref().filter(|payout| **payout != before.payout) {
        note("payout", json!(before.payout), json!(payout));
        after.payout.clone_from(payout);
    }
    if let Some(name) = change.name.as_ref().filter(|name| **name != before.name) {
        name.as_deref().map_or(Ok(()), |name| check_free(tx.conn(), name, Some(&before.id)))?;
        note("name", json!(before.name), json!(name));
        after.name.clone_from(name);
    }
    check_terms(after.stake_percentage_ppm, after.payout.as_deref())?;
    change.terms.iter().for_each(|term| after.strategy.set(*term));
    let of_both = |e: Error| e.context(format!("farmer {}, by its terms as they would be", before.address));
    after.strategy.check().map_err(of_both)?;
    for ((what, old), (_, new)) in before.strategy.words().into_iter().zip(after.strategy.words()) {
        if old != new {
            note(what, json!(old), json!(new));
        }
    }
    if let Some(pooler) = &change.pooler {
        let pooler = poolers::find(tx.conn(), pooler)?;
        if pooler.id != before.pooler_id {
            check_room(&pooler)?;
            // Whoever works for the one would go on with what the other began.
            nothing_out(tx.conn(), &before, "moves")?;
            note("pooler", before.pooler.as_str().into(), pooler.name.as_str().into());
            (after.pooler_id, after.pooler) = (pooler.id, pooler.name);
        }
    }
    if let Some(status) = change.status.filter(|status| *status != before.status) {
        check_step(tx.conn(), &before, status)?;
        note("status", before.status.as_str().into(), status.as_str().into());
        (after.status, after.status_at) = (status, tx.now());
    }
    if facts.is_empty() {
        return Ok((before, false));
    }
    let (status, stake) = (after.status.as_str(), after.stake_percentage_ppm);
    tx.conn().execute(
        "UPDATE farmers SET pooler_id = ?2, status = ?3, stake_percentage_ppm = ?4, payout_address = ?5, status_at = ?6,
             name = ?7 WHERE id = ?1",
        params![after.id, after.pooler_id, status, stake, after.payout, after.status_at, after.name],
    )?;
    if after.strategy != before.strategy {
        set_strategy(tx, &after.id, &after.strategy)?;
    }
    tx.event("farmer.changed", &after.id, &Value::Object(facts))?;
    if after.status != Status::Active {
        // Nothing is to be staked for it.
        alert::edge(tx, Subject::Farm(&after.id), NOT_READY, None)?;
        // No later stake comes back for one that leaves; the loss stands in its harvests.
        alert::edge(tx, Subject::Farm(&after.id), LOST, None)?;
    }
    Ok((after, true))
}

fn check_step(conn: &Connection, farmer: &Farmer, next: Status) -> Result<()> {
    if !farmer.status.may_become(next) {
        let why = format!("farmer {} is {}: it cannot become {next}", farmer.id, farmer.status);
        return Err(Error::new(Code::Conflict, why)
            .hint("wallet_created → funded → active → leaving → departed; leaving may go back to active"));
    }
    if next == Status::Departed { nothing_out(conn, farmer, "departs") } else { Ok(()) }
}

/// Refuses what a farmer `does` only when nothing of it is out.
fn nothing_out(conn: &Connection, farmer: &Farmer, does: &str) -> Result<()> {
    let stakes: i64 = conn.query_row(
        "SELECT count(*) FROM plantings p WHERE p.farmer_id = ?1 AND p.outcome = 'planted'
         AND NOT EXISTS (SELECT 1 FROM harvests h WHERE h.farmer_id = p.farmer_id
             AND h.block_index = p.block_index AND h.outcome <> 'failed')
         AND NOT EXISTS (SELECT 1 FROM pooler_compensations c WHERE c.farmer_id = p.farmer_id
             AND c.block_index = p.block_index)",
        [&farmer.id],
        only,
    )?;
    if stakes > 0 {
        let why = format!(
            "farmer {} has {} neither harvested nor recorded as lost",
            farmer.id,
            counted(stakes, "plant")
        );
        let hint = say(format!("it {does} when they are back: ")).run("harvest");
        return Err(Error::new(Code::Unsettled, why).hint(hint).detail("plants", stakes));
    }
    match outbox::open(conn)?.into_iter().find(|operation| operation.subject == farmer.id) {
        None => Ok(()),
        Some(operation) => {
            let why = format!("farmer {} has a transaction under way: {}", farmer.id, operation.key);
            Err(Error::new(Code::Unsettled, why)
                .hint(say(format!("it {does} when that is settled: ")).run("operations settle")))
        }
    }
}

/// Every farmer's own terms, by id.
pub fn strategies(conn: &Connection) -> Result<HashMap<String, Strategy>> {
    let sql = "SELECT farmer_id, target_zeros, min_work_sec, harvest_only, min_stake, max_stake FROM farmer_strategies";
    rows::all(conn, sql, [], |row| Ok((row.get("farmer_id")?, strategy_in(row)?)))
}

fn set_strategy(tx: &Tx<'_>, farmer: &str, terms: &Strategy) -> Result<()> {
    let Strategy { target_zeros, min_work_sec, harvest_only, min_stake, max_stake, .. } = terms;
    let [least, most] = [min_stake, max_stake].map(|stake| stake.map(|stroops| stroops.to_string()));
    tx.conn().execute(
        "INSERT OR REPLACE INTO farmer_strategies
             (farmer_id, target_zeros, min_work_sec, harvest_only, min_stake, max_stake)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![farmer, target_zeros, min_work_sec, harvest_only, least, most],
    )?;
    Ok(())
}
