//! A transaction of which nobody tells what became holds nobody up for ever.

use crate::desk::{Desk, KALE, ended, until};
use crate::losses::forget;
use crate::same;
use poolctl_testkit::{Fault, Proxy, Rule};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A history that begins with the newest ledger: no transaction from before is known.
fn no_past() -> Rule {
    let fault = Fault::Custom(|_, mut answer| {
        if let Some(result) = answer["result"].as_object_mut() {
            let (ledger, time) = (result["latestLedger"].clone(), result["latestLedgerCloseTime"].clone());
            *result = serde_json::Map::new();
            result.insert("status".into(), json!("NOT_FOUND"));
            result.insert("latestLedger".into(), ledger.clone());
            result.insert("latestLedgerCloseTime".into(), time.clone());
            result.insert("oldestLedger".into(), ledger);
            result.insert("oldestLedgerCloseTime".into(), time);
        }
        answer
    });
    Rule::new(fault).on_method("getTransaction")
}

/// The desk's only endpoint, which answers so.
fn behind(desk: &Desk, rule: Rule) -> Proxy {
    let proxy = Proxy::start(&desk.network.url()).unwrap();
    proxy.fault(rule);
    desk.write_config(&[proxy.url()], same::STAKES);
    proxy
}

fn open(desk: &Desk) -> usize {
    desk.run("operations list").json()["operations"].as_array().unwrap().len()
}

#[test]
fn an_envelope_that_nobody_remembers_is_ended_by_its_accounts_sequence() {
    for lands in [true, false] {
        let desk = same::unsettled(lands);
        desk.network.advance_over(40, 200).unwrap();
        let index = desk.farm().index;
        let planted = desk.farmers.iter().filter(|farmer| desk.pail(farmer, 1).is_some()).count();
        assert_eq!((index, planted), if lands { (1, 2) } else { (0, 0) });
        // What is sent from now on, it remembers.
        let proxy = behind(&desk, no_past().times(1));
        let listed = desk.run("operations list").json();
        assert_eq!(listed["operations"].as_array().unwrap().len(), 2, "{listed}");
        // One look, and what it did is read from the chain.
        let envelope = desk.run("plant --json").exits(0).last();
        assert_eq!(open(&desk), 0, "{envelope}");
        proxy.heal();
        desk.run("plant").exits(0);
        assert_eq!(
            desk.value::<i64>("SELECT count(*) FROM open_pails WHERE block_index = 1"),
            2,
            "{envelope}"
        );
        let states = desk.column("SELECT DISTINCT state FROM operations ORDER BY state");
        assert_eq!(states, if lands { vec!["expired"] } else { vec!["recorded"] });
        assert_eq!(desk.farm().index, 1);
        desk.is_sound();
    }
}

#[test]
fn a_transaction_is_given_up_when_it_can_never_land_and_with_a_reason() {
    let desk = same::unsettled(false);
    let id: i64 = desk.value("SELECT min(id) FROM operations WHERE state = 'signed'");
    let refused = |line: String, exit: i32, code: &str| {
        let before = desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'");
        desk.run(&line).fails(exit, code);
        assert_eq!(
            desk.value::<String>("SELECT value FROM meta WHERE key = 'data_version'"),
            before,
            "{line}"
        );
    };
    refused(format!("operations give-up {id} --reason lost --yes"), 4, "not_ready");
    refused("operations give-up 999 --reason lost --yes".into(), 2, "invalid_value");
    refused("operations give-up x --reason lost --yes".into(), 2, "usage");
    refused(format!("operations give-up {id} --yes"), 2, "usage");
    refused(format!("operations give-up {id} --reason= --yes"), 2, "invalid_value");
}

#[test]
fn what_a_transaction_did_that_was_given_up_is_found_by_the_next_run() {
    let desk = same::unsettled(true);
    desk.run("operations list").exits(0);
    desk.network.advance_over(40, 200).unwrap();
    let proxy = behind(&desk, no_past());
    for id in desk.column("SELECT id || '' FROM operations WHERE state IN ('signed', 'sent')") {
        let data = desk.run(&format!("operations give-up {id} --reason=lost --yes")).json();
        assert_eq!(data["status"], "given_up");
    }
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM open_pails WHERE block_index = 1"), 0);
    proxy.heal();
    let envelope = desk.run("farm reconcile").fails(5, "drift");
    assert_eq!(envelope["data"]["differences"].as_array().unwrap().len(), 2, "{envelope}");
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM open_pails WHERE block_index = 1"), 2);
    desk.is_sound();
}

