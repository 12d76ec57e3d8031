//! Replays a contract's events in adaptive ranges, one range in memory at a time, and finds a common ancestor.

use super::bloom::{self, Header, likely};
use super::fault::{Fault, Sort};
use super::peer::by_number;
use super::range::RangePlan;
use super::view::PinnedView;
use super::wire::{self, BY_NUMBER, BlockRef, EventLog, GET_LOGS};
use alloy::primitives::{Address, B256};
use base::{Code, Error, Result, counted};
use net::asker::Patience;
use net::jsonrpc::{Answer, Call};
use net::{FaultKind, RetryDecision, retry};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

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
/// Every event's block is compared with the view's chain. The answers for the newest blocks are held
/// against the headers' blooms too (`LogLimits::blooms`): a block that most likely has events of a contract and came without is asked for by
/// its hash, then for its receipts.
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
    let (limits, known) = (view.chain.config.logs, &view.peer.log_width);
    let plan = match known.load(Ordering::Relaxed) {
        0 => RangePlan::new(from, to, limits.start, limits.most),
        width => RangePlan::known(from, to, width, limits.most),
    };
    walk(view, addresses, topic0, to, plan, sink).await
}

/// As [`replay`], in narrower ranges than usual: for what was read before and did not add up.
pub async fn replay_narrow(
    view: &PinnedView,
    addresses: &[Address],
    topic0: B256,
    from: u64,
    to: u64,
    sink: impl FnMut(LogRange) -> Result<()>,
) -> Result<()> {
    let limits = view.chain.config.logs;
    let known = view.peer.log_width.load(Ordering::Relaxed);
    let usual = if known == 0 { limits.start } else { known };
    let width = (usual / NARROWER).max(1);
    let done = walk(view, addresses, topic0, to, RangePlan::new(from, to, width, width), sink).await;
    // That it was asked for less says nothing of what it answers.
    view.peer.log_width.store(known, Ordering::Relaxed);
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
    let known = &view.peer.log_width;
    while let Some((first, last)) = plan.current() {
        let blooms = to.saturating_sub(first) < view.chain.config.logs.blooms;
        match range(view, &Query { addresses, topic0, blooms }, first, last).await? {
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

/// Which events are asked for.
struct Query<'a> {
    addresses: &'a [Address],
    topic0: B256,
    /// Whether every block's header is fetched and its bloom looked at.
    blooms: bool,
}

/// One range with its end block, in one HTTP request; the inner error says why the range must be narrower. Headers of
/// blocks with logs that are not known yet, and blocks that are doubted, take a request more each.
async fn range(
    view: &PinnedView,
    query: &Query<'_>,
    first: u64,
    last: u64,
) -> Result<Result<LogRange, Fault>> {
    let filter = json!([{
        "fromBlock": wire::hex(first), "toBlock": wire::hex(last), "address": query.addresses,
        "topics": [query.topic0],
    }]);
    let pin = view.block();
    let heights = if query.blooms { first } else { last }..=last;
    let heights: Vec<u64> = heights.filter(|number| *number != pin.number).collect();
    let mut calls = vec![Call::new(GET_LOGS, filter), view.pin_check()];
    calls.extend(heights.iter().map(|number| by_number(wire::hex(*number))));
    let one = first == last;
    let asked = if one { view.try_ask(&calls, Patience::Retry).await? } else { wide(view, &calls).await? };
    let answers = match asked {
        Ok(answers) => answers,
        // Unless the view's own block is gone.
        Err(fault) if !one && fault.asks_for_less() => {
            let lost = matches!(fault, Fault::Rpc { sort: Sort::NoBlock, .. }) && !view.is_pinned().await?;
            return if lost { Err(view.fail(Fault::LostPin)) } else { Ok(Err(fault)) };
        }
        Err(fault) => return Err(refused(view, first, fault).await),
    };
    let mut answers = answers.into_iter();
    let logs = match answers.next() {
        Some(Err(error)) => return Err(refused(view, first, Fault::rpc(GET_LOGS, error)).await),
        answer => view.value(GET_LOGS, answer, wire::logs).await?,
    };
    let mut headers: BTreeMap<u64, Header> = BTreeMap::new();
    for number in std::iter::once(pin.number).chain(heights) {
        match view.value(BY_NUMBER, answers.next(), bloom::header).await? {
            Some((block, _)) if number == pin.number && block.hash != pin.hash => {
                return Err(view.fail(Fault::LostPin));
            }
            Some(header) if header.0.number == number => drop(headers.insert(number, header)),
            Some(_) => return Err(view.fail(Fault::bad(BY_NUMBER, "another block than asked"))),
            None if number == pin.number => return Err(view.fail(Fault::LostPin)),
            None => return Err(view.fail(Fault::UnknownBlock { number })),
        }
    }
    let end = headers.get(&last).map_or(pin, |(block, _)| *block);
    let bad = |why| view.fail(Fault::Bad { method: GET_LOGS, why });
    let mut logs = checked(logs, query, first, last).map_err(bad)?;
    let others = logs.iter().map(|log| log.block_number).filter(|number| !headers.contains_key(number));
    let others = view.blocks_of(others.collect::<HashSet<u64>>()).await?;
    headers.extend(others.into_iter().map(|(number, block)| (number, (block, None))));
    canonical(&logs, &headers).map_err(bad)?;
    let doubts = doubts(&logs, &headers, query, first..=last);
    let found = by_hash(view, query.topic0, &doubts).await?;
    told(view, &found, "asked by block it came");
    let doubts: Vec<Doubt> = doubts.into_iter().filter_map(|doubt| still(doubt, &found)).collect();
    logs.extend(found);
    let found = by_receipts(view, query.topic0, &doubts).await?;
    told(view, &found, "the receipts of the block have it");
    logs.extend(found);
    logs.sort_unstable_by_key(|log| (log.block_number, log.log_index));
    Ok(Ok(LogRange { from: first, end, logs }))
}

/// Says what the logs of the range had left out.
fn told(view: &PinnedView, found: &[EventLog], way: &str) {
    if let Some(log) = found.first() {
        let (name, count, block) = (view.endpoint(), found.len(), log.block_number);
        view.warn(format!(
            "endpoint {name:?} left out {}, the first of block {block}, whose bloom has it; {way}",
            counted(count, "log")
        ));
    }
}

/// What is still in doubt of a block.
fn still((block, mut tokens): Doubt, found: &[EventLog]) -> Option<Doubt> {
    let came = |token: &Address| {
        found.iter().any(|log| (log.block_number, log.inner.address) == (block.number, *token))
    };
    tokens.retain(|token| !came(token));
    (!tokens.is_empty()).then_some((block, tokens))
}

/// The events that doubted blocks have by the receipts of all their transactions: a bloom may be wrong by chance, receipts
/// are not. Where they cannot be had, the doubt is said.
async fn by_receipts(view: &PinnedView, topic0: B256, asked: &[Doubt]) -> Result<Vec<EventLog>> {
    let mut found = Vec::new();
    if asked.is_empty() {
        return Ok(found);
    }
    let method = "eth_getBlockReceipts";
    let calls: Vec<Call> = asked.iter().map(|(block, _)| Call::new(method, json!([block.hash]))).collect();
    let answers: Vec<Result<_, String>> = match view.try_ask(&calls, Patience::Retry).await? {
        Ok(answers) => answers.into_iter().map(|answer| answer.map_err(|e| e.to_string())).collect(),
        Err(fault) => calls.iter().map(|_| Err(fault.words())).collect(),
    };
    let mut unknown = None;
    for ((block, tokens), answer) in asked.iter().zip(answers) {
        let receipts = answer.and_then(|raw| wire::receipts(&raw)?.ok_or_else(|| "it has none".to_owned()));
        let logs = receipts.and_then(|receipts| {
            let is_asked = |log: &EventLog| {
                tokens.contains(&log.inner.address) && log.inner.data.topics().first() == Some(&topic0)
            };
            let logs = receipts.into_iter().flat_map(|receipt| receipt.logs).filter(is_asked).collect();
            of_block(logs, block, tokens, topic0)
        });
        match logs {
            Ok(logs) => found.extend(logs),
            Err(why) => drop(unknown.get_or_insert((block.number, tokens, why))),
        }
    }
    if let Some((block, tokens, why)) = unknown {
        let (name, tokens) = (view.endpoint(), tokens.iter().map(Address::to_string).collect::<Vec<_>>());
        let tokens = tokens.join(", ");
        view.warn(format!(
            "endpoint {name:?} has no log of {tokens} in block {block}, whose bloom most likely has one, and its receipts \
             cannot be had to tell: {method}: {why}"
        ));
    }
    Ok(found)
}

/// The events with `topic0` of `addresses` in each of these blocks, asked for by its hash: nodes then look into the block
/// itself and not into an index. In one HTTP request where the server takes batches.
pub async fn logs_of(
    view: &PinnedView,
    addresses: &[Address],
    topic0: B256,
    blocks: &[BlockRef],
) -> Result<Vec<EventLog>> {
    let asked: Vec<Doubt> = blocks.iter().map(|block| (*block, addresses.to_vec())).collect();
    by_hash(view, topic0, &asked).await
}

/// A block, and the contracts whose events may be missing from it.
type Doubt = (BlockRef, Vec<Address>);

async fn by_hash(view: &PinnedView, topic0: B256, asked: &[Doubt]) -> Result<Vec<EventLog>> {
    let filter = |(block, addresses): &Doubt| {
        Call::new(GET_LOGS, json!([{ "blockHash": block.hash, "address": addresses, "topics": [topic0] }]))
    };
    let calls: Vec<Call> = asked.iter().map(filter).collect();
    let answers = view.read(&calls, wire::logs).await?;
    let logs = answers.into_iter().zip(asked).map(|(logs, (block, addresses))| {
        let logs = of_block(logs, block, addresses, topic0);
        logs.map_err(|why| view.fail(Fault::Bad { method: GET_LOGS, why }))
    });
    Ok(logs.collect::<Result<Vec<_>>>()?.concat())
}

/// Refuses logs that are not of this block, these contracts and this event; sorts the others.
fn of_block(
    logs: Vec<EventLog>,
    block: &BlockRef,
    addresses: &[Address],
    topic0: B256,
) -> Result<Vec<EventLog>, String> {
    let query = Query { addresses, topic0, blooms: false };
    let headers = BTreeMap::from([(block.number, (*block, None))]);
    let logs = checked(logs, &query, block.number, block.number)?;
    canonical(&logs, &headers).map(|()| logs)
}

/// Blocks that came without events of a contract though their blooms say that there are some.
fn doubts(
    logs: &[EventLog],
    headers: &BTreeMap<u64, Header>,
    query: &Query<'_>,
    blocks: RangeInclusive<u64>,
) -> Vec<Doubt> {
    let came: HashSet<(u64, Address)> =
        logs.iter().map(|log| (log.block_number, log.inner.address)).collect();
    let of_block = |(number, (block, bloom)): (&u64, &Header)| {
        let missing = |token: &&Address| {
            !came.contains(&(*number, **token)) && likely(bloom.as_deref(), **token, query.topic0)
        };
        (*block, query.addresses.iter().filter(missing).copied().collect::<Vec<_>>())
    };
    headers.range(blocks).map(of_block).filter(|(_, tokens)| !tokens.is_empty()).collect()
}

/// Refuses logs of blocks that are not the view's chain's.
fn canonical(logs: &[EventLog], headers: &BTreeMap<u64, Header>) -> Result<(), String> {
    let is_strange = |log: &&EventLog| {
        headers.get(&log.block_number).is_none_or(|(block, _)| block.hash != log.block_hash)
    };
    let Some(EventLog { log_index, block_number, .. }) = logs.iter().find(is_strange) else { return Ok(()) };
    Err(format!("the log {log_index} of block {block_number} is of another block of that height"))
}

/// Asks for a range of several blocks: only a limit on requests is waited for, all else is for the caller to answer
/// with a narrower range. Where both are told at once, the wait comes first.
async fn wide(view: &PinnedView, calls: &[Call]) -> Result<Result<Vec<Answer>, Fault>> {
    let verdict = |fault: &Fault| if fault.asks_for_less() { RetryDecision::Stop } else { fault.verdict() };
    let policy = view.chain.config.retry;
    let asked = retry(&policy, verdict, async || {
        let answers = match view.try_ask(calls, Patience::Once).await {
            Ok(Ok(answers)) => answers,
            // Headers alone are refused by nobody: whichever call of them bears it, it is said of the logs.
            Ok(Err(Fault::Rpc { error, .. })) => return Err(Fault::rpc(GET_LOGS, error)),
            Ok(Err(fault)) => return Err(fault),
            // The view is broken already.
            Err(error) => return Ok(Err(error)),
        };
        match answers.first() {
            Some(Err(error)) => Err(Fault::rpc(GET_LOGS, error.clone())),
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
        Fault::Rpc { sort: Sort::NoBlock | Sort::Pruned, .. } => view.give_up(fault).await,
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
    query: &Query<'_>,
    first: u64,
    last: u64,
) -> Result<Vec<EventLog>, String> {
    let wanted: HashSet<&Address> = query.addresses.iter().collect();
    logs.sort_unstable_by_key(|log| (log.block_number, log.log_index));
    let mut before: Option<&EventLog> = None;
    for log in &logs {
        let at = format!("the log {} of block {}", log.log_index, log.block_number);
        if log.block_number < first || log.block_number > last {
            return Err(format!("{at} is outside of blocks {first} to {last}"));
        }
        if !wanted.contains(&log.inner.address) {
            return Err(format!("{at} is of another contract, {}", log.inner.address));
        }
        if log.inner.data.topics().first() != Some(&query.topic0) {
            return Err(format!("{at} is of another event"));
        }
        if before.is_some_and(|b| (b.block_number, b.log_index) == (log.block_number, log.log_index)) {
            return Err(format!("{at} came twice"));
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
    let (mut start, mut look) = (0, FIRST_LOOK);
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
    use alloy::primitives::{Bloom, Bytes, Log, LogData};

    const TOPIC: B256 = B256::repeat_byte(1);
    const TOKEN: Address = Address::repeat_byte(2);
    const QUERY: Query<'_> = Query { addresses: &[TOKEN], topic0: TOPIC, blooms: true };

    fn header(number: u8, bloom: Option<Box<Bloom>>) -> (u64, Header) {
        let block =
            BlockRef { number: number.into(), hash: B256::repeat_byte(number), timestamp: number.into() };
        (number.into(), (block, bloom))
    }

    fn bloom(token: Address) -> Box<Bloom> {
        let mut bloom = Bloom::ZERO;
        bloom.accrue_log(&Log { address: token, data: LogData::new_unchecked(vec![TOPIC], Bytes::new()) });
        Box::new(bloom)
    }

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
        let logs = vec![log(20, 1), log(11, 5), log(11, 2), log(10, 9)];
        let got = checked(logs, &QUERY, 10, 20).unwrap();
        let order: Vec<_> = got.iter().map(|l| (l.block_number, l.log_index)).collect();
        assert_eq!(order, [(10, 9), (11, 2), (11, 5), (20, 1)]);
    }

    #[test]
    fn refuses_what_was_not() {
        let mut other = log(12, 0);
        other.inner.address = Address::ZERO;
        let mut event = log(12, 0);
        event.inner.data = LogData::empty();
        for (logs, why) in [
            (vec![log(9, 0)], "outside of blocks 10 to 20"),
            (vec![log(21, 0)], "outside of blocks 10 to 20"),
            (vec![other], "another contract"),
            (vec![event], "another event"),
            (vec![log(12, 0), log(12, 0)], "came twice"),
        ] {
            let got = checked(logs, &QUERY, 10, 20).unwrap_err();
            assert!(got.contains(why), "{got}");
        }
    }

    #[test]
    fn every_log_is_of_a_block_of_the_chain() {
        let mut forked = log(12, 1);
        forked.block_hash = B256::ZERO;
        let headers = BTreeMap::from([header(12, None), header(13, None)]);
        assert_eq!(canonical(&[log(12, 0), log(13, 0)], &headers), Ok(()));
        for strange in [forked, log(14, 0)] {
            let got = canonical(&[log(12, 0), strange], &headers).unwrap_err();
            assert!(got.contains("another block of that height"), "{got}");
        }
    }

    #[test]
    fn a_block_without_logs_is_doubted_where_its_bloom_has_them() {
        let headers = BTreeMap::from([
            header(10, Some(bloom(TOKEN))),
            header(11, Some(bloom(Address::ZERO))),
            header(12, Some(bloom(TOKEN))),
            header(13, None),
            header(21, Some(bloom(TOKEN))),
        ]);
        let doubted = |logs: &[EventLog]| -> Vec<u64> {
            doubts(logs, &headers, &QUERY, 10..=20).iter().map(|(block, _)| block.number).collect()
        };
        assert_eq!(doubted(&[]), [10, 12]);
        assert_eq!(doubted(&[log(12, 0)]), [10]);
        assert_eq!(doubted(&[log(10, 0), log(12, 0)]), Vec::<u64>::new());
    }
}
