//! An EVM, a state, and payments to submit.

use alloy::primitives::{Address, B256, Signature, U256};
use base::clock::Clock;
use base::{Endpoint, Result, Stop};
use evm::{Action, At, Chain, ChainConfig, EvmNetwork, Intent, SubmitOptions};
use k256::ecdsa::SigningKey;
use net::RetryPolicy;
use outbox::{Desk, Network, Operation, Pace, Recorder, Settled, Status, Submitted};
use poolctl_sandbox::evm::DEV_ACCOUNTS;
use poolctl_testkit::{Node, NodeKind, NodeOptions};
use serde_json::json;
use state::{Consent, Holder, Lock, Permit, Run, State, Tx, ValuePermit};
use std::time::Duration;
use tempfile::TempDir;

/// A block of its own for each transaction is not what a chain does: blocks come when [`Bench::run`] makes them.
pub struct Bench {
    pub node: Node,
    pub seat: Seat,
}

/// An opened state.
pub struct Seat {
    pub state: State,
    lock: Lock,
    folder: TempDir,
}

impl Seat {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        state::create(&path).unwrap();
        let holder = Holder { pid: 1, command: "test".into(), since: 0 };
        let lock = Lock::acquire(&path, &holder, Duration::from_secs(5), &Stop::default()).unwrap();
        let run = Run { id: "run".into(), actor: "tester".into(), clock: Clock::Fixed(1_700_000_000) };
        let state = State::write_access(&path, run, &lock).unwrap();
        Self { state, lock, folder }
    }

    /// The same state, opened once more: another run's.
    pub fn beside(&self) -> State {
        let run = Run { id: "other".into(), ..self.state.run().clone() };
        State::write_access(&self.folder.path().join("state.sqlite"), run, &self.lock).unwrap()
    }

    pub fn desk<'a, N: Network>(&'a mut self, network: N, stop: &'a Stop, wait: Duration) -> Desk<'a, N> {
        let pace = Pace { parallel: 10, poll: Duration::from_millis(5), wait };
        Desk { network, state: &mut self.state, permit: Permit::dry_run(), stop, pace }
    }

    /// One value of the state.
    pub fn value<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.state.conn().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// The operations as `network key state attempts`, and how often each was recorded.
    pub fn operations(&self) -> Vec<String> {
        let sql = "SELECT o.network || ' ' || o.key || ' ' || o.state
             || ' ' || (SELECT count(*) FROM operation_attempts WHERE operation_id = o.id)
             || ' ' || (SELECT count(*) FROM events WHERE kind = 'test.recorded' AND subject = o.key)
             FROM operations o ORDER BY o.key";
        let mut rows = self.state.conn().prepare(sql).unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().map(|row| row.unwrap()).collect()
    }
}

/// Waits as long as it takes.
pub const PATIENT: Duration = Duration::from_secs(30);
/// Looks once.
pub const ONCE: Duration = Duration::ZERO;

/// The network, behind this URL.
pub fn network(url: &str) -> EvmNetwork {
    network_of(&[url])
}

/// The network, behind these URLs, which are asked in their order.
pub fn network_of(urls: &[&str]) -> EvmNetwork {
    let urls: Vec<String> = urls.iter().enumerate().map(|(i, url)| format!("e{i}={url}")).collect();
    let mut config = ChainConfig::new("testnet", 31337, Endpoint::parse_list(&urls).unwrap());
    config.retry = RetryPolicy { attempts: 2, base: Duration::from_millis(1), ..RetryPolicy::default() };
    let options = SubmitOptions { at: At::Safe, max_fee_per_gas: 100_000_000_000, gas_margin: 20 };
    EvmNetwork::new(&Chain::new(config).unwrap(), options)
}

impl Bench {
    pub fn new() -> Self {
        let options = NodeOptions { automine: false, ..NodeOptions::default() };
        Self { node: Node::start(NodeKind::Sandbox, &options).unwrap(), seat: Seat::new() }
    }

