//! Transfers that do not add up are read again: from the last block at which they did, in smaller ranges, elsewhere too.

use super::intake::{Goals, Intake, Waiting};
use super::reorg::{Ground, checkpoints, take_back};
use crate::pool::Pool;
use crate::pool::abi::sol::transfer_topic;
use crate::pool::holders::holdings_before;
use crate::pool::holdings::MemberId;
use alloy::primitives::{Address, B256};
use base::amount::Base;
use base::{Code, Error, Result};
use evm::{BlockRef, PinnedView};
use rusqlite::{Connection, params};
use serde_json::json;
use state::columns::db_block;
use state::{WriteContext, rows};
use std::collections::HashSet;

/// Transfers that are read again at most: they must fit into memory.
pub(super) const MOST: usize = 2_000_000;

/// A block at which a pool's holders were right, with its hash; `None` is before its first.
pub(super) type Rung = Option<(u64, B256)>;

/// What is read again, in this order: since the newest block at or below the cursor at which the holders were right, then
/// all that no reward was paid on.
fn rungs(checkpoints: &[(u64, B256)], cursor: Option<u64>, paid: Option<u64>) -> Vec<Rung> {
    let proved = |most: u64| checkpoints.iter().find(|(block, _)| *block <= most).copied();
    let newest = cursor.and_then(proved);
    let floor = paid.and_then(proved);
    if newest == floor { vec![newest] } else { vec![newest, floor] }
}

/// Reads a pool's transfers up to block `to` again, until its holders have `total` there. Returns the number of transfers
/// beyond its cursor, and of holders; or `first`, why they did not add up, where nothing helps.
pub(super) async fn reread(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    pool: &Pool,
    total: Base,
    to: u64,
    first: Error,
) -> Result<Result<(u64, u64), Error>> {
    let conn = work.state.conn();
    let cursor = pool.cursor.map(|(block, _)| block);
    if cursor.is_some_and(|cursor| cursor > to) {
        return Ok(Err(first));
    }
    let ground = Ground::of(conn, pool)?;
    let rungs = rungs(&checkpoints(conn, pool)?, cursor, ground.paid.map(|(_, last)| last));
    let wanted = Wanted { pool, ground, total, to, proof: &|_| Ok(()) };
    Ok(wanted.read(work, view, &rungs, &first).await?.ok_or(first))
}

/// What a member must have after a block.
#[derive(Debug, Clone, Copy)]
pub struct Balance {
    /// The block.
    pub block: u64,
    /// The member.
    pub member: Address,
    /// Share base units, by the token.
    pub shares: Base,
}

/// Reads all of a pool's transfers that no reward was paid on again, up to the view's block, at which its cursor is, until
/// its holders have `total` there and each of `balances` is so. Whether that was reached; `first` is why it is tried.
pub async fn reread_to_balances(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    pool: &Pool,
    total: Base,
    balances: &[Balance],
    first: &Error,
) -> Result<bool> {
    let conn = work.state.conn();
    let ground = Ground::of(conn, pool)?;
    let proved = checkpoints(conn, pool)?;
    let floor = ground.paid.and_then(|(_, paid)| proved.into_iter().find(|(block, _)| *block <= paid));
    let proof = |conn: &Connection| balances.iter().try_for_each(|balance| held(conn, pool, balance));
    let wanted = Wanted { pool, ground, total, to: view.block().number, proof: &proof };
    Ok(wanted.read(work, view, &[floor], first).await?.is_some())
}

fn held(conn: &Connection, pool: &Pool, balance: &Balance) -> Result<()> {
    let sql = "SELECT id FROM members WHERE address = ?1";
    let id: Option<MemberId> = rows::value(conn, sql, [balance.member.to_string()])?;
    let shares = match id {
        Some(id) => holdings_before(conn, pool.id, balance.block + 1)?.of(id),
        None => Base::ZERO,
    };
    if shares == balance.shares {
        return Ok(());
    }
    let Balance { member, block, .. } = balance;
    Err(Error::new(Code::Drift, format!("member {member} still differs at block {block}")))
}

/// The pool's transfers after `keep` up to `to`, and that block; none where an endpoint other than the view's fails, or
/// there are too many.
pub(super) async fn download(
    (source, own): (&PinnedView, bool),
    pool: &Pool,
    keep: Option<u64>,
    to: u64,
) -> Result<Option<(Vec<Waiting>, BlockRef)>> {
    let mut intake = Intake::default();
    let from = intake.aim_from(pool, keep);
    let (mut end, mut many) = (None, false);
    let token = [pool.address];
    let read = evm::replay_narrow(source, &token, transfer_topic(), from, to, |range| {
        end = Some(range.end);
        intake.gather(&range)?;
        many = intake.len() > MOST;
        if many { Err(Error::new(Code::Drift, "too many transfers to read again")) } else { Ok(()) }
    });
    match read.await {
        Ok(()) => Ok(end.map(|end| (intake.gathered(), end))),
        Err(_) if many => Ok(None),
        Err(e) if own => Err(e),
        Err(e) => {
            tracing::debug!(endpoint = source.endpoint(), %e, "transfers could not be read again");
            Ok(None)
        }
    }
}

