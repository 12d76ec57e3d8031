//! Is the file sound: SQLite's own checks, the audit chain, and every money invariant.

mod farm;

use super::events::verify_chain;
use super::ledger::stored;
use super::pruned::brought_forward;
use crate::amount::{Base, Delta, parse_base};
use crate::output::{Code, Error, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Row};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// What was looked at and what does not hold.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CheckReport {
    /// Every invariant that was looked at, by name.
    pub checked: Vec<&'static str>,
    /// What does not hold; empty for a sound file.
    pub findings: Vec<Finding>,
    /// Audit events walked.
    pub events: i64,
    /// `meta.data_version`: counts the write transactions.
    pub data_version: String,
}

/// One thing that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// The invariant's name.
    pub check: &'static str,
    /// Which row, what it says, and what it should say.
    pub message: String,
}

type Check = fn(&Connection) -> Result<Vec<String>>;

const MONEY: &[(&str, Check)] = &[
    ("foreign_keys", foreign_keys),
    ("ledger_sums_to_zero", ledger_sums_to_zero),
    ("cached_equals_derived", cached_equals_derived),
    ("epoch_conserves", epoch_conserves),
    ("emission_conserves", emission_conserves),
    ("epochs_are_gapless", epochs_are_gapless),
    ("claims_equal_credits", claims_equal_credits),
    ("payable_equals_unclaimed", payable_equals_unclaimed),
    ("shares_equal_transfers", shares_equal_transfers),
    ("pails_are_accounted_for", farm::pails_are_accounted_for),
    ("stakes_equal_open_pails", farm::stakes_equal_open_pails),
    ("harvests_equal_credits", farm::harvests_equal_credits),
    ("losses_equal_compensations", farm::losses_equal_compensations),
    ("pruned_is_brought_forward", brought_forward),
];

/// Runs every check; `full` reads every index too (`integrity_check`), otherwise `quick_check`.
///
/// # Errors
/// `state_error` where the file cannot be read at all; what is wrong inside it is a finding, not an error.
pub fn check(conn: &Connection, full: bool) -> Result<CheckReport> {
    let mut report =
        CheckReport { checked: Vec::new(), findings: Vec::new(), events: 0, data_version: String::new() };
    let name = if full { "integrity_check" } else { "quick_check" };
    report.take(name, sqlite_check(conn, name));
    match verify_chain(conn) {
        Ok(chain) => {
            report.events = chain.events;
            let broken = chain.broken.map(|b| format!("event {}: {}", b.id, b.why));
            report.take("audit_chain", Ok(broken.into_iter().collect()));
        }
        Err(e) => report.take("audit_chain", Err(e)),
    }
    for (name, run) in MONEY {
        report.take(name, run(conn));
    }
    report.data_version = super::meta_get(conn, "data_version").ok().flatten().unwrap_or_default();
    Ok(report)
}

impl CheckReport {
    fn take(&mut self, check: &'static str, found: Result<Vec<String>>) {
        self.checked.push(check);
        let messages = found.unwrap_or_else(|e| vec![e.to_string()]);
        self.findings.extend(messages.into_iter().map(|message| Finding { check, message }));
    }
}

/// SQLite ignores the CHECK constraints of a file that was opened for reading only, so this looks through a
/// connection that could write, and does not. Where the file cannot be written at all, they stay unchecked.
fn sqlite_check(conn: &Connection, pragma: &str) -> Result<Vec<String>> {
    let own = if conn.is_readonly("main")? { may_write(conn).ok() } else { None };
    let conn = own.as_ref().unwrap_or(conn);
    let mut found = lines(conn, &format!("PRAGMA {pragma}"), |row| row.get::<_, String>(0))?;
    found.retain(|line| line != "ok");
    Ok(found)
}

fn may_write(conn: &Connection) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let own = Connection::open_with_flags(conn.path().unwrap_or_default(), flags)?;
    own.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    own.pragma_update(None, "query_only", true)?;
    own.pragma_update(None, "trusted_schema", false)?;
    Ok(own)
}

fn foreign_keys(conn: &Connection) -> Result<Vec<String>> {
    lines(conn, "PRAGMA foreign_key_check", |row| {
        Ok(format!(
            "{} row {:?} points to a missing row of {}",
            row.get::<_, String>(0)?,
            row.get::<_, Option<i64>>(1)?,
            row.get::<_, String>(2)?
        ))
    })
}

