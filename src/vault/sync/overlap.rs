//! The last blocks before the cursors, read a second time, elsewhere if possible: what one answer left out or made up does
//! not stay. The stored transfers are one reading, these are another; where they differ, a third decides.

use super::intake::{Goals, POOLS_PER_QUERY, Replayed, decode, stored};
use super::reorg::Ground;
use super::reread::{Rung, Wanted};
use crate::pool::Pool;
use crate::pool::abi::sol::transfer_topic;
use alloy::primitives::{Address, B256};
use base::amount::Base;
use base::{Code, Error, Result, say};
use evm::{BlockRef, EventLog, PinnedView};
use rusqlite::Connection;
use state::WriteContext;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A transfer as a log tells it: log index, transaction, from, to, share base units.
type Row = (u64, B256, Address, Address, Base);
/// One pool's transfers by block.
type Blocks = BTreeMap<u64, Vec<Row>>;
/// A reading by token; one that has logs which are no transfers is that pool's failure.
type Reading = HashMap<Address, Result<Blocks>>;

/// What is to be made of a block that two readings disagree about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OverlapResult {
    /// What is stored is right.
    Stands,
    /// What is stored is wrong.
    Wrong,
    /// Three readings, three answers.
    Undecided,
}

/// What a transaction's receipt bears out is right. Without that, two of three readings that agree are believed: the stored
/// one, the second one, and a third.
fn verdict(stored: &[Row], again: &[Row], third: &[Row], borne_out: impl Fn(&Row) -> bool) -> OverlapResult {
    let lacks = |has: &[Row], row: &&Row| !has.contains(row) && borne_out(row);
    let missing = again.iter().chain(third).any(|row| lacks(stored, &row));
    let lost = stored.iter().any(|row| lacks(again, &row));
    if missing && lost {
        OverlapResult::Undecided
    } else if missing {
        OverlapResult::Wrong
    } else if lost || third == stored {
        OverlapResult::Stands
    } else if third == again {
        OverlapResult::Wrong
    } else {
        OverlapResult::Undecided
    }
}

/// Reads the last `evm.overlap_blocks` before each pool's cursor again, at another endpoint where one serves the view's
/// block, and compares them with what is stored. A block that differs is asked for a third time, by its hash. A pool of
/// which something else was stored is read again from there up to block `to`; one that cannot be decided fails.
/// A pool's own failure is in what is returned: `bad_reply`, `drift`.
pub(super) async fn overlap(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    goals: &Goals<'_>,
    to: u64,
) -> Result<Replayed> {
    let mut done = Replayed::default();
    let width = work.config.number("evm.overlap_blocks")?;
    let mut by_cursor: BTreeMap<u64, Vec<&Pool>> = BTreeMap::new();
    for (pool, _) in goals.values() {
        if let Some((cursor, _)) = pool.cursor.filter(|(cursor, _)| *cursor < to && width > 0) {
            by_cursor.entry(cursor).or_default().push(pool);
        }
    }
    if by_cursor.is_empty() {
        return Ok(done);
    }
    let other = view.elsewhere(0).await;
    for (cursor, pools) in by_cursor {
        let from = (cursor + 1).saturating_sub(width);
        for chunk in pools.chunks(POOLS_PER_QUERY) {
            let (reader, found) = second(view, other.as_ref(), chunk, from, cursor).await?;
            for pool in chunk {
                let Some((_, total)) = goals.get(&pool.id) else { continue };
                let ground = Ground::of(work.state.conn(), pool)?;
                let doubt = match found.get(&pool.address).cloned().unwrap_or_else(|| Ok(Blocks::new())) {
                    Ok(again) => {
                        let stored = stored_rows(work.state.conn(), pool, from, cursor)?;
                        judge(view, reader, pool, &stored, &again).await?
                    }
                    Err(e) => Some(Err(e)),
                };
                let Some(doubt) = doubt else { continue };
                match make_good(work, view, (pool, ground), *total, to, doubt).await? {
                    Ok((taken, holders)) => {
                        done.taken.insert(pool.id, taken);
                        done.holders.insert(pool.id, holders);
                    }
                    Err(e) => drop(done.failed.insert(pool.id, e)),
                }
            }
        }
    }
    Ok(done)
}