#[test]
fn what_is_given_up_is_recorded_and_can_be_done_again() {
    let desk = same::unsettled(false);
    let id: i64 = desk.value("SELECT min(id) FROM operations WHERE state = 'signed'");
    desk.network.advance_over(40, 200).unwrap();
    let proxy = behind(&desk, no_past());
    let data = desk.run(&format!("operations give-up {id} --reason=lost --dry-run")).json();
    assert_eq!(data["status"], "would_give_up");
    let data = desk.run(&format!("operations give-up {id} --reason=lost --yes")).json();
    assert_eq!(data["status"], "given_up");
    assert_eq!(open(&desk), 1);
    let told = desk.column("SELECT payload FROM events WHERE kind = 'operation.given_up'");
    assert!(told.len() == 1 && told[0].contains("lost"), "{told:?}");
    proxy.heal();
    desk.run("plant").exits(0);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM open_pails WHERE block_index = 1"), 2);
    assert_eq!(desk.booked("farmer", &desk.farmers[0].id, "staked"), i128::from(250 * KALE));
    desk.is_sound();
}

/// Nobody tells what became of a transaction.
fn mute(desk: &Desk) -> Proxy {
    let message = "no".to_owned();
    let fault = Fault::RpcError { code: -32601, message, data: Value::Null };
    behind(desk, Rule::new(fault).on_method("getTransaction"))
}

fn version(desk: &Desk) -> String {
    desk.value("SELECT value FROM meta WHERE key = 'data_version'")
}

#[test]
fn settling_waits_no_longer_than_a_transaction_is_valid() {
    let desk = same::unsettled(true);
    desk.network.advance_over(40, 200).unwrap();
    let proxy = mute(&desk);
    let envelope = desk.run("operations settle --yes").fails(76, "outcome_unknown");
    let operations = envelope["data"]["operations"].as_array().unwrap();
    assert!(operations.len() == 2 && operations.iter().all(|one| one["settled"] == false), "{envelope}");
    let asked = proxy.methods().iter().filter(|method| *method == "getTransaction").count();
    assert!(asked <= 4, "{asked}");
    assert_eq!(open(&desk), 2);
    proxy.heal();
    desk.run("operations settle --yes").exits(0);
    assert_eq!(open(&desk), 0);
    desk.is_sound();
}

#[test]
fn a_command_waits_no_longer_for_its_own_transactions_either() {
    let desk = same::ripe();
    let _proxy = mute(&desk);
    let child = desk.run("plant --json").spawn();
    let sent = || desk.value::<i64>("SELECT count(*) FROM operations WHERE state = 'sent'") == 2;
    until("both are sent", sent);
    desk.network.advance_over(40, 200).unwrap();
    let ran = ended(child);
    assert_eq!((ran.code, &ran.last()["error"]["code"]), (Some(76), &json!("outcome_unknown")));
    desk.configure(same::STAKES);
    desk.run("operations settle --yes").exits(0);
    assert_eq!((open(&desk), desk.value::<i64>("SELECT count(*) FROM open_pails")), (0, 2));
    desk.is_sound();
}

#[test]
fn settling_ends_at_the_first_wish_to_stop() {
    let desk = same::unsettled(true);
    let proxy = mute(&desk);
    let child = desk.run("operations settle --yes --json").spawn();
    until("it looks", || proxy.methods().iter().filter(|method| *method == "getTransaction").count() > 4);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ran = ended(child);
    assert_eq!(ran.code, Some(76), "{}", ran.stdout);
    assert_eq!(open(&desk), 2);
    proxy.heal();
    desk.run("operations settle --yes").exits(0);
    desk.is_sound();
}

#[test]
fn a_dry_run_of_settling_says_what_would_come_of_it_and_changes_nothing() {
    for lands in [true, false] {
        let desk = same::unsettled(lands);
        let shown = |words: &str, settled: bool| {
            let before = version(&desk);
            let data = desk.run("operations settle --dry-run").json();
            let operations = data["operations"].as_array().unwrap();
            assert_eq!(operations.len(), 2, "{data}");
            for one in operations {
                assert_eq!(one["settled"], settled, "{data}");
                assert!(one["status"].as_str().unwrap().contains(words), "{data}");
            }
            assert_eq!((version(&desk), open(&desk)), (before, 2));
        };
        if lands {
            shown("would be recorded: it took effect", true);
        } else {
            shown("may still take effect, until ", false);
            desk.network.advance_over(40, 200).unwrap();
            shown("would be recorded: it expired without effect", true);
        }
        let _proxy = mute(&desk);
        let envelope = desk.run("operations settle --dry-run --json").ends().1.last();
        assert!(
            envelope["data"].to_string().contains("does not serve the method getTransaction"),
            "{envelope}"
        );
    }
}

