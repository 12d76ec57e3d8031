//! The invariants of withdrawals: each stands on a request and on evidence, and none reserves shares that are not there.

use super::{each, sum};
use base::Result;
use base::amount::Base;
use rusqlite::{Connection, params};
use state::columns::{at, only};
use state::rows;
use std::collections::BTreeMap;

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
        "SELECT w.pool_id, w.member_id, e.id, e.payload ->> 'shares_at_block' AS block, w.shares FROM pool_withdrawals w
         JOIN events e ON e.subject = 'withdrawal ' || w.id AND e.kind = 'withdrawal.requested'
         WHERE w.status <> 'failed' AND NOT (w.status = 'completed' AND EXISTS (
             SELECT 1 FROM share_transfers t WHERE t.pool_id = w.pool_id AND t.from_member = w.member_id
                 AND '0x' || lower(hex(t.tx_hash)) = w.tx_hash))
         ORDER BY w.id",
        |row| {
            let slot = open.entry((row.get("pool_id")?, row.get("member_id")?)).or_default();
            slot.shares = sum(slot.shares, at(row, "shares")?)?;
            slot.since.get_or_insert((row.get("id")?, row.get("block")?));
            Ok(())
        },
    )?;
    let mut found = Vec::new();
    for ((pool, member), reserved) in open {
        let Some((event, block)) = reserved.since else { continue };
        let corrected: bool = conn.query_row(
            // Under the name that it had then: the one that its next renaming took away, else that of today.
            "SELECT EXISTS (SELECT 1 FROM events e JOIN pools p ON p.id = ?1
                 WHERE e.kind IN ('pool.rolled_back', 'pool.reread', 'pool.rescanned') AND e.id > ?2
                     AND e.subject = coalesce((SELECT r.subject FROM events r
                         WHERE r.kind = 'pool.renamed' AND r.id > e.id AND json_extract(r.payload, '$.address') = p.address
                         ORDER BY r.id LIMIT 1), p.name))",
            params![pool, event],
            only,
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
        let mut rows = rows::of(&mut statement, params![pool, member, block])?;
        while let Some(row) = &rows.next()? {
            there = sum(there, at(row, "shares")?)?;
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
