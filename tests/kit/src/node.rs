//! An EVM node for one test, on a free port, with a clock that gives the same blocks each run: Foundry's `anvil`, or
//! the sandbox's embedded network.

use crate::{Rpc, anvil, contracts, watch};
use alloy::{
    hex,
    primitives::{Address, B256, Bytes, U256, address},
    sol_types::{SolCall, SolConstructor},
};
use anyhow::{Context as _, Result, bail, ensure};
use poolctl_sandbox::evm::{Evm, EvmOptions};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Where Multicall3 lives on nearly every chain.
pub const MULTICALL3: Address = address!("cA11bde05977b3631167028862bE2a173976CA11");

/// Which node a test runs on; one test body runs over both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// Foundry's anvil, a process of its own.
    Anvil,
    /// The sandbox's embedded network, in this process.
    Sandbox,
}

/// How a node starts.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// 31337.
    pub chain_id: u64,
    /// The genesis block's time, in Unix seconds: 1,700,000,000.
    pub timestamp: u64,
    /// Seconds between a block and the next, whatever the wall clock says: 12.
    pub block_seconds: u64,
    /// Whether each transaction is mined into a block of its own at once: true. Else only [`Node::mine`] makes blocks.
    pub automine: bool,
    /// `safe` is this many blocks below the head and `finalized` twice as many (never below 0): 1.
    pub slots_in_an_epoch: u64,
    /// Gas in a block: 30,000,000.
    pub gas_limit: u64,
    /// Whether Multicall3 is at [`MULTICALL3`]: true.
    pub multicall: bool,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            chain_id: 31337,
            timestamp: 1_700_000_000,
            block_seconds: 12,
            automine: true,
            slots_in_an_epoch: 1,
            gas_limit: 30_000_000,
            multicall: true,
        }
    }
}

/// A running node, ended when dropped.
pub struct Node {
    url: String,
    rpc: Rpc,
    accounts: Vec<Address>,
    automine: AtomicBool,
    reorgs: AtomicU64,
    /// Ends with this.
    _running: Running,
}

#[expect(dead_code, reason = "held until the node is dropped")]
enum Running {
    Anvil(anvil::Process),
    Sandbox(Evm),
}

/// A mined transaction.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Its hash.
    pub tx: B256,
    /// The number of the block it is in.
    pub block: u64,
    /// The hash of that block.
    pub block_hash: B256,
    /// Whether it did not revert.
    pub success: bool,
    /// The contract it made, if it made one.
    pub contract: Option<Address>,
    /// In gas units.
    pub gas_used: u64,
}

/// A state of the whole node to go back to, once.
#[derive(Debug)]
pub struct Snapshot(Value);

