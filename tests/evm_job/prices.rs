//! Prices beyond one Chainlink feed: adapters, fixed prices, medians, the sequencer of an L2, alerts and probes.

use super::NODE;
use super::desk::{Desk, says, warnings};
use poolctl_testkit::abi::RoundFeed;
use poolctl_testkit::alloy::primitives::{Address, Bytes, I256, U256, aliases::U80};
use poolctl_testkit::{Fault, NodeOptions, Rule};
use serde_json::{Value, json};

/// A feed whose rounds are free.
fn deploy(desk: &Desk, decimals: u8) -> Address {
    let arguments = RoundFeed::constructorCall { decimals, description: format!("X / USD {decimals}") };
    let world = &desk.world;
    let feed = world.node.deploy(world.owner, "RoundFeed", &arguments).unwrap().address().unwrap();
    world.node.mine(2).unwrap();
    feed
}

/// A round of such a feed, begun and updated at these times.
fn set(desk: &Desk, feed: Address, answer: I256, started_at: u64, updated_at: u64) {
    let round = RoundFeed::Round {
        roundId: U80::from(7),
        answer,
        startedAt: U256::from(started_at),
        updatedAt: U256::from(updated_at),
        answeredInRound: U80::from(7),
    };
    let call = RoundFeed::setCall { round };
    // Gas is fixed: a node's estimate is too low where a slot becomes zero.
    assert!(desk.world.node.send_with_gas(desk.world.owner, feed, &call, 500_000).unwrap().success);
}

/// A round of now.
fn answer(desk: &Desk, feed: Address, whole: u64, decimals: u8) {
    let now = desk.world.node.timestamp().unwrap();
    let scale = U256::from(10).pow(U256::from(decimals));
    set(desk, feed, I256::try_from(U256::from(whole) * scale).unwrap(), now, now);
}

fn add(desk: &Desk, name: &str, feed: Address) {
    desk.run(&format!("oracle add {name} --asset X --address {feed} --at latest")).ok();
}

/// `oracle aggregate X` at the head.
fn aggregate(desk: &Desk, more: &str, exit: i32) -> Value {
    desk.run(&format!("oracle aggregate X --at latest {more} --json")).exits(exit).envelope()
}

/// Name and status of quotes.
fn statuses(quotes: &Value) -> Vec<(&str, &str)> {
    let quotes = quotes.as_array().unwrap().iter();
    quotes.map(|q| (q["feed"].as_str().unwrap(), q["status"].as_str().unwrap())).collect()
}

#[test]
fn an_adapter_is_asked_for_its_token_and_is_as_old_as_its_block() {
    let desk = Desk::ready();
    let (world, asset) = (&desk.world, desk.world.eighteen.asset);
    let add = |more: &str| format!("oracle add own --asset {asset} --kind adapter {more}");
    let dry = add(&format!("--address {} --dry-run --json", world.adapter));
    desk.unchanged(|| desk.run(&dry).exits(0));
    let added = desk.json(&add(&format!("--address {}", world.adapter)));
    assert_eq!((&added["kind"], &added["address"]), (&json!("adapter"), &json!(world.adapter.to_string())));
    let again = desk.unchanged(|| desk.json(&add(&format!("--address {}", world.adapter))));
    assert_eq!(again["added"], false);
    let got = desk.json(&format!("oracle get {asset} --at latest"));
    assert_eq!((&got["price"], &got["age_sec"]), (&json!("2001.000000000000000000"), &json!(0)));
    assert_eq!(got["updated_at"], got["view"]["time"]);
    for (price, why) in [(U256::ZERO, "answer 0 is not above zero"), (U256::MAX, "passes 255 bits")] {
        let call = poolctl_testkit::abi::AdapterFeed::setPriceCall { asset, priceE18: price };
        assert!(world.node.send_with_gas(world.owner, world.adapter, &call, 500_000).unwrap().success);
        let envelope = desk.run("oracle check --at latest").fails(5, "check_failed");
        assert_eq!(envelope["data"]["quotes"][0]["status"], "invalid");
        says(&envelope["data"]["quotes"][0]["why"], &[why]);
    }
    assert_eq!(desk.one("SELECT price_e18 FROM oracle_price_cache"), "2001000000000000000000");
    // What does not answer like one is none; a symbol cannot be asked for.
    let line = format!("oracle add x --asset {asset} --kind adapter --address {}", world.not_a_vault);
    let ran = desk.unchanged(|| desk.run(&line).exits(1));
    assert!(ran.stderr.contains("getLatestPrice"), "{}", ran.stderr);
    let adapter = world.adapter.to_string();
    let args = ["oracle", "add", "x", "--asset", "ETH", "--kind", "adapter", "--address", &adapter];
    desk.refuses_offline(&args, "invalid_value", &["--asset", "not \"ETH\""]);
    desk.sound();
}

