//! The harness: a network with a farm, a home with farmers that the binary registered, and ledgers that close when a
//! transaction waits for one.

pub use crate::support::{BINARY, Home, Ran, ended, until};

use base::clock::Clock;
use base::{Endpoint, Stop};
use ed25519_dalek::SigningKey;
use grind::Job;
use kale::contract::{Block, Entry, Farm, Pail, decode_block, decode_farm, decode_pail};
use kale::wallet::{self, Wallet};
use outbox::{Desk as Submitting, NothingMore, Pace, submit};
use poolctl_sandbox::stellar::{FARM_WASM, Keypair, Stellar, StellarOptions};
use poolctl_testkit::cli;
use rusqlite::Connection;
use serde_json::Value;
use state::{Consent, Holder, Lock, Permit, Run as StateRun, State, ValuePermit};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use stellar::submit::{Intent, StellarNetwork, SubmitOptions, Submitted};
use stellar::xdr::{AccountId, ContractId, LedgerEntryData, LedgerKey, ScAddress, ScVal};
use stellar::{Action, Client, ClientConfig};

pub const XLM: i64 = 10_000_000;
pub const KALE: i64 = 10_000_000;

/// Requests after which a run is waiting for the clock: what failed in a ledger is tried again in the next.
const IN_VAIN: u64 = 40;

/// Unlocks the key store of these tests, and nothing else anywhere.
const IDENTITY: &str = "AGE-SECRET-KEY-1E0LTVZ5A3A80855SZCF8HZF58HEAYAP72505EGQN66XMCTQU29YSK5X8J9";

/// A farmer, and its key outside of the key store.
#[derive(Clone)]
pub struct Farmer {
    pub id: String,
    pub address: String,
    pub key: SigningKey,
}

impl Farmer {
    /// Somebody whose key is known.
    pub fn of_pair(id: &str, pair: &Keypair) -> Self {
        let seed: stellar_strkey::ed25519::PrivateKey = pair.secret.parse().unwrap();
        Self { id: id.to_owned(), address: pair.address.clone(), key: SigningKey::from_bytes(&seed.0) }
    }

    pub fn account(&self) -> AccountId {
        self.address.parse().unwrap()
    }
}

/// The whole set.
pub struct Desk {
    pub network: Arc<Stellar>,
    pub contract: ContractId,
    pub farmers: Vec<Farmer>,
    pub home: Home,
    pub client: Client,
    pub asset: String,
}

impl Desk {
    /// A network with a farm, whose block is open, and a home without farmers.
    pub fn empty() -> Self {
        let options = StellarOptions { ledger_seconds: 5, ..StellarOptions::default() };
        Self::on(Arc::new(Stellar::start(&options).unwrap()))
    }

    pub fn on(network: Arc<Stellar>) -> Self {
        let farm = network.deploy_farm(FARM_WASM).unwrap();
        let client = client_of(&network);
        let desk = Self {
            contract: farm.contract.parse().unwrap(),
            asset: farm.asset.clone(),
            farmers: Vec::new(),
            home: Home::ready(),
            client,
            network,
        };
        desk.write_private("identity.txt", &format!("{IDENTITY}\n"));
        desk.configure("");
        desk.run("pooler add north --reward-split 0.2 --platform-fee 0.05").exits(0);
        desk
    }

    /// With so many farmers that are ready: each has 100 XLM, a trustline, and so many stroops of KALE.
    pub fn with_farmers(count: usize, kale: i64) -> Self {
        Self::furnished(Self::empty(), count, kale)
    }

    /// The same on a desk that has no farmers yet.
    pub fn furnished(mut desk: Self, count: usize, kale: i64) -> Self {
        let names: Vec<String> = (0..count).map(|n| format!("farmer {n}")).collect();
        for name in &names {
            desk.register(name, "0.25");
        }
        for farmer in &desk.farmers {
            desk.network.fund(&farmer.address, 100 * XLM).unwrap();
        }
        let everybody = desk.farmers.clone();
        desk.trust(&everybody);
        for farmer in everybody.iter().filter(|_| kale > 0) {
            desk.network.fund_kale(&farmer.address, kale).unwrap();
        }
        desk
    }