impl Node {
    /// Starts a node and waits until it answers. Fails when anvil is wanted, missing and cannot be installed, saying how to.
    pub fn start(kind: NodeKind, options: &NodeOptions) -> Result<Self> {
        watch::test();
        let (running, url) = match kind {
            NodeKind::Anvil => {
                let (process, url) = anvil::start(options)?;
                (Running::Anvil(process), url)
            }
            NodeKind::Sandbox => {
                let evm = embedded(options)?;
                let url = evm.url();
                (Running::Sandbox(evm), url)
            }
        };
        let rpc = Rpc::new(&url)?;
        let mut node = Self {
            url,
            rpc,
            accounts: Vec::new(),
            automine: options.automine.into(),
            reorgs: 0.into(),
            _running: running,
        };
        let accounts = node.rpc("eth_accounts", json!([]))?;
        node.accounts = serde_json::from_value(accounts)?;
        node.rpc("anvil_setBlockTimestampInterval", json!([options.block_seconds]))?;
        if options.multicall && kind == NodeKind::Anvil {
            node.set_code(MULTICALL3, &contracts::deployed("Multicall3")?)?;
        }
        Ok(node)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ten accounts with 10,000 ether each, which the node signs for.
    pub fn accounts(&self) -> &[Address] {
        &self.accounts
    }

    /// Calls any method of the node; an error answer is a [`crate::RpcError`].
    pub fn rpc(&self, method: &str, params: Value) -> Result<Value> {
        self.rpc.call(method, params)
    }

    // Blocks.

    /// Mines `blocks` blocks.
    pub fn mine(&self, blocks: u64) -> Result<()> {
        self.rpc("anvil_mine", json!([U256::from(blocks)])).map(drop)
    }

    /// The head's number.
    pub fn block_number(&self) -> Result<u64> {
        as_u64(&self.rpc("eth_blockNumber", json!([]))?)
    }

    /// The whole block, without its transactions, by number (`json!("0x1")`) or tag; null where there is none.
    pub fn block(&self, which: impl Into<Value>) -> Result<Value> {
        self.rpc("eth_getBlockByNumber", json!([which.into(), false]))
    }

    /// The number of the block that a tag (`safe`, `finalized`, `latest`) means now.
    pub fn block_of_tag(&self, tag: &str) -> Result<u64> {
        as_u64(&self.block(tag)?["number"])
    }

    /// The hash of the canonical block of this number.
    pub fn block_hash(&self, number: u64) -> Result<B256> {
        let block = self.block(format!("{number:#x}"))?;
        Ok(serde_json::from_value(block["hash"].clone())?)
    }

    /// The head's time, in Unix seconds.
    pub fn timestamp(&self) -> Result<u64> {
        as_u64(&self.block("latest")?["timestamp"])
    }

    /// Gives the next block this time, in Unix seconds; it must not be before the head's.
    pub fn next_block_timestamp(&self, seconds: u64) -> Result<()> {
        self.rpc("evm_setNextBlockTimestamp", json!([seconds])).map(drop)
    }

    /// Mines one block, `seconds` after the head.
    pub fn advance(&self, seconds: u64) -> Result<()> {
        self.next_block_timestamp(self.timestamp()? + seconds)?;
        self.mine(1)
    }

    /// Switches between a block per transaction and blocks by [`Self::mine`] alone.
    pub fn set_automine(&self, on: bool) -> Result<()> {
        self.rpc("evm_setAutomine", json!([on]))?;
        self.automine.store(on, Ordering::Relaxed);
        Ok(())
    }

    /// Keeps the present state for [`Self::revert`].
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.rpc("evm_snapshot", json!([])).map(Snapshot)
    }

    /// Goes back to a snapshot.
    pub fn revert(&self, snapshot: Snapshot) -> Result<()> {
        let Snapshot(id) = snapshot;
        let done = self.rpc("evm_revert", json!([id]))?;
        ensure!(done == json!(true), "no such snapshot");
        Ok(())
    }

    /// Replaces the last `depth` blocks by as many empty ones of other hashes. The transactions of the old ones are gone.
    pub fn reorg(&self, depth: u64) -> Result<()> {
        self.branch()?;
        self.rpc("anvil_reorg", json!([depth, []])).map(drop)
    }

    /// Takes the last `depth` blocks away. What is mined next has other hashes, even if it holds the same transactions.
    pub fn rollback(&self, depth: u64) -> Result<()> {
        self.branch()?;
        self.rpc("anvil_rollback", json!([depth])).map(drop)
    }

    /// Makes the coming blocks pay another address, so that no block can come back with its old hash.
    fn branch(&self) -> Result<()> {
        let branch = self.reorgs.fetch_add(1, Ordering::Relaxed) + 1;
        let coinbase = Address::left_padding_from(&branch.to_be_bytes());
        self.rpc("anvil_setCoinbase", json!([coinbase])).map(drop)
    }

    // Contracts.

    /// Puts code at an address.
    pub fn set_code(&self, at: Address, code: &Bytes) -> Result<()> {
        self.rpc("anvil_setCode", json!([at, code])).map(drop)
    }

    /// Deploys a contract of [`crate::contracts`] with its constructor's arguments, for instance
    /// `&abi::Vault::constructorCall::new((asset, …))`.
    pub fn deploy<C: SolConstructor>(&self, from: Address, name: &str, arguments: &C) -> Result<Receipt> {
        let mut code = contracts::bytecode(name)?.to_vec();
        code.extend(arguments.abi_encode());
        let tx = json!({"from": from, "data": hex::encode_prefixed(code)});
        self.succeeded(&tx).with_context(|| format!("deploying {name}"))
    }

    /// Sends a call as a transaction and waits until it is in a block (mines one when the node does not by itself). When
    /// it reverts it is in a block all the same, and the error is the node's [`crate::RpcError`].
    pub fn send<C: SolCall>(&self, from: Address, to: Address, call: &C) -> Result<Receipt> {
        self.succeeded(&transaction(from, to, call)).context(C::SIGNATURE)
    }

