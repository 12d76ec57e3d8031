//! Before an epoch is paid, what its holders have by their transfers is compared with what the token says they have, at the
//! epoch's last block. A transfer between holders that no answer told moves no total: only this shows it.

use crate::pool::abi::sol::IERC20::balanceOfCall;
use crate::pool::holdings::MemberId;
use crate::pool::{self, Pool};
use alloy::primitives::Address;
use base::amount::Base;
use base::{Code, Error, Result, counted, say};
use evm::{BlockRef, CallError, PinnedView};
use rusqlite::Connection;
use serde::Serialize;
use state::columns::at;
use state::rows;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Balances that are asked for before the next lot is.
const LOT: usize = 50_000;

/// How an epoch's holders were compared with the chain; part of its audit event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Compared {
    /// How many members: all with shares after the last block or a transfer in the epoch, or a sample of them.
    members: u64,
    /// Of how many.
    of: u64,
    /// What the sample was drawn by, where it was one: see [`sample`].
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// The block: the epoch's last, or the view's where no endpoint keeps the state of that one.
    block: u64,
}

/// A member that has something else on the chain than in the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Differs {
    pub member: Address,
    pub block: u64,
    /// Share base units by the transfers.
    pub stored: Base,
    /// And by the token.
    pub chain: Base,
}

/// What came of comparing.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// By pool and last block of the epoch.
    pub compared: HashMap<(i64, u64), Compared>,
    /// The members that differ, by pool.
    pub differs: HashMap<i64, Vec<Differs>>,
    /// Why a pool could not be compared.
    pub failed: HashMap<i64, Error>,
}

/// A balance to ask for.
struct Ask<'a> {
    pool: &'a Pool,
    block: BlockRef,
    member: Address,
    shares: Base,
}

/// What pools' holders have on the chain, collected and asked for in lots.
pub(super) struct Comparer<'a> {
    view: &'a PinnedView,
    conn: &'a Connection,
    most: usize,
    waiting: Vec<Ask<'a>>,
    /// Epochs of whose last block no endpoint keeps state: pool id and block.
    forgotten: BTreeSet<(i64, u64)>,
    done: Comparison,
}

impl<'a> Comparer<'a> {
    /// Compares up to `most` members of each epoch.
    pub fn new(view: &'a PinnedView, conn: &'a Connection, most: usize) -> Self {
        let (waiting, forgotten, done) = (Vec::new(), BTreeSet::new(), Comparison::default());
        Self { view, conn, most, waiting, forgotten, done }
    }

    /// The view's block.
    pub fn here(&self) -> u64 {
        self.view.block().number
    }

    /// Compares what members of a pool have after a block, an epoch's last.
    pub async fn add(
        &mut self,
        pool: &'a Pool,
        block: BlockRef,
        members: impl Iterator<Item = (MemberId, Base)>,
    ) -> Result<()> {
        let compared = self.draw(pool, block, members)?;
        self.done.compared.insert((pool.id, block.number), compared);
        if self.waiting.len() >= LOT {
            self.ask().await?;
        }
        Ok(())
    }

    /// Asks for what is left, and compares at the view's block what could not be compared at an epoch's.
    pub async fn finish(mut self, pools: impl Iterator<Item = &'a Pool>) -> Result<Comparison> {
        self.ask().await?;
        let (here, forgotten) = (self.view.block(), std::mem::take(&mut self.forgotten));
        for pool in pools.filter(|pool| forgotten.range((pool.id, 0)..=(pool.id, u64::MAX)).next().is_some())
        {
            let holdings = pool::holdings_before(self.conn, pool.id, here.number + 1)?;
            let compared = self.draw(pool, here, holdings.iter())?;
            let blocks = forgotten.range((pool.id, 0)..=(pool.id, u64::MAX));
            self.done.compared.extend(blocks.map(|key| (*key, compared)));
        }
        self.ask().await?;
        for (id, block) in std::mem::take(&mut self.forgotten) {
            let why = format!("no endpoint keeps the state of block {block}, to compare its holders with");
            self.done.failed.entry(id).or_insert_with(|| Error::new(Code::Rpc, why));
        }
        Ok(self.done)
    }

    /// Draws the members to compare at a block.
    fn draw(
        &mut self,
        pool: &'a Pool,
        block: BlockRef,
        members: impl Iterator<Item = (MemberId, Base)>,
    ) -> Result<Compared> {
        let seed = random()?;
        let (members, of) = sample(members, self.most, seed);
        let count = members.len() as u64;
        for (id, shares) in members {
            self.waiting.push(Ask { pool, block, member: address(self.conn, id)?, shares });
        }
        Ok(Compared { members: count, of, seed: (count < of).then_some(seed), block: block.number })
    }

    /// Asks for what waits: the view's endpoint, then others for the blocks whose state it does not keep.
    async fn ask(&mut self) -> Result<()> {
        let mut open = std::mem::take(&mut self.waiting);
        if open.is_empty() {
            return Ok(());
        }
        let answers = self.view.call_past(&calls(&open)).await?;
        open = self.compare(open, answers);
        for turn in 0.. {
            if open.is_empty() {
                break;
            }
            let Some(other) = self.view.elsewhere(turn).await else { break };
            match other.call_past(&calls(&open)).await {
                Ok(answers) => open = self.compare(open, answers),
                Err(e) => tracing::debug!(endpoint = other.endpoint(), %e, "balances could not be asked for"),
            }
        }
        self.forgotten.extend(open.iter().map(|ask| (ask.pool.id, ask.block.number)));
        Ok(())
    }

