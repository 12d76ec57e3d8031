//! `pool rescan`: a pool's transfers read again on demand, compared with those in the state, which they replace on evidence.

use super::intake::{Intake, Waiting, moved as rewritten, stored};
use super::reorg::{RolledBack, behind, settle_reorgs, take_back};
use super::replay::date_deposits;
use super::reread::{MOST, download};
use crate::pool::abi::sol::IERC20;
use crate::pool::holders::holders_match;
use crate::pool::{self, Pool, abi, newest_known};
use alloy::primitives::{Address, B256};
use base::amount::{Base, Delta};
use base::{Code, Error, Remedy, Result, say};
use evm::{At, BlockRef, Chain, EventLog, PinnedView, ViewStamp};
use rusqlite::{Connection, params};
use serde_json::json;
use state::columns::{at, maybe_at};
use state::{Lease, Tx, WriteContext, rows};
use std::cmp::Ordering;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::slice;

/// Balances that are asked for before the next lot is.
const PER_ROUND: usize = 5_000;

/// Receipts that are asked for before the next lot is: they have all logs of their transactions.
const RECEIPTS: usize = 500;

/// Blocks whose stored transfers are compared: from one on, up to the pool's cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First block.
    pub from: u64,
    /// Last block.
    pub to: u64,
}

impl Range {
    /// From block `from`, else from the pool's deploy block, of a pool that was synced; not before the deploy block, nor beyond
    /// the cursor.
    pub fn of(pool: &Pool, from: Option<u64>) -> Result<Self> {
        let Pool { name, deploy_block, .. } = pool;
        let Some((to, _)) = pool.cursor else {
            let why = format!("pool \"{name}\" was never synced, there is nothing to compare");
            return Err(Error::new(Code::InvalidValue, why).hint(say("run: ").run("sync").of(name)));
        };
        let from = from.unwrap_or(*deploy_block);
        if (*deploy_block..=to).contains(&from) {
            return Ok(Self { from, to });
        }
        let why = format!(
            "block {from}: pool \"{name}\" was deployed in block {deploy_block} and is read up to block {to}"
        );
        let hint = say("choose a block in between, or leave out ").with("from");
        Err(Error::field(Code::InvalidValue, "from", why).hint(hint))
    }

    /// The last block before it whose transfers are left alone.
    fn keep(self, pool: &Pool) -> Option<u64> {
        (self.from > pool.deploy_block).then(|| self.from - 1)
    }
}

/// A transfer that was missing from the state, or that should not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// It was missing; else it is removed.
    pub added: bool,
    /// Block height.
    pub block: u64,
    /// Its log's index in the block.
    pub log_index: u64,
    /// Its transaction.
    pub tx: B256,
    /// The giver; zero for a mint.
    pub from: Address,
    /// The receiver; zero for a burn.
    pub to: Address,
    /// Share base units.
    pub shares: Base,
}

/// A member whose shares at the pool's former cursor are others than the state had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderChange {
    /// The member's address.
    pub member: Address,
    /// The operator's name for it.
    pub name: Option<String>,
    /// What the state had, share base units.
    pub before: Base,
    /// What it comes to.
    pub after: Base,
}

/// What a rescan came to.
#[derive(Debug, Clone)]
pub struct Rescanned {
    /// The pool before.
    pub pool: Pool,
    /// The block that was read up to, at which the pool is now.
    pub view: ViewStamp,
    /// What a reorg took back first.
    pub rolled_back: Vec<RolledBack>,
    /// The blocks compared.
    pub range: Range,
    /// The endpoints of the readings, which agree.
    pub endpoints: Vec<String>,
    /// Every difference, by block and log index.
    pub corrections: Vec<Correction>,
    /// Every member whose shares change, by address.
    pub holders: Vec<HolderChange>,
    /// Transfers beyond the blocks compared, taken in as by a sync.
    pub taken: u64,
}

