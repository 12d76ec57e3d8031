//! `getEvents`: contract events by ledger range, contract and topics, a page at a time.

use serde_json::{Value, json};
use stellar_xdr::{ContractEvent, ContractEventBody, ContractEventType, ContractId, ScVal, TransactionMeta};

use super::super::chain::{Record, View};
use super::super::time::rfc3339;
use super::transactions::start_within;
use super::{Node, check_format, decode, encode, hex, internal};
use crate::http::RpcError;

/// Most ledgers that one request looks through.
const SCAN_LEDGERS: u32 = 10_000;

/// One segment of a topic filter.
enum Segment {
    /// `*`: any one value.
    Any,
    /// `**`, at the end only: any number of values, also none.
    Rest,
    Is(Box<ScVal>),
}

#[derive(Default)]
struct Filter {
    kind: Option<ContractEventType>,
    contracts: Vec<ContractId>,
    topics: Vec<Vec<Segment>>,
}

impl Filter {
    fn parse(filter: &Value) -> Result<Self, RpcError> {
        let kind = match filter.get("type").and_then(Value::as_str) {
            None | Some("") => None,
            Some("contract") => Some(ContractEventType::Contract),
            Some("system") => Some(ContractEventType::System),
            Some(kind) => {
                return Err(RpcError::params(format!("if set, type must be contract or system, not {kind}")));
            }
        };
        let list = |name: &str| filter.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let contracts = list("contractIds")
            .iter()
            .map(|id| {
                let id = id.as_str().unwrap_or_default();
                id.parse().map_err(|_| RpcError::params(format!("invalid contract ID: {id}")))
            })
            .collect::<Result<_, _>>()?;
        let topics = list("topics")
            .iter()
            .map(|topic| {
                let segments =
                    topic.as_array().ok_or_else(|| RpcError::params("a topic filter must be an array"))?;
                segments.iter().map(segment).collect()
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { kind, contracts, topics })
    }

    fn matches(&self, event: &ContractEvent) -> bool {
        let ContractEventBody::V0(body) = &event.body;
        self.kind.is_none_or(|kind| kind == event.type_)
            && (self.contracts.is_empty()
                || event.contract_id.as_ref().is_some_and(|id| self.contracts.contains(id)))
            && (self.topics.is_empty()
                || self.topics.iter().any(|topic| topic_matches(topic, body.topics.as_slice())))
    }
}

fn segment(segment: &Value) -> Result<Segment, RpcError> {
    match segment.as_str() {
        Some("*") => Ok(Segment::Any),
        Some("**") => Ok(Segment::Rest),
        Some(text) => match decode(text) {
            Some(value) => Ok(Segment::Is(Box::new(value))),
            None => {
                Err(RpcError::params(format!("topic segment is neither a wildcard nor an ScVal: {text}")))
            }
        },
        None => Err(RpcError::params("a topic segment must be a string")),
    }
}

fn topic_matches(filter: &[Segment], topics: &[ScVal]) -> bool {
    let (filter, is_open) = match filter.split_last() {
        Some((Segment::Rest, filter)) => (filter, true),
        _ => (filter, false),
    };
    let fits = if is_open { topics.len() >= filter.len() } else { topics.len() == filter.len() };
    fits && filter.iter().zip(topics).all(|(segment, topic)| match segment {
        Segment::Any | Segment::Rest => true,
        Segment::Is(value) => **value == *topic,
    })
}

/// Where an event stands: ledger, transaction and operation in one number, then its place in the operation.
type Place = (u64, u32);

fn cursor_text((operation, event): Place) -> String {
    format!("{operation:019}-{event:010}")
}

fn parse_cursor(text: &str) -> Option<Place> {
    let (operation, event) = text.split_once('-')?;
    Some((operation.parse().ok()?, event.parse().ok()?))
}

pub(super) fn events(node: &Node, view: &View, params: &Value) -> Result<Value, RpcError> {
    check_format(params)?;
    let chain = node.chain();
    let oldest = chain.oldest().map_err(internal)?;
    let no_filters = Vec::new();
    let filters: Vec<Filter> = params
        .get("filters")
        .and_then(Value::as_array)
        .unwrap_or(&no_filters)
        .iter()
        .map(Filter::parse)
        .collect::<Result<_, _>>()?;
    if filters.len() > 5 {
        return Err(RpcError::params("maximum 5 filters per request"));
    }
    let pagination = params.get("pagination").unwrap_or(&Value::Null);
    let limit = match pagination.get("limit").and_then(Value::as_u64).unwrap_or(100) {
        0 => 100,
        limit if limit <= 10_000 => usize::try_from(limit).unwrap_or(10_000),
        _ => return Err(RpcError::params("limit must not exceed 10000")),
    };
    let start = params.get("startLedger").and_then(Value::as_u64).filter(|start| *start != 0);
    let (first, after) =
        match pagination.get("cursor").and_then(Value::as_str).filter(|cursor| !cursor.is_empty()) {
            Some(_) if start.is_some() => {
                return Err(RpcError::params("ledger ranges and cursor cannot both be set"));
            }
            Some(cursor) => {
                let place = parse_cursor(cursor)
                    .ok_or_else(|| RpcError::params(format!("invalid event cursor {cursor}")))?;
                (start_within(&chain, view, place.0 >> 32)?, Some(place))
            }
            None => (start_within(&chain, view, start.unwrap_or(0))?, None),
        };
    let first = u32::try_from(first).map_err(internal)?;
    let mut end = view.sequence.saturating_add(1).min(first.saturating_add(SCAN_LEDGERS));
    if let Some(asked) = params.get("endLedger").and_then(Value::as_u64).filter(|asked| *asked != 0) {
        end = end.min(u32::try_from(asked).unwrap_or(u32::MAX));
    }

    let mut found: Vec<Value> = Vec::new();
    let mut cursor = cursor_text(((u64::from(end) << 32).saturating_sub(1), u32::MAX));
    'ledgers: for sequence in first..end {
        let Some(ledger) = chain.ledger(sequence) else { break };
        for record in chain.records_of(ledger) {
            for (place, event) in places(record) {
                if after.is_some_and(|after| place <= after)
                    || !(filters.is_empty() || filters.iter().any(|filter| filter.matches(event)))
                {
                    continue;
                }
                found.push(describe(record, place, event)?);
                if found.len() == limit {
                    cursor = cursor_text(place);
                    break 'ledgers;
                }
            }
        }
    }
    Ok(json!({
        "events": found,
        "cursor": cursor,
        "latestLedger": view.sequence,
        "oldestLedger": oldest.sequence,
        "latestLedgerCloseTime": view.time.to_string(),
        "oldestLedgerCloseTime": oldest.time.to_string(),
    }))
}