    /// As [`Self::send`], with a fixed amount of gas instead of the node's estimate (which takes several runs), and a
    /// transaction that reverts is no error: `success` is false.
    pub fn send_with_gas<C: SolCall>(
        &self,
        from: Address,
        to: Address,
        call: &C,
        gas: u64,
    ) -> Result<Receipt> {
        let mut tx = transaction(from, to, call);
        tx["gas"] = json!(format!("{gas:#x}"));
        self.mined(&tx).context(C::SIGNATURE)
    }

    /// Sends a call as a transaction and gives its hash without waiting for a block.
    pub fn submit<C: SolCall>(&self, from: Address, to: Address, call: &C) -> Result<B256> {
        let hash = self.rpc("eth_sendTransaction", json!([transaction(from, to, call)]))?;
        Ok(serde_json::from_value(hash)?)
    }

    /// The receipt of a transaction; `None` while it is not in a canonical block.
    pub fn receipt(&self, tx: B256) -> Result<Option<Receipt>> {
        let receipt = self.rpc("eth_getTransactionReceipt", json!([tx]))?;
        if receipt.is_null() { Ok(None) } else { Receipt::read(&receipt).map(Some) }
    }

    /// Reads a contract at the head.
    pub fn call<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return> {
        self.call_at(to, call, "latest")
    }

    /// Reads a contract at a block: a number (`json!("0x1")`), a tag, or `json!({"blockHash": …})`.
    pub fn call_at<C: SolCall>(&self, to: Address, call: &C, block: impl Into<Value>) -> Result<C::Return> {
        let data = hex::encode_prefixed(call.abi_encode());
        let answer =
            self.rpc("eth_call", json!([{"to": to, "data": data}, block.into()])).context(C::SIGNATURE)?;
        let answer: Bytes = serde_json::from_value(answer)?;
        C::abi_decode_returns(&answer).with_context(|| format!("{} answered {answer}", C::SIGNATURE))
    }

    /// Mines a transaction, and asks the node why when it reverts.
    fn succeeded(&self, tx: &Value) -> Result<Receipt> {
        let receipt = self.mined(tx)?;
        if !receipt.success {
            self.rpc("eth_call", json!([tx, format!("{:#x}", receipt.block - 1)]))?;
            bail!("the transaction reverted, though not when called alone: {}", receipt.tx);
        }
        Ok(receipt)
    }

    fn mined(&self, tx: &Value) -> Result<Receipt> {
        if self.automine.load(Ordering::Relaxed) {
            return Receipt::read(&self.rpc("eth_sendTransactionSync", json!([tx]))?);
        }
        let hash = serde_json::from_value(self.rpc("eth_sendTransaction", json!([tx]))?)?;
        self.mine(1)?;
        self.receipt(hash)?.context("the transaction was not mined")
    }
}

impl Receipt {
    fn read(receipt: &Value) -> Result<Self> {
        Ok(Self {
            tx: serde_json::from_value(receipt["transactionHash"].clone())?,
            block: as_u64(&receipt["blockNumber"])?,
            block_hash: serde_json::from_value(receipt["blockHash"].clone())?,
            success: receipt["status"] == "0x1",
            contract: serde_json::from_value(receipt["contractAddress"].clone())?,
            gas_used: as_u64(&receipt["gasUsed"])?,
        })
    }

    /// The contract that the transaction made.
    pub fn address(&self) -> Result<Address> {
        self.contract.context("the transaction made no contract")
    }
}

/// The sandbox's network with these options.
fn embedded(options: &NodeOptions) -> Result<Evm> {
    Ok(Evm::start(&EvmOptions {
        port: 0,
        chain_id: options.chain_id,
        start_time: Some(options.timestamp),
        block_seconds: options.block_seconds,
        tick: None,
        automine: options.automine,
        slots_in_an_epoch: options.slots_in_an_epoch,
        gas_limit: options.gas_limit,
        multicall: options.multicall,
    })?)
}

fn transaction<C: SolCall>(from: Address, to: Address, call: &C) -> Value {
    json!({"from": from, "to": to, "data": hex::encode_prefixed(call.abi_encode())})
}

/// A quantity that fits, as JSON-RPC writes it.
fn as_u64(quantity: &Value) -> Result<u64> {
    let digits = quantity.as_str().and_then(|q| q.strip_prefix("0x")).context("not a quantity")?;
    Ok(u64::from_str_radix(digits, 16)?)
}
