//! The chain: its blocks, the transactions that wait, its clock, and the ways to rewrite it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use alloy::consensus::{Header, Transaction};
use alloy::eips::eip1559::BaseFeeParams;
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use revm::context::result::InvalidTransaction;

use super::accounts::{DEV_ACCOUNTS, FIRST_BALANCE};
use super::block::{Block, Sealed, Signed, blank_header, seal};
use super::execute::{Hashes, Spot, VISIBLE_HASHES, surroundings};
use super::state::State;
use super::{EvmOptions, MULTICALL3, contracts};
use crate::{Error, Result};

/// Base fee of the first two blocks, in wei per gas.
const FIRST_BASE_FEE: u64 = 1_000_000_000;
/// Most blocks that one request mines.
const MOST_BLOCKS: u64 = 1_000_000;

/// What does not change while the chain runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) chain_id: u64,
    pub(super) gas_limit: u64,
    pub(super) slots_in_an_epoch: u64,
    block_seconds: u64,
}

/// What a revert goes back to.
struct Snapshot {
    blocks: Vec<Arc<Block>>,
    pool: Vec<Signed>,
    clock: Clock,
    coinbase: Address,
}

/// The time of the blocks to come.
#[derive(Clone, Copy, Debug)]
struct Clock {
    /// Seconds from a block to the next.
    interval: u64,
    /// The next block's time, when it was set by hand.
    next: Option<u64>,
    /// Seconds that the next block comes later than usual.
    ahead: u64,
}

/// The canonical chain. A block that a reorg took away is forgotten, as on anvil.
pub(super) struct Chain {
    pub(super) rules: Rules,
    pub(super) automine: bool,
    pub(super) coinbase: Address,
    blocks: Vec<Arc<Block>>,
    by_hash: HashMap<B256, usize>,
    by_tx: HashMap<B256, (usize, usize)>,
    pool: Vec<Signed>,
    clock: Clock,
    /// How often the chain was rewritten: written into later blocks, so that none comes back with its old hash.
    branch: u64,
    snapshots: BTreeMap<u64, Snapshot>,
    next_snapshot: u64,
}

/// What became of a transaction handed in.
#[derive(Debug)]
pub(super) enum Refused {
    /// No block could hold it.
    Invalid(InvalidTransaction),
    /// It is in the pool or in a block already.
    Known,
    /// Another of the same sender and nonce waits, and this one does not pay a tenth more.
    Underpriced,
}

impl Chain {
    pub(super) fn new(options: &EvmOptions, first_time: u64) -> Result<Self> {
        let mut state = State::default();
        for account in DEV_ACCOUNTS {
            state.set_balance(account.address, FIRST_BALANCE);
        }
        if options.multicall {
            state.set_code(MULTICALL3, contracts::deployed("Multicall3")?);
        }
        let header = Header {
            timestamp: first_time,
            gas_limit: options.gas_limit,
            base_fee_per_gas: Some(FIRST_BASE_FEE),
            ..blank_header()
        };
        let first = Arc::new(Block::new(header, Vec::new(), Arc::new(state)));
        let rules = Rules {
            chain_id: options.chain_id,
            gas_limit: options.gas_limit,
            slots_in_an_epoch: options.slots_in_an_epoch,
            block_seconds: options.block_seconds.max(1),
        };
        Ok(Self {
            rules,
            automine: options.automine,
            coinbase: Address::ZERO,
            by_hash: HashMap::from([(first.hash, 0)]),
            by_tx: HashMap::new(),
            blocks: vec![first],
            pool: Vec::new(),
            clock: Clock { interval: rules.block_seconds, next: None, ahead: 0 },
            branch: 0,
            snapshots: BTreeMap::new(),
            next_snapshot: 0,
        })
    }

    // Reading.

    pub(super) fn head(&self) -> Result<&Arc<Block>> {
        // There is a first block, and nothing takes it away.
        self.blocks.last().ok_or_else(|| Error::new("a chain without a block"))
    }

    pub(super) fn height(&self) -> u64 {
        self.blocks.len().saturating_sub(1) as u64
    }

