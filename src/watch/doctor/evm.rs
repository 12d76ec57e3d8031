//! The EVM side: every endpoint at once, and on each of them the contracts that the state counts on.

use super::peers::{self, Head, Probed};
use super::{Line, Told};
use alloy::primitives::Address;
use base::clock::Clock;
use base::{Code, Error, Result};
use evm::{At, Chain, ChainConfig, PinnedView};
use futures_util::future::join_all;
use std::cell::Cell;
use std::time::{Duration, Instant};
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

/// How the endpoints are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// All that one endpoint gets, however many questions it is asked.
    pub limit: Duration,
    /// Oldest head that is up to date.
    pub max_head_age_sec: u64,
    /// Dates what is found.
    pub clock: Clock,
}

/// Asks every endpoint side by side. Returns the lines, and by how many seconds the machine's clock is ahead of each
/// endpoint's that tells.
///
/// # Errors
/// `bug` where TLS cannot be set up.
pub async fn examine(config: &ChainConfig, wanted: &Wanted, terms: Terms) -> Result<(Vec<Line>, Vec<i64>)> {
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
    let found = join_all(chains.iter().map(|(name, chain)| probe(name, chain, config, wanted, terms))).await;
    let (probed, contracts): (Vec<Probed>, Vec<Told>) = found.into_iter().unzip();
    let mut lines = peers::lines("evm", "block", &probed, terms.clock.now(), terms.max_head_age_sec);
    lines.extend(of_contracts(contracts, wanted));
    Ok((lines, probed.iter().filter_map(|peer| peer.skew_sec).collect()))
}

/// The contracts as the first endpoint sees them that could tell.
fn of_contracts(found: Vec<Told>, wanted: &Wanted) -> Vec<Line> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut why = None;
    for found in found.into_iter().flatten() {
        match found {
            Ok(lines) => return lines,
            Err(e) => drop(why.get_or_insert(e)),
        }
    }
    let unknown = Error::new(Code::Unreachable, "no endpoint could tell whether they are there")
        .hint("mend the endpoints first");
    vec![Line::error("contracts", "all", &why.unwrap_or(unknown))]
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
    terms: Terms,
) -> (Probed, Told) {
    let begun = Instant::now();
    let head = Cell::new(None);
    let looked = tokio::time::timeout(
        terms.limit,
        chain.view(At::Latest, async |view| {
            let block = view.block();
            head.set(Some(Head { height: block.number, time: block.timestamp, latency: begun.elapsed() }));
            contracts(view, config, wanted).await
        }),
    )
    .await;
    let late = || {
        Error::new(Code::Unreachable, format!("no whole answer within {} s", terms.limit.as_secs()))
            .hint("the endpoint is slow: mend it, or raise evm.timeout_sec")
    };
    let looked = looked.unwrap_or_else(|_| Err(late()));
    let skew_sec =
        chain.server_clock().map(|(came, server)| peers::skew_sec(terms.clock.now(), came.elapsed(), server));
    let (head, contracts) = match (head.get(), looked) {
        (Some(head), looked) => (Ok(head), Some(looked)),
        (None, Ok(_)) => (Err(late()), None),
        (None, Err(e)) => (Err(e), None),
    };
    (Probed { name: name.to_owned(), head, skew_sec }, contracts)
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
            let mend = line.mend.clone().or_else(|| Some("check its address and the network".into()));
            Line { mend, ..line }
        }
    }
}
