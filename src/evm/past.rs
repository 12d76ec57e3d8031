//! Questions to contracts at earlier blocks of a view's chain, each by its block's hash, in few round trips.

use super::batch::{CallError, CallFault, Done, aggregate, decode, outcome, unpack};
use super::fault::{Sort, sort};
use super::view::PinnedView;
use super::wire::{self, BlockRef};
use alloy::primitives::{Address, Bytes};
use alloy::sol_types::SolCall;
use base::Result;
use net::jsonrpc::{Answer, Call};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// Block, contract and input of a call.
type CallKey = (BlockRef, Address, Bytes);

/// What became of a call at an earlier block.
enum Past {
    Done(Done),
    /// The endpoint keeps no state of that block.
    Forgotten,
    /// A multicall could not tell.
    Open,
}

impl PinnedView {
    /// What a function gives at earlier blocks, in the order asked; `None` where the endpoint keeps no state of that block.
    /// Blocks are of this view's chain, as had from it.
    ///
    /// The calls of a block share a multicall, and the blocks share requests as far as the server takes batches.
    ///
    /// Errors: the endpoint's alone; a contract's are in what is returned.
    pub async fn call_past<C: SolCall>(
        &self,
        asked: &[(BlockRef, Address, C)],
    ) -> Result<Vec<Option<Result<C::Return, CallError>>>> {
        let asked: Vec<CallKey> =
            asked.iter().map(|(block, to, call)| (*block, *to, call.abi_encode().into())).collect();
        let mut found: Vec<Past> = asked.iter().map(|_| Past::Open).collect();
        self.share(&asked, &mut found).await?;
        let (open, calls): (Vec<_>, Vec<_>) = found
            .iter_mut()
            .zip(&asked)
            .filter(|(past, _)| matches!(past, Past::Open))
            .map(|(past, (block, to, input))| (past, at_block(block, *to, input)))
            .unzip();
        if !calls.is_empty() {
            for (slot, answer) in open.into_iter().zip(self.ask(&calls).await?) {
                let forgotten = is_forgotten(&answer);
                *slot = if forgotten { Past::Forgotten } else { Past::Done(outcome(self, answer).await?) };
            }
        }
        let error = |block, contract, fault| CallError::of::<C>(contract, block, self.endpoint(), fault);
        let read = |((block, contract, _), past): (&CallKey, Past)| match past {
            Past::Forgotten => None,
            Past::Open => Some(Err(error(*block, *contract, CallFault::Empty))),
            Past::Done(done) => Some(
                done.and_then(|data| decode::<C>(&data)).map_err(|fault| error(*block, *contract, fault)),
            ),
        };
        Ok(asked.iter().zip(found).map(read).collect())
    }

    /// Asks what is asked of each block through Multicall3; what it cannot tell stays open.
    async fn share(&self, asked: &[CallKey], found: &mut [Past]) -> Result<()> {
        let size = self.peer.chunk.load(Ordering::Relaxed).max(2);
        let mut by_block: BTreeMap<u64, Vec<(&CallKey, &mut Past)>> = BTreeMap::new();
        for (asked, past) in asked.iter().zip(found) {
            by_block.entry(asked.0.number).or_default().push((asked, past));
        }
        let groups = by_block.values_mut().flat_map(|of_block| of_block.chunks_mut(size));
        let groups: Vec<_> = groups.filter(|group| group.len() > 1).collect();
        let multicall = self.chain.config.multicall;
        let calls = groups.iter().filter_map(|group| {
            let ((block, ..), _) = group.first()?;
            let calls = group.iter().map(|((_, to, input), _)| (*to, input));
            Some(at_block(block, multicall, &aggregate(calls)))
        });
        let calls: Vec<Call> = calls.collect();
        if calls.is_empty() {
            return Ok(());
        }
        for (group, answer) in groups.into_iter().zip(self.ask(&calls).await?) {
            if is_forgotten(&answer) {
                for (_, past) in group {
                    **past = Past::Forgotten;
                }
            } else if let Ok(data) = outcome(self, answer).await?
                && let Some(each) = unpack(&data, group.len(), self.peer.asker.redactor())
            {
                for ((_, past), done) in group.iter_mut().zip(each) {
                    **past = done.map_or(Past::Open, Past::Done);
                }
            }
        }
        Ok(())
    }
}

fn at_block(block: &BlockRef, to: Address, input: &Bytes) -> Call {
    Call::new("eth_call", json!([{ "to": to, "data": input }, wire::pinned(block.hash)]))
}

fn is_forgotten(answer: &Answer) -> bool {
    matches!(answer, Err(error) if sort("eth_call", error) == Sort::Pruned)
}
