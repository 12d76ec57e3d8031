//! Contracts that do not answer for what decides something.

use super::desk::{Desk, says};
use poolctl_testkit::abi::Vault;
use poolctl_testkit::alloy::primitives::{Address, Bytes};
use poolctl_testkit::alloy::sol_types::SolCall;
use serde_json::{Value, json};

/// Takes a function away from a contract: its calls revert.
fn forget<C: SolCall>(desk: &Desk, contract: Address) {
    let node = &desk.world.node;
    let code = node.rpc("eth_getCode", json!([contract, "latest"])).unwrap();
    let code = code.as_str().unwrap();
    let selector = Bytes::from(C::SELECTOR.to_vec()).to_string().replace("0x", "63");
    assert!(code.contains(&selector), "{}", C::SIGNATURE);
    node.set_code(contract, &code.replace(&selector, "63deadbeef").parse().unwrap()).unwrap();
    node.mine(2).unwrap();
}

fn verdict(desk: &Desk, flags: &str) -> Value {
    let line = format!("pool validate-deposit stable alice 1 {flags} --json");
    desk.run(&line).exits(5).envelope()["data"].clone()
}

#[test]
fn a_limit_that_cannot_be_read_is_not_unlimited() {
    let desk = Desk::ready();
    let (stable, codes) = (desk.world.six.vault, |of: &Value| {
        of["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].clone()).collect::<Vec<_>>()
    });
    desk.run("risk set stable --max-tvl unlimited").ok();
    desk.run("sync --at latest").ok();
    desk.run("pool validate-deposit stable alice 1 --on-chain --at latest").exits(0);
    assert_eq!(desk.json("pool show stable")["unknown_limits"], json!([]));

    forget::<Vault::maxDepositCall>(&desk, stable);
    let on_chain = verdict(&desk, "--on-chain --at latest");
    assert_eq!(codes(&on_chain), ["limit_unknown"]);
    says(&on_chain["reasons"][0]["message"], &["maxDeposit is not known", "maxDeposit(address) reverted"]);
    assert_eq!(on_chain["valid"], false);

    // By the state too, until a sync gets it.
    desk.run("sync --at latest").ok();
    assert_eq!(codes(&verdict(&desk, "")), ["limit_unknown", "insufficient_balance"]);
    let shown = desk.json("pool show stable");
    assert_eq!((&shown["max_deposit"], &shown["unknown_limits"]), (&Value::Null, &json!(["max_deposit"])));
    let text = desk.run("pool show stable").ok();
    assert!(text.contains("unknown: the contract does not tell it"), "{text}");
    desk.run("pool reconcile stable").exits(0);
    desk.sound();
}
