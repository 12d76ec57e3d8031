//! `reward epoch list|show|verify`: what was paid is computed again, and every difference is named.

use super::NODE;
use super::desk::{Desk, says};
use crate::support::Home;
use poolctl_testkit::alloy::primitives::U256;
use poolctl_testkit::{Proxy, World, tamper, units};
use serde_json::{Value, json};

/// Changes a copy of the state behind the back of its triggers.
fn altered(home: &Home, sql: &str) -> Home {
    let copy = home.fork();
    let conn = copy.sqlite();
    conn.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    assert!(tamper(&conn, |conn| conn.execute(sql, [])).unwrap() > 0, "{sql}");
    copy
}

/// A desk with paid epochs in which holders came, moved and left.
fn paid() -> Desk {
    let desk = Desk::weighted();
    desk.first_cycle();
    let world = &desk.world;
    world.deposit(world.eighteen.vault, world.dave, units(30, 18)).unwrap();
    world.node.mine(12).unwrap();
    world.deposit(world.six.vault, world.bob, units(5, 6)).unwrap();
    world.node.mine(12).unwrap();
    desk.run("reward cycle").ok();
    desk
}

fn logs_asked(desk: &Desk) -> usize {
    desk.wire.methods().iter().filter(|method| *method == "eth_getLogs").count()
}

#[test]
fn what_was_paid_is_what_the_chain_comes_to() {
    let desk = paid();
    let epochs: usize = desk.one("SELECT count(*) FROM pool_reward_epochs").parse().unwrap();
    let rewards: u64 = desk.one("SELECT count(*) FROM pool_rewards").parse().unwrap();
    assert!(epochs >= 6 && rewards >= 12, "{epochs} {rewards}");
    let found = desk.unchanged(|| desk.json("reward epoch verify --all"));
    assert_eq!(found["source"], "chain");
    assert_eq!(found["difference_count"], 0, "{found}");
    assert_eq!(found["differences"], json!([]));
    let views = found["epochs"].as_array().unwrap();
    assert_eq!(views.len(), epochs);
    assert_eq!(views.iter().map(|e| e["rewards"].as_u64().unwrap()).sum::<u64>(), rewards);
    assert_eq!(found["view"]["endpoint"], "main");
    // The logs are asked for anew, and not taken from the state.
    let before = logs_asked(&desk);
    let one = desk.json("reward epoch verify 3");
    assert!(logs_asked(&desk) > before);
    assert_eq!(one["epochs"].as_array().unwrap().len(), 1);
    let of_pool = desk.json("reward epoch verify --pool stable");
    assert!(of_pool["epochs"].as_array().unwrap().iter().all(|e| e["pool"] == "stable"));
    // Without the network: the same, and said.
    let before = desk.wire.http_count();
    let offline = desk.json("reward epoch verify --offline");
    assert_eq!(desk.wire.http_count(), before);
    assert_eq!((&offline["source"], &offline["view"]), (&json!("state"), &Value::Null));
    assert_eq!(offline["epochs"], found["epochs"]);
    says(
        &json!(desk.run("reward epoch verify --offline").ok()),
        &["0 differences", "the chain was not asked"],
    );
}

#[test]
fn another_endpoint_alone_is_asked_where_it_is_named() {
    let desk = paid();
    let other = Proxy::start(desk.world.node.url()).unwrap();
    desk.use_urls(&[("main", &desk.wire.url()), ("backup", &other.url())]);
    let before = desk.wire.http_count();
    let found = desk.json("reward epoch verify --all --endpoint backup");
    assert_eq!((&found["view"]["endpoint"], &found["difference_count"]), (&json!("backup"), &json!(0)));
    assert_eq!(desk.wire.http_count(), before);
    assert!(other.http_count() > 0);
    let envelope = desk.run("reward epoch verify --endpoint bakup").fails(2, "invalid_value");
    says(&envelope["error"]["hint"], &["main, backup"]);
    for (line, code) in [
        ("reward epoch verify 99999", "unknown_epoch"),
        ("reward epoch verify --pool nowhere", "unknown_pool"),
        ("reward epoch show 99999", "unknown_epoch"),
        ("reward epoch list nowhere", "unknown_pool"),
        ("reward epoch verify 1 --all", "usage"),
        ("reward epoch verify --offline --endpoint main", "usage"),
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        desk.refuses_offline(&args, code, &[]);
    }
}

