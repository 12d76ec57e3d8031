//! Feeds: every refusal by its kind, alerts on their edges, the cache, and prices while the chain is silent.

use super::desk::{Desk, says, warnings};
use poolctl_testkit::abi::{MockV3Aggregator, RoundFeed};
use poolctl_testkit::alloy::primitives::{Address, Bytes, I256, U256, aliases::U80};
use poolctl_testkit::{Fault, Rule};
use serde_json::{Value, json};

const ALERTS: &str = "SELECT kind, count, closed_at IS NOT NULL FROM oracle_alerts ORDER BY id";

/// A price of the feed of `eighteen`, which has 8 decimals.
fn price(hundredths: i64) -> I256 {
    I256::try_from(hundredths * 1_000_000).unwrap()
}

/// A new round of the feed of `eighteen`. Gas is fixed: a node's estimate is too low where a slot becomes zero.
fn answer(desk: &Desk, answer: I256, updated_at: Option<u64>) {
    let (node, feed) = (&desk.world.node, desk.world.eighteen.feed);
    let sent = if let Some(at) = updated_at {
        let round = node.call(feed, &MockV3Aggregator::latestRoundCall {}).unwrap() + U256::ONE;
        let timestamp = U256::from(at);
        let call = MockV3Aggregator::updateRoundDataCall {
            roundId: U80::from(round),
            answer,
            timestamp,
            startedAt: timestamp,
        };
        node.send_with_gas(desk.world.owner, feed, &call, 500_000)
    } else {
        node.send_with_gas(desk.world.owner, feed, &MockV3Aggregator::updateAnswerCall { answer }, 500_000)
    };
    assert!(sent.unwrap().success);
}

fn add(desk: &Desk, feed: Address, more: &str) {
    desk.run(&format!("oracle add growth-usd --asset {} --address {feed} {more}", desk.world.eighteen.asset))
        .ok();
    desk.wire.clear();
}

