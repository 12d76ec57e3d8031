//! `reward export`: amounts and addresses, and a Merkle tree that OpenZeppelin's own library reads.

use super::desk::{Desk, says};
use crate::support::Home;
use poolctl_testkit::alloy::primitives::{Address, U256, keccak256};
use poolctl_testkit::{tamper, tools, watch};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// A copy of the home in which epoch `epoch` gave `count` members what a test makes up.
fn with_rewards(home: &Home, epoch: i64, count: u64) -> Home {
    let copy = home.fork();
    let conn = copy.sqlite();
    conn.execute_batch("PRAGMA foreign_keys = OFF;").unwrap();
    tamper(&conn, |conn| conn.execute("DELETE FROM pool_rewards WHERE epoch_id = ?1", [epoch])).unwrap();
    // The pool owes as much as anybody can make up.
    let much = (U256::ONE << 250_usize).to_string();
    conn.execute("UPDATE ledger_accounts SET balance = ?1 WHERE purpose = 'reward_payable'", [much]).unwrap();
    for n in 0..count {
        let address = Address::from_word(keccak256(n.to_be_bytes())).to_string();
        let amount = (U256::from(n * n + 1) << (n % 200) as usize).to_string();
        conn.execute("INSERT INTO members (address, added_at) VALUES (?1, 1)", [address]).unwrap();
        conn.execute(
            "INSERT INTO pool_rewards (epoch_id, member_id, amount) VALUES (?1, ?2, ?3)",
            (epoch, conn.last_insert_rowid(), amount),
        )
        .unwrap();
    }
    copy
}

/// The root as the library computes it; it checks everything else.
fn library_root(file: &Path) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/evm_job/merkle.js");
    let mut node = Command::new("node");
    let output = watch::output(node.arg(script).arg(tools::merkle_tree().unwrap()).arg(file)).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn paid() -> (Desk, i64) {
    let desk = Desk::weighted();
    desk.first_cycle();
    let epoch = desk.one("SELECT max(epoch_id) FROM pool_rewards").parse().unwrap();
    (desk, epoch)
}

#[test]
fn openzeppelins_library_loads_the_tree_and_finds_the_same() {
    let (desk, epoch) = paid();
    for count in [1, 2, 3, 7, 100] {
        let home = with_rewards(&desk.home, epoch, count);
        let line = format!("reward export {epoch} --merkle --format json --output tree.json");
        let said = home.run(&line).json();
        let file = home.path().join("tree.json");
        assert_eq!(said["merkle_root"], library_root(&file), "{count} leaves");
        assert_eq!((&said["count"], &said["rewards"]), (&json!(count), &Value::Null));
        assert_eq!(said["file"], json!(file));
        let written = std::fs::read_to_string(&file).unwrap();
        assert_eq!(
            home.run(&format!("reward export {epoch} --merkle --format json")).ok(),
            written,
            "on stdout too"
        );
        // The other ways say the same.
        let document: Value = serde_json::from_str(&written).unwrap();
        let envelope = home.run(&format!("reward export {epoch} --merkle")).json();
        let csv = home.run(&format!("reward export {epoch} --merkle")).ok();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[0], "address,amount,amount_whole,root,proof");
        assert_eq!(lines.len(), usize::try_from(count).unwrap() + 1);
        for (n, value) in document["values"].as_array().unwrap().iter().enumerate() {
            let reward = &envelope["rewards"][n];
            assert_eq!(json!([reward["address"], reward["amount_base"]]), value["value"]);
            assert_eq!((&reward["proof"], &reward["amount"]), (&value["proof"], &value["amount_whole"]));
            let proof: Vec<&str> =
                value["proof"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
            let text = |v: &Value| v.as_str().unwrap().to_owned();
            let row = [
                text(&value["value"][0]),
                text(&value["value"][1]),
                text(&value["amount_whole"]),
                text(&document["root"]),
                proof.join(" "),
            ];
            assert_eq!(lines[n + 1], row.join(","));
        }
    }
}

#[test]
fn an_export_is_what_the_state_has() {
    let (desk, epoch) = paid();
    let want = desk.rows(&format!(
        "SELECT m.address, r.amount FROM pool_rewards r JOIN members m ON m.id = r.member_id
         WHERE r.epoch_id = {epoch} ORDER BY m.id"
    ));
    let csv = desk.unchanged(|| desk.run(&format!("reward export {epoch}")).ok());
    let rows: Vec<String> = csv
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let [address, base, whole] = cells[..] else { panic!("{line}") };
            let (units, rest) = whole.split_once('.').unwrap();
            assert_eq!(format!("{units}{rest}").trim_start_matches('0'), base);
            format!("{address} | {base}")
        })
        .collect();
    assert_eq!(rows, want);
    let document: Value =
        serde_json::from_str(&desk.run(&format!("reward export {epoch} --format json")).ok()).unwrap();
    assert_eq!((&document["epoch"], &document["decimals"]), (&json!(epoch), &json!(18)));
    let listed: Vec<String> = document["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| format!("{} | {}", v["address"].as_str().unwrap(), v["amount"].as_str().unwrap()))
        .collect();
    assert_eq!(listed, want);
    let total = desk.json(&format!("reward epoch show {epoch}"))["distributed"].clone();
    assert_eq!(desk.json(&format!("reward export {epoch}"))["total"], total);
}

