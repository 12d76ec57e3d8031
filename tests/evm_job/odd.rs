//! Contracts that do not answer for what decides something.

use super::desk::{Desk, says};
use poolctl_testkit::alloy::primitives::{Address, Bytes};
use serde_json::{Value, json};

/// Selectors of `decimals()`, `symbol()` and `maxDeposit(address)`.
const DECIMALS: &str = "313ce567";
const SYMBOL: &str = "95d89b41";
const MAX_DEPOSIT: &str = "402d267d";

/// Takes a function away from a contract: its calls revert.
pub fn forget(desk: &Desk, contract: Address, selector: &str) {
    let node = &desk.world.node;
    let code = node.rpc("eth_getCode", json!([contract, "latest"])).unwrap();
    // Where it is compared for, not where the search for others turns.
    let (code, has) = (code.as_str().unwrap(), format!("63{selector}14"));
    assert!(code.contains(&has), "{selector}");
    node.set_code(contract, &code.replace(&has, "63deadbeef14").parse().unwrap()).unwrap();
    node.mine(2).unwrap();
}

/// Puts a contract on the chain that answers `decimals()` with 6, and `symbol()` with these bytes.
fn token(desk: &Desk, seed: u8, symbol: &[u8]) -> Address {
    // Two ways, at 0x1f and 0x2a: the word 6, or the bytes behind the code.
    let code = format!(
        "0x60003560e01c8063{DECIMALS}14601f578063{SYMBOL}14602a5760006000fd5b600660005260206000f3\
         5b61{0:04x}603960003961{0:04x}6000f3",
        symbol.len()
    );
    let code: Bytes = code.parse().unwrap();
    assert_eq!((code[0x1f], code[0x2a], code.len()), (0x5b, 0x5b, 0x39));
    let at = Address::repeat_byte(seed);
    desk.world.node.set_code(at, &[&code, symbol].concat().into()).unwrap();
    desk.world.node.mine(2).unwrap();
    at
}

/// The words of a token as an ABI string.
fn string(text: &str) -> Vec<u8> {
    let mut data = vec![0; 64];
    data[31] = 32;
    data[60..64].copy_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
    data.extend(text.bytes());
    data.resize(data.len().next_multiple_of(32), 0);
    data
}

#[test]
fn a_token_is_called_by_what_it_says_or_by_hand() {
    let desk = Desk::bare();
    let pool = || desk.world.add_legacy_pool(desk.world.six.asset).unwrap().address().unwrap();
    let long = "L".repeat(5_000);
    let padded = [&b"MKR"[..], &[0; 29]].concat();
    let cases: [(u8, Vec<u8>, &str); 5] = [
        (0x51, padded, "MKR"),
        (0x52, Vec::new(), "0x5252…5252"),
        (0x53, string(""), "0x5353…5353"),
        (0x54, string(&long), &long),
        (0x55, string("  USD "), "USD"),
    ];
    for (seed, symbol, want) in cases {
        let at = pool();
        let asset = token(&desk, seed, &symbol);
        let added = desk.json(&format!("pool add p{seed} {at} --abi legacy --asset {asset}"));
        assert_eq!(
            (&added["pool"]["asset"]["symbol"], &added["pool"]["asset"]["decimals"]),
            (&json!(want), &json!(6))
        );
    }
    desk.world.node.mine(2).unwrap();
    desk.run("sync").ok();
    let cut = format!("0.00 {}…", "L".repeat(31));
    for command in ["pool show p84", "pool list", "sync"] {
        let text = desk.run(command).ok();
        assert!(text.contains(&cut) && !text.contains(&"L".repeat(32)), "{command}: {text}");
    }
    // By hand, for the same token too; the same again changes nothing, another one is another pool's settings.
    let at = pool();
    desk.world.node.mine(2).unwrap();
    let line = format!("pool add named {at} --abi legacy --asset {}", Address::repeat_byte(0x54));
    for bad in ["", "a\u{1}b", &"x".repeat(33)] {
        desk.unchanged(|| desk.run(&format!("{line} --symbol={bad}")).fails(2, "invalid_value"));
    }
    assert_eq!(desk.json(&format!("{line} --symbol LONG"))["pool"]["asset"]["symbol"], "LONG");
    assert_eq!(desk.json("pool show p84")["asset"]["symbol"], "LONG");
    desk.unchanged(|| assert_eq!(desk.json(&format!("{line} --symbol LONG"))["added"], false));
    desk.unchanged(|| desk.run(&format!("{line} --symbol OTHER")).fails(2, "conflict"));
    // A share token without a symbol is called by its pool.
    forget(&desk, desk.world.six.vault, SYMBOL);
    desk.run(&format!("pool add stable {} --symbol TUSD", desk.world.six.vault)).ok();
    assert_eq!(desk.json("pool show stable")["share_symbol"], "stable");
    desk.sound();
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

    forget(&desk, stable, MAX_DEPOSIT);
    let on_chain = verdict(&desk, "--on-chain --at latest");
    assert_eq!(codes(&on_chain), ["limit_unknown", "contract_changed"]);
    says(&on_chain["reasons"][0]["message"], &["maxDeposit is not known", "maxDeposit(address) reverted"]);
    assert_eq!(on_chain["valid"], false);

    // By the state too, until a sync gets it.
    desk.run("sync --at latest").exits(0);
    desk.run("pool accept-change stable").ok();
    assert_eq!(codes(&verdict(&desk, "")), ["limit_unknown", "insufficient_balance"]);
    let shown = desk.json("pool show stable");
    assert_eq!((&shown["max_deposit"], &shown["unknown_limits"]), (&Value::Null, &json!(["max_deposit"])));
    let text = desk.run("pool show stable").ok();
    assert!(text.contains("unknown: the contract does not say"), "{text}");
    desk.run("pool reconcile stable").exits(0);
    desk.sound();
}
