//! Blocks, their logs and their fees.

use alloy::consensus::Transaction;
use alloy::eips::{BlockId, BlockNumberOrTag};
use alloy::primitives::U64;
use serde_json::{Value, json};

use super::super::answer::{self, large_quantity, quantity};
use super::super::block::Block;
use super::super::logs::{Filter, Range};
use super::super::request::USUAL_TIP;
use super::{Node, Params, Reader};
use crate::http::RpcError;

/// Most blocks of one fee history, as on geth.
const MOST_FEES: u64 = 1_024;

/// The methods that name one block; null where there is none.
pub(super) fn block(node: &Node, lag: u64, method: &str, params: &Params<'_>) -> Result<Value, RpcError> {
    let found = node.read(lag, |reader| {
        if method.ends_with("ByHash") {
            return Ok(reader.by_hash(params.get(0)?).cloned());
        }
        if method == "eth_getBlockReceipts" {
            let id: BlockId = params.get(0)?;
            return match id {
                BlockId::Hash(hash) => Ok(reader.by_hash(hash.block_hash).cloned()),
                BlockId::Number(which) => reader.find(which),
            };
        }
        reader.find(params.get(0)?)
    })?;
    let Some(block) = found else { return Ok(Value::Null) };
    match method {
        "eth_getBlockReceipts" => {
            let receipts = (0..block.transactions.len()).map(|index| answer::receipt(&block, index));
            receipts.collect::<Result<Vec<_>, _>>().map(Value::from)
        }
        "eth_getBlockByNumber" | "eth_getBlockByHash" => {
            answer::block(&block, params.optional(1)?.unwrap_or_default())
        }
        _ => Ok(quantity(block.transactions.len() as u64)),
    }
}

/// `eth_getLogs`, with anvil's errors: a first block that is not there yet is out of range, a last one is the head.
pub(super) fn logs(node: &Node, lag: u64, params: &Params<'_>) -> Result<Value, RpcError> {
    let filter = Filter::parse(&params.get(0)?)?;
    node.read(lag, |reader| {
        let matching = |block: &Block| {
            if filter.may_match(&block.header.logs_bloom) {
                answer::logs(block, &|log| filter.matches(log))
            } else {
                Vec::new()
            }
        };
        let (from, to) = match filter.range {
            Range::Block(hash) => {
                let block = reader.by_hash(hash).ok_or_else(|| RpcError::new(-32000, "unknown block"))?;
                return Ok(matching(block).into());
            }
            Range::Numbers(from, to) => (from, to),
        };
        // What waits has no logs yet.
        let place = |which| reader.height(which).unwrap_or(reader.head);
        let (first, last) = (place(from), place(to).min(reader.head));
        if first > reader.head {
            return Err(reader.out_of_range(from));
        }
        if first > last {
            return Err(RpcError::params("invalid block range params"));
        }
        let blocks = (first..=last).filter_map(|number| reader.by_number(number));
        Ok(blocks.flat_map(|block| matching(block)).collect::<Vec<_>>().into())
    })
}

/// What a transaction should offer, in wei per gas.
pub(super) fn price(node: &Node, method: &str) -> Value {
    let base = if method == "eth_gasPrice" { u128::from(node.chain().next_base_fee()) } else { 0 };
    large_quantity(base + USUAL_TIP)
}

/// `eth_feeHistory`: one more base fee than blocks, that of the block to come.
pub(super) fn fee_history(node: &Node, lag: u64, params: &Params<'_>) -> Result<Value, RpcError> {
    let count = params.get::<U64>(0)?.to::<u64>().clamp(1, MOST_FEES);
    let newest: BlockNumberOrTag = params.optional(1)?.unwrap_or_default();
    let percentiles: Option<Vec<serde_json::Number>> = params.optional(2)?;
    let percentiles = percentiles.map(|list| list.iter().map(ppm_of_percent).collect::<Vec<_>>());
    node.read(lag, |reader| history(reader, count, newest, percentiles.as_deref()))
}

fn history(
    reader: &Reader<'_>,
    count: u64,
    newest: BlockNumberOrTag,
    percentiles: Option<&[u64]>,
) -> Result<Value, RpcError> {
    let last = reader.height(newest).unwrap_or(reader.head);
    if last > reader.head {
        return Err(reader.out_of_range(newest));
    }
    let first = (last + 1).saturating_sub(count);
    let blocks: Vec<_> = (first..=last).filter_map(|number| reader.by_number(number)).collect();
    let mut fees: Vec<_> =
        blocks.iter().map(|block| block.header.base_fee_per_gas.unwrap_or_default()).collect();
    let next = reader.by_number(last + 1).and_then(|block| block.header.base_fee_per_gas);
    fees.push(next.unwrap_or_else(|| reader.chain.next_base_fee()));
    let ratios: Vec<_> =
        blocks.iter().map(|block| ratio(block.header.gas_used, block.header.gas_limit)).collect();
    let mut answer = json!({
        "oldestBlock": quantity(first),
        "baseFeePerGas": fees.iter().map(|fee| quantity(*fee)).collect::<Vec<_>>(),
        "gasUsedRatio": ratios,
        "baseFeePerBlobGas": vec!["0x1"; fees.len()],
        "blobGasUsedRatio": vec![json!(0.0); blocks.len()],
    });
    if let (Some(percentiles), Some(fields)) = (percentiles, answer.as_object_mut()) {
        let rewards: Vec<_> = blocks.iter().map(|block| rewards(block, percentiles)).collect();
        fields.insert("reward".into(), rewards.into());
    }
    Ok(answer)
}

/// The tips at percentiles of a block's gas, in wei per gas.
fn rewards(block: &Block, percentiles: &[u64]) -> Value {
    let base = block.header.base_fee_per_gas.unwrap_or_default();
    let tip = |tx: &super::super::block::Signed| tx.effective_tip_per_gas(base).unwrap_or_default();
    let mut tips: Vec<_> =
        block.transactions.iter().map(|mined| (tip(&mined.transaction), mined.gas_used)).collect();
    tips.sort_unstable();
    let at = |ppm: &u64| {
        let mut left = u128::from(block.header.gas_used) * u128::from(*ppm) / 100_000_000;
        let found = tips.iter().find(|(_, gas)| {
            let is_here = left <= u128::from(*gas);
            left = left.saturating_sub(u128::from(*gas));
            is_here
        });
        large_quantity(found.or(tips.last()).map_or(0, |(tip, _)| *tip))
    };
    percentiles.iter().map(at).collect()
}

/// A percentage in millionths of a percent, without floating point.
fn ppm_of_percent(number: &serde_json::Number) -> u64 {
    let text = number.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let whole: u64 = whole.parse().unwrap_or_default();
    whole.saturating_mul(1_000_000).saturating_add(fraction.parse().unwrap_or_default()).min(100_000_000)
}

/// A ratio with nine places, as a JSON number made without floating point.
fn ratio(part: u64, whole: u64) -> Value {
    let scaled = u128::from(part) * 1_000_000_000 / u128::from(whole.max(1));
    let text = format!("{}.{:09}", scaled / 1_000_000_000, scaled % 1_000_000_000);
    serde_json::from_str(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_and_ratios_are_exact() {
        for (text, ppm) in [("10", 10_000_000), ("0.5", 500_000), ("99.99", 99_990_000), ("250", 100_000_000)]
        {
            assert_eq!(ppm_of_percent(&serde_json::from_str(text).unwrap()), ppm, "{text}");
        }
        assert_eq!(ratio(21_000, 30_000_000).to_string(), "0.0007");
        assert_eq!(ratio(1, 0).to_string(), "1.0");
    }
}
