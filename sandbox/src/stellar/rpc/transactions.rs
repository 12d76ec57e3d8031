//! `sendTransaction`, `getTransaction` and `getTransactions`.

use serde_json::{Map, Value, json};
use stellar_xdr::{
    TransactionEnvelope, TransactionMeta, TransactionResult, TransactionResultExt, TransactionResultResult,
    WriteXdr,
};

use super::super::chain::{Chain, Record, Submission, View};
use super::{Node, check_format, decode, encode, hex, internal, parse_hash};
use crate::control::text;
use crate::fault::Fault;
use crate::http::RpcError;

pub(super) fn send(
    node: &Node,
    view: &View,
    params: &Value,
    fault: Option<&Fault>,
) -> Result<Value, RpcError> {
    check_format(params)?;
    let envelope: TransactionEnvelope =
        decode(text(params, "transaction")?).ok_or_else(|| RpcError::params("invalid_xdr"))?;
    let mut chain = node.chain();
    let hash = envelope.hash(chain.network_id).map_err(internal)?;
    let mut error = None;
    let status = if fault == Some(&Fault::TryAgainLater) {
        "TRY_AGAIN_LATER"
    } else {
        match chain.submit(envelope).map_err(|_| RpcError::params("invalid_xdr"))?.1 {
            Submission::Pending => "PENDING",
            Submission::Duplicate => "DUPLICATE",
            Submission::TryAgainLater => "TRY_AGAIN_LATER",
            Submission::Refused(result) => {
                error = Some(*result);
                "ERROR"
            }
        }
    };
    if fault == Some(&Fault::BadSequenceAfterConfirm) && status == "PENDING" {
        let seconds = chain.ledger_seconds;
        chain.close(seconds).map_err(internal)?;
        error = Some(TransactionResult {
            fee_charged: 0,
            result: TransactionResultResult::TxBadSeq,
            ext: TransactionResultExt::V0,
        });
    }
    let mut answer = Map::new();
    answer.insert("status".into(), json!(if error.is_some() { "ERROR" } else { status }));
    answer.insert("hash".into(), json!(hex(&hash)));
    answer.insert("latestLedger".into(), json!(view.sequence));
    answer.insert("latestLedgerCloseTime".into(), json!(view.time.to_string()));
    if let Some(error) = error {
        answer.insert("errorResultXdr".into(), json!(encode(&error)?));
    }
    Ok(Value::Object(answer))
}

pub(super) fn get(node: &Node, view: &View, params: &Value) -> Result<Value, RpcError> {
    check_format(params)?;
    let asked = text(params, "hash")?;
    let hash = parse_hash(asked)
        .ok_or_else(|| RpcError::params(format!("unexpected hash length or digits ({})", asked.len())))?;
    let chain = node.chain();
    let oldest = chain.oldest().map_err(internal)?;
    let mut answer = match chain.record(&hash).filter(|record| record.ledger <= view.sequence) {
        None => Map::from_iter([("status".to_owned(), json!("NOT_FOUND"))]),
        Some(record) => {
            let mut answer = describe(record)?;
            answer.insert("createdAt".into(), json!(record.time.to_string()));
            answer
        }
    };
    answer.insert("txHash".into(), json!(asked));
    answer.insert("latestLedger".into(), json!(view.sequence));
    answer.insert("latestLedgerCloseTime".into(), json!(view.time.to_string()));
    answer.insert("oldestLedger".into(), json!(oldest.sequence));
    answer.insert("oldestLedgerCloseTime".into(), json!(oldest.time.to_string()));
    Ok(Value::Object(answer))
}

