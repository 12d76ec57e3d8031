//! Rewards: epochs hand out what they were given, without gap, and what is claimed or owed stands in the ledger.

use super::groups::{Groups, side_by_side};
use super::{add, each, sum};
use base::amount::{Base, Delta};
use base::{Result, counted};
use rusqlite::Connection;
use state::columns::{at, only};
use state::rows::{self, Row};
use std::collections::BTreeMap;

/// Sums by asset.
type Sums = BTreeMap<String, Delta>;

#[derive(Default)]
struct Epoch {
    /// Part, carry in, distributed, carry out.
    amounts: [Base; 4],
    holders: i64,
    is_distributed: bool,
}

/// Σ rewards of an epoch = what it distributed, and that and its carry = its part and the carry before.
pub(super) fn epoch_conserves(conn: &Connection) -> Result<Vec<String>> {
    let mut epochs = conn.prepare(
        "SELECT id, part, carry_in, distributed, carry_out, holders, status = 'distributed'
         FROM pool_reward_epochs ORDER BY id",
    )?;
    let mut rewards = conn.prepare("SELECT epoch_id, amount FROM pool_rewards ORDER BY epoch_id")?;
    let epochs = Groups::by_id(&mut epochs, |epoch: &mut Epoch, row| {
        let amounts = [at(row, 1)?, at(row, 2)?, at(row, 3)?, at(row, 4)?];
        *epoch = Epoch { amounts, holders: row.get(5)?, is_distributed: row.get(6)? };
        Ok(())
    })?;
    let rewards = Groups::by_id(&mut rewards, |(given, count): &mut (Base, i64), row| {
        *given = sum(*given, at(row, 1)?)?;
        *count += 1;
        Ok(())
    })?;
    let mut found = Vec::new();
    side_by_side(epochs, rewards, |id, epoch, rewards| {
        let Some(Epoch { amounts, holders, .. }) = epoch.filter(|epoch| epoch.is_distributed) else {
            if rewards.is_some() {
                found.push(format!("epoch {id} has rewards but is not distributed"));
            }
            return Ok(());
        };
        let [part, carry_in, distributed, carry_out] = amounts;
        let (given, count) = rewards.unwrap_or_default();
        if given != distributed || count != holders {
            found.push(format!("epoch {id}: {count} rewards of {given} stand for {distributed} distributed"));
        }
        if sum(part, carry_in)? != sum(distributed, carry_out)? {
            found.push(format!(
                "epoch {id}: part {part} + carry {carry_in} is not distributed {distributed} + carry {carry_out}"
            ));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Σ parts of the pools + carry = emission + the carry before.
///
/// Either nobody gets anything of it and all is carried, or nothing is. What is not given yet is due to a pool that lags:
/// by its epochs, since whether its cursor is at their end is another question.
pub(super) fn emission_conserves(conn: &Connection) -> Result<Vec<String>> {
    let mut emissions = conn.prepare(
        "SELECT start_block, emission, carry_in, carry_out FROM reward_emissions ORDER BY start_block",
    )?;
    let mut lags = conn.prepare(
        "SELECT EXISTS (SELECT 1 FROM pools p WHERE p.reward_genesis_block <= ?1
             AND coalesce((SELECT e.end_block FROM pool_reward_epochs e WHERE e.pool_id = p.id AND e.status = 'distributed'
                  ORDER BY e.start_block DESC LIMIT 1), p.reward_cursor_block) <= ?1
             AND (SELECT w.weight_ppm FROM pool_reward_weights w WHERE w.pool_id = p.id AND w.effective_block <= ?1
                  ORDER BY w.effective_block DESC LIMIT 1) > 0)",
    )?;
    let mut parts = conn.prepare(
        "SELECT start_block, part, weight_ppm, weight_sum_ppm FROM pool_reward_epochs WHERE origin = 'cycle'
         ORDER BY start_block",
    )?;
    let emissions = Groups::by_id(&mut emissions, |emission: &mut [Base; 3], row| {
        *emission = [at(row, 1)?, at(row, 2)?, at(row, 3)?];
        Ok(())
    })?;
    let parts = Groups::by_id(&mut parts, |(given, weight, of): &mut (Base, i64, i64), row| {
        *given = sum(*given, at(row, 1)?)?;
        *weight += row.get::<_, i64>(2)?;
        *of = row.get(3)?;
        Ok(())
    })?;
    let mut found = Vec::new();
    side_by_side(emissions, parts, |start, emission, parts| {
        let Some([emission, carry_in, carry_out]) = emission else { return Ok(()) };
        let (given, weight, of) = parts.unwrap_or_default();
        let (out, total) = (sum(given, carry_out)?, sum(emission, carry_in)?);
        let whole = weight == of && parts.is_some() || !carry_out.is_zero();
        let mut due = || -> Result<bool> { Ok(lags.query_row([start], only)?) };
        if out > total || (out != total && (whole || !due()?)) {
            found.push(format!(
                "emission at block {start}: parts {given} + carry {carry_out} is not {emission} + {carry_in}"
            ));
        }
        Ok(())
    })?;
    Ok(found)
}

/// What was emitted, and given manually, stands with members or is carried: by pools, to the next emission, or as the part of
/// pools that lag. Emissions follow each other, and each takes in what the one before left.
pub(super) fn emission_is_accounted_for(conn: &Connection) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let (mut emitted, mut left, mut end, mut last) = (Delta::default(), Delta::default(), None, Base::ZERO);
    each(
        conn,
        "SELECT start_block, end_block, emission, carry_in, carry_out FROM reward_emissions ORDER BY start_block",
        |row| {
            let start: i64 = row.get("start_block")?;
            let [emission, carry_in, carry_out] = emission_of(row)?;
            if carry_in != last {
                found.push(format!(
                    "emission at block {start}: it takes in {carry_in}, {last} was left before it"
                ));
            }
            if end.is_some_and(|end| end != start) {
                found.push(format!("emission at block {start}: the one before ends at {end:?}"));
            }
            add(&mut emitted, Delta::credit(emission))?;
            add(&mut left, Delta::credit(carry_out))?;
            add(&mut left, Delta::debit(carry_in))?;
            (end, last) = (Some(row.get::<_, i64>("end_block")?), carry_out);
            Ok(())
        },
    )?;
    // What was emitted = the parts of pools, paid or due, and what is left; the parts paid are shared out or carried.
    let mut standing = left;
    each(
        conn,
        "SELECT part, distributed, origin = 'cycle' AS on_grid FROM pool_reward_epochs WHERE status = 'distributed'",
        |row| {
            if !row.get::<_, bool>("on_grid")? {
                add(&mut emitted, at(row, "part")?)?;
            }
            add(&mut standing, at(row, "distributed")?)
        },
    )?;
    each(conn, "SELECT reward_carry FROM pools", |row| add(&mut standing, at(row, "reward_carry")?))?;
    add(&mut standing, due(conn)?)?;
    if emitted != standing {
        found.push(format!("{emitted} was emitted or given manually, {standing} is with members or carried"));
    }
    Ok(found)
}

/// The parts of pools that lag: what emissions have to give beyond what their pools were paid.
fn due(conn: &Connection) -> Result<Delta> {
    let mut due = Delta::default();
    each(conn, "SELECT emission, carry_in, carry_out FROM reward_emissions", |row| {
        let [emission, carry_in, carry_out] = emission_of(row)?;
        add(&mut due, Delta::credit(emission))?;
        add(&mut due, Delta::credit(carry_in))?;
        add(&mut due, Delta::debit(carry_out))
    })?;
    each(
        conn,
        "SELECT part FROM pool_reward_epochs WHERE origin = 'cycle' AND status = 'distributed'",
        |row| add(&mut due, Delta::debit(at(row, "part")?)),
    )?;
    Ok(due)
}

/// What is emitted, carried in and carried out.
fn emission_of(row: &Row<'_>) -> Result<[Base; 3]> {
    Ok([at(row, "emission")?, at(row, "carry_in")?, at(row, "carry_out")?])
}

/// An epoch that was exported to a Merkle tree: what is unclaimed of it = what the tree holds.
pub(super) fn exports_equal_unclaimed(conn: &Connection) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut unclaimed =
        conn.prepare("SELECT amount FROM pool_rewards WHERE epoch_id = ?1 AND claimed_at IS NULL")?;
    each(
        conn,
        "SELECT x.epoch_id, x.rewards, x.total, e.kind = 'reward.exported' AND json_extract(e.payload, '$.root') = x.root AS told
         FROM reward_exports x LEFT JOIN events e ON e.id = x.event_id ORDER BY x.epoch_id",
        |row| {
            let (id, count): (i64, i64) = (row.get("epoch_id")?, row.get("rewards")?);
            let (total, told): (Base, Option<bool>) = (at(row, "total")?, row.get("told")?);
            let (mut left, mut rows) = (Base::ZERO, 0);
            let mut rewards = rows::of(&mut unclaimed, [id])?;
            while let Some(reward) = &rewards.next()? {
                left = sum(left, at(reward, "amount")?)?;
                rows += 1;
            }
            if (left, rows) != (total, count) {
                found.push(format!("epoch {id}: tree of {} of {total}, unclaimed: {rows} of {left}", counted(count, "reward")));
            }
            if !told.unwrap_or_default() {
                found.push(format!("epoch {id}: no event tells of its tree"));
            }
            Ok(())
        },
    )?;
    Ok(found)
}

/// A pool's epochs follow each other, and its cursor stands at the end of the last distributed one. A pool that was
/// paid by hand joins the grid at a boundary, so a gap may lie before its first epoch of the grid; what is made by
/// hand and not distributed yet may stand ahead.
pub(super) fn epochs_are_gapless(conn: &Connection) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut last = Place::default();
    each(
        conn,
        "SELECT e.pool_id, e.start_block, e.end_block, p.reward_genesis_block, p.reward_cursor_block,
                lead(e.pool_id) OVER (ORDER BY e.pool_id, e.start_block) AS next_pool, e.origin = 'cycle' AS on_grid,
                e.status = 'distributed' AS distributed
         FROM pool_reward_epochs e JOIN pools p ON p.id = e.pool_id ORDER BY e.pool_id, e.start_block",
        |row| {
            let (pool, start, end): (i64, i64, i64) =
                (row.get("pool_id")?, row.get("start_block")?, row.get("end_block")?);
            let (on_grid, distributed): (bool, bool) = (row.get("on_grid")?, row.get("distributed")?);
            if last.pool != Some(pool) {
                let begin = row.get("reward_genesis_block")?;
                last = Place { pool: Some(pool), begin, paid: begin, ..Place::default() };
            }
            let expected = last.begin;
            let joins = on_grid && last.by_hand && !last.on_grid;
            let ahead = joins || !distributed;
            if expected.is_none_or(|expected| start < expected || (start > expected && !ahead)) {
                found.push(format!("pool {pool}: epoch at {start} should start at {expected:?}"));
            }
            if distributed && last.waiting {
                found.push(format!("pool {pool}: epoch at {start} is distributed before an earlier one"));
            }
            last.on_grid |= on_grid;
            last.by_hand |= !on_grid;
            last.waiting |= !distributed;
            last.begin = Some(end);
            if distributed {
                last.paid = Some(end);
            }
            let cursor: Option<i64> = row.get("reward_cursor_block")?;
            if row.get::<_, Option<i64>>("next_pool")? != Some(pool) && cursor != last.paid {
                let paid = last.paid.unwrap_or_default();
                found.push(format!("pool {pool}: cursor {cursor:?} is not the end {paid} of its last epoch"));
            }
            Ok(())
        },
    )?;
    Ok(found)
}

