//! An EVM network in this process: revm with a small node around it, behind Ethereum JSON-RPC.

pub mod abi;
mod accounts;
mod answer;
mod block;
mod chain;
mod client;
pub mod contracts;
mod execute;
mod logs;
mod request;
mod rpc;
mod state;
pub mod world;

use std::sync::Arc;
use std::time::Duration;

use alloy::primitives::{Address, B256, U256, address};
use serde_json::Value;

pub use self::accounts::{DEV_ACCOUNTS, DevAccount};
use self::chain::Chain;
pub use self::client::Receipt;
use self::rpc::Node;
use crate::Result;
use crate::clock::{Ticker, four_weeks_ago, room_after};
use crate::fault::Fault;
use crate::http::{RpcError, Server, Service};

/// Where Multicall3 is from the first block on, as on nearly every chain.
pub const MULTICALL3: Address = address!("cA11bde05977b3631167028862bE2a173976CA11");

/// How a network is set up. Two networks with the same options and a fixed time, asked for the same, have the same
/// blocks, hash for hash.
#[derive(Clone, Debug)]
pub struct EvmOptions {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Chain id (EIP-155); 31337 is that of development chains.
    pub chain_id: u64,
    /// Time of the first block, in Unix seconds; by default four weeks ago.
    pub start_time: Option<u64>,
    /// Chain time from one block to the next, in seconds.
    pub block_seconds: u64,
    /// Wall time between two blocks; without it they come with transactions or by hand only.
    pub tick: Option<Duration>,
    /// Whether each transaction is mined into a block of its own at once.
    pub automine: bool,
    /// `safe` is this many blocks below the head and `finalized` twice as many.
    pub slots_in_an_epoch: u64,
    /// Gas in a block.
    pub gas_limit: u64,
    /// Whether Multicall3 is at [`MULTICALL3`].
    pub multicall: bool,
}

impl Default for EvmOptions {
    fn default() -> Self {
        Self {
            port: 0,
            chain_id: 31_337,
            start_time: None,
            block_seconds: 12,
            tick: None,
            automine: true,
            slots_in_an_epoch: 1,
            gas_limit: 30_000_000,
            multicall: true,
        }
    }
}

/// The newest block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Its time, in Unix seconds.
    pub timestamp: u64,
}

/// A running network; it stops when dropped.
pub struct Evm {
    node: Arc<Node>,
    /// Ends before the server does.
    ticker: Option<Ticker>,
    server: Server,
    chain_id: u64,
}

impl std::fmt::Debug for Evm {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Evm").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Evm {
    /// Starts a network with one block, listening on loopback.
    pub fn start(options: &EvmOptions) -> Result<Self> {
        let start = options.start_time.unwrap_or_else(four_weeks_ago);
        let node = Arc::new(Node::new(Chain::new(options, start)?));
        let server = Server::start(options.port, Arc::clone(&node))?;
        let ticker = options.tick.map(|tick| start_ticker(&node, tick)).transpose()?;
        Ok(Self { node, ticker, server, chain_id: options.chain_id })
    }

    /// Mines a block at each tick from now on.
    pub fn tick(&mut self, every: Duration) -> Result<()> {
        self.ticker = None;
        self.ticker = Some(start_ticker(&self.node, every)?);
        Ok(())
    }

    /// Where Ethereum JSON-RPC is answered: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The chain id (EIP-155).
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Ten accounts with 10,000 ether each, which the network signs for.
    pub fn accounts(&self) -> [DevAccount; 10] {
        DEV_ACCOUNTS
    }

    /// The newest block.
    pub fn head(&self) -> Result<Head> {
        let chain = self.node.chain();
        let block = chain.head()?;
        Ok(Head { number: block.header.number, hash: block.hash, timestamp: block.header.timestamp })
    }

    /// Mines this many blocks of the usual length; what waits is in the first.
    pub fn mine(&self, blocks: u64) -> Result<Head> {
        self.node.chain().advance(Some(blocks), None)?;
        self.head()
    }

    /// Mines this many blocks over `seconds` of chain time in all.
    pub fn advance_over(&self, blocks: u64, seconds: u64) -> Result<Head> {
        self.node.chain().advance(Some(blocks), Some(seconds))?;
        self.head()
    }

    /// Lets `seconds` of chain time pass, in blocks of the usual length (one at least).
    pub fn advance(&self, seconds: u64) -> Result<Head> {
        self.node.chain().advance(None, Some(seconds))?;
        self.head()
    }

    /// Switches between a block per transaction and blocks by tick or by hand alone.
    pub fn set_automine(&self, on: bool) {
        self.node.chain().automine = on;
    }

    /// Replaces the newest `depth` blocks (at most all but the first) by others at the same times. Their transactions
    /// are mined again when `keep` says so, and gone otherwise.
    pub fn reorg(&self, depth: u64, keep: bool) -> Result<Head> {
        self.node.chain().reorg(depth, keep)?;
        self.head()
    }

    /// Adds ether to an account, in wei.
    pub fn fund(&self, account: Address, wei: U256) {
        self.node.chain().change(|state| {
            let balance = state.balance(account).saturating_add(wei);
            state.set_balance(account, balance);
        });
    }

    /// Calls any method of the network without a wire between, so no fault applies; the error is the one that a client
    /// would see.
    pub fn rpc(&self, method: &str, params: &Value) -> std::result::Result<Value, RpcError> {
        self.node.call(method, params, None)
    }

    /// Orders a fault for the next `times` requests of a method, `*` for any.
    pub fn fault(&self, method: &str, fault: Fault, times: u32) {
        self.node.faults().order(method, fault, times);
    }

    /// Forgets the faults ordered so far.
    pub fn clear_faults(&self) {
        self.node.faults().clear();
    }
}

/// Mines a block at each tick.
fn start_ticker(node: &Arc<Node>, tick: Duration) -> Result<Ticker> {
    let node = Arc::clone(node);
    Ticker::start(tick, move || {
        let mut chain = node.chain();
        let time = chain.head()?.header.timestamp;
        // Never is a second used twice.
        let room = room_after(time).max(1);
        let is_capped = room < chain.interval();
        chain.mine(is_capped.then(|| time + room))
    })
}