    /// Registers a farmer, with no account yet; its key comes from a name.
    pub fn register(&mut self, name: &str, stake: &str) -> Farmer {
        let pair = Keypair::derive(&format!("poolctl farm test: {name}"));
        let line = format!("farmer import --pooler north --stake-percentage {stake}");
        let data = self.run(&line).input(&pair.secret).json();
        let id = data["id"].as_str().unwrap().to_owned();
        for status in ["leaving", "active"] {
            self.run(&format!("farmer set {id} --status {status}")).exits(0);
        }
        let farmer = Farmer::of_pair(&id, &pair);
        self.farmers.push(farmer.clone());
        farmer
    }

    /// The same network and home once more, from where they are now: what happens to one does not happen to the other.
    pub fn fork(&self) -> Self {
        let network = Arc::new(self.network.fork().unwrap());
        let home = self.home.fork();
        let text = std::fs::read_to_string(home.config()).unwrap();
        home.write_config(&text.replace(&self.network.url(), &network.url()));
        Self {
            client: client_of(&network),
            network,
            contract: self.contract.clone(),
            farmers: self.farmers.clone(),
            home,
            asset: self.asset.clone(),
        }
    }

    /// A farmer outside of the pool, with lumens.
    pub fn stranger(&self) -> Farmer {
        Farmer::of_pair("stranger", &self.network.account("stranger", 100 * XLM).unwrap())
    }

    /// Replaces the settings of the profile; the necessary ones stay.
    pub fn configure(&self, more: &str) {
        self.write_config(&[self.network.url()], more);
    }

    /// The same with these endpoints, named `one`, `two` and so on.
    pub fn write_config(&self, urls: &[String], more: &str) {
        let names = ["one", "two", "three"];
        let urls: Vec<String> =
            names.iter().zip(urls).map(|(name, url)| format!("\"{name}={url}\"")).collect();
        let text = format!(
            "profile = \"sandbox\"\n[profiles.sandbox]\nstellar.network = \"sandbox\"\nstellar.rpc_urls = [{}]\nstellar.poll_ms = 10\n\
             stellar.attempts = 2\nstellar.retry_base_ms = 5\nkale.contract_id = \"{}\"\n\
             keys.identity_file = \"{}\"\n{more}\n",
            urls.join(", "),
            self.contract,
            self.path("identity.txt").display(),
        );
        self.home.write_config(&text);
    }

    pub fn write_private(&self, name: &str, text: &str) {
        self.home.write_private(name, text);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn state(&self) -> PathBuf {
        self.home.state()
    }

    /// The state as an outsider sees it.
    pub fn sqlite(&self) -> Connection {
        self.home.sqlite()
    }

    /// One value of the state.
    #[track_caller]
    pub fn value<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.sqlite().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// One column of the state.
    pub fn column(&self, sql: &str) -> Vec<String> {
        let conn = self.sqlite();
        let mut rows = conn.prepare(sql).unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// The balance of an account of the ledger, in stroops; 0 where it was never used.
    pub fn booked(&self, kind: &str, owner: &str, purpose: &str) -> i128 {
        let sql = format!(
            "SELECT coalesce((SELECT balance FROM ledger_accounts
             WHERE owner_kind = '{kind}' AND owner = '{owner}' AND purpose = '{purpose}'), '0')"
        );
        self.value::<String>(&sql).parse().unwrap()
    }

    /// `state check` finds nothing.
    #[track_caller]
    pub fn is_sound(&self) {
        let ran = self.run("state check --json").exits(0);
        assert_eq!(ran.last()["data"]["findings"], Value::Array(Vec::new()));
    }

