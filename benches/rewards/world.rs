//! A pool with many holders on an embedded network: the vault, and the logs that its token would have written.

use alloy::hex;
use alloy::primitives::{Address, Bytes, Log, LogData, U256, keccak256};
use anyhow::{Context as _, Result};
use base::Stop;
use base::clock::Clock;
use evm::{BlockRef, EventLog, LogRange};
use poolctl_testkit::{Node, NodeKind, NodeOptions};
use rusqlite::params;
use state::{Holder, Lock, Permit, Run, State};
use std::path::Path;
use std::time::Duration;
use vault::pool::{Asset, put_asset};

/// Blocks over which the transfers are spread: those of the epoch that is paid.
pub const BLOCKS: u64 = 1_000;
/// Logs in a range, as the endpoints give them.
pub const LOGS_PER_RANGE: u64 = 10_000;
/// Blocks above the epoch, so that it is final.
const ABOVE: u64 = 10;

pub const ASSET: Address = Address::repeat_byte(0xaa);
pub const VAULT: Address = Address::repeat_byte(0xbb);

/// What the logs of a token tell.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Story {
    /// Each mints to a holder of its own.
    Mints,
    /// One in ten mints, and then the holders give each other shares.
    Trades,
}

impl Story {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mints => "mints",
            Self::Trades => "trades",
        }
    }

    /// What is held after so many logs.
    pub fn supply(self, logs: u64) -> U256 {
        (0..self.holders(logs)).map(shares).fold(U256::ZERO, |sum, shares| sum + shares)
    }

    const fn holders(self, logs: u64) -> u64 {
        match self {
            Self::Mints => logs,
            Self::Trades => logs.div_ceil(10),
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Mints, Self::Trades].into_iter().find(|story| story.as_str() == word)
    }
}

/// The chain that the pool lives on.
pub struct Network {
    node: Node,
    /// First block of the epoch, in which the first transfer is.
    pub first: u64,
    pub holders: u64,
    head: BlockRef,
}

impl Network {
    pub fn start(holders: u64) -> Result<Self> {
        let node = Node::start(NodeKind::Sandbox, &NodeOptions::default())?;
        node.set_code(VAULT, &vault(Story::Mints.supply(holders)))?;
        let first = node.block_number()? + 1;
        node.mine(BLOCKS + ABOVE)?;
        let number = node.block_number()?;
        let head = BlockRef { number, hash: node.block_hash(number)?, timestamp: 0 };
        Ok(Self { node, first, holders, head })
    }

    /// What a child is told of it.
    pub fn arguments(&self, job: &str, story: Story) -> [String; 7] {
        let Self { first, holders, head, .. } = self;
        [
            format!("--job={job}"),
            format!("--story={}", story.as_str()),
            format!("--url={}", self.node.url()),
            format!("--first={first}"),
            format!("--holders={holders}"),
            format!("--head={}", head.number),
            format!("--hash={}", head.hash),
        ]
    }

    /// A new state that knows the pool, its token and its weight.
    pub fn init(&self, path: &Path) -> Result<()> {
        state::create(path)?;
        let lock = lock(path)?;
        let mut state = open(path, &lock)?;
        state.write(Permit::of(&lock), |tx| {
            put_asset(tx.conn(), &Asset { address: ASSET, symbol: "R".into(), decimals: 18 })?;
            tx.conn().execute(
                "INSERT INTO pools (name, address, abi, asset, share_symbol, share_decimals, deploy_block,
                     max_rate_drop_ppm, added_at) VALUES ('p', ?1, 'erc4626', ?2, 'S', 18, ?3, 0, 1)",
                params![VAULT.to_string(), ASSET.to_string(), self.first],
            )?;
            tx.conn().execute("INSERT INTO pool_reward_weights VALUES (1, 0, 1000000, 1)", [])?;
            Ok(())
        })?;
        Ok(())
    }
}

