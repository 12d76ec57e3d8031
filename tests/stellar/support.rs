//! A network with a farm, a state, and intents to submit.

use base::clock::Clock;
use base::{Endpoint, Result, Stop};
use ed25519_dalek::SigningKey;
use net::RetryPolicy;
use outbox::{Desk, Operation, Pace, Recorder, Status, settle_open, submit};
use poolctl_sandbox::stellar::{FARM_WASM, Farm, Stellar, StellarOptions};
use serde_json::json;
use sha2::{Digest, Sha256};
use state::{Consent, Holder, Lock, Permit, Run, State, Tx, ValuePermit};
use std::time::Duration;
use stellar::submit::{Intent, Settled, Stellar as Chain, StellarNetwork, SubmitOptions, Submitted};
use stellar::xdr::{AccountId, Asset, ContractId, Int128Parts, ScAddress, ScVal};
use stellar::{Action, Client, ClientConfig};
use tempfile::TempDir;

pub const XLM: i64 = 10_000_000;

/// Wall time between two ledgers, where they close by themselves.
const TICK: Duration = Duration::from_millis(25);

pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

pub fn key(name: &str) -> SigningKey {
    SigningKey::from_bytes(&Sha256::digest(name).into())
}

pub fn id(name: &str) -> AccountId {
    stellar::account_of(&key(name))
}

/// A client of these endpoints, named `one`, `two` and `three`.
pub fn client(urls: &[&str]) -> Client {
    Client::new(config(urls)).expect("a client")
}

pub fn config(urls: &[&str]) -> ClientConfig {
    let names = ["one", "two", "three"];
    let entries: Vec<String> = names.iter().zip(urls).map(|(name, url)| format!("{name}={url}")).collect();
    let endpoints = Endpoint::parse_list(&entries).expect("endpoints");
    let mut config = ClientConfig::new("sandbox", "Standalone Network ; February 2017", endpoints);
    config.retry = RetryPolicy { attempts: 3, base: Duration::from_millis(5), ..RetryPolicy::default() };
    config
}

/// Two ports where nobody listens, nor any other test is given one.
pub const NOWHERE: [&str; 2] = ["http://127.0.0.1:1/v2/SeCrEtKeY123", "http://127.0.0.1:2/v2/SeCrEtKeY123"];

/// The network, its farm, and a folder for states.
pub struct Bench {
    pub network: Stellar,
    pub farm: Farm,
    pub url: String,
    folder: TempDir,
}

impl Bench {
    /// Ledgers close by themselves.
    pub fn ticking() -> Self {
        Self::with(&StellarOptions { tick: Some(TICK), ..StellarOptions::default() })
    }

    /// Ledgers close by hand.
    pub fn still() -> Self {
        Self::with(&StellarOptions::default())
    }

    pub fn with(options: &StellarOptions) -> Self {
        let network = Stellar::start(options).expect("a network");
        let farm = network.deploy_farm(FARM_WASM).expect("a farm");
        let folder = tempfile::tempdir().expect("a folder");
        state::create(&folder.path().join("state.sqlite")).expect("a state");
        Self { url: network.url(), network, farm, folder }
    }

    pub fn client(&self) -> Client {
        client(&[&self.url])
    }

    /// Opens the state as a run does.
    pub fn seat(&self) -> Seat {
        let path = self.folder.path().join("state.sqlite");
        let holder = Holder { pid: 1, command: "test".into(), since: 0 };
        let lock = Lock::acquire(&path, &holder, Duration::from_secs(5), &Stop::default()).expect("the lock");
        let run = Run { id: "run".into(), actor: "tester".into(), clock: Clock::Fixed(1_700_000_000) };
        let state = State::write_access(&path, run, &lock).expect("the state");
        Seat { state, lock }
    }

    /// A funded account with a trustline and so many stroops of the farm's asset.
    pub fn farmer(&self, name: &str, kale: i64) -> AccountId {
        self.fund(name, 100 * XLM);
        let trust = intent(&format!("trust:{name}"), name, self.trust(None));
        let mut seat = self.seat();
        let done = seat.submit(&self.client(), &[trust], &options());
        confirmed(&done[0]);
        if kale > 0 {
            self.network.fund_kale(&id(name).to_string(), kale).expect("KALE");
        }
        id(name)
    }

    pub fn fund(&self, name: &str, stroops: i64) {
        self.network.fund(&id(name).to_string(), stroops).expect("lumens");
    }

    pub fn contract(&self) -> ContractId {
        self.farm.contract.parse().expect("a contract")
    }

    pub fn asset(&self) -> Asset {
        stellar::asset("asset", &self.farm.asset).expect("an asset")
    }

    pub fn trust(&self, sponsor: Option<AccountId>) -> Action {
        Action::Trust { asset: self.asset(), limit: i64::MAX, sponsor }
    }

    pub fn call(&self, function: &str, args: Vec<ScVal>) -> Action {
        Action::Invoke { contract: self.contract(), function: function.to_owned(), args }
    }

    pub fn plant(&self, name: &str, stake: i64) -> Intent {
        let action = self.call("plant", vec![address(name), amount(stake)]);
        intent(&format!("plant:{name}"), name, action)
    }

    pub fn balance(&self, name: &str) -> i64 {
        self.account(name).expect("an account").balance
    }

    pub fn account(&self, name: &str) -> Option<stellar::xdr::AccountEntry> {
        use stellar::xdr::{LedgerEntryData, LedgerKey, LedgerKeyAccount};
        let key = LedgerKey::Account(LedgerKeyAccount { account_id: id(name) });
        let entries =
            run(self.client().view(async |view| view.entries([key.clone()]).await)).expect("entries");
        match &entries.get(&key)?.data {
            LedgerEntryData::Account(account) => Some(account.clone()),
            other => panic!("{other:?}"),
        }
    }
}

