//! Withdrawals from the request to the replayed burn: reserved once, freed only when the shares have gone or stay.

use super::desk::{Desk, says, warnings};
use crate::support::ended;
use poolctl_testkit::abi::Vault;
use poolctl_testkit::alloy::primitives::{Address, U256};
use poolctl_testkit::cli::pages;
use poolctl_testkit::{Receipt, units};
use serde_json::{Value, json};

/// A synced desk without limits; alice has 2,000 shares of `stable`, of which one is worth one.
pub fn desk() -> Desk {
    let desk = Desk::ready();
    desk.run("sync").ok();
    desk.run("risk set stable --max-tvl unlimited").ok();
    desk.run("risk set growth --max-tvl unlimited").ok();
    desk.wire.clear();
    desk
}

/// Asks for shares of alice in `stable`; gives the withdrawal's id.
pub fn request(desk: &Desk, shares: &str) -> i64 {
    let data = desk.json(&format!("withdrawal request stable alice {shares}"));
    assert_eq!((&data["requested"], &data["withdrawal"]["status"]), (&json!(true), &json!("pending")));
    data["withdrawal"]["id"].as_i64().unwrap()
}

/// Burns shares of `stable`, in base units.
pub fn redeem(desk: &Desk, owner: Address, shares: U256) -> Receipt {
    let call = Vault::redeemCall { shares, receiver: owner, owner };
    desk.world.node.send(owner, desk.world.six.vault, &call).unwrap()
}