/// The second reading, and whose it is: the other endpoint's, or where that fails the view's own.
async fn second<'v>(
    view: &'v PinnedView,
    other: Option<&'v PinnedView>,
    pools: &[&Pool],
    from: u64,
    to: u64,
) -> Result<(&'v PinnedView, Reading)> {
    if let Some(other) = other {
        match read(other, pools, from, to).await {
            Ok(found) => return Ok((other, found)),
            Err(e) => view.warn(format!("endpoint {:?} gave no second opinion: {e}", other.endpoint())),
        }
    }
    Ok((view, read(view, pools, from, to).await?))
}

async fn read(reader: &PinnedView, pools: &[&Pool], from: u64, to: u64) -> Result<Reading> {
    let births: HashMap<Address, u64> = pools.iter().map(|pool| (pool.address, pool.deploy_block)).collect();
    let addresses: Vec<Address> = pools.iter().map(|pool| pool.address).collect();
    let mut found = Reading::new();
    evm::replay(reader, &addresses, transfer_topic(), from, to, |range| {
        for log in &range.logs {
            let token = log.inner.address;
            if births.get(&token).is_some_and(|born| log.block_number >= *born) {
                let of_pool = found.entry(token).or_insert_with(|| Ok(Blocks::new()));
                match (row(log), of_pool) {
                    (Ok(row), Ok(blocks)) => blocks.entry(log.block_number).or_default().push(row),
                    (Err(e), of_pool) => *of_pool = Err(e),
                    (Ok(_), Err(_)) => {}
                }
            }
        }
        Ok(())
    })
    .await?;
    Ok(found)
}

fn row(log: &EventLog) -> Result<Row> {
    let transfer = decode(log)?;
    Ok((log.log_index, log.tx_hash, transfer.from, transfer.to, transfer.value))
}

/// A pool's stored transfers in blocks `from..=to`.
fn stored_rows(conn: &Connection, pool: &Pool, from: u64, to: u64) -> Result<Blocks> {
    let mut found = Blocks::new();
    for row in stored(conn, pool, from, to)? {
        let transfer = (row.log_index, row.tx_hash, row.from, row.to, row.shares);
        found.entry(row.block).or_default().push(transfer);
    }
    Ok(found)
}

/// Blocks of a pool that are not as stored, with the block before the first of them.
struct Doubt {
    before: Rung,
    /// What the blocks that differ have.
    right: Blocks,
    why: Error,
}

