//! The shapes of Stellar RPC answers, read strictly: a missing field is a bad reply, never a default.
//!
//! Source: the RPC's method reference, <https://developers.stellar.org/docs/data/apis/rpc/api-reference/methods>.
//! Numbers of 64 bits come as decimal strings at some servers and as numbers at others; both are read.

use super::diagnostics::{raised, raised_in};
use super::protocol::Newer;
use super::replies::{
    Entry, Event, EventPage, FeeStats, Health, Landed, Ledger, Lookup, Refusal, Sent, Simulated, Simulation,
};
use super::xdr::{
    ContractEvent, DiagnosticEvent, LedgerEntryChange, LedgerEntryData, LedgerHeader, LedgerKey, Limits,
    ReadXdr, ScVal, SorobanTransactionData, TransactionMeta, TransactionResult, WriteXdr,
};
use grind::json::{AtMost, Object, whole, why};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Depth and length that a value of ours may have; the largest real ones are a small part of it.
pub(super) const LIMITS: Limits = Limits { depth: 250, len: 16 << 20 };
/// XDR that one answer may hold, in bytes: several times what the network's limits on a transaction, its events and what
/// it writes allow. In memory a value takes up to some twenty times as much.
const MOST_XDR: usize = 1 << 20;
/// Elements of any list of an answer: the page of events that servers give at most.
const MOST: usize = 10_000;

type List<T> = AtMost<T, MOST>;

fn maybe_number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    whole(from).map(Some)
}

/// Why an answer cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Which field, and why.
    pub why: String,
    /// It is an encoded value that does not decode: spoiled, or of a newer protocol.
    pub undecoded: bool,
}

impl From<String> for Unread {
    fn from(why: String) -> Self {
        Self { why, undecoded: false }
    }
}

impl From<&str> for Unread {
    fn from(why: &str) -> Self {
        why.to_owned().into()
    }
}

type Read<T> = Result<T, Unread>;

/// Reads an object, whose lists and numbers are bounded.
fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Read<T> {
    serde_json::from_str(raw.get()).map(|Object(read)| read).map_err(|e| why(&e).into())
}

/// Decodes the XDR of one answer.
struct Xdr {
    left: usize,
}

impl Xdr {
    const fn new() -> Self {
        Self { left: MOST_XDR }
    }

    fn decode<T: ReadXdr>(&mut self, field: &str, text: &str) -> Read<T> {
        let length = text.len() / 4 * 3;
        self.left = self
            .left
            .checked_sub(length)
            .ok_or_else(|| format!("field {field}: more than {MOST_XDR} bytes of XDR in one answer"))?;
        T::from_xdr_base64(text, Limits { len: MOST_XDR, ..LIMITS })
            .map_err(|e| Unread { why: format!("field {field}: {e}"), undecoded: true })
    }

    fn all<T: ReadXdr>(&mut self, field: &str, texts: &[String]) -> Read<Vec<T>> {
        texts.iter().map(|text| self.decode(field, text)).collect()
    }
}

/// A value as a parameter.
pub(super) fn encode(value: &impl WriteXdr) -> Result<String, String> {
    value.to_xdr_base64(LIMITS).map_err(|e| e.to_string())
}

/// The passphrase of `getNetwork`.
pub fn network(raw: &RawValue) -> Read<String> {
    #[derive(Deserialize)]
    struct Raw {
        passphrase: String,
    }
    Ok(parse::<Raw>(raw)?.passphrase)
}

/// `getHealth`.
pub fn health(raw: &RawValue) -> Read<Health> {
    let health: Health = parse(raw)?;
    Ok(Health { status: base::redact::bounded(&health.status), ..health })
}

/// The protocol that an answer of `getNetwork` or `getLatestLedger` names, whatever else is in it.
pub(super) fn protocol(raw: &RawValue) -> Option<u32> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        protocol_version: Option<u32>,
    }
    parse::<Raw>(raw).ok()?.protocol_version
}

