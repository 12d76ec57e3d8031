//! `doctor` on a farm: the contract, what farmers lack, stakes that expire, endpoints side by side.

use crate::desk::{Desk, KALE};
use poolctl_testkit::doctor::{line, stands};
use poolctl_testkit::{Fault, Proxy, Rule};
use serde_json::{Value, json};

const AGE: &str = "stellar.max_head_age_sec = 4000000000";

#[track_caller]
fn say(desk: &Desk, code: i32) -> Value {
    let before: String = desk.value("SELECT value FROM meta WHERE key = 'data_version'");
    let data = desk.run("doctor --json").exits(code).last()["data"].clone();
    assert_eq!(before, desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'"));
    data
}

#[test]
fn a_sound_farm_and_one_that_farmers_cannot_use() {
    let mut desk = Desk::with_farmers(2, 10 * KALE);
    desk.configure(AGE);
    let data = say(&desk, 0);
    // Nobody has set up an EVM chain here, and nobody misses it.
    stands(&data, "config", "settings", "ok", "sandbox");
    stands(&data, "stellar", "\"one\"", "ok", "ledger ");
    stands(&data, "contracts", "farm", "ok", "is a KALE farm, block ");
    stands(&data, "farmers", "funding", "ok", "2 active farmers lack nothing");
    assert!(line(&data, "expiry", "the farm's instance")["found"].as_str().unwrap().contains("lives until"));

    let bare = desk.register("without an account", "0.25");
    let data = say(&desk, 5);
    stands(&data, "farmers", &bare.address, "fail", "no account");
    assert!(line(&data, "farmers", &bare.address)["fix"].as_str().unwrap().contains(&bare.address));
    desk.network.fund(&bare.address, 100 * crate::desk::XLM).unwrap();
    stands(&say(&desk, 5), "farmers", &bare.address, "fail", "no trustline");
    // Who leaves need not be funded.
    desk.run(&format!("farmer set {} --status leaving", bare.id)).exits(0);
    stands(&say(&desk, 0), "farmers", "funding", "ok", "2 active farmers");
}

#[test]
fn another_contract_and_another_network_are_found() {
    let desk = Desk::with_farmers(1, 10 * KALE);
    desk.configure(AGE);
    let config = desk.path(".config/poolctl/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let nowhere = "CDL74RF5BLYR2YBLCCI7F5FB6TPSCLKEJUBSD2RSVWZ4YHF3VMFAIGWA";
    std::fs::write(&config, text.replace(&desk.contract.to_string(), nowhere)).unwrap();
    stands(&say(&desk, 5), "contracts", "farm", "fail", "there is no contract");

    let other = Proxy::start(&desk.network.url()).unwrap();
    other.fault(Rule::new(Fault::Custom(|request, mut response| {
        if request["method"] == "getNetwork" {
            response["result"]["passphrase"] = json!("Another Network ; 2015");
        }
        response
    })));
    desk.write_config(&[other.url(), desk.network.url()], AGE);
    let data = say(&desk, 5);
    stands(&data, "stellar", "\"one\"", "fail", "Another Network");
    stands(&data, "stellar", "\"two\"", "ok", "ledger ");
    stands(&data, "contracts", "farm", "ok", "is a KALE farm");
}

#[test]
fn a_stake_that_expires_soon_fails() {
    let desk = Desk::with_farmers(1, 10 * KALE);
    desk.configure(AGE);
    desk.ripen();
    {
        let _ledgers = desk.ledgers();
        desk.run("plant").exits(0);
    }
    let (now, _) = desk.network.latest().unwrap();
    let live = |until: u32| {
        desk.sqlite().execute("UPDATE open_pails SET live_until = ?1", [until]).unwrap();
    };
    live(now + 5_000);
    stands(&say(&desk, 0), "expiry", "pails", "ok", "none of 1");
    live(now + 100);
    let data = say(&desk, 5);
    stands(&data, "expiry", "farmer ", "fail", "expires at ledger");
    assert!(line(&data, "expiry", "farmer ")["fix"].as_str().unwrap().starts_with("poolctl harvest"));
}

#[test]
fn a_strategy_command_that_cannot_be_run_is_found() {
    let desk = Desk::with_farmers(1, 10 * KALE);
    for (command, code, status, words) in [
        ("/nonexistent/strategy --key hidden", 5, "fail", "/nonexistent/strategy: no program"),
        ("API_KEY=hidden ./strategy", 5, "fail", "API_KEY=***: no program"),
        ("no-such-strategy", 5, "fail", "no-such-strategy: no program"),
        ("sh -c 'cat'", 0, "ok", "sh: can be run"),
        ("/bin/sh -c 'cat'", 0, "ok", "/bin/sh: can be run"),
        ("sh -c 'cat", 5, "fail", "quotes do not match"),
    ] {
        desk.configure(&format!("{AGE}\nstrategy.command = \"{command}\""));
        let data = say(&desk, code);
        stands(&data, "files", "strategy.command", status, words);
        assert!(!data.to_string().contains("hidden"), "{data}");
    }
}