/// What a pool must come to with block `to`.
pub(super) struct Wanted<'a> {
    pub pool: &'a Pool,
    /// What is read again was chosen by.
    pub ground: Ground,
    pub total: Base,
    pub to: u64,
    /// What must be true of the new transfers too; `drift` where it is not.
    pub proof: &'a dyn Fn(&Connection) -> Result<()>,
}

impl Wanted<'_> {
    /// Reads again from each rung and at each source until it comes to what is wanted: the number of transfers beyond the
    /// cursor, and of holders.
    pub async fn read(
        &self,
        work: &mut WriteContext<'_>,
        view: &PinnedView,
        rungs: &[Rung],
        first: &Error,
    ) -> Result<Option<(u64, u64)>> {
        let pool = self.pool;
        let other = view.elsewhere(0).await;
        for (turn, keep) in rungs.iter().enumerate() {
            let sources = [(turn == 0 || other.is_none()).then_some(view), other.as_ref()];
            for source in sources.into_iter().flatten() {
                work.stop.check()?;
                let own = std::ptr::eq(source, view);
                let keep_block = keep.map(|(block, _)| block);
                let Some((rows, end)) = download((source, own), pool, keep_block, self.to).await? else {
                    continue;
                };
                if let Some(done) = self.settle(work, *keep, &rows, end, source.endpoint())? {
                    let (name, from) = (&pool.name, keep_block.map_or(pool.deploy_block, |block| block + 1));
                    view.warn(format!(
                        "pool \"{name}\": its transfers did not add up ({first}); read again from block {from} at endpoint {:?} they do",
                        source.endpoint()
                    ));
                    return Ok(Some(done));
                }
            }
        }
        Ok(None)
    }

    /// Puts `rows` in the place of what was stored after `keep`; nothing where the holders are not right then. `state_changed`
    /// where something else is stored by now.
    fn settle(
        &self,
        work: &mut WriteContext<'_>,
        keep: Rung,
        rows: &[Waiting],
        end: BlockRef,
        endpoint: &str,
    ) -> Result<Option<(u64, u64)>> {
        let Self { pool, total, .. } = *self;
        let cursor = pool.cursor.map(|(block, _)| block);
        let block = keep.map(|(block, _)| block);
        // No other run waits while they are compared: the write begins with whether these are stored still.
        let before = stored(work.state.conn(), pool, block)?;
        let after: HashSet<Place> = rows.iter().map(|row| (row.block, row.log_index, row.tx_hash)).collect();
        let known = |place: &&Place| cursor.is_some_and(|cursor| place.0 <= cursor);
        let (added, removed) =
            (after.difference(&before).filter(known).count(), before.difference(&after).count());
        let beyond = after.iter().filter(|place| !known(place)).count() as u64;
        let written = work.state.write(work.permit, |tx| {
            self.ground.holds(tx.conn(), pool)?;
            take_back(tx, pool, block)?;
            rows::run(
                tx.conn(),
                "UPDATE pools SET cursor_block = ?2, cursor_hash = ?3 WHERE id = ?1",
                params![pool.id, block.map(db_block).transpose()?, keep.map(|(_, hash)| hash.to_string())],
            )?;
            let mut intake = Intake::toward(end.number, Goals::from([(pool.id, (pool, total))]));
            intake.aim_from(pool, block);
            intake.store(tx, rows, end)?;
            let replayed = intake.finish();
            replayed.failed.into_values().next().map_or(Ok(()), Err)?;
            (self.proof)(tx.conn())?;
            let holders = replayed.holders.get(&pool.id).copied().unwrap_or_default();
            if added + removed > 0 {
                let from = block.map_or(pool.deploy_block, |block| block + 1);
                tx.event(
                    "pool.reread",
                    &pool.name,
                    &json!({ "from_block": from, "added": added, "removed": removed, "endpoint": endpoint }),
                )?;
            }
            Ok(holders)
        });
        match written {
            Ok(holders) => Ok(Some((beyond, holders))),
            Err(e) if e.code() == Code::Drift => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// Block, log index and transaction of a transfer.
type Place = (u64, u64, B256);

/// Each stored transfer of a pool after `keep`.
fn stored(conn: &Connection, pool: &Pool, keep: Option<u64>) -> Result<HashSet<Place>> {
    let sql = "SELECT block_number, log_index, tx_hash FROM share_transfers WHERE pool_id = ?1 AND block_number >= ?2";
    let from = db_block(keep.map_or(0, |block| block + 1))?;
    rows::all(conn, sql, params![pool.id, from], |row| {
        let tx_hash = B256::from(row.get::<_, [u8; 32]>("tx_hash")?);
        Ok((row.get("block_number")?, row.get("log_index")?, tx_hash))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_again() {
        let at = |block: u64| (block, B256::with_last_byte(u8::try_from(block).unwrap()));
        let proved = [at(90), at(70), at(50), at(30)];
        for (cursor, paid, want) in [
            (Some(90), None, vec![Some(at(90)), None]),
            (Some(95), None, vec![Some(at(90)), None]),
            (Some(80), None, vec![Some(at(70)), None]),
            (Some(95), Some(50), vec![Some(at(90)), Some(at(50))]),
            (Some(95), Some(90), vec![Some(at(90))]),
            (Some(20), None, vec![None]),
            (None, None, vec![None]),
        ] {
            assert_eq!(rungs(&proved, cursor, paid), want, "{cursor:?} {paid:?}");
        }
    }
}
