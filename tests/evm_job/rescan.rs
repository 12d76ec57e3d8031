//! `pool rescan`: transfers that were lost or made up are put right on evidence, and what was paid on them is told.

use super::desk::{Desk, config, dump, figures, rows, same, says, sound, straight, warnings};
use crate::support::Home;
use base::counted;
use poolctl_testkit::alloy::primitives::U256;
use poolctl_testkit::{Fault, Matcher, Proxy, Rule, tamper, units};
use rusqlite::Connection;
use serde_json::{Value, json};

/// Transfers from holder to holder.
pub const BETWEEN: &str = "from_member IS NOT NULL AND to_member IS NOT NULL";
/// Deposits.
const MINT: &str = "from_member IS NULL";

/// Adds to what a member has in a state, or takes from it.
fn shift(conn: &Connection, pool: &str, member: &str, by: U256, more: bool) {
    let of = format!("pool_id = {pool} AND member_id = {member}");
    let has: U256 =
        rows(conn, &format!("SELECT shares FROM user_pool_shares WHERE {of}"))[0].parse().unwrap();
    let has = if more { has + by } else { has - by };
    conn.execute(&format!("UPDATE user_pool_shares SET shares = '{has}' WHERE {of}"), []).unwrap();
}

/// Makes a state one whose newest such transfer was never seen: its row is gone, and what it moved. Returns its block.
pub fn lost(home: &Home, pool: &str, which: &str) -> u64 {
    let conn = home.sqlite();
    let row = rows(
        &conn,
        &format!(
            "SELECT pool_id, block_number, log_index, from_member, to_member, shares FROM share_transfers
             WHERE pool_id = (SELECT id FROM pools WHERE name = '{pool}') AND {which}
             ORDER BY block_number DESC, log_index DESC LIMIT 1"
        ),
    );
    let cells: Vec<&str> = row[0].split(" | ").collect();
    let [pool, block, log, from, to, shares] = cells[..] else { panic!("{row:?}") };
    let shares = shares.parse().unwrap();
    let place = format!("pool_id = {pool} AND block_number = {block} AND log_index = {log}");
    conn.execute(&format!("DELETE FROM share_transfers WHERE {place}"), []).unwrap();
    for (member, more) in [(from, true), (to, false)].into_iter().filter(|(member, _)| *member != "NULL") {
        shift(&conn, pool, member, shares, more);
    }
    if from == "NULL" {
        let forget = format!(
            "UPDATE user_pool_shares SET last_deposit_block = NULL, last_deposit_at = NULL
             WHERE pool_id = {pool} AND member_id = {to} AND last_deposit_block = {block}"
        );
        conn.execute(&forget, []).unwrap();
    }
    block.parse().unwrap()
}

/// Makes a state one that believes in a transfer that never was: the newest one twice, at another place of its block.
fn made_up(home: &Home, pool: &str) {
    let conn = home.sqlite();
    let id = format!("(SELECT id FROM pools WHERE name = '{pool}')");
    let insert = format!(
        "INSERT INTO share_transfers SELECT pool_id, block_number, log_index + 100, tx_hash, from_member, to_member, '7'
         FROM share_transfers WHERE pool_id = {id} AND {BETWEEN} ORDER BY block_number DESC LIMIT 1"
    );
    assert_eq!(conn.execute(&insert, []).unwrap(), 1);
    let row =
        rows(&conn, "SELECT pool_id, from_member, to_member FROM share_transfers WHERE log_index >= 100");
    let cells: Vec<&str> = row[0].split(" | ").collect();
    let [pool, from, to] = cells[..] else { panic!("{row:?}") };
    shift(&conn, pool, from, U256::from(7), false);
    shift(&conn, pool, to, U256::from(7), true);
}

/// A desk whose pools were synced.
fn synced() -> Desk {
    let desk = Desk::ready();
    desk.run("sync").ok();
    desk
}

/// Whether a call asks for logs, or for the receipts that have them too.
fn logs(call: &Value) -> bool {
    call["method"] == "eth_getLogs" || call["method"] == "eth_getBlockReceipts"
}

/// An endpoint that leaves out what moves between holders.
fn silent_about_moves() -> Fault {
    Fault::Custom(|_, mut answer| {
        if let Some(logs) = answer["result"].as_array_mut() {
            let zero = json!(format!("0x{}", "0".repeat(64)));
            logs.retain(|log| log["topics"][1] == zero || log["topics"][2] == zero);
        }
        answer
    })
}