/// Reads a pool's transfers again and puts them in the place of those in the state, at one block and in one transaction.
///
/// Two readings must agree: of two endpoints, or where there is one, of that endpoint twice; what the state has counts as a
/// reading of the one endpoint. No transfer is removed that its transaction's receipt has. The holders must have the token's
/// total at the view's block, each whose shares change what `balanceOf` says there, and nobody ever less than nothing. Else
/// nothing is written. Rewards that were paid stay as they are.
pub async fn rescan(
    work: &mut WriteContext<'_>,
    chain: &Chain,
    pool_id: i64,
    from: Option<u64>,
    at: At,
) -> Result<Rescanned> {
    let _lease = work.permit.lease(&Lease::Pools)?;
    let mut rolled_back = Vec::new();
    state::anew_async(async || {
        let known = newest_known(slice::from_ref(&pool::by_id(work.state.conn(), pool_id)?));
        chain
            .view_above(at, known, async |view| {
                let pool = pool::by_id(work.state.conn(), pool_id)?;
                if pool.retired_at.is_some() {
                    return Err(pool::is_retired(&pool));
                }
                let (rolled, failed) = settle_reorgs(work, view, slice::from_ref(&pool)).await?;
                rolled_back.extend(rolled);
                failed.into_values().next().map_or(Ok(()), Err)?;
                let pool = pool::by_id(work.state.conn(), pool_id)?;
                let range = Range::of(&pool, from)?;
                if range.to > view.block().number {
                    return Err(behind(view, &pool, range.to));
                }
                let found = one_view(work, view, pool, range).await?;
                Ok(Rescanned { rolled_back: rolled_back.clone(), ..found })
            })
            .await
    })
    .await
}

async fn one_view(
    work: &mut WriteContext<'_>,
    view: &PinnedView,
    pool: Pool,
    range: Range,
) -> Result<Rescanned> {
    let mut batch = view.batch();
    let asked = abi::ask_total(&mut batch, &pool);
    let total = asked(&batch.send().await?)?;
    let before = stored(work.state.conn(), &pool, range.from, u64::MAX)?;
    work.progress.begin("reading transfers again", None);
    let (mut rows, end, endpoints) = read(view, &pool, range, &before).await?;
    work.progress.end();
    work.stop.check()?;
    let order = in_order(work.state.conn(), &pool, &before, &rows)?;
    let beyond = rows.split_off(rows.partition_point(|row| row.block <= range.to));
    let corrections = corrections(&before, &rows);
    check_receipts(work, view, &pool, &corrections).await?;
    let holders = holders(work.state.conn(), &pool, &corrections)?;
    check_balances(view, &pool, &holders, &beyond).await?;
    work.stop.check()?;

    // Below the first difference everything stays as it is.
    let keep = corrections.first().map_or(Some(range.to), |first| first.block.checked_sub(1));
    rows.extend(beyond);
    rows.retain(|row| keep.is_none_or(|keep| row.block > keep));
    let found = Rescanned {
        pool,
        view: ViewStamp::of(view),
        rolled_back: Vec::new(),
        range,
        endpoints,
        taken: rows.iter().filter(|row| row.block > range.to).count() as u64,
        corrections,
        holders,
    };
    let written = rows.len() as u64;
    work.state.write(work.permit, |tx| write(tx, &found, (keep, rows, end), total, order))?;
    work.state.after_bulk(written)?;
    date_deposits(work, view, slice::from_ref(&found.pool)).await?;
    Ok(found)
}

/// The transfers of the blocks compared and of those beyond, up to the view's block; that block, and the endpoints.
type Readings = (Vec<Waiting>, BlockRef, Vec<String>);

