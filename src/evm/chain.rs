//! A chain as a profile pins it: its endpoints in order, the choice of a view's block, and the failover of views.

use super::Learned;
use super::config::{At, ChainConfig};
use super::fault::Fault;
use super::peer::{Inner, Peer, Pin};
use super::view::PinnedView;
use base::{Code, Error, Remedy, Result, say};
use net::Http;
use net::asker::Patience;
use net::failover::{self, Failed, Warnings};
use net::jsonrpc::Client;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// How often a view is begun anew on a fresh block after a reorg took its own.
const FRESH_STARTS: u32 = 2;

/// The pinned chain, read through [`Chain::view`] only.
#[derive(Debug, Clone)]
pub struct Chain {
    inner: Arc<Inner>,
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
        Learned {
            tags: self.inner.tags().clone(),
            log_widths: widths.filter(|(_, width)| *width > 0).collect(),
        }
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
    pub async fn view<T>(&self, at: At, body: impl AsyncFnMut(&PinnedView) -> Result<T>) -> Result<T> {
        self.view_above(at, 0, body).await
    }

    /// As [`Chain::view`], on an endpoint whose block is not below `known`, a height that the caller has seen.
    ///
    /// An endpoint that lags behind it is passed over. Where all of them do, the one that is furthest on serves:
    /// the chain may have gone back, or the caller has looked nearer to the head before. A block that was asked for
    /// by its height is taken as it is.
    pub async fn view_above<T>(
        &self,
        at: At,
        known: u64,
        mut body: impl AsyncFnMut(&PinnedView) -> Result<T>,
    ) -> Result<T> {
        let mut peers: Vec<&Arc<Peer>> = self.inner.peers.iter().collect();
        peers.sort_by_key(|peer| peer.asker.is_resting());
        let mut order = VecDeque::from(peers);
        // With one endpoint there is nothing to choose from.
        let mut known = if matches!(at, At::Number(_)) || order.len() < 2 { 0 } else { known };
        let mut lagging: Vec<(u64, &Arc<Peer>)> = Vec::new();
        let mut tagless: Vec<(&Arc<Peer>, Fault)> = Vec::new();
        let (mut failed, mut hint) = (Vec::new(), None);
        let mut pin: Option<Pin> = None;
        let mut fresh_starts = 0;
        let warn = |text: String| self.inner.warnings.add(text);
        loop {
            let Some(peer) = order.pop_front() else {
                if !tagless.is_empty() && !self.inner.counts.swap(true, Ordering::Relaxed) {
                    order = tagless.drain(..).map(|(peer, _)| peer).collect();
                    continue;
                }
                if lagging.is_empty() {
                    return Err(self.none_left(&failed, hint));
                }
                lagging.sort_by_key(|(block, _)| std::cmp::Reverse(*block));
                order = lagging.drain(..).map(|(_, peer)| peer).collect();
                known = 0;
                continue;
            };
            let fault = match self.inner.open(peer, at, pin, Patience::Retry).await {
                Err(Fault::Final(error)) => return Err(error),
                // Before blocks are counted instead, every endpoint is asked for the tag.
                Err(fault @ Fault::NoTag { absent: true, .. })
                    if !self.inner.counts.load(Ordering::Relaxed) =>
                {
                    tagless.push((peer, fault));
                    continue;
                }
                Err(fault) => fault.cleaned(peer.asker.redactor()),
                Ok(opened) if pin.is_none() && opened.block.number < known => {
                    lagging.push((opened.block.number, peer));
                    continue;
                }
                Ok(opened) => {
                    for (behind, fault) in tagless.drain(..) {
                        let (words, name) = (fault.words(), peer.name());
                        warn(format!("endpoint {:?} {words}; {name:?} took over", behind.name()));
                    }
                    for (block, behind) in lagging.iter().filter(|_| known > 0) {
                        let (behind, name) = (behind.name(), peer.name());
                        warn(format!(
                            "endpoint {behind:?} lags: it reads at block {block}, block {known} is known; {name:?} took over"
                        ));
                    }
                    pin = Some(opened);
                    let view = PinnedView::new(Arc::clone(&self.inner), Arc::clone(peer), opened);
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
                warn(format!("block {lost} was reorganised away during the view; reading anew"));
                order.push_front(peer);
                continue;
            }
            if fault.tires() {
                peer.asker.rest();
            }
            let (endpoint, code, words) = (peer.name().to_owned(), fault.code(), fault.words());
            if let Some(next) = order.front() {
                let told = format!("endpoint {endpoint:?}: {words}; {:?} took over", next.name());
                self.inner.warnings.failed(&endpoint, code, told);
            }
            hint = hint.or_else(|| fault.hint());
            failed.push(Failed { endpoint, code, words });
        }
    }

    fn none_left(&self, failed: &[Failed], hint: Option<Remedy>) -> Error {
        let hint = hint.unwrap_or_else(|| match failover::code_of(failed) {
            Code::RateLimited => "try again later, or add an endpoint to evm.rpc_urls".into(),
            _ => say("check the endpoints (").run("config show").say("), or add one to evm.rpc_urls"),
        });
        failover::none_left(failed, "no endpoint could serve the view", &self.inner.config.profile).hint(hint)
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
