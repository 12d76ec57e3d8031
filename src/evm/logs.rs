//! Replays a contract's events in adaptive ranges, one range in memory at a time, and finds a common ancestor.

use super::chain::by_number;
use super::fault::{Fault, Sort, sort};
use super::peer::Patience;
use super::range::RangePlan;
use super::view::PinnedView;
use super::wire::{self, BlockRef, EventLog};
use crate::net::jsonrpc::{Answer, Call};
use crate::net::{self, FaultKind, Verdict, retry};
use crate::{Code, Error, Result};
use alloy::primitives::{Address, B256};
use serde_json::json;
use std::sync::atomic::Ordering;

pub(super) const GET_LOGS: &str = "eth_getLogs";
/// A range that was not answered in time is cut to this part, since each try costs a timeout.
const SLOW_PART: u64 = 8;
/// How many times narrower the ranges are of what is read again.
const NARROWER: u64 = 8;
/// How many checkpoints are asked for at once: the newest alone first, since mostly it is the one.
const FIRST_LOOK: usize = 1;
const LOOK_GROWTH: usize = 16;

/// The events of a range of blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRange {
    /// First block.
    pub from: u64,
    /// Last block, whose hash makes the cursor to go on from.
    pub end: BlockRef,
    /// All events, by block and log index.
    pub logs: Vec<EventLog>,
}

/// Replays the events with `topic0` of `addresses` in blocks `from..=to`, and hands `sink` one range after the
/// other, in order and without gaps; ranges without events come too, so that a cursor can move on.
///
/// `sink` stores the range and its end block in one transaction: the range is canonical together with the
/// view's block at that time. When the view starts anew (see `Chain::view`), go on from the stored cursor. `to`
/// is at most the view's block; `from > to` does nothing. An empty `addresses` would mean every contract of the
/// chain and is refused.
///
/// Whatever is said against a range of several blocks, a narrower one is asked for; what works is kept for the
/// endpoint. A wait that HTTP asks for is kept too.
///
/// Errors: those of `sink` as they are; `rpc_error` when the logs of one block alone are refused; else those of the
/// view.
pub async fn replay(
    view: &PinnedView,
    addresses: &[Address],
    topic0: B256,
    from: u64,
    to: u64,
    sink: impl FnMut(LogRange) -> Result<()>,
) -> Result<()> {
    let (limits, known) = (view.chain().config.logs, &view.peer().log_width);
    let plan = match known.load(Ordering::Relaxed) {
        0 => RangePlan::new(from, to, limits.start, limits.most),
        width => RangePlan::known(from, to, width, limits.most),
    };
    walk(view, addresses, topic0, to, plan, sink).await
}

/// As [`replay`], in narrower ranges than usual: for what was read before and did not add up.
///
/// Errors: as [`replay`].
pub async fn replay_narrow(
    view: &PinnedView,
    addresses: &[Address],
    topic0: B256,
    from: u64,
    to: u64,
    sink: impl FnMut(LogRange) -> Result<()>,
) -> Result<()> {
    let limits = view.chain().config.logs;
    let known = view.peer().log_width.load(Ordering::Relaxed);
    let usual = if known == 0 { limits.start } else { known };
    let width = (usual / NARROWER).max(1);
    let done = walk(view, addresses, topic0, to, RangePlan::new(from, to, width, width), sink).await;
    // That it was asked for less says nothing of what it answers.
    view.peer().log_width.store(known, Ordering::Relaxed);
    done
}

async fn walk(
    view: &PinnedView,
    addresses: &[Address],
    topic0: B256,
    to: u64,
    mut plan: RangePlan,
    mut sink: impl FnMut(LogRange) -> Result<()>,
) -> Result<()> {
    if addresses.is_empty() {
        return Err(Error::new(Code::Bug, "a replay of logs without an address"));
    }
    view.not_above(to)?;
    let known = &view.peer().log_width;
    while let Some((first, last)) = plan.current() {
        match range(view, addresses, topic0, first, last).await? {
            Ok(range) => {
                sink(range)?;
                plan.accepted();
            }
            Err(fault) => {
                tracing::debug!(first, last, why = fault.words(), "log range refused");
                plan.refused(if fault.is_slow() { SLOW_PART } else { 2 });
            }
        }
        known.store(plan.settled().unwrap_or_default(), Ordering::Relaxed);
    }
    Ok(())
}

