//! Calls, gas estimates, and what accounts hold.

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::{Panic, Revert, SolError};
use revm::context::result::{ExecutionResult, HaltReason, InvalidTransaction, OutOfGasError};
use serde_json::{Value, json};

use super::super::answer::{data, quantity};
use super::super::execute::{Manner, NoEstimate, Outcome, estimate};
use super::super::request::TransactionRequest;
use super::{Node, Params};
use crate::http::RpcError;

pub(super) fn call(node: &Node, lag: u64, params: &Params<'_>) -> Result<Value, RpcError> {
    let request: TransactionRequest = params.get(0)?;
    let spot = node.read(lag, |reader| reader.spot(params.block(1)?))?;
    let tx = request.call(spot.chain_id, spot.block.gas_limit)?;
    // The chain is free for others meanwhile.
    let outcome = spot.run(tx, Manner::Call).map_err(|invalid| refusal(&invalid))?.result;
    match outcome {
        ExecutionResult::Success { output, .. } => Ok(data(output.data())),
        failed => Err(failure(&failed)),
    }
}

pub(super) fn estimate_gas(node: &Node, lag: u64, params: &Params<'_>) -> Result<Value, RpcError> {
    let request: TransactionRequest = params.get(0)?;
    let spot = node.read(lag, |reader| reader.spot(params.block(1)?))?;
    let mut tx = request.call(spot.chain_id, spot.block.gas_limit)?;
    tx.gas_limit = tx.gas_limit.min(spot.block.gas_limit);
    let most = tx.gas_limit;
    match estimate(&spot, &tx) {
        Ok(gas) => Ok(quantity(gas)),
        Err(NoEstimate::Invalid(invalid)) => Err(refusal(&invalid)),
        Err(NoEstimate::Fails(ExecutionResult::Halt { reason: HaltReason::OutOfGas(_), .. })) => {
            Err(RpcError::new(-32003, format!("Out of gas: gas required exceeds allowance: {most}")))
        }
        Err(NoEstimate::Fails(outcome)) => Err(failure(&outcome)),
    }
}

/// Code, balance, storage or nonce of an account.
pub(super) fn account(node: &Node, lag: u64, method: &str, params: &Params<'_>) -> Result<Value, RpcError> {
    let address: Address = params.get(0)?;
    if method == "eth_getStorageAt" {
        let slot: U256 = params.get(1)?;
        let state = node.read(lag, |reader| Ok(reader.at(params.block(2)?)?.state.clone()))?;
        return Ok(json!(B256::from(state.slot(address, slot))));
    }
    let id = params.block(1)?;
    if method == "eth_getTransactionCount" && id.is_pending() {
        return Ok(quantity(node.chain().next_nonce(address)));
    }
    let state = node.read(lag, |reader| Ok(reader.at(id)?.state.clone()))?;
    Ok(match method {
        "eth_getCode" => data(&state.code(address)),
        "eth_getBalance" => json!(state.balance(address)),
        _ => quantity(state.nonce(address)),
    })
}

/// Why a call failed, in anvil's words and codes; a revert is code 3 with the contract's bytes.
fn failure(outcome: &Outcome) -> RpcError {
    match outcome {
        ExecutionResult::Revert { output, .. } => {
            RpcError { code: 3, message: revert_message(output), data: Some(data(output)) }
        }
        ExecutionResult::Halt { reason: HaltReason::OutOfGas(kind), .. } => {
            let name = match kind {
                OutOfGasError::Basic => "OutOfGas",
                OutOfGasError::Memory => "MemoryOOG",
                OutOfGasError::MemoryLimit => "MemoryLimitOOG",
                OutOfGasError::Precompile => "PrecompileOOG",
                OutOfGasError::InvalidOperand => "InvalidOperandOOG",
                OutOfGasError::ReentrancySentry => "ReentrancySentryOOG",
            };
            RpcError::internal(format!("EVM error {name}"))
        }
        ExecutionResult::Halt { reason, .. } => RpcError::internal(format!("EVM error {reason:?}")),
        ExecutionResult::Success { .. } => RpcError::internal("no failure"),
    }
}

fn revert_message(output: &Bytes) -> String {
    let reason = Revert::abi_decode(output)
        .map(|revert| revert.reason)
        .or_else(|_| Panic::abi_decode(output).map(|panic| panic.to_string()));
    match reason {
        Ok(reason) => format!("execution reverted: {reason}"),
        Err(_) => "execution reverted".to_owned(),
    }
}

/// Why no block could hold a transaction, in anvil's words and codes.
pub(super) fn refusal(invalid: &InvalidTransaction) -> RpcError {
    let (code, message) = match invalid {
        InvalidTransaction::NonceTooLow { .. } => (-32003, "nonce too low".to_owned()),
        InvalidTransaction::NonceTooHigh { .. } => (-32003, "nonce too high".to_owned()),
        InvalidTransaction::LackOfFundForMaxFee { .. } => {
            (-32003, "Insufficient funds for gas * price + value".to_owned())
        }
        InvalidTransaction::GasPriceLessThanBasefee => {
            (-32003, "max fee per gas less than block base fee".to_owned())
        }
        InvalidTransaction::InvalidChainId => (-32003, "invalid chain id for signer".to_owned()),
        InvalidTransaction::CallerGasLimitMoreThanBlock => {
            (-32000, "intrinsic gas too high -- tx.gas_limit > env.block.gas_limit".to_owned())
        }
        InvalidTransaction::CallGasCostMoreThanGasLimit { .. }
        | InvalidTransaction::GasFloorMoreThanGasLimit { .. } => (-32000, "intrinsic gas too low".to_owned()),
        other => (-32003, other.to_string()),
    };
    RpcError::new(code, message)
}
