//! Whether a pool is paused in an epoch.
//!
//! The rule: an epoch's rewards are carried where the pool's contract is paused after the epoch's last block, and paid
//! where it is not. A pause that ends within the epoch, or that holds when the cycle runs, changes nothing. So it follows
//! from the chain alone, and can be computed again at any time.
//!
//! The contract is asked at that block, by its hash. Where the endpoint keeps no state of it any more, the contract's
//! `Paused` and `Unpaused` events since (OpenZeppelin `Pausable`) are taken back from what it says now. A contract that
//! shows no sign of such events is not believed to be unpaused: its pool fails.

use crate::pool::abi::sol::IPausable;
use crate::pool::{Pool, abi};
use alloy::primitives::{Address, B256};
use alloy::sol_types::SolEvent;
use base::{Code, Error, Result};
use evm::{BlockRef, PinnedView};
use std::collections::{HashMap, HashSet};

/// A pause that begins, or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Toggle {
    /// Its block.
    pub block: u64,
    /// Place among the block's logs.
    pub log_index: u64,
    /// Whether it begins.
    pub paused: bool,
}

/// Whether a contract was paused after `block`, by its toggles from then on, in order, and by whether it is paused after
/// the last of them. `None` where these contradict each other.
pub fn paused_after(block: u64, toggles: &[Toggle], now: bool) -> Option<bool> {
    let since = toggles.get(toggles.partition_point(|toggle| toggle.block <= block)..)?;
    let turns = since.windows(2).all(|pair| matches!(pair, [a, b] if a.paused != b.paused));
    let fits = since.last().is_none_or(|last| last.paused == now);
    (turns && fits).then(|| since.first().map_or(now, |first| !first.paused))
}

/// Whether each pool was paused after a block, in the order asked. A pool that is younger than the block is not; a pool's own
/// failure is in what is returned.
pub(super) async fn paused(view: &PinnedView, asked: &[(&Pool, BlockRef)]) -> Result<Vec<Result<bool>>> {
    let born: Vec<&(&Pool, BlockRef)> =
        asked.iter().filter(|(pool, block)| pool.deploy_block <= block.number).collect();
    let calls: Vec<_> =
        born.iter().map(|(pool, block)| (*block, pool.address, IPausable::pausedCall {})).collect();
    let answers = view.call_past(&calls).await?;
    let mut found: HashMap<(i64, u64), Result<bool>> = HashMap::new();
    let mut forgotten = Vec::new();
    for ((pool, block), answer) in born.into_iter().zip(answers) {
        match answer {
            Some(answer) => drop(found.insert((pool.id, block.number), abi::read_paused(answer, pool))),
            None => forgotten.push((*pool, *block)),
        }
    }
    if !forgotten.is_empty() {
        by_events(view, &forgotten, &mut found).await?;
    }
    Ok(asked
        .iter()
        .map(|(pool, block)| found.remove(&(pool.id, block.number)).unwrap_or(Ok(false)))
        .collect())
}

/// Works out from events what the endpoint keeps no state of.
async fn by_events(
    view: &PinnedView,
    asked: &[(&Pool, BlockRef)],
    found: &mut HashMap<(i64, u64), Result<bool>>,
) -> Result<()> {
    let mut pools: Vec<&Pool> = asked.iter().map(|(pool, _)| *pool).collect();
    pools.sort_by_key(|pool| pool.id);
    pools.dedup_by_key(|pool| pool.id);
    let addresses: Vec<Address> = pools.iter().map(|pool| pool.address).collect();
    let mut batch = view.batch();
    let handles: Vec<_> =
        addresses.iter().map(|address| batch.add(*address, &IPausable::pausedCall {})).collect();
    let reply = batch.send().await?;
    let answers = pools.iter().zip(handles);
    let now: HashMap<i64, Result<bool>> =
        answers.map(|(pool, handle)| (pool.id, abi::read_paused(reply.get(handle), pool))).collect();
    let from = asked.iter().map(|(_, block)| block.number + 1).min().unwrap_or_default();
    let toggles = toggles(view, &addresses, from).await?;
    let told = tell_pauses(view, &addresses, &toggles).await?;
    for (pool, block) in asked {
        let own = toggles.get(&pool.address).map(Vec::as_slice).unwrap_or_default();
        let answer = match now.get(&pool.id) {
            Some(Ok(now)) => paused_after(block.number, own, *now)
                .filter(|_| told.contains(&pool.address))
                .ok_or_else(|| unknown(view, pool, block.number)),
            Some(Err(e)) => Err(e.clone()),
            None => Err(unknown(view, pool, block.number)),
        };
        found.insert((pool.id, block.number), answer);
    }
    Ok(())
}

