//! The shapes of Ethereum JSON-RPC answers, read strictly: a missing field is a bad reply, never a default.
//!
//! Source: the execution-apis specification, <https://ethereum.github.io/execution-apis/>.

use alloy::primitives::{Address, B256, Bytes, Log, LogData, U256, hex};
use grind::json::{AtMost, Object, shown, why};
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::fmt;
use std::marker::PhantomData;

/// Asks for logs.
pub const GET_LOGS: &str = "eth_getLogs";
/// Asks for a block by its height or a tag.
pub const BY_NUMBER: &str = "eth_getBlockByNumber";

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
    /// What it cost beside what it paid, in wei; none where the endpoint does not say.
    pub cost: Option<U256>,
    /// Who sent it.
    pub from: Address,
    /// Whom it called; none when it created a contract.
    pub to: Option<Address>,
    /// Its events, in order.
    pub logs: Vec<EventLog>,
}

/// A value as the specification writes it: a text of `0x` and hex digits, and nothing else.
///
/// The types' own decoders would take decimal digits, binary ones, numbers, lists of bytes, and no digits for zero.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hex<T>(T);

/// What [`Hex`] reads.
trait OfHex: Sized {
    /// What it is called in errors.
    const WHAT: &str;
    /// The value of a text.
    fn of(text: &str) -> Option<Self>;
}

impl<'de, T: OfHex> Deserialize<'de> for Hex<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text<T>(PhantomData<T>);
        impl<T: OfHex> Visitor<'_> for Text<T> {
            type Value = Hex<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", T::WHAT)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Hex<T>, E> {
                let wrong =
                    || E::custom(format_args!("invalid value {:?}, expected {}", shown(text), T::WHAT));
                T::of(text).map(Hex).ok_or_else(wrong)
            }
        }
        from.deserialize_str(Text(PhantomData))
    }
}

/// The digits of a quantity. Leading zeros are against EIP-1474, and seen in the wild.
fn digits(text: &str) -> Option<&str> {
    let all = text.strip_prefix("0x").filter(|all| !all.is_empty())?;
    let is_hex = all.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| all.trim_start_matches('0')).map(|rest| if rest.is_empty() { "0" } else { rest })
}

fn fixed<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 2 * N)?;
    let mut bytes = [0; N];
    hex::decode_to_slice(digits, &mut bytes).ok().map(|()| bytes)
}

macro_rules! of_hex {
    ($($type:ty: $what:literal, $text:ident => $read:expr;)+) => {$(
        impl OfHex for $type {
            const WHAT: &str = $what;

            fn of($text: &str) -> Option<Self> {
                $read
            }
        }
    )+};
}

of_hex! {
    u64: "a quantity of 64 bits (0x and hex digits)", text => Self::from_str_radix(digits(text)?, 16).ok();
    U256: "a quantity of 256 bits (0x and hex digits)", text => Self::from_str_radix(digits(text)?, 16).ok();
    B256: "a hash (0x and 64 hex digits)", text => fixed(text).map(Self);
    Address: "an address (0x and 40 hex digits)", text => fixed(text).map(Self::new);
    Bytes: "data (0x and pairs of hex digits)",
        text => hex::decode(text).ok().filter(|_| text.starts_with("0x")).map(Self::from);
}

