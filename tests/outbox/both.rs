//! Operations of two chains in one state: each settles its own.

use crate::support::*;
use base::{Code, Endpoint, Stop};
use ed25519_dalek::SigningKey;
use outbox::Status;
use poolctl_sandbox::stellar::{Stellar, StellarOptions};
use poolctl_testkit::{Fault, Proxy, Rule};
use serde_json::json;
use stellar::submit::{StellarNetwork, SubmitOptions};
use stellar::xdr::{AccountId, Asset};
use stellar::{Client, ClientConfig, account_of};

const STROOPS: i64 = 10_000_000;

struct Ledgers {
    network: Stellar,
    keys: Pair,
}

struct Pair([SigningKey; 2]);

impl stellar::Signers for Pair {
    fn sign(&self, account: &AccountId, hash: &[u8; 32]) -> base::Result<[u8; 64]> {
        self.0.as_slice().sign(account, hash)
    }
}

impl Ledgers {
    /// They close by hand.
    fn new() -> Self {
        let network = Stellar::start(&StellarOptions::default()).unwrap();
        let keys = [1, 2].map(|n| SigningKey::from_bytes(&[n; 32]));
        for key in &keys {
            network.fund(&account_of(key).to_string(), 100 * STROOPS).unwrap();
        }
        Self { network, keys: Pair(keys) }
    }

    fn stellar(&self) -> StellarNetwork {
        let endpoints = Endpoint::parse_list(&[format!("one={}", self.network.url())]).unwrap();
        let config = ClientConfig::new("sandbox", self.network.passphrase(), endpoints);
        StellarNetwork::new(&Client::new(config).unwrap(), SubmitOptions::default())
    }

    fn pay(&self, key: &str) -> stellar::submit::Intent {
        let [from, to] = self.keys.0.each_ref().map(account_of);
        stellar::submit::Intent {
            key: key.to_owned(),
            kind: "pay",
            subject: to.to_string(),
            plan: json!({}),
            source: from,
            action: stellar::Action::Pay { to, asset: Asset::Native, amount: STROOPS },
            valid_until: None,
        }
    }

    fn submit(&self, seat: &mut Seat, key: &str) -> base::Result<stellar::submit::Submitted> {
        let stop = Stop::default();
        let mut desk = seat.desk(self.stellar(), &stop, ONCE);
        let intents = [self.pay(key)];
        run(outbox::submit(&mut desk, consent(), &intents, &self.keys, &Notes)).unwrap().remove(0)
    }
}

#[test]
fn each_chain_settles_its_own() {
    let (mut bench, ledgers) = (Bench::new(), Ledgers::new());
    // One of each, signed, of which it is not known what became.
    let proxy = Proxy::start(bench.node.url()).unwrap();
    proxy.fault(Rule::new(Fault::Refuse).on_method("eth_sendRawTransaction"));
    let evm = bench.submit(&proxy.url(), &pay("evm:1", payee(1), ether()), ONCE);
    let stellar = ledgers.submit(&mut bench.seat, "stellar:1");
    assert_eq!(evm.unwrap_err().code(), Code::OutcomeUnknown);
    assert_eq!(stellar.unwrap_err().code(), Code::OutcomeUnknown);
    assert_eq!(bench.seat.operations(), ["evm evm:1 sent 1 0", "stellar stellar:1 sent 1 0"]);

    let open = bench.settle(PATIENT, true);
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0].1.as_ref().unwrap().status, Status::Confirmed);
    assert_eq!(bench.seat.operations(), ["evm evm:1 recorded 1 1", "stellar stellar:1 sent 1 0"]);

    ledgers.network.advance(1).unwrap();
    let stop = Stop::default();
    let mut desk = bench.seat.desk(ledgers.stellar(), &stop, ONCE);
    let open =
        run(outbox::settle_open(&mut desk, None, &Notes, &outbox::all::<stellar::submit::Stellar>)).unwrap();
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0].1.as_ref().unwrap().status, Status::Confirmed);
    assert_eq!(bench.seat.operations(), ["evm evm:1 recorded 1 1", "stellar stellar:1 recorded 1 1"]);
}

#[test]
fn what_was_planned_on_one_chain_is_given_up_by_that_one() {
    let mut bench = Bench::new();
    let permit = state::Permit::dry_run();
    let plan = |network: &'static str| {
        move |tx: &state::Tx<'_>| outbox::plan(tx, network, network, "pay", "somebody", &json!({}))
    };
    bench.seat.state.write(permit, plan("evm")).unwrap();
    bench.seat.state.write(permit, plan("stellar")).unwrap();
    assert!(bench.settle(ONCE, true).is_empty());
    assert_eq!(bench.seat.operations(), ["evm evm expired 0 0", "stellar stellar planned 0 0"]);
}

#[test]
fn a_key_is_of_one_chain_only() {
    let (mut bench, ledgers) = (Bench::new(), Ledgers::new());
    let url = bench.node.url().to_owned();
    settled(&bench.submit(&url, &pay("pay:1", payee(1), ether()), PATIENT), Status::Confirmed);
    let error = ledgers.submit(&mut bench.seat, "pay:1").unwrap_err();
    assert_eq!(error.code(), Code::Conflict);
    assert_eq!(error.message(), "operation \"pay:1\" is wanted on stellar, and is one on evm");
    assert_eq!(bench.seat.operations(), ["evm pay:1 recorded 1 1"]);
}
