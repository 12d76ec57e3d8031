//! A Soroban network in this process: the real host over an in-memory ledger, behind Stellar RPC.

mod account;
mod apply;
mod assets;
#[cfg(test)]
mod bench;
mod chain;
mod client;
mod control;
mod costs;
mod entries;
mod farm;
mod footprint;
mod host;
mod keys;
mod operations;
mod options;
mod rpc;
mod settings;
mod signatures;
mod time;
mod transaction;
#[cfg(test)]
mod vectors;

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use self::chain::Chain;
pub use self::farm::{FARM_WASM, Farm};
pub use self::keys::Keypair;
use self::rpc::Node;
use crate::Result;
use crate::clock::{Ticker, four_weeks_ago, room_after};
use crate::fault::Fault;
use crate::http::{Server, Service};

/// How a network is set up.
#[derive(Clone, Debug)]
pub struct StellarOptions {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The network's passphrase, which everything signed for it includes.
    pub passphrase: String,
    /// Number of the first ledger.
    pub first_ledger: u32,
    /// Close time of the first ledger, in seconds; by default four weeks ago.
    pub start_time: Option<u64>,
    /// Chain time from one ledger to the next, in seconds.
    pub ledger_seconds: u64,
    /// Wall time between two ledgers; without it they close by hand only.
    pub tick: Option<Duration>,
    /// Whether a simulated call restores archived entries itself, as the network has allowed since protocol 23; otherwise
    /// the simulation comes with a `restorePreamble`.
    pub auto_restore: bool,
}

impl Default for StellarOptions {
    fn default() -> Self {
        Self {
            port: 0,
            passphrase: "Standalone Network ; February 2017".to_owned(),
            first_ledger: 1_000,
            start_time: None,
            ledger_seconds: 5,
            tick: None,
            auto_restore: false,
        }
    }
}

/// A running network; it stops when dropped.
pub struct Stellar {
    node: Arc<Node>,
    /// Ends before the server does.
    ticker: Option<Ticker>,
    server: Server,
}

impl std::fmt::Debug for Stellar {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Stellar").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Stellar {
    /// Starts a network with one closed ledger, listening on loopback.
    pub fn start(options: &StellarOptions) -> Result<Self> {
        let start = options.start_time.unwrap_or_else(four_weeks_ago);
        let root = keys::account_id(&keys::signing_key(&options.passphrase));
        let chain =
            Chain::new(&options.passphrase, options.first_ledger, start, options.ledger_seconds, &root)?;
        let node = Arc::new(Node::new(chain, options.auto_restore));
        let server = Server::start(options.port, Arc::clone(&node))?;
        let ticker = options.tick.map(|tick| start_ticker(&node, tick)).transpose()?;
        Ok(Self { node, ticker, server })
    }

    /// A network of its own that goes on from where this one is, on another port: with its history and its queue,
    /// without the faults that were ordered, and with ledgers that close by hand.
    pub fn fork(&self) -> Result<Self> {
        let node = Node::new(self.node.chain().clone(), self.node.auto_restore);
        *node.farm.lock().unwrap_or_else(PoisonError::into_inner) = self.farm();
        let node = Arc::new(node);
        let server = Server::start(0, Arc::clone(&node))?;
        Ok(Self { node, ticker: None, server })
    }

    /// Closes a ledger at each tick from now on.
    pub fn tick(&mut self, every: Duration) -> Result<()> {
        self.ticker = None;
        self.ticker = Some(start_ticker(&self.node, every)?);
        Ok(())
    }

    /// Where Stellar RPC is answered: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The network's passphrase.
    pub fn passphrase(&self) -> String {
        self.node.chain().passphrase.clone()
    }

    /// The account that holds all lumens.
    pub fn root(&self) -> Keypair {
        Keypair::derive(&self.passphrase())
    }

    /// Number and close time (in seconds) of the newest ledger.
    pub fn latest(&self) -> Result<(u32, u64)> {
        let chain = self.node.chain();
        let latest = chain.latest()?;
        Ok((latest.sequence, latest.time))
    }

    /// Transactions that wait for the next ledger.
    pub fn waiting(&self) -> usize {
        self.node.chain().waiting()
    }

