//! A chain as a profile pins it: its endpoints in order, the choice of a view's block, and the failover of views.

use super::Learned;
use super::fault::{Fault, sort, speaks_of_a_tag};
use super::peer::{Patience, Peer};
use super::view::PinnedView;
use super::wire::{self, BlockRef};
use alloy::primitives::{Address, address};
use base::{Code, Endpoint, Error, Result};
use net::failover::{self, Failed, Warnings};
use net::jsonrpc::{Answer, Call, Client};
use net::{Http, HttpLimits, RetryPolicy};
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Multicall3 where nearly every chain has it, <https://github.com/mds1/multicall3>.
pub const MULTICALL3: Address = address!("0xcA11bde05977b3631167028862bE2a173976CA11");

/// How often a view is begun anew on a fresh block after a reorg took its own.
const FRESH_STARTS: u32 = 2;

/// Which block a view is to stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum At {
    /// The chain's last final block.
    Finalized,
    /// The chain's last safe block.
    #[default]
    Safe,
    /// The newest block, which a reorg may take away.
    Latest,
    /// A block by its height.
    Number(u64),
}

impl FromStr for At {
    type Err = Error;

    /// Reads `finalized`, `safe`, `latest` or a height in decimal digits. Errors: `invalid_value`.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "finalized" => Some(Self::Finalized),
            "safe" => Some(Self::Safe),
            "latest" => Some(Self::Latest),
            _ if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().map(Self::Number).ok()
            }
            _ => None,
        }
        .ok_or_else(|| {
            Error::new(Code::InvalidValue, format!("{text:?} is no block"))
                .hint("write finalized, safe, latest or a block number")
        })
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finalized => f.write_str("finalized"),
            Self::Safe => f.write_str("safe"),
            Self::Latest => f.write_str("latest"),
            Self::Number(n) => write!(f, "{n}"),
        }
    }
}

/// By what a block was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChosenBy {
    /// The chain's own tag, or the height that was asked for.
    Chain,
    /// The chain has no such tag: so many blocks below the newest one.
    Confirmations(u64),
}

impl ChosenBy {
    /// The tag's name, or what stands in for it: `head-64`.
    pub(super) fn words(self, tag: &str) -> String {
        match self {
            Self::Chain => tag.to_owned(),
            Self::Confirmations(below) => format!("head-{below}"),
        }
    }
}

/// How wide log queries are, in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// Width of the first query.
    pub start: u64,
    /// Width that queries grow to.
    pub most: u64,
    /// How many of the last blocks read are held against their headers' blooms: their headers are fetched.
    pub blooms: u64,
}

/// What a profile says about its chain.
#[derive(Debug, Clone)]
pub struct ChainConfig {
    /// The profile's name, for errors.
    pub profile: String,
    /// The pinned chain id (EIP-155).
    pub chain_id: u64,
    /// Endpoints, the preferred one first.
    pub endpoints: Vec<Endpoint>,
    /// Limits on each HTTP exchange.
    pub http: HttpLimits,
    /// How one endpoint is asked again.
    pub retry: RetryPolicy,
    /// Blocks below the newest one that stand in for a missing `safe` or `finalized` tag.
    pub confirmations: u64,
    /// Where Multicall3 is looked for.
    pub multicall: Address,
    /// Calls per multicall.
    pub multicall_chunk: usize,
    /// Calls per JSON-RPC batch; 1 = no batches.
    pub batch: usize,
    /// Width of log queries.
    pub logs: LogLimits,
    /// What earlier runs learned.
    pub learned: Learned,
}

impl ChainConfig {
    /// The defaults for a profile's chain.
    pub fn new(profile: impl Into<String>, chain_id: u64, endpoints: Vec<Endpoint>) -> Self {
        Self {
            profile: profile.into(),
            chain_id,
            endpoints,
            http: HttpLimits::default(),
            retry: RetryPolicy::default(),
            confirmations: 64,
            multicall: MULTICALL3,
            multicall_chunk: 1_000,
            batch: 500,
            logs: LogLimits { start: 2_000, most: 50_000, blooms: 1_280 },
            learned: Learned::default(),
        }
    }
}