/// An endpoint that tells another amount of what moves between holders.
fn wrong_about_moves() -> Fault {
    Fault::Custom(|_, mut answer| {
        let zero = json!(format!("0x{}", "0".repeat(64)));
        let logs = answer["result"].as_array_mut().into_iter().flatten();
        for log in logs.filter(|log| log["topics"][1] != zero && log["topics"][2] != zero) {
            log["data"] = json!(format!("{:#066x}", 7));
        }
        answer
    })
}

/// An endpoint that leaves out the first log of each answer.
fn silent_about_the_first() -> Fault {
    Fault::Custom(|_, mut answer| {
        if let Some(logs) = answer["result"].as_array_mut().filter(|logs| !logs.is_empty()) {
            logs.remove(0);
        }
        answer
    })
}

fn lie(wire: &Proxy, fault: Fault, times: usize) {
    wire.fault(Rule::new(fault).on(Matcher::Where(logs)).times(times));
}

#[test]
fn where_all_is_right_nothing_is_changed() {
    let desk = synced();
    let found = desk.unchanged(|| desk.json("pool rescan growth"));
    assert_eq!((&found["added"], &found["removed"], &found["transfers"]), (&json!(0), &json!(0), &json!(0)));
    assert_eq!(
        (&found["changes"], &found["holders"], &found["wrong_epochs"]),
        (&json!([]), &json!([]), &json!([]))
    );
    assert_eq!(found["from_block"], desk.world.eighteen.deploy_block);
    assert_eq!(found["to_block"], found["view"]["number"]);
    // What the state has is the other reading of the one endpoint.
    assert_eq!(found["endpoints"], json!(["main"]));
    says(&json!(desk.run("pool rescan growth").ok()), &["0 transfers added, 0 removed", "at \"main\""]);

    // What came since is taken in as by a sync.
    desk.world.deposit(desk.world.eighteen.vault, desk.world.dave, units(7, 18)).unwrap();
    desk.world.node.mine(3).unwrap();
    let dry = desk.unchanged(|| desk.json("pool rescan growth --dry-run"));
    let found = desk.json("pool rescan growth");
    assert_eq!((&dry, &found["transfers"]), (&found, &json!(1)));
    assert_eq!(
        desk.one("SELECT cursor_block FROM pools WHERE name = 'growth'"),
        found["view"]["number"].to_string()
    );
    desk.sound();
    desk.run("sync").ok();
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
}

/// What was changed in a home's state.
type Meddle = fn(&Home);

#[test]
fn what_was_lost_comes_back_and_what_was_made_up_goes() {
    let desk = synced();
    let other = Proxy::start(desk.world.node.url()).unwrap();
    let right = figures(&desk.home.sqlite());
    let cases: [(&str, Meddle, [usize; 3]); 3] = [
        ("growth", |home| _ = lost(home, "growth", BETWEEN), [1, 0, 2]),
        ("stable", |home| _ = lost(home, "stable", MINT), [1, 0, 1]),
        ("growth", |home| made_up(home, "growth"), [0, 1, 2]),
    ];
    for (pool, meddle, [added, removed, holders]) in cases {
        for endpoints in [vec!["main"], vec!["main", "other"]] {
            let home = desk.home.fork();
            let urls = [("main", desk.wire.url()), ("other", other.url())];
            let urls: Vec<(&str, &str)> =
                urls.iter().take(endpoints.len()).map(|(name, url)| (*name, url.as_str())).collect();
            home.write_config(&config(&desk.world, &urls));
            meddle(&home);
            let wrong = dump(&home.sqlite());
            assert_ne!(figures(&home.sqlite()), right);

            let dry = home.run(&format!("pool rescan {pool} --dry-run")).json();
            same(&wrong, &dump(&home.sqlite()));
            let found = home.run(&format!("pool rescan {pool}")).json();
            assert_eq!(dry, found);
            assert_eq!(figures(&home.sqlite()), right, "{pool} {added} {removed}");
            sound(&home);
            assert_eq!(
                (&found["added"], &found["removed"], &found["holders_changed"]),
                (&json!(added), &json!(removed), &json!(holders))
            );
            assert_eq!(found["changes"].as_array().unwrap().len(), added + removed);
            assert_eq!(found["holders"].as_array().unwrap().len(), holders);
            assert_eq!(found["transfers"], 0);
            // One endpoint is asked twice.
            assert_eq!(found["endpoints"], json!(["main", endpoints.last().unwrap()]));
            let event = rows(&home.sqlite(), "SELECT payload FROM events WHERE kind = 'pool.rescanned'");
            let event: Value = serde_json::from_str(&event[0]).unwrap();
            for field in ["added", "removed", "endpoints", "from_block", "to_block"] {
                assert_eq!(event[field], found[field], "{field}");
            }
            let again = dump(&home.sqlite());
            assert_eq!(home.run(&format!("pool rescan {pool}")).json()["added"], 0);
            same(&again, &dump(&home.sqlite()));
        }
    }
}