#[test]
fn a_fixed_price_needs_no_chain_and_never_stands_in_for_a_refused_quote() {
    let desk = Desk::ready();
    desk.wire.fault(Rule::new(Fault::Refuse));
    let add = |name: &str| format!("oracle add {name} --asset x --kind fixed --price 1.05");
    desk.unchanged(|| desk.run(&format!("{} --dry-run", add("par"))).exits(0));
    let added = desk.json(&add("par"));
    assert_eq!((&added["fixed_price"], &added["address"]), (&json!("1.050000000000000000"), &Value::Null));
    assert_eq!(desk.unchanged(|| desk.json(&add("par")))["added"], false);
    let shown = desk.run("oracle list").ok();
    assert!(shown.contains("fixed at 1.05"), "{shown}");
    for line in ["oracle get x", "oracle get x --refresh"] {
        let got = desk.unchanged(|| desk.json(line));
        assert_eq!((&got["source"], &got["price"]), (&json!("fixed"), &json!("1.050000000000000000")));
        assert_eq!((&got["view"], &got["updated_at"]), (&Value::Null, &Value::Null));
    }
    let checked = desk.run("oracle check").ok();
    assert!(checked.contains("1.05 (fixed)"), "{checked}");
    assert_eq!(aggregate(&desk, "", 0)["data"]["price"], "1.050000000000000000");
    assert_eq!(desk.wire.http_count(), 0);
    assert_eq!(desk.rows("SELECT * FROM oracle_price_cache"), Vec::<String>::new());
    desk.wire.heal();
    // Beside a feed of the chain, that feed alone answers.
    let feed = deploy(&desk, 8);
    answer(&desk, feed, 2, 8);
    self::add(&desk, "chain", feed);
    assert_eq!(desk.json("oracle get x --at latest")["feed"], "chain");
    set(&desk, feed, I256::ZERO, 1, 1);
    let envelope = desk.run("oracle get x --at latest --refresh").fails(5, "no_price");
    says(&envelope["error"]["message"], &["\"chain\": invalid"]);
    desk.sound();
}

#[test]
fn a_fixed_price_that_is_none_is_refused_before_anything_is_asked() {
    let desk = Desk::ready();
    let feed = desk.world.eighteen.feed.to_string();
    for (more, code, words) in [
        (vec!["--kind", "fixed"], "invalid_value", "--price: the kind fixed needs one"),
        (
            vec!["--kind", "fixed", "--price", "0"],
            "invalid_value",
            "--price: a fixed price must be above zero",
        ),
        (vec!["--kind", "fixed", "--price", "-1"], "invalid_amount", "--price"),
        (
            vec!["--kind", "fixed", "--price", "1", "--address", &feed],
            "invalid_value",
            "--address: the kind fixed has none",
        ),
        (vec!["--kind", "fixed", "--price", "1", "--min", "1"], "usage", "--min"),
        (vec!["--kind", "chainlink"], "invalid_value", "--address: the kind chainlink needs one"),
        (vec!["--address", &feed, "--price", "1"], "invalid_value", "--price: the kind chainlink has none"),
        (vec!["--kind", "uniswap", "--address", &feed], "invalid_value", "invalid feed kind: \"uniswap\""),
    ] {
        let args = [vec!["oracle", "add", "x", "--asset", "X"], more].concat();
        desk.refuses_offline(&args, code, &[words]);
    }
}