    pub(super) fn by_number(&self, number: u64) -> Option<&Arc<Block>> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    pub(super) fn by_hash(&self, hash: B256) -> Option<&Arc<Block>> {
        self.blocks.get(*self.by_hash.get(&hash)?)
    }

    /// The block that a transaction is in, and its place there.
    pub(super) fn transaction(&self, hash: B256) -> Option<(&Arc<Block>, usize)> {
        let (block, place) = *self.by_tx.get(&hash)?;
        Some((self.blocks.get(block)?, place))
    }

    /// A transaction that waits for a block.
    pub(super) fn waiting(&self, hash: B256) -> Option<&Signed> {
        self.pool.iter().find(|tx| *tx.tx_hash() == hash)
    }

    /// The nonce that the next transaction of an account must have, those that wait in a row counted.
    pub(super) fn next_nonce(&self, address: Address) -> u64 {
        let mut nonce = self.blocks.last().map_or(0, |head| head.state.nonce(address));
        let mut nonces: Vec<_> =
            self.pool.iter().filter(|tx| tx.signer() == address).map(|tx| tx.nonce()).collect();
        nonces.sort_unstable();
        for waiting in nonces {
            nonce += u64::from(waiting == nonce);
        }
        nonce
    }

    /// The hashes below a block.
    pub(super) fn hashes_below(&self, number: u64) -> Hashes {
        let end = usize::try_from(number).unwrap_or(usize::MAX).min(self.blocks.len());
        let start = end.saturating_sub(VISIBLE_HASHES);
        let below = self.blocks.get(start..end).unwrap_or_default();
        Hashes { first: start as u64, hashes: below.iter().map(|block| block.hash).collect() }
    }

    /// Base fee of the block after the head, in wei per gas (EIP-1559).
    pub(super) fn next_base_fee(&self) -> u64 {
        self.blocks.last().map_or(FIRST_BASE_FEE, |head| base_fee_after(&head.header))
    }

    /// The block that would be mined now.
    pub(super) fn pending(&self) -> Result<Block> {
        Ok(self.seal(self.pool.clone(), None)?.block)
    }

    /// Where a transaction of the next block would be run.
    pub(super) fn next_spot(&self) -> Result<Spot> {
        let head = self.head()?;
        let header = self.next_header(head, None);
        Ok(Spot {
            chain_id: self.rules.chain_id,
            block: surroundings(&header),
            state: Arc::clone(&head.state),
            hashes: self.hashes_below(header.number),
        })
    }

    // Growing.

    /// Takes a transaction: into the pool and, when the chain mines by itself, into a block at once.
    pub(super) fn submit(&mut self, tx: Signed) -> Result<std::result::Result<B256, Refused>> {
        let hash = *tx.tx_hash();
        if self.by_tx.contains_key(&hash) || self.waiting(hash).is_some() {
            return Ok(Err(Refused::Known));
        }
        if let Err(invalid) = self.examine(&tx)? {
            return Ok(Err(Refused::Invalid(invalid)));
        }
        let rival =
            self.pool.iter().position(|held| held.signer() == tx.signer() && held.nonce() == tx.nonce());
        if let Some(place) = rival {
            let held = self.pool.get(place).map_or(0, |held| held.max_fee_per_gas());
            if tx.max_fee_per_gas() < held + held / 10 {
                return Ok(Err(Refused::Underpriced));
            }
            self.pool.remove(place);
        }
        self.pool.push(tx);
        if self.automine {
            let sealed = self.seal(self.pool.clone(), None)?;
            let refused =
                sealed.dropped.iter().find(|(dropped, _)| *dropped == hash).map(|(_, why)| why.clone());
            self.pool = sealed.left;
            if !sealed.block.transactions.is_empty() {
                self.push(sealed.block);
            }
            if let Some(invalid) = refused {
                return Ok(Err(Refused::Invalid(invalid)));
            }
        }
        Ok(Ok(hash))
    }