/// The pinned chain, read through [`Chain::view`] only.
#[derive(Debug, Clone)]
pub struct Chain {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub config: ChainConfig,
    http: Arc<Http>,
    pub peers: Vec<Arc<Peer>>,
    warnings: Warnings,
    /// Tags that the chain has shown, in this run or an earlier one.
    tags: Mutex<BTreeSet<String>>,
    /// No endpoint shows a tag that this chain was never seen to have: blocks are counted instead.
    counts: AtomicBool,
}

/// What a view stands on, kept when it fails over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pin {
    pub at: At,
    pub block: BlockRef,
    pub chosen: ChosenBy,
    pub finality: BlockRef,
    pub finality_by: ChosenBy,
}

/// Why a view could not begin at an endpoint.
pub(super) enum Unopened {
    Fault(Fault),
    Fatal(Error),
}

impl From<Unopened> for String {
    fn from(why: Unopened) -> Self {
        match why {
            Unopened::Fault(fault) => fault.words(),
            Unopened::Fatal(error) => error.to_string(),
        }
    }
}

impl From<Fault> for Unopened {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Chain {
    /// As [`Http::server_clock`].
    pub fn server_clock(&self) -> Option<(Instant, i64)> {
        self.inner.http.server_clock()
    }

    /// Prepares the endpoints; nothing is sent yet. Errors: `missing_setting` without endpoints.
    pub fn new(config: ChainConfig) -> Result<Self> {
        if config.endpoints.is_empty() {
            let why = format!("profile {:?} has no EVM endpoint", config.profile);
            return Err(
                Error::new(Code::MissingSetting, why).hint("set evm.rpc_urls in the config, or RPC_URLS")
            );
        }
        let http = Arc::new(Http::new(config.http));
        let peers = config
            .endpoints
            .iter()
            .map(|endpoint| {
                let client = Client::new(Arc::clone(&http), endpoint.clone())?;
                let width = config.learned.log_widths.get(endpoint.name()).copied().unwrap_or_default();
                Ok(Arc::new(Peer::new(client, &config, width)))
            })
            .collect::<Result<Vec<_>>>()?;
        let (tags, counts) = (Mutex::new(config.learned.tags.clone()), AtomicBool::new(peers.len() < 2));
        Ok(Self {
            inner: Arc::new(Inner { config, http, peers, warnings: Warnings::default(), tags, counts }),
        })
    }

    /// What this run and earlier ones know of the chain and its endpoints.
    pub fn learned(&self) -> Learned {
        let widths = self
            .inner
            .peers
            .iter()
            .map(|peer| (peer.name().to_owned(), peer.log_width.load(Ordering::Relaxed)));
        Learned { tags: self.tags().clone(), log_widths: widths.filter(|(_, width)| *width > 0).collect() }
    }