#[test]
fn a_chain_that_lacks_what_was_paid_on_is_seen() {
    // A chain that parted from ours before the epochs: other hashes, and other holders.
    let desk = paid();
    let elsewhere = World::small(NODE).unwrap();
    let head = desk.world.node.block_number().unwrap();
    elsewhere.node.mine(head - elsewhere.node.block_number().unwrap() + 5).unwrap();
    desk.use_urls(&[("other", elsewhere.node.url())]);
    let envelope = desk.run("reward epoch verify --all").fails(5, "check_failed");
    let fields: Vec<&str> = envelope["data"]["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["field"].as_str().unwrap())
        .collect();
    assert!(fields.contains(&"last_hash") && fields.contains(&"amount"), "{fields:?}");
    // An endpoint that does not reach the epochs judges nothing.
    let short = World::small(NODE).unwrap();
    desk.use_urls(&[("short", short.node.url())]);
    let envelope = desk.run("reward epoch verify --all").fails(75, "behind");
    says(&envelope["error"]["hint"], &["--offline"]);
}

#[test]
fn every_altered_row_is_found_and_named() {
    let desk = paid();
    let row = desk.rows(
        "SELECT r.epoch_id, r.member_id, m.address, r.amount FROM pool_rewards r
         JOIN members m ON m.id = r.member_id ORDER BY r.epoch_id DESC, r.member_id LIMIT 1",
    );
    let cells: Vec<&str> = row[0].split(" | ").collect();
    let [epoch, member, address, amount] = cells[..] else { panic!("{row:?}") };
    let number: i64 = epoch.parse().unwrap();
    let more = (amount.parse::<U256>().unwrap() + U256::ONE).to_string();
    let place = format!("WHERE epoch_id = {epoch} AND member_id = {member}");
    let of_epoch = format!("WHERE id = {epoch}");
    let zero = format!("0x{}", "0".repeat(64));
    let unpaid = desk.one("SELECT min(id) FROM members");
    for (sql, member, field, stored, computed) in [
        (
            format!("UPDATE pool_rewards SET amount = '{more}' {place}"),
            Some(address),
            "amount",
            Some(&*more),
            Some(amount),
        ),
        (format!("DELETE FROM pool_rewards {place}"), Some(address), "amount", None, Some(amount)),
        (
            format!("UPDATE pool_reward_epochs SET last_hash = '{zero}' {of_epoch}"),
            None,
            "last_hash",
            Some(&*zero),
            None,
        ),
        (
            format!("UPDATE pool_reward_epochs SET distributed = '7' {of_epoch}"),
            None,
            "distributed",
            Some("7"),
            None,
        ),
        (
            format!("UPDATE pool_reward_epochs SET carry_in = '7' {of_epoch}"),
            None,
            "carry_in",
            Some("7"),
            Some("0"),
        ),
        (
            format!("UPDATE pool_reward_epochs SET carry_out = '7', carry_reason = 'no_holders' {of_epoch}"),
            None,
            "carry_reason",
            Some("no_holders"),
            None,
        ),
        (format!("UPDATE pool_reward_epochs SET holders = 77 {of_epoch}"), None, "holders", Some("77"), None),
        (format!("UPDATE pool_reward_epochs SET part = '7' {of_epoch}"), None, "part", Some("7"), None),
        (
            format!("UPDATE pool_reward_epochs SET weight_ppm = 7 {of_epoch}"),
            None,
            "weight_ppm",
            Some("7"),
            None,
        ),
        ("UPDATE reward_emissions SET emission = '7'".to_owned(), None, "emission", Some("7 + 0 - 0"), None),
    ] {
        let copy = altered(&desk.home, &sql);
        let envelope = copy.run("reward epoch verify --all").fails(5, "check_failed");
        let differences = envelope["data"]["differences"].as_array().unwrap();
        let hit = differences
            .iter()
            .find(|d| d["epoch"] == number && d["field"] == field && d["member"] == json!(member))
            .unwrap_or_else(|| panic!("{sql}: {differences:?}"));
        assert_eq!(hit["stored"], json!(stored), "{sql}");
        if let Some(computed) = computed {
            assert_eq!(hit["computed"], computed, "{sql}");
        }
        if field != "emission" {
            assert!(
                differences.iter().all(|d| d["epoch"].as_i64().unwrap() >= number),
                "{sql}: {differences:?}"
            );
        }
        assert_eq!(envelope["data"]["difference_count"], differences.len());
        if field != "last_hash" {
            // What the chain is not needed for is found without it.
            copy.run("reward epoch verify --all --offline").fails(5, "check_failed");
        }
        if member.is_some() {
            assert_eq!(differences.len(), 1, "one row, one difference: {differences:?}");
            says(
                &envelope["error"]["message"],
                &["1 difference in 1 of", &format!("epoch {epoch}"), address, "amount"],
            );
            let page = copy.run("reward epoch verify --all").exits(5).stdout;
            says(&json!(page), &[address, "1 difference"]);
        }
    }
    // A reward for somebody who earned nothing.
    let extra = format!(
        "INSERT INTO pool_rewards (epoch_id, member_id, amount) VALUES ({epoch}, {unpaid}, '5')
        ON CONFLICT DO UPDATE SET amount = '5'"
    );
    altered(&desk.home, &extra).run("reward epoch verify --all").fails(5, "check_failed");
    // A transfer that is missing from the state is seen on the chain: what was paid was right.
    let copy = altered(&desk.home, "DELETE FROM share_transfers WHERE pool_id = 1");
    assert_eq!(copy.run("reward epoch verify --all").json()["difference_count"], 0);
}

#[test]
fn epochs_are_listed_and_shown() {
    let desk = paid();
    let listed = desk.unchanged(|| desk.json("reward epoch list"));
    let all = listed["epochs"].as_array().unwrap();
    let starts: Vec<u64> = all.iter().map(|e| e["start_block"].as_u64().unwrap()).collect();
    assert!(starts.is_sorted_by(|a, b| a >= b), "{starts:?}");
    assert_eq!(all.len().to_string(), desk.one("SELECT count(*) FROM pool_reward_epochs"));
    let two = desk.json("reward epoch list growth --limit 2");
    let two = two["epochs"].as_array().unwrap();
    assert!(two.len() == 2 && two.iter().all(|e| e["pool"] == "growth"));
    let older = desk.json(&format!("reward epoch list growth --before {}", two[1]["start_block"]));
    assert!(
        older["epochs"]
            .as_array()
            .unwrap()
            .iter()
            .all(|e| e["start_block"].as_u64() < two[1]["start_block"].as_u64())
    );
    let shown = desk.unchanged(|| desk.json(&format!("reward epoch show {}", two[0]["epoch"])));
    assert_eq!(shown, two[0]);
    assert_eq!((&shown["status"], &shown["origin"]), (&json!("distributed"), &json!("cycle")));
    assert_eq!((&shown["weight_ppm"], &shown["weight_sum_ppm"]), (&json!(750_000), &json!(1_000_000)));
    let page = desk.run(&format!("reward epoch show {}", two[0]["epoch"])).ok();
    says(&json!(page), &["750000 of 1000000 millionths", "time-weighted", "the cycle"]);
    says(&json!(desk.run("reward epoch list").ok()), &["distributed", "growth", "stable"]);
    let bare = Desk::ready();
    says(&json!(bare.run("reward epoch list").ok()), &["no epochs"]);
    says(&json!(bare.run("reward epoch verify --all").ok()), &["nothing to verify"]);
}