/// The only withdrawal there is.
pub fn only(desk: &Desk) -> Value {
    let listed = desk.json("withdrawal list")["withdrawals"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    listed[0].clone()
}

/// The codes of the reasons against alice's withdrawal from `stable`; neither the network is asked nor the state changed.
#[track_caller]
pub fn reasons(desk: &Desk, shares: &str) -> Vec<String> {
    let sent = desk.wire.http_count();
    let line = format!("pool validate-withdrawal stable alice {shares} --json");
    let ran = desk.unchanged(|| desk.run(&line).exits_one_of(&[0, 5]));
    assert_eq!(desk.wire.http_count(), sent);
    let envelope = ran.envelope();
    let found = envelope["data"]["reasons"].as_array().unwrap();
    assert_eq!(envelope["data"]["valid"], found.is_empty());
    if ran.code == Some(5) {
        assert_eq!(envelope["error"]["code"], "check_failed");
        let codes: Vec<&Value> = found.iter().map(|reason| &reason["code"]).collect();
        assert_eq!(json!(codes), envelope["error"]["details"]["reasons"]);
    }
    assert_eq!(ran.code == Some(0), found.is_empty());
    found.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect()
}

/// Demands that alice may withdraw so many shares of `stable`, and not a base unit more.
#[track_caller]
pub fn free(desk: &Desk, shares: u64) {
    assert_eq!(reasons(desk, &shares.to_string()), [""; 0]);
    assert_eq!(reasons(desk, &format!("{shares}.000001")), ["insufficient_shares"]);
}

#[test]
fn reserved_shares_are_free_only_when_they_have_gone() {
    let desk = desk();
    let (alice, node) = (desk.world.alice, &desk.world.node);
    free(&desk, 2_000);
    let dry = desk.unchanged(|| desk.run("withdrawal request stable alice 500 --dry-run --json").exits(0));
    assert_eq!(dry.envelope()["data"]["withdrawal"]["status"], "pending");
    let id = request(&desk, "500");
    let asked = only(&desk);
    assert_eq!((&asked["shares"], &asked["assets"]), (&json!("500.000000"), &json!("500.000000")));
    assert_eq!((&asked["member"], &asked["reserves_shares"]), (&json!(alice.to_string()), &json!(true)));
    free(&desk, 1_500);
    desk.sound();

    // The burn is not final yet: the transaction is noted, and the next run completes.
    let burn = redeem(&desk, alice, units(500, 6));
    let line = format!("withdrawal complete {id} --tx {}", burn.tx);
    desk.unchanged(|| desk.run(&format!("{line} --dry-run")).fails(76, "outcome_unknown"));
    let envelope = desk.run(&line).fails(76, "outcome_unknown");
    says(&envelope["error"]["message"], &["not completed yet", &format!("block {}", burn.block)]);
    says(&envelope["error"]["hint"], &["run it again"]);
    let processing = only(&desk);
    assert_eq!((&processing["status"], &processing["tx_hash"]), (&json!("processing"), &json!(burn.tx)));
    assert_eq!(envelope["data"]["withdrawal"], processing);
    assert_eq!(processing["ended_at"], Value::Null);
    desk.unchanged(|| desk.run(&format!("withdrawal complete {id}")).fails(76, "outcome_unknown"));
    free(&desk, 1_500);
    desk.sound();

    node.mine(2).unwrap();
    let done = desk.json(&format!("withdrawal complete {id}"));
    assert_eq!((&done["changed"], &done["withdrawal"]["status"]), (&json!(true), &json!("completed")));
    assert_eq!(done["withdrawal"]["verified"], true);
    assert_eq!(done["view"]["number"], node.block_number().unwrap());
    let again = desk.unchanged(|| desk.json(&line));
    assert_eq!((&again["changed"], &again["withdrawal"]), (&json!(false), &done["withdrawal"]));

    // Completed, and the burn is not replayed: the state still has the shares, and they are not to be had again.
    assert_eq!(desk.json("pool position alice stable")["shares"], "2000.000000");
    assert_eq!(done["withdrawal"]["reserves_shares"], true);
    free(&desk, 1_500);
    desk.sound();
    desk.run("sync").ok();
    assert_eq!(desk.json("pool position alice stable")["shares"], "1500.000000");
    assert_eq!(only(&desk)["reserves_shares"], false);
    free(&desk, 1_500);
    desk.sound();

    // A development node lets even final blocks go: the replay is taken back, and the reservation holds again.
    node.reorg(node.block_number().unwrap() + 1 - burn.block).unwrap();
    node.mine(3).unwrap();
    desk.run("sync").exits(0);
    assert_eq!(desk.json("pool position alice stable")["shares"], "2000.000000");
    assert_eq!(only(&desk)["reserves_shares"], true);
    free(&desk, 1_500);
    desk.sound();

    let kinds = format!("SELECT kind FROM events WHERE subject = 'withdrawal {id}' ORDER BY id");
    assert_eq!(desk.rows(&kinds), ["withdrawal.requested", "withdrawal.processing", "withdrawal.completed"]);
}

#[test]
fn what_failed_is_free_again_and_stays_failed() {
    let desk = desk();
    let id = request(&desk, "2000");
    assert_eq!(reasons(&desk, "0.000001"), ["insufficient_shares"]);
    let line = format!("withdrawal fail {id} --reason");
    let args = ["withdrawal", "fail", &id.to_string(), "--reason", "on second thoughts"].map(str::to_owned);
    desk.unchanged(|| desk.home.args(&args).arg("--dry-run").exits(0));
    let failed = desk.home.args(&args).json();
    assert_eq!(
        (&failed["changed"], &failed["withdrawal"]["error"]),
        (&json!(true), &json!("on second thoughts"))
    );
    assert_eq!(only(&desk), failed["withdrawal"]);
    free(&desk, 2_000);
    let again = desk.unchanged(|| desk.json(&format!("{line} other")));
    assert_eq!((&again["changed"], &again["withdrawal"]), (&json!(false), &failed["withdrawal"]));
    let tx = redeem(&desk, desk.world.alice, units(2_000, 6)).tx;
    desk.world.node.mine(2).unwrap();
    for evidence in ["", " --unverified"] {
        let line = format!("withdrawal complete {id} --tx {tx}{evidence}");
        let envelope = desk.unchanged(|| desk.run(&line).fails(2, "conflict"));
        says(&envelope["error"]["message"], &["failed: on second thoughts"]);
    }
    assert_eq!(desk.wire.http_count(), 0, "none of this needs the chain");
    desk.sound();
}

#[test]
fn a_key_stands_for_one_request() {
    let desk = desk();
    let asked = desk.json("withdrawal request stable alice 10 --idempotency-key a");
    assert_eq!((&asked["requested"], &asked["valid"]), (&json!(true), &json!(true)));
    let same = desk.unchanged(|| {
        desk.json(&format!("withdrawal request {} alice 10.000 --idempotency-key a", desk.world.six.vault))
    });
    assert_eq!((&same["requested"], &same["withdrawal"]), (&json!(false), &asked["withdrawal"]));
    let text = desk.run("withdrawal request stable alice 10 --idempotency-key a").ok();
    assert!(text.starts_with("already requested\n"), "{text}");
    for other in ["stable alice 10.000001", "growth alice 10", &format!("stable {} 10", desk.world.bob)] {
        let line = format!("withdrawal request {other} --idempotency-key a");
        let envelope = desk.unchanged(|| desk.run(&line).fails(2, "conflict"));
        let words =
            ["the idempotency key \"a\" stands for withdrawal 1", "10.00 tv of alice from pool \"stable\""];
        says(&envelope["error"]["message"], &words);
        says(&envelope["error"]["message"], &["this is another request: 10.0"]);
    }
    // What became of it since is the answer too, and the shares may have gone.
    desk.run("withdrawal fail 1 --reason x").ok();
    desk.run("risk pause stable --reason audit").ok();
    let later = desk.unchanged(|| desk.json("withdrawal request stable alice 10 --idempotency-key a"));
    assert_eq!((&later["requested"], &later["withdrawal"]["status"]), (&json!(false), &json!("failed")));
    // Without a key each is its own.
    desk.run("risk unpause stable --reason audited").ok();
    assert_eq!((request(&desk, "10"), request(&desk, "10")), (2, 3));
    // What was refused has used up no key.
    desk.run("withdrawal request stable alice 5000 --idempotency-key b").fails(4, "not_valid");
    desk.json("withdrawal request stable alice 50 --idempotency-key b");
    desk.sound();
}

/// Several at once; how each ended.
fn at_once(desk: &Desk, lines: &[&str]) -> Vec<(Option<i32>, Value)> {
    let children: Vec<_> =
        lines.iter().map(|line| desk.run(&format!("{line} --wait 30s --json")).spawn()).collect();
    let ended = children.into_iter().map(|child| {
        let ran = ended(child);
        (ran.code, ran.envelope())
    });
    ended.collect()
}

#[test]
fn two_with_one_key_at_once_are_one() {
    let desk = desk();
    let line = "withdrawal request stable alice 1500 --idempotency-key k";
    let ended = at_once(&desk, &[line; 4]);
    assert!(ended.iter().all(|(code, _)| *code == Some(0)), "{ended:?}");
    let new = ended.iter().filter(|(_, envelope)| envelope["data"]["requested"] == true).count();
    assert_eq!(new, 1);
    let one = only(&desk);
    assert!(ended.iter().all(|(_, envelope)| envelope["data"]["withdrawal"] == one));
    desk.sound();
}

#[test]
fn of_two_at_once_that_do_not_fit_together_one_wins() {
    let desk = desk();
    let lines = ["withdrawal request stable alice 1200", "withdrawal request stable alice 1100"];
    let ended = at_once(&desk, &lines);
    let mut codes: Vec<_> = ended.iter().map(|(code, _)| code.unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 4], "{ended:?}");
    let refused = ended.iter().find(|(code, _)| *code == Some(4)).unwrap();
    assert_eq!(refused.1["error"]["details"]["reasons"], json!(["insufficient_shares"]));
    assert_eq!(only(&desk)["status"], "pending");
    desk.sound();
}