/// One range with its end block, in one HTTP request; the inner error says why the range must be narrower.
async fn range(
    view: &PinnedView,
    addresses: &[Address],
    topic0: B256,
    first: u64,
    last: u64,
) -> Result<Result<LogRange, Fault>> {
    let filter = json!([{
        "fromBlock": wire::hex(first), "toBlock": wire::hex(last), "address": addresses, "topics": [topic0],
    }]);
    let mut calls = vec![Call::new(GET_LOGS, filter), view.pin_check()];
    if last != view.block().number {
        calls.push(by_number(wire::hex(last)));
    }
    let asked =
        if first < last { wide(view, &calls).await? } else { view.try_ask(&calls, Patience::Retry).await? };
    let answers = match asked {
        Ok(answers) => answers,
        // Unless the view's own block is gone.
        Err(fault) if first < last && fault.asks_for_less() => {
            let lost = matches!(fault, Fault::Rpc { sort: Sort::NoBlock, .. }) && !view.is_pinned().await?;
            return if lost { Err(view.fail(Fault::LostPin)) } else { Ok(Err(fault)) };
        }
        Err(fault) => return Err(refused(view, first, fault).await),
    };
    let mut answers = answers.into_iter();
    let logs = match answers.next() {
        Some(Err(error)) => {
            let sort = sort(GET_LOGS, &error);
            return Err(refused(view, first, Fault::Rpc { method: GET_LOGS, error, sort }).await);
        }
        answer => view.value(GET_LOGS, answer, wire::logs).await?,
    };
    view.still_pinned(answers.next())?;
    let end = if last == view.block().number {
        view.block()
    } else {
        let method = super::chain::BY_NUMBER;
        match view.value(method, answers.next(), wire::header).await? {
            Some(end) if end.number == last => end,
            Some(_) => {
                return Err(view.fail(Fault::Bad { method, why: "another block than asked".to_owned() }));
            }
            None => return Err(view.fail(Fault::UnknownBlock { number: last })),
        }
    };
    match checked(logs, addresses, topic0, first, end) {
        Ok(logs) => Ok(Ok(LogRange { from: first, end, logs })),
        Err(why) => Err(view.fail(Fault::Bad { method: GET_LOGS, why })),
    }
}

/// Asks for a range of several blocks: only a limit on requests is waited for, all else is for the caller to answer
/// with a narrower range. Where both are told at once, the wait comes first.
async fn wide(view: &PinnedView, calls: &[Call]) -> Result<Result<Vec<Answer>, Fault>> {
    let verdict = |fault: &Fault| if fault.asks_for_less() { Verdict::Stop } else { fault.verdict() };
    let policy = view.peer().policy;
    let asked = retry(&policy, verdict, async || {
        let answers = match view.try_ask(calls, Patience::Once).await {
            Ok(asked) => asked?,
            // The view is broken already.
            Err(error) => return Ok(Err(error)),
        };
        match answers.first() {
            Some(Err(error)) => {
                let (error, method) = (error.clone(), GET_LOGS);
                Err(Fault::Rpc { sort: sort(method, &error), method, error })
            }
            _ => Ok(Ok(answers)),
        }
    })
    .await;
    match asked {
        Ok(answers) => answers.map(Ok),
        Err(fault) => {
            if let Fault::Rpc { error, .. } = &fault
                && fault.asks_for_less()
                && error.asks_to_wait()
            {
                tokio::time::sleep(error.retry_after.unwrap_or(policy.base).min(policy.max_delay)).await;
            }
            Ok(Err(fault))
        }
    }
}

/// The end of a view at an endpoint that refuses the logs of one block.
async fn refused(view: &PinnedView, number: u64, fault: Fault) -> Error {
    match fault {
        Fault::Rpc { method, error, sort: Sort::NoBlock | Sort::Pruned } => {
            view.fail_rpc(method, error).await
        }
        Fault::Rpc { method, error, sort: Sort::Other } if error.asks_to_wait() => {
            view.fail(Fault::Rpc { method, error, sort: Sort::RateLimited })
        }
        Fault::Rpc { error, sort: Sort::Other, .. } => match view.is_pinned().await {
            Ok(true) => view.fail(Fault::FullBlock { number, words: error.to_string() }),
            Ok(false) => view.fail(Fault::LostPin),
            Err(error) => error,
        },
        Fault::Net(net::Fault { kind: FaultKind::Status | FaultKind::TooLarge, words, .. }) => {
            view.fail(Fault::FullBlock { number, words })
        }
        fault => view.fail(fault),
    }
}