/// Reads twice, at another endpoint the second time where there is one.
async fn read(view: &PinnedView, pool: &Pool, range: Range, before: &[Waiting]) -> Result<Readings> {
    let (keep, to) = (range.keep(pool), view.block().number);
    let too_many = || {
        let why = format!("it has more than {MOST} transfers from block {} on", range.from);
        Error::new(Code::InvalidValue, why).hint(say("begin at a later block: ").with("from").of("BLOCK"))
    };
    let (rows, end) = download((view, true), pool, keep, to).await?.ok_or_else(too_many)?;
    let mut endpoints = vec![view.endpoint().to_owned()];
    let mut second = None;
    if let Some(other) = view.elsewhere(0).await {
        let again = download((&other, false), pool, keep, to).await?;
        second = again.map(|(rows, _)| (rows, other.endpoint().to_owned()));
    }
    let known = rows.partition_point(|row| row.block <= range.to);
    if second.is_none() && !rows.get(..known).is_some_and(|known| known == before) {
        let (again, _) = download((view, true), pool, keep, to).await?.ok_or_else(too_many)?;
        second = Some((again, view.endpoint().to_owned()));
    }
    if let Some((again, endpoint)) = second {
        if let Some(Correction { block, log_index, .. }) = corrections(&again, &rows).first() {
            let own = view.endpoint();
            let why = format!(
                "readings at {own:?} and {endpoint:?} differ, first at log {log_index} of block {block}"
            );
            let hint = "nothing was written; run it again, or with other endpoints (evm.rpc_urls)";
            return Err(Error::new(Code::Drift, why).hint(hint).detail("pool", pool.name.clone()));
        }
        endpoints.push(endpoint);
    }
    Ok((rows, end, endpoints))
}

/// What makes `right` of `wrong`; both are in order.
fn corrections(wrong: &[Waiting], right: &[Waiting]) -> Vec<Correction> {
    let correction = |row: &Waiting, added| Correction {
        added,
        block: row.block,
        log_index: row.log_index,
        tx: row.tx_hash,
        from: row.from,
        to: row.to,
        shares: row.shares,
    };
    let place = |row: &Waiting| (row.block, row.log_index);
    let (mut wrong, mut right) = (wrong.iter().peekable(), right.iter().peekable());
    let mut found = Vec::new();
    loop {
        let order = match (wrong.peek(), right.peek()) {
            (None, None) => return found,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(wrong), Some(right)) => place(wrong).cmp(&place(right)),
        };
        let gone = if order.is_le() { wrong.next() } else { None };
        let new = if order.is_ge() { right.next() } else { None };
        if gone != new {
            found.extend(gone.map(|row| correction(row, false)));
            found.extend(new.map(|row| correction(row, true)));
        }
    }
}

/// What each address gains or loses by transfers.
fn gains<'r>(
    moves: impl Iterator<Item = (bool, Address, Address, Base)> + 'r,
) -> Result<BTreeMap<Address, Delta>> {
    let mut gains: BTreeMap<Address, Delta> = BTreeMap::new();
    for (forth, from, to, shares) in moves {
        let (credit, debit) = (Delta::credit(shares), Delta::debit(shares));
        for (member, amount) in
            [(from, if forth { debit } else { credit }), (to, if forth { credit } else { debit })]
        {
            if !member.is_zero() {
                let gain = gains.entry(member).or_default();
                let past = || Error::new(Code::Drift, "its transfers pass 256 bits");
                *gain = gain.checked_add(amount).ok_or_else(past)?;
            }
        }
    }
    gains.retain(|_, gain| !gain.is_zero());
    Ok(gains)
}

/// Whose shares are others then.
fn holders(conn: &Connection, pool: &Pool, corrections: &[Correction]) -> Result<Vec<HolderChange>> {
    let gains = gains(corrections.iter().map(|c| (c.added, c.from, c.to, c.shares)))?;
    let mut member = conn.prepare_cached(
        "SELECT m.name, u.shares FROM members m
         LEFT JOIN user_pool_shares u ON u.member_id = m.id AND u.pool_id = ?1 WHERE m.address = ?2",
    )?;
    let mut found = Vec::with_capacity(gains.len());
    for (address, gain) in gains {
        let mut known = rows::of(&mut member, params![pool.id, address.to_string()])?;
        let (name, before) = match known.next()? {
            Some(row) => (row.get("name")?, maybe_at(&row, "shares")?.unwrap_or(Base::ZERO)),
            None => (None, Base::ZERO),
        };
        let after = moved(before, gain).ok_or_else(|| below_zero(address))?;
        found.push(HolderChange { member: address, name, before, after });
    }
    Ok(found)
}

