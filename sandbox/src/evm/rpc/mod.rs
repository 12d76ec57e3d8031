//! Ethereum JSON-RPC: one method a function, answering from the chain or, on order, from an older view of it.

mod blocks;
mod calls;
mod control;
mod transactions;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alloy::eips::{BlockId, BlockNumberOrTag};
use alloy::primitives::{B256, U64};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answer::quantity;
use super::block::Block;
use super::chain::Chain;
use super::execute::Spot;
use crate::fault::{Fault, FaultBook};
use crate::http::{RpcError, Service};

/// The chain and the faults ordered for it.
pub(crate) struct Node {
    chain: Mutex<Chain>,
    faults: FaultBook,
}

impl Node {
    pub(super) fn new(chain: Chain) -> Self {
        Self { chain: Mutex::new(chain), faults: FaultBook::default() }
    }

    /// The chain, alone for the caller. A thread that died over it has left a whole chain behind: a block is pushed when
    /// it is finished only.
    pub(super) fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(
        &self,
        lag: u64,
        read: impl FnOnce(&Reader<'_>) -> Result<T, RpcError>,
    ) -> Result<T, RpcError> {
        let chain = self.chain();
        let head = chain.height().saturating_sub(lag);
        read(&Reader { chain: &chain, head })
    }
}

impl Service for Node {
    fn call(&self, method: &str, params: &Value, fault: Option<&Fault>) -> Result<Value, RpcError> {
        let params = Params::new(method, params)?;
        let lag = match fault {
            Some(Fault::Reorg(depth)) => {
                self.chain().reorg(u64::from(*depth), false).map_err(internal)?;
                0
            }
            Some(Fault::StaleLedger(blocks)) => u64::from(*blocks),
            _ => 0,
        };
        match method {
            "eth_chainId" => Ok(quantity(self.chain().rules.chain_id)),
            "net_version" => Ok(self.chain().rules.chain_id.to_string().into()),
            "net_listening" => Ok(true.into()),
            "web3_clientVersion" => {
                Ok(concat!("poolctl-sandbox/v", env!("CARGO_PKG_VERSION"), "/revm").into())
            }
            "web3_sha3" => transactions::keccak(&params),
            "eth_syncing" => Ok(false.into()),
            "eth_accounts" => Ok(json!(super::DEV_ACCOUNTS.map(|account| account.address))),
            "eth_blockNumber" => self.read(lag, |reader| Ok(quantity(reader.head))),
            "eth_getBlockByNumber"
            | "eth_getBlockByHash"
            | "eth_getBlockReceipts"
            | "eth_getBlockTransactionCountByNumber"
            | "eth_getBlockTransactionCountByHash" => blocks::block(self, lag, method, &params),
            "eth_getLogs" => blocks::logs(self, lag, &params),
            "eth_gasPrice" | "eth_maxPriorityFeePerGas" => Ok(blocks::price(self, method)),
            "eth_feeHistory" => blocks::fee_history(self, lag, &params),
            "eth_call" => calls::call(self, lag, &params),
            "eth_estimateGas" => calls::estimate_gas(self, lag, &params),
            "eth_getCode" | "eth_getBalance" | "eth_getStorageAt" | "eth_getTransactionCount" => {
                calls::account(self, lag, method, &params)
            }
            "eth_sendTransaction" => Ok(json!(transactions::send(self, &params)?)),
            "eth_sendRawTransaction" => Ok(json!(transactions::send_raw(self, &params)?)),
            "eth_sendTransactionSync" => transactions::mined(self, transactions::send(self, &params)?),
            "eth_sendRawTransactionSync" => transactions::mined(self, transactions::send_raw(self, &params)?),
            "eth_getTransactionReceipt" => transactions::receipt(self, lag, &params),
            "eth_getTransactionByHash" => transactions::by_hash(self, lag, &params),
            _ => control::call(self, method, &params),
        }
    }

    fn faults(&self) -> &FaultBook {
        &self.faults
    }
}

/// The canonical chain up to a head.
struct Reader<'a> {
    chain: &'a Chain,
    head: u64,
}

