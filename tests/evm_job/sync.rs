//! `sync` on good days and on days when one pool misbehaves: figures, alerts, drift, partly done.

use super::NODE;
use super::desk::{Desk, same, says, warnings};
use poolctl_testkit::abi::{NotAVault, Vault};
use poolctl_testkit::alloy::primitives::{Bytes, U256};
use poolctl_testkit::alloy::sol_types::SolCall as _;
use poolctl_testkit::{Fault, Matcher, Node, NodeOptions, Rule, World, units};
use serde_json::{Value, json};

/// Open and closed violations: rule, how often seen, whether closed.
const VIOLATIONS: &str = "SELECT rule, count, closed_at IS NOT NULL FROM risk_violations ORDER BY id";

fn code_of_no_vault(desk: &Desk) -> Bytes {
    let at = desk.world.node.deploy(desk.world.owner, "NotAVault", &NotAVault::constructorCall {}).unwrap();
    let code = desk.world.node.rpc("eth_getCode", json!([at.address().unwrap(), "latest"])).unwrap();
    serde_json::from_value(code).unwrap()
}

fn line<'a>(data: &'a Value, pool: &str) -> &'a Value {
    data["pools"].as_array().unwrap().iter().find(|p| p["pool"] == pool || p["name"] == pool).unwrap()
}

#[test]
fn a_pool_of_six_decimals_is_shown_with_six() {
    let desk = Desk::ready();
    let synced = desk.json("sync");
    let stable = line(&synced, "stable");
    // 2000 of alice, 300 of bob, 1.234567 of carol.
    assert_eq!(stable["total_assets"], "2301.234567");
    assert_eq!(stable["total_shares"], "2301.234567");
    assert_eq!(stable["exchange_rate"], "1.000000000000000000");
    assert_eq!(stable["holders"], 3);
    let growth = line(&synced, "growth");
    // 1000 of alice, 500 of bob, 75 given, 50 withdrawn.
    assert_eq!(growth["total_assets"], "1525.000000000000000000");
    assert_eq!(desk.json("pool position alice stable")["underlying"], "2000.000000");
    // Deposits carry the time of their block.
    let dated = desk.rows(
        "SELECT last_deposit_block, last_deposit_at FROM user_pool_shares WHERE last_deposit_block > 0",
    );
    assert_eq!(dated.len(), 5, "{dated:?}");
    for line in dated {
        let (block, at) = line.split_once(" | ").unwrap();
        let block = desk.world.node.block(format!("{:#x}", block.parse::<u64>().unwrap())).unwrap();
        assert_eq!(block["timestamp"], format!("{:#x}", at.parse::<u64>().unwrap()));
    }
    let listed = desk.json("pool list");
    assert_eq!(line(&listed, "stable")["total_assets"], "2301.234567");
    assert_eq!(line(&listed, "stable")["view"]["hash"], synced["view"]["hash"]);
    assert_eq!(synced["view"]["endpoint"], "main");
    let shown = desk.run("pool list").ok();
    assert!(shown.contains("2,301.234567") && shown.contains("1,525.00"), "{shown}");
    desk.sound();
}

#[test]
fn a_dry_run_says_the_same_and_a_second_run_does_nothing() {
    let desk = Desk::ready();
    let envelope = desk.unchanged(|| desk.run("sync --dry-run --json").exits(0).envelope());
    assert_eq!(envelope["dry_run"], true);
    let real = desk.json("sync");
    assert_eq!(envelope["data"], real);
    assert!(real["pools"][0]["transfers"].as_u64().unwrap() > 0);
    let again = desk.unchanged(|| desk.json("sync"));
    assert_eq!(again["view"], real["view"]);
    assert_eq!(again["pools"][0]["status"], "unchanged");
    assert_eq!(again["pools"][0]["total_assets"], real["pools"][0]["total_assets"]);
    let nobody = Desk::bare();
    assert_eq!(nobody.json("sync"), json!({}));
}