/// Pauses that began or ended from a block on, by contract.
async fn toggles(
    view: &PinnedView,
    addresses: &[Address],
    from: u64,
) -> Result<HashMap<Address, Vec<Toggle>>> {
    let mut found: HashMap<Address, Vec<Toggle>> = HashMap::new();
    for (topic, paused) in
        [(IPausable::Paused::SIGNATURE_HASH, true), (IPausable::Unpaused::SIGNATURE_HASH, false)]
    {
        evm::replay(view, addresses, topic, from, view.block().number, |range| {
            for log in &range.logs {
                let toggle = Toggle { block: log.block_number, log_index: log.log_index, paused };
                found.entry(log.inner.address).or_default().push(toggle);
            }
            Ok(())
        })
        .await?;
    }
    for toggles in found.values_mut() {
        toggles.sort_unstable();
    }
    Ok(found)
}

/// The contracts that tell their pauses: they did, or their code holds the event.
async fn tell_pauses(
    view: &PinnedView,
    addresses: &[Address],
    toggles: &HashMap<Address, Vec<Toggle>>,
) -> Result<HashSet<Address>> {
    let topic: B256 = IPausable::Paused::SIGNATURE_HASH;
    let mut told: HashSet<Address> = toggles.keys().copied().collect();
    let silent: Vec<Address> = addresses.iter().copied().filter(|address| !told.contains(address)).collect();
    for (address, code) in silent.iter().zip(view.codes(&silent).await?) {
        if code.windows(topic.len()).any(|window| window == topic.as_slice()) {
            told.insert(*address);
        }
    }
    Ok(told)
}

fn unknown(view: &PinnedView, pool: &Pool, block: u64) -> Error {
    let (noun, address, endpoint) = (pool.abi.noun(), pool.address, view.endpoint());
    let why = format!(
        "cannot tell whether {noun} {address} was paused at block {block}: endpoint \"{endpoint}\" keeps no state of that \
         block, and the contract's events do not tell"
    );
    Error::new(Code::Rpc, why)
        .hint("add an archive endpoint to evm.rpc_urls, before the others")
        .detail("pool", pool.name.clone())
        .detail("block", block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn toggles(list: &[(u64, bool)]) -> Vec<Toggle> {
        list.iter().map(|(block, paused)| Toggle { block: *block, log_index: 0, paused: *paused }).collect()
    }

    #[test]
    fn events_are_taken_back_from_what_is_so_now() {
        let four_blocks = [(33, true), (37, false)];
        for (events, block, now, want) in [
            (&[][..], 39, false, Some(false)),
            (&[], 39, true, Some(true)),
            (&four_blocks, 32, false, Some(false)),
            (&four_blocks, 33, false, Some(true)),
            (&four_blocks, 36, false, Some(true)),
            (&four_blocks, 37, false, Some(false)),
            (&four_blocks, 39, false, Some(false)),
            // Contradictions: twice the same, or another end than the contract's own.
            (&[(33, true), (35, true)], 30, true, None),
            (&four_blocks, 30, true, None),
            // What lies before the block does not matter.
            (&[(20, true), (21, true), (33, false)], 30, false, Some(true)),
        ] {
            assert_eq!(paused_after(block, &toggles(events), now), want, "{events:?} {block} {now}");
        }
    }

    proptest! {
        /// A contract that is paused and unpaused at any blocks, several times in one too.
        #[test]
        fn any_past_is_found_again(first in any::<bool>(), mut blocks in proptest::collection::vec(1u64..50, 0..12), at in 0u64..60) {
            blocks.sort_unstable();
            let mut now = first;
            let mut events = Vec::new();
            let mut want = first;
            for (log_index, block) in (0..).zip(blocks) {
                now = !now;
                events.push(Toggle { block, log_index, paused: now });
                if block <= at {
                    want = now;
                }
            }
            prop_assert_eq!(paused_after(at, &events, now), Some(want));
        }
    }
}