#[test]
fn what_an_endpoint_knows_is_settled_and_not_given_up() {
    let desk = same::unsettled(true);
    desk.network.advance_over(40, 200).unwrap();
    let ids = desk.column("SELECT id || '' FROM operations WHERE state IN ('signed', 'sent')");
    // The first endpoint says that there is no such thing.
    let liar = Proxy::start(&desk.network.url()).unwrap();
    liar.fault(Rule::new(Fault::Custom(forget)).on_method("getTransaction"));
    desk.write_config(&[liar.url(), desk.network.url()], same::STAKES);
    for id in &ids {
        let before = version(&desk);
        let data = desk.run(&format!("operations give-up {id} --reason=lost --dry-run")).json();
        assert_eq!((&data["status"], &data["ended"]), (&json!("would_settle"), &json!("took effect")));
        assert_eq!(version(&desk), before);
        let data = desk.run(&format!("operations give-up {id} --reason=lost --yes")).json();
        assert_eq!((&data["status"], &data["ended"]), (&json!("settled"), &json!("took effect")));
    }
    assert_eq!(
        (open(&desk), desk.value::<i64>("SELECT count(*) FROM open_pails WHERE block_index = 1")),
        (0, 2)
    );
    assert_eq!(desk.column("SELECT kind FROM events WHERE kind = 'operation.given_up'"), [""; 0]);
    desk.is_sound();
}

#[test]
fn what_has_expired_is_recorded_so_and_not_given_up() {
    let desk = same::unsettled(false);
    let id: i64 = desk.value("SELECT min(id) FROM operations WHERE state = 'signed'");
    desk.network.advance_over(40, 200).unwrap();
    let before = version(&desk);
    let data = desk.run(&format!("operations give-up {id} --reason=lost --dry-run")).json();
    assert_eq!((&data["status"], &data["ended"]), (&json!("would_settle"), &json!("expired without effect")));
    assert_eq!(version(&desk), before);
    // What is known needs no consent.
    let data = desk.run(&format!("operations give-up {id} --reason=lost")).json();
    assert_eq!((&data["status"], &data["ended"]), (&json!("settled"), &json!("expired without effect")));
    assert_eq!(open(&desk), 1);
    let why: String = desk.value("SELECT error FROM operations WHERE state = 'expired'");
    assert_eq!(why, "its time ran out, and it is in no ledger");
    let told =
        desk.column("SELECT kind FROM events WHERE kind IN ('operation.given_up', 'operation.expired')");
    assert_eq!(told, ["operation.expired"]);
    desk.run("plant").exits(0);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM open_pails WHERE block_index = 1"), 2);
    desk.is_sound();
}

#[test]
fn settling_names_what_was_never_signed() {
    let desk = same::unsigned();
    let settled = |line: &str, words: &str| {
        let data = desk.run(line).json();
        let operations = data["operations"].as_array().unwrap();
        assert_eq!(operations.len(), 2, "{data}");
        for one in operations {
            assert!(one["key"].as_str().unwrap().starts_with("plant:"), "{data}");
            assert_eq!((&one["settled"], &one["status"]), (&json!(true), &json!(words)), "{data}");
        }
    };
    let before = version(&desk);
    settled("operations settle --dry-run", "would be given up: it was never signed");
    assert_eq!((version(&desk), open(&desk)), (before, 2));
    settled("operations settle --yes", "given up: it was never signed");
    assert_eq!(open(&desk), 0);
    assert_eq!(desk.column("SELECT DISTINCT state FROM operations"), ["expired"]);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM operation_attempts"), 0);
    assert_eq!(desk.run("operations settle --yes").json()["operations"], json!([]));
    desk.run("plant").exits(0);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM open_pails WHERE block_index = 1"), 2);
    desk.is_sound();
}

#[test]
fn nothing_is_given_up_where_nobody_can_be_asked() {
    let desk = same::unsettled(false);
    desk.network.advance_over(40, 200).unwrap();
    let id: i64 = desk.value("SELECT min(id) FROM operations WHERE state = 'signed'");
    let proxy = mute(&desk);
    let before = version(&desk);
    let envelope = desk.run(&format!("operations give-up {id} --reason=lost --yes")).fails(1, "rpc_error");
    assert!(envelope["error"]["message"].to_string().contains("nobody could be asked"), "{envelope}");
    assert_eq!(version(&desk), before);
    proxy.heal();
    desk.run(&format!("operations give-up {id} --reason=lost --yes")).exits(0);
}