/// How far the walk over a pool's epochs is.
#[derive(Default)]
struct Place {
    pool: Option<i64>,
    /// Where the next epoch begins.
    begin: Option<i64>,
    /// End of the last distributed one; before the first, where rewards begin.
    paid: Option<i64>,
    on_grid: bool,
    by_hand: bool,
    waiting: bool,
}

/// What a claim marked = what it credited.
pub(super) fn claims_equal_credits(conn: &Connection) -> Result<Vec<String>> {
    let mut claims = conn.prepare(
        "SELECT r.claim_id, e.asset, r.amount FROM pool_rewards r
         CROSS JOIN pool_reward_epochs e ON e.id = r.epoch_id
         WHERE r.claim_id IS NOT NULL ORDER BY r.claim_id",
    )?;
    let mut credits = conn.prepare(
        "SELECT e.id, a.asset, l.amount FROM events e
         CROSS JOIN ledger_entries l ON l.event_id = e.id CROSS JOIN ledger_accounts a ON a.id = l.account_id
         WHERE e.kind = 'reward.claimed' AND a.owner_kind = 'member' ORDER BY e.id",
    )?;
    let by_asset = |sums: &mut Sums, row: &Row<'_>| add(sums.entry(row.get(1)?).or_default(), at(row, 2)?);
    let claims = Groups::by_id(&mut claims, by_asset)?;
    let credits = Groups::by_id(&mut credits, by_asset)?;
    let mut found = Vec::new();
    side_by_side(claims, credits, |claim, claimed, credited| {
        let mut credited = credited.unwrap_or_default();
        for (asset, sum) in claimed.unwrap_or_default() {
            let given = credited.remove(&asset).unwrap_or_default();
            if given != sum {
                found.push(format!("claim {claim}: rows of {sum} {asset} were credited as {given}"));
            }
        }
        found.extend(credited.values().map(|sum| format!("claim {claim}: {sum} credited without a row")));
        Ok(())
    })?;
    Ok(found)
}