    /// Compares what was answered; returns what was not, for want of the block's state.
    fn compare(
        &mut self,
        asked: Vec<Ask<'a>>,
        answers: Vec<Option<Result<Base, CallError>>>,
    ) -> Vec<Ask<'a>> {
        let mut open = Vec::new();
        for (ask, answer) in asked.into_iter().zip(answers) {
            match answer {
                None => open.push(ask),
                Some(Ok(chain)) if chain == ask.shares => {}
                Some(Ok(chain)) => {
                    let Ask { pool, block, member, shares: stored } = ask;
                    let differs = Differs { member, block: block.number, stored, chain };
                    self.done.differs.entry(pool.id).or_default().push(differs);
                }
                Some(Err(e)) => {
                    self.done.failed.entry(ask.pool.id).or_insert_with(|| e.into_error(ask.pool.abi.noun()));
                }
            }
        }
        open
    }
}

fn calls(asks: &[Ask<'_>]) -> Vec<(BlockRef, Address, balanceOfCall)> {
    asks.iter().map(|ask| (ask.block, ask.pool.address, balanceOfCall { account: ask.member })).collect()
}

/// Why a pool whose holders differ is not paid.
pub(super) fn refusal(pool: &Pool, differs: &[Differs]) -> Error {
    let first = differs.iter().min_by_key(|differs| (differs.block, differs.member));
    let Some(Differs { member, block, stored, chain }) = first else {
        return Error::new(Code::Bug, "no member differs");
    };
    let others: BTreeSet<Address> = differs.iter().map(|differs| differs.member).collect();
    let more = match others.len().saturating_sub(1) {
        0 => String::new(),
        more => format!("; the same for {}", counted(more, "more member")),
    };
    let (stored_shares, has) = (pool.shares(*stored), pool.shares(*chain));
    let why = format!(
        "member {member} has {stored_shares} by its transfers, balanceOf() is {has} at block {block}{more}"
    );
    let hint = say("nobody of it was paid; read its transfers again: ").run("pool rescan").of(&pool.name);
    Error::new(Code::Drift, why)
        .hint(hint)
        .detail("pool", pool.name.clone())
        .detail("member", member.to_string())
        .detail("block", *block)
        .detail("stored", stored.to_string())
        .detail("chain", chain.to_string())
}

fn address(conn: &Connection, member: MemberId) -> Result<Address> {
    let sql = "SELECT address FROM members WHERE id = ?1";
    rows::first(conn, sql, [member], |row| at(row, "address"))?
        .ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
}

fn random() -> Result<u64> {
    getrandom::u64().map_err(|e| Error::new(Code::Io, format!("the system gives no random bytes: {e}")))
}

/// `most` of all members of an epoch, or all of them, each with its shares and by id; and of how many.
///
/// A member is in a sample of `n` where its `mix(seed, member)` is among the `n` lowest (`SplitMix64`), so that size and seed
/// tell the sample again.
pub(super) fn sample(
    all: impl Iterator<Item = (MemberId, Base)>,
    most: usize,
    seed: u64,
) -> (Vec<(MemberId, Base)>, u64) {
    // No two members share a `mix`.
    let mut lowest: BTreeMap<u64, (MemberId, Base)> = BTreeMap::new();
    let (mut of, mut beyond) = (0, None);
    for (member, shares) in all {
        of += 1;
        let key = mix(seed, member);
        if beyond.is_none_or(|beyond| key < beyond) {
            lowest.insert(key, (member, shares));
            if lowest.len() > most {
                beyond = lowest.pop_last().map(|(key, _)| key);
            }
        }
    }
    let mut members: Vec<(MemberId, Base)> = lowest.into_values().collect();
    members.sort_unstable();
    (members, of)
}

/// One step of `SplitMix64` (Steele, Lea, Flood 2014) from the `member`-th state after `seed`.
fn mix(seed: u64, member: MemberId) -> u64 {
    let mut z = seed.wrapping_add(member.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    #[test]
    fn the_reference_sequence() {
        // The first outputs of SplitMix64 from state 1234567, as published with it.
        let got: Vec<u64> = (1..=3).map(|n| mix(1_234_567, n)).collect();
        assert_eq!(got, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn all_are_taken_up_to_the_limit() {
        let all = [(2, Base::from(7)), (5, Base::ZERO), (9, Base::ONE)];
        for most in 3..6 {
            assert_eq!(sample(all.into_iter(), most, 7), (all.into(), 3));
        }
        assert_eq!(sample(all.into_iter(), 0, 7), (Vec::new(), 3));
    }

    proptest! {
        #[test]
        fn a_sample_is_of_that_size_in_order_and_told_by_its_seed(
            all in btree_map(1..10_000i64, 0..1_000u64, 1..200), most in 1usize..50, seed: u64,
        ) {
            let all = || all.iter().map(|(member, shares)| (*member, Base::from(*shares)));
            let (drawn, of) = sample(all(), most, seed);
            let mut lowest: Vec<(MemberId, Base)> = all().collect();
            prop_assert_eq!(of, lowest.len() as u64);
            lowest.sort_unstable_by_key(|(member, _)| mix(seed, *member));
            lowest.truncate(most);
            lowest.sort_unstable();
            prop_assert_eq!(drawn, lowest);
        }

        /// Each member is drawn as often as another, whatever its id.
        #[test]
        fn nobody_is_left_out(first in 0..1_000_000i64) {
            let all = first..first + 10;
            let mut times: BTreeMap<MemberId, u32> = BTreeMap::new();
            for seed in 0..1_000 {
                let (drawn, _) = sample(all.clone().map(|member| (member, Base::ONE)), 3, seed * 0x1234_5677);
                for (member, _) in drawn {
                    *times.entry(member).or_default() += 1;
                }
            }
            prop_assert!(all.into_iter().all(|member| (200..400).contains(&times[&member])), "{:?}", times);
        }
    }
}