    /// Whether a block could ever hold the transaction, as far as that can be told now.
    fn examine(&self, tx: &Signed) -> Result<std::result::Result<(), InvalidTransaction>> {
        let state = &self.head()?.state;
        let nonce = state.nonce(tx.signer());
        let wrong_chain = tx.chain_id().is_some_and(|id| id != self.rules.chain_id);
        let cost = U256::from(tx.max_fee_per_gas())
            .saturating_mul(U256::from(tx.gas_limit()))
            .saturating_add(tx.value());
        let balance = state.balance(tx.signer());
        Ok(if wrong_chain {
            Err(InvalidTransaction::InvalidChainId)
        } else if tx.nonce() < nonce {
            Err(InvalidTransaction::NonceTooLow { tx: tx.nonce(), state: nonce })
        } else if tx.gas_limit() > self.rules.gas_limit {
            Err(InvalidTransaction::CallerGasLimitMoreThanBlock)
        } else if tx.max_fee_per_gas() < u128::from(self.next_base_fee()) {
            Err(InvalidTransaction::GasPriceLessThanBasefee)
        } else if balance < cost {
            Err(InvalidTransaction::LackOfFundForMaxFee { fee: Box::new(cost), balance: Box::new(balance) })
        } else if self.automine || tx.nonce() > nonce {
            // Mining it will tell the rest.
            Ok(())
        } else {
            let spot = self.next_spot()?;
            spot.run(super::execute::environment(tx), super::execute::Manner::Transaction).map(drop)
        })
    }

    /// Mines one block, after the usual time or at `time` (in Unix seconds).
    pub(super) fn mine(&mut self, time: Option<u64>) -> Result<()> {
        let sealed = self.seal(self.pool.clone(), time)?;
        self.pool = sealed.left;
        self.push(sealed.block);
        Ok(())
    }

    /// Mines blocks over `seconds` in all. Without `blocks`, as many as fit into that time at the usual length, one at
    /// least; without `seconds`, each has the usual length.
    pub(super) fn advance(&mut self, blocks: Option<u64>, seconds: Option<u64>) -> Result<()> {
        let count = match (blocks, seconds) {
            (Some(blocks), _) => blocks,
            (None, Some(seconds)) => (seconds / self.clock.interval.max(1)).max(1),
            (None, None) => 1,
        };
        if count > MOST_BLOCKS {
            return Err(Error::new(format!("{count} blocks are more than {MOST_BLOCKS} at once")));
        }
        let start = self.head()?.header.timestamp;
        for place in 1..=count {
            let share = |total: u64| u128::from(total) * u128::from(place) / u128::from(count);
            let time = seconds.map(|total| start + u64::try_from(share(total)).unwrap_or(total));
            self.mine(time)?;
        }
        Ok(())
    }

    fn seal(&self, candidates: Vec<Signed>, time: Option<u64>) -> Result<Sealed> {
        let head = self.head()?;
        let header = self.next_header(head, time);
        let spot = Spot {
            chain_id: self.rules.chain_id,
            block: surroundings(&header),
            state: Arc::clone(&head.state),
            hashes: self.hashes_below(header.number),
        };
        Ok(seal(header, spot, candidates))
    }

    fn next_header(&self, head: &Block, time: Option<u64>) -> Header {
        let usual = || head.header.timestamp.saturating_add(self.clock.interval + self.clock.ahead);
        let branch = self.branch.to_be_bytes();
        Header {
            parent_hash: head.hash,
            beneficiary: self.coinbase,
            number: head.header.number + 1,
            gas_limit: self.rules.gas_limit,
            timestamp: time.or(self.clock.next).unwrap_or_else(usual),
            extra_data: if self.branch == 0 { Bytes::new() } else { Bytes::copy_from_slice(&branch) },
            mix_hash: keccak256(head.hash),
            base_fee_per_gas: Some(base_fee_after(&head.header)),
            ..blank_header()
        }
    }

    fn push(&mut self, block: Block) {
        self.clock = Clock { interval: self.clock.interval, next: None, ahead: 0 };
        self.index(&block, self.blocks.len());
        self.blocks.push(Arc::new(block));
    }

    fn index(&mut self, block: &Block, number: usize) {
        self.by_hash.insert(block.hash, number);
        for (place, mined) in block.transactions.iter().enumerate() {
            self.by_tx.insert(*mined.transaction.tx_hash(), (number, place));
        }
    }

