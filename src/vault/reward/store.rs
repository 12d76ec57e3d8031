//! Rows of weights, schedule, emissions, epochs and rewards, and the accounts of the reward ledger.

use super::budget::Claimant;
use super::epochs::created;
use super::grid::{EmissionTerms, Epoch};
use super::timeline::Timeline;
use crate::pool::{self, Deposit, Member, Pool, Snapshot, underlying};
use base::amount::{Base, Quantity};
use base::{Code, Error, Result};
use rusqlite::{Connection, params};
use state::columns::{at, db_block};
use state::rows::Row;
use state::{Account, OwnerKind, rows};
use std::collections::{BTreeMap, HashMap};

/// The terms of emission in ascending order.
pub fn schedule(conn: &Connection) -> Result<Vec<EmissionTerms>> {
    let sql = "SELECT from_block, epoch_blocks, block_reward, asset, basis FROM reward_schedule ORDER BY from_block";
    rows::all(conn, sql, [], |row| {
        Ok(
            state::from_row!(row => EmissionTerms { from_block, epoch_blocks, asset, basis } at { block_reward }),
        )
    })
}

/// First block after the newest emission; 0 before the first.
pub fn emitted_to(conn: &Connection) -> Result<u64> {
    let sql = "SELECT end_block FROM reward_emissions ORDER BY start_block DESC LIMIT 1";
    Ok(rows::value(conn, sql, [])?.unwrap_or_default())
}

/// A pool's weight from a block on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightRow {
    /// The pool.
    pub pool_id: i64,
    /// First epoch start that it holds for.
    pub effective_block: u64,
    /// Millionths.
    pub weight_ppm: u32,
}

/// Every weight there ever was, by pool and block.
pub fn weight_rows(conn: &Connection) -> Result<Vec<WeightRow>> {
    let sql = "SELECT pool_id, effective_block, weight_ppm FROM pool_reward_weights ORDER BY pool_id, effective_block";
    rows::all(conn, sql, [], |row| {
        Ok(state::from_row!(row => WeightRow { pool_id, effective_block, weight_ppm }))
    })
}

/// The pools with a claim to emissions, by id: those whose rewards have begun and that ever had a weight.
pub fn claimants(conn: &Connection) -> Result<Vec<Claimant>> {
    let begun =
        "SELECT id, reward_genesis_block FROM pools WHERE reward_cursor_block IS NOT NULL ORDER BY id";
    let by_hand =
        "SELECT start_block, end_block FROM pool_reward_epochs WHERE pool_id = ?1 AND origin = 'manual'
         ORDER BY start_block";
    let mut weights: HashMap<i64, Vec<(u64, u32)>> = HashMap::new();
    for row in weight_rows(conn)? {
        weights.entry(row.pool_id).or_default().push((row.effective_block, row.weight_ppm));
    }
    let mut found = Vec::new();
    rows::each(conn, begun, [], |row| {
        let pool_id: i64 = row.get("id")?;
        let Some(weights) = weights.remove(&pool_id) else { return Ok(()) };
        let by_hand = rows::all(conn, by_hand, [pool_id], |epoch| {
            Ok(Epoch { start: epoch.get("start_block")?, end: epoch.get("end_block")? })
        })?;
        found.push(Claimant { pool_id, begins: row.get("reward_genesis_block")?, weights, by_hand });
        Ok(())
    })?;
    Ok(found)
}

/// First block that nothing is decided about: no weight holds from a later one, nothing is emitted, paid or replayed
/// there (a pool that was not paid yet may begin later). A setting that is made now holds from there on, however far an endpoint lags.
pub fn undecided(conn: &Connection) -> Result<u64> {
    let weight: Option<u64> = rows::one(conn, "SELECT max(effective_block) FROM pool_reward_weights", [])?;
    let place = "SELECT max(max(CASE WHEN reward_cursor_block > reward_genesis_block THEN reward_cursor_block ELSE 0 END,
                     coalesce(cursor_block + 1, 0))) FROM pools";
    Ok(weight.max(rows::one(conn, place, [])?).unwrap_or_default().max(emitted_to(conn)?))
}