/// Whether something else is stored than the chain has; `Err` inside where that cannot be told.
async fn judge(
    view: &PinnedView,
    reader: &PinnedView,
    pool: &Pool,
    stored: &Blocks,
    again: &Blocks,
) -> Result<Option<Result<Doubt, Error>>> {
    let of = |from: &Blocks, block: u64| from.get(&block).cloned().unwrap_or_default();
    let blocks: BTreeSet<u64> = stored.keys().chain(again.keys()).copied().collect();
    let differ: Vec<u64> = blocks.into_iter().filter(|block| stored.get(block) != again.get(block)).collect();
    let Some(first) = differ.first().copied() else { return Ok(None) };
    let heights: Vec<u64> = first.checked_sub(1).into_iter().chain(differ.iter().copied()).collect();
    let headers: HashMap<u64, BlockRef> = view.blocks_of(heights).await?;
    let asked: Vec<BlockRef> = differ.iter().filter_map(|block| headers.get(block).copied()).collect();
    let mut third = Blocks::new();
    for log in evm::logs_of(view, &[pool.address], transfer_topic(), &asked).await? {
        match row(&log) {
            Ok(row) => third.entry(log.block_number).or_default().push(row),
            Err(e) => return Ok(Some(Err(e))),
        }
    }
    let receipts = match by_receipts(view, pool, &differ, &headers, [stored, again, &third]).await? {
        Ok(receipts) => receipts,
        Err(e) => return Ok(Some(Err(e))),
    };
    let (name, theirs, ours) = (&pool.name, reader.endpoint(), view.endpoint());
    let mut right = Blocks::new();
    for block in differ {
        let (again, third) = (of(again, block), of(&third, block));
        let borne_out = |row: &Row| receipts.get(&block).is_some_and(|rows| rows.contains(row));
        match verdict(&of(stored, block), &again, &third, borne_out) {
            OverlapResult::Stands => view.warn(format!(
                "endpoint {theirs:?} has other transfers of pool \"{name}\" in block {block} than are stored; asked again, \
                 endpoint {ours:?} has those that are stored"
            )),
            // The reading that has all that the receipts have.
            OverlapResult::Wrong => {
                let lacks = receipts.get(&block).is_some_and(|rows| rows.iter().any(|row| !again.contains(row)));
                drop(right.insert(block, if lacks { third } else { again }));
            }
            OverlapResult::Undecided => {
                let why = format!(
                    "its transfers in block {block} are stored, and were read at endpoints {theirs:?} and {ours:?}, in three ways"
                );
                let hint = say("run it again; if that stays so: ").run("pool rescan").of(name).with("from").of(block);
                return Ok(Some(Err(Error::new(Code::BadReply, why).hint(hint))));
            }
        }
    }
    let Some(first) = right.keys().next().copied() else { return Ok(None) };
    // Of the block before, the hash is only looked at until the transfers after it are stored again.
    let before = first.checked_sub(1).filter(|before| *before >= pool.deploy_block);
    let before =
        before.map(|number| (number, headers.get(&number).map(|block| block.hash).unwrap_or_default()));
    let why = format!("block {first} has other transfers than were stored");
    Ok(Some(Ok(Doubt { before, right, why: Error::new(Code::Drift, why) })))
}

/// The transfers of these blocks that the receipts of their transactions have, as far as the endpoint has receipts; the inner
/// error is of logs that are no transfers.
async fn by_receipts(
    view: &PinnedView,
    pool: &Pool,
    blocks: &[u64],
    headers: &HashMap<u64, BlockRef>,
    readings: [&Blocks; 3],
) -> Result<Result<Blocks>> {
    let rows = blocks.iter().flat_map(|block| readings.iter().filter_map(|reading| reading.get(block)));
    let txs: BTreeSet<B256> = rows.flatten().map(|(_, tx, ..)| *tx).collect();
    let mut found = Blocks::new();
    for log in view.logs_by_receipts(&txs).await? {
        let is_here = headers.get(&log.block_number).is_some_and(|block| block.hash == log.block_hash);
        let is_transfer = log.inner.data.topics().first() == Some(&transfer_topic());
        if is_here && is_transfer && log.inner.address == pool.address {
            match row(&log) {
                Ok(row) => found.entry(log.block_number).or_default().push(row),
                Err(e) => return Ok(Err(e)),
            }
        }
    }
    Ok(Ok(found))
}