#[test]
fn the_operators_word_is_marked_until_the_chain_shows_it() {
    let desk = desk();
    let id = request(&desk, "300");
    let word = format!("withdrawal complete {id} --unverified");
    desk.unchanged(|| desk.run(&format!("{word} --dry-run --json")).exits(0));
    let done = desk.json(&word);
    assert_eq!(
        (&done["withdrawal"]["status"], &done["withdrawal"]["verified"]),
        (&json!("completed"), &json!(false))
    );
    assert_eq!(done["view"], Value::Null);
    assert_eq!(desk.unchanged(|| desk.json(&word))["changed"], false);
    assert!(desk.run("withdrawal list").ok().contains("completed (UNVERIFIED)"));
    // Nobody knows when those shares leave, so they stay reserved.
    desk.run("sync").ok();
    free(&desk, 1_700);
    let envelope = desk.unchanged(|| desk.run(&format!("withdrawal complete {id}")).fails(2, "usage"));
    says(&envelope["error"]["hint"], &["--tx"]);
    let tx = redeem(&desk, desk.world.alice, units(300, 6)).tx;
    let shown = format!("withdrawal complete {id} --tx {tx}");
    desk.unchanged(|| desk.run(&shown).fails(76, "outcome_unknown"));
    desk.world.node.mine(2).unwrap();
    let verified = desk.json(&shown);
    assert_eq!((&verified["changed"], &verified["withdrawal"]["verified"]), (&json!(true), &json!(true)));
    assert_eq!(verified["withdrawal"]["ended_at"], done["withdrawal"]["ended_at"]);
    desk.run("sync").ok();
    free(&desk, 1_700);
    assert_eq!(only(&desk)["reserves_shares"], false);
    let told = format!(
        "SELECT kind, payload ->> 'verified' FROM events WHERE subject = 'withdrawal {id}' ORDER BY id"
    );
    assert_eq!(desk.rows(&told)[1..], ["withdrawal.completed | 0", "withdrawal.verified | 1"]);
    // It can be taken back only while the chain has not shown it.
    let fail = format!("withdrawal fail {id} --reason x --unverified");
    let envelope = desk.unchanged(|| desk.run(&fail).fails(2, "conflict"));
    says(&envelope["error"]["message"], &["its shares have left the member"]);
    let other = request(&desk, "100");
    desk.run(&format!("withdrawal complete {other} --unverified")).ok();
    desk.unchanged(|| desk.run(&format!("withdrawal fail {other} --reason x")).fails(2, "conflict"));
    free(&desk, 1_600);
    desk.run(&format!("withdrawal fail {other} --reason x --unverified")).ok();
    free(&desk, 1_700);
    desk.sound();
}