/// `oracle check` at the head: its status and why.
fn check(desk: &Desk) -> (String, String) {
    let ran = desk.run("oracle check --at latest --json").exits_one_of(&[0, 5]);
    let envelope = ran.envelope();
    let quote = &envelope["data"]["quotes"][0];
    let status = quote["status"].as_str().unwrap().to_owned();
    assert_eq!(status == "ok", ran.code == Some(0), "{envelope}");
    if status != "ok" {
        assert_eq!(envelope["error"]["code"], "check_failed");
        says(&envelope["error"]["message"], &["1 of 1 feeds refused; first: growth-usd", &status]);
        assert_eq!(quote["price"], Value::Null, "a refused price is not shown");
    }
    (status, quote["why"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_good_quote_is_shown_with_18_decimals_whatever_the_feed_has() {
    let desk = Desk::ready();
    add(&desk, desk.world.eighteen.feed, "");
    let six = desk.world.six;
    desk.run(&format!("oracle add stable-usd --asset STABLE --address {}", six.feed)).ok();
    let fetched = desk.json("oracle fetch");
    let prices: Vec<&Value> = fetched["quotes"].as_array().unwrap().iter().map(|q| &q["price"]).collect();
    assert_eq!(prices, [&json!("2000.000000000000000000"), &json!("0.999000000000000000")]);
    assert_eq!(desk.json("oracle get stable")["price"], "0.999000000000000000", "symbols know no case");
    let listed = desk.json("oracle list");
    assert_eq!(listed["feeds"][0]["description"], "v0.8/tests/MockV3Aggregator.sol");
    assert_eq!(listed["feeds"][0]["max_staleness_sec"], 3600);
    assert_eq!(desk.rows(ALERTS), Vec::<String>::new());
    // A dry run says the same and keeps nothing.
    let dry = desk.unchanged(|| desk.run("oracle check --dry-run --json").exits(0).envelope());
    assert_eq!(dry["dry_run"], true);
    assert_eq!(dry["data"]["quotes"][0]["price"], "2000.000000000000000000");
    desk.sound();
}

#[test]
fn a_quote_is_fresh_to_the_second() {
    let desk = Desk::ready();
    add(&desk, desk.world.eighteen.feed, "--max-staleness 100");
    answer(&desk, price(210_000), None);
    desk.world.node.advance(100).unwrap();
    assert_eq!(check(&desk).0, "ok");
    desk.world.node.advance(1).unwrap();
    for count in 1..=3 {
        assert_eq!(check(&desk), ("stale".to_owned(), "1m 41s old, 1s over the limit of 1m 40s".to_owned()));
        assert_eq!(desk.rows(ALERTS), [format!("stale | {count} | 0")]);
        assert_eq!(desk.one("SELECT failure_streak FROM oracle_feeds"), count.to_string());
    }
    // What was refused never entered the cache.
    assert_eq!(desk.one("SELECT price_e18 FROM oracle_price_cache"), "2100000000000000000000");
    answer(&desk, price(220_000), None);
    assert_eq!(check(&desk).0, "ok");
    assert_eq!(desk.rows(ALERTS), ["stale | 3 | 1"]);
    assert_eq!(desk.one("SELECT failure_streak FROM oracle_feeds"), "0");
    let kinds = "SELECT kind, subject FROM events WHERE kind LIKE 'oracle.alert.%' ORDER BY id";
    assert_eq!(desk.rows(kinds), ["oracle.alert.opened | growth-usd", "oracle.alert.closed | growth-usd"]);
    desk.sound();
}

#[test]
fn every_refusal_has_its_kind() {
    let desk = Desk::ready();
    let feed = desk.world.eighteen.feed;
    add(&desk, feed, "--min 1000 --max 5000 --max-deviation 0.1");
    assert_eq!(check(&desk).0, "ok");
    let world = &desk.world;
    let now = || world.node.timestamp().unwrap();
    let mut want = Vec::new();
    for (hundredths, updated_at, kind, why) in [
        (0, None, "invalid", "answer 0 is not above zero"),
        (-5, None, "invalid", "answer -5000000 is not above zero"),
        (200_000, Some(0), "invalid", "never been updated"),
        // The block that brings it is 12 seconds on.
        (200_000, Some(now() + 12 * 4 + 31), "future", "31s after its block, more than 30s"),
        (99_999, None, "out_of_bounds", "price 999.99 is outside 1,000.00 to 5,000.00"),
        (500_001, None, "out_of_bounds", "price 5,000.01 is outside"),
        (220_001, None, "deviation", "price 2,200.01 is too far from the last good one, 2,000.00"),
        (179_999, None, "deviation", "price 1,799.99 is too far"),
    ] {
        answer(&desk, price(hundredths), updated_at);
        let (status, said) = check(&desk);
        assert_eq!(status, kind, "{said}");
        assert!(said.contains(why), "{said}");
        // One alert per kind: opened, counted while it lasts, closed when another kind takes its place.
        match want.last_mut() {
            Some((last, count, _)) if *last == kind => *count += 1,
            last => {
                if let Some((_, _, closed)) = last {
                    *closed = 1;
                }
                want.push((kind, 1, 0));
            }
        }
        let rows: Vec<String> =
            want.iter().map(|(kind, n, closed)| format!("{kind} | {n} | {closed}")).collect();
        assert_eq!(desk.rows(ALERTS), rows);
        assert_eq!(desk.one("SELECT price_e18 FROM oracle_price_cache"), "2000000000000000000000");
    }
    let envelope =
        desk.run(&format!("oracle get {} --refresh --at latest", world.eighteen.asset)).fails(5, "no_price");
    says(&envelope["error"]["message"], &["\"growth-usd\": deviation"]);
    // At the limits themselves a price is good.
    for hundredths in [220_000, 198_000] {
        answer(&desk, price(hundredths), None);
        assert_eq!(check(&desk).0, "ok", "{hundredths}");
    }
    answer(&desk, price(200_000), Some(now() + 12 + 30));
    assert_eq!(check(&desk).0, "ok", "30 s ahead is within the skew of clocks");
    assert_eq!(desk.one("SELECT count(*) FROM oracle_alerts WHERE closed_at IS NULL"), "0");
    desk.sound();
}

#[test]
fn a_price_that_has_moved_for_good_is_accepted_by_the_operator() {
    let desk = Desk::ready();
    add(&desk, desk.world.eighteen.feed, "--max 5000 --max-deviation 0.1");
    assert_eq!(check(&desk).0, "ok");
    answer(&desk, price(300_000), None);
    let envelope = desk.run("oracle check --at latest").fails(5, "check_failed");
    says(&envelope["error"]["hint"], &["poolctl oracle fetch growth-usd --accept-deviation"]);
    let accept = "oracle fetch growth-usd --accept-deviation --at latest";
    desk.unchanged(|| desk.run(&format!("{accept} --dry-run")).exits(0));
    desk.refuses_offline(&["oracle", "fetch", "--accept-deviation"], "usage", &["FEED"]);
    let fetched = desk.json(accept);
    assert_eq!(fetched["quotes"][0]["price"], "3000.000000000000000000");
    assert_eq!(check(&desk).0, "ok");
    let event = desk.one("SELECT payload FROM events WHERE kind = 'oracle.deviation_accepted'");
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!(event["last_e18"], "2000000000000000000000");
    assert_eq!(event["price_e18"], "3000000000000000000000");
    // There is nothing to accept any more, and no other rule gives way.
    desk.run(accept).ok();
    answer(&desk, price(500_001), None);
    let envelope = desk.run(accept).fails(5, "no_price");
    assert_eq!(envelope["data"]["quotes"][0]["status"], "out_of_bounds");
    assert_eq!(desk.one("SELECT count(*) FROM events WHERE kind = 'oracle.deviation_accepted'"), "1");
    desk.sound();
}

#[test]
fn a_round_that_was_answered_in_an_earlier_one_is_incomplete() {
    let desk = Desk::ready();
    let world = &desk.world;
    let arguments = RoundFeed::constructorCall { decimals: 8, description: "ROUND / USD".into() };
    let feed = world.node.deploy(world.owner, "RoundFeed", &arguments).unwrap().address().unwrap();
    world.node.mine(2).unwrap();
    add(&desk, feed, "");
    assert_eq!(desk.json("oracle list")["feeds"][0]["description"], "ROUND / USD");
    assert_eq!(check(&desk).0, "invalid", "a feed that was never updated");
    let set = |round: u64, answered: u64| {
        let now = U256::from(world.node.timestamp().unwrap());
        let round = RoundFeed::Round {
            roundId: U80::from(round),
            answer: price(200_000),
            startedAt: now,
            updatedAt: now,
            answeredInRound: U80::from(answered),
        };
        world.node.send(world.owner, feed, &RoundFeed::setCall { round }).unwrap();
        check(&desk)
    };
    assert_eq!(set(7, 6), ("incomplete_round".to_owned(), "round 7 was answered in round 6".to_owned()));
    assert_eq!(set(8, 8).0, "ok");
    assert_eq!(set(9, 10).0, "ok");
    assert_eq!(set(11, 0).0, "ok", "feeds that no longer set it");
    assert_eq!(desk.rows(ALERTS), ["invalid | 1 | 1", "incomplete_round | 1 | 1"]);
}

#[test]
fn a_feed_that_is_gone_is_unreachable_and_the_others_are_read() {
    let desk = Desk::ready();
    add(&desk, desk.world.eighteen.feed, "");
    desk.run(&format!("oracle add stable-usd --asset STABLE --address {}", desk.world.six.feed)).ok();
    desk.world.node.set_code(desk.world.eighteen.feed, &Bytes::new()).unwrap();
    desk.world.node.mine(2).unwrap();
    let envelope = desk.run("oracle check").fails(5, "check_failed");
    let quotes = &envelope["data"]["quotes"];
    assert_eq!((&quotes[0]["status"], &quotes[1]["status"]), (&json!("unreachable"), &json!("ok")));
    says(&quotes[0]["why"], &[&desk.world.eighteen.feed.to_string(), "answered nothing"]);
    assert_eq!(envelope["error"]["details"]["feeds"], json!(["growth-usd"]));
    // To fetch is not to check: what could be read was.
    assert_eq!(
        desk.run("oracle fetch --json").exits(0).envelope()["data"]["quotes"][0]["status"],
        "unreachable"
    );
    // Where nothing could be read, it says so.
    let envelope = desk.run("oracle fetch growth-usd").fails(5, "no_price");
    says(&envelope["error"]["message"], &["feed \"growth-usd\" refused: unreachable: "]);
    assert_eq!(envelope["data"]["quotes"][0]["status"], "unreachable");
}

#[test]
fn the_cache_answers_without_a_request_until_it_is_too_old() {
    let desk = Desk::ready();
    add(&desk, desk.world.eighteen.feed, "");
    let get = format!("oracle get {}", desk.world.eighteen.asset);
    let first = desk.json(&get);
    assert_eq!(first["source"], "chain");
    desk.wire.clear();
    answer(&desk, price(210_000), None);
    desk.world.node.mine(2).unwrap();
    let hit = desk.unchanged(|| desk.json(&get));
    assert_eq!(
        (&hit["source"], &hit["price"], &hit["view"]["hash"]),
        (&json!("cache"), &first["price"], &first["view"]["hash"])
    );
    assert_eq!(desk.wire.http_count(), 0);
    assert_eq!(desk.json(&format!("{get} --refresh"))["price"], "2100.000000000000000000");
    // Older than its time to live (300 s by default), though the quote itself is not stale.
    desk.meddle("UPDATE oracle_price_cache SET fetched_at = fetched_at - 301");
    desk.wire.clear();
    assert_eq!(desk.json(&get)["source"], "chain");
    assert!(desk.wire.http_count() > 0);
    desk.setting("oracle.cache_ttl_sec = 1000");
    desk.meddle("UPDATE oracle_price_cache SET fetched_at = fetched_at - 900");
    assert_eq!(desk.json(&get)["source"], "cache");
    // Nobody knows how old a record of the future is.
    desk.meddle("UPDATE oracle_price_cache SET fetched_at = fetched_at + 5000");
    assert_eq!(desk.json(&get)["source"], "chain");
    desk.meddle("UPDATE oracle_price_cache SET fetched_at = fetched_at - 900");
    // Stale is stale, whatever the time to live.
    desk.setting("oracle.max_staleness_sec = 60");
    desk.meddle("UPDATE oracle_feeds SET max_staleness_sec = 800");
    assert_eq!(desk.json(&get)["source"], "chain");
}

#[test]
fn while_the_chain_is_silent_a_price_that_is_not_stale_is_served_as_degraded() {
    let desk = Desk::ready();
    add(&desk, desk.world.eighteen.feed, "--max-staleness 7200");
    let get = format!("oracle get {}", desk.world.eighteen.asset);
    let first = desk.json(&get);
    desk.meddle("UPDATE oracle_price_cache SET fetched_at = fetched_at - 1000");
    desk.wire.fault(Rule::new(Fault::Refuse));
    let envelope = desk.run(&format!("{get} --json")).exits(0).envelope();
    assert_eq!(envelope["data"]["source"], "degraded");
    assert_eq!(envelope["data"]["price"], first["price"]);
    assert!(envelope["data"]["age_sec"].as_u64().unwrap() >= 1000 + first["age_sec"].as_u64().unwrap());
    says(
        &warnings(&envelope),
        &["the chain cannot be read, this price is from the cache", "endpoint \"main\""],
    );
    assert_eq!(desk.rows(ALERTS), ["unreachable | 1 | 0"]);
    // So it is while the endpoint does not take the key.
    desk.wire.heal();
    desk.wire.fault(Rule::new(Fault::Status(401, None)));
    let envelope = desk.run(&format!("{get} --json")).exits(0).envelope();
    assert_eq!(envelope["data"]["source"], "degraded");
    desk.run("oracle check").fails(1, "rpc_error");
    assert_eq!(desk.rows(ALERTS), ["unreachable | 3 | 0"]);
    desk.wire.heal();
    desk.wire.fault(Rule::new(Fault::Refuse));
    // A check has nothing to fall back to.
    desk.run("oracle check").fails(75, "unreachable");
    assert_eq!(desk.rows(ALERTS), ["unreachable | 4 | 0"]);
    desk.meddle("UPDATE oracle_price_cache SET fetched_at = fetched_at - 7200");
    desk.run(&get).fails(75, "unreachable");
    desk.wire.heal();
    assert_eq!(desk.json(&get)["source"], "chain");
    assert_eq!(desk.rows(ALERTS), ["unreachable | 5 | 1"]);
    desk.sound();
}

#[test]
fn failures_in_a_row_are_a_finding_of_the_risk_check() {
    let desk = Desk::ready();
    add(&desk, desk.world.eighteen.feed, "");
    desk.run("sync").ok();
    desk.run("risk set growth --max-tvl 1000000").ok();
    desk.run("risk set stable --max-tvl 1000000").ok();
    answer(&desk, price(0), None);
    for _ in 0..2 {
        assert_eq!(check(&desk).0, "invalid");
        desk.run("risk check").ok();
    }
    assert_eq!(check(&desk).0, "invalid");
    let envelope = desk.run("risk check").fails(5, "check_failed");
    let findings = json!(["growth: circuit_breaker_active", "growth: oracle_failure_streak"]);
    assert_eq!(envelope["error"]["details"]["findings"], findings);
    let rules = envelope["data"]["pools"][0]["rules"].as_array().unwrap();
    let found = rules.iter().find(|r| r["rule"] == "oracle_failure_streak").unwrap();
    says(&found["why"], &["feed \"growth-usd\" was refused 3 times in a row"]);
    answer(&desk, price(200_000), None);
    assert_eq!(check(&desk).0, "ok");
    // The feed is well again; the breaker that it opened waits for the operator.
    let envelope = desk.run("risk check").fails(5, "check_failed");
    assert_eq!(envelope["error"]["details"]["findings"], json!(["growth: circuit_breaker_active"]));
    desk.run("risk reset-breaker growth --reason fixed").ok();
    desk.run("risk check").ok();
    let rows = "SELECT rule, count, closed_at IS NOT NULL FROM risk_violations ORDER BY id";
    assert_eq!(desk.rows(rows), ["circuit_breaker_active | 2 | 1", "oracle_failure_streak | 1 | 1"]);
}