    /// Requests that were looked at so far.
    pub fn requests(&self) -> u64 {
        self.node.requests.load(Ordering::Relaxed)
    }

    /// Closes this many ledgers of the usual length; returns the newest one's number.
    pub fn advance(&self, ledgers: u32) -> Result<u32> {
        Ok(control::advance(&mut self.node.chain(), Some(ledgers), None)?.0)
    }

    /// Closes this many ledgers over `seconds` of chain time in all; returns the newest one's number.
    pub fn advance_over(&self, ledgers: u32, seconds: u64) -> Result<u32> {
        Ok(control::advance(&mut self.node.chain(), Some(ledgers), Some(seconds))?.0)
    }

    /// Gives an account lumens (in stroops), making it when it does not exist.
    pub fn fund(&self, account: &str, stroops: i64) -> Result<()> {
        control::fund(&mut self.node.chain(), account, stroops)
    }

    /// Issues the farm's token (in stroops) to an account that has the trustline.
    pub fn fund_kale(&self, account: &str, stroops: i64) -> Result<()> {
        control::fund_kale(&self.node, account, stroops)
    }

    /// A funded account whose key is derived from a name, with the same result each time.
    pub fn account(&self, name: &str, stroops: i64) -> Result<Keypair> {
        let key = Keypair::derive(&format!("poolctl sandbox: account {name}"));
        self.fund(&key.address, stroops)?;
        Ok(key)
    }

    /// Deploys the token and the farm contract, [`FARM_WASM`] or another build with the same interface, in four ledgers.
    pub fn deploy_farm(&self, wasm: &[u8]) -> Result<Farm> {
        let farm = farm::deploy(&mut self.node.chain(), wasm)?;
        *self.node.farm.lock().unwrap_or_else(PoisonError::into_inner) = Some(farm.clone());
        Ok(farm)
    }

    /// Lets the farm's contract and code be archived from the next ledger on, as when nobody has called it for half a year.
    pub fn archive_farm(&self) -> Result<()> {
        control::archive_farm(&self.node)
    }

    /// The farm, once it is deployed.
    pub fn farm(&self) -> Option<Farm> {
        self.node.farm()
    }

    /// Orders a fault for the next `times` requests of a method, `*` for any.
    pub fn fault(&self, method: &str, fault: Fault, times: u32) {
        self.node.faults().order(method, fault, times);
    }

    /// Forgets the faults ordered so far.
    pub fn clear_faults(&self) {
        self.node.faults().clear();
    }
}

impl Node {
    /// The farm, once it is deployed.
    pub(crate) fn farm(&self) -> Option<Farm> {
        self.farm.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Closes a ledger at each tick.
fn start_ticker(node: &Arc<Node>, tick: Duration) -> Result<Ticker> {
    let node = Arc::clone(node);
    Ticker::start(tick, move || {
        let mut chain = node.chain();
        let room = room_after(chain.latest()?.time);
        let seconds = chain.ledger_seconds.min(room);
        chain.close(seconds)
    })
}

#[cfg(test)]
mod tests {
    use super::{Stellar, StellarOptions};

    #[test]
    fn a_fork_goes_its_own_way() {
        let one = Stellar::start(&StellarOptions::default()).unwrap();
        let ada = one.account("ada", 7).unwrap();
        let two = one.fork().unwrap();
        assert_eq!(one.latest().unwrap(), two.latest().unwrap());
        two.advance(3).unwrap();
        // As on the first network, the account is there: it is given more, not made again.
        two.fund(&ada.address, i64::MAX - 7).unwrap();
        assert!(two.fund(&ada.address, 1).is_err());
        one.fund(&ada.address, 1).unwrap();
        assert_eq!(two.latest().unwrap().0, one.latest().unwrap().0 + 3);
        assert_ne!(one.url(), two.url());
    }

    #[test]
    fn networks_can_be_shared_and_stand_side_by_side() {
        fn is_shareable<T: Send + Sync>(_: &T) {}
        let one = Stellar::start(&StellarOptions::default()).unwrap();
        let other = Stellar::start(&StellarOptions::default()).unwrap();
        is_shareable(&one);
        assert_ne!(one.url(), other.url());
    }
}