fn ledger_sums_to_zero(conn: &Connection) -> Result<Vec<String>> {
    let mut sums: BTreeMap<(i64, String), Delta> = BTreeMap::new();
    each(
        conn,
        "SELECT e.event_id, a.asset, e.amount FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id",
        |row| add(sums.entry((row.get(0)?, row.get(1)?)).or_default(), &row.get::<_, String>(2)?),
    )?;
    Ok(sums
        .into_iter()
        .filter(|(_, sum)| !sum.is_zero())
        .map(|((event, asset), sum)| {
            format!("ledger transaction of event {event}: {sum} of {asset} left over")
        })
        .collect())
}

fn cached_equals_derived(conn: &Connection) -> Result<Vec<String>> {
    let mut derived: HashMap<i64, Delta> = HashMap::new();
    each(conn, "SELECT account_id, amount FROM ledger_entries", |row| {
        add(derived.entry(row.get(0)?).or_default(), &row.get::<_, String>(1)?)
    })?;
    let mut found = Vec::new();
    each(
        conn,
        "SELECT id, owner_kind || ' ' || owner || ' ' || purpose, balance, overdraft FROM ledger_accounts",
        |row| {
            let (id, name, cached): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let sum = derived.remove(&id).unwrap_or_default();
            if stored(&cached)? != sum {
                found.push(format!("account {id} ({name}) holds {cached}, its entries sum to {sum}"));
            }
            if sum.is_negative() && !row.get::<_, bool>(3)? {
                found.push(format!("account {id} ({name}) is below zero: {sum}"));
            }
            Ok(())
        },
    )?;
    Ok(found)
}

fn epoch_conserves(conn: &Connection) -> Result<Vec<String>> {
    let mut paid: HashMap<i64, (Base, i64)> = HashMap::new();
    each(conn, "SELECT epoch_id, amount FROM pool_rewards", |row| {
        let slot = paid.entry(row.get(0)?).or_default();
        slot.0 = sum(slot.0, base(&row.get::<_, String>(1)?)?)?;
        slot.1 += 1;
        Ok(())
    })?;
    let mut found = Vec::new();
    each(
        conn,
        "SELECT id, part, carry_in, distributed, carry_out, holders FROM pool_reward_epochs
         WHERE status = 'distributed'",
        |row| {
            let id: i64 = row.get(0)?;
            let [part, carry_in, distributed, carry_out] = amounts::<4>(row, 1)?;
            let (rows, count) = paid.remove(&id).unwrap_or_default();
            if rows != distributed || count != row.get::<_, i64>(5)? {
                found.push(format!(
                    "epoch {id}: {count} rewards of {rows} stand for {distributed} distributed"
                ));
            }
            if sum(part, carry_in)? != sum(distributed, carry_out)? {
                found.push(format!(
                    "epoch {id}: part {part} + carry {carry_in} is not distributed {distributed} + carry {carry_out}"
                ));
            }
            Ok(())
        },
    )?;
    found.extend(paid.keys().map(|id| format!("epoch {id} has rewards but is not distributed")));
    Ok(found)
}

fn emission_conserves(conn: &Connection) -> Result<Vec<String>> {
    let mut parts: HashMap<i64, (Base, i64, i64)> = HashMap::new();
    each(
        conn,
        "SELECT start_block, part, weight_ppm, weight_sum_ppm FROM pool_reward_epochs WHERE origin = 'cycle'",
        |row| {
            let slot = parts.entry(row.get(0)?).or_default();
            slot.0 = sum(slot.0, base(&row.get::<_, String>(1)?)?)?;
            slot.1 += row.get::<_, i64>(2)?;
            slot.2 = row.get(3)?;
            Ok(())
        },
    )?;
    let mut found = Vec::new();
    each(
        conn,
        "SELECT start_block, emission, carry_in, carry_out FROM reward_emissions ORDER BY start_block",
        |row| {
            let start: i64 = row.get(0)?;
            let [emission, carry_in, carry_out] = amounts::<3>(row, 1)?;
            let (given, weight, of) = parts.get(&start).copied().unwrap_or_default();
            let (out, total) = (sum(given, carry_out)?, sum(emission, carry_in)?);
            // Pools that still lag behind have yet to take their part.
            let whole = weight == of;
            if out > total || (whole && out != total) {
                found.push(format!(
                    "emission at block {start}: parts {given} + carry {carry_out} is not {emission} + {carry_in}"
                ));
            }
            Ok(())
        },
    )?;
    Ok(found)
}

