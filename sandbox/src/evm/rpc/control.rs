//! What only a development chain does: mine, go back, take another branch, set accounts, order faults.

use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::SolCall;
use serde_json::{Value, json};

use super::super::abi::Asset;
use super::super::answer::quantity;
use super::super::chain::Chain;
use super::{Node, Params, internal, transactions};
use crate::control::{number, order_fault, text};
use crate::fault::Fault;
use crate::http::{RpcError, Service};

/// What `sandbox_fund` gives when it does not say, in wei: 100 ether.
const USUAL_FUNDS: U256 = U256::from_limbs([0x6bc7_5e2d_6310_0000, 0x5, 0, 0]);

pub(super) fn call(node: &Node, method: &str, params: &Params<'_>) -> Result<Value, RpcError> {
    match method {
        "evm_mine" => {
            mine_once(&mut node.chain(), params.number(0).ok().flatten())?;
            Ok("0x0".into())
        }
        "anvil_mine" => mine_many(&mut node.chain(), params),
        "evm_snapshot" | "anvil_snapshot" => Ok(quantity(node.chain().snapshot())),
        "evm_revert" | "anvil_revert" => {
            let number = params.number(0)?.unwrap_or_default();
            Ok(node.chain().revert(number).into())
        }
        "anvil_reorg" => reorg(node, params),
        "anvil_rollback" => {
            let depth = params.number(0)?.unwrap_or(1);
            check_depth(&node.chain(), depth, "Rollback")?;
            node.chain().roll_back(depth);
            Ok(Value::Null)
        }
        "evm_setNextBlockTimestamp" | "anvil_setNextBlockTimestamp" => {
            let seconds = params.number(0)?.unwrap_or_default();
            if !node.chain().set_next_time(seconds).map_err(internal)? {
                let why = format!("Timestamp error: {seconds} is lower than previous block's timestamp");
                return Err(RpcError::params(why));
            }
            Ok(Value::Null)
        }
        "evm_increaseTime" | "anvil_increaseTime" => {
            Ok(node.chain().delay(params.number(0)?.unwrap_or_default()).into())
        }
        "anvil_setBlockTimestampInterval" => {
            node.chain().set_interval(Some(params.get::<u64>(0)?));
            Ok(Value::Null)
        }
        "anvil_removeBlockTimestampInterval" => {
            node.chain().set_interval(None);
            Ok(true.into())
        }
        "evm_setAutomine" | "anvil_setAutomine" => {
            node.chain().automine = params.get(0)?;
            Ok(Value::Null)
        }
        "anvil_getAutomine" => Ok(node.chain().automine.into()),
        "anvil_setCoinbase" => {
            node.chain().coinbase = params.get(0)?;
            Ok(Value::Null)
        }
        "anvil_setCode" | "anvil_setBalance" | "anvil_setNonce" | "anvil_setStorageAt" => {
            set(&mut node.chain(), method, params)
        }
        _ if method.starts_with("sandbox_") => own(node, method, params.raw),
        _ => Err(RpcError::new(-32601, "Method not found")),
    }
}

/// The sandbox's own methods, which take their parameters by name.
fn own(node: &Node, method: &str, params: &Value) -> Result<Value, RpcError> {
    match method {
        "sandbox_advance" => {
            // `ledgers` is the word that both networks understand.
            let blocks = number(params, "blocks")?.or(number(params, "ledgers")?);
            let mut chain = node.chain();
            chain.advance(blocks, number(params, "seconds")?).map_err(internal)?;
            head(&chain)
        }
        "sandbox_fund" => fund(node, params),
        "sandbox_fault" => order_fault(node.faults(), params, |fault| match fault {
            Fault::BadXdr | Fault::TryAgainLater | Fault::BadSequenceAfterConfirm => {
                Err(RpcError::params("an EVM node never answers so"))
            }
            _ => Ok(()),
        }),
        "sandbox_clearFaults" => {
            node.faults().clear();
            Ok(json!({}))
        }
        "sandbox_reorg" => {
            let depth = number(params, "depth")?.unwrap_or(1);
            let keep = params.get("keep").and_then(Value::as_bool).unwrap_or_default();
            let mut chain = node.chain();
            check_depth(&chain, depth, "Reorg")?;
            chain.reorg(depth, keep).map_err(internal)?;
            head(&chain)
        }
        "sandbox_info" => {
            let chain = node.chain();
            let mut info = head(&chain)?;
            if let Some(info) = info.as_object_mut() {
                info.insert("chainId".into(), chain.rules.chain_id.into());
                info.insert("blockSeconds".into(), chain.interval().into());
                info.insert("automine".into(), chain.automine.into());
            }
            Ok(info)
        }
        _ => Err(RpcError::new(-32601, format!("method not found: {method}"))),
    }
}