#[derive(serde::Deserialize)]
struct RawHeader {
    number: Hex<u64>,
    hash: Hex<B256>,
    timestamp: Hex<u64>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLog {
    address: Hex<Address>,
    topics: AtMost<Hex<B256>, 4>,
    data: Hex<Bytes>,
    block_number: Hex<u64>,
    block_hash: Hex<B256>,
    transaction_hash: Hex<B256>,
    transaction_index: Hex<u64>,
    log_index: Hex<u64>,
    #[serde(default)]
    removed: bool,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawReceipt {
    transaction_hash: Hex<B256>,
    block_number: Hex<u64>,
    block_hash: Hex<B256>,
    status: Hex<u64>,
    gas_used: Option<Box<RawValue>>,
    effective_gas_price: Option<Box<RawValue>>,
    from: Hex<Address>,
    to: Option<Hex<Address>>,
    logs: Vec<EventLog>,
}

#[derive(serde::Deserialize)]
struct RawTransaction {
    hash: Hex<B256>,
}

#[derive(serde::Deserialize)]
struct RawSender {
    hash: Hex<B256>,
    from: Hex<Address>,
    nonce: Hex<u64>,
}

#[derive(serde::Deserialize)]
struct RawBlock {
    transactions: Vec<Object<RawSender>>,
}

fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(raw.get()).map_err(|e| why(&e))
}

/// A quantity such as a chain id or a balance.
pub fn quantity(raw: &RawValue) -> Result<U256, String> {
    parse(raw).map(|Hex(value)| value)
}

/// A quantity that counts, such as a nonce or gas.
pub fn count(raw: &RawValue) -> Result<u64, String> {
    parse(raw).map(|Hex(value)| value)
}

/// A hash.
pub fn hash(raw: &RawValue) -> Result<B256, String> {
    parse(raw).map(|Hex(value)| value)
}

/// Byte data such as code or a call's answer.
pub fn data(raw: &RawValue) -> Result<Bytes, String> {
    parse(raw).map(|Hex(bytes)| bytes)
}

/// A header, or none for `null`.
pub fn header(raw: &RawValue) -> Result<Option<BlockRef>, String> {
    let Some(Object(raw)) = parse::<Option<Object<RawHeader>>>(raw)? else { return Ok(None) };
    let (number, timestamp) = (raw.number.0, raw.timestamp.0);
    for (field, value) in [("number", number), ("timestamp", timestamp)] {
        if i64::try_from(value).is_err() {
            return Err(format!("field {field}: {value} is beyond any block's"));
        }
    }
    Ok(Some(BlockRef { number, hash: raw.hash.0, timestamp }))
}

/// All logs of an answer, in the server's order.
pub fn logs(raw: &RawValue) -> Result<Vec<EventLog>, String> {
    parse(raw)
}

/// A receipt, or none for `null`.
pub fn receipt(raw: &RawValue) -> Result<Option<Receipt>, String> {
    parse::<Option<Object<RawReceipt>>>(raw)?.map(|Object(raw)| as_receipt(raw)).transpose()
}

/// The receipts of a block's transactions, or none for `null`.
pub fn receipts(raw: &RawValue) -> Result<Option<Vec<Receipt>>, String> {
    let found = parse::<Option<Vec<Object<RawReceipt>>>>(raw)?;
    found.map(|raw| raw.into_iter().map(|Object(raw)| as_receipt(raw)).collect()).transpose()
}

fn as_receipt(raw: RawReceipt) -> Result<Receipt, String> {
    let succeeded = match raw.status.0 {
        0 => false,
        1 => true,
        other => return Err(format!("field status: {other} is neither 0 nor 1")),
    };
    // Most who read receipts do not need it: what cannot be read is none, and whoever needs it refuses that.
    let cost = raw
        .effective_gas_price
        .zip(raw.gas_used)
        .and_then(|(price, gas)| quantity(&price).ok()?.checked_mul(U256::from(count(&gas).ok()?)));
    let receipt = Receipt {
        tx_hash: raw.transaction_hash.0,
        block_number: raw.block_number.0,
        block_hash: raw.block_hash.0,
        succeeded,
        cost,
        from: raw.from.0,
        to: raw.to.map(|to| to.0),
        logs: raw.logs,
    };
    if receipt.logs.iter().any(|l| l.block_hash != receipt.block_hash || l.tx_hash != receipt.tx_hash) {
        return Err("a log of the receipt names another block or transaction".to_owned());
    }
    Ok(receipt)
}

/// The transactions of a block that was asked for with them: who sent each, its number among theirs, its hash; none for `null`.
pub fn senders(raw: &RawValue) -> Result<Vec<(Address, u64, B256)>, String> {
    let Some(Object(block)) = parse::<Option<Object<RawBlock>>>(raw)? else { return Ok(Vec::new()) };
    let sender = |Object(raw): Object<RawSender>| (raw.from.0, raw.nonce.0, raw.hash.0);
    Ok(block.transactions.into_iter().map(sender).collect())
}

/// The hash of a transaction, or none for `null`.
pub fn transaction(raw: &RawValue) -> Result<Option<B256>, String> {
    Ok(parse::<Option<Object<RawTransaction>>>(raw)?.map(|Object(found)| found.hash.0))
}

/// One by one, so that a million logs are not held twice.
impl<'de> Deserialize<'de> for EventLog {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Object(raw): Object<RawLog> = Object::deserialize(from)?;
        if raw.removed {
            return Err(D::Error::custom("a removed log"));
        }
        let topics = raw.topics.0.into_iter().map(|topic| topic.0).collect();
        Ok(Self {
            inner: Log { address: raw.address.0, data: LogData::new_unchecked(topics, raw.data.0) },
            block_number: raw.block_number.0,
            block_hash: raw.block_hash.0,
            tx_hash: raw.transaction_hash.0,
            tx_index: raw.transaction_index.0,
            log_index: raw.log_index.0,
        })
    }
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

