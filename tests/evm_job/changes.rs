//! A pool's contract that becomes another one: an alert, and no payment until the operator accepts it.

use super::desk::{Desk, figures, says, warnings};
use super::odd::forget;
use poolctl_testkit::alloy::primitives::{Address, B256, Bytes};
use poolctl_testkit::{Fault, Matcher, Rule};
use serde_json::{Value, json};

/// Selectors of `symbol()` and `paused()`.
const SYMBOL: &str = "95d89b41";
const PAUSED: &str = "5c975abb";
/// Where a proxy has its implementation (EIP-1967).
const SLOT: &str = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc";

const OPEN: &str = "SELECT rule FROM risk_violations WHERE closed_at IS NULL";

fn code(desk: &Desk, at: Address) -> Bytes {
    let code = desk.world.node.rpc("eth_getCode", json!([at, "latest"])).unwrap();
    code.as_str().unwrap().parse().unwrap()
}

/// Puts other code at an address.
fn recode(desk: &Desk, at: Address, code: &Bytes) {
    desk.world.node.set_code(at, code).unwrap();
    desk.world.node.mine(2).unwrap();
}

/// The contract's warnings of a sync that goes well.
fn synced(desk: &Desk) -> Value {
    warnings(&desk.run("sync --json").exits(0).envelope())
}

fn codes(verdict: &Value) -> Vec<&str> {
    let reasons = verdict["reasons"].as_array().unwrap().iter();
    reasons.map(|reason| reason["code"].as_str().unwrap()).collect()
}

#[test]
fn other_code_is_an_alert_and_stops_payment_until_it_is_accepted() {
    let desk = Desk::weighted();
    desk.run("risk set stable --max-tvl unlimited").ok();
    desk.first_cycle();
    desk.run("sync").ok();
    let stable = desk.world.six.vault;
    let before = code(&desk, stable);
    forget(&desk, stable, SYMBOL);
    desk.world.node.mine(20).unwrap();
    // The cycle sees it on its own, and pays the other pool.
    let envelope = desk.run("reward cycle --json").exits(3).envelope();
    let failure = &envelope["data"]["pools"][1]["error"];
    says(failure, &["its contract changed: its code has the hash 0x", " instead of 0x"]);
    assert_eq!(desk.rows(OPEN), ["contract_changed"]);
    let paid = "SELECT count(*) FROM pool_reward_epochs WHERE status = 'distributed' AND pool_id = ";
    let paid = |pool: u8| desk.one(&format!("{paid}{pool}")).parse::<u32>().unwrap();
    assert!(paid(1) > paid(2), "{} {}", paid(1), paid(2));
    // So does a sync, whose figures are taken; it is not asked about for nothing.
    for _ in 0..2 {
        says(&synced(&desk), &["pool \"stable\": contract_changed: its code has the hash 0x"]);
        desk.world.node.mine(2).unwrap();
    }
    says(&desk.json("pool show stable")["alerts"][0]["why"], &["pool accept-change stable"]);
    let deposit = "pool validate-deposit stable alice 1 --on-chain --json";
    assert_eq!(codes(&desk.run(deposit).exits(5).envelope()["data"]), ["contract_changed"]);
    let withdrawal = desk.run("pool validate-withdrawal stable alice 1 --json").exits(5).envelope();
    assert_eq!(codes(&withdrawal["data"]), ["contract_changed"]);
    desk.run("withdrawal request stable alice 1").fails(4, "not_valid");
    // What was earned and paid before is not held back.
    desk.run("reward claim alice stable").ok();

    // With consent only, and not in a dry run.
    desk.setting("guard.confirm = true");
    let accept = "pool accept-change stable";
    let envelope = desk.unchanged(|| desk.run(accept).fails(4, "needs_confirmation"));
    says(
        &envelope["error"]["message"],
        &["accept that the contract of pool \"stable\" changed: its code has"],
    );
    let dry = desk.unchanged(|| desk.run(&format!("{accept} --dry-run --json")).exits(0).envelope());
    assert_eq!((&dry["dry_run"], &dry["data"]["changed"]), (&json!(true), &json!(true)));
    let accepted = desk.json(&format!("{accept} --yes"));
    assert_eq!(accepted, dry["data"]);
    let hash = |code: &Bytes| poolctl_testkit::alloy::primitives::keccak256(code).to_string();
    assert_eq!(
        (&accepted["before"]["code_hash"], &accepted["contract"]["code_hash"]),
        (&json!(hash(&before)), &json!(hash(&code(&desk, stable))))
    );
    let event: Value =
        serde_json::from_str(&desk.one("SELECT payload FROM events WHERE kind = 'pool.change_accepted'"))
            .unwrap();
    assert_eq!((&event["before"], &event["now"]), (&accepted["before"], &accepted["contract"]));
    assert_eq!(desk.rows(OPEN), [""; 0]);
    // Once more there is nothing to accept, and nobody is asked.
    let again = desk.unchanged(|| desk.json(accept));
    assert_eq!(
        (&again["changed"], &again["before"], &again["contract"]),
        (&json!(false), &Value::Null, &accepted["contract"])
    );
    // Who earned it meanwhile is paid now.
    desk.run("reward cycle --yes").ok();
    assert_eq!(paid(1), paid(2));
    assert_eq!(synced(&desk), "");
    desk.run("reward epoch verify --all").ok();
    desk.sound();
}