/// Refuses logs that were not asked for or contradict each other; sorts the others.
fn checked(
    mut logs: Vec<EventLog>,
    addresses: &[Address],
    topic0: B256,
    first: u64,
    end: BlockRef,
) -> Result<Vec<EventLog>, String> {
    let wanted: std::collections::HashSet<&Address> = addresses.iter().collect();
    logs.sort_unstable_by_key(|log| (log.block_number, log.log_index));
    let mut before: Option<&EventLog> = None;
    for log in &logs {
        let at = format!("the log {} of block {}", log.log_index, log.block_number);
        if log.block_number < first || log.block_number > end.number {
            return Err(format!("{at} is outside of blocks {first} to {}", end.number));
        }
        if !wanted.contains(&log.inner.address) {
            return Err(format!("{at} is of another contract, {}", log.inner.address));
        }
        if log.inner.data.topics().first() != Some(&topic0) {
            return Err(format!("{at} is of another event"));
        }
        if log.block_number == end.number && log.block_hash != end.hash {
            return Err(format!("{at} is of another block of that height"));
        }
        if let Some(before) = before.filter(|b| b.block_number == log.block_number) {
            if before.log_index == log.log_index {
                return Err(format!("{at} came twice"));
            }
            if before.block_hash != log.block_hash {
                return Err(format!("{at} and another are of two blocks of one height"));
            }
        }
        before = Some(log);
    }
    Ok(logs)
}

/// The index of the newest checkpoint that the endpoint's chain still has, none when it has none of them.
///
/// `checkpoints` are block numbers and hashes as stored, newest first. Heights above the view's block are asked
/// for too: there, a block that does not exist is not canonical.
pub async fn common_ancestor(view: &PinnedView, checkpoints: &[(u64, B256)]) -> Result<Option<usize>> {
    let mut start = 0;
    let mut look = FIRST_LOOK;
    while let Some(rest) = checkpoints.get(start..).filter(|rest| !rest.is_empty()) {
        let now = rest.get(..look).unwrap_or(rest);
        let numbers: Vec<u64> = now.iter().map(|(number, _)| *number).collect();
        let found = view.canonical(&numbers).await?;
        let hit = now.iter().zip(found).position(|((_, hash), block)| block.is_some_and(|b| b.hash == *hash));
        if let Some(hit) = hit {
            return Ok(Some(start + hit));
        }
        start += now.len();
        look = look.saturating_mul(LOOK_GROWTH);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{Bytes, Log, LogData};

    const TOPIC: B256 = B256::repeat_byte(1);
    const TOKEN: Address = Address::repeat_byte(2);
    const END: BlockRef = BlockRef { number: 20, hash: B256::repeat_byte(20), timestamp: 0 };

    fn log(block: u8, index: u64) -> EventLog {
        EventLog {
            inner: Log { address: TOKEN, data: LogData::new_unchecked(vec![TOPIC], Bytes::new()) },
            block_number: block.into(),
            block_hash: B256::repeat_byte(block),
            tx_hash: B256::ZERO,
            tx_index: 0,
            log_index: index,
        }
    }

    #[test]
    fn sorts_what_was_asked_for() {
        let got =
            checked(vec![log(20, 1), log(11, 5), log(11, 2), log(10, 9)], &[TOKEN], TOPIC, 10, END).unwrap();
        let order: Vec<_> = got.iter().map(|l| (l.block_number, l.log_index)).collect();
        assert_eq!(order, [(10, 9), (11, 2), (11, 5), (20, 1)]);
    }

    #[test]
    fn refuses_what_was_not() {
        let mut other = log(12, 0);
        other.inner.address = Address::ZERO;
        let mut event = log(12, 0);
        event.inner.data = LogData::empty();
        let mut forked = log(20, 0);
        forked.block_hash = B256::ZERO;
        let mut sibling = log(12, 1);
        sibling.block_hash = B256::ZERO;
        for (logs, why) in [
            (vec![log(9, 0)], "outside of blocks 10 to 20"),
            (vec![log(21, 0)], "outside of blocks 10 to 20"),
            (vec![other], "another contract"),
            (vec![event], "another event"),
            (vec![forked], "another block of that height"),
            (vec![log(12, 0), log(12, 0)], "came twice"),
            (vec![log(12, 0), sibling], "two blocks of one height"),
        ] {
            let got = checked(logs, &[TOKEN], TOPIC, 10, END).unwrap_err();
            assert!(got.contains(why), "{got}");
        }
    }
}
