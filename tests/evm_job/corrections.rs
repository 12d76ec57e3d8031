//! What was added can be corrected, taken out of use, and put back; names, addresses and their beginnings.

use super::desk::{Desk, says};
use poolctl_testkit::abi::RoundFeed;
use poolctl_testkit::alloy::primitives::{Address, I256, U256, aliases::U80};
use poolctl_testkit::{Fault, Rule};
use serde_json::{Value, json};

/// A feed of 8 decimals whose rounds are free, at a whole price.
fn deploy(desk: &Desk, whole: u64) -> Address {
    let arguments = RoundFeed::constructorCall { decimals: 8, description: "X / USD".into() };
    let world = &desk.world;
    let feed = world.node.deploy(world.owner, "RoundFeed", &arguments).unwrap().address().unwrap();
    answer(desk, feed, whole);
    feed
}

/// A round of now; 0 is no price.
fn answer(desk: &Desk, feed: Address, whole: u64) {
    let now = U256::from(desk.world.node.timestamp().unwrap());
    let round = RoundFeed::Round {
        roundId: U80::from(7),
        answer: I256::try_from(U256::from(whole) * U256::from(100_000_000u64)).unwrap(),
        startedAt: now,
        updatedAt: now,
        answeredInRound: U80::from(7),
    };
    let call = RoundFeed::setCall { round };
    assert!(desk.world.node.send_with_gas(desk.world.owner, feed, &call, 500_000).unwrap().success);
}

fn add(desk: &Desk, name: &str, feed: Address, more: &str) -> String {
    let asset = desk.world.eighteen.asset;
    format!("oracle add {name} --asset {asset} --address {feed} --at latest {more}")
}

/// The kinds of the newest events, oldest first.
fn events(desk: &Desk, like: &str) -> Vec<String> {
    desk.rows(&format!("SELECT kind, subject FROM events WHERE kind LIKE '{like}' ORDER BY id"))
}

#[test]
fn a_first_price_outside_its_own_bounds_is_refused() {
    let desk = Desk::ready();
    let feed = deploy(&desk, 2_000);
    for (bounds, words) in [
        ("--min 2000.01", ["price 2,000.00", "2,000.01 to unlimited"]),
        ("--max 1999", ["price 2,000.00", "unlimited to 1,999.00"]),
        ("--min 1 --max 2", ["price 2,000.00", "1.00 to 2.00"]),
    ] {
        let envelope =
            desk.unchanged(|| desk.run(&add(&desk, "usd", feed, bounds)).fails(2, "invalid_value"));
        says(&envelope["error"]["message"], &words);
        says(&envelope["error"]["hint"], &["--force"]);
    }
    // Its own edge is within, and so is an old price: that is for the check to say.
    let dry = desk.unchanged(|| desk.json(&add(&desk, "usd", feed, "--min 2000 --max 2000 --dry-run")));
    assert_eq!(dry["added"], true);
    desk.world.node.advance(100_000).unwrap();
    desk.run(&add(&desk, "usd", feed, "--min 1999")).ok();
    let old = desk.unchanged(|| desk.run(&add(&desk, "old", feed, "--max 1999")).fails(2, "invalid_value"));
    says(&old["error"]["message"], &["price 2,000.00"]);
    // Without a look nothing is asked, not even by an endpoint that is not there.
    desk.wire.fault(Rule::new(Fault::Refuse));
    let envelope = desk.unchanged(|| desk.run(&add(&desk, "odd", feed, "--max 2")).fails(75, "unreachable"));
    says(&envelope["error"]["hint"], &["--force"]);
    let sent = desk.wire.http_count();
    let forced = desk.json(&add(&desk, "odd", feed, "--max 2 --force"));
    assert_eq!((&forced["added"], &forced["checked_at"]), (&json!(true), &Value::Null));
    assert_eq!(desk.wire.http_count(), sent);
    desk.sound();
}