fn epochs_are_gapless(conn: &Connection) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut last: Option<(i64, i64)> = None;
    each(
        conn,
        "SELECT e.pool_id, e.start_block, e.end_block, p.reward_genesis_block, p.reward_cursor_block,
                lead(e.pool_id) OVER (ORDER BY e.pool_id, e.start_block)
         FROM pool_reward_epochs e JOIN pools p ON p.id = e.pool_id
         WHERE e.origin = 'cycle' ORDER BY e.pool_id, e.start_block",
        |row| {
            let (pool, start, end): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let expected = match last {
                Some((same, end)) if same == pool => Some(end),
                _ => row.get::<_, Option<i64>>(3)?,
            };
            if expected != Some(start) {
                found.push(format!("pool {pool}: epoch at {start} should start at {expected:?}"));
            }
            let next: Option<i64> = row.get(5)?;
            let cursor: Option<i64> = row.get(4)?;
            if next != Some(pool) && cursor != Some(end) {
                found.push(format!("pool {pool}: cursor {cursor:?} is not the end {end} of its last epoch"));
            }
            last = Some((pool, end));
            Ok(())
        },
    )?;
    Ok(found)
}

fn claims_equal_credits(conn: &Connection) -> Result<Vec<String>> {
    let mut claims: BTreeMap<(i64, String), Delta> = BTreeMap::new();
    each(
        conn,
        "SELECT r.claim_id, e.asset, r.amount FROM pool_rewards r JOIN pool_reward_epochs e ON e.id = r.epoch_id
         WHERE r.claim_id IS NOT NULL",
        |row| add(claims.entry((row.get(0)?, row.get(1)?)).or_default(), &row.get::<_, String>(2)?),
    )?;
    let mut credits: BTreeMap<(i64, String), Delta> = BTreeMap::new();
    each(
        conn,
        "SELECT l.event_id, a.asset, l.amount FROM events e
         JOIN ledger_entries l ON l.event_id = e.id JOIN ledger_accounts a ON a.id = l.account_id
         WHERE e.kind = 'reward.claimed' AND a.owner_kind = 'member'",
        |row| add(credits.entry((row.get(0)?, row.get(1)?)).or_default(), &row.get::<_, String>(2)?),
    )?;
    let mut found = Vec::new();
    for (key, claimed) in &claims {
        let credited = credits.remove(key).unwrap_or_default();
        if credited != *claimed {
            found.push(format!("claim {}: rows of {claimed} {} were credited as {credited}", key.0, key.1));
        }
    }
    found.extend(credits.iter().map(|(key, sum)| format!("claim {}: {sum} credited without a row", key.0)));
    Ok(found)
}

fn payable_equals_unclaimed(conn: &Connection) -> Result<Vec<String>> {
    let mut owed: BTreeMap<(String, String, &str), Delta> = BTreeMap::new();
    each(
        conn,
        "SELECT p.address, e.asset, r.amount FROM pool_rewards r JOIN pool_reward_epochs e ON e.id = r.epoch_id
         JOIN pools p ON p.id = e.pool_id WHERE r.claimed_at IS NULL",
        |row| {
            let slot = owed.entry((row.get(0)?, row.get(1)?, "reward_payable")).or_default();
            add(slot, &row.get::<_, String>(2)?)
        },
    )?;
    each(
        conn,
        "SELECT e.pool_address, e.asset, p.reward_carry FROM pools p JOIN (
             SELECT owner.address AS pool_address, epoch.pool_id, epoch.asset, max(epoch.start_block)
             FROM pool_reward_epochs epoch JOIN pools owner ON owner.id = epoch.pool_id
             GROUP BY epoch.pool_id) e ON e.pool_id = p.id",
        |row| {
            let slot = owed.entry((row.get(0)?, row.get(1)?, "reward_carry")).or_default();
            add(slot, &row.get::<_, String>(2)?)
        },
    )?;
    let mut found = Vec::new();
    each(
        conn,
        "SELECT owner, asset, purpose, balance FROM ledger_accounts
         WHERE owner_kind = 'pool' AND purpose IN ('reward_payable', 'reward_carry')",
        |row| {
            let purpose = row.get::<_, String>(2)?;
            let name = if purpose == "reward_payable" { "reward_payable" } else { "reward_carry" };
            let want = owed.remove(&(row.get(0)?, row.get(1)?, name)).unwrap_or_default();
            let cached: String = row.get(3)?;
            if stored(&cached)? != want {
                found.push(format!(
                    "pool {}: account {purpose} holds {cached}, the rows sum to {want}",
                    row.get::<_, String>(0)?
                ));
            }
            Ok(())
        },
    )?;
    let left = owed.iter().filter(|(_, sum)| !sum.is_zero());
    found.extend(left.map(|((pool, _, purpose), sum)| format!("pool {pool}: {sum} missing in {purpose}")));
    Ok(found)
}