/// Whether nobody ever gives more than they have then, by the transfers `rows` in the place of `before`; `drift` where somebody
/// does.
fn in_order(conn: &Connection, pool: &Pool, before: &[Waiting], rows: &[Waiting]) -> Result<Result<()>> {
    let back = gains(before.iter().map(|row| (false, row.from, row.to, row.shares)))?;
    let sql = "SELECT u.shares FROM members m
         JOIN user_pool_shares u ON u.member_id = m.id AND u.pool_id = ?1 WHERE m.address = ?2";
    let mut has = HashMap::new();
    for member in rows.iter().flat_map(|row| [row.from, row.to]).filter(|member| !member.is_zero()) {
        if let Entry::Vacant(slot) = has.entry(member) {
            let now: Option<Base> =
                rows::first(conn, sql, params![pool.id, member.to_string()], |row| at(row, "shares"))?;
            let gain = back.get(&member).copied().unwrap_or_default();
            let start = Delta::credit(now.unwrap_or_default()).checked_add(gain);
            // What is less than nothing, or passes 256 bits, was never so: nothing fits it.
            slot.insert(start.filter(|start| !start.is_negative()));
        }
    }
    Ok(each_in_order(has, rows))
}

/// Applies transfers to what each member `has` before the first of them.
fn each_in_order(mut has: HashMap<Address, Option<Delta>>, rows: &[Waiting]) -> Result<()> {
    for Waiting { block, from, to, shares, .. } in rows {
        for (member, gain) in [(from, Delta::debit(*shares)), (to, Delta::credit(*shares))] {
            if member.is_zero() || shares.is_zero() {
                continue;
            }
            let before = has.get(member).copied().flatten();
            let after = before.and_then(|before| before.checked_add(gain)).filter(|sum| !sum.is_negative());
            if after.is_none() {
                let why = format!(
                    "its transfers do not add up: one in block {block} does not fit what {member} has then"
                );
                return Err(Error::new(Code::Drift, why).hint(unchanged()));
            }
            has.insert(*member, after);
        }
    }
    Ok(())
}

fn moved(shares: Base, gain: Delta) -> Option<Base> {
    let after = Delta::credit(shares).checked_add(gain)?;
    (!after.is_negative()).then(|| after.magnitude())
}

fn below_zero(member: Address) -> Error {
    Error::new(Code::Drift, format!("its transfers do not add up: the balance of {member} would be negative"))
        .hint(unchanged())
}

fn unchanged() -> Remedy {
    say("nothing was written; a log is missing: try other endpoints (evm.rpc_urls), or an earlier ")
        .with("from")
}

/// Refuses to remove a transfer that its transaction's receipt has: then the logs were left out twice.
async fn check_receipts(
    work: &WriteContext<'_>,
    view: &PinnedView,
    pool: &Pool,
    corrections: &[Correction],
) -> Result<()> {
    let removed: Vec<&Correction> = corrections.iter().filter(|correction| !correction.added).collect();
    for round in removed.chunks(RECEIPTS) {
        work.stop.check()?;
        let logs = view.logs_by_receipts(&round.iter().map(|row| row.tx).collect()).await?;
        let blocks = view.blocks_of(round.iter().map(|row| row.block)).await?;
        for Correction { block, log_index, tx, .. } in round {
            let here = blocks.get(block).map(|block| block.hash);
            let has = |log: &EventLog| {
                log.inner.address == pool.address
                    && Some(log.block_hash) == here
                    && (log.tx_hash, log.log_index) == (*tx, *log_index)
            };
            if logs.iter().any(has) {
                let why = format!(
                    "endpoint {:?} leaves out log {log_index} of block {block}, which the receipt of {tx} has",
                    view.endpoint()
                );
                return Err(Error::new(Code::BadReply, why)
                    .hint("nothing was written; its index of logs has a hole: use another endpoint (evm.rpc_urls)")
                    .detail("pool", pool.name.clone()));
            }
        }
    }
    Ok(())
}