    /// Submits, while blocks come.
    pub fn submit(&mut self, url: &str, intent: &Intent, wait: Duration) -> Result<Submitted<evm::Evm>> {
        self.submit_at(&[url], intent, wait)
    }

    /// The same, at these endpoints.
    pub fn submit_at(
        &mut self,
        urls: &[&str],
        intent: &Intent,
        wait: Duration,
    ) -> Result<Submitted<evm::Evm>> {
        let (network, stop) = (network_of(urls), Stop::default());
        let mut desk = self.seat.desk(network, &stop, wait);
        let work = outbox::submit(&mut desk, consent(), std::slice::from_ref(intent), &Keys, &Notes);
        run(while_mined(&self.node, work)).unwrap().remove(0)
    }

    /// Settles what is open, while blocks come, sending it again where that is allowed.
    pub fn settle(&mut self, wait: Duration, send: bool) -> Vec<(Operation, Result<Settled<evm::Evm>>)> {
        let (network, stop) = (network(self.node.url()), Stop::default());
        let mut desk = self.seat.desk(network, &stop, wait);
        let work = outbox::settle_open(&mut desk, send.then(consent), &Notes, &outbox::all::<evm::Evm>);
        run(while_mined(&self.node, work)).unwrap()
    }

    pub fn balance(&self, of: Address) -> U256 {
        serde_json::from_value(self.node.rpc("eth_getBalance", json!([of, "latest"])).unwrap()).unwrap()
    }

    pub fn nonce(&self, of: Address) -> u64 {
        let count: U256 =
            serde_json::from_value(self.node.rpc("eth_getTransactionCount", json!([of, "latest"])).unwrap())
                .unwrap();
        count.to()
    }
}

pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Blocks come every few milliseconds until the work is done.
pub async fn while_mined<T>(node: &Node, work: impl Future<Output = T>) -> T {
    let blocks = async {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            node.mine(1).unwrap();
        }
    };
    tokio::select! {
        done = work => done,
        () = blocks => unreachable!("they never end"),
    }
}

/// Who pays.
pub fn payer() -> Address {
    DEV_ACCOUNTS[0].address
}

/// An account that nothing else is paid to.
pub fn payee(n: u64) -> Address {
    Address::left_padding_from(&(0x00c0_ffee_0000 + n).to_be_bytes())
}

pub fn ether() -> U256 {
    U256::from(10).pow(U256::from(18))
}

pub fn pay(key: &str, to: Address, value: U256) -> Intent {
    Intent {
        key: key.to_owned(),
        kind: "pay",
        subject: to.to_string(),
        plan: json!({ "to": to, "value": value }),
        source: payer(),
        action: Action { to, value, input: alloy::primitives::Bytes::new() },
        valid_until: None,
    }
}

pub fn consent() -> ValuePermit<'static> {
    ValuePermit::obtain(Permit::dry_run(), Consent::Given, "test").unwrap()
}

/// The sandbox's own accounts.
pub struct Keys;

impl evm::Signers for Keys {
    fn sign(&self, account: Address, hash: B256) -> Result<Signature> {
        let found = DEV_ACCOUNTS.iter().find(|one| one.address == account).expect("one of the sandbox's");
        let key = SigningKey::from_slice(found.key.as_slice()).unwrap();
        Ok(Signature::from(key.sign_prehash_recoverable(hash.as_slice()).unwrap()))
    }
}

/// Notes that an operation was recorded.
pub struct Notes;

impl<C: outbox::Chain> Recorder<C> for Notes {
    fn record(&self, tx: &Tx<'_>, operation: &Operation, settled: &Settled<C>) -> Result<()> {
        tx.event("test.recorded", &operation.key, &json!({ "status": settled.status }))?;
        Ok(())
    }
}

pub fn settled<C: outbox::Chain>(result: &Result<Submitted<C>>, status: Status) -> &Settled<C> {
    match result {
        Ok(Submitted::Settled(settled)) if settled.status == status => settled,
        other => panic!("not {status:?}: {other:?}"),
    }
}
