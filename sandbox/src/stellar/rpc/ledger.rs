//! Methods on the network and its ledger: health, versions, ledgers, entries, fees.

use serde_json::{Value, json};
use stellar_xdr::{
    ExtensionPoint, GeneralizedTransactionSet, Hash, LedgerCloseMeta, LedgerCloseMetaExt, LedgerCloseMetaV2,
    LedgerHeaderHistoryEntry, LedgerHeaderHistoryEntryExt, LedgerKey, TransactionPhase,
    TransactionResultMetaV1, TransactionResultPair, TransactionSetV1, TxSetComponent,
    TxSetComponentTxsMaybeDiscountedFee, VecM,
};

use super::super::chain::{Chain, Closed, View};
use super::super::entries::is_live;
use super::super::host::PROTOCOL;
use super::super::settings::BASE_FEE;
use super::{Node, check_format, decode, encode, hex, internal};
use crate::http::RpcError;

/// Ledgers in an answer of `getLedgers` that asks for no number of them, and the most that it may ask for.
const PAGE: (usize, usize) = (50, 200);

pub(super) fn health(node: &Node, view: &View) -> Result<Value, RpcError> {
    let chain = node.chain();
    let oldest = chain.oldest().map_err(internal)?;
    Ok(json!({
        "status": "healthy",
        "latestLedger": view.sequence,
        "oldestLedger": oldest.sequence,
        "ledgerRetentionWindow": view.sequence.saturating_sub(oldest.sequence) + 1,
    }))
}

pub(super) fn network(node: &Node) -> Value {
    json!({ "passphrase": node.chain().passphrase, "protocolVersion": PROTOCOL })
}

pub(super) fn version_info() -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "commitHash": "",
        "buildTimestamp": "",
        "captiveCoreVersion": "poolctl sandbox",
        "protocolVersion": PROTOCOL,
    })
}

pub(super) fn latest(node: &Node, view: &View) -> Result<Value, RpcError> {
    let chain = node.chain();
    let ledger = chain.ledger(view.sequence).ok_or_else(|| RpcError::internal("ledger not kept"))?;
    Ok(json!({
        "id": hex(&ledger.hash.0),
        "protocolVersion": PROTOCOL,
        "sequence": ledger.sequence,
        "closeTime": ledger.time.to_string(),
        "headerXdr": encode(&ledger.header)?,
        "metadataXdr": encode(&close_meta(&chain, ledger)?)?,
    }))
}

/// Closed ledgers from one on, or from the one after a cursor, which is the number of the last one that was read.
pub(super) fn list(node: &Node, view: &View, params: &Value) -> Result<Value, RpcError> {
    check_format(params)?;
    let chain = node.chain();
    let oldest = chain.oldest().map_err(internal)?;
    let kept = format!(
        "must be between the oldest ledger: {} and the latest ledger: {} for this rpc instance",
        oldest.sequence, view.sequence
    );
    let is_kept = |ledger: u64| (u64::from(oldest.sequence)..=u64::from(view.sequence)).contains(&ledger);
    let start = match params.get("startLedger") {
        None | Some(Value::Null) => 0,
        Some(start) => start.as_u64().ok_or_else(|| RpcError::params("invalid parameters"))?,
    };
    let pagination = params.get("pagination").unwrap_or(&Value::Null);
    let cursor = pagination.get("cursor").and_then(Value::as_str).filter(|cursor| !cursor.is_empty());
    match cursor {
        Some(cursor) if start != 0 => {
            let both = format!("startLedger ({start}) and cursor ({cursor}) cannot both be set");
            return Err(RpcError::request(both));
        }
        None if !is_kept(start) => return Err(RpcError::request(format!("start ledger ({start}) {kept}"))),
        _ => {}
    }
    let (usual, most) = PAGE;
    let limit = match pagination.get("limit").and_then(Value::as_u64).unwrap_or(0) {
        0 => usual,
        limit => usize::try_from(limit)
            .ok()
            .filter(|limit| *limit <= most)
            .ok_or_else(|| RpcError::request(format!("limit must not exceed {most}")))?,
    };
    let first = match cursor {
        None => start,
        Some(text) => {
            let last: u32 =
                text.parse().map_err(|_| RpcError::params(format!("cursor is not a number: {text}")))?;
            let first = u64::from(last) + 1;
            if !is_kept(first) {
                return Err(RpcError::params(format!("cursor ('{text}') {kept}")));
            }
            first
        }
    };
    let first = u32::try_from(first).map_err(internal)?;
    let ledgers = (first..=view.sequence).take(limit).map_while(|sequence| chain.ledger(sequence));
    let told = ledgers.clone().map(|ledger| {
        Ok(json!({
            "hash": hex(&ledger.hash.0),
            "sequence": ledger.sequence,
            "ledgerCloseTime": ledger.time.to_string(),
            "headerXdr": encode(&history_entry(ledger))?,
            "metadataXdr": encode(&close_meta(&chain, ledger)?)?,
        }))
    });
    Ok(json!({
        "ledgers": told.collect::<Result<Vec<_>, RpcError>>()?,
        "latestLedger": view.sequence,
        "latestLedgerCloseTime": view.time,
        "oldestLedger": oldest.sequence,
        "oldestLedgerCloseTime": oldest.time,
        "cursor": ledgers.last().map_or(first - 1, |ledger| ledger.sequence).to_string(),
    }))
}