#[test]
fn feeds_of_any_decimals_have_one_median() {
    let desk = Desk::ready();
    for (name, decimals, whole) in [("a", 0u8, 100u64), ("b", 8, 103), ("c", 18, 101), ("d", 24, 104)] {
        let feed = deploy(&desk, decimals);
        answer(&desk, feed, whole, decimals);
        add(&desk, name, feed);
        desk.world.node.advance(60).unwrap();
    }
    let envelope = aggregate(&desk, "", 0);
    let data = &envelope["data"];
    assert_eq!(data["price"], "102.000000000000000000", "between 101 and 103");
    assert_eq!(data["range"], json!(["100.000000000000000000", "104.000000000000000000"]));
    assert_eq!((&data["quorum"], &data["left_out"]), (&json!(3), &json!([])));
    // As old as the oldest of them.
    let oldest = data["used"].as_array().unwrap().iter().map(|q| q["age_sec"].as_u64().unwrap()).max();
    assert_eq!(data["age_sec"].as_u64(), oldest);
    assert!(oldest >= Some(240), "{data}");
    assert_eq!(data["updated_at"], data["used"][0]["updated_at"]);
    // 4 over 102 is 3.9216 %.
    assert_eq!(aggregate(&desk, "--max-spread 0.039216", 0)["ok"], true);
    let apart = aggregate(&desk, "--max-spread 0.039215", 5);
    assert_eq!((&apart["error"]["code"], &apart["data"]["price"]), (&json!("spread_exceeded"), &Value::Null));
    says(&apart["error"]["message"], &["X has no price: prices from 100.00 to 104.00 lie further apart"]);
    desk.setting("oracle.max_spread = \"0.01\"");
    aggregate(&desk, "", 5);
    desk.unchanged(|| {
        let dry = aggregate(&desk, "--max-spread 1 --dry-run", 0);
        assert_eq!(
            (&dry["dry_run"], &dry["data"]["price"]),
            (&json!(true), &json!("102.000000000000000000"))
        );
    });
    desk.sound();
}

#[test]
fn two_of_three_feeds_down_are_no_price() {
    let desk = Desk::ready();
    let feeds = ["a", "b", "c"].map(|name| {
        let feed = deploy(&desk, 8);
        answer(&desk, feed, 100, 8);
        add(&desk, name, feed);
        feed
    });
    assert_eq!(aggregate(&desk, "", 0)["data"]["quorum"], 2);
    desk.world.node.set_code(feeds[0], &Bytes::new()).unwrap();
    let one_down = aggregate(&desk, "", 0);
    assert_eq!(statuses(&one_down["data"]["left_out"]), [("a", "unreachable")]);
    aggregate(&desk, "--min-quorum 3", 5);
    set(&desk, feeds[1], I256::MINUS_ONE, 1, 1);
    let down = aggregate(&desk, "", 5);
    assert_eq!(down["error"]["code"], "no_quorum");
    says(&down["error"]["message"], &["1 of 3 feeds have a valid price, 2 are needed"]);
    assert_eq!(statuses(&down["data"]["left_out"]), [("a", "unreachable"), ("b", "invalid")]);
    assert_eq!(statuses(&down["data"]["used"]), [("c", "ok")]);
    assert_eq!(down["data"]["price"], Value::Null);
    assert_eq!(aggregate(&desk, "--min-quorum 1", 0)["data"]["price"], "100.000000000000000000");
    let envelope = desk.unchanged(|| desk.run("oracle aggregate X --min-quorum 4").fails(2, "invalid_value"));
    says(&envelope["error"]["message"], &["--min-quorum: 4 is more than the 3 feeds of X"]);
    for (args, code) in [
        (vec!["oracle", "aggregate", "X", "--min-quorum", "0"], "usage"),
        (vec!["oracle", "aggregate", "X", "--max-spread", "-1"], "invalid_weight"),
        (vec!["oracle", "aggregate", ""], "invalid_value"),
    ] {
        desk.refuses_offline(&args, code, &[]);
    }
    desk.run("oracle aggregate NOBODY").fails(2, "unknown_asset");
    // Nothing of the chain: that is no vote either.
    desk.wire.fault(Rule::new(Fault::Refuse));
    desk.run("oracle aggregate X").fails(75, "unreachable");
}