    /// A run of the binary with these arguments, separated by spaces.
    pub fn run(&self, line: &str) -> Run<'_> {
        self.home.run(line).around(self)
    }

    /// Ledgers that close whenever a transaction waits for one, or a run has asked for a new one in vain for long, until
    /// dropped.
    pub fn ledgers(&self) -> Ledgers {
        let network = Arc::clone(&self.network);
        let (mut before, mut asked) = (0, network.requests());
        Ledgers::each(Duration::from_millis(5), move || {
            // Those that are sent together land together: wait for the queue to stand still.
            let waiting = network.waiting();
            let in_vain = waiting == 0 && network.requests().saturating_sub(asked) >= IN_VAIN;
            if (waiting > 0 && waiting == before) || in_vain {
                network.advance(1).unwrap();
                asked = network.requests();
            }
            before = waiting;
        })
    }

    /// Closes ledgers until the block is `age` seconds old.
    pub fn age(&self, age: u64) {
        let (_, now) = self.network.latest().unwrap();
        let began = self.farm().open.unwrap().timestamp;
        let wanted = began + age;
        assert!(wanted > now, "the block is {} s old", now - began);
        let ledgers = u32::try_from((wanted - now).div_ceil(5)).unwrap();
        self.network.advance_over(ledgers, wanted - now).unwrap();
    }

    /// The block is over: the next plant rolls it.
    pub fn ripen(&self) {
        self.age(300);
    }

    fn entry(&self, key: &LedgerKey) -> Option<LedgerEntryData> {
        let entries = block_on(self.client.view(async |view| view.entries([key.clone()]).await)).unwrap();
        entries.get(key).map(|entry| entry.data.clone())
    }

    /// The farm's instance on chain.
    pub fn farm(&self) -> Farm {
        let key = Entry::Instance.key(&self.contract).unwrap();
        decode_farm(&self.contract, &self.entry(&key).unwrap()).unwrap()
    }

    /// A block on chain.
    pub fn block(&self, index: u32) -> Option<Block> {
        let key = Entry::Block(index).key(&self.contract).unwrap();
        self.entry(&key).map(|data| decode_block(&self.contract, index, &data).unwrap())
    }

    /// A pail on chain.
    pub fn pail(&self, farmer: &Farmer, index: u32) -> Option<Pail> {
        let address = ScAddress::Account(farmer.account());
        let key = Entry::Pail(address.clone(), index).key(&self.contract).unwrap();
        self.entry(&key).map(|data| decode_pail(&self.contract, &address, index, &data).unwrap())
    }

    /// A farmer's account on chain; it must have the trustline.
    pub fn wallet(&self, farmer: &Farmer) -> Wallet {
        let asset = stellar::asset("asset", &self.asset).unwrap();
        let keys = wallet::keys(&farmer.account(), &asset);
        let entries = block_on(self.client.view(async |view| view.entries(keys.clone()).await)).unwrap();
        wallet::decode(&entries, &farmer.account(), &asset).unwrap().unwrap()
    }

    /// Stroops of KALE that an account holds on chain.
    pub fn kale_of(&self, farmer: &Farmer) -> i128 {
        i128::try_from(self.wallet(farmer).kale.unwrap().balance).unwrap()
    }

    /// Makes the trustlines of these farmers.
    pub fn trust(&self, farmers: &[Farmer]) {
        let asset = stellar::asset("asset", &self.asset).unwrap();
        let actions: Vec<_> = farmers
            .iter()
            .map(|farmer| (farmer, Action::Trust { asset: asset.clone(), limit: i64::MAX, sponsor: None }))
            .collect();
        self.act(actions);
    }

    /// Work that is sent by hand, the first nonce that has as many zeros; returns how many it has.
    pub fn work(&self, farmer: &Farmer, zeros: u32) -> u32 {
        let found = self.grind(farmer, zeros);
        self.act(vec![(farmer, self.work_call(farmer, found.0, found.1))]);
        found.2
    }

    /// Nonce, hash and zeros of the first nonce that has so many.
    pub fn grind(&self, farmer: &Farmer, zeros: u32) -> (u64, [u8; 32], u32) {
        self.ground(farmer, zeros).unwrap()
    }

    /// The same; `None` where the block's entry is not there.
    pub fn ground(&self, farmer: &Farmer, zeros: u32) -> Option<(u64, [u8; 32], u32)> {
        let index = self.farm().index;
        let address = ScAddress::Account(farmer.account());
        let job = self.block(index)?.job(index, &address).unwrap();
        let nonce = first(&job, zeros);
        let hash = job.hash(nonce);
        Some((nonce, hash, grind::block::zeros(&hash)))
    }

    pub fn work_call(&self, farmer: &Farmer, nonce: u64, hash: [u8; 32]) -> Action {
        let address = ScVal::Address(ScAddress::Account(farmer.account()));
        let hash = ScVal::Bytes(hash.to_vec().try_into().unwrap());
        self.call("work", vec![address, hash, ScVal::U64(nonce)])
    }

    pub fn call(&self, function: &str, args: Vec<ScVal>) -> Action {
        Action::Invoke { contract: self.contract.clone(), function: function.to_owned(), args }
    }

    /// A harvest that is sent by hand.
    pub fn harvest(&self, sender: &Farmer, farmer: &Farmer, index: u32) {
        let address = ScVal::Address(ScAddress::Account(farmer.account()));
        self.act(vec![(sender, self.call("harvest", vec![address, ScVal::U32(index)]))]);
    }

    /// A plant that is sent by hand.
    pub fn plant(&self, farmer: &Farmer, stroops: i128) {
        let address = ScVal::Address(ScAddress::Account(farmer.account()));
        self.act(vec![(farmer, self.call("plant", vec![address, ScVal::from(stroops)]))]);
    }

    /// Carries out what farmers, or strangers, send by hand; each must take effect.
    #[track_caller]
    pub fn act(&self, actions: Vec<(&Farmer, Action)>) {
        let _ledgers = self.ledgers();
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("state.sqlite");
        state::create(&path).unwrap();
        let holder = Holder { pid: 1, command: "desk".into(), since: 0 };
        let stop = Stop::default();
        let lock = Lock::acquire(&path, &holder, Duration::ZERO, &stop).unwrap();
        let run = StateRun { id: "desk".into(), actor: "desk".into(), clock: Clock::System };
        let mut state = State::write_access(&path, run, &lock).unwrap();
        let keys: Vec<SigningKey> = actions.iter().map(|(farmer, _)| farmer.key.clone()).collect();
        let intents: Vec<Intent> = actions
            .into_iter()
            .enumerate()
            .map(|(n, (farmer, action))| Intent {
                key: format!("{n}"),
                kind: "desk",
                subject: farmer.id.clone(),
                plan: Value::Null,
                source: farmer.account(),
                action,
                valid_until: None,
            })
            .collect();
        let permit = Permit::of(&lock);
        let consent = ValuePermit::obtain(permit, Consent::NotNeeded, "desk").unwrap();
        let terms = SubmitOptions::default();
        let pace = Pace { poll: Duration::from_millis(10), parallel: 50, ..terms.pace };
        let network = StellarNetwork::new(&self.client, terms);
        let mut desk = Submitting { network, state: &mut state, permit, stop: &stop, pace };
        let signers = Everybody(keys);
        let done = block_on(submit(&mut desk, consent, &intents, &signers, &NothingMore)).unwrap();
        for result in done {
            match result.unwrap() {
                Submitted::Settled(settled) => assert!(settled.reason.is_none(), "{settled:?}"),
                Submitted::AlreadyDone { .. } => panic!("done before"),
            }
        }
    }
}