#[test]
fn a_withdrawal_that_counted_on_what_was_made_up_is_no_fault_of_the_state() {
    let desk = Desk::bare();
    desk.furnish();
    made_up(&desk.home, "growth");
    let carol = desk.world.carol;
    desk.run(&format!("withdrawal request growth {carol} 100.000000000000000007")).ok();
    let found = desk.json("pool rescan growth");
    assert_eq!((&found["added"], &found["removed"]), (&json!(0), &json!(1)));
    desk.sound();
}

#[test]
fn what_changes_is_shown() {
    let desk = synced();
    let block = lost(&desk.home, "growth", BETWEEN);
    let found = desk.json("pool rescan growth --dry-run");
    let (alice, carol) = (desk.world.alice.to_string(), desk.world.carol.to_string());
    let change = &found["changes"][0];
    assert_eq!((&change["change"], &change["block"]), (&json!("added"), &json!(block)));
    assert_eq!((&change["from"], &change["to"]), (&json!(alice), &json!(carol)));
    assert_eq!(change["amount"], "100.000000000000000000");
    let holder = |address: &str| {
        let found = found["holders"].as_array().unwrap().iter().find(|holder| holder["member"] == *address);
        let found = found.unwrap();
        [&found["member_name"], &found["before"], &found["after"]]
            .map(|value| value.as_str().unwrap_or("–").to_owned())
    };
    assert_eq!(holder(&alice), ["alice", "1000.000000000000000000", "900.000000000000000000"]);
    assert_eq!(holder(&carol), ["–", "0.000000000000000000", "100.000000000000000000"]);
    let page = desk.run("pool rescan growth").ok();
    says(
        &json!(page),
        &["added", &alice, &carol, "1,000.00", "900.00", "1 transfer added, 0 removed, 2 holders changed"],
    );

    // Blocks before the first that is named are left alone.
    let block = lost(&desk.home, "growth", BETWEEN);
    let found = desk.json(&format!("pool rescan growth --from {}", block + 1));
    assert_eq!((&found["from_block"], &found["added"]), (&json!(block + 1), &json!(0)));
    let found = desk.json(&format!("pool rescan growth --from {block}"));
    assert_eq!((&found["from_block"], &found["added"]), (&json!(block), &json!(1)));
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let desk = synced();
    let deploy = desk.world.eighteen.deploy_block;
    let cursor: u64 = desk.one("SELECT cursor_block FROM pools WHERE name = 'growth'").parse().unwrap();
    let (early, late) = ((deploy - 1).to_string(), (cursor + 1).to_string());
    let range = format!("was deployed in block {deploy} and is read up to block {cursor}");
    for (args, code, words) in [
        (vec!["nowhere"], "unknown_pool", "no pool \"nowhere\""),
        (vec!["growth", "--from", &late], "invalid_value", &*range),
        (vec!["growth", "--from", &early], "invalid_value", &range),
        (vec!["growth", "--from", "18446744073709551615"], "invalid_value", &range),
        (vec!["growth", "--from", "-1"], "usage", "--from"),
        (vec!["growth", "--from", "latest"], "usage", "--from"),
        (vec!["growth", "--at", "soon"], "invalid_value", "soon"),
        (vec![], "usage", "POOL"),
    ] {
        let args: Vec<&str> = ["pool", "rescan"].into_iter().chain(args).collect();
        desk.refuses_offline(&args, code, &[words]);
    }
    desk.unchanged(|| desk.run(&format!("pool rescan growth --at {}", cursor - 1)).fails(2, "invalid_value"));
    let desk = Desk::ready();
    let envelope =
        desk.refuses_offline(&["pool", "rescan", "growth"], "invalid_value", &["was never synced"]);
    says(&envelope["error"]["hint"], &["poolctl sync growth"]);
}