/// What a holder is given, base units of 18 decimals: up to a thousand tokens, with all digits. It follows from the address,
/// so that [`vault`] can tell it.
pub fn shares(holder: u64) -> U256 {
    let spread = keccak256(account(holder).into_word());
    U256::from_be_slice(&spread[..8]) % U256::from(1_000_000_000_000_000_000_000_u128) + U256::from(1u8)
}

/// The code of a vault that knows its `totalSupply()` and what each was given as `balanceOf`, and answers 0 to everything
/// else: it is not paused.
fn vault(supply: U256) -> Bytes {
    let mut code = hex!("5f3560e01c 8063 18160ddd 14 610022 57 63 70a08231 14 61004a 57").to_vec();
    code.extend(hex!("6000 5f5260205ff3 5b7f"));
    code.extend(supply.to_be_bytes::<32>());
    code.extend(hex!("5f5260205ff3"));
    // The first eight bytes of the hash of the address, modulo 10^21, and one: `shares`.
    code.extend(hex!("5b 600435 5f52 60205f20 60c01c 68 3635c9adc5dea00000 9006 600101 5f5260205ff3"));
    code.into()
}

/// The ranges of all logs, each in a transaction of its own.
pub fn ranges(story: Story, first: u64, logs: u64, head: BlockRef) -> impl Iterator<Item = LogRange> {
    let per_block = logs.div_ceil(BLOCKS);
    let blocks_per_range = (LOGS_PER_RANGE / per_block).max(1);
    let last = BLOCKS.div_ceil(blocks_per_range) - 1;
    (0..=last).map(move |range| {
        let from = first + range * blocks_per_range;
        let end = if range == last {
            head
        } else {
            let number = from + blocks_per_range - 1;
            BlockRef { number, hash: keccak256(number.to_le_bytes()), timestamp: 0 }
        };
        let begin = range * blocks_per_range * per_block;
        let of_range = begin.min(logs)..(begin + blocks_per_range * per_block).min(logs);
        let log = |index| log(index, movement(story, index, logs), first, per_block);
        LogRange { from, end, logs: of_range.map(log).collect() }
    })
}

/// Giver, getter and shares of one log of so many.
fn movement(story: Story, index: u64, logs: u64) -> (Address, Address, U256) {
    let holders = story.holders(logs);
    if index < holders {
        return (Address::ZERO, account(index), shares(index));
    }
    let spread = keccak256(index.to_le_bytes());
    let at = |place: usize| U256::from_be_slice(&spread[place..place + 8]);
    let holder = |place| account((at(place) % U256::from(holders)).to());
    // So little that nobody runs out of shares.
    (holder(0), holder(8), at(16) % U256::from(1_000_000_000_u64))
}

pub fn account(holder: u64) -> Address {
    Address::from_word(keccak256([&b"to"[..], &holder.to_le_bytes()].concat()))
}

fn log(index: u64, (from, to, shares): (Address, Address, U256), first: u64, per_block: u64) -> EventLog {
    let transfer = keccak256("Transfer(address,address,uint256)");
    let topics = vec![transfer, from.into_word(), to.into_word()];
    let data = Bytes::copy_from_slice(&shares.to_be_bytes::<32>());
    let block_number = first + index / per_block;
    EventLog {
        inner: Log { address: VAULT, data: LogData::new_unchecked(topics, data) },
        block_number,
        block_hash: keccak256(block_number.to_le_bytes()),
        tx_hash: keccak256([&b"tx"[..], &index.to_le_bytes()].concat()),
        tx_index: index % per_block,
        log_index: index % per_block,
    }
}

pub fn lock(state: &Path) -> Result<Lock> {
    let holder = Holder { pid: std::process::id(), command: "bench".into(), since: 0 };
    Lock::acquire(state, &holder, Duration::ZERO, &Stop::default()).context("lock")
}

pub fn run() -> Run {
    Run { id: "bench".into(), actor: "bench".into(), clock: Clock::System }
}

pub fn open(state: &Path, lock: &Lock) -> Result<State> {
    State::write_access(state, run(), lock).context("open")
}