fn history_entry(ledger: &Closed) -> LedgerHeaderHistoryEntry {
    LedgerHeaderHistoryEntry {
        hash: ledger.hash.clone(),
        header: ledger.header.clone(),
        ext: LedgerHeaderHistoryEntryExt::V0,
    }
}

/// Everything that a ledger's closing did, in the form that the network publishes.
fn close_meta(chain: &Chain, ledger: &Closed) -> Result<LedgerCloseMeta, RpcError> {
    let records = chain.records_of(ledger);
    let envelopes: Vec<_> = records.iter().map(|record| record.parsed.envelope.clone()).collect();
    let component = TxSetComponent::TxsetCompTxsMaybeDiscountedFee(TxSetComponentTxsMaybeDiscountedFee {
        base_fee: Some(i64::from(BASE_FEE)),
        txs: VecM::try_from(envelopes).map_err(internal)?,
    });
    let phase = TransactionPhase::V0(VecM::try_from(vec![component]).map_err(internal)?);
    let processing: Vec<_> = records
        .iter()
        .map(|record| TransactionResultMetaV1 {
            ext: ExtensionPoint::V0,
            result: TransactionResultPair {
                transaction_hash: Hash(record.parsed.hash),
                result: record.executed.result.clone(),
            },
            fee_processing: record.executed.fee_changes.clone(),
            tx_apply_processing: record.executed.meta.clone(),
            post_tx_apply_fee_processing: record.executed.refund_changes.clone(),
        })
        .collect();
    Ok(LedgerCloseMeta::V2(LedgerCloseMetaV2 {
        ext: LedgerCloseMetaExt::V0,
        ledger_header: history_entry(ledger),
        tx_set: GeneralizedTransactionSet::V1(TransactionSetV1 {
            previous_ledger_hash: ledger.header.previous_ledger_hash.clone(),
            phases: VecM::try_from(vec![phase]).map_err(internal)?,
        }),
        tx_processing: VecM::try_from(processing).map_err(internal)?,
        upgrades_processing: VecM::default(),
        scp_info: VecM::default(),
        total_byte_size_of_live_soroban_state: 0,
        evicted_keys: VecM::default(),
    }))
}

pub(super) fn entries(view: &View, params: &Value) -> Result<Value, RpcError> {
    check_format(params)?;
    let keys = params
        .get("keys")
        .and_then(Value::as_array)
        .ok_or_else(|| RpcError::params("missing parameter: keys"))?;
    if keys.len() > 200 {
        return Err(RpcError::params(format!("key count ({}) exceeds maximum supported (200)", keys.len())));
    }
    let mut found = Vec::new();
    for (index, text) in keys.iter().enumerate() {
        let text = text.as_str().unwrap_or_default();
        let key: LedgerKey = decode(text)
            .ok_or_else(|| RpcError::params(format!("cannot unmarshal key value {text} at index {index}")))?;
        let is_temporary = match &key {
            LedgerKey::Ttl(_) => {
                return Err(RpcError::params("ledger ttl entries cannot be queried directly"));
            }
            LedgerKey::ContractData(key) => key.durability == stellar_xdr::ContractDataDurability::Temporary,
            _ => false,
        };
        let Some(slot) = view.base.get(&key) else { continue };
        // An archived entry is shown with the ledger it ended in; an expired temporary one is gone.
        if is_temporary && !is_live(slot, view.sequence) {
            continue;
        }
        let mut entry = json!({
            "key": text,
            "xdr": encode(&slot.entry.data)?,
            "lastModifiedLedgerSeq": slot.entry.last_modified_ledger_seq,
            "extXdr": encode(&slot.entry.ext)?,
        });
        if let (Some(live_until), Some(fields)) = (slot.live_until, entry.as_object_mut()) {
            fields.insert("liveUntilLedgerSeq".into(), json!(live_until));
        }
        found.push(entry);
    }
    Ok(json!({ "entries": found, "latestLedger": view.sequence }))
}

pub(super) fn fee_stats(node: &Node, view: &View) -> Value {
    let (contract, classic, ledgers, least) = node.chain().recent_fees(50, view.sequence);
    json!({
        "sorobanInclusionFee": distribution(contract, ledgers, least),
        "inclusionFee": distribution(classic, ledgers, least),
        "latestLedger": view.sequence,
    })
}

/// Percentiles of the fees; what inclusion costs now where nothing was paid.
fn distribution(mut fees: Vec<i64>, ledgers: usize, least: i64) -> Value {
    let count = fees.len();
    if fees.is_empty() {
        fees.push(least);
    }
    fees.sort_unstable();
    let at = |percent: usize| {
        let place = (percent * fees.len()).div_ceil(100).saturating_sub(1);
        fees.get(place).copied().unwrap_or_default().to_string()
    };
    let mode = fees
        .chunk_by(|one, other| one == other)
        .max_by_key(|same| same.len())
        .and_then(|same| same.first())
        .map(ToString::to_string);
    json!({
        "max": at(100), "min": at(0), "mode": mode,
        "p10": at(10), "p20": at(20), "p30": at(30), "p40": at(40), "p50": at(50), "p60": at(60),
        "p70": at(70), "p80": at(80), "p90": at(90), "p95": at(95), "p99": at(99),
        "transactionCount": count.to_string(),
        "ledgerCount": ledgers,
    })
}
