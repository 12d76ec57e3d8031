//! A network as a profile pins it: its endpoints in order, and the failover of what is asked of them.

use super::fault::{Fault, standing};
use super::network::network_id;
use super::newest::Voice;
use super::peer::{ClientConfig, Inner, LATEST, NETWORK, Peer};
use super::protocol::Newer;
use super::replies::Ledger;
use super::view::View;
use super::wire;
use base::{Code, Error, Result, say};
use net::asker::{Asker, Patience};
use net::failover::{self, Failed, Warnings};
use net::jsonrpc::{Call, Client as Wire};
use net::{Http, retry};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// The pinned network, asked through [`Client::view`] only.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

/// Whether a view must begin with a look at the newest ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    Fresh,
    /// An endpoint that was opened before is used as it is.
    Known,
}

impl Client {
    /// Prepares the endpoints; nothing is sent yet. Errors: `missing_setting` without endpoints.
    pub fn new(config: ClientConfig) -> Result<Self> {
        if config.endpoints.is_empty() {
            let why = format!("profile {:?} has no Stellar endpoint", config.profile);
            return Err(Error::new(Code::MissingSetting, why)
                .hint("set stellar.rpc_urls in the config, or STELLAR_RPC_URL"));
        }
        let http = Arc::new(Http::new(config.http));
        let alone = config.endpoints.len() == 1;
        let peers = config
            .endpoints
            .iter()
            .enumerate()
            .map(|(place, endpoint)| {
                let wire = Wire::new(Arc::clone(&http), endpoint.clone())?;
                let asker = Asker::new(wire, config.retry, config.batch, standing);
                let voice = Voice { place, alone };
                let (checked, protocol) = (AtomicBool::new(false), AtomicU32::new(0));
                Ok(Arc::new(Peer { asker, voice, checked, protocol }))
            })
            .collect::<Result<_>>()?;
        let network_id = network_id(&config.passphrase);
        let (warnings, newest, began) = (Warnings::default(), Mutex::default(), Instant::now());
        Ok(Self { inner: Arc::new(Inner { config, network_id, http, peers, warnings, newest, began }) })
    }

    /// The pinned passphrase.
    pub fn passphrase(&self) -> &str {
        &self.inner.config.passphrase
    }

    /// Its SHA-256, under which everything is signed.
    pub fn network_id(&self) -> [u8; 32] {
        self.inner.network_id
    }

    /// The newest ledger that this run believes in. Time is the network's, never the machine's.
    pub fn seen(&self) -> Option<Ledger> {
        self.inner.seen()
    }

    /// As [`Http::server_clock`].
    pub fn server_clock(&self) -> Option<(Instant, i64)> {
        self.inner.http.server_clock()
    }

    /// The newest protocol that an endpoint named; none where none was asked, or none does.
    pub fn protocol(&self) -> Option<u32> {
        let named = self.inner.peers.iter().map(|peer| peer.protocol.load(Ordering::Relaxed));
        named.max().filter(|protocol| *protocol > 0)
    }

    /// How many endpoints there are.
    pub fn endpoints(&self) -> usize {
        self.inner.peers.len()
    }

    /// HTTP requests sent so far, to all endpoints, tries that failed included.
    pub fn requests(&self) -> u64 {
        self.inner.http.sent()
    }

    /// What went wrong and was made good, since the last call; for the envelope's warnings.
    pub fn take_warnings(&self) -> Vec<String> {
        self.inner.warnings.take()
    }

    /// Notes what went wrong and was made good; the same only once.
    pub fn warn(&self, text: String) {
        self.inner.warnings.add(text);
    }

    /// Runs `body` on one endpoint, whose passphrase was checked and whose newest ledger was read, in one HTTP
    /// request where the server takes batches.
    ///
    /// When the endpoint fails, the next one takes over and `body` starts from the beginning, so `body` must be fit
    /// to run again. So it is with an answer that cannot be right, or that another endpoint may contradict (see
    /// `is_doubtful`); any other error returns at once.
    ///
    /// Errors of its own, when no endpoint could serve, naming each and why: `wrong_network`, `unreachable`,
    /// `rate_limited`, `bad_reply`, `newer_protocol`, `behind` or `rpc_error`.
    pub async fn view<T>(&self, body: impl AsyncFnMut(&View) -> Result<T>) -> Result<T> {
        self.over_endpoints(Opening::Fresh, |_| true, body).await
    }

    /// As [`Client::view`], on any endpoint but this one; `None` where there is no other.
    pub async fn elsewhere<T>(
        &self,
        than: &str,
        body: impl AsyncFnMut(&View) -> Result<T>,
    ) -> Option<Result<T>> {
        let other = self.inner.peers.iter().any(|peer| peer.asker.name() != than);
        if other { Some(self.over_endpoints(Opening::Fresh, |name| name != than, body).await) } else { None }
    }

    /// Runs `body` on every endpoint, each for itself, in their order.
    pub async fn each<T>(&self, mut body: impl AsyncFnMut(&View) -> Result<T>) -> Vec<Result<T>> {
        let mut each = Vec::with_capacity(self.inner.peers.len());
        for peer in &self.inner.peers {
            each.push(self.over_endpoints(Opening::Fresh, |name| name == peer.asker.name(), &mut body).await);
        }
        each
    }