#[test]
fn an_endpoint_that_lies_changes_nothing() {
    let desk = synced();
    let other = Proxy::start(desk.world.node.url()).unwrap();
    let refused = |words: &[&str]| {
        let envelope = desk.unchanged(|| desk.run("pool rescan growth").fails(5, "drift"));
        says(&envelope["error"]["message"], &["cannot rescan pool \"growth\""]);
        says(&envelope["error"]["message"], words);
    };
    // Once: the readings differ.
    lie(&desk.wire, wrong_about_moves(), 1);
    refused(&["readings at \"main\" and \"main\" differ, first at log"]);
    desk.wire.heal();
    // Always, about what leaves the sum as it is.
    // Always, about a deposit.
    for (fault, words) in [
        (silent_about_moves(), "by balanceOf"),
        (wrong_about_moves(), "by balanceOf"),
        (silent_about_the_first(), "its transfers do not add up"),
    ] {
        lie(&desk.wire, fault, usize::MAX);
        // The receipts have what is to be removed. Without them, there is what the contract says.
        let envelope = desk.unchanged(|| desk.run("pool rescan growth").fails(75, "bad_reply"));
        says(&envelope["error"]["message"], &["\"main\" leaves out log", "which the receipt of 0x"]);
        desk.wire.fault(Rule::new(Fault::ResultNull).on_method("eth_getTransactionReceipt"));
        refused(&["its transfers do not add up", words]);
        desk.wire.heal();
    }
    // A second one, about anything.
    desk.use_urls(&[("main", &desk.wire.url()), ("other", &other.url())]);
    lie(&other, wrong_about_moves(), usize::MAX);
    refused(&["readings at \"main\" and \"other\" differ, first at log"]);
    other.heal();

    // One that fails says nothing: the first is asked twice.
    lost(&desk.home, "growth", BETWEEN);
    other.fault(Rule::new(Fault::Status(500, None)));
    let envelope = desk.run("pool rescan growth --json").exits(0).envelope();
    says(&warnings(&envelope), &["endpoint \"other\" gave no second opinion"]);
    assert_eq!(envelope["data"]["endpoints"], json!(["main", "main"]));
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
    desk.sound();
}

#[test]
fn a_deposit_that_was_lost_before_the_blocks_named_is_not_passed_over() {
    let desk = synced();
    let block = lost(&desk.home, "stable", MINT);
    let line = format!("pool rescan stable --from {}", block + 1);
    let envelope = desk.unchanged(|| desk.run(&line).fails(5, "drift"));
    says(&envelope["error"]["message"], &["balances of", "sum to"]);
    desk.run("pool rescan stable").ok();
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
}