    fn tags(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.inner.tags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pinned chain id.
    pub fn chain_id(&self) -> u64 {
        self.inner.config.chain_id
    }

    /// The configuration.
    pub fn config(&self) -> &ChainConfig {
        &self.inner.config
    }

    /// HTTP requests sent so far, to all endpoints, tries that failed included.
    pub fn requests(&self) -> u64 {
        self.inner.http.sent()
    }

    /// What went wrong at endpoints and was made good by others, since the last call; for the envelope's warnings.
    pub fn take_warnings(&self) -> Vec<String> {
        self.inner.warnings.take()
    }

    pub(super) const fn of(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    pub(super) fn warn(&self, text: String) {
        self.inner.warnings.add(text);
    }

    /// Runs `body` on one consistent view: one block, by its hash, on one endpoint.
    ///
    /// When the endpoint fails, the next one takes over at the same block hash and `body` starts from the
    /// beginning, so `body` must be fit to run again: what it stored must be found and continued, or be
    /// written after the view. When a reorg takes the block away, a new one is chosen and `body` starts anew,
    /// at most twice. An error that is no fault of the endpoint (a revert, a refusal of `body`) returns at once.
    ///
    /// Errors of its own: `wrong_network` when an endpoint is on another chain than the profile pins;
    /// `unreachable`, `rate_limited`, `bad_reply` or `rpc_error` when no endpoint could serve the view, naming
    /// each and why; `invalid_value` for a block that does not exist yet; `reorged` when the chain kept changing.
    pub async fn view<T, F>(&self, at: At, body: F) -> Result<T>
    where
        F: AsyncFnMut(&PinnedView) -> Result<T>,
    {
        self.view_above(at, 0, body).await
    }

    /// As [`Chain::view`], on an endpoint whose block is not below `known`, a height that the caller has seen.
    ///
    /// An endpoint that lags behind it is passed over. Where all of them do, the one that is furthest on serves:
    /// the chain may have gone back, or the caller has looked nearer to the head before. A block that was asked for
    /// by its height is taken as it is.
    pub async fn view_above<T, F>(&self, at: At, known: u64, mut body: F) -> Result<T>
    where
        F: AsyncFnMut(&PinnedView) -> Result<T>,
    {
        let mut peers: Vec<&Arc<Peer>> = self.inner.peers.iter().collect();
        peers.sort_by_key(|peer| peer.is_resting());
        let mut order = VecDeque::from(peers);
        // With one endpoint there is nothing to choose from.
        let mut known = if matches!(at, At::Number(_)) || order.len() < 2 { 0 } else { known };
        let mut lagging: Vec<(u64, &Arc<Peer>)> = Vec::new();
        let mut tagless: Vec<(&Arc<Peer>, Fault)> = Vec::new();
        let mut failed: Vec<(&str, Fault)> = Vec::new();
        let mut pin: Option<Pin> = None;
        let mut fresh_starts = 0;
        loop {
            let Some(peer) = order.front().map(|peer| Arc::clone(peer)) else {
                if !tagless.is_empty() && !self.inner.counts.swap(true, Ordering::Relaxed) {
                    order = tagless.drain(..).map(|(peer, _)| peer).collect();
                    continue;
                }
                if lagging.is_empty() {
                    return Err(self.none_left(&failed));
                }
                lagging.sort_by_key(|(block, _)| std::cmp::Reverse(*block));
                order = lagging.drain(..).map(|(_, peer)| peer).collect();
                known = 0;
                continue;
            };
            let fault = match self.open(&peer, at, pin).await {
                Err(Unopened::Fatal(error)) => return Err(error),
                // Before blocks are counted instead, every endpoint is asked for the tag.
                Err(Unopened::Fault(fault @ Fault::NoTag { absent: true, .. }))
                    if !self.inner.counts.load(Ordering::Relaxed) =>
                {
                    tagless.extend(order.pop_front().map(|peer| (peer, fault)));
                    continue;
                }
                Err(Unopened::Fault(fault)) => fault.cleaned(peer.redactor()),
                Ok(opened) if pin.is_none() && opened.block.number < known => {
                    lagging.extend(order.pop_front().map(|peer| (opened.block.number, peer)));
                    continue;
                }
                Ok(opened) => {
                    for (behind, fault) in tagless.drain(..) {
                        let (words, name) = (fault.words(), peer.name());
                        self.warn(format!("endpoint {:?} {words}; {name:?} took over", behind.name()));
                    }
                    if known > 0 {
                        for (block, behind) in &lagging {
                            let (behind, name) = (behind.name(), peer.name());
                            self.warn(format!(
                                "endpoint {behind:?} lags: it reads at block {block}, block {known} is known; {name:?} took over"
                            ));
                        }
                    }
                    pin = Some(opened);
                    let view = PinnedView::new(Arc::clone(&self.inner), Arc::clone(&peer), opened);
                    let result = body(&view).await;
                    match view.into_fault() {
                        None => return result,
                        Some(fault) => fault,
                    }
                }
            };
            if matches!(fault, Fault::LostPin) {
                fresh_starts += 1;
                let lost = pin.take().map_or(0, |pin| pin.block.number);
                if fresh_starts > FRESH_STARTS {
                    let why =
                        format!("endpoint {:?}: the chain keeps changing below block {lost}", peer.name());
                    return Err(Error::new(Code::Reorged, why).hint("try again, or read at --at finalized"));
                }
                self.warn(format!("block {lost} was reorganised away during the view; reading anew"));
                continue;
            }
            if fault.tires() {
                peer.rest();
            }
            let name = order.pop_front().map_or("", |peer| peer.name());
            if let Some(next) = order.front() {
                self.warn(format!("endpoint {name:?}: {}; {:?} took over", fault.words(), next.name()));
            }
            failed.push((name, fault));
        }
    }

    /// Checks the endpoint against the pin and finds the block, in one HTTP request where the server takes batches.
    async fn open(&self, peer: &Peer, at: At, pin: Option<Pin>) -> Result<Pin, Unopened> {
        let check = !peer.checked.load(Ordering::Relaxed);
        let mut calls = Vec::with_capacity(4);
        if check {
            calls.push(Call::new("eth_chainId", json!([])));
        }
        if let Some(pin) = pin {
            let hash = json!([pin.block.hash, false]);
            calls.extend([Call::new("eth_getBlockByHash", hash), by_number(wire::hex(pin.block.number))]);
        } else {
            let own = match at {
                At::Safe => Some("safe".into()),
                At::Number(n) => Some(wire::hex(n)),
                At::Finalized | At::Latest => None,
            };
            calls.extend(own.into_iter().chain(["finalized".into(), "latest".into()]).map(by_number));
        }
        let mut answers = peer.ask(&calls, Patience::Retry).await?.into_iter();
        if check {
            self.check_chain(peer, answers.next())?;
        }
        match pin {
            Some(pin) => {
                let by_hash = header("eth_getBlockByHash", answers.next())?;
                let canonical = header(BY_NUMBER, answers.next())?;
                match (by_hash, canonical) {
                    (Some(a), Some(b)) if a.hash == pin.block.hash && b.hash == pin.block.hash => Ok(pin),
                    _ => Err(Fault::UnknownBlock { number: pin.block.number }.into()),
                }
            }
            None => Ok(self.choose(peer, at, answers).await?),
        }
    }

    pub(super) fn check_chain(&self, peer: &Peer, answer: Option<Answer>) -> Result<(), Unopened> {
        let method = "eth_chainId";
        let raw = lasting(method, answer)?;
        let id = wire::quantity(&raw).map_err(|why| Fault::Bad { method, why })?;
        let Inner { config: ChainConfig { chain_id, profile, .. }, .. } = &*self.inner;
        if id != *chain_id {
            let why =
                format!("endpoint {:?} is on chain {id}, profile {profile:?} pins {chain_id}", peer.name());
            return Err(Unopened::Fatal(
                Error::new(Code::WrongNetwork, why)
                    .hint("correct evm.rpc_urls of the profile, or choose another --profile")
                    .detail("endpoint", peer.name())
                    .detail("endpoint_chain_id", id.to_string())
                    .detail("pinned_chain_id", chain_id.to_string()),
            ));
        }
        peer.checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn choose(
        &self,
        peer: &Peer,
        at: At,
        mut answers: impl Iterator<Item = Answer>,
    ) -> Result<Pin, Fault> {
        let own = if matches!(at, At::Safe | At::Number(_)) { answers.next() } else { None };
        let finalized = self.tagged("finalized", answers.next())?;
        let latest = header(BY_NUMBER, answers.next())?
            .ok_or_else(|| Fault::Bad { method: BY_NUMBER, why: "no latest block".to_owned() })?;
        let asked = match at {
            At::Number(number) if number > latest.number => {
                return Err(Fault::NoBlock { number, latest: latest.number });
            }
            At::Number(_) => header(BY_NUMBER, own)?,
            At::Safe => self.tagged("safe", own)?,
            At::Finalized | At::Latest => None,
        };
        let confirmations = self.inner.config.confirmations;
        let below = latest.number.saturating_sub(confirmations);
        let (block, chosen) = match (at, asked, finalized) {
            (At::Latest, _, _) => (Some(latest), ChosenBy::Chain),
            (At::Number(number), Some(block), _) if block.number == number => (Some(block), ChosenBy::Chain),
            (At::Number(number), _, _) => return Err(Fault::UnknownBlock { number }),
            (At::Safe, Some(block), _) | (At::Finalized, _, Some(block)) => (Some(block), ChosenBy::Chain),
            (At::Safe | At::Finalized, _, _) => (None, ChosenBy::Confirmations(confirmations)),
        };
        // Only a chain without the tags costs this second request.
        let counted = if block.is_none() || finalized.is_none() {
            let got = peer.ask(&[by_number(wire::hex(below))], Patience::Retry).await?.into_iter().next();
            Some(
                header(BY_NUMBER, got)?
                    .filter(|b| b.number == below)
                    .ok_or(Fault::UnknownBlock { number: below })?,
            )
        } else {
            None
        };
        let block = block.or(counted).unwrap_or(latest);
        let (last, finality_by) = match finalized {
            Some(finalized) => (finalized, ChosenBy::Chain),
            None => (counted.unwrap_or(latest), ChosenBy::Confirmations(confirmations)),
        };
        let finality = if last.number < block.number { last } else { block };
        Ok(Pin { at, block, chosen, finality, finality_by })
    }

    /// The header of a tag. None where the chain was never seen to have it, and no endpoint says that it has; on a
    /// chain that has shown it once, its absence is the endpoint's fault, as is any failure anywhere.
    fn tagged(&self, tag: &'static str, answer: Option<Answer>) -> Result<Option<BlockRef>, Fault> {
        let (words, absent) = match answer {
            Some(Err(error)) => (error.to_string(), speaks_of_a_tag(&error)),
            answer => match header(BY_NUMBER, answer)? {
                Some(block) => {
                    self.tags().insert(tag.to_owned());
                    return Ok(Some(block));
                }
                None => ("null".to_owned(), true),
            },
        };
        let absent = absent && !self.tags().contains(tag);
        if absent && self.inner.counts.load(Ordering::Relaxed) {
            return Ok(None);
        }
        Err(Fault::NoTag { tag, words, absent })
    }

    fn none_left(&self, failed: &[(&str, Fault)]) -> Error {
        let told = |(name, fault): &(&str, Fault)| Failed {
            endpoint: (*name).to_owned(),
            code: fault.code(),
            words: fault.words(),
        };
        let told: Vec<Failed> = failed.iter().map(told).collect();
        let hint =
            failed.iter().find_map(|(_, fault)| fault.hint()).unwrap_or(match failover::code_of(&told) {
                Code::RateLimited => "try again later, or add an endpoint to evm.rpc_urls",
                _ => "check the endpoints (poolctl config show), or add one to evm.rpc_urls",
            });
        failover::none_left(&told, "no endpoint could serve the view", &self.inner.config.profile).hint(hint)
    }
}

pub(super) const BY_NUMBER: &str = "eth_getBlockByNumber";

pub(super) fn by_number(block: impl Into<Value>) -> Call {
    Call::new(BY_NUMBER, Value::Array(vec![block.into(), false.into()]))
}

/// The value of an answer; an error of the server is a fault.
pub(super) fn lasting(
    method: &'static str,
    answer: Option<Answer>,
) -> Result<Box<serde_json::value::RawValue>, Fault> {
    match answer {
        Some(Ok(raw)) => Ok(raw),
        Some(Err(error)) => {
            let sort = sort(method, &error);
            Err(Fault::Rpc { method, error, sort })
        }
        None => Err(Fault::Bad { method, why: "no answer".to_owned() }),
    }
}

pub(super) fn header(method: &'static str, answer: Option<Answer>) -> Result<Option<BlockRef>, Fault> {
    let raw = lasting(method, answer)?;
    wire::header(&raw).map_err(|why| Fault::Bad { method, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_at_takes() {
        for (text, want) in [
            ("finalized", Some(At::Finalized)),
            ("safe", Some(At::Safe)),
            ("latest", Some(At::Latest)),
            ("0", Some(At::Number(0))),
            ("18446744073709551615", Some(At::Number(u64::MAX))),
            ("18446744073709551616", None),
            ("", None),
            ("+1", None),
            ("-1", None),
            ("0x10", None),
            ("Latest", None),
            ("pending", None),
            ("1 ", None),
        ] {
            assert_eq!(text.parse::<At>().ok(), want, "{text:?}");
            if let Some(at) = want {
                assert_eq!(at.to_string(), text);
            }
        }
    }

    #[test]
    fn a_profile_needs_an_endpoint() {
        let error = Chain::new(ChainConfig::new("testnet", 1, Vec::new())).unwrap_err();
        assert_eq!(error.code(), Code::MissingSetting);
    }
}