#[test]
fn where_the_profile_asks_shares_are_reserved_and_words_taken_only_with_consent() {
    let desk = desk();
    desk.setting("guard.confirm = true");
    let asks = |line: &str, words: &[&str]| {
        let envelope = desk.unchanged(|| desk.run(line).fails(4, "needs_confirmation"));
        says(&envelope["error"]["message"], words);
        desk.unchanged(|| desk.run(&format!("{line} --dry-run --json")).exits(0));
        desk.run(&format!("{line} --yes")).ok();
    };
    let line = "withdrawal request stable alice 5 --idempotency-key a";
    asks(line, &["reserve a withdrawal of 5.00 tv by alice from pool \"stable\""]);
    // What was asked for already, and what is refused anyway, needs none.
    desk.unchanged(|| desk.run(line).ok());
    desk.unchanged(|| desk.run("withdrawal request stable alice 5000").fails(4, "not_valid"));
    asks("withdrawal complete 1 --unverified", &["complete withdrawal 1 without looking at the chain"]);
    asks("withdrawal fail 1 --reason x --unverified", &["free the shares of withdrawal 1 without looking"]);
    desk.run("withdrawal request stable alice 5 --yes").ok();
    desk.run("withdrawal fail 2 --reason x").ok();
    desk.sound();
}

#[test]
fn a_run_on_the_pool_opens_the_breaker_and_then_nothing_goes_out() {
    let desk = desk();
    // A tenth of 2,301.234567.
    desk.run("risk set stable --breaker-threshold 0.1").ok();
    request(&desk, "230.123456");
    let envelope = desk.run("withdrawal request stable alice 0.000001 --json").exits(0).envelope();
    says(&warnings(&envelope), &["opened the circuit breaker of pool \"stable\""]);
    assert_eq!(reasons(&desk, "1"), ["breaker_active"]);
    let refused = desk.unchanged(|| desk.run("withdrawal request stable alice 1").fails(4, "not_valid"));
    assert_eq!(refused["error"]["details"]["reasons"], json!(["breaker_active"]));
    assert_eq!(refused["data"]["reasons"][0]["code"], "breaker_active");
    desk.run("risk reset-breaker stable --reason known").ok();
    assert_eq!(reasons(&desk, "1"), [""; 0]);
    desk.sound();
}

