//! The EVM transport against a real node behind a faulty wire: pins, failover, reorgs, batches and log replay.
#![allow(
    clippy::expect_used,
    clippy::duplicate_mod,
    reason = "in a test, what was not expected is to end it; every file is compiled for both nodes"
)]

#[path = "."]
mod anvil {
    pub const NODE: poolctl_testkit::NodeKind = poolctl_testkit::NodeKind::Anvil;

    #[path = "both.rs"]
    mod both;
}

#[path = "."]
mod sandbox {
    pub const NODE: poolctl_testkit::NodeKind = poolctl_testkit::NodeKind::Sandbox;

    #[path = "both.rs"]
    mod both;
}

use alloy::primitives::{Address, U256};
use base::Endpoint;
use evm::{Chain, ChainConfig, PinnedView};
use net::RetryPolicy;
use poolctl_testkit::abi::Vault;
use serde_json::Value;
use std::time::Duration;

type Done = anyhow::Result<()>;

const ID: u64 = 31337;

fn config(urls: &[&str]) -> anyhow::Result<ChainConfig> {
    let names = ["alchemy", "backup", "third"];
    let entries: Vec<String> = names.iter().zip(urls).map(|(name, url)| format!("{name}={url}")).collect();
    let mut config = ChainConfig::new("testnet", ID, Endpoint::parse_list(&entries)?);
    config.retry = RetryPolicy { attempts: 3, base: Duration::from_millis(5), ..RetryPolicy::default() };
    config.confirmations = 3;
    Ok(config)
}

fn chain(urls: &[&str]) -> anyhow::Result<Chain> {
    Ok(Chain::new(config(urls)?)?)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// A port where nobody listens.
fn nowhere() -> anyhow::Result<String> {
    Ok(poolctl_testkit::nowhere()? + "/v2/SeCrEtKeY123")
}

async fn supply(view: &PinnedView, vault: Address) -> base::Result<U256> {
    view.call(vault, &Vault::totalSupplyCall {}).await
}

fn words(calls: &[Value]) -> String {
    serde_json::to_string(calls).expect("JSON")
}

const TAGS: [&str; 5] = ["\"latest\"", "\"pending\"", "\"safe\"", "\"finalized\"", "\"earliest\""];