fn client_of(network: &Stellar) -> Client {
    let endpoints = Endpoint::parse_list(&[format!("desk={}", network.url())]).unwrap();
    Client::new(ClientConfig::new("sandbox", network.passphrase(), endpoints)).unwrap()
}

struct Everybody(Vec<SigningKey>);

impl stellar::Signers for Everybody {
    fn sign(&self, account: &AccountId, hash: &[u8; 32]) -> base::Result<[u8; 64]> {
        self.0.as_slice().sign(account, hash)
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn first(job: &Job, zeros: u32) -> u64 {
    (0..u64::MAX).find(|nonce| grind::block::zeros(&job.hash(*nonce)) >= zeros).unwrap()
}

/// Ledgers that close by themselves, until dropped.
pub struct Ledgers {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Ledgers {
    /// Does this again and again.
    pub fn each(pause: Duration, mut step: impl FnMut() + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                step();
                std::thread::sleep(pause);
            }
        });
        Self { stop, thread: Some(thread) }
    }

    /// 5 seconds of ledger time each so many milliseconds.
    pub fn ticking(desk: &Desk, milliseconds: u64) -> Self {
        let network = Arc::clone(&desk.network);
        Self::each(Duration::from_millis(milliseconds), move || _ = network.advance(1).unwrap())
    }
}

impl Drop for Ledgers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// A run that is being prepared. Ledgers close for what it sends.
pub type Run<'d> = cli::Run<&'d Desk>;

impl cli::Around for &Desk {
    type Held = Ledgers;
    /// Some commands write a line for each thing they do, and warn of a network that is disturbed.
    const ALONE: bool = false;

    fn begin(&self) -> Ledgers {
        self.ledgers()
    }
}