#[test]
fn a_change_that_is_gone_is_no_alert_any_more() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    let stable = desk.world.six.vault;
    let before = code(&desk, stable);
    forget(&desk, stable, SYMBOL);
    says(&synced(&desk), &["contract_changed"]);
    recode(&desk, stable, &before);
    assert_eq!(synced(&desk), "");
    assert_eq!(desk.rows(OPEN), [""; 0]);
    desk.unchanged(|| assert_eq!(desk.json("pool accept-change stable")["changed"], false));
    // A contract that answers for nothing any more: the sync fails, and says so; the change is kept.
    recode(&desk, stable, &"0x60006000fd".parse().unwrap());
    let envelope = desk.run("sync stable").fails(1, "reverted");
    says(&envelope["error"]["message"], &["cannot sync pool"]);
    assert_eq!(desk.rows(OPEN), ["contract_changed"]);
    let shown = desk.json("pool show stable");
    says(&shown["alerts"][0]["why"], &["its code has the hash"]);
    desk.unchanged(|| desk.run("pool accept-change nobody").fails(2, "unknown_pool"));
    desk.sound();
}

#[test]
fn decimals_of_the_asset_are_part_of_it() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    let asset = desk.world.six.asset;
    let text = code(&desk, asset).to_string();
    // The decimals stand in the code, as 32 bytes.
    let six = format!("7f{:064x}", 6);
    assert!(text.contains(&six), "{text}");
    recode(&desk, asset, &text.replace(&six, &format!("7f{:064x}", 18)).parse().unwrap());
    says(&synced(&desk), &["contract_changed: the decimals of its asset are 18 instead of 6"]);
    let shown = |what: &str| desk.json("pool show stable")[what].clone();
    assert_eq!(shown("asset")["decimals"], 6);
    let total = shown("total_assets");
    let envelope = desk.run("pool accept-change stable --json").exits(0).envelope();
    says(&warnings(&envelope), &["units of before"]);
    assert_eq!(envelope["data"]["contract"]["asset_decimals"], 18);
    assert_eq!(shown("asset")["decimals"], 18);
    assert_ne!(shown("total_assets"), total);
    // The rate is counted in other units: that is no fall of it.
    for _ in 0..2 {
        desk.world.node.mine(2).unwrap();
        assert_eq!(synced(&desk), "");
    }
    desk.run("risk set stable --max-tvl unlimited").ok();
    desk.run("risk check stable").ok();
    // A token that does not tell its decimals any more.
    forget(&desk, asset, "313ce567");
    says(&synced(&desk), &["the decimals of its asset are unknown instead of 18"]);
    assert_eq!(desk.json("pool accept-change stable")["contract"]["asset_decimals"], Value::Null);
    assert_eq!(shown("asset")["decimals"], 18);
    desk.world.node.mine(2).unwrap();
    assert_eq!(synced(&desk), "");
    desk.sound();
}

/// Makes a proxy of a vault: its storage stays, its code moves to another address, to which calls are passed on.
fn proxied(desk: &Desk, vault: Address, implementation: Address) {
    recode(desk, implementation, &code(desk, vault));
    // calldatacopy(0, 0, calldatasize); delegatecall(gas, sload(SLOT), 0, calldatasize, 0, 0);
    // returndatacopy(0, 0, returndatasize); return or revert.
    let slot = SLOT.trim_start_matches("0x");
    let proxy: Bytes =
        format!("0x366000600037600060003660007f{slot}545af43d600060003e603e573d6000fd5b3d6000f3")
            .parse()
            .unwrap();
    assert_eq!(proxy[0x3e], 0x5b, "the target of the jump");
    point(desk, vault, implementation);
    recode(desk, vault, &proxy);
}

fn point(desk: &Desk, proxy: Address, implementation: Address) {
    let word = B256::left_padding_from(implementation.as_slice());
    desk.world.node.rpc("anvil_setStorageAt", json!([proxy, SLOT, word])).unwrap();
    desk.world.node.mine(2).unwrap();
}