/// `getLatestLedger`. The header, whose form changes with protocols, is decoded only where the server gives no close time.
pub fn latest_ledger(raw: &RawValue) -> Read<Ledger> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        sequence: u32,
        header_xdr: Option<String>,
        #[serde(default, deserialize_with = "maybe_number")]
        close_time: Option<u64>,
    }
    let raw: Raw = parse(raw)?;
    // Zero is how Go writes "none".
    match (raw.close_time.filter(|time| *time != 0), raw.header_xdr) {
        (Some(time), _) => closed("closeTime", raw.sequence, time),
        (None, Some(text)) => {
            let header: LedgerHeader = Xdr::new().decode("headerXdr", &text)?;
            let found = header.ledger_seq;
            if found != raw.sequence {
                return Err(format!("field headerXdr: ledger {found} instead of {}", raw.sequence).into());
            }
            closed("headerXdr", raw.sequence, header.scp_value.close_time.0)
        }
        (None, None) => Err("missing field `closeTime`".into()),
    }
}

/// `getLedgerEntries`: the newest ledger, and the entries in the order of `keys`.
pub fn entries(raw: &RawValue, keys: &[LedgerKey], texts: &[String]) -> Read<(u32, Vec<Option<Entry>>)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        entries: List<Object<RawEntry>>,
        latest_ledger: u32,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct RawEntry {
        key: String,
        xdr: String,
        last_modified_ledger_seq: u32,
        live_until_ledger_seq: Option<u32>,
    }
    let raw: Raw = parse(raw)?;
    let mut xdr = Xdr::new();
    let mut found: Vec<Option<Entry>> = vec![None; keys.len()];
    for Object(entry) in raw.entries.0 {
        let place = texts.iter().position(|text| *text == entry.key);
        let slot = place.and_then(|place| found.get_mut(place).zip(keys.get(place)));
        let Some((slot, key)) = slot else { return Err("field key: an entry that was not asked for".into()) };
        if slot.is_some() {
            return Err("field key: an entry that comes twice".into());
        }
        not_after("lastModifiedLedgerSeq", entry.last_modified_ledger_seq, raw.latest_ledger)?;
        let data: LedgerEntryData = xdr.decode("xdr", &entry.xdr)?;
        if data.to_key() != *key {
            return Err("field xdr: an entry of another key".into());
        }
        *slot = Some(Entry {
            data,
            last_modified: entry.last_modified_ledger_seq,
            // Zero is how Go writes "none".
            live_until: entry.live_until_ledger_seq.filter(|ledger| *ledger != 0),
        });
    }
    Ok((raw.latest_ledger, found))
}

/// `getFeeStats`.
pub fn fee_stats(raw: &RawValue) -> Read<FeeStats> {
    parse(raw)
}

/// `simulateTransaction`.
pub fn simulation(raw: &RawValue) -> Read<Simulation> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        latest_ledger: u32,
        error: Option<String>,
        transaction_data: Option<String>,
        #[serde(default, deserialize_with = "maybe_number")]
        min_resource_fee: Option<u64>,
        events: Option<List<String>>,
        results: Option<List<Object<RawResult>>>,
        restore_preamble: Option<Object<RawPreamble>>,
    }
    #[derive(Deserialize)]
    struct RawResult {
        auth: Option<List<String>>,
        xdr: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct RawPreamble {
        transaction_data: String,
        #[serde(deserialize_with = "whole")]
        min_resource_fee: u64,
    }
    let raw: Raw = parse(raw)?;
    let ledger = raw.latest_ledger;
    let mut xdr = Xdr::new();
    if let Some(words) = raw.error.filter(|words| !words.is_empty()) {
        let events: Vec<DiagnosticEvent> = xdr.all("events", &raw.events.unwrap_or_default().0)?;
        let raised = raised(&events).or_else(|| raised_in(&words));
        let words = base::redact::bounded(&words);
        return Ok(Simulation { ledger, outcome: Err(Refusal { words, raised }) });
    }
    let text = raw.transaction_data.ok_or("missing field `transactionData`")?;
    let fee = raw.min_resource_fee.ok_or("missing field `minResourceFee`")?;
    let data = with_fee(xdr.decode("transactionData", &text)?, fee)?;
    let (auth, value) = match raw.results.unwrap_or_default().0.as_slice() {
        [Object(result)] => {
            let auth = result.auth.as_ref().map_or(&[][..], |auth| &auth.0);
            (xdr.all("results.auth", auth)?, Some(xdr.decode("results.xdr", &result.xdr)?))
        }
        [] => (Vec::new(), None),
        _ => return Err("field results: more than one".into()),
    };
    let restore = match raw.restore_preamble {
        Some(Object(preamble)) if !preamble.transaction_data.is_empty() => {
            let data = xdr.decode("restorePreamble.transactionData", &preamble.transaction_data)?;
            Some(with_fee(data, preamble.min_resource_fee)?)
        }
        _ => None,
    };
    Ok(Simulation { ledger, outcome: Ok(Simulated { data, auth, value, restore }) })
}