#[test]
fn paid_epochs_that_turn_out_wrong_are_told_and_stay() {
    let desk = Desk::weighted();
    desk.world.node.mine(25).unwrap();
    desk.run("sync").ok();
    desk.first_cycle();
    // As a version paid it that had lost what alice gave to carol: hers are alice's.
    let block = lost(&desk.home, "growth", BETWEEN);
    let rewards = |member: &str| -> Vec<(i64, U256)> {
        let found = desk.rows(&format!(
            "SELECT r.epoch_id, r.amount FROM pool_rewards r JOIN members m ON m.id = r.member_id
             JOIN pool_reward_epochs e ON e.id = r.epoch_id JOIN pools p ON p.id = e.pool_id
             WHERE p.name = 'growth' AND e.end_block > {block} AND m.address = '{member}' ORDER BY 1"
        ));
        let cells = found.iter().map(|row| row.split_once(" | ").unwrap());
        cells.map(|(epoch, amount)| (epoch.parse().unwrap(), amount.parse().unwrap())).collect()
    };
    let (alice, carol) = (desk.world.alice.to_string(), desk.world.carol.to_string());
    let (hers, carols) = (rewards(&alice), rewards(&carol));
    assert!(carols.len() >= 2 && hers.len() == carols.len(), "{hers:?} {carols:?}");
    tamper(&desk.home.sqlite(), |conn| {
        for ((epoch, amount), (_, carols)) in hers.iter().zip(&carols) {
            let of = |member: &str| {
                format!(
                    "epoch_id = {epoch} AND member_id = (SELECT id FROM members WHERE address = '{member}')"
                )
            };
            for sql in [
                format!("UPDATE pool_rewards SET amount = '{}' WHERE {}", amount + carols, of(&alice)),
                format!("DELETE FROM pool_rewards WHERE {}", of(&carol)),
                format!("UPDATE pool_reward_epochs SET holders = holders - 1 WHERE id = {epoch}"),
            ] {
                assert_eq!(conn.execute(&sql, []).unwrap(), 1, "{sql}");
            }
        }
    });
    desk.sound();
    desk.run("reward epoch verify --all").fails(5, "check_failed");

    let dry = desk.unchanged(|| desk.run("pool rescan growth --dry-run").fails(5, "drift"));
    let kept = [
        "SELECT * FROM pool_rewards ORDER BY 1, 2",
        "SELECT * FROM pool_reward_epochs ORDER BY 1",
        "SELECT name, reward_cursor_block, reward_carry FROM pools ORDER BY 1",
        "SELECT * FROM ledger_entries ORDER BY 1",
    ]
    .map(|sql| (sql, desk.rows(sql)));
    let envelope = desk.run("pool rescan growth").fails(5, "drift");
    assert_eq!(dry["data"], envelope["data"]);
    says(
        &envelope["error"]["message"],
        &[
            "of pool \"growth\" wrong",
            &counted(carols.len(), "paid epoch"),
            &format!("epoch {}", carols[0].0),
        ],
    );
    says(&envelope["error"]["hint"], &["not rewritten", "poolctl reward epoch verify --pool growth"]);
    assert_eq!((&envelope["data"]["added"], &envelope["data"]["removed"]), (&json!(1), &json!(0)));

    // Each member's difference, and nothing of what was paid is another.
    let whole = |amount: U256| {
        let text = format!("{amount:0>19}");
        let (units, rest) = text.split_at(text.len() - 18);
        format!("{units}.{rest}")
    };
    let wrong = envelope["data"]["wrong_epochs"].as_array().unwrap();
    let shown: Vec<Value> = wrong
        .iter()
        .map(|epoch| {
            let members = epoch["members"].as_array().unwrap().iter();
            let members: Vec<Value> =
                members.map(|m| json!([m["member"], m["paid"], m["due"], m["difference"]])).collect();
            json!([epoch["epoch"], members])
        })
        .collect();
    let want: Vec<Value> = hers
        .iter()
        .zip(&carols)
        .map(|((epoch, due), (_, more))| {
            let (paid, less) = (whole(due + more), format!("-{}", whole(*more)));
            json!([
                epoch,
                [[alice, paid, whole(*due), less], [carol, whole(U256::ZERO), whole(*more), whole(*more)]]
            ])
        })
        .collect();
    assert_eq!(shown, want);
    // The transfer falls into the first of them.
    let first = &wrong[0]["members"];
    assert_eq!(
        [&first[0]["paid"], &first[0]["due"], &first[0]["difference"], &first[1]["difference"]],
        ["10.000000000000000000", "9.100000000000000000", "-0.900000000000000000", "0.900000000000000000"]
    );
    assert_eq!(wrong[0]["figures"][0]["field"], "holders");
    for (sql, rows) in kept {
        assert_eq!(desk.rows(sql), rows, "{sql}");
    }
    assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world));
    desk.sound();

    // Verifying tells the same, on the chain and from the state, and so does a second rescan.
    for line in ["reward epoch verify --pool growth", "reward epoch verify --pool growth --offline"] {
        let found = desk.run(line).fails(5, "check_failed");
        assert_eq!(found["data"]["difference_count"], envelope["data"]["differences"], "{line}");
    }
    let again = desk.unchanged(|| desk.run("pool rescan growth").fails(5, "drift"));
    assert_eq!(again["data"]["wrong_epochs"], envelope["data"]["wrong_epochs"]);
    assert_eq!(again["data"]["added"], 0);
    let page = desk.run("pool rescan growth").exits(5).stdout;
    says(&json!(page), &["PAID", "DUE", "DIFFERENCE", &carol, "holders is"]);
    // Epochs that end before the blocks named are no part of it.
    let later = desk.run(&format!("pool rescan growth --from {}", wrong[1]["start_block"])).fails(5, "drift");
    assert_eq!(later["data"]["wrong_epochs"], json!(wrong[1..]));
}