/// An opened state.
pub struct Seat {
    pub state: State,
    #[expect(dead_code, reason = "held")]
    lock: Lock,
}

impl Seat {
    pub fn desk<'a>(
        &'a mut self,
        client: &Client,
        options: &SubmitOptions,
        stop: &'a Stop,
    ) -> Desk<'a, StellarNetwork> {
        let network = StellarNetwork::new(client, options.clone());
        Desk { network, state: &mut self.state, permit: Permit::dry_run(), stop, pace: options.pace }
    }

    /// Submits with the keys of everybody.
    pub fn submit(
        &mut self,
        client: &Client,
        intents: &[Intent],
        options: &SubmitOptions,
    ) -> Vec<Result<Submitted>> {
        let stop = Stop::default();
        run(submit(&mut self.desk(client, options, &stop), consent(), intents, &Everybody, &Notes))
            .expect("results")
    }

    /// Settles what is unfinished, sending again where that is allowed.
    pub fn settle(
        &mut self,
        client: &Client,
        options: &SubmitOptions,
        send: bool,
    ) -> Vec<(Operation, Result<Settled>)> {
        let stop = Stop::default();
        let permit = send.then(consent);
        run(settle_open(&mut self.desk(client, options, &stop), permit, &Notes, &outbox::all::<Chain>))
            .expect("results")
    }

    /// One value of the state.
    pub fn value<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.state.conn().query_row(sql, [], |row| row.get(0)).expect("a value")
    }

    /// The operations as `key state attempts` and how often each was recorded.
    pub fn operations(&self) -> Vec<String> {
        let mut rows = self
            .state
            .conn()
            .prepare(
                "SELECT o.key || ' ' || o.state || ' ' || (SELECT count(*) FROM operation_attempts WHERE operation_id = o.id)
                 || ' ' || (SELECT count(*) FROM events WHERE kind = 'test.recorded' AND subject = o.key)
                 FROM operations o ORDER BY o.key",
            )
            .expect("a statement");
        rows.query_map([], |row| row.get(0)).expect("rows").map(|row| row.expect("a row")).collect()
    }
}

/// Signs for every name in [`NAMES`] and for numbered farmers.
pub struct Everybody;

const NAMES: &[&str] = &["ada", "bob", "cid", "dan", "operator", "sponsor"];

impl stellar::Signers for Everybody {
    fn sign(&self, account: &AccountId, hash: &[u8; 32]) -> Result<[u8; 64]> {
        let numbered = (0..64).map(|n| format!("farmer{n}"));
        let names = NAMES.iter().map(|name| (*name).to_owned()).chain(numbered);
        let keys: Vec<SigningKey> =
            names.map(|name| key(&name)).filter(|k| stellar::account_of(k) == *account).collect();
        keys.as_slice().sign(account, hash)
    }
}

/// Notes that an operation was recorded.
pub struct Notes;

impl Recorder<Chain> for Notes {
    fn record(&self, tx: &Tx<'_>, operation: &Operation, settled: &Settled) -> Result<()> {
        let payload = json!({ "plan": operation.plan, "status": settled.status, "state": <&str>::from(operation.state) });
        tx.event("test.recorded", &operation.key, &payload)?;
        Ok(())
    }
}

pub fn consent() -> ValuePermit<'static> {
    ValuePermit::obtain(Permit::dry_run(), Consent::Given, "test").expect("consent")
}

pub fn options() -> SubmitOptions {
    let pace = Pace { parallel: 10, poll: Duration::from_millis(10), wait: Duration::from_secs(20) };
    SubmitOptions { pace, ..SubmitOptions::default() }
}

/// Looks once, and does not wait.
pub fn impatient() -> SubmitOptions {
    let pace = Pace { wait: Duration::ZERO, ..options().pace };
    SubmitOptions { pace, ..options() }
}

pub fn intent(key: &str, source: &str, action: Action) -> Intent {
    Intent {
        key: key.to_owned(),
        kind: "test",
        subject: source.to_owned(),
        plan: json!({ "key": key }),
        source: id(source),
        action,
        valid_until: None,
    }
}

pub fn pay(key: &str, from: &str, to: &str, amount: i64) -> Intent {
    intent(key, from, Action::Pay { to: id(to), asset: Asset::Native, amount })
}

pub fn settled(result: &Result<Submitted>) -> &Settled {
    match result {
        Ok(Submitted::Settled(settled)) => settled,
        other => panic!("not settled: {other:?}"),
    }
}

pub fn confirmed(result: &Result<Submitted>) -> &Settled {
    let settled = settled(result);
    assert_eq!(settled.status, Status::Confirmed, "{settled:?}");
    settled
}

pub fn address(name: &str) -> ScVal {
    ScVal::Address(ScAddress::Account(id(name)))
}

pub fn amount(stroops: i64) -> ScVal {
    let (hi, lo) = (if stroops < 0 { -1 } else { 0 }, stroops.cast_unsigned());
    ScVal::I128(Int128Parts { hi, lo })
}

/// The key of a farmer's pail.
pub fn pail(name: &str, index: u32, bench: &Bench) -> stellar::xdr::LedgerKey {
    use stellar::xdr::{ContractDataDurability, LedgerKey, LedgerKeyContractData, ScSymbol, ScVec};
    let parts =
        vec![ScVal::Symbol(ScSymbol("Pail".try_into().expect("a symbol"))), address(name), ScVal::U32(index)];
    LedgerKey::ContractData(LedgerKeyContractData {
        contract: ScAddress::Contract(bench.contract()),
        key: ScVal::Vec(Some(ScVec(parts.try_into().expect("a key")))),
        durability: ContractDataDurability::Temporary,
    })
}
