//! A chain as a profile pins it: its endpoints in order, the choice of a view's block, and the failover of views.

use super::Learned;
use super::config::{At, ChainConfig, ChosenBy};
use super::fault::{Fault, speaks_of_a_tag};
use super::peer::{Patience, Peer};
use super::pin::{Inner, Pin, by_number, header, lasting};
use super::view::PinnedView;
use super::wire::{self, BY_NUMBER, BlockRef};
use base::{Code, Error, Result, say};
use net::Http;
use net::failover::{self, Failed, Warnings};
use net::jsonrpc::{Answer, Call, Client};
use serde_json::json;
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How often a view is begun anew on a fresh block after a reorg took its own.
const FRESH_STARTS: u32 = 2;

/// The pinned chain, read through [`Chain::view`] only.
#[derive(Debug, Clone)]
pub struct Chain {
    inner: Arc<Inner>,
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
                    return Err(Error::new(Code::Reorged, why)
                        .hint(say("try again, or read at ").with("at").of("finalized")));
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
                    .hint(say("correct evm.rpc_urls of the profile, or choose another ").with("profile"))
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
                Code::RateLimited => "try again later, or add an endpoint to evm.rpc_urls".into(),
                _ => say("check the endpoints (").run("config show").say("), or add one to evm.rpc_urls"),
            });
        failover::none_left(&told, "no endpoint could serve the view", &self.inner.config.profile).hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_needs_an_endpoint() {
        let error = Chain::new(ChainConfig::new("testnet", 1, Vec::new())).unwrap_err();
        assert_eq!(error.code(), Code::MissingSetting);
    }
}