/// Compares what the members whose shares change have at the view's block with what the contract says.
async fn check_balances(
    view: &PinnedView,
    pool: &Pool,
    holders: &[HolderChange],
    beyond: &[Waiting],
) -> Result<()> {
    let since = gains(beyond.iter().map(|row| (true, row.from, row.to, row.shares)))?;
    for round in holders.chunks(PER_ROUND) {
        let mut batch = view.batch();
        let asked: Vec<_> = round
            .iter()
            .map(|holder| batch.add(pool.address, &IERC20::balanceOfCall { account: holder.member }))
            .collect();
        let reply = batch.send().await?;
        for (HolderChange { member, after, .. }, asked) in round.iter().zip(asked) {
            let has = reply.get(asked).map_err(|e| e.into_error(pool.abi.noun()))?;
            let gain = since.get(member).copied().unwrap_or_default();
            let comes_to = moved(*after, gain).ok_or_else(|| below_zero(*member))?;
            if has != comes_to {
                let why = format!(
                    "its transfers do not add up: by them {member} has {} at block {}, by balanceOf {}",
                    pool.shares(comes_to),
                    view.block().number,
                    pool.shares(has)
                );
                return Err(Error::new(Code::Drift, why)
                    .hint(unchanged())
                    .detail("pool", pool.name.clone())
                    .detail("member", member.to_string()));
            }
        }
    }
    Ok(())
}