fn head(chain: &Chain) -> Result<Value, RpcError> {
    let head = chain.head().map_err(internal)?;
    Ok(json!({"number": head.header.number, "hash": head.hash, "timestamp": head.header.timestamp}))
}

fn mine_once(chain: &mut Chain, time: Option<u64>) -> Result<(), RpcError> {
    if let Some(time) = time
        && !chain.set_next_time(time).map_err(internal)?
    {
        return Err(RpcError::params("Timestamp error: lower than previous block's timestamp"));
    }
    chain.mine(None).map_err(internal)
}

/// `anvil_mine [blocks, seconds between them]`.
fn mine_many(chain: &mut Chain, params: &Params<'_>) -> Result<Value, RpcError> {
    let blocks = params.number(0)?.unwrap_or(1);
    if blocks == 0 {
        return Ok(Value::Null);
    }
    let seconds = params.number(1)?.map(|interval| interval.saturating_mul(blocks));
    chain.advance(Some(blocks), seconds).map_err(internal)?;
    Ok(Value::Null)
}

/// `anvil_reorg [depth, []]`: the blocks that come instead are empty.
fn reorg(node: &Node, params: &Params<'_>) -> Result<Value, RpcError> {
    let depth = params.get::<u64>(0)?;
    if params.optional::<Vec<Value>>(1)?.is_some_and(|pairs| !pairs.is_empty()) {
        return Err(RpcError::params("transactions for the new blocks are not taken; see sandbox_reorg"));
    }
    let mut chain = node.chain();
    check_depth(&chain, depth, "Reorg")?;
    chain.reorg(depth, false).map_err(internal)?;
    Ok(Value::Null)
}

fn check_depth(chain: &Chain, depth: u64, what: &str) -> Result<(), RpcError> {
    let height = chain.height();
    if depth > height {
        return Err(RpcError::params(format!(
            "{what} depth must not exceed current chain height: current height {height}, depth {depth}"
        )));
    }
    Ok(())
}

fn set(chain: &mut Chain, method: &str, params: &Params<'_>) -> Result<Value, RpcError> {
    let address: Address = params.get(0)?;
    match method {
        "anvil_setCode" => {
            let code: Bytes = params.get(1)?;
            chain.change(|state| state.set_code(address, code));
            Ok(Value::Null)
        }
        "anvil_setBalance" => {
            let wei: U256 = params.get(1)?;
            chain.change(|state| state.set_balance(address, wei));
            Ok(Value::Null)
        }
        "anvil_setNonce" => {
            let nonce = params.number(1)?.unwrap_or_default();
            chain.change(|state| state.set_nonce(address, nonce));
            Ok(Value::Null)
        }
        _ => {
            let (slot, value): (U256, U256) = (params.get(1)?, params.get(2)?);
            chain.change(|state| state.set_slot(address, slot, value));
            Ok(true.into())
        }
    }
}

/// `sandbox_fund {account, wei}` adds ether; `sandbox_fund {account, asset, amount}` has an asset of the demo minted, in
/// its base units. Amounts are decimal or `0x` strings, or whole numbers.
fn fund(node: &Node, params: &Value) -> Result<Value, RpcError> {
    let account = address(params, "account")?;
    if params.get("asset").is_some_and(|asset| !asset.is_null()) {
        let asset = address(params, "asset")?;
        let amount =
            amount(params, "amount")?.ok_or_else(|| RpcError::params("missing parameter: amount"))?;
        let data = Bytes::from(Asset::mintCall { to: account, amount }.abi_encode());
        let request = json!([{"to": asset, "data": data}]);
        let hash = transactions::send(node, &Params::new("sandbox_fund", &request)?)?;
        return Ok(json!({"account": account, "asset": asset, "transaction": hash}));
    }
    let wei = amount(params, "wei")?.unwrap_or(USUAL_FUNDS);
    let mut balance = U256::ZERO;
    node.chain().change(|state| {
        balance = state.balance(account).saturating_add(wei);
        state.set_balance(account, balance);
    });
    Ok(json!({"account": account, "wei": balance.to_string()}))
}

fn address(params: &Value, name: &str) -> Result<Address, RpcError> {
    text(params, name)?.parse().map_err(|_| RpcError::params(format!("{name} must be an address")))
}

fn amount(params: &Value, name: &str) -> Result<Option<U256>, RpcError> {
    let amount = match params.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64().map(U256::from),
    };
    amount.map(Some).ok_or_else(|| RpcError::params(format!("{name} must be a whole number")))
}
