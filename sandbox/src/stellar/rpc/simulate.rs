//! `simulateTransaction`: what a call would return, need and cost, on the newest closed ledger.

use serde_json::{Value, json};
use soroban_env_host::e2e_invoke::RecordingInvocationAuthMode;
use soroban_simulation::simulation::LedgerEntryDiff;
use stellar_xdr::{
    FeeBumpTransactionInnerTx, InvokeHostFunctionOp, OperationBody, TransactionEnvelope, TransactionExt,
};

use super::super::chain::View;
use super::super::host::Trial;
use super::{Node, check_format, decode, encode, internal};
use crate::control::text;
use crate::http::RpcError;

/// A simulation that could not run is an answer with an `error` field, not an error of the protocol.
fn failed(message: impl Into<String>, view: &View) -> Value {
    json!({ "error": message.into(), "latestLedger": view.sequence })
}

pub(super) fn simulate(node: &Node, view: &View, params: &Value) -> Result<Value, RpcError> {
    check_format(params)?;
    let Some(envelope) = decode::<TransactionEnvelope>(text(params, "transaction")?) else {
        return Ok(failed("Could not unmarshal transaction", view));
    };
    let transaction = match envelope {
        TransactionEnvelope::Tx(envelope) => envelope.tx,
        TransactionEnvelope::TxFeeBump(envelope) => {
            let FeeBumpTransactionInnerTx::Tx(inner) = envelope.tx.inner_tx;
            inner.tx
        }
        TransactionEnvelope::TxV0(_) => return Ok(failed("Could not unmarshal transaction", view)),
    };
    let [operation] = transaction.operations.as_slice() else {
        return Ok(failed("Transaction contains more than one operation", view));
    };
    let source = operation.source_account.clone().unwrap_or(transaction.source_account).account_id();
    let (machine, seed) = {
        let mut chain = node.chain();
        (std::sync::Arc::clone(&chain.machine), chain.draw_seed())
    };
    // As stellar-rpc does, the call sees the number of the newest closed ledger, not of the one it will be in: work
    // simulated in the ledger of its plant has no gap yet.
    let info = machine.ledger_info(view.sequence, view.time);
    let data = match (&operation.body, &transaction.ext) {
        (OperationBody::InvokeHostFunction(op), _) => {
            let auth = match auth_mode(op, params.get("authMode").and_then(Value::as_str).unwrap_or_default())
            {
                Ok(auth) => auth,
                Err(message) => return Ok(failed(message, view)),
            };
            let trial = Trial { function: op.host_function.clone(), auth, source: &source, seed };
            let simulated = machine.simulate(&view.base, &info, trial, node.auto_restore);
            let (simulated, restore) = match simulated {
                Ok(simulated) => simulated,
                Err(error) => return Ok(failed(error.to_string(), view)),
            };
            let events = encode_all(&simulated.diagnostic_events)?;
            let (Ok(value), Some(data)) = (&simulated.invoke_result, &simulated.transaction_data) else {
                let error =
                    simulated.invoke_result.err().map(|error| format!("{error:?}")).unwrap_or_default();
                return Ok(json!({ "error": error, "events": events, "latestLedger": view.sequence }));
            };
            let mut answer = json!({
                "transactionData": encode(data)?,
                "minResourceFee": data.resource_fee.to_string(),
                "events": events,
                "results": [{ "auth": encode_all(&simulated.auth)?, "xdr": encode(value)? }],
                "stateChanges": state_changes(&simulated.modified_entries)?,
                "latestLedger": view.sequence,
            });
            if let (Some(restore), Some(fields)) = (restore, answer.as_object_mut()) {
                let data = restore.transaction_data;
                let preamble = json!({
                    "transactionData": encode(&data)?,
                    "minResourceFee": data.resource_fee.to_string(),
                });
                fields.insert("restorePreamble".into(), preamble);
            }
            return Ok(answer);
        }
        (OperationBody::ExtendFootprintTtl(op), TransactionExt::V1(data)) => {
            let keys = data.resources.footprint.read_only.as_slice();
            machine.simulate_extend(&view.base, &info, keys, op.extend_to)
        }
        (OperationBody::RestoreFootprint(_), TransactionExt::V1(data)) => {
            machine.simulate_restore(&view.base, &info, data.resources.footprint.read_write.as_slice())
        }
        (OperationBody::ExtendFootprintTtl(_) | OperationBody::RestoreFootprint(_), TransactionExt::V0) => {
            let message = "To perform a SimulateTransaction for ExtendFootprintTtl or RestoreFootprint operations, \
                 SorobanTransactionData must be provided";
            return Ok(failed(message, view));
        }
        (body, _) => {
            return Ok(failed(
                format!("Transaction contains unsupported operation type: {}", body.name()),
                view,
            ));
        }
    };
    match data {
        Ok(data) => Ok(json!({
            "transactionData": encode(&data)?,
            "minResourceFee": data.resource_fee.to_string(),
            "events": [],
            "latestLedger": view.sequence,
        })),
        Err(error) => Ok(failed(error.to_string(), view)),
    }
}

/// Enforcing when the call brings authorisations, recording when it does not; or as it is asked for.
fn auth_mode(op: &InvokeHostFunctionOp, mode: &str) -> Result<RecordingInvocationAuthMode, String> {
    let has_auth = !op.auth.is_empty();
    match mode {
        "" if has_auth => Ok(RecordingInvocationAuthMode::Enforcing(op.auth.to_vec())),
        "enforce" => Ok(RecordingInvocationAuthMode::Enforcing(op.auth.to_vec())),
        "record" | "record_allow_nonroot" if has_auth => {
            Err(format!("cannot set authMode to '{mode}' with an auth footprint"))
        }
        "" | "record" => Ok(RecordingInvocationAuthMode::recording(true, false)),
        "record_allow_nonroot" => Ok(RecordingInvocationAuthMode::recording(false, false)),
        _ => {
            Err("optional 'authMode' must be one of enforce,record,record_allow_nonroot when included"
                .to_owned())
        }
    }
}

fn encode_all(values: &[impl stellar_xdr::WriteXdr]) -> Result<Vec<String>, RpcError> {
    values.iter().map(encode).collect()
}

fn state_changes(diffs: &[LedgerEntryDiff]) -> Result<Vec<Value>, RpcError> {
    let mut changes = Vec::new();
    for diff in diffs {
        let (before, after) = (diff.state_before.as_ref(), diff.state_after.as_ref());
        let kind = match (before, after) {
            (Some(_), Some(_)) => "updated",
            (Some(_), None) => "deleted",
            (None, Some(_)) => "created",
            (None, None) => continue,
        };
        let key =
            before.or(after).map(stellar_xdr::LedgerEntry::to_key).ok_or_else(|| internal("no entry"))?;
        changes.push(json!({
            "type": kind,
            "key": encode(&key)?,
            "before": before.map(encode).transpose()?,
            "after": after.map(encode).transpose()?,
        }));
    }
    Ok(changes)
}