/// What the emission that starts at `start` takes in of the one before.
pub fn carry_into(conn: &Connection, start: u64) -> Result<Base> {
    Ok(emission(conn, "start_block < ?1", start)?.map_or(Base::ZERO, |row| row.carry_out))
}

/// Emission of one epoch over all pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmissionRow {
    /// Block reward × blocks.
    pub emission: Base,
    /// From the epoch before, where no pool had weight.
    pub carry_in: Base,
    /// To the epoch after, for the same reason.
    pub carry_out: Base,
}

impl EmissionRow {
    /// What there is to share out.
    pub const fn total(&self) -> Base {
        self.emission.saturating_add(self.carry_in)
    }
}

/// The emission row of an epoch start.
pub fn emission_at(conn: &Connection, start: u64) -> Result<Option<EmissionRow>> {
    emission(conn, "start_block = ?1", start)
}

fn emission(conn: &Connection, clause: &str, start: u64) -> Result<Option<EmissionRow>> {
    let sql = format!(
        "SELECT emission, carry_in, carry_out FROM reward_emissions WHERE {clause}
         ORDER BY start_block DESC LIMIT 1"
    );
    rows::first(conn, &sql, [db_block(start)?], read_emission)
}

/// An emission by its three amounts.
pub(super) fn read_emission(row: &Row<'_>) -> Result<EmissionRow> {
    Ok(EmissionRow {
        emission: at(row, "emission")?,
        carry_in: at(row, "carry_in")?,
        carry_out: at(row, "carry_out")?,
    })
}

/// Rewards of a member by asset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// To be claimed.
    pub unclaimed: Vec<Quantity>,
    /// Claimed so far.
    pub claimed: Vec<Quantity>,
    /// In Merkle trees, to be claimed on chain.
    pub exported: Vec<Quantity>,
}

/// The rewards of a member, in one pool or in all.
pub fn totals_of(conn: &Connection, member_id: i64, pool_id: Option<i64>) -> Result<Totals> {
    let sql = "SELECT e.asset, a.symbol, a.decimals, r.claimed_at IS NOT NULL AS claimed,
             x.epoch_id IS NOT NULL AS exported, r.amount
         FROM pool_rewards r LEFT JOIN pool_reward_epochs e ON e.id = r.epoch_id
         LEFT JOIN assets a ON a.address = e.asset LEFT JOIN reward_exports x ON x.epoch_id = r.epoch_id
         WHERE r.member_id = ?1 AND (?2 IS NULL OR coalesce(e.pool_id, ?2) = ?2)";
    let mut sums: BTreeMap<(bool, bool, String), Quantity> = BTreeMap::new();
    rows::each(conn, sql, params![member_id, pool_id], |row| {
        let (claimed, exported): (bool, bool) = (row.get("claimed")?, row.get("exported")?);
        let key = (claimed, exported && !claimed, row.get::<_, String>("asset")?);
        let (symbol, decimals) = (row.get::<_, String>("symbol")?, row.get("decimals")?);
        let sum = sums.entry(key).or_insert_with(|| Quantity::new(Base::ZERO, decimals, symbol));
        add(sum, at(row, "amount")?)
    })?;
    let mut totals = Totals::default();
    for ((claimed, exported, _), sum) in sums {
        match (claimed, exported) {
            (true, _) => totals.claimed.push(sum),
            (false, true) => totals.exported.push(sum),
            (false, false) => totals.unclaimed.push(sum),
        }
    }
    Ok(totals)
}

/// Adds to a sum of a member's rewards.
pub(super) fn add(sum: &mut Quantity, amount: Base) -> Result<()> {
    let past = || Error::new(Code::StateCorrupt, "rewards of a member pass 256 bits");
    sum.base = sum.base.checked_add(amount).ok_or_else(past)?;
    Ok(())
}