impl Reader<'_> {
    /// The height that a number or tag means, which there may be no block at; none for the pending block. As on anvil,
    /// `safe` is an epoch below the head and `finalized` two, and the first block stands in where there is none.
    fn height(&self, which: BlockNumberOrTag) -> Option<u64> {
        let slots = self.chain.rules.slots_in_an_epoch;
        match which {
            BlockNumberOrTag::Latest => Some(self.head),
            BlockNumberOrTag::Safe => Some(self.head.saturating_sub(slots)),
            BlockNumberOrTag::Finalized => Some(self.head.saturating_sub(slots.saturating_mul(2))),
            BlockNumberOrTag::Earliest => Some(0),
            BlockNumberOrTag::Number(number) => Some(number),
            BlockNumberOrTag::Pending => None,
        }
    }

    fn by_number(&self, number: u64) -> Option<&Arc<Block>> {
        if number > self.head { None } else { self.chain.by_number(number) }
    }

    fn by_hash(&self, hash: B256) -> Option<&Arc<Block>> {
        self.chain.by_hash(hash).filter(|block| block.header.number <= self.head)
    }

    fn transaction(&self, hash: B256) -> Option<(&Arc<Block>, usize)> {
        self.chain.transaction(hash).filter(|(block, _)| block.header.number <= self.head)
    }

    /// The block of a number or tag, or the one that would be mined now; none where there is no block yet.
    fn find(&self, which: BlockNumberOrTag) -> Result<Option<Arc<Block>>, RpcError> {
        match self.height(which) {
            Some(number) => Ok(self.by_number(number).cloned()),
            None => self.chain.pending().map(|block| Some(Arc::new(block))).map_err(internal),
        }
    }

    /// The block that state is asked at. One that a reorg took away is unknown, whether or not it must be canonical.
    fn at(&self, id: BlockId) -> Result<Arc<Block>, RpcError> {
        match id {
            BlockId::Hash(hash) => self
                .by_hash(hash.block_hash)
                .cloned()
                .ok_or_else(|| RpcError::new(-32001, "Resource not found")),
            BlockId::Number(which) => self.find(which)?.ok_or_else(|| self.out_of_range(which)),
        }
    }

    /// Where a call at a block is run.
    fn spot(&self, id: BlockId) -> Result<Spot, RpcError> {
        let block = self.at(id)?;
        Ok(block.spot(self.chain.rules.chain_id, self.chain.hashes_below(block.header.number)))
    }

    fn out_of_range(&self, which: BlockNumberOrTag) -> RpcError {
        let asked = self.height(which).unwrap_or_default();
        RpcError::params(format!(
            "BlockOutOfRangeError: block height is {} but requested was {asked}",
            self.head
        ))
    }
}

/// The parameters of a call, by place.
struct Params<'a> {
    method: &'a str,
    values: &'a [Value],
    /// The parameters as they came, for the control methods, which take them by name.
    raw: &'a Value,
}

impl<'a> Params<'a> {
    /// Null and absent are an empty list. An object is for the control methods alone.
    fn new(method: &'a str, raw: &'a Value) -> Result<Self, RpcError> {
        let values = match raw {
            Value::Array(values) => values.as_slice(),
            Value::Null => &[],
            Value::Object(_) if method.starts_with("sandbox_") => &[],
            _ => return Err(RpcError::params(format!("{method}: the parameters must be an array"))),
        };
        Ok(Self { method, values, raw })
    }

    /// A parameter that may be absent or null.
    fn optional<T: DeserializeOwned>(&self, place: usize) -> Result<Option<T>, RpcError> {
        match self.values.get(place) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::deserialize(value)
                .map(Some)
                .map_err(|error| RpcError::params(format!("{}: argument {place}: {error}", self.method))),
        }
    }

    fn get<T: DeserializeOwned>(&self, place: usize) -> Result<T, RpcError> {
        self.optional(place)?
            .ok_or_else(|| RpcError::params(format!("{}: missing value for argument {place}", self.method)))
    }

    /// The block of a state query; the newest when it does not say.
    fn block(&self, place: usize) -> Result<BlockId, RpcError> {
        Ok(self.optional(place)?.unwrap_or_default())
    }

    /// A number, as one or as hex.
    fn number(&self, place: usize) -> Result<Option<u64>, RpcError> {
        Ok(self.optional::<U64>(place)?.map(|number| number.to()))
    }
}

fn internal(error: impl std::fmt::Display) -> RpcError {
    RpcError::internal(error.to_string())
}
