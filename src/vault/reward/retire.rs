//! Retiring a pool: its records stay, and nothing is synced, checked or paid for it any more. It can be taken back.

use super::epochs::created;
use super::store::{counted_in, emitted_to, weight_rows};
use crate::pool::{self, Pool};
use crate::withdrawal;
use base::amount::Quantity;
use base::{Code, Error, Remedy, Result, counted, say};
use rusqlite::{Connection, params};
use serde_json::json;
use state::alert::{self, Subject};
use state::columns::stored;
use state::{Lease, Tx, WriteContext, rows};

/// Retires a pool, or takes it back. Returns it and whether anything changed; `unsettled` where something of it is open.
pub fn retire(work: &mut WriteContext<'_>, pool: &Pool, undo: bool) -> Result<(Pool, bool)> {
    // Nobody syncs or pays it meanwhile.
    let _lease = work.permit.lease(&Lease::Pools)?;
    work.state.write(work.permit, |tx| {
        let pool = pool::by_id(tx.conn(), pool.id)?;
        if pool.retired_at.is_none() == undo {
            return Ok((pool, false));
        }
        if !undo {
            check_settled(tx.conn(), &pool)?;
            close_alerts(tx, &pool)?;
        }
        let since = (!undo).then(|| tx.now());
        rows::run(tx.conn(), "UPDATE pools SET retired_at = ?2 WHERE id = ?1", params![pool.id, since])?;
        let kind = if undo { "pool.unretired" } else { "pool.retired" };
        tx.event(kind, &pool.name, &json!({ "address": pool.address.to_string() }))?;
        Ok((pool::by_id(tx.conn(), pool.id)?, true))
    })
}

/// What a pool carries to its next epoch, in the token that rewards are counted in; `None` where that is nothing.
pub fn carried(conn: &Connection, pool: &Pool) -> Result<Option<Quantity>> {
    if pool.reward_carry.is_zero() {
        return Ok(None);
    }
    let Some(token) = counted_in(conn)? else { return Ok(None) };
    Ok(pool::asset(conn, stored(&token)?)?.map(|token| token.quantity(pool.reward_carry)))
}

/// What holds of a pool that nobody looks at any more is not known.
fn close_alerts(tx: &Tx<'_>, pool: &Pool) -> Result<()> {
    let subject = Subject::Pool(pool.id, &pool.name);
    let open = alert::list(tx.conn(), subject, None)?;
    open.iter().try_for_each(|one| alert::edge(tx, subject, &one.kind, None).map(drop))
}

/// Refuses to retire a pool that still owes something.
fn check_settled(conn: &Connection, pool: &Pool) -> Result<()> {
    let name = &pool.name;
    let refuse = |why: String, hint: Remedy| Err(Error::new(Code::Unsettled, why).hint(hint));
    let withdrawals = withdrawal::open(conn, pool)?;
    if !withdrawals.is_empty() {
        let ids = numbers(&withdrawals);
        let count = counted(withdrawals.len(), "open withdrawal");
        let hint = say("complete them, or give them up: ").run("withdrawal complete").of("ID");
        let hint = hint.say(", ").run("withdrawal fail").of("ID").with("reason").of("…");
        return refuse(format!("pool \"{name}\" has {count}: {ids}"), hint);
    }
    let epochs: Vec<i64> =
        created(conn)?.into_iter().filter(|row| row.pool_id == pool.id).map(|row| row.id).collect();
    if !epochs.is_empty() {
        let (count, ids) = (counted(epochs.len(), "epoch"), numbers(&epochs));
        let hint = say("when their last block is final: ").run("reward epoch distribute");
        return refuse(format!("pool \"{name}\" has {count} not distributed: {ids}"), hint);
    }
    let weights: Vec<(u64, u32)> = weight_rows(conn)?
        .into_iter()
        .filter(|row| row.pool_id == pool.id)
        .map(|row| (row.effective_block, row.weight_ppm))
        .collect();
    // Where its rewards have not begun, the next cycle begins them, at the first block that nothing is emitted for.
    let begins = || Ok::<_, Error>(emitted_to(conn)?.max(pool.reward_genesis.unwrap_or_default()));
    match unpaid(&weights, pool.reward_cursor.map_or_else(begins, Ok)?) {
        None => Ok(()),
        Some((_, None)) => {
            let hint = say("take it away: ").run("reward set-weight").of(name).of("0");
            let hint = hint.say("; then have the last epochs distributed: ").run("reward cycle");
            refuse(format!("pool \"{name}\" has a weight: it is paid in every epoch"), hint)
        }
        Some((start, Some(end))) => refuse(
            format!("pool \"{name}\" has epochs not distributed: those of blocks {start}..{end}"),
            say("when their last block is final: ").run("reward cycle"),
        ),
    }
}

fn numbers(ids: &[i64]) -> String {
    const NAMED: usize = 10;
    let named: Vec<String> = ids.iter().take(NAMED).map(i64::to_string).collect();
    let more = if ids.len() > NAMED { " and more" } else { "" };
    format!("{}{more}", named.join(", "))
}

/// The blocks, half-open and without an end where its last weight is above 0, that a pool with these weights (first block,
/// millionths) is yet to be paid for; `from` is the first block that it is not paid for. Pure.
fn unpaid(weights: &[(u64, u32)], from: u64) -> Option<(u64, Option<u64>)> {
    let ends = weights.iter().skip(1).map(|(from, _)| Some(*from)).chain([None]);
    let mut owed = weights.iter().zip(ends).filter(|((_, ppm), _)| *ppm > 0);
    owed.find_map(|((first, _), end)| match end {
        None => Some((*first.max(&from), None)),
        Some(end) => (end > from).then(|| (*first.max(&from), Some(end))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_yet_to_be_paid() {
        for (weights, from, want) in [
            (&[][..], 0, None),
            (&[], 50, None),
            (&[(0, 0)], 0, None),
            (&[(0, 7)], 0, Some((0, None))),
            (&[(0, 7)], 50, Some((50, None))),
            (&[(0, 7), (20, 0)], 0, Some((0, Some(20)))),
            (&[(0, 7), (20, 0)], 10, Some((10, Some(20)))),
            (&[(0, 7), (20, 0)], 20, None),
            (&[(0, 7), (20, 0)], 30, None),
            (&[(0, 0), (20, 7), (40, 0)], 10, Some((20, Some(40)))),
            (&[(0, 7), (20, 0), (40, 9)], 30, Some((40, None))),
            (&[(0, 7), (20, 0), (40, 9), (60, 0)], 60, None),
        ] {
            assert_eq!(unpaid(weights, from), want, "{weights:?} {from}");
        }
    }

    #[test]
    fn some_are_named() {
        assert_eq!(numbers(&[3, 7]), "3, 7");
        assert_eq!(numbers(&(1..=12).collect::<Vec<_>>()), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and more");
    }
}