/// When a pool was last paid, seconds since 1970, and the block up to which one is.
pub fn last_paid(conn: &Connection) -> Result<Option<(i64, u64)>> {
    let sql = "SELECT max((SELECT e.distributed_at FROM pool_reward_epochs e
                   WHERE e.pool_id = p.id AND e.start_block < p.reward_cursor_block
                   ORDER BY e.start_block DESC LIMIT 1)) AS at, max(p.reward_cursor_block) AS block FROM pools p";
    let last: Option<(Option<i64>, Option<u64>)> =
        rows::first(conn, sql, [], |row| Ok((row.get("at")?, row.get("block")?)))?;
    Ok(last.and_then(|(at, block)| at.zip(block)))
}

/// The reward token that amounts are counted in so far.
pub fn counted_in(conn: &Connection) -> Result<Option<String>> {
    let sql = "SELECT asset FROM pool_reward_epochs WHERE id = (SELECT max(id) FROM pool_reward_epochs)";
    match rows::value(conn, sql, [])? {
        Some(asset) => Ok(Some(asset)),
        None => Ok(schedule(conn)?.pop().map(|terms| terms.asset)),
    }
}

/// The way of every pool, by pool id; pools that never had to do with rewards have none.
pub fn timelines(conn: &Connection) -> Result<HashMap<i64, Timeline>> {
    let mut timelines: HashMap<i64, Timeline> = HashMap::new();
    for row in weight_rows(conn)? {
        // The first of a pool's weights comes first.
        timelines.entry(row.pool_id).or_default().weighted_from.get_or_insert(row.effective_block);
    }
    for row in created(conn)? {
        timelines.entry(row.pool_id).or_default().created.push(row);
    }
    let begun = "SELECT id, reward_cursor_block FROM pools WHERE reward_cursor_block IS NOT NULL";
    rows::each(conn, begun, [], |row| {
        timelines.entry(row.get("id")?).or_default().cursor = row.get("reward_cursor_block")?;
        Ok(())
    })?;
    Ok(timelines)
}

/// A member's position.
#[derive(Debug, Clone)]
pub struct Position {
    /// Shares at the pool's cursor.
    pub shares: Base,
    /// What they are worth by the last sync, rounded down; `None` before the first sync.
    pub underlying: Option<Base>,
    /// Rewards, by asset.
    pub rewards: Totals,
    /// The last deposit, if there was one.
    pub last_deposit: Option<Deposit>,
    /// The sync that it stands on.
    pub snapshot: Option<Snapshot>,
}

/// Reads a position; a member without shares has one of zero.
pub fn position(conn: &Connection, pool: &Pool, member: &Member) -> Result<Position> {
    let (shares, last_deposit) = pool::holding(conn, pool.id, member.id)?;
    let snapshot = pool::snapshot(conn, pool)?;
    Ok(Position {
        shares,
        underlying: snapshot.as_ref().map(|s| underlying(shares, s.total_assets, s.total_shares)),
        rewards: totals_of(conn, member.id, Some(pool.id))?,
        last_deposit,
        snapshot,
    })
}

/// An account that does not go below zero.
pub fn account(owner_kind: OwnerKind, owner: &str, purpose: &'static str, asset: &str) -> Account {
    let (owner, asset) = (owner.to_owned(), asset.to_owned());
    Account { owner_kind, owner, purpose, asset, overdraft: false }
}

/// What the operator has emitted; goes below zero.
pub const EMISSION: &str = "reward_emission";
/// What a pool owes its members.
pub const PAYABLE: &str = "reward_payable";
/// What a pool's Merkle trees promise, for a contract to pay.
pub const EXPORTED: &str = "reward_exported";
/// What a pool carries to its next epoch.
pub const CARRY: &str = "reward_carry";