    // The clock.

    /// Gives the next block this time, in Unix seconds; false when it is before the head's.
    pub(super) fn set_next_time(&mut self, seconds: u64) -> Result<bool> {
        let is_possible = seconds >= self.head()?.header.timestamp;
        if is_possible {
            self.clock.next = Some(seconds);
        }
        Ok(is_possible)
    }

    /// Delays the next block; returns the whole delay so far, in seconds.
    pub(super) fn delay(&mut self, seconds: u64) -> u64 {
        self.clock.ahead = self.clock.ahead.saturating_add(seconds);
        self.clock.ahead
    }

    /// Seconds from a block to the next; without a number, those that the chain started with.
    pub(super) fn set_interval(&mut self, seconds: Option<u64>) {
        self.clock.interval = seconds.unwrap_or(self.rules.block_seconds);
    }

    pub(super) fn interval(&self) -> u64 {
        self.clock.interval
    }

    // Rewriting.

    /// Changes the head's state beside any transaction. The head keeps its hash, as on anvil.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut State)) {
        if let Some(head) = self.blocks.last_mut() {
            let mut state = State::clone(&head.state);
            change(&mut state);
            // Others may hold the block; theirs stays as it was.
            let transactions = Arc::clone(&head.transactions);
            *head = Arc::new(Block {
                header: head.header.clone(),
                hash: head.hash,
                transactions,
                state: Arc::new(state),
            });
        }
    }

    /// Takes the newest blocks away, at most all but the first; returns them.
    pub(super) fn roll_back(&mut self, depth: u64) -> Vec<Arc<Block>> {
        let depth = usize::try_from(depth.min(self.height())).unwrap_or_default();
        let removed = self.blocks.split_off(self.blocks.len() - depth);
        if !removed.is_empty() {
            self.branch += 1;
        }
        for block in &removed {
            self.by_hash.remove(&block.hash);
            for mined in block.transactions.iter() {
                self.by_tx.remove(mined.transaction.tx_hash());
            }
        }
        removed
    }

    /// Replaces the newest blocks by as many others at the same times. Their transactions are gone or, if they are to be
    /// kept, mined again as soon as they can be.
    pub(super) fn reorg(&mut self, depth: u64, keep: bool) -> Result<()> {
        let removed = self.roll_back(depth);
        if keep {
            let again = removed.iter().flat_map(|block| block.transactions.iter());
            let again: Vec<_> = again.map(|mined| mined.transaction.clone()).collect();
            self.pool.splice(..0, again);
        }
        let waiting = if keep { Vec::new() } else { std::mem::take(&mut self.pool) };
        for block in removed {
            self.mine(Some(block.header.timestamp))?;
        }
        self.pool.extend(waiting);
        Ok(())
    }

    /// Keeps the present chain; returns the snapshot's number.
    pub(super) fn snapshot(&mut self) -> u64 {
        let snapshot = Snapshot {
            blocks: self.blocks.clone(),
            pool: self.pool.clone(),
            clock: self.clock,
            coinbase: self.coinbase,
        };
        let number = self.next_snapshot;
        self.next_snapshot += 1;
        self.snapshots.insert(number, snapshot);
        number
    }

    /// Goes back to a snapshot, which is used up, as are those taken later; false when there is none.
    pub(super) fn revert(&mut self, number: u64) -> bool {
        let Some(snapshot) = self.snapshots.remove(&number) else { return false };
        self.snapshots.split_off(&number);
        self.blocks = snapshot.blocks;
        self.pool = snapshot.pool;
        self.clock = snapshot.clock;
        self.coinbase = snapshot.coinbase;
        self.by_hash.clear();
        self.by_tx.clear();
        for (number, block) in self.blocks.clone().iter().enumerate() {
            self.index(block, number);
        }
        true
    }
}

/// The base fee that follows a block. The first block's is kept for the second, as on anvil.
fn base_fee_after(header: &Header) -> u64 {
    let fee = header.base_fee_per_gas.unwrap_or(FIRST_BASE_FEE);
    if header.number == 0 {
        return fee;
    }
    header.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or(fee)
}