    /// What nodes and balancers have been seen to send where a figure belongs.
    fn nonsense() -> impl Iterator<Item = String> {
        let texts = [
            "", "0x", "10", "0b11", "1_000", "0x1_0", "0X1F", "0xg", "-0x1", "0x-1", "+0x1", "0x+1", " 0x1",
            "0x1 ", "0o7", "0x0x1",
        ];
        let bare = ["5", "1.5", "true", "null", "[]", "[1]", "{}"];
        texts.map(|text| format!("{text:?}")).into_iter().chain(bare.map(str::to_owned))
    }

    #[test]
    fn quantities_are_hex_alone() {
        for (text, want) in [("0x0", 0), ("0x1F", 31), ("0x1f", 31), ("0x00000aA36a7", 11_155_111)] {
            assert_eq!(quantity(&raw(&format!("{text:?}"))), Ok(U256::from(want)), "{text}");
        }
        let most = format!("\"0x{}{}\"", "0".repeat(9), "f".repeat(64));
        assert_eq!(quantity(&raw(&most)), Ok(U256::MAX));
        assert!(quantity(&raw(&format!("\"0x1{}\"", "0".repeat(64)))).is_err());
        let header_of = |field: &str, value: &str| {
            let (mut number, mut time) = ("\"0x1\"", "\"0x1\"");
            *(if field == "number" { &mut number } else { &mut time }) = value;
            header(&raw(&format!(r#"{{"number":{number},"hash":"{H}","timestamp":{time}}}"#))).unwrap_err()
        };
        for text in nonsense() {
            assert!(quantity(&raw(&text)).is_err(), "{text}");
            for field in ["number", "timestamp"] {
                let why = header_of(field, &text);
                assert!(why.starts_with(&format!("field {field}: ")), "{text}: {why}");
            }
            let number: Result<Hex<u64>, _> = serde_json::from_str(&text);
            assert!(number.is_err(), "{text}");
        }
        for field in ["number", "timestamp"] {
            let why = header_of(field, "\"0x8000000000000000\"");
            assert_eq!(why, format!("field {field}: 9223372036854775808 is beyond any block's"));
        }
        assert_eq!(u64::of("0xffffffffffffffff"), Some(u64::MAX));
        assert_eq!(u64::of("0x10000000000000000"), None);
    }

    #[test]
    fn data_hashes_and_addresses_are_hex_alone() {
        assert_eq!(data(&raw("\"0x\"")), Ok(Bytes::new()));
        assert_eq!(data(&raw("\"0xAb\"")), Ok(Bytes::from_static(&[0xab])));
        for text in ["\"0x1\"", "\"\"", "\"12\"", "\"0X12\"", "\"0x0x12\"", "[1,2]", "null", "5"] {
            assert!(data(&raw(text)).is_err(), "{text}");
        }
        assert_eq!(B256::of(H), Some(B256::with_last_byte(0xaa)));
        assert_eq!(Address::of(A), Some(Address::with_last_byte(0xbb)));
        for text in [&H[2..], &H[..65], &H.replace("0x", "0X"), &H.replace("0x00", "0x0x"), A] {
            assert_eq!(B256::of(text), None, "{text}");
        }
        let list = format!("[{}]", ["1"; 32].join(","));
        assert!(transaction(&raw(&format!(r#"{{"hash":{list}}}"#))).is_err());
    }

    #[test]
    fn a_list_is_no_object() {
        let log = format!(r#"["{A}",[],"0x","0x1","{H}","{H}","0x0","0x0",false]"#);
        for (why, list) in [
            (header(&raw(&format!(r#"["0x1","{H}","0x5"]"#))).err(), "header"),
            (logs(&raw(&format!("[{log}]"))).err(), "log"),
            (
                receipt(&raw(&format!(r#"["{H}","0x1","{H}","0x1",null,null,"{A}",null,[]]"#))).err(),
                "receipt",
            ),
            (transaction(&raw(&format!(r#"["{H}"]"#))).err(), "transaction"),
        ] {
            assert!(why.unwrap().contains("invalid type: sequence, expected an object"), "{list}");
        }
        let five = format!(r#"[{{"address":"{A}","topics":["{H}","{H}","{H}","{H}","{H}"]}}]"#);
        assert!(logs(&raw(&five)).unwrap_err().contains("field topics: more than 4 elements"));
    }

    proptest::proptest! {
        #[test]
        fn quantities_are_read_as_they_are_written(number: u64, zeros in 0_usize..70) {
            let text = format!("\"0x{}{number:x}\"", "0".repeat(zeros));
            proptest::prop_assert_eq!(quantity(&raw(&text)), Ok(U256::from(number)));
        }

        #[test]
        fn no_answer_panics(text in "[\\[\\]{}\":,a-z0-9x]{0,60}") {
            if let Ok(raw) = RawValue::from_string(text) {
                let _ = (quantity(&raw), data(&raw), header(&raw), logs(&raw), receipt(&raw), transaction(&raw));
            }
        }
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
        let with = |status: &str, more: &str| {
            format!(
                r#"{{"transactionHash":"{H}","blockNumber":"0x1","blockHash":"{H}","status":{status},"from":"{A}","to":null,"logs":[]{more}}}"#
            )
        };
        let text = |status: &str| with(status, "");
        assert!(receipt(&raw(&text("\"0x1\""))).unwrap().unwrap().succeeded);
        assert!(!receipt(&raw(&text("\"0x0\""))).unwrap().unwrap().succeeded);
        assert!(receipt(&raw(&text("null"))).is_err());
        assert!(receipt(&raw(&text("\"0x2\""))).is_err());
        assert_eq!(receipt(&raw("null")), Ok(None));
        let cost = |gas: &str, price: &str| {
            let more = format!(r#","gasUsed":{gas},"effectiveGasPrice":{price}"#);
            receipt(&raw(&with("\"0x1\"", &more))).map(|found| found.and_then(|found| found.cost))
        };
        assert_eq!(receipt(&raw(&text("\"0x1\""))).unwrap().unwrap().cost, None);
        assert_eq!(cost("\"0x5208\"", "\"0x2\""), Ok(Some(U256::from(42_000))));
        assert_eq!(cost("\"0x5208\"", "null"), Ok(None));
        let most = format!("\"0x{}\"", "f".repeat(64));
        assert_eq!(cost("\"0x2\"", &most), Ok(None));
        assert_eq!(cost("5", "\"0x2\""), Ok(None));
    }
}
