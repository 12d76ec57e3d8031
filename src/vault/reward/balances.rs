//! Before an epoch is paid, what its holders have by their transfers is compared with what the token says they have, at the
//! epoch's last block. A transfer between holders that no answer told moves no total: only this shows it.

use super::sample::{Drawn, sample};
use crate::pool::abi::sol::IERC20::balanceOfCall;
use crate::pool::holdings::MemberId;
use crate::pool::{self, Pool};
use alloy::primitives::Address;
use base::amount::Base;
use base::{Code, Error, Result, say};
use evm::{BlockRef, CallError, PinnedView};
use rusqlite::Connection;
use serde::Serialize;
use state::columns::{only, stored};
use std::collections::{BTreeSet, HashMap};

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
        let Drawn { members, of } = sample(members, self.most, seed);
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
        1 => "; so does 1 more member".to_owned(),
        more => format!("; so do {more} more members"),
    };
    Error::new(
        Code::Drift,
        format!(
            "member {member} has {} by its transfers, balanceOf() is {} at block {block}{more}",
            pool.shares(*stored),
            pool.shares(*chain)
        ),
    )
    .hint(say("nobody of it was paid; read its transfers again: ").run("pool rescan").of(&pool.name))
    .detail("pool", pool.name.clone())
    .detail("member", member.to_string())
    .detail("block", *block)
    .detail("stored", stored.to_string())
    .detail("chain", chain.to_string())
}

fn address(conn: &Connection, member: MemberId) -> Result<Address> {
    let text: String =
        conn.prepare_cached("SELECT address FROM members WHERE id = ?1")?.query_row([member], only)?;
    stored(&text)
}

fn random() -> Result<u64> {
    getrandom::u64().map_err(|e| Error::new(Code::Io, format!("the system gives no random bytes: {e}")))
}