#[test]
fn while_the_sequencer_is_down_or_in_grace_every_quote_is_refused() {
    let desk = Desk::ready();
    let (node, uptime, feed) = (&desk.world.node, deploy(&desk, 0), deploy(&desk, 8));
    answer(&desk, feed, 100, 8);
    add(&desk, "x-usd", feed);
    let now = || node.timestamp().unwrap();
    let check = || {
        let envelope = desk.run("oracle check --at latest --json").exits_one_of(&[0, 5]).envelope();
        let quote = &envelope["data"]["quotes"][0];
        (quote["status"].as_str().unwrap().to_owned(), quote["why"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(check().0, "ok");
    desk.setting(&format!("oracle.sequencer_feed = \"{uptime}\"\noracle.sequencer_grace_sec = 600"));
    let refused = |why: &str| {
        let (status, said) = check();
        assert_eq!(status, "sequencer_down", "{said}");
        assert!(said.contains(why), "{said}");
    };
    refused("the sequencer feed has not been initialised");
    set(&desk, uptime, I256::ONE, now(), now());
    refused("the chain's sequencer is down");
    // A fresh cache does not serve while it is.
    let envelope = desk.run("oracle get X --at latest").fails(5, "no_price");
    says(&envelope["error"]["message"], &["\"x-usd\": sequencer_down", "sequencer is down"]);
    let up_since = now();
    set(&desk, uptime, I256::ZERO, up_since, up_since);
    answer(&desk, feed, 101, 8);
    node.advance(up_since + 600 - now()).unwrap();
    refused("up for 10m only, the grace period is 10m");
    assert_eq!(
        desk.rows("SELECT kind, count, closed_at IS NULL FROM oracle_alerts"),
        ["sequencer_down | 4 | 1"]
    );
    node.advance(1).unwrap();
    assert_eq!(check().0, "ok");
    assert_eq!(
        desk.rows("SELECT kind, count, closed_at IS NULL FROM oracle_alerts"),
        ["sequencer_down | 4 | 0"]
    );
    assert_eq!(desk.json("oracle get X")["source"], "cache");
    // A sequencer feed that is gone tells nothing, so nothing may be used.
    node.set_code(uptime, &Bytes::new()).unwrap();
    refused("sequencer feed");
    desk.sound();
}

#[test]
fn alerts_are_shown_while_they_hold_and_kept_when_they_do_not() {
    let desk = Desk::ready();
    let (one, two) = (deploy(&desk, 8), deploy(&desk, 8));
    add(&desk, "one", one);
    add(&desk, "two", two);
    let none = json!({ "alerts": [], "open": 0, "more": false, "cursor": null, "total": 0 });
    assert_eq!(desk.json("oracle alerts"), none);
    desk.run("oracle check --at latest").fails(5, "check_failed");
    answer(&desk, one, 5, 8);
    desk.run("oracle check --at latest").fails(5, "check_failed");
    desk.wire.clear();
    let before = desk.dump();
    let alerts = desk.json("oracle alerts");
    assert_eq!(alerts["open"], 1);
    let alert = &alerts["alerts"][0];
    assert_eq!(
        (&alert["subject"], &alert["kind"], &alert["count"]),
        (&json!("two"), &json!("invalid"), &json!(2))
    );
    assert_eq!((&alert["open"], &alert["closed_at"]), (&json!(true), &Value::Null));
    let all = desk.json("oracle alerts --closed");
    let subjects: Vec<&Value> = all["alerts"].as_array().unwrap().iter().map(|a| &a["subject"]).collect();
    assert_eq!(subjects, [&json!("two"), &json!("one")], "the newest first");
    assert!(all["alerts"][1]["closed_at"].is_string());
    let first = desk.json("oracle alerts --closed --limit 1");
    assert_eq!(
        (first["alerts"].as_array().unwrap().len(), &first["more"], &first["total"]),
        (1, &json!(true), &json!(2))
    );
    let second = desk.json(&format!("oracle alerts --closed --after {}", first["cursor"].as_str().unwrap()));
    assert_eq!((&second["alerts"][0], &second["more"]), (&all["alerts"][1], &json!(false)));
    assert_eq!(desk.json("oracle alerts one"), none);
    let csv = desk.run("oracle alerts --closed --csv").ok();
    assert!(csv.starts_with("id,subject,kind,why,open,first_seen,") && csv.lines().count() == 3, "{csv}");
    let shown = desk.run("oracle alerts two").ok();
    assert!(shown.contains("OPEN") && shown.contains("2 times"), "{shown}");
    desk.run("oracle alerts three").fails(2, "unknown_feed");
    assert_eq!(desk.json("oracle alerts --limit 3")["total"], 1);
    desk.run("oracle alerts --limit 0").fails(2, "usage");
    super::desk::same(&before, &desk.dump());
    assert_eq!(desk.wire.http_count(), 0);
}

#[test]
fn a_dry_run_of_get_says_the_price_and_keeps_nothing() {
    let desk = Desk::ready();
    let feed = deploy(&desk, 8);
    add(&desk, "x-usd", feed);
    answer(&desk, feed, 7, 8);
    let dry = desk.unchanged(|| desk.run("oracle get X --at latest --dry-run --json").exits(0).envelope());
    assert_eq!((&dry["dry_run"], &dry["data"]["source"]), (&json!(true), &json!("chain")));
    assert_eq!(dry["data"]["price"], "7.000000000000000000");
    desk.json("oracle get X --at latest");
    let hit = desk.unchanged(|| desk.run("oracle get X --dry-run --json").exits(0).envelope());
    assert_eq!((&hit["dry_run"], &hit["data"]["source"]), (&json!(true), &json!("cache")));
    // Not even that the chain was silent.
    desk.wire.fault(Rule::new(Fault::Refuse));
    let silent = desk.unchanged(|| desk.run("oracle get X --refresh --dry-run --json").exits(0).envelope());
    assert_eq!(silent["data"]["source"], "degraded");
    says(&warnings(&silent), &["the chain cannot be read"]);
}

#[test]
fn a_probe_is_one_line_and_its_status_is_the_plugins() {
    let desk = Desk::ready();
    let probe = |exit: i32| {
        let ran = desk.run("oracle check --at latest --nagios").exits(exit);
        assert_eq!((ran.stdout.lines().count(), ran.stderr.as_str()), (1, ""), "{ran:?}");
        ran.stdout
    };
    assert_eq!(probe(3), "ORACLE UNKNOWN - there are no feeds | 'refused'=0;0; 'feeds'=0\n");
    let (one, two) = (deploy(&desk, 8), deploy(&desk, 8));
    answer(&desk, one, 5, 8);
    answer(&desk, two, 5, 8);
    add(&desk, "one", one);
    add(&desk, "two", two);
    let well = probe(0);
    assert!(well.starts_with("ORACLE OK - 2 of 2 feeds have a valid price | 'refused'=0;0; 'feeds'=2 "));
    assert!(well.contains("'one_age'=") && well.contains("s;;3600"), "{well}");
    set(&desk, two, I256::ZERO, 1, 1);
    let worse = probe(1);
    assert!(
        worse.starts_with("ORACLE WARNING - 1 of 2 feeds refused; first: two: invalid: answer 0"),
        "{worse}"
    );
    probe(1);
    assert!(probe(2).starts_with("ORACLE CRITICAL - "), "refused three times in a row");
    set(&desk, two, I256::ONE, 1, desk.world.node.timestamp().unwrap());
    probe(0);
    set(&desk, one, I256::ZERO, 1, 1);
    set(&desk, two, I256::ZERO, 1, 1);
    assert!(
        probe(2).starts_with("ORACLE CRITICAL - 2 of 2 feeds refused"),
        "nothing prices the asset any more"
    );
    desk.wire.fault(Rule::new(Fault::Refuse));
    let silent = probe(3);
    assert!(
        silent.starts_with("ORACLE UNKNOWN - unreachable: cannot read the feeds: endpoint \"main\""),
        "{silent}"
    );
    desk.run("oracle check --nagios --json").fails(2, "usage");
    // What it found is recorded as ever, and the metrics keep poolctl's own exit code.
    desk.wire.heal();
    let metrics = desk.home.path().join("oracle.prom");
    desk.run(&format!("oracle check --at latest --nagios --metrics-file {}", metrics.display())).exits(2);
    let text = std::fs::read_to_string(metrics).unwrap();
    assert!(text.contains("poolctl_run_exit_code{command=\"oracle check\"} 5\n"), "{text}");
    desk.sound();
}

#[test]
fn without_multicall_the_same_quotes_come_one_by_one() {
    let options = NodeOptions { multicall: false, ..NodeOptions::default() };
    let node = poolctl_testkit::Node::start(NODE, &options).unwrap();
    let desk = Desk::on(poolctl_testkit::World::on(node).unwrap());
    let (uptime, feed, asset) = (deploy(&desk, 0), deploy(&desk, 24), desk.world.eighteen.asset);
    answer(&desk, feed, 1_999, 24);
    set(&desk, uptime, I256::ZERO, 1, 1);
    desk.setting(&format!("oracle.sequencer_feed = \"{uptime}\""));
    desk.run(&format!("oracle add a --asset {asset} --address {feed} --at latest")).ok();
    let adapter = desk.world.adapter;
    desk.run(&format!("oracle add b --asset {asset} --kind adapter --address {adapter} --at latest")).ok();
    desk.run(&format!("oracle add c --asset {asset} --kind fixed --price 2002")).ok();
    let data = desk.json(&format!("oracle aggregate {asset} --at latest"));
    assert_eq!(data["price"], "2001.000000000000000000");
    assert_eq!(data["used"].as_array().unwrap().len(), 3);
    assert_eq!(data["used"][2]["kind"], "fixed");
}