#[test]
fn the_list_shows_what_was_asked_for() {
    let desk = desk();
    let none = json!({ "withdrawals": [], "more": false, "cursor": null, "total": 0 });
    assert_eq!(desk.json("withdrawal list"), none);
    assert_eq!(desk.run("withdrawal list").ok(), "no withdrawals\n");
    let bob = desk.world.bob;
    for line in ["stable alice 1", "growth alice 2", &format!("stable {bob} 3"), "stable alice 4"] {
        desk.run(&format!("withdrawal request {line}")).ok();
    }
    desk.run("withdrawal fail 4 --reason x").ok();
    let ids = |line: &str| {
        let data = desk.json(&format!("withdrawal list {line}"));
        let rows = data["withdrawals"].as_array().unwrap();
        let ids: Vec<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
        (ids, data["more"] == true)
    };
    for (line, want) in [
        ("", vec![4, 3, 2, 1]),
        ("--status pending", vec![3, 2, 1]),
        ("--status failed", vec![4]),
        ("--status completed", vec![]),
        ("--pool stable", vec![4, 3, 1]),
        ("--member alice", vec![4, 2, 1]),
        ("--member alice --pool stable --status pending", vec![1]),
        ("--pool stable --status pending", vec![3, 1]),
    ] {
        assert_eq!(ids(line), (want, false), "{line}");
    }
    assert_eq!(ids("--limit 2"), (vec![4, 3], true));
    assert_eq!(ids("--member alice --limit 3"), (vec![4, 2, 1], false));
    for line in ["", "--member alice", "--pool stable", "--status pending --pool stable"] {
        let (all, _) = ids(line);
        let line = format!("withdrawal list {line}");
        assert_eq!(pages(|line| desk.run(line), &line, "withdrawals", "id"), all, "{line}");
    }
    let csv = desk.run("withdrawal list --csv").ok();
    assert!(csv.starts_with("id,pool,member,member_name,shares,assets,status,"), "{csv}");
    assert_eq!(csv.lines().count(), 5);
    assert_eq!(desk.wire.http_count(), 0);
    for (line, code) in [
        ("--status done", "invalid_value"),
        ("--pool grwth", "unknown_pool"),
        ("--member nobody", "unknown_member"),
        ("--limit -1", "usage"),
        ("--limit 0", "usage"),
        ("--limit 2 --all", "usage"),
        ("--csv", "usage"),
        ("--after 4", "invalid_value"),
    ] {
        desk.unchanged(|| desk.run(&format!("withdrawal list {line}")).fails(2, code));
    }
}

#[test]
fn figures_that_are_too_old_deny() {
    let desk = desk();
    free(&desk, 2_000);
    // The vault has been paused since; figures of a week ago do not tell.
    desk.world.pause(desk.world.six.vault).unwrap();
    desk.world.node.mine(1).unwrap();
    desk.meddle("UPDATE pool_snapshots SET synced_at = synced_at - 604800");
    assert_eq!(reasons(&desk, "500"), ["risk_unknown"]);
    let envelope = desk.unchanged(|| desk.run("withdrawal request stable alice 500").fails(4, "not_valid"));
    assert_eq!(envelope["error"]["details"]["reasons"], json!(["risk_unknown"]));
    desk.run("sync").ok();
    assert_eq!(reasons(&desk, "500"), ["pool_paused"]);
    desk.world.unpause(desk.world.six.vault).unwrap();
    desk.world.node.mine(1).unwrap();
    desk.meddle("UPDATE pool_snapshots SET synced_at = synced_at - 604800");
    assert_eq!(reasons(&desk, "500"), ["risk_unknown"]);
    desk.run("sync").ok();
    free(&desk, 2_000);
}