pub(super) fn list(node: &Node, view: &View, params: &Value) -> Result<Value, RpcError> {
    check_format(params)?;
    let chain = node.chain();
    let oldest = chain.oldest().map_err(internal)?;
    let pagination = params.get("pagination").unwrap_or(&Value::Null);
    let limit = match pagination.get("limit").and_then(Value::as_u64).unwrap_or(50) {
        0 => 50,
        limit if limit <= 200 => usize::try_from(limit).unwrap_or(200),
        limit => return Err(RpcError::params(format!("limit {limit} must not exceed 200"))),
    };
    let start = params.get("startLedger").and_then(Value::as_u64);
    // A cursor is ledger, place in the ledger and operation in one number.
    let after: u64 = match pagination.get("cursor").and_then(Value::as_str) {
        Some(_) if start.is_some_and(|start| start != 0) => {
            return Err(RpcError::request("startLedger and cursor cannot both be set"));
        }
        Some(cursor) => {
            cursor
                .parse::<u64>()
                .map_err(|_| RpcError::params(format!("cursor is not a number: {cursor}")))?
                | 0xfff
        }
        None => start_within(&chain, view, start.unwrap_or(0))? << 32,
    };
    let mut listed = Vec::new();
    let mut cursor = u64::from(view.sequence) << 32;
    let mut ledger = u32::try_from(after >> 32).unwrap_or(u32::MAX).max(oldest.sequence);
    'ledgers: while ledger <= view.sequence {
        let Some(closed) = chain.ledger(ledger) else { break };
        for record in chain.records_of(closed) {
            let place = (u64::from(record.ledger) << 32) | (u64::from(record.order) << 12) | 1;
            if place <= after {
                continue;
            }
            let mut item = describe(record)?;
            item.insert("txHash".into(), json!(hex(&record.parsed.hash)));
            item.insert("createdAt".into(), json!(record.time));
            listed.push(Value::Object(item));
            cursor = place;
            if listed.len() == limit {
                break 'ledgers;
            }
        }
        ledger += 1;
    }
    Ok(json!({
        "transactions": listed,
        "latestLedger": view.sequence,
        "latestLedgerCloseTimestamp": view.time,
        "oldestLedger": oldest.sequence,
        "oldestLedgerCloseTimestamp": oldest.time,
        "cursor": cursor.to_string(),
    }))
}

/// A start ledger that is among those that are kept.
pub(super) fn start_within(chain: &Chain, view: &View, start: u64) -> Result<u64, RpcError> {
    let oldest = chain.oldest().map_err(internal)?.sequence;
    if (u64::from(oldest)..=u64::from(view.sequence)).contains(&start) {
        Ok(start)
    } else {
        let range = format!("startLedger must be within the ledger range: {oldest} - {}", view.sequence);
        Err(RpcError::request(range))
    }
}

/// What both methods say of a transaction.
fn describe(record: &Record) -> Result<Map<String, Value>, RpcError> {
    let executed = &record.executed;
    let TransactionMeta::V4(meta) = &executed.meta else { return Err(RpcError::internal("old meta")) };
    let all =
        |events: &[stellar_xdr::ContractEvent]| events.iter().map(encode).collect::<Result<Vec<_>, _>>();
    let contract: Vec<Vec<String>> =
        meta.operations.iter().map(|operation| all(operation.events.as_slice())).collect::<Result<_, _>>()?;
    let one = |value: &dyn Fn() -> Result<String, RpcError>| value().map(Value::from);
    let mut fields = Map::new();
    fields.insert("status".into(), json!(if executed.is_success { "SUCCESS" } else { "FAILED" }));
    fields.insert("applicationOrder".into(), json!(record.order));
    fields.insert("feeBump".into(), json!(record.parsed.is_bumped()));
    fields.insert("envelopeXdr".into(), one(&|| encode(&record.parsed.envelope))?);
    fields.insert("resultXdr".into(), one(&|| encode(&executed.result))?);
    fields.insert("resultMetaXdr".into(), one(&|| encode(&executed.meta))?);
    let diagnostics: Vec<String> = encode_all(meta.diagnostic_events.as_slice())?;
    fields.insert("diagnosticEventsXdr".into(), json!(diagnostics));
    let transaction = encode_all(meta.events.as_slice())?;
    fields.insert(
        "events".into(),
        json!({ "transactionEventsXdr": transaction, "contractEventsXdr": contract }),
    );
    fields.insert("ledger".into(), json!(record.ledger));
    Ok(fields)
}

fn encode_all(values: &[impl WriteXdr]) -> Result<Vec<String>, RpcError> {
    values.iter().map(encode).collect()
}
