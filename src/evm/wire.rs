//! The shapes of Ethereum JSON-RPC answers, read strictly: a missing field is a bad reply, never a default.
//!
//! Source: the execution-apis specification, <https://ethereum.github.io/execution-apis/>.

use alloy::primitives::{Address, B256, Bytes, Log, LogData, U64, U256};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// A block, by which a figure says whose view it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockRef {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Its time in seconds since 1970, as its producer set it.
    pub timestamp: u64,
}

/// One event of a contract, mined in a canonical block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLog {
    /// Address, topics and data, as `SolEvent::decode_log` takes them.
    pub inner: Log,
    /// Height of its block.
    pub block_number: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// Hash of its transaction.
    pub tx_hash: B256,
    /// Position of its transaction within the block.
    pub tx_index: u64,
    /// Position of the log within the block.
    pub log_index: u64,
}

/// What came of a mined transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its hash.
    pub tx_hash: B256,
    /// Height of its block.
    pub block_number: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// Whether it succeeded (EIP-658 status 1).
    pub succeeded: bool,
    /// Who sent it.
    pub from: Address,
    /// Whom it called; none when it created a contract.
    pub to: Option<Address>,
    /// Its events, in order.
    pub logs: Vec<EventLog>,
}

#[derive(Deserialize)]
struct RawHeader {
    number: U64,
    hash: B256,
    timestamp: U256,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLog {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
    block_number: U64,
    block_hash: B256,
    transaction_hash: B256,
    transaction_index: U64,
    log_index: U64,
    #[serde(default)]
    removed: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReceipt {
    transaction_hash: B256,
    block_number: U64,
    block_hash: B256,
    status: U64,
    from: Address,
    to: Option<Address>,
    logs: Vec<RawLog>,
}

#[derive(Deserialize)]
struct RawTransaction {
    hash: B256,
}

fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(raw.get()).map_err(|e| e.to_string())
}

/// A quantity such as a chain id or a balance.
pub(super) fn quantity(raw: &RawValue) -> Result<U256, String> {
    parse(raw)
}

/// Byte data such as code or a call's answer.
pub(super) fn data(raw: &RawValue) -> Result<Bytes, String> {
    parse(raw)
}

/// A header, or none for `null`.
pub(super) fn header(raw: &RawValue) -> Result<Option<BlockRef>, String> {
    let Some(raw) = parse::<Option<RawHeader>>(raw)? else { return Ok(None) };
    let timestamp = raw.timestamp.try_into().map_err(|_| "the timestamp does not fit 64 bits".to_owned())?;
    Ok(Some(BlockRef { number: raw.number.to(), hash: raw.hash, timestamp }))
}

/// All logs of an answer, in the server's order.
pub(super) fn logs(raw: &RawValue) -> Result<Vec<EventLog>, String> {
    parse::<Vec<RawLog>>(raw)?.into_iter().map(event).collect()
}

/// A receipt, or none for `null`.
pub(super) fn receipt(raw: &RawValue) -> Result<Option<Receipt>, String> {
    let Some(raw) = parse::<Option<RawReceipt>>(raw)? else { return Ok(None) };
    let succeeded = match raw.status.to::<u64>() {
        0 => false,
        1 => true,
        other => return Err(format!("status {other} is neither 0 nor 1")),
    };
    let receipt = Receipt {
        tx_hash: raw.transaction_hash,
        block_number: raw.block_number.to(),
        block_hash: raw.block_hash,
        succeeded,
        from: raw.from,
        to: raw.to,
        logs: raw.logs.into_iter().map(event).collect::<Result<_, _>>()?,
    };
    if receipt.logs.iter().any(|l| l.block_hash != receipt.block_hash || l.tx_hash != receipt.tx_hash) {
        return Err("a log of the receipt names another block or transaction".to_owned());
    }
    Ok(Some(receipt))
}

/// The hash of a transaction, or none for `null`.
pub(super) fn transaction(raw: &RawValue) -> Result<Option<B256>, String> {
    Ok(parse::<Option<RawTransaction>>(raw)?.map(|found| found.hash))
}

fn event(raw: RawLog) -> Result<EventLog, String> {
    if raw.removed {
        return Err("a removed log".to_owned());
    }
    let data = LogData::new(raw.topics, raw.data).ok_or("a log with more than four topics")?;
    Ok(EventLog {
        inner: Log { address: raw.address, data },
        block_number: raw.block_number.to(),
        block_hash: raw.block_hash,
        tx_hash: raw.transaction_hash,
        tx_index: raw.transaction_index.to(),
        log_index: raw.log_index.to(),
    })
}

/// A block number as a parameter.
pub(super) fn hex(number: u64) -> Value {
    Value::String(format!("{number:#x}"))
}

/// A block by its hash, refused by the node once it is no longer canonical (EIP-1898).
pub(super) fn pinned(hash: B256) -> Value {
    json!({ "blockHash": hash, "requireCanonical": true })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    const H: &str = "0x00000000000000000000000000000000000000000000000000000000000000aa";
    const A: &str = "0x00000000000000000000000000000000000000bb";

    #[test]
    fn reads_headers() {
        let ok = format!(r#"{{"number":"0x10","hash":"{H}","timestamp":"0x5","extra":1}}"#);
        let block = header(&raw(&ok)).unwrap().unwrap();
        assert_eq!((block.number, block.timestamp), (16, 5));
        assert_eq!(header(&raw("null")), Ok(None));
        for bad in [
            format!(r#"{{"number":null,"hash":"{H}","timestamp":"0x5"}}"#),
            format!(r#"{{"number":"0x10","hash":"{H}"}}"#),
            r#"{"number":"0x10","hash":"0x12","timestamp":"0x5"}"#.to_owned(),
            "\"0x\"".to_owned(),
            "[]".to_owned(),
        ] {
            assert!(header(&raw(&bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn reads_logs_and_refuses_pending_and_removed_ones() {
        let log = |number: &str, removed: &str| {
            format!(
                r#"[{{"address":"{A}","topics":["{H}"],"data":"0x01","blockNumber":{number},"blockHash":"{H}",
                "transactionHash":"{H}","transactionIndex":"0x0","logIndex":"0x2","removed":{removed}}}]"#
            )
        };
        let got = logs(&raw(&log("\"0x7\"", "false"))).unwrap();
        assert_eq!((got[0].block_number, got[0].log_index, got[0].inner.data.data.len()), (7, 2, 1));
        assert!(logs(&raw(&log("null", "false"))).is_err());
        assert!(logs(&raw(&log("\"0x7\"", "true"))).is_err());
        assert!(logs(&raw("null")).is_err());
    }

    #[test]
    fn reads_quantities_and_data() {
        assert_eq!(quantity(&raw("\"0xaa36a7\"")), Ok(U256::from(11_155_111)));
        assert!(quantity(&raw("null")).is_err());
        assert_eq!(data(&raw("\"0x\"")), Ok(Bytes::new()));
        assert!(data(&raw("\"0x1\"")).is_err());
    }

    #[test]
    fn reads_transactions() {
        assert_eq!(transaction(&raw("null")), Ok(None));
        let text = format!(r#"{{"hash":"{H}","blockNumber":null}}"#);
        assert_eq!(transaction(&raw(&text)), Ok(Some(H.parse().unwrap())));
        assert!(transaction(&raw("{}")).is_err());
    }

    #[test]
    fn reads_receipts() {
        let text = |status: &str| {
            format!(
                r#"{{"transactionHash":"{H}","blockNumber":"0x1","blockHash":"{H}","status":{status},"from":"{A}","to":null,"logs":[]}}"#
            )
        };
        assert!(receipt(&raw(&text("\"0x1\""))).unwrap().unwrap().succeeded);
        assert!(!receipt(&raw(&text("\"0x0\""))).unwrap().unwrap().succeeded);
        assert!(receipt(&raw(&text("null"))).is_err());
        assert!(receipt(&raw(&text("\"0x2\""))).is_err());
        assert_eq!(receipt(&raw("null")), Ok(None));
    }
}