/// Puts what was read after block `keep` in the place of what the state has there; `order` is whether nobody ever gives more
/// than they have by it.
fn write(
    tx: &Tx<'_>,
    found: &Rescanned,
    (keep, rows, end): (Option<u64>, Vec<Waiting>, BlockRef),
    total: Base,
    order: Result<()>,
) -> Result<()> {
    let Rescanned { pool, range, corrections, .. } = found;
    let conn = tx.conn();
    if pool::by_id(conn, pool.id)? != *pool {
        return Err(rewritten(pool));
    }
    if !corrections.is_empty() {
        take_back(tx, pool, keep)?;
    }
    let mut intake = Intake::default();
    intake.aim_from(pool, keep);
    if let Err(e) = intake.store(tx, &rows, end) {
        return Err(intake.finish().failed.into_values().next().unwrap_or(e));
    }
    holders_match(conn, pool, total, end.number)?;
    if let Some(synced) = pool::snapshot(conn, pool)? {
        holders_match(conn, pool, synced.total_shares, synced.block.number)?;
    }
    order?;
    if corrections.is_empty() && end.number == range.to {
        return Ok(());
    }
    let added = corrections.iter().filter(|correction| correction.added).count();
    tx.event(
        "pool.rescanned",
        &pool.name,
        &json!({
            "from_block": range.from, "to_block": range.to, "added": added, "removed": corrections.len() - added,
            "holders": found.holders.len(), "block": end.number, "hash": end.hash, "endpoints": found.endpoints,
        }),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row((block, log_index, from, to, shares): (u64, u64, u8, u8, u64)) -> Waiting {
        let account = |n: u8| if n == 0 { Address::ZERO } else { Address::with_last_byte(n) };
        let (tx_hash, shares) = (B256::with_last_byte(u8::try_from(block).unwrap()), Base::from(shares));
        Waiting { pool_id: 1, block, log_index, tx_hash, from: account(from), to: account(to), shares }
    }

    fn rows(all: &[(u64, u64, u8, u8, u64)]) -> Vec<Waiting> {
        all.iter().copied().map(row).collect()
    }

    #[test]
    fn every_kind_of_correction() {
        let right = rows(&[(5, 0, 0, 1, 10), (5, 3, 1, 2, 4), (7, 1, 2, 0, 1)]);
        let shown = |wrong: &[Waiting]| -> Vec<(bool, u64, u64)> {
            corrections(wrong, &right).iter().map(|c| (c.added, c.block, c.log_index)).collect()
        };
        assert_eq!(shown(&right), []);
        assert_eq!(shown(&[]), [(true, 5, 0), (true, 5, 3), (true, 7, 1)]);
        assert_eq!(shown(&rows(&[(5, 0, 0, 1, 10), (7, 1, 2, 0, 1)])), [(true, 5, 3)]);
        // The same log with another amount goes and comes.
        assert_eq!(
            shown(&rows(&[(5, 0, 0, 1, 10), (5, 3, 1, 2, 5), (7, 1, 2, 0, 1)])),
            [(false, 5, 3), (true, 5, 3)]
        );
        let mut more = right.clone();
        more.insert(2, row((6, 0, 1, 2, 1)));
        more.push(row((9, 9, 0, 1, 1)));
        assert_eq!(shown(&more), [(false, 6, 0), (false, 9, 9)]);
    }

    fn any_rows() -> impl Strategy<Value = Vec<Waiting>> {
        let one = ((1u64..4, 0u64..3), (0u8..4, 0u8..4, 0u64..3));
        proptest::collection::vec(one, 0..8).prop_map(|all| {
            let by_place: BTreeMap<_, _> = all.into_iter().collect();
            by_place.into_iter().map(|((block, log), (from, to, n))| row((block, log, from, to, n))).collect()
        })
    }

    proptest! {
        /// The corrections lead from one to the other, and so do the gains.
        #[test]
        fn corrections_make_right_of_wrong(wrong in any_rows(), right in any_rows()) {
            let found = corrections(&wrong, &right);
            let mut made: BTreeMap<(u64, u64), (B256, Address, Address, Base)> =
                wrong.iter().map(|r| ((r.block, r.log_index), (r.tx_hash, r.from, r.to, r.shares))).collect();
            for c in found.iter().filter(|c| !c.added) {
                prop_assert_eq!(made.remove(&(c.block, c.log_index)), Some((c.tx, c.from, c.to, c.shares)));
            }
            for c in found.iter().filter(|c| c.added) {
                prop_assert_eq!(made.insert((c.block, c.log_index), (c.tx, c.from, c.to, c.shares)), None);
            }
            let want: BTreeMap<_, _> =
                right.iter().map(|r| ((r.block, r.log_index), (r.tx_hash, r.from, r.to, r.shares))).collect();
            prop_assert_eq!(made, want);

            let of = |rows: &[Waiting]| gains(rows.iter().map(|r| (true, r.from, r.to, r.shares))).unwrap();
            let (mut sum, change) =
                (of(&wrong), gains(found.iter().map(|c| (c.added, c.from, c.to, c.shares))).unwrap());
            for (member, gain) in change {
                let slot = sum.entry(member).or_default();
                *slot = slot.checked_add(gain).unwrap();
            }
            sum.retain(|_, gain| !gain.is_zero());
            prop_assert_eq!(sum, of(&right));
        }
    }

    #[test]
    fn nobody_gives_what_comes_later() {
        let has = |shares: Option<u64>| -> HashMap<Address, Option<Delta>> {
            let before = shares.map(|shares| Delta::credit(Base::from(shares)));
            [1, 2].map(|n| (Address::with_last_byte(n), before)).into()
        };
        for (before, all, fits) in [
            (Some(0), [(5, 0, 0, 1, 10), (5, 3, 1, 2, 4), (7, 1, 2, 0, 4)], true),
            (Some(0), [(5, 0, 0, 1, 10), (5, 3, 2, 0, 4), (7, 1, 1, 2, 4)], false),
            (Some(4), [(5, 0, 0, 1, 10), (5, 3, 2, 0, 4), (7, 1, 1, 2, 4)], true),
            (Some(0), [(5, 0, 1, 1, 1), (5, 3, 0, 1, 4), (7, 1, 1, 2, 4)], false),
            (Some(0), [(5, 0, 1, 2, 0), (5, 3, 0, 1, 4), (7, 1, 1, 1, 4)], true),
            (None, [(5, 0, 0, 1, 10), (5, 3, 1, 2, 4), (7, 1, 2, 0, 4)], false),
        ] {
            let done = each_in_order(has(before), &rows(&all)).map_err(|e| e.code());
            assert_eq!(done, if fits { Ok(()) } else { Err(Code::Drift) }, "{before:?} {all:?}");
        }
    }

    #[test]
    fn nobody_has_less_than_nothing() {
        let ten = Base::from(10);
        assert_eq!(moved(ten, Delta::debit(ten)), Some(Base::ZERO));
        assert_eq!(moved(ten, Delta::debit(Base::from(11))), None);
        assert_eq!(moved(Base::MAX, Delta::credit(Base::ONE)), None);
    }
}