/// Reads again from the first block that is wrong, so that each block is as two readings say.
async fn make_good(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    (pool, ground): (&Pool, Ground),
    total: Base,
    to: u64,
    doubt: Result<Doubt, Error>,
) -> Result<Result<(u64, u64), Error>> {
    let Doubt { before, right, why } = match doubt {
        Ok(doubt) => doubt,
        Err(e) => return Ok(Err(e)),
    };
    let first = right.keys().next().copied().unwrap_or_default();
    let rescan = say("read them again and see what changes: ").run("pool rescan").of(&pool.name);
    let rescan = rescan.with("from").of(first);
    if let Some((_, paid)) = ground.paid.filter(|(_, paid)| *paid >= first) {
        let why = format!("{}, and rewards were paid up to block {paid}", why.message());
        return Ok(Err(Error::new(Code::Drift, why).hint(rescan)));
    }
    let proof = |conn: &Connection| {
        right.iter().try_for_each(|(block, rows)| {
            let now = stored_rows(conn, pool, *block, *block)?;
            let same = now.get(block).map_or(rows.is_empty(), |now| now == rows);
            if same { Ok(()) } else { Err(Error::new(Code::Drift, format!("block {block} came otherwise"))) }
        })
    };
    let wanted = Wanted { pool, ground, total, to, proof: &proof };
    Ok(wanted.read(work, view, &[before], &why).await?.ok_or_else(|| why.hint(rescan)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{Log, LogData};

    fn row(log_index: u64, shares: u64) -> Row {
        (log_index, B256::ZERO, Address::ZERO, Address::repeat_byte(1), Base::from(shares))
    }

    #[test]
    fn two_of_three_readings_are_believed() {
        let (one, two) = (vec![row(0, 1)], vec![row(0, 2)]);
        for (stored, again, third, want) in [
            (&one, &vec![], &one, OverlapResult::Stands),
            (&one, &vec![], &vec![], OverlapResult::Wrong),
            (&vec![], &one, &one, OverlapResult::Wrong),
            (&vec![], &one, &vec![], OverlapResult::Stands),
            (&one, &two, &two, OverlapResult::Wrong),
            (&one, &two, &one, OverlapResult::Stands),
            (&one, &two, &vec![], OverlapResult::Undecided),
        ] {
            assert_eq!(verdict(stored, again, third, |_| false), want, "{stored:?} {again:?} {third:?}");
        }
    }

    #[test]
    fn a_transfer_has_one_word_of_data() {
        let side = |byte| B256::left_padding_from(Address::repeat_byte(byte).as_slice());
        let log = |bytes: usize| EventLog {
            inner: Log {
                address: Address::ZERO,
                data: LogData::new_unchecked(vec![transfer_topic(), side(1), side(2)], vec![1; bytes].into()),
            },
            block_number: 7,
            block_hash: B256::ZERO,
            tx_hash: B256::ZERO,
            tx_index: 0,
            log_index: 3,
        };
        let word = Base::from_be_bytes([1; 32]);
        let (giver, getter) = (Address::repeat_byte(1), Address::repeat_byte(2));
        assert_eq!(super::row(&log(32)).unwrap(), (3, B256::ZERO, giver, getter, word));
        for bytes in [0, 31, 33, 64] {
            let e = super::row(&log(bytes)).unwrap_err();
            assert!(e.message().contains(&format!("its data has {bytes} bytes, not 32")), "{e}");
        }
    }

    #[test]
    fn what_a_receipt_bears_out_is_right_whatever_the_readings_say() {
        let row = |shares: u64| row(shares, shares);
        let (one, two) = (vec![row(1)], vec![row(2)]);
        for (stored, again, third, receipt, want) in [
            // Left out twice by the one that has the receipt.
            (&vec![], &one, &vec![], row(1), OverlapResult::Wrong),
            (&one, &vec![], &vec![], row(1), OverlapResult::Stands),
            (&one, &two, &two, row(1), OverlapResult::Stands),
            (&one, &two, &one, row(2), OverlapResult::Wrong),
            (&one, &two, &vec![], row(2), OverlapResult::Wrong),
            // A receipt of neither decides nothing.
            (&one, &vec![], &vec![], row(3), OverlapResult::Wrong),
        ] {
            let found = verdict(stored, again, third, |row| *row == receipt);
            assert_eq!(found, want, "{stored:?} {again:?} {third:?}");
        }
        assert_eq!(verdict(&one, &two, &two, |_| true), OverlapResult::Undecided);
    }
}
