//! The filter of `eth_getLogs`.

use alloy::eips::BlockNumberOrTag;
use alloy::primitives::{Address, B256, Bloom, BloomInput, Log};
use serde_json::Value;

use crate::http::RpcError;

/// Which blocks are looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// One block, by its hash.
    Block(B256),
    /// From the first to the last, both included.
    Numbers(BlockNumberOrTag, BlockNumberOrTag),
}

/// A filter; an empty list lets everything pass.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    pub(super) range: Range,
    addresses: Vec<Address>,
    topics: Vec<Vec<B256>>,
}

impl Filter {
    pub(super) fn parse(value: &Value) -> Result<Self, RpcError> {
        let fields = value.as_object().ok_or_else(|| RpcError::params("the filter must be an object"))?;
        let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
        let tag = |name: &str| given(name).map(parse::<BlockNumberOrTag>).transpose();
        let (from, to) = (tag("fromBlock")?, tag("toBlock")?);
        let range = match given("blockHash") {
            Some(_) if from.is_some() || to.is_some() => {
                return Err(RpcError::params("cannot specify both blockHash and fromBlock/toBlock"));
            }
            Some(hash) => Range::Block(parse(hash)?),
            None => Range::Numbers(from.unwrap_or_default(), to.unwrap_or_default()),
        };
        let topics = match given("topics") {
            None => Vec::new(),
            Some(Value::Array(topics)) if topics.len() <= 4 => {
                topics.iter().map(one_or_many).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(RpcError::params("topics must be an array of at most four")),
        };
        Ok(Self { range, addresses: one_or_many(fields.get("address").unwrap_or(&Value::Null))?, topics })
    }

    /// Whether a block with this bloom may hold a matching log.
    pub(super) fn may_match(&self, bloom: &Bloom) -> bool {
        let holds = |bytes: &[u8]| bloom.contains_input(BloomInput::Raw(bytes));
        (self.addresses.is_empty() || self.addresses.iter().any(|address| holds(address.as_slice())))
            && self
                .topics
                .iter()
                .all(|choice| choice.is_empty() || choice.iter().any(|topic| holds(topic.as_slice())))
    }

    pub(super) fn matches(&self, log: &Log) -> bool {
        let topics = log.data.topics();
        (self.addresses.is_empty() || self.addresses.contains(&log.address))
            && topics.len() >= self.topics.len()
            && self
                .topics
                .iter()
                .zip(topics)
                .all(|(choice, topic)| choice.is_empty() || choice.contains(topic))
    }
}

/// Null, one, or a list of them.
fn one_or_many<T: serde::de::DeserializeOwned>(value: &Value) -> Result<Vec<T>, RpcError> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => values.iter().map(parse).collect(),
        value => Ok(vec![parse(value)?]),
    }
}

fn parse<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, RpcError> {
    T::deserialize(value).map_err(|error| RpcError::params(format!("in the filter: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{LogData, logs_bloom};
    use serde_json::json;

    #[test]
    fn topics_and_addresses_pass_as_in_the_specification() {
        let (a, b, c) = (B256::repeat_byte(1), B256::repeat_byte(2), B256::repeat_byte(3));
        let address = Address::repeat_byte(9);
        let log = Log { address, data: LogData::new_unchecked(vec![a, b], Vec::new().into()) };
        let bloom = logs_bloom([&log]);
        for (filter, passes) in [
            (json!({}), true),
            (json!({"topics": []}), true),
            (json!({"topics": [a]}), true),
            (json!({"topics": [null, b]}), true),
            (json!({"topics": [[c, a], [b]]}), true),
            (json!({"topics": [b]}), false),
            (json!({"topics": [a, b, null]}), false),
            (json!({"topics": [[]]}), true),
            (json!({"address": address}), true),
            (json!({"address": [Address::ZERO, address], "topics": [a, b]}), true),
            (json!({"address": []}), true),
            (json!({"address": Address::ZERO}), false),
        ] {
            let parsed = Filter::parse(&filter).unwrap();
            assert_eq!(parsed.matches(&log), passes, "{filter}");
            assert!(!passes || parsed.may_match(&bloom), "{filter}");
        }
        assert!(!Filter::parse(&json!({"topics": [c]})).unwrap().may_match(&bloom));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for bad in [
            json!("0x1"),
            json!({"blockHash": B256::ZERO, "fromBlock": "0x1"}),
            json!({"fromBlock": "newest"}),
            json!({"address": "0x12"}),
            json!({"topics": [null, null, null, null, null]}),
        ] {
            assert_eq!(Filter::parse(&bad).unwrap_err().code, -32602, "{bad}");
        }
    }
}