#[test]
fn a_proxy_is_known_by_its_implementation() {
    let desk = Desk::bare();
    let [stable, growth] = [desk.world.six.vault, desk.world.eighteen.vault];
    let [one, two, three] = [0x71, 0x72, 0x73].map(Address::repeat_byte);
    proxied(&desk, stable, one);
    desk.add_pools();
    let contract = |name: &str| desk.json(&format!("pool accept-change {name}"))["contract"].clone();
    assert_eq!(contract("stable")["implementation"], json!(one));
    assert_eq!(contract("growth")["implementation"], Value::Null);
    assert_eq!(synced(&desk), "");
    recode(&desk, two, &code(&desk, one));
    point(&desk, stable, two);
    let [one, two] = [one, two].map(|at| at.to_string());
    says(&synced(&desk), &[&format!("contract_changed: its implementation is {two} instead of {one}")]);
    assert_eq!(desk.json("pool accept-change stable")["before"]["implementation"], json!(one));
    desk.world.node.mine(2).unwrap();
    assert_eq!(synced(&desk), "");
    // A pool that becomes a proxy.
    proxied(&desk, growth, three);
    says(
        &synced(&desk),
        &["pool \"growth\": contract_changed: its code has", "its implementation is 0x7373"],
    );
    assert_eq!(desk.json("pool accept-change growth")["contract"]["implementation"], json!(three));
    desk.world.node.mine(2).unwrap();
    assert_eq!(synced(&desk), "");
    desk.sound();
}

#[test]
fn a_pause_that_cannot_be_asked_for_any_more_is_not_the_end_of_it() {
    let desk = Desk::weighted();
    desk.first_cycle();
    desk.run("sync").ok();
    desk.run("risk set stable --max-tvl unlimited").ok();
    desk.world.node.mine(12).unwrap();
    // At the epoch's last block the vault does not answer whether it is paused, which it did: nobody is paid.
    let reverts = Fault::RpcError { code: 3, message: "execution reverted".to_owned(), data: Value::Null };
    let paused: [u8; 4] = [0x5c, 0x97, 0x5a, 0xbb];
    desk.wire.fault(Rule::new(reverts).on(Matcher::Selector(paused)));
    let before = desk.one("SELECT count(*) FROM pool_reward_epochs");
    let envelope = desk.run("reward cycle").fails(1, "reverted");
    says(&envelope["error"]["message"], &["paused()"]);
    assert_eq!(desk.one("SELECT count(*) FROM pool_reward_epochs"), before);
    desk.wire.heal();
    // The function is gone from the contract.
    let stable = desk.world.six.vault;
    forget(&desk, stable, PAUSED);
    let deposit = "pool validate-deposit stable alice 1 --on-chain --at latest --json";
    let verdict = desk.run(deposit).exits(5).envelope()["data"].clone();
    assert_eq!(codes(&verdict), ["contract_changed"]);
    says(&verdict["reasons"][0]["message"], &["does not answer paused() any more"]);
    says(&synced(&desk), &["it does not answer paused() any more"]);
    assert_eq!(desk.json("pool accept-change stable")["contract"]["can_pause"], false);
    desk.run(deposit).exits(0);
    desk.run("reward cycle").ok();
    desk.sound();
}

#[test]
fn a_pool_of_an_older_state_is_known_from_its_next_sync() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    desk.meddle("DELETE FROM pool_contracts");
    desk.run("reward set-weight growth 1").ok();
    desk.first_cycle();
    desk.world.node.mine(2).unwrap();
    assert_eq!(synced(&desk), "");
    let known = "SELECT p.name, c.asset_decimals, c.can_pause, c.found_block FROM pool_contracts c
                 JOIN pools p ON p.id = c.pool_id ORDER BY 1";
    assert_eq!(desk.rows(known), ["growth | 18 | 1 | NULL", "stable | 6 | 1 | NULL"]);
    desk.sound();
}

#[test]
fn it_costs_no_request() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    desk.world.node.mine(2).unwrap();
    desk.wire.clear();
    desk.run("sync").ok();
    // The call without an address rides with the multicall, and no code travels but the multicall's own.
    let homeless = |call: &Value| call["method"] == "eth_call" && call["params"][0]["to"].is_null();
    let requests = desk.wire.requests();
    let riding: Vec<&Value> = requests
        .iter()
        .filter(|request| request.as_array().is_some_and(|calls| calls.iter().any(homeless)))
        .collect();
    assert_eq!(riding.len(), 1, "{requests:?}");
    let multicall = |call: &Value| call["method"] == "eth_call" && !call["params"][0]["to"].is_null();
    assert!(riding[0].as_array().unwrap().iter().any(multicall), "{riding:?}");
    let vault = desk.world.six.vault;
    assert!(!desk.wire.calls().iter().any(|call| call["params"][0] == json!(vault)));
    assert_eq!(figures(&desk.home.sqlite()), super::desk::straight(&desk.world));
}