/// The fee stands in two places; the larger one counts.
fn with_fee(mut data: SorobanTransactionData, fee: u64) -> Read<SorobanTransactionData> {
    let fee = i64::try_from(fee).map_err(|_| "field minResourceFee: too large")?;
    if data.resource_fee < 0 {
        return Err("field transactionData: a negative fee".into());
    }
    data.resource_fee = data.resource_fee.max(fee);
    Ok(data)
}

/// `sendTransaction`; `hash` is what was sent.
pub fn sent(raw: &RawValue, hash: &str) -> Read<Sent> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        status: String,
        hash: String,
        error_result_xdr: Option<String>,
    }
    let raw: Raw = parse(raw)?;
    if raw.hash != hash {
        return Err("field hash: of another transaction".into());
    }
    match raw.status.as_str() {
        "PENDING" => Ok(Sent::Pending),
        "DUPLICATE" => Ok(Sent::Duplicate),
        "TRY_AGAIN_LATER" => Ok(Sent::TryAgainLater),
        "ERROR" => {
            let text = raw.error_result_xdr.ok_or("missing field `errorResultXdr`")?;
            Ok(Sent::Refused(Box::new(Xdr::new().decode("errorResultXdr", &text)?)))
        }
        _ => Err("field status: not a known word".into()),
    }
}

/// `getTransaction`. Where the network is at a `newer` protocol and what the transaction changed cannot be decoded, its events
/// are taken from their own field.
pub fn lookup(raw: &RawValue, newer: Option<Newer>) -> Read<Lookup> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        status: String,
        latest_ledger: u32,
        #[serde(deserialize_with = "whole")]
        latest_ledger_close_time: u64,
        oldest_ledger: u32,
        #[serde(deserialize_with = "whole")]
        oldest_ledger_close_time: u64,
    }
    let head: Raw = parse(raw)?;
    let succeeded = match head.status.as_str() {
        "NOT_FOUND" => None,
        "SUCCESS" => Some(true),
        "FAILED" => Some(false),
        _ => return Err("field status: not a known word".into()),
    };
    let latest = closed("latestLedgerCloseTime", head.latest_ledger, head.latest_ledger_close_time)?;
    let oldest = closed("oldestLedgerCloseTime", head.oldest_ledger, head.oldest_ledger_close_time)?;
    not_after("oldestLedger", oldest.sequence, latest.sequence)?;
    let found = succeeded.map(|succeeded| landed(raw, succeeded, newer)).transpose()?;
    if let Some(landed) = &found {
        not_after("ledger", landed.ledger.sequence, latest.sequence)?;
    }
    Ok(Lookup { latest, oldest, found })
}

/// A ledger with the time it closed: in this century, or the next.
fn closed(field: &str, sequence: u32, close_time: u64) -> Read<Ledger> {
    const LAST: u64 = 7_258_118_400;
    if close_time > LAST {
        return Err(format!("field {field}: {close_time} is not a valid ledger time").into());
    }
    Ok(Ledger { sequence, close_time })
}

/// Nothing comes from a ledger after the newest.
fn not_after(field: &str, ledger: u32, latest: u32) -> Read<()> {
    if ledger > latest {
        return Err(format!("field {field}: ledger {ledger}, and the newest is {latest}").into());
    }
    Ok(())
}

