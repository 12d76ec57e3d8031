//! Rewards worked out again from the chain alone, block by block: what the product must come to by its own way.

use crate::Rpc;
use alloy::primitives::{Address, B256, U256, keccak256};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Blocks of an epoch.
const EPOCH: u64 = 10;

/// A Transfer log of a vault.
#[derive(Clone, Debug)]
pub struct Moved {
    /// Its block.
    pub block: u64,
    /// Whose shares; zero where they were minted.
    pub from: Address,
    /// Who got them; zero where they were burnt.
    pub to: Address,
    /// How many, in base units.
    pub shares: U256,
}

/// All transfers of a vault's shares from a block on.
pub fn moved(rpc: &Rpc, vault: Address, first: u64) -> Result<Vec<Moved>> {
    let topic = keccak256("Transfer(address,address,uint256)");
    let filter = json!([{"address": vault, "topics": [topic], "fromBlock": format!("{first:#x}"), "toBlock": "latest"}]);
    let logs = rpc.call("eth_getLogs", filter)?;
    let word = |value: &Value| Ok::<B256, anyhow::Error>(value.as_str().context("no word")?.parse()?);
    let transfer = |log: &Value| {
        let block = log["blockNumber"].as_str().and_then(|number| number.strip_prefix("0x"));
        Ok(Moved {
            block: u64::from_str_radix(block.context("no block number")?, 16)?,
            from: Address::from_word(word(&log["topics"][1])?),
            to: Address::from_word(word(&log["topics"][2])?),
            shares: U256::from_be_bytes(word(&log["data"])?.0),
        })
    };
    logs.as_array().context("no logs")?.iter().map(transfer).collect()
}

/// What each holder of a vault must get of the epochs of 10 blocks from `first` on, up to the final block; `part` is
/// the pool's part of an epoch's emission in base units, and `rank` decides ties. Keys are an epoch's first block and
/// the holder; what nobody can get stands at the zero address of the epoch that comes next.
pub fn rewards(
    moved: &[Moved],
    first: u64,
    last_final: u64,
    part: U256,
    rank: impl Fn(&Address) -> usize,
) -> BTreeMap<(u64, Address), U256> {
    let mut rewards = BTreeMap::new();
    let mut held: BTreeMap<Address, U256> = BTreeMap::new();
    let mut carry = U256::ZERO;
    let mut start = first;
    while start + EPOCH <= last_final + 1 {
        let mut earned: BTreeMap<Address, U256> = BTreeMap::new();
        for block in start..start + EPOCH {
            for m in moved.iter().filter(|m| m.block == block) {
                if !m.from.is_zero() {
                    *held.entry(m.from).or_default() -= m.shares;
                }
                if !m.to.is_zero() {
                    *held.entry(m.to).or_default() += m.shares;
                }
            }
            for (holder, shares) in &held {
                *earned.entry(*holder).or_default() += shares;
            }
        }
        let amount = part + carry;
        let all: U256 = earned.values().sum();
        if all.is_zero() {
            carry = amount;
        } else {
            carry = U256::ZERO;
            let mut given = U256::ZERO;
            let mut remainders = Vec::new();
            for (holder, blocks) in &earned {
                let (floor, remainder) = (amount * blocks).div_rem(all);
                given += floor;
                rewards.insert((start, *holder), floor);
                remainders.push((std::cmp::Reverse(remainder), rank(holder), *holder));
            }
            remainders.sort();
            for (_, _, holder) in remainders.iter().take((amount - given).to::<usize>()) {
                *rewards.entry((start, *holder)).or_default() += U256::ONE;
            }
        }
        start += EPOCH;
    }
    rewards.insert((start, Address::ZERO), carry);
    rewards.retain(|_, amount| !amount.is_zero());
    rewards
}
