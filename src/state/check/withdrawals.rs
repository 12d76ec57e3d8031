//! The invariants of withdrawals: each stands on a request and on evidence, and none reserves shares that are not there.

use super::{amounts, each, sum};
use base::amount::Base;
use base::{Code, Error, Result};
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// Every withdrawal is as it was asked for, and its transaction, mark and reason are what its status demands.
pub(super) fn withdrawals_have_evidence(conn: &Connection) -> Result<Vec<String>> {
    evidence(conn, None)
}

/// Refuses to go on with a withdrawal that is not what was asked for, or whose row contradicts itself.
///
/// # Errors
/// `state_corrupt`.
pub fn must_be_as_asked(conn: &Connection, id: i64) -> Result<()> {
    evidence(conn, Some(id))?.into_iter().next().map_or(Ok(()), |why| {
        Err(Error::new(Code::StateCorrupt, format!("{why}; nothing is changed"))
            .hint("see all of it: poolctl state check --full; then restore the newest backup: poolctl state restore FILE"))
    })
}

/// What does not hold of one withdrawal, or of any.
fn evidence(conn: &Connection, id: Option<i64>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut statement = conn.prepare_cached(
        "SELECT w.id, w.status, w.tx_hash IS NOT NULL, w.verified, w.error IS NOT NULL, w.processing_at IS NOT NULL,
             w.shares = e.payload ->> 'shares' AND w.assets = e.payload ->> 'assets'
         FROM pool_withdrawals w
         LEFT JOIN events e ON e.subject = 'withdrawal ' || w.id AND e.kind = 'withdrawal.requested'
         WHERE w.id BETWEEN ?1 AND ?2 ORDER BY w.id",
    )?;
    let mut rows = statement.query([id.unwrap_or(i64::MIN), id.unwrap_or(i64::MAX)])?;
    while let Some(row) = rows.next()? {
        let (id, status): (i64, String) = (row.get(0)?, row.get(1)?);
        let (tx, verified): (bool, Option<bool>) = (row.get(2)?, row.get(3)?);
        let (error, processing): (bool, bool) = (row.get(4)?, row.get(5)?);
        let wrong = match (status.as_str(), verified) {
            ("pending", None) => tx.then_some("a transaction, and is not in process"),
            ("processing", None) => (!tx || !processing).then_some("no transaction or time of its own"),
            ("completed", Some(true)) => (!tx).then_some("no transaction that shows it"),
            ("completed", Some(false)) => None,
            ("failed", None) => (tx || !error).then_some("a transaction, or no reason"),
            _ => Some("a mark that its status does not allow"),
        };
        found.extend(wrong.map(|wrong| format!("withdrawal {id}: {status} with {wrong}")));
        match row.get::<_, Option<bool>>(6)? {
            Some(true) => {}
            Some(false) => found.push(format!("withdrawal {id}: other amounts than were asked for")),
            None => found.push(format!("withdrawal {id}: nobody asked for it")),
        }
    }
    Ok(found)
}

/// What a member's open withdrawals from one pool come to.
#[derive(Default)]
struct Reserved {
    shares: Base,
    /// The event and the block at which the first of them counted the member's shares.
    since: Option<(i64, i64)>,
}

/// Reserved shares never exceed what the member has, but for what it has moved away by itself since it asked. After
/// a reorg, or where transfers were read again, nothing is known: what was counted may have gone.
pub(super) fn reservations_fit_shares(conn: &Connection) -> Result<Vec<String>> {
    let mut open: BTreeMap<(i64, i64), Reserved> = BTreeMap::new();
    each(
        conn,
        "SELECT w.pool_id, w.member_id, e.id, e.payload ->> 'shares_at_block', w.shares FROM pool_withdrawals w
         JOIN events e ON e.subject = 'withdrawal ' || w.id AND e.kind = 'withdrawal.requested'
         WHERE w.status <> 'failed' AND NOT (w.status = 'completed' AND EXISTS (
             SELECT 1 FROM share_transfers t WHERE t.pool_id = w.pool_id AND t.from_member = w.member_id
                 AND '0x' || lower(hex(t.tx_hash)) = w.tx_hash))
         ORDER BY w.id",
        |row| {
            let slot = open.entry((row.get(0)?, row.get(1)?)).or_default();
            let [shares] = amounts::<1>(row, 4)?;
            slot.shares = sum(slot.shares, shares)?;
            slot.since.get_or_insert((row.get(2)?, row.get(3)?));
            Ok(())
        },
    )?;
    let mut found = Vec::new();
    for ((pool, member), reserved) in open {
        let Some((event, block)) = reserved.since else { continue };
        let corrected: bool = conn.query_row(
            "SELECT EXISTS (SELECT 1 FROM events e JOIN pools p ON p.name = e.subject
                 WHERE e.kind IN ('pool.rolled_back', 'pool.reread', 'pool.rescanned') AND p.id = ?1 AND e.id > ?2)",
            params![pool, event],
            |row| row.get(0),
        )?;
        if corrected {
            continue;
        }
        let mut there = Base::ZERO;
        let mut statement = conn.prepare(
            "SELECT shares FROM user_pool_shares WHERE pool_id = ?1 AND member_id = ?2
             UNION ALL SELECT shares FROM share_transfers
                 WHERE pool_id = ?1 AND from_member = ?2 AND block_number > ?3",
        )?;
        let mut rows = statement.query(params![pool, member, block])?;
        while let Some(row) = rows.next()? {
            let [shares] = amounts::<1>(row, 0)?;
            there = sum(there, shares)?;
        }
        if reserved.shares > there {
            found.push(format!(
                "pool {pool}, member {member}: withdrawals reserve {} shares of {there}",
                reserved.shares
            ));
        }
    }
    Ok(found)
}