#[test]
fn a_pool_is_not_moved_back() {
    let desk = Desk::ready();
    let synced = desk.json("sync")["view"]["number"].as_u64().unwrap();
    let envelope =
        desk.unchanged(|| desk.run(&format!("sync --at {}", synced - 1)).fails(2, "invalid_value"));
    says(&envelope["error"]["message"], &["stands at block", &synced.to_string(), &(synced - 1).to_string()]);
    let head = desk.world.node.block_number().unwrap();
    let envelope = desk.unchanged(|| desk.run(&format!("sync --at {}", head + 1)).fails(2, "invalid_value"));
    says(&envelope["error"]["message"], &["has no block", "yet"]);
    let before_birth = desk.world.eighteen.deploy_block - 1;
    let young = Desk::ready();
    let envelope =
        young.unchanged(|| young.run(&format!("sync growth --at {before_birth}")).fails(2, "invalid_value"));
    says(&envelope["error"]["message"], &["\"growth\""]);
}

#[test]
fn a_pool_that_fails_leaves_the_other_done() {
    for empty in [true, false] {
        let desk = Desk::ready();
        desk.run("sync").ok();
        let code = if empty { Bytes::new() } else { code_of_no_vault(&desk) };
        desk.world.deposit(desk.world.eighteen.vault, desk.world.dave, units(10, 18)).unwrap();
        desk.world.node.set_code(desk.world.six.vault, &code).unwrap();
        desk.world.node.mine(3).unwrap();
        let stable = "SELECT * FROM pool_snapshots WHERE pool_id = 2";
        let before = desk.rows(stable);
        let envelope = desk.run("sync").fails(3, "partial");
        says(
            &envelope["error"]["message"],
            &["1 of 2 pools failed: stable", "first: stable: cannot sync pool"],
        );
        let vault = desk.world.six.vault.to_string();
        let why = if empty { "answered nothing" } else { "reverted" };
        says(&envelope["error"]["message"], &[&format!("vault {vault} function"), why, "at block"]);
        assert_eq!(envelope["error"]["details"]["failed"], json!(["stable"]));
        let data = &envelope["data"];
        assert_eq!(line(data, "stable")["status"], "failed");
        assert_eq!(line(data, "stable")["total_assets"], Value::Null);
        assert_eq!(line(data, "growth")["status"], "synced");
        assert_eq!(line(data, "growth")["total_assets"], "1535.000000000000000000");
        assert_eq!(desk.rows(stable), before, "the figures of the sync before stay");
        assert_eq!(desk.json("pool show stable")["total_assets"], "2301.234567");
        // Alone, it is no longer partly done.
        let code = if empty { "not_a_contract" } else { "reverted" };
        desk.run("sync stable").fails(1, code);
        assert_eq!(desk.rows(stable), before);
        says(&desk.json("pool show stable")["alerts"][0]["why"], &["its code has the hash"]);
        desk.sound();
    }
}

#[test]
fn a_paused_pool_is_synced_and_shown_as_paused() {
    let desk = Desk::ready();
    desk.world.pause(desk.world.eighteen.vault).unwrap();
    desk.world.node.mine(2).unwrap();
    let synced = desk.json("sync");
    assert_eq!(line(&synced, "growth")["paused"], true);
    assert_eq!(line(&synced, "stable")["paused"], false);
    assert_eq!(desk.json("pool show growth")["max_deposit"], "0.000000000000000000");
    assert_eq!(desk.json("pool show stable")["max_deposit"], Value::Null);
    desk.world.unpause(desk.world.eighteen.vault).unwrap();
    desk.world.node.mine(2).unwrap();
    assert_eq!(line(&desk.json("sync"), "growth")["paused"], false);
}

