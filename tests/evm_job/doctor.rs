//! `doctor` on a chain: pins, heads, lag, and contracts that are there and of the right kind.

use super::desk::{Desk, config};
use poolctl_testkit::alloy::primitives::{Address, Bytes};
use poolctl_testkit::doctor::{line, stands};
use poolctl_testkit::{Fault, Matcher, Proxy, Rule};
use serde_json::{Value, json};

/// A desk with pools, a feed and an engine, whose chain may be of any age.
fn desk() -> Desk {
    let desk = Desk::bare();
    desk.furnish();
    desk.setting("evm.max_head_age_sec = 1500000000");
    desk
}

/// What `doctor` says, whatever it comes to; it changes nothing.
fn say(desk: &Desk) -> Value {
    desk.unchanged(|| desk.run("doctor --json").exits_one_of(&[0, 5]).envelope()["data"].clone())
}

#[test]
fn a_sound_installation() {
    let desk = desk();
    let data = say(&desk);
    assert_eq!(data["fail"], 0, "{data}");
    for subject in ["multicall", "pool growth", "pool stable", "feed growth-usd", "risk engine of growth"] {
        stands(&data, "contracts", subject, "ok", "0x");
    }
    stands(&data, "evm", "\"main\"", "ok", "answered in ");
    let head = format!("block {}", desk.world.node.block_number().unwrap());
    stands(&data, "evm", "\"main\"", "ok", &head);
    let ran = desk.run("doctor").exits(0);
    assert!(ran.stdout.ends_with(" failing\n"), "{ran:?}");
}

#[test]
fn an_endpoint_of_another_chain_and_one_that_is_silent_hide_nothing() {
    let desk = desk();
    let other = Proxy::start(desk.world.node.url()).unwrap();
    other.fault(Rule::new(Fault::ChainId(5)));
    let main = desk.wire.url();
    let text =
        config(&desk.world, &[("other", &other.url()), ("down", "http://127.0.0.1:1"), ("main", &main)]);
    desk.home.write_config(&(text + "evm.max_head_age_sec = 1500000000\n"));
    let data = say(&desk);
    stands(&data, "evm", "\"other\"", "fail", "on chain 5");
    stands(&data, "evm", "\"down\"", "fail", "cannot connect");
    stands(&data, "evm", "\"main\"", "ok", "block");
    stands(&data, "contracts", "pool growth", "ok", "answers like one");
    assert_eq!(data["fail"], 2, "{data}");
}

#[test]
fn one_that_lags_is_named() {
    let desk = desk();
    let behind = Proxy::start(desk.world.node.url()).unwrap();
    // It says of an old block that it is the newest.
    behind.fault(Rule::new(Fault::Custom(|_, mut response| {
        if let Some(number) = response["result"]["number"].as_str() {
            let height = u64::from_str_radix(number.trim_start_matches("0x"), 16).unwrap();
            response["result"]["number"] = json!(format!("{:#x}", height - 7));
        }
        response
    })));
    let main = desk.wire.url();
    let text = config(&desk.world, &[("main", &main), ("behind", &behind.url())]);
    desk.home.write_config(&(text + "evm.max_head_age_sec = 1500000000\n"));
    let data = say(&desk);
    stands(&data, "evm", "\"behind\"", "warn", "7 behind the furthest");
    stands(&data, "evm", "\"main\"", "ok", "block");
}

#[test]
fn a_head_that_is_too_old_or_from_the_future_fails() {
    for (rewrite, words) in [
        (
            (|_, mut response| {
                if response["result"]["timestamp"].is_string() {
                    response["result"]["timestamp"] = json!("0x1");
                }
                response
            }) as poolctl_testkit::proxy::Rewrite,
            " old",
        ),
        (
            |_, mut response| {
                if response["result"]["timestamp"].is_string() {
                    response["result"]["timestamp"] = json!("0xf5000000");
                }
                response
            },
            "in the future",
        ),
    ] {
        let desk = desk();
        desk.wire.fault(Rule::new(Fault::Custom(rewrite)));
        let data = say(&desk);
        stands(&data, "evm", "\"main\"", "fail", words);
        assert!(line(&data, "evm", "\"main\"")["fix"].as_str().unwrap().contains("evm.max_head_age_sec"));
    }
}

#[test]
fn a_contract_that_is_gone_or_another_is_found() {
    let desk = desk();
    let node = &desk.world.node;
    node.set_code(desk.world.six.vault, &Bytes::new()).unwrap();
    // A token has code, and is no feed.
    desk.meddle(&format!("UPDATE oracle_feeds SET address = '{}'", desk.world.six.asset));
    desk.meddle(&format!(
        "UPDATE pool_risk_parameters SET engine_address = '{}' WHERE engine = 'viddhana'",
        desk.world.six.asset
    ));
    desk.setting(&format!("oracle.sequencer_feed = \"{}\"", Address::repeat_byte(0x77)));
    let data = say(&desk);
    stands(&data, "contracts", "pool stable", "fail", "");
    stands(&data, "contracts", "pool growth", "ok", "");
    stands(&data, "contracts", "feed growth-usd", "fail", "");
    stands(&data, "contracts", "risk engine of growth", "fail", "");
    stands(&data, "contracts", "sequencer feed", "fail", "no contract");
    for line in data["checks"].as_array().unwrap().iter().filter(|line| line["status"] != "ok") {
        assert!(line["fix"].is_string(), "{line}");
    }
    desk.setting(&format!("evm.multicall = \"{}\"", Address::repeat_byte(0x66)));
    stands(&say(&desk), "contracts", "multicall", "warn", "travels alone");
}

/// An endpoint that stalls in the middle of the contracts has shown its head, and does not hold up the others.
#[test]
fn an_endpoint_that_stalls_later_keeps_to_its_limit() {
    let desk = desk();
    let slow = Proxy::start(desk.world.node.url()).unwrap();
    let stall = Fault::Delay(std::time::Duration::from_mins(1));
    slow.fault(Rule::new(stall).on(Matcher::Method("eth_getCode".into())));
    let main = desk.wire.url();
    let text = config(&desk.world, &[("slow", &slow.url()), ("main", &main)]);
    desk.home.write_config(&(text + "evm.max_head_age_sec = 1500000000\nevm.timeout_sec = 2\n"));
    let begun = std::time::Instant::now();
    let data = say(&desk);
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
    stands(&data, "evm", "\"slow\"", "ok", "block");
    stands(&data, "contracts", "pool growth", "ok", "answers like one");
}