fn landed(raw: &RawValue, succeeded: bool, newer: Option<Newer>) -> Read<Landed> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        ledger: u32,
        #[serde(deserialize_with = "whole")]
        created_at: u64,
        result_xdr: String,
        result_meta_xdr: String,
        diagnostic_events_xdr: Option<List<String>>,
        events: Option<Object<RawEvents>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct RawEvents {
        contract_events_xdr: List<List<String>>,
    }
    let raw: Raw = parse(raw)?;
    let mut xdr = Xdr::new();
    let result: TransactionResult = xdr.decode("resultXdr", &raw.result_xdr)?;
    if super::results::succeeded(&result) != succeeded {
        return Err("field resultXdr: disagrees with the status".into());
    }
    let meta = xdr.decode("resultMetaXdr", &raw.result_meta_xdr).and_then(of_meta);
    let ((value, events, mut diagnostics, removed), newer) = match (meta, newer, raw.events) {
        (Ok(meta), ..) => (meta, None),
        (Err(unread), Some(newer), Some(Object(given))) if unread.undecoded => {
            let texts: Vec<String> =
                given.contract_events_xdr.0.into_iter().flat_map(|list| list.0).collect();
            let events = xdr.all("events.contractEventsXdr", &texts)?;
            ((None, events, Vec::new(), Vec::new()), Some(newer))
        }
        (Err(unread), ..) => return Err(unread),
    };
    if diagnostics.is_empty() {
        let given = raw.diagnostic_events_xdr.unwrap_or_default();
        diagnostics = xdr.all("diagnosticEventsXdr", &given.0)?;
    }
    Ok(Landed {
        ledger: Ledger { sequence: raw.ledger, close_time: raw.created_at },
        succeeded,
        result,
        value,
        events,
        removed,
        newer,
        raised: if succeeded { None } else { raised(&diagnostics) },
    })
}

type OfMeta = (Option<ScVal>, Vec<ContractEvent>, Vec<DiagnosticEvent>, Vec<LedgerEntryData>);

/// Return value, events, diagnostics and removed contract data, which stand in different places in each version (CAP-0067).
fn of_meta(meta: TransactionMeta) -> Read<OfMeta> {
    match meta {
        TransactionMeta::V4(meta) => {
            let events = meta.operations.iter().flat_map(|operation| operation.events.iter().cloned());
            let value = meta.soroban_meta.and_then(|soroban| soroban.return_value);
            let changes = meta.operations.iter().flat_map(|operation| operation.changes.iter());
            let removed = removed(changes);
            Ok((value, events.collect(), meta.diagnostic_events.into_vec(), removed))
        }
        TransactionMeta::V3(meta) => {
            let removed = removed(meta.operations.iter().flat_map(|operation| operation.changes.iter()));
            Ok(match meta.soroban_meta {
                Some(soroban) => {
                    let diagnostics = soroban.diagnostic_events.into_vec();
                    (Some(soroban.return_value), soroban.events.into_vec(), diagnostics, removed)
                }
                None => (None, Vec::new(), Vec::new(), removed),
            })
        }
        _ => Err("field resultMetaXdr: of an older version than 3".into()),
    }
}

/// Contract data that changes take away; what it was stands before each.
fn removed<'c>(changes: impl Iterator<Item = &'c LedgerEntryChange>) -> Vec<LedgerEntryData> {
    let mut removed = Vec::new();
    let mut before: Option<&LedgerEntryData> = None;
    for change in changes {
        match change {
            LedgerEntryChange::State(entry) => before = Some(&entry.data),
            LedgerEntryChange::Removed(key) => {
                let data = before.take().filter(|data| matches!(data, LedgerEntryData::ContractData(_)));
                removed.extend(data.filter(|data| data.to_key() == *key).cloned());
            }
            _ => before = None,
        }
    }
    removed
}