#[test]
fn a_feed_is_changed_with_a_look_where_that_matters() {
    let desk = Desk::ready();
    let (feed, other) = (deploy(&desk, 2_000), deploy(&desk, 3_000));
    desk.run(&add(&desk, "usd", feed, "--min 1000 --max 2500")).ok();
    desk.run("oracle check --at latest").ok();
    let set = |more: &str| desk.run(&format!("oracle set usd {more}"));
    // What is asked for is there.
    let same = desk.unchanged(|| set("--min 1000").json());
    assert_eq!((&same["changed"], &same["checked_at"]), (&json!(false), &Value::Null));
    // Limits that no look is needed for.
    desk.wire.fault(Rule::new(Fault::Refuse));
    let now = set("--max-staleness 1m --max-deviation 0.5").json();
    assert_eq!((&now["changed"], &now["max_staleness_sec"]), (&json!(true), &json!(60)));
    assert_eq!(now["max_deviation"], "0.500000");
    // Bounds and source: without an answer only by force.
    let envelope = desk.unchanged(|| set("--min 1500").fails(75, "unreachable"));
    says(&envelope["error"]["hint"], &["--force"]);
    assert_eq!(set("--min 1500 --force").json()["min"], "1500.000000000000000000");
    desk.wire.heal();
    for (more, code, word) in [
        ("--min 2000.5", "invalid_value", "price 2,000.00"),
        ("--max 1999", "invalid_value", "price 2,000.00"),
        ("--min 9 --max 8", "invalid_value", "--min: 9.00 is above"),
        (&*format!("--address {other} --max-staleness 3600"), "invalid_value", "price 3,000.00"),
        ("--kind dice", "invalid_value", "invalid feed kind"),
        ("--kind fixed", "invalid_value", "--price"),
        ("--price 5", "invalid_value", "--price"),
        ("--max-deviation 2", "invalid_weight", "--max-deviation"),
        ("--max-staleness 0", "invalid_value", "--max-staleness"),
        ("--max-staleness 1y", "invalid_value", "--max-staleness"),
        ("--address 0x12", "invalid_address", "--address"),
        ("", "usage", "--address"),
    ] {
        let envelope = desk.unchanged(|| set(&format!("{more} --at latest")).fails(2, code));
        says(&envelope["error"]["message"], &[word]);
    }
    desk.unchanged(|| desk.run("oracle set us --min 1").fails(2, "unknown_feed"));
    let dry = desk.unchanged(|| set("--max 5000 --at latest --dry-run").json());
    assert_eq!((&dry["changed"], &dry["max"]), (&json!(true), &json!("5000.000000000000000000")));
    // Another contract: what the first one said, and how often it failed, says nothing of it.
    answer(&desk, feed, 0);
    desk.run("oracle check --at latest").fails(5, "check_failed");
    let moved = set(&format!("--address {other} --max none --at latest")).json();
    assert_eq!((&moved["address"], &moved["max"]), (&json!(other.to_string()), &Value::Null));
    assert_eq!(moved["failure_streak"], 0);
    assert_eq!(desk.json("oracle alerts")["alerts"], json!([]));
    answer(&desk, other, 9_000);
    desk.run("oracle check --at latest").ok();
    assert_eq!(
        events(&desk, "oracle.feed_%"),
        ["oracle.feed_added | usd"].into_iter().chain(["oracle.feed_changed | usd"; 3]).collect::<Vec<_>>()
    );
    desk.sound();
}