#[test]
fn a_donation_is_no_alert_and_a_loss_is_one_until_the_rate_stands_still() {
    let desk = Desk::ready();
    desk.run("sync").ok();
    let (vault, dave) = (desk.world.eighteen.vault, desk.world.dave);
    let next = || {
        desk.world.node.mine(2).unwrap();
        desk.run("sync --json").exits(0).envelope()
    };
    desk.world.donate(vault, dave, units(25, 18)).unwrap();
    assert_eq!(next()["warnings"], json!([]));
    assert_eq!(desk.rows(VIOLATIONS), Vec::<String>::new());
    for count in 1..=3 {
        desk.world.loss(vault, units(50, 18)).unwrap();
        let envelope = next();
        says(&warnings(&envelope), &["pool \"growth\": exchange_rate_drop", "fell from", "5000 ppm"]);
        says(&line(&envelope["data"], "growth")["alerts"][0], &["exchange_rate_drop"]);
        assert_eq!(desk.rows(VIOLATIONS), [format!("exchange_rate_drop | {count} | 0")]);
        // The same block again is not a second drop.
        desk.unchanged(|| desk.run("sync --json").exits(0));
    }
    assert_eq!(next()["warnings"], json!([]));
    assert_eq!(desk.rows(VIOLATIONS), ["exchange_rate_drop | 3 | 1"]);
    let kinds = "SELECT kind, subject FROM events WHERE kind LIKE 'risk.violation.%' ORDER BY id";
    assert_eq!(desk.rows(kinds), ["risk.violation.opened | growth", "risk.violation.closed | growth"]);
    // A fall within the pool's limit is none: 0.5 % of about 1400.
    desk.world.loss(vault, units(5, 18)).unwrap();
    assert_eq!(next()["warnings"], json!([]));
    // A new loss is a new row.
    desk.world.loss(vault, units(100, 18)).unwrap();
    next();
    assert_eq!(desk.rows(VIOLATIONS), ["exchange_rate_drop | 3 | 1", "exchange_rate_drop | 1 | 0"]);
    desk.sound();
}

#[test]
fn holders_that_do_not_add_up_fail_the_sync() {
    let desk = Desk::ready();
    // As if the operator had forced a deploy block that is after the first deposits.
    let late = desk.world.node.block_number().unwrap() - 6;
    desk.meddle(&format!("UPDATE pools SET deploy_block = {late} WHERE name = 'growth'"));
    let envelope = desk.run("sync").fails(3, "partial");
    says(
        &envelope["error"]["message"],
        &["1 of 2 pools failed: growth", "transfers do not add up: member 0x"],
    );
    assert_eq!(line(&envelope["data"], "growth")["status"], "failed");
    assert_eq!(line(&envelope["data"], "stable")["status"], "synced");
    assert_eq!(desk.one("SELECT synced_block IS NULL FROM pools WHERE name = 'growth'"), "1");
    assert_eq!(desk.one("SELECT count(*) FROM pool_snapshots WHERE pool_id = 1"), "0");
    let envelope = desk.unchanged(|| desk.run("sync growth").fails(5, "drift"));
    says(&envelope["error"]["message"], &["cannot sync pool \"growth\""]);
    says(&envelope["error"]["hint"], &["deploy block"]);
    // Nor is anybody paid by them, and the other pool is.
    desk.run("reward set-weight growth 0.5").ok();
    desk.run("reward set-weight stable 0.5").ok();
    let envelope = desk.run(&format!("reward cycle --from {}", desk.genesis())).fails(3, "partial");
    says(&envelope["error"]["message"], &["1 of 2 pools failed: growth", "transfers do not add up"]);
    assert_eq!(desk.rows("SELECT DISTINCT pool_id FROM pool_reward_epochs"), ["2"]);
    desk.sound();

    // Transfers that fit each other and miss what came before them: the sum is not the supply.
    let desk = Desk::ready();
    let head = desk.world.node.block_number().unwrap();
    desk.world.deposit(desk.world.six.vault, desk.world.dave, units(5, 6)).unwrap();
    desk.world.node.mine(2).unwrap();
    desk.meddle(&format!("UPDATE pools SET deploy_block = {head} WHERE name = 'stable'"));
    let envelope = desk.run("sync").fails(3, "partial");
    let drift = "balances of 1 holder sum to 5.00 tv, totalSupply() is 2,306.234567 tv at block";
    says(&envelope["error"]["message"], &["1 of 2 pools failed: stable", drift]);
    let details = desk.run("sync stable").fails(5, "drift")["error"]["details"].clone();
    assert_eq!((&details["holders"], &details["total_supply"]), (&json!("5000000"), &json!("2306234567")));
    assert_eq!(desk.one("SELECT count(*) FROM pool_snapshots WHERE pool_id = 2"), "0");
}