/// `getEvents`.
pub fn events(raw: &RawValue) -> Read<EventPage> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        events: List<Object<RawEvent>>,
        cursor: String,
        latest_ledger: u32,
        #[serde(default)]
        oldest_ledger: u32,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct RawEvent {
        id: String,
        ledger: u32,
        tx_hash: String,
        contract_id: String,
        topic: AtMost<String, 16>,
        value: String,
    }
    let raw: Raw = parse(raw)?;
    let mut xdr = Xdr::new();
    let read = |Object(event): Object<RawEvent>| -> Read<Event> {
        not_after("events.ledger", event.ledger, raw.latest_ledger)?;
        Ok(Event {
            topics: xdr.all("events.topic", &event.topic.0)?,
            value: xdr.decode("events.value", &event.value)?,
            id: event.id,
            ledger: event.ledger,
            tx_hash: event.tx_hash,
            contract: event.contract_id,
        })
    };
    Ok(EventPage {
        events: raw.events.0.into_iter().map(read).collect::<Read<_>>()?,
        cursor: raw.cursor,
        latest_ledger: raw.latest_ledger,
        oldest_ledger: raw.oldest_ledger,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xdr::SorobanAuthorizationEntry;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn raw(value: &Value) -> Box<RawValue> {
        RawValue::from_string(value.to_string()).unwrap()
    }

    /// Reads a value as the answer to every method; nothing may panic.
    fn read_all(value: &Value) -> [bool; 9] {
        let raw = raw(value);
        [
            network(&raw).is_ok(),
            health(&raw).is_ok(),
            latest_ledger(&raw).is_ok(),
            entries(&raw, &[], &[]).is_ok(),
            fee_stats(&raw).is_ok(),
            simulation(&raw).is_ok(),
            sent(&raw, "h").is_ok(),
            lookup(&raw, Newer::than_known(u32::MAX)).is_ok(),
            events(&raw).is_ok(),
        ]
    }

    /// A value for a field: of the right kind now and then, of a wrong one often, with any bytes for encoded ones.
    fn field() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u32>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(|n| Value::from(n.to_string())),
            "\\PC{0,12}".prop_map(Value::from),
            "[A-Za-z0-9+/]{0,80}={0,2}".prop_map(Value::from),
            Just(json!("SUCCESS")),
            Just(json!("FAILED")),
            Just(json!("NOT_FOUND")),
            Just(json!("ERROR")),
            Just(json!("h")),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((names(), inner), 0..8).prop_map(object),
            ]
        })
    }

    fn object(fields: Vec<(&str, Value)>) -> Value {
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn names() -> impl Strategy<Value = &'static str> {
        const NAMES: &str = "\
            passphrase status latestLedger oldestLedger ledgerRetentionWindow sequence headerXdr \
            closeTime entries key xdr lastModifiedLedgerSeq liveUntilLedgerSeq sorobanInclusionFee \
            inclusionFee p50 p60 p70 p80 p90 p95 p99 max error transactionData minResourceFee events \
            results auth restorePreamble hash errorResultXdr latestLedgerCloseTime oldestLedgerCloseTime \
            ledger createdAt resultXdr resultMetaXdr diagnosticEventsXdr cursor id txHash contractId \
            topic value protocolVersion contractEventsXdr";
        prop::sample::select(NAMES.split_whitespace().collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(fields in prop::collection::vec((names(), field()), 0..40)) {
            read_all(&object(fields));
        }

        #[test]
        fn no_bytes_make_decoding_panic(bytes in prop::collection::vec(prop_oneof![3 => Just(0), 1 => 0..8_u8, 1 => any::<u8>()], 0..400)) {
            let text = base64_of(&bytes);
            let mut xdr = Xdr::new();
            let _ = xdr.decode::<TransactionMeta>("f", &text);
            let _ = xdr.decode::<TransactionResult>("f", &text);
            let _ = xdr.decode::<LedgerEntryData>("f", &text);
            let _ = xdr.decode::<SorobanTransactionData>("f", &text);
            let _ = xdr.decode::<SorobanAuthorizationEntry>("f", &text);
            let _ = xdr.decode::<DiagnosticEvent>("f", &text);
            let _ = xdr.decode::<LedgerHeader>("f", &text);
            let _ = xdr.decode::<ScVal>("f", &text);
        }
    }

    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    /// Base64 of the whole groups of three bytes, which need no padding.
    fn base64_of(bytes: &[u8]) -> String {
        let groups = bytes.chunks_exact(3).map(|b| u32::from_be_bytes([0, b[0], b[1], b[2]]));
        let digits = groups.flat_map(|n| [18, 12, 6, 0].map(|shift| DIGITS[(n >> shift & 63) as usize]));
        digits.map(char::from).collect()
    }

    #[test]
    fn deep_nesting_ends_in_an_error() {
        // A vector in a vector in a vector …: eight bytes and a count each.
        let mut bytes = Vec::new();
        for _ in 0..30_000 {
            bytes.extend_from_slice(&[0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 1]);
        }
        let why = Xdr::new().decode::<ScVal>("f", &base64_of(&bytes)).unwrap_err().why;
        assert!(why.contains("depth"), "{why}");
    }

    #[test]
    fn an_answer_holds_so_much_xdr() {
        // Voids, which take four bytes each there and ten times that here.
        let voids = |count: u32| {
            let mut bytes = [[0, 0, 0, 16], [0, 0, 0, 1], count.to_be_bytes()].concat();
            bytes.resize(bytes.len() + 4 * count as usize, 0);
            for at in (15..bytes.len()).step_by(4) {
                bytes[at] = 1;
            }
            base64_of(&bytes)
        };
        let event = |value: &str| json!({ "id": "1", "ledger": 1, "txHash": "", "contractId": "", "topic": [], "value": value });
        let page = |count: usize, value: &str| {
            let all = vec![event(value); count];
            events(&raw(&json!({ "events": all, "cursor": "", "latestLedger": 1 })))
                .map(|page| page.events.len())
        };
        assert_eq!(page(10, &voids(24_000)), Ok(10));
        assert!(
            page(12, &voids(24_000)).unwrap_err().why.contains("field events.value: more than 1048576 bytes")
        );
        let small = voids(0);
        assert_eq!(page(MOST, &small), Ok(MOST));
        assert!(page(MOST + 1, &small).unwrap_err().why.contains("field events: more than 10000 elements"));
    }

    #[test]
    fn lists_are_no_objects_and_no_numbers() {
        let ledger = |answer: Value| latest_ledger(&raw(&answer));
        let entry = raw(&json!({ "entries": [["k", "x", 1, null]], "latestLedger": 1 }));
        let fee = raw(&json!({ "latestLedger": 1, "minResourceFee": "0x10" }));
        let fees = raw(&json!({ "sorobanInclusionFee": [1, 2, 3, 4, 5, 6, 7, 8] }));
        for (why, want) in [
            (ledger(json!([1, null, 5])).err(), "invalid type: sequence, expected an object"),
            (
                ledger(json!({ "sequence": 1, "closeTime": [5] })).err(),
                "field closeTime: invalid type: sequence, expected a whole number",
            ),
            (entries(&entry, &[], &[]).err(), "field entries: invalid type: sequence, expected an object"),
            (simulation(&fee).err(), "field minResourceFee: invalid whole number \"0x10\""),
            (fee_stats(&fees).err(), "field sorobanInclusionFee: invalid type: sequence"),
        ] {
            let why = why.unwrap().why;
            assert!(why.starts_with(want), "{want}: {why}");
        }
        assert_eq!(ledger(json!({ "sequence": 1, "closeTime": "5" })).map(|l| l.close_time), Ok(5));
        // A header of a newer form is not even looked at.
        let newer = json!({ "sequence": 1, "closeTime": "5", "headerXdr": "AAAA", "protocolVersion": 99 });
        assert_eq!(ledger(newer.clone()).map(|l| l.close_time), Ok(5));
        assert_eq!(protocol(&raw(&newer)), Some(99));
        let without = ledger(json!({ "sequence": 1, "closeTime": "0", "headerXdr": "AAAA" })).unwrap_err();
        assert!(without.undecoded && without.why.starts_with("field headerXdr: "), "{without:?}");
        for odd in
            [json!({}), json!({ "protocolVersion": null }), json!({ "protocolVersion": "x" }), json!([1])]
        {
            assert_eq!(protocol(&raw(&odd)), None, "{odd}");
        }
    }
}