    /// Asks this endpoint last for a while, since another contradicts it, and says so.
    pub fn distrust(&self, name: &str, why: &str) {
        for peer in self.inner.peers.iter().filter(|peer| peer.asker.name() == name) {
            peer.asker.rest();
        }
        self.warn(format!("endpoint {name:?}: {why}"));
    }

    /// As [`Client::view`], but an endpoint that this run has used before is used without a request of its own; the
    /// view's ledger is then the newest that was seen.
    pub(super) async fn known<T>(&self, body: impl AsyncFnMut(&View) -> Result<T>) -> Result<T> {
        self.over_endpoints(Opening::Known, |_| true, body).await
    }

    async fn over_endpoints<T>(
        &self,
        opening: Opening,
        among: impl Fn(&str) -> bool,
        mut body: impl AsyncFnMut(&View) -> Result<T>,
    ) -> Result<T> {
        let peers = self.inner.peers.iter();
        let mut order: Vec<&Arc<Peer>> = peers.filter(|peer| among(peer.asker.name())).collect();
        order.sort_by_key(|peer| peer.asker.is_resting());
        let mut order = order.into_iter().peekable();
        let mut failed: Vec<Failed> = Vec::new();
        let mut doubted = None;
        while let Some(peer) = order.next() {
            let name = peer.asker.name();
            let (code, words) = match self.open(peer, opening).await {
                Err(fault) => self.tired(peer, &fault),
                Ok(ledger) => {
                    let view = View::new(Arc::clone(&self.inner), Arc::clone(peer), ledger);
                    let result = body(&view).await;
                    match (view.into_fault(), result) {
                        (Some(fault), _) => self.tired(peer, &fault),
                        (None, Err(error)) if is_doubtful(error.code()) => {
                            self.rest(peer);
                            let told = (error.code(), error.message().to_owned());
                            doubted = Some(error);
                            told
                        }
                        (None, result) => return result,
                    }
                }
            };
            if let Some(next) = order.peek() {
                let told = format!("endpoint {name:?}: {words}; {:?} took over", next.asker.name());
                self.inner.warnings.failed(name, code, told);
            }
            failed.push(Failed { endpoint: name.to_owned(), code, words });
        }
        // What all say alike, or one that is alone, is the answer.
        let stands = |error: &Error| {
            let alike = failed.iter().all(|one| one.code == error.code());
            alike && (failed.len() == 1 || error.code() != Code::BadReply)
        };
        Err(doubted.filter(stands).unwrap_or_else(|| self.none_left(&failed)))
    }

    /// Notes that an endpoint failed: it is asked last for a while, unless it never was one.
    fn tired(&self, peer: &Peer, fault: &Fault) -> (Code, String) {
        if !matches!(fault, Fault::Foreign(_)) {
            self.rest(peer);
        }
        (fault.code(), peer.asker.redactor().clean(&fault.words()))
    }

    fn rest(&self, peer: &Peer) {
        if self.inner.peers.len() > 1 {
            peer.asker.rest();
        }
    }

    /// Checks the endpoint against the pin and reads its newest ledger, which must not be older than any seen.
    async fn open(&self, peer: &Peer, opening: Opening) -> Result<Ledger, Fault> {
        let check = !peer.checked.load(Ordering::Relaxed);
        if let (false, Opening::Known, Some(ledger)) = (check, opening, self.seen()) {
            return Ok(ledger);
        }
        let mut calls = Vec::with_capacity(2);
        if check {
            calls.push(Call::new(NETWORK, json!({})));
        }
        calls.push(Call::new(LATEST, json!({})));
        retry(&self.inner.config.retry, Fault::may_pass, async || {
            let asked = self.inner.asking();
            let mut answers = peer.asker.ask(&calls, Patience::Retry).await?.into_iter();
            if check {
                let found = peer.value(NETWORK, answers.next(), wire::network)?;
                if found != self.inner.config.passphrase {
                    return Err(Fault::Foreign(peer.asker.redactor().clean(&found)));
                }
            }
            let ledger = peer.value(LATEST, answers.next(), wire::latest_ledger)?;
            self.inner.hear(peer, ledger, asked)?;
            peer.checked.store(true, Ordering::Relaxed);
            Ok(ledger)
        })
        .await
    }

    fn none_left(&self, failed: &[Failed]) -> Error {
        let config = &self.inner.config;
        let hint = match failover::code_of(failed) {
            Code::WrongNetwork => {
                let pinned = format!(
                    "profile {:?} pins {:?}: correct stellar.rpc_urls, or choose another ",
                    config.profile, config.passphrase
                );
                say(pinned).with("profile")
            }
            Code::Rpc => say("check the endpoint's URL and its plan, or add another to stellar.rpc_urls"),
            Code::NewerProtocol => say(Newer::FIX),
            _ => say("try again later, or add another endpoint to stellar.rpc_urls"),
        };
        let what = format!("no Stellar endpoint of profile {:?} could serve", config.profile);
        failover::none_left(failed, &what, &config.profile).hint(hint)
    }
}

/// Whether an error of what was read may be the endpoint's alone: another one is asked before it is believed.
const fn is_doubtful(code: Code) -> bool {
    matches!(code, Code::BadReply | Code::NotAContract | Code::FeeCapped | Code::UnsupportedAuth)
}

/// Whether an error is of endpoints that could not serve, or not soundly: another one may.
pub const fn is_of_endpoints(code: Code) -> bool {
    code.is_transient() || is_doubtful(code) || matches!(code, Code::WrongNetwork | Code::NewerProtocol)
}