#[test]
fn what_cannot_be_exported_leaves_no_file() {
    let (desk, epoch) = paid();
    // An epoch that gave nothing has rows, none, but no tree.
    let empty = desk.one("SELECT min(id) FROM pool_reward_epochs WHERE holders = 0");
    assert_eq!(desk.run(&format!("reward export {empty}")).ok(), "address,amount,amount_whole\n");
    let start: u64 = desk.one("SELECT reward_cursor_block FROM pools WHERE name = 'growth'").parse().unwrap();
    let made =
        desk.json(&format!("reward epoch create growth --start {start} --end {} --total 1", start + 10));
    for (line, code) in [
        (format!("reward export {empty} --merkle --output out"), "invalid_value"),
        (format!("reward export {} --output out", made["epoch"]), "invalid_value"),
        ("reward export 99999 --output out".to_owned(), "unknown_epoch"),
        (format!("reward export {epoch} --format xml --output out"), "usage"),
        ("reward export one --output out".to_owned(), "usage"),
    ] {
        desk.refuses_offline(&line.split(' ').collect::<Vec<_>>(), code, &[]);
        assert!(!desk.home.path().join("out").exists(), "{line}");
    }
    // A file is replaced whole; where it cannot be, what was there stays.
    let out = desk.home.path().join("out");
    std::fs::write(&out, "old").unwrap();
    desk.run(&format!("reward export {epoch} --output out")).ok();
    assert!(std::fs::read_to_string(&out).unwrap().starts_with("address,amount,"));
    let nowhere = desk.home.path().join("folder");
    std::fs::create_dir(&nowhere).unwrap();
    let envelope = desk.run(&format!("reward export {epoch} --output folder")).fails(2, "invalid_value");
    says(&envelope["error"]["message"], &["folder"]);
    desk.run(&format!("reward export {epoch} --output missing/out")).fails(1, "io_error");
    let left: Vec<String> = std::fs::read_dir(desk.home.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("draft"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

/// Members with something in the epoch, the first of whom has a name.
fn members(desk: &Desk, epoch: i64) -> Vec<String> {
    desk.rows(&format!(
        "SELECT m.address FROM pool_rewards r JOIN members m ON m.id = r.member_id WHERE r.epoch_id = {epoch}"
    ))
}

#[test]
fn a_reward_in_a_tree_cannot_be_claimed_and_a_claimed_one_is_in_no_tree() {
    let (desk, epoch) = paid();
    let pool = desk.one(&format!(
        "SELECT p.name FROM pool_reward_epochs e JOIN pools p ON p.id = e.pool_id WHERE e.id = {epoch}"
    ));
    let holders = members(&desk, epoch);
    assert!(holders.len() >= 2, "{holders:?}");
    // The first one claims before the export.
    desk.run(&format!("reward claim {} {pool}", holders[0])).ok();
    let line = format!("reward export {epoch} --merkle --format json --output tree.json");
    let tree = desk.home.path().join("tree.json");
    // A dry run names the root, and gives no proof away.
    let dry = desk.unchanged(|| desk.run(&format!("{line} --dry-run --json")).exits(0).envelope());
    assert!(!tree.exists());
    assert_eq!(dry["data"]["rewards"], Value::Null);
    assert!(!dry.to_string().contains("proof\":["), "{dry}");
    // Consent, where the profile asks for it.
    let config = std::fs::read_to_string(desk.home.config()).unwrap();
    desk.setting("guard.confirm = true");
    desk.unchanged(|| desk.run(&line).fails(4, "needs_confirmation"));
    assert!(!tree.exists());
    desk.home.write_config(&config);
    let said = desk.json(&line);
    assert_eq!(said["merkle_root"], dry["data"]["merkle_root"]);
    assert_eq!(said["count"], holders.len() - 1);
    let written = std::fs::read_to_string(&tree).unwrap();
    assert!(!written.contains(&holders[0]) && written.contains(&holders[1]));
    let event = desk.one("SELECT count(*) FROM events WHERE kind = 'reward.exported'");
    assert_eq!(event, "1");
    desk.sound();
    // Again: the same tree, and nothing is written to the state; nor is consent asked for.
    desk.setting("guard.confirm = true");
    desk.unchanged(|| desk.run(&line).ok());
    assert_eq!(std::fs::read_to_string(&tree).unwrap(), written);
    desk.home.write_config(&config);
    // Claims leave it out and name it.
    let other = &holders[1];
    let before = desk.json(&format!("reward pending {other} --pool {pool}"));
    assert_eq!(before["exported"][0]["epochs"], 1);
    let claimed = desk.json(&format!("reward claim {other} --all"));
    assert_eq!(claimed["exported"][0]["epochs"], 1);
    let left = format!(
        "SELECT count(*) FROM pool_rewards r JOIN members m ON m.id = r.member_id
         WHERE m.address = '{other}' AND r.claimed_at IS NULL AND r.epoch_id = {epoch}"
    );
    assert_eq!(desk.one(&left), "1");
    let nothing = desk.unchanged(|| desk.run(&format!("reward claim {other} --all")).ok());
    says(&json!(nothing), &["nothing to claim", "to be claimed on chain"]);
    let position = desk.json(&format!("pool position {other} {pool}"));
    assert_eq!(
        position["exported"],
        json!([{ "symbol": position["exported"][0]["symbol"],
        "amount": before["exported"][0]["amount"] }])
    );
    let shown = desk.json(&format!("reward epoch show {epoch}"));
    assert_eq!(shown["merkle_root"], said["merkle_root"]);
    // Whoever tries to mark it past the program is refused by the schema.
    let conn = desk.home.sqlite();
    let e = conn.execute(
        "UPDATE pool_rewards SET claimed_at = 1, claim_id = 1 WHERE claimed_at IS NULL AND epoch_id = ?1",
        [epoch],
    );
    assert!(e.unwrap_err().to_string().contains("can only be claimed on chain"));
    drop(conn);
    desk.sound();
    // A view has everything, and no proofs.
    let view = desk.unchanged(|| desk.json(&format!("reward export {epoch}")));
    assert_eq!((&view["count"], &view["merkle_root"]), (&json!(holders.len()), &Value::Null));
    assert!(view["rewards"].as_array().unwrap().iter().all(|reward| reward["proof"] == Value::Null));
}

#[test]
fn a_tree_that_could_not_be_written_is_said_to_be_recorded_and_can_be_had_again() {
    let (desk, epoch) = paid();
    let export = |output: &str| format!("reward export {epoch} --merkle --format json --output {output}");
    let envelope = desk.run(&export("nowhere/tree.json")).fails(1, "io_error");
    says(
        &envelope["error"]["message"],
        &[&format!("epoch {epoch} is exported, and its tree was not written")],
    );
    says(&envelope["error"]["hint"], &["run it again with another --output"]);
    let (first, again) = (desk.json(&export("one.json")), desk.json(&export("two.json")));
    assert_eq!(first["merkle_root"], again["merkle_root"]);
    assert_eq!(desk.rows("SELECT 1 FROM events WHERE kind = 'reward.exported'").len(), 1);
    // Without a tree nothing is recorded, and nothing is said of one.
    let view = desk.run(&format!("reward export {epoch} --output nowhere/list.csv")).fails(1, "io_error");
    assert!(!view.to_string().contains("is exported"), "{view}");
}

#[test]
fn an_epoch_whose_rewards_are_all_claimed_has_no_tree() {
    let (desk, epoch) = paid();
    for member in members(&desk, epoch) {
        desk.run(&format!("reward claim {member} --all")).ok();
    }
    let line = format!("reward export {epoch} --merkle --output out");
    let envelope =
        desk.refuses_offline(&line.split(' ').collect::<Vec<_>>(), "invalid_value", &["are claimed"]);
    says(&envelope["error"]["hint"], &["without --merkle"]);
    assert!(!desk.home.path().join("out").exists());
}

#[test]
fn a_run_that_is_killed_on_the_way_to_a_tree_is_run_again() {
    let (desk, epoch) = paid();
    let line = format!("reward export {epoch} --merkle --format json --output tree.json");
    let whole = desk.home.fork();
    let root = whole.run(&line).json()["merkle_root"].clone();
    for step in 1.. {
        let home = desk.home.fork();
        let tree = home.path().join("tree.json");
        match super::crash::crash_at(home.run(&line), step) {
            super::crash::Ended::Whole(_) => {
                assert!(step > 1, "nothing was killed");
                break;
            }
            super::crash::Ended::Killed => {
                let recorded = super::desk::rows(&home.sqlite(), "SELECT root FROM reward_exports");
                assert!(
                    !tree.exists() || recorded == [root.as_str().unwrap()],
                    "handed out before it was recorded"
                );
            }
        }
        assert_eq!(home.run(&line).json()["merkle_root"], root);
        super::desk::sound(&home);
    }
}