#[test]
fn a_removed_feed_prices_nothing_and_comes_back_when_it_is_added_again() {
    let desk = Desk::ready();
    let feeds = ["a", "b", "c"].map(|name| {
        let feed = deploy(&desk, 100);
        desk.run(&add(&desk, name, feed, "")).ok();
        feed
    });
    let asset = desk.world.eighteen.asset;
    answer(&desk, feeds[2], 0);
    desk.run("oracle check --at latest").fails(5, "check_failed");
    desk.unchanged(|| desk.run("oracle remove d").fails(2, "unknown_feed"));
    assert_eq!(desk.unchanged(|| desk.json("oracle remove c --dry-run"))["changed"], true);
    assert_eq!(desk.json("oracle remove c")["changed"], true);
    assert_eq!(desk.unchanged(|| desk.json("oracle remove c"))["changed"], false);
    // Not asked, not counted, and nothing is wrong with it any more.
    assert_eq!(desk.json("oracle check --at latest")["quotes"].as_array().unwrap().len(), 2);
    let found = desk.run(&format!("oracle aggregate {asset} --at latest --json")).exits(0).envelope();
    assert_eq!((&found["data"]["quorum"], found["data"]["used"].as_array().unwrap().len()), (&json!(2), 2));
    desk.run(&format!("oracle aggregate {asset} --min-quorum 3")).fails(2, "invalid_value");
    assert_eq!(desk.json("oracle alerts")["alerts"], json!([]));
    let names = |line: &str| -> Vec<String> {
        let listed = desk.json(line);
        listed["feeds"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (names("oracle list"), names("oracle list --removed")),
        (vec!["a".into(), "b".into()], vec!["a".into(), "b".into(), "c".into()])
    );
    for line in ["oracle check c", "oracle fetch c", "oracle set c --min 1"] {
        let envelope = desk.unchanged(|| desk.run(line).fails(2, "conflict"));
        says(&envelope["error"]["message"], &["feed \"c\" was removed"]);
        says(&envelope["error"]["hint"], &["oracle remove c --undo"]);
    }
    // A mistake is taken back.
    let before = desk.json("oracle list --removed")["feeds"][2].clone();
    assert_eq!(desk.unchanged(|| desk.json("oracle remove c --undo --dry-run"))["changed"], true);
    let back = desk.json("oracle remove c --undo");
    assert_eq!((&back["changed"], &back["removed_at"]), (&json!(true), &Value::Null), "{back}");
    for field in ["address", "asset", "kind", "max_staleness_sec", "min", "max", "max_deviation"] {
        assert_eq!(back[field], before[field], "{field}");
    }
    assert_eq!(desk.unchanged(|| desk.json("oracle remove c --undo"))["changed"], false);
    assert_eq!(names("oracle list").len(), 3);
    desk.run("oracle remove c").ok();
    // What it said stays.
    assert_eq!(desk.json("oracle alerts c --closed")["alerts"].as_array().unwrap().len(), 1);
    desk.run("oracle remove a").ok();
    assert_eq!(desk.one("SELECT count(*) FROM oracle_price_cache"), "2");
    desk.run("oracle remove b").ok();
    desk.run(&format!("oracle get {asset}")).fails(2, "unknown_asset");
    // It may come back as another one.
    let again = desk.json(&format!("oracle add a --asset NEW --address {} --at latest --min 50", feeds[1]));
    assert_eq!(
        (&again["added"], &again["asset"], &again["removed_at"]),
        (&json!(true), &json!("NEW"), &Value::Null)
    );
    desk.run("oracle get NEW --at latest").ok();
    // What was accepted and lies outside other bounds serves no longer.
    let cached = "SELECT count(*) FROM oracle_price_cache c JOIN oracle_feeds f ON f.id = c.feed_id WHERE f.name = 'a'";
    desk.run("oracle set a --max 150").ok();
    assert_eq!(desk.one(cached), "1");
    desk.run("oracle set a --max 80 --force").ok();
    assert_eq!(desk.one(cached), "0");
    // A fixed price has no limits.
    desk.run("oracle add peg --asset PEG --kind fixed --price 1").ok();
    desk.unchanged(|| desk.run("oracle set peg --min 3").fails(2, "invalid_value"));
    desk.unchanged(|| desk.run("oracle set peg --price 2 --min 3").fails(2, "usage"));
    let kinds = "SELECT kind, json_extract(payload, '$.again') FROM events WHERE subject = 'a' AND kind LIKE 'oracle.feed_%' ORDER BY id";
    assert_eq!(
        desk.rows(kinds),
        [
            "oracle.feed_added | 0",
            "oracle.feed_removed | NULL",
            "oracle.feed_added | 1",
            "oracle.feed_changed | NULL",
            "oracle.feed_changed | NULL"
        ]
    );
    desk.sound();
}

#[test]
fn a_feed_that_fails_opens_no_breaker_while_there_is_a_quorum_without_it() {
    let desk = Desk::ready();
    desk.setting("risk.failure_streak = 2");
    desk.run("sync").ok();
    for pool in ["growth", "stable"] {
        desk.run(&format!("risk set {pool} --max-tvl 1000000")).ok();
    }
    let feeds = ["a", "b", "c"].map(|name| {
        let feed = deploy(&desk, 100);
        desk.run(&add(&desk, name, feed, "")).ok();
        feed
    });
    let check = |exit: i32| desk.run("oracle check --at latest").exits(exit);
    let breakers = || desk.rows("SELECT pool_id, rule, reason FROM circuit_breaker_status");
    check(0);
    answer(&desk, feeds[0], 0);
    for _ in 0..4 {
        check(5);
    }
    assert_eq!(breakers(), Vec::<String>::new());
    // It is an alert, and no rule is violated.
    assert_eq!(desk.json("oracle alerts")["alerts"][0]["count"], 4);
    desk.run("risk check").ok();
    // A second one: one of three is no majority, from its second refusal on.
    answer(&desk, feeds[1], 0);
    check(5);
    assert_eq!(breakers(), Vec::<String>::new());
    check(5);
    let why = "feed \"a\" was refused 6 times in a row; 1 of 3 feeds of the asset are left, 2 are needed";
    assert_eq!(breakers(), [format!("1 | oracle_failure_streak | {why}")]);
    let envelope = desk.run("risk check").fails(5, "check_failed");
    let findings = json!(["growth: circuit_breaker_active", "growth: oracle_failure_streak"]);
    assert_eq!(envelope["error"]["details"]["findings"], findings);
    // The one that is healthy is read after those that are not: its own recovery counts.
    answer(&desk, feeds[1], 100);
    check(5);
    desk.run("risk reset-breaker growth --reason seen").ok();
    check(5);
    desk.run("risk check").ok();
    // Taken out of use, what fails is neither asked nor counted.
    desk.run("oracle remove a").ok();
    check(0);
    desk.sound();
}

#[test]
fn a_pool_is_changed_and_renamed_and_keeps_its_records() {
    let desk = Desk::weighted();
    desk.run("sync").ok();
    let set = |more: &str| desk.run(&format!("pool set growth {more}"));
    for (line, code, word) in [
        ("pool set growth", "usage", "--max-rate-drop"),
        ("pool set growth --max-rate-drop 1.1", "invalid_weight", "--max-rate-drop"),
        ("pool set growth --symbol=", "invalid_value", "--symbol"),
        ("pool set growth --reward-genesis-block -1", "usage", "--reward-genesis-block"),
        ("pool set grwth --max-rate-drop 0.1", "unknown_pool", "grwth"),
        ("pool rename growth stable", "conflict", "the name \"stable\" is taken by the pool at 0x"),
        ("pool rename growth 0xmain", "invalid_value", "NAME: invalid name"),
        ("pool rename growth a/b", "invalid_value", "NAME: invalid name"),
        ("pool rename grwth main", "unknown_pool", "grwth"),
        ("member rename bob robert", "unknown_member", "bob"),
        ("member rename alice 0xalice", "invalid_value", "NAME: invalid name"),
        ("pool retire grwth", "unknown_pool", "grwth"),
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        desk.refuses_offline(&args, code, &[word]);
    }
    desk.refuses_offline(&["member", "rename", "alice", "a\nb"], "invalid_value", &["NAME: invalid name"]);
    desk.refuses_offline(&["member", "rename", "alice", ""], "invalid_value", &["NAME: invalid name"]);
    // Changed, with the same again a no-op.
    let dry = desk.unchanged(|| set("--max-rate-drop 0.25 --dry-run").json());
    assert_eq!((&dry["changed"], &dry["max_rate_drop"]), (&json!(true), &json!("0.250000")));
    let genesis = desk.genesis();
    let now = set(&format!("--max-rate-drop 0.25 --symbol GRO --reward-genesis-block {genesis}")).json();
    assert_eq!((&now["changed"], &now["pool"]["asset"]["symbol"]), (&json!(true), &json!("GRO")));
    assert_eq!(desk.unchanged(|| set("--max-rate-drop 0.25 --symbol GRO").json())["changed"], false);
    desk.run("reward cycle").ok();
    let envelope = desk.unchanged(|| set("--reward-genesis-block 1").fails(2, "conflict"));
    says(&envelope["error"]["message"], &["--reward-genesis-block", "began at block"]);
    // Renamed: everything goes on under the new name.
    desk.unchanged(|| desk.run("pool rename growth main --dry-run").exits(0));
    let renamed = desk.json("pool rename growth main");
    assert_eq!((&renamed["changed"], &renamed["before"]), (&json!(true), &json!("growth")));
    assert_eq!(renamed["pool"]["name"], "main");
    assert_eq!(desk.unchanged(|| desk.json("pool rename main main"))["changed"], false);
    desk.run("pool show growth").fails(2, "unknown_pool");
    assert!(!desk.json("reward epoch list main --all")["epochs"].as_array().unwrap().is_empty());
    desk.world.node.mine(20).unwrap();
    desk.run("sync").ok();
    desk.run("reward cycle").ok();
    assert_eq!(events(&desk, "pool.renamed"), ["pool.renamed | growth"]);
    assert_eq!(events(&desk, "pool.changed"), ["pool.changed | growth"]);
    // The old name is free.
    desk.run("pool rename stable growth").ok();
    // A member, too.
    assert_eq!(desk.json("member rename alice ally")["name"], "ally");
    assert_eq!(desk.unchanged(|| desk.json("member rename ally ally"))["changed"], false);
    desk.unchanged(|| desk.run("member rename ally al --dry-run").exits(0));
    let bob = desk.world.bob;
    desk.run(&format!("member add {bob} --name bob")).ok();
    let envelope = desk.unchanged(|| desk.run("member rename bob ally").fails(2, "conflict"));
    says(&envelope["error"]["message"], &["the name \"ally\" is taken by member 0x"]);
    desk.run("reward pending ally").ok();
    desk.sound();
}

#[test]
fn a_retired_pool_keeps_its_records_and_nothing_acts_on_it() {
    let desk = Desk::weighted();
    desk.run("sync").ok();
    for pool in ["growth", "stable"] {
        desk.run(&format!("risk set {pool} --max-tvl 1000000")).ok();
    }
    desk.first_cycle();
    let refused = |words: &[&str], hint: &str| {
        let envelope = desk.unchanged(|| desk.run("pool retire stable").fails(4, "unsettled"));
        says(&envelope["error"]["message"], words);
        says(&envelope["error"]["hint"], &[hint]);
    };
    // What is open is named, with what ends it.
    desk.run("withdrawal request stable alice 1").ok();
    refused(&["1 open withdrawal: 1"], "poolctl withdrawal complete");
    desk.run("withdrawal fail 1 --reason late").ok();
    let next: u64 = desk.one("SELECT max(end_block) FROM pool_reward_epochs").parse().unwrap();
    let create = format!("reward epoch create stable --start {next} --end {} --total 3", next + 10);
    let epoch = desk.json(&create)["epoch"].to_string();
    refused(&["1 epoch not distributed", &epoch], "poolctl reward epoch distribute");
    desk.world.node.mine(40).unwrap();
    desk.run("reward cycle").ok();
    refused(&["has a weight"], "poolctl reward set-weight stable 0");
    desk.run("reward set-weight stable 0").ok();
    refused(&["epochs not distributed: those of blocks"], "poolctl reward cycle");
    desk.world.node.mine(40).unwrap();
    desk.run("reward cycle").ok();
    // An alert that is open says nothing of a pool that nobody looks at.
    desk.meddle(
        "INSERT INTO risk_violations (pool_id, rule, message, first_seen, last_seen, count)
         VALUES (2, 'tvl_cap_exceeded', 'too much', 1, 1, 1)",
    );
    desk.unchanged(|| desk.run("pool retire stable --dry-run").exits(0));
    assert_eq!(desk.unchanged(|| desk.json("pool retire stable --undo"))["changed"], false);
    let retired = desk.json("pool retire stable");
    assert_eq!(retired["changed"], true);
    assert!(retired["pool"]["retired_at"].is_string(), "{retired}");
    assert_eq!(desk.unchanged(|| desk.json("pool retire stable"))["changed"], false);
    assert_eq!(desk.one("SELECT count(*) FROM risk_violations WHERE closed_at IS NULL"), "0");

    // No sync, no check, no cycle, no alarm for want of them.
    desk.world.node.mine(40).unwrap();
    let pools = |found: &Value, key: &str| -> Vec<String> {
        found["pools"].as_array().unwrap().iter().map(|p| p[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(pools(&desk.json("sync --all"), "pool"), ["growth"]);
    assert_eq!(pools(&desk.json("risk check --all"), "pool"), ["growth"]);
    assert_eq!(pools(&desk.json("reward cycle"), "pool"), ["growth"]);
    assert_eq!(pools(&desk.json("pool list"), "name"), ["growth"]);
    assert_eq!(pools(&desk.json("pool list --retired"), "name"), ["growth", "stable"]);
    desk.meddle("UPDATE pool_snapshots SET synced_at = 1 WHERE pool_id = 2");
    let health = desk.run("health --json").exits_one_of(&[0, 5]).envelope();
    assert!(!health["data"].to_string().contains("stable"), "{health}");
    let metrics = desk.run("metrics").exits_one_of(&[0, 5]).stdout;
    assert!(metrics.contains("pool=\"growth\"") && !metrics.contains("pool=\"stable\""), "{metrics}");
    for (line, exit, code) in [
        ("sync stable", 2, "conflict"),
        ("risk check stable", 2, "conflict"),
        ("pool rescan stable", 2, "conflict"),
        ("reward set-weight stable 1", 2, "conflict"),
        (&*format!("reward epoch create stable --start {next} --end {} --total 3", next + 10), 2, "conflict"),
        (&*format!("pool add stable {}", desk.world.six.vault), 2, "conflict"),
        ("withdrawal request stable alice 1", 4, "not_valid"),
    ] {
        let envelope = desk.unchanged(|| desk.run(line).fails(exit, code));
        says(&envelope["error"]["message"], &["retired"]);
    }
    // Its records are there, and what members have earned they get.
    assert_eq!(desk.json("pool show stable")["name"], "stable");
    assert!(!desk.json("reward epoch list stable --all")["epochs"].as_array().unwrap().is_empty());
    desk.run("reward epoch verify --pool stable").ok();
    let claimed = desk.json("reward claim alice stable");
    assert!(!claimed["credited"].as_array().is_none_or(Vec::is_empty), "{claimed}");
    desk.sound();

    // Taken back, it goes on where it was.
    assert_eq!(desk.json("pool retire stable --undo")["changed"], true);
    assert_eq!(pools(&desk.json("sync --all"), "pool"), ["growth", "stable"]);
    desk.run("reward set-weight stable 1").ok();
    desk.world.node.mine(40).unwrap();
    desk.run("reward cycle").ok();
    assert_eq!(events(&desk, "pool.%retired"), ["pool.retired | stable", "pool.unretired | stable"]);
    desk.sound();
}

#[test]
fn pools_and_members_are_named_by_the_beginning_of_their_address() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    let begin = |address: Address, digits: usize| address.to_string()[..2 + digits].to_owned();
    let (vault, alice) = (desk.world.eighteen.vault, desk.world.alice);
    for pool in [begin(vault, 4), begin(vault, 12).to_lowercase(), vault.to_string()] {
        assert_eq!(desk.json(&format!("pool show {pool}"))["name"], "growth");
    }
    let member = begin(alice, 8).to_lowercase();
    assert_eq!(desk.json(&format!("member show {member}"))["name"], "alice");
    assert_eq!(desk.json(&format!("pool position {member} {}", begin(vault, 6)))["pool"], "growth");
    // Fewer than four digits are none, and another address is another address.
    desk.refuses_offline(&["pool", "show", &begin(vault, 3)], "invalid_address", &["POOL"]);
    desk.refuses_offline(&["pool", "show", "0xffffffff"], "unknown_pool", &["0xffffffff"]);
    // Two that begin so are named.
    let twin = format!("0x{}{}", &alice.to_string()[2..8].to_lowercase(), "0".repeat(34));
    desk.run(&format!("member add {twin}")).ok();
    let envelope = desk.refuses_offline(
        &["member", "show", &begin(alice, 6)],
        "ambiguous",
        &["begins more than one member", "\"alice\" (0x"],
    );
    assert_eq!(envelope["error"]["details"]["candidates"].as_array().unwrap().len(), 2);
    // A name comes first.
    desk.run("pool rename stable cafe").ok();
    assert_eq!(desk.json("pool show cafe")["name"], "cafe");
}
