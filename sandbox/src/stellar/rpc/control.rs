//! The sandbox's own methods: close ledgers, fund accounts, order faults.

use serde_json::{Value, json};

use super::super::settings::BASE_FEE;
use super::super::{control as act, rpc::Node};
use super::internal;
use crate::control::{number, order_fault, text};
use crate::fault::Fault;
use crate::http::{RpcError, Service};

pub(super) fn call(node: &Node, method: &str, params: &Value) -> Result<Value, RpcError> {
    match method {
        "sandbox_advance" => advance(node, params),
        "sandbox_fund" => fund(node, params),
        "sandbox_fault" => fault(node, params),
        "sandbox_clearFaults" => {
            node.faults().clear();
            Ok(json!({}))
        }
        "sandbox_baseFee" => base_fee(node, params),
        "sandbox_info" => info(node),
        _ => Err(RpcError::new(-32601, format!("method not found: {method}"))),
    }
}

fn advance(node: &Node, params: &Value) -> Result<Value, RpcError> {
    let ledgers = number(params, "ledgers")?
        .map(|ledgers| u32::try_from(ledgers).map_err(|_| RpcError::params("too many ledgers")))
        .transpose()?;
    let (sequence, time) =
        act::advance(&mut node.chain(), ledgers, number(params, "seconds")?).map_err(internal)?;
    Ok(json!({ "sequence": sequence, "closeTime": time.to_string() }))
}

fn fund(node: &Node, params: &Value) -> Result<Value, RpcError> {
    let account = text(params, "account")?;
    let amount = |name| -> Result<Option<i64>, RpcError> {
        number(params, name)?
            .map(|amount| i64::try_from(amount).map_err(|_| RpcError::params(format!("{name} is too large"))))
            .transpose()
    };
    let (stroops, kale) = (amount("stroops")?, amount("kale")?);
    if stroops.is_some() || kale.is_none() {
        let stroops = stroops.unwrap_or(act::DEFAULT_FUNDS);
        act::fund(&mut node.chain(), account, stroops)
            .map_err(|error| RpcError::params(error.to_string()))?;
    }
    if let Some(kale) = kale {
        act::fund_kale(node, account, kale).map_err(|error| RpcError::params(error.to_string()))?;
    }
    Ok(json!({ "account": account }))
}

fn fault(node: &Node, params: &Value) -> Result<Value, RpcError> {
    order_fault(node.faults(), params, |fault| match fault {
        Fault::Reorg(_) => Err(RpcError::params("a Stellar ledger is final: there is no reorg")),
        _ => Ok(()),
    })
}

/// Makes inclusion as expensive as on a busy network, from the next submission on.
fn base_fee(node: &Node, params: &Value) -> Result<Value, RpcError> {
    let stroops = number(params, "stroops")?.ok_or_else(|| RpcError::params("missing parameter: stroops"))?;
    let stroops = u32::try_from(stroops).map_err(|_| RpcError::params("stroops is too large"))?;
    node.chain().base_fee = i64::from(stroops.max(BASE_FEE));
    Ok(json!({}))
}

fn info(node: &Node) -> Result<Value, RpcError> {
    let farm = node.farm();
    let chain = node.chain();
    let latest = chain.latest().map_err(internal)?;
    Ok(json!({
        "passphrase": chain.passphrase,
        "sequence": latest.sequence,
        "closeTime": latest.time.to_string(),
        "ledgerSeconds": chain.ledger_seconds,
        "farm": farm.map(|farm| json!({
            "contract": farm.contract,
            "asset": farm.asset,
            "assetContract": farm.asset_contract,
        })),
    }))
}