/// What the ledger owes a pool's members, what its Merkle trees promise them and what it carries to its next epoch = what
/// the rows say.
pub(super) fn payable_equals_unclaimed(conn: &Connection) -> Result<Vec<String>> {
    let mut owed: BTreeMap<(String, String, String), Delta> = BTreeMap::new();
    let mut unclaimed =
        conn.prepare("SELECT epoch_id, amount FROM pool_rewards WHERE claimed_at IS NULL ORDER BY epoch_id")?;
    let mut epoch = conn.prepare(
        "SELECT p.address, e.asset, CASE WHEN x.epoch_id IS NULL THEN 'reward_payable' ELSE 'reward_exported' END AS purpose
         FROM pool_reward_epochs e JOIN pools p ON p.id = e.pool_id
         LEFT JOIN reward_exports x ON x.epoch_id = e.id WHERE e.id = ?1",
    )?;
    let mut unclaimed = Groups::by_id(&mut unclaimed, |sum: &mut Delta, row| add(sum, at(row, 1)?))?;
    while let Some((id, sum)) = unclaimed.next()? {
        let mut rows = rows::of(&mut epoch, [id])?;
        // Rewards without an epoch are the foreign keys' finding.
        let Some(row) = rows.next()? else { continue };
        let slot = owed.entry((row.get("address")?, row.get("asset")?, row.get("purpose")?)).or_default();
        *slot = slot.checked_add(sum).ok_or_else(super::overflow)?;
    }
    each(
        conn,
        "SELECT e.pool_address, e.asset, p.reward_carry FROM pools p JOIN (
             SELECT owner.address AS pool_address, epoch.pool_id, epoch.asset, max(epoch.start_block)
             FROM pool_reward_epochs epoch JOIN pools owner ON owner.id = epoch.pool_id
             GROUP BY epoch.pool_id) e ON e.pool_id = p.id",
        |row| {
            let slot = owed
                .entry((row.get("pool_address")?, row.get("asset")?, "reward_carry".to_owned()))
                .or_default();
            add(slot, at(row, "reward_carry")?)
        },
    )?;
    let mut found = Vec::new();
    each(
        conn,
        "SELECT owner, asset, purpose, balance FROM ledger_accounts
         WHERE owner_kind = 'pool' AND purpose IN ('reward_payable', 'reward_exported', 'reward_carry')",
        |row| {
            let (pool, purpose): (String, String) = (row.get("owner")?, row.get("purpose")?);
            let cached: Delta = at(row, "balance")?;
            let want = owed.remove(&(pool.clone(), row.get("asset")?, purpose.clone())).unwrap_or_default();
            if cached != want {
                found.push(format!("pool {pool}: account {purpose} holds {cached}, the rows sum to {want}"));
            }
            Ok(())
        },
    )?;
    let left = owed.iter().filter(|(_, sum)| !sum.is_zero());
    found.extend(left.map(|((pool, _, purpose), sum)| format!("pool {pool}: {sum} missing in {purpose}")));
    Ok(found)
}