#[test]
fn pools_can_be_named_and_each_keeps_its_own_block() {
    let desk = Desk::ready();
    let first = desk.json("sync stable");
    assert_eq!(first["pools"].as_array().unwrap().len(), 1);
    let transfer = Vault::transferCall { to: desk.world.dave, shares: U256::from(5) };
    desk.world.node.send(desk.world.alice, desk.world.six.vault, &transfer).unwrap();
    desk.world.node.mine(2).unwrap();
    let both = desk.json(&format!("sync {} stable growth", desk.world.six.vault));
    assert_eq!(both["pools"].as_array().unwrap().len(), 2, "named twice is synced once");
    assert_eq!(line(&both, "stable")["transfers"], 1);
    assert_eq!(desk.json("pool position alice stable")["shares"], "1999.999995");
    let order = desk.rows("SELECT pool_id, block_number FROM pool_snapshots ORDER BY 1, 2");
    assert_eq!(order.len(), 3);
    // Synced one by one or together: the same state.
    let together = Desk::ready();
    together.use_urls(&[("main", desk.world.node.url())]);
    together.run("sync").ok();
    let shares =
        "SELECT p.name, m.address, u.shares, u.last_deposit_block, u.last_deposit_at FROM user_pool_shares u
        JOIN pools p ON p.id = u.pool_id JOIN members m ON m.id = u.member_id ORDER BY 1, 2";
    assert_eq!(desk.rows(shares), together.rows(shares));
    let dump = desk.dump();
    desk.unchanged(|| desk.run("pool show growth").ok());
    same(&dump, &desk.dump());
}

#[test]
fn a_symbol_of_any_length_stops_no_command() {
    let desk = Desk::ready();
    for symbol in ["printf('%.*c', 70000, 'x')", "replace(hex(zeroblob(35000)), '00', '世界')"] {
        desk.meddle(&format!("UPDATE assets SET symbol = {symbol}"));
        desk.meddle(&format!("UPDATE pools SET share_symbol = {symbol}"));
        desk.world.node.mine(2).unwrap();
        for line in ["sync", "pool list", "pool show growth", "report --html r.html"] {
            desk.run(line).ok();
            desk.run(&format!("{line} --json")).exits(0).envelope();
        }
        let listed = desk.run("pool list").ok();
        assert!(listed.contains('…') && listed.len() < 70_000, "{}", listed.len());
    }
    desk.sound();
}

#[test]
fn a_rate_that_is_not_value_over_shares_is_an_alert() {
    let options = NodeOptions { multicall: false, ..NodeOptions::default() };
    let desk = Desk::on(World::on(Node::start(NODE, &options).unwrap()).unwrap());
    desk.add_pools();
    // `convertToAssets` of both vaults answers 1.06e18: a little more than `growth` is worth.
    let rule = Rule::new(Fault::Custom(|_, mut response| {
        response["result"] = json!(format!("{:#066x}", 1_060_000_000_000_000_000_u64));
        response
    }));
    desk.wire.fault(rule.on(Matcher::Selector(Vault::convertToAssetsCall::SELECTOR)));
    let envelope = desk.run("sync growth --json").exits(0).envelope();
    says(
        &warnings(&envelope),
        &["pool \"growth\": inconsistent_state", "exchange rate 1.06 is not TVL 1,525.00"],
    );
    assert_eq!(desk.rows(VIOLATIONS), ["inconsistent_state | 1 | 0"]);
    desk.wire.heal();
    desk.world.node.mine(2).unwrap();
    let envelope = desk.run("sync growth --json").exits(0).envelope();
    // Back from 1.06 to 1.05 is more than half a per cent.
    says(&warnings(&envelope), &["exchange_rate_drop"]);
    assert_eq!(desk.rows(VIOLATIONS), ["inconsistent_state | 1 | 1", "exchange_rate_drop | 1 | 0"]);
}