/// A transaction's contract events, each with where it stands.
fn places(record: &Record) -> impl Iterator<Item = (Place, &ContractEvent)> {
    let operations = match &record.executed.meta {
        TransactionMeta::V4(meta) => meta.operations.as_slice(),
        _ => &[],
    };
    (0_u64..).zip(operations).flat_map(move |(operation, meta)| {
        let place = (u64::from(record.ledger) << 32) | (u64::from(record.order) << 12) | operation;
        (0_u32..).zip(meta.events.iter()).map(move |(index, event)| ((place, index), event))
    })
}

fn describe(record: &Record, place: Place, event: &ContractEvent) -> Result<Value, RpcError> {
    let ContractEventBody::V0(body) = &event.body;
    let topics: Vec<String> = body.topics.iter().map(encode).collect::<Result<_, _>>()?;
    Ok(json!({
        "type": if event.type_ == ContractEventType::System { "system" } else { "contract" },
        "ledger": record.ledger,
        "ledgerClosedAt": rfc3339(record.time),
        "contractId": event.contract_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        "id": cursor_text(place),
        "operationIndex": place.0 & 0xfff,
        "transactionIndex": record.order,
        "inSuccessfulContractCall": true,
        "txHash": hex(&record.parsed.hash),
        "topic": topics,
        "value": encode(&body.data)?,
    }))
}
