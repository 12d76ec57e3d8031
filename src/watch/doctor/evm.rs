//! The EVM side: every endpoint at once, and on each of them the contracts that the state counts on.

pub use super::peers::ProbeOptions;
use super::peers::{self, Probed};
use super::{Line, Told};
use alloy::primitives::Address;
use base::{Code, Error, Result};
use evm::{At, Chain, ChainConfig, PinnedView};
use futures_util::future::join_all;
use vault::feed::{self, Feed};
use vault::pool::{Pool, abi};
use vault::risk::{self, RiskRow};

/// What should be there.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Vaults.
    pub pools: Vec<Pool>,
    /// Feeds; fixed prices have no contract.
    pub feeds: Vec<Feed>,
    /// Engines by pool.
    pub engines: Vec<(Pool, RiskRow)>,
    /// The sequencer's uptime feed.
    pub sequencer: Option<Address>,
}

/// Asks every endpoint side by side. Returns the lines, and by how many seconds the machine's clock is ahead of each
/// endpoint's that tells.
pub async fn examine(
    config: &ChainConfig,
    wanted: &Wanted,
    options: ProbeOptions,
) -> Result<(Vec<Line>, Vec<i64>)> {
    let chains = config
        .endpoints
        .iter()
        .map(|endpoint| {
            let mut own = config.clone();
            own.endpoints = vec![endpoint.clone()];
            own.retry.attempts = 1;
            Ok((endpoint.to_string(), Chain::new(own)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let found =
        join_all(chains.iter().map(|(name, chain)| probe(name, chain, config, wanted, options))).await;
    let (probed, contracts): (Vec<Probed>, Vec<Told>) = found.into_iter().unzip();
    let mut lines = peers::lines("evm", "block", &probed, options.clock.now(), options.max_head_age_sec);
    if !wanted.is_empty() {
        let unknown = "no endpoint could tell whether they are there";
        lines.extend(peers::first_told(contracts, "all", unknown));
    }
    Ok((lines, probed.iter().filter_map(|peer| peer.skew_sec).collect()))
}

impl Wanted {
    fn is_empty(&self) -> bool {
        self.pools.is_empty() && self.feeds.is_empty() && self.sequencer.is_none()
    }
}

/// One endpoint: its head, and the contracts if it got so far in time.
async fn probe(
    name: &str,
    chain: &Chain,
    config: &ChainConfig,
    wanted: &Wanted,
    options: ProbeOptions,
) -> (Probed, Told) {
    let look = async |note: &dyn Fn(u64, u64)| {
        let view = async |view: &PinnedView| {
            note(view.block().number, view.block().timestamp);
            contracts(view, config, wanted).await
        };
        chain.view(At::Latest, view).await
    };
    peers::probe(("evm", name), options, || chain.server_clock(), look).await
}

/// A line for each contract: it is there, and it answers like one of its kind.
async fn contracts(view: &PinnedView, config: &ChainConfig, wanted: &Wanted) -> Result<Vec<Line>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut lines = Vec::new();
    let multicall = view.code(config.multicall).await?;
    lines.push(if multicall.is_empty() {
        let words = format!("{}: no contract; each call travels alone", config.multicall);
        Line::warn("contracts", "multicall", words, "set evm.multicall to the chain's own Multicall3")
    } else {
        Line::ok("contracts", "multicall", config.multicall.to_string())
    });
    let mut batch = view.batch();
    let asked = wanted.pools.iter().map(|pool| abi::ask(&mut batch, pool)).collect::<Result<Vec<_>>>()?;
    let reply = batch.send().await?;
    for (pool, asked) in wanted.pools.iter().zip(asked) {
        let read = asked.read(&reply, pool).map(drop);
        lines.push(answers(format!("pool {}", pool.name), pool.address, read));
    }
    let feeds: Vec<(&Feed, Address)> =
        wanted.feeds.iter().filter_map(|feed| Some((feed, feed.source.address()?))).collect();
    let read = join_all(feeds.iter().map(|(feed, _)| feed::examine(view, feed))).await;
    for ((feed, address), read) in feeds.into_iter().zip(read) {
        lines.push(answers(format!("feed {}", feed.name), address, read));
    }
    let read =
        join_all(wanted.engines.iter().map(|(pool, row)| risk::examine(view, row, pool.address))).await;
    for ((pool, row), read) in wanted.engines.iter().zip(read) {
        if let Some(address) = row.engine.address() {
            lines.push(answers(format!("risk engine of {}", pool.name), address, read));
        }
    }
    if let Some(address) = wanted.sequencer {
        let code = view.code(address).await?;
        let gone = || Error::new(Code::NotAContract, format!("there is no contract at {address}"));
        let read = if code.is_empty() { Err(gone().hint("correct oracle.sequencer_feed")) } else { Ok(()) };
        lines.push(answers("sequencer feed".to_owned(), address, read));
    }
    Ok(lines)
}

fn answers(subject: String, address: Address, read: Result<()>) -> Line {
    match read {
        Ok(()) => Line::ok("contracts", subject, format!("{address} answers like one")),
        Err(e) => {
            let line = Line::error("contracts", subject, &e);
            let fix = line.fix.clone().or_else(|| Some("check its address and the network".into()));
            Line { fix, ..line }
        }
    }
}