fn shares_equal_transfers(conn: &Connection) -> Result<Vec<String>> {
    let mut derived: HashMap<(i64, i64), Delta> = HashMap::new();
    let mut totals: HashMap<i64, Base> = HashMap::new();
    each(conn, "SELECT pool_id, from_member, to_member, shares FROM share_transfers", |row| {
        let (pool, value) = (row.get::<_, i64>(0)?, base(&row.get::<_, String>(3)?)?);
        for (member, amount) in [
            (row.get::<_, Option<i64>>(1)?, Delta::debit(value)),
            (row.get::<_, Option<i64>>(2)?, Delta::credit(value)),
        ] {
            if let Some(member) = member {
                let slot = derived.entry((pool, member)).or_default();
                *slot = slot.checked_add(amount).ok_or_else(overflow)?;
            }
        }
        Ok(())
    })?;
    let mut found = Vec::new();
    each(conn, "SELECT pool_id, member_id, shares FROM user_pool_shares", |row| {
        let (pool, member) = (row.get(0)?, row.get(1)?);
        let shares = base(&row.get::<_, String>(2)?)?;
        let slot = totals.entry(pool).or_default();
        *slot = sum(*slot, shares)?;
        let want = derived.remove(&(pool, member)).unwrap_or_default();
        if want != Delta::credit(shares) {
            found.push(format!("pool {pool}, member {member}: {shares} shares, transfers say {want}"));
        }
        Ok(())
    })?;
    let left = derived.iter().filter(|(_, sum)| !sum.is_zero());
    found.extend(
        left.map(|((pool, member), sum)| format!("pool {pool}, member {member}: {sum} shares missing")),
    );
    each(
        conn,
        "SELECT p.id, s.total_shares FROM pools p
         JOIN pool_snapshots s ON s.pool_id = p.id AND s.block_number = p.synced_block
         WHERE p.cursor_block = p.synced_block",
        |row| {
            let (pool, total) = (row.get::<_, i64>(0)?, base(&row.get::<_, String>(1)?)?);
            let held = totals.get(&pool).copied().unwrap_or_default();
            if held != total {
                found.push(format!("pool {pool}: holders have {held} shares of {total}"));
            }
            Ok(())
        },
    )?;
    Ok(found)
}

fn lines(
    conn: &Connection,
    sql: &str,
    map: impl FnMut(&Row<'_>) -> rusqlite::Result<String>,
) -> Result<Vec<String>> {
    let mut statement = conn.prepare(sql)?;
    let rows = statement.query_map([], map)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn each(conn: &Connection, sql: &str, mut body: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        body(row)?;
    }
    Ok(())
}

fn amounts<const N: usize>(row: &Row<'_>, first: usize) -> Result<[Base; N]> {
    let mut found = [Base::ZERO; N];
    for (i, slot) in found.iter_mut().enumerate() {
        *slot = base(&row.get::<_, String>(first + i)?)?;
    }
    Ok(found)
}

fn base(text: &str) -> Result<Base> {
    parse_base(text)
        .ok_or_else(|| Error::new(Code::StateCorrupt, format!("\"{text}\" stands where an amount belongs")))
}

fn add(slot: &mut Delta, text: &str) -> Result<()> {
    *slot = slot.checked_add(stored(text)?).ok_or_else(overflow)?;
    Ok(())
}

fn sum(a: Base, b: Base) -> Result<Base> {
    a.checked_add(b).ok_or_else(overflow)
}

fn overflow() -> Error {
    Error::new(Code::StateCorrupt, "a sum passes 256 bits")
}
