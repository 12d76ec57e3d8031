//! Answers that cannot be right: a table of methods and lies, told by the first of two endpoints, and by one that is alone.

use crate::desk::{Desk, ended};
use crate::run::Clock;
use crate::same::{self, facts, pails_agree, same};
use poolctl_testkit::{Fault, Proxy, Rule};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What the answer to a request becomes.
type Lie = fn(&Value, Value) -> Value;

/// How a command ends that has only the liar to ask.
#[derive(Clone, Copy)]
enum Alone {
    /// With this exit code, this error code and these words; nothing took effect on chain.
    Fails(i32, &'static str, &'static str),
    /// Not tried: it would wait for minutes.
    Waits,
}
use Alone::{Fails, Waits};

/// Sets a field of the result.
macro_rules! set {
    ($field:literal, $value:expr) => {
        |_: &Value, mut answer: Value| {
            answer["result"][$field] = json!($value);
            answer
        }
    };
}

/// Sets the field of every element of a list of the result.
macro_rules! each {
    ($list:literal, $field:literal, $value:expr) => {
        |_: &Value, mut answer: Value| {
            for element in answer["result"][$list].as_array_mut().into_iter().flatten() {
                element[$field] = json!($value);
            }
            answer
        }
    };
}

/// Replaces the result.
macro_rules! result {
    ($value:expr) => {
        |_: &Value, mut answer: Value| {
            answer["result"] = json!($value);
            answer
        }
    };
}

/// The endpoint does not have the method.
fn unknown(request: &Value, _: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": request["id"], "error": { "code": -32601, "message": "method not found" } })
}

const PLANT: &str = "plant";
const WORK: &str = "work";
const HARVEST: &str = "harvest";
/// A ledger that closes in some 600 years.
const FAR: u32 = u32::MAX;

/// The place that was asked from, as the place that was reached.
fn stands(request: &Value, mut answer: Value) -> Value {
    let params = &request["params"];
    let from = || format!("{}-0", params["startLedger"].as_u64().unwrap() << 32);
    let cursor = params["pagination"]["cursor"].as_str().map_or_else(from, str::to_owned);
    answer["result"]["cursor"] = cursor.into();
    answer
}

/// The lies: which method, what, to which command, and how that ends where there is nobody else to ask. Beside a sound
/// endpoint each ends as if nothing had been said.
fn rows() -> Vec<(&'static str, &'static str, Lie, &'static str, Alone)> {
    let bad = |words| Fails(75, "bad_reply", words);
    let behind = |words| Fails(75, "behind", words);
    // It is tried again until it is too late.
    let missed = Fails(5, "stake_lost", "will be lost");
    let capped = Fails(75, "fee_capped", "kale.max_resource_fee");
    let lacks = Fails(1, "rpc_error", "does not serve the method");
    vec![
        ("getNetwork", "no such method", unknown, PLANT, lacks),
        ("getLatestLedger", "no such method", unknown, PLANT, lacks),
        ("getLedgerEntries", "no such method", unknown, PLANT, lacks),
        ("getFeeStats", "no such method", unknown, PLANT, lacks),
        ("simulateTransaction", "no such method", unknown, PLANT, lacks),
        ("sendTransaction", "no such method", unknown, PLANT, Waits),
        ("getTransaction", "no such method", unknown, PLANT, Waits),
        ("getHealth", "no such method", unknown, GONE, lacks),
        ("getEvents", "no such method", unknown, GONE, lacks),
        ("getLatestLedger", "nothing in it", result!(json!({})), PLANT, bad("missing field")),
        ("getLatestLedger", "a number that is a text", set!("sequence", "x"), WORK, bad("invalid type")),
        (
            "getLatestLedger",
            "another ledger than its header",
            |_: &Value, mut answer: Value| {
                answer["result"].as_object_mut().unwrap().remove("closeTime");
                answer["result"]["sequence"] = json!(FAR);
                answer
            },
            HARVEST,
            bad("headerXdr"),
        ),
        (
            "getLatestLedger",
            "neither a time nor a header",
            |_: &Value, mut answer: Value| {
                answer["result"].as_object_mut().unwrap().remove("closeTime");
                answer["result"]["headerXdr"] = json!("AAAA");
                answer
            },
            PLANT,
            bad("headerXdr"),
        ),
        (
            "getLatestLedger",
            "a far one",
            result!(json!({ "id": "x", "sequence": FAR, "closeTime": 5_000_000_000_u64 })),
            PLANT,
            behind("has been seen already"),
        ),
        (
            "getLatestLedger",
            "no time of a ledger",
            |_: &Value, mut answer: Value| {
                answer["result"]["headerXdr"] = Value::Null;
                answer["result"]["closeTime"] = json!(u64::MAX);
                answer
            },
            PLANT,
            bad("is not a valid ledger time"),
        ),
        ("getLedgerEntries", "no list", set!("entries", Value::Null), PLANT, bad("invalid type: null")),
        ("getLedgerEntries", "an object", set!("entries", json!({})), WORK, bad("invalid type")),
        (
            "getLedgerEntries",
            "lists of nothing",
            set!("entries", [Value::Null]),
            HARVEST,
            bad("invalid type"),
        ),
        (
            "getLedgerEntries",
            "no entry",
            set!("entries", json!([])),
            PLANT,
            Fails(1, "not_a_contract", "no contract"),
        ),
        (
            "getLedgerEntries",
            "no entry that was there",
            set!("entries", json!([])),
            HARVEST,
            bad("it was there before"),
        ),
        (
            "getLedgerEntries",
            "no ledger",
            set!("latestLedger", Value::Null),
            PLANT,
            bad("invalid type: null"),
        ),
        ("getLedgerEntries", "an old ledger", set!("latestLedger", 1), WORK, bad("and the newest is 1")),
        (
            "getLedgerEntries",
            "a far ledger",
            set!("latestLedger", FAR),
            PLANT,
            behind("has been seen already"),
        ),
        ("getLedgerEntries", "no XDR", each!("entries", "xdr", "AAAA"), PLANT, bad("field xdr")),
        ("getLedgerEntries", "another key", each!("entries", "key", "AAAA"), PLANT, bad("not asked for")),
        (
            "getLedgerEntries",
            "changed in a ledger to come",
            each!("entries", "lastModifiedLedgerSeq", FAR),
            HARVEST,
            bad("lastModifiedLedgerSeq"),
        ),
        (
            "getLedgerEntries",
            "twice the same",
            |_: &Value, mut answer: Value| {
                if let Some(entries) = answer["result"]["entries"].as_array_mut() {
                    entries.extend(entries.clone());
                }
                answer
            },
            WORK,
            bad("comes twice"),
        ),
        ("getFeeStats", "nothing", result!(Value::Null), PLANT, bad("null")),
        ("getFeeStats", "no numbers", set!("sorobanInclusionFee", "x"), WORK, missed),
        ("getFeeStats", "an old ledger", set!("latestLedger", 1), HARVEST, behind("has been seen already")),
        ("simulateTransaction", "nothing", result!(Value::Null), PLANT, bad("null")),
        ("simulateTransaction", "an absurd fee", set!("minResourceFee", "999999999999999"), PLANT, capped),
        ("simulateTransaction", "an absurd fee", set!("minResourceFee", "4020000000"), WORK, missed),
        (
            "simulateTransaction",
            "an absurd fee",
            set!("minResourceFee", "4020000000"),
            HARVEST,
            Fails(75, "fee_capped", "kale.max_resource_fee"),
        ),
        (
            "simulateTransaction",
            "a fee below nothing",
            set!("minResourceFee", "-1"),
            PLANT,
            bad("minResourceFee"),
        ),
        ("simulateTransaction", "no data", set!("transactionData", Value::Null), WORK, missed),
        (
            "simulateTransaction",
            "no XDR",
            set!("transactionData", "AAAA"),
            HARVEST,
            Fails(75, "bad_reply", "transactionData"),
        ),
        (
            "simulateTransaction",
            "no result",
            set!("results", json!([])),
            PLANT,
            bad("without returning anything"),
        ),
        (
            "simulateTransaction",
            "an old ledger",
            set!("latestLedger", 1),
            PLANT,
            behind("has been seen already"),
        ),
        (
            "simulateTransaction",
            "two results",
            |_, mut answer| {
                if let Some(results) = answer["result"]["results"].as_array_mut() {
                    results.extend(results.clone());
                }
                answer
            },
            WORK,
            missed,
        ),
        ("sendTransaction", "nothing", result!(Value::Null), PLANT, Waits),
        ("sendTransaction", "an unknown word", set!("status", "MAYBE"), WORK, Waits),
        ("sendTransaction", "another hash", set!("hash", "00"), HARVEST, Waits),
        ("sendTransaction", "an error without a reason", set!("status", "ERROR"), PLANT, Waits),
        ("getTransaction", "nothing", result!(Value::Null), PLANT, Waits),
        ("getTransaction", "an unknown word", set!("status", "MAYBE"), WORK, Waits),
        ("getTransaction", "no ledger", set!("latestLedger", Value::Null), HARVEST, Waits),
        ("getTransaction", "a far ledger", set!("latestLedger", FAR), PLANT, Waits),
        ("getTransaction", "a far time", set!("latestLedgerCloseTime", "5000000000"), WORK, Waits),
        ("getTransaction", "no time", set!("latestLedgerCloseTime", "18446744073709551615"), HARVEST, Waits),
        ("getTransaction", "no result", set!("resultXdr", "AAAA"), PLANT, Waits),
        ("getTransaction", "a failure that is a success", set!("status", "FAILED"), WORK, Waits),
        ("getTransaction", "from a ledger to come", set!("ledger", FAR), HARVEST, Waits),
        ("getTransaction", "older than its oldest", set!("oldestLedger", FAR), PLANT, Waits),
        // Somebody else has harvested: its events are looked for.
        ("getHealth", "nothing", result!(Value::Null), GONE, bad("null")),
        ("getHealth", "no number", set!("oldestLedger", "x"), GONE, bad("invalid type")),
        ("getHealth", "an old ledger", set!("latestLedger", 1), GONE, behind("has been seen already")),
        ("getEvents", "nothing", result!(Value::Null) as Lie, GONE, bad("null")),
        ("getEvents", "no list", set!("events", Value::Null), GONE, bad("invalid type: null")),
        ("getEvents", "no cursor", set!("cursor", Value::Null), GONE, bad("invalid type: null")),
        ("getEvents", "a cursor that is none", set!("cursor", "x"), GONE, bad("invalid cursor")),
        ("getEvents", "a cursor that stands", stands, GONE, bad("does not come past")),
        ("getEvents", "an old ledger", set!("latestLedger", 1), GONE, bad("and the newest is 1")),
        ("getEvents", "no XDR", each!("events", "value", "AAAA"), GONE, bad("events.value")),
        ("getEvents", "from a ledger to come", each!("events", "ledger", FAR), GONE, bad("events.ledger")),
    ]
}

/// A harvest where a stranger has been there before.
const GONE: &str = "harvest ";

fn gone() -> Desk {
    let desk = same::planted();
    desk.work(&desk.farmers[0], 1);
    desk.work(&desk.farmers[1], 1);
    desk.ripen();
    desk.run("plant").exits(0);
    let stranger = desk.stranger();
    desk.harvest(&stranger, &desk.farmers[0], 1);
    desk.harvest(&stranger, &desk.farmers[1], 1);
    desk
}

#[test]
fn what_one_endpoint_says_wrongly_another_one_makes_good() {
    let desks: BTreeMap<&str, Desk> =
        [(PLANT, same::ripe()), (WORK, same::ground()), (HARVEST, same::rolled_well()), (GONE, gone())]
            .into();
    let straight: BTreeMap<&str, (Option<i32>, same::Facts)> = desks
        .iter()
        .map(|(line, desk)| {
            let whole = desk.fork();
            let code = whole.run(line).ends().1.code;
            (*line, (code, facts(&whole)))
        })
        .collect();
    let mut wrong = Vec::new();
    for (method, lie, rewrite, line, alone) in rows() {
        let when = format!("{line}: {method} with {lie}");
        let (straight, want) = &straight[line];
        let desk = desks[line].fork();
        let liar = Proxy::start(&desk.network.url()).unwrap();
        liar.fault(Rule::new(Fault::Custom(rewrite)).on_method(method));
        desk.write_config(&[liar.url(), desk.network.url()], same::STAKES);
        let ran = desk.run(line).arg("--json").ends().1;
        assert!(liar.methods().iter().any(|asked| asked == method), "{when}: never asked");
        if ran.code == *straight {
            same(want, &facts(&desk), &when);
            pails_agree(&desk, &when);
            desk.is_sound();
        } else {
            wrong.push(format!("{when}: {:?}: {}", ran.code, ran.stdout));
        }
        let Fails(exit, code, words) = alone else { continue };
        let desk = desks[line].fork();
        let before = facts(&desk);
        let liar = Proxy::start(&desk.network.url()).unwrap();
        liar.fault(Rule::new(Fault::Custom(rewrite)).on_method(method));
        desk.write_config(&[liar.url()], same::STAKES);
        let ran = desk.run(line).arg("--json").ends().1;
        let said = ran.last();
        let now = facts(&desk);
        if (ran.code, &said["error"]["code"]) != (Some(exit), &json!(code))
            || !said.to_string().contains(words)
        {
            wrong.push(format!("{when}, alone: {:?}: {said}", ran.code));
        } else if before["chain"] != now["chain"] {
            wrong.push(format!("{when}, alone: {:?} became {:?}", before["chain"], now["chain"]));
        }
        desk.is_sound();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_above_the_cap_is_ever_signed() {
    let desk = same::ripe();
    let liar = Proxy::start(&desk.network.url()).unwrap();
    let lie = |fee: Lie| liar.fault(Rule::new(Fault::Custom(fee)).on_method("simulateTransaction"));
    let fees =
        || desk.column("SELECT max_fee FROM operation_attempts ORDER BY CAST(max_fee AS INTEGER) DESC");
    desk.write_config(&[liar.url()], same::STAKES);
    lie(set!("minResourceFee", "4020000000"));
    let envelope = desk.run("plant").fails(75, "fee_capped");
    let said = envelope["data"]["farmers"].to_string();
    for words in ["462.3000000 XLM", "kale.max_resource_fee", "10.0000000 XLM", "fee_capped"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(fees(), [""; 0]);
    // As much as the operator allows.
    desk.write_config(&[liar.url()], &format!("{}\nkale.max_resource_fee = \"0.0001\"", same::STAKES));
    liar.heal();
    desk.run("plant").fails(75, "fee_capped");
    assert_eq!(fees(), [""; 0]);
    desk.write_config(&[liar.url()], same::STAKES);
    assert_eq!(desk.run("plant").json()["planted"], 2);
    let usual = fees();
    assert_eq!(usual.len(), 2);
    // Below the cap, and far above what it has cost before: the next one is asked.
    desk.ripen();
    lie(set!("minResourceFee", "20000000"));
    desk.write_config(&[liar.url(), desk.network.url()], same::STAKES);
    let envelope = desk.run("plant").fails(5, "stake_lost");
    assert_eq!(envelope["data"]["planted"], 2, "{envelope}");
    assert!(envelope["warnings"].to_string().contains("took over"), "{envelope}");
    assert!(fees().iter().all(|fee| fee.parse::<u64>().unwrap() < 1_000_000), "{:?}", fees());
    // Where nobody asks for less it may be the contract's own rent, which somebody pays once in a while.
    desk.ripen();
    desk.write_config(&[liar.url()], same::STAKES);
    let envelope = desk.run("plant").fails(5, "stake_lost");
    let said = envelope["warnings"].to_string();
    for words in ["2.3000000 XLM", "the last ones cost at most 0.0", "nobody asks for less"] {
        assert!(said.contains(words), "{said}");
    }
    for wrong in ["x", "-1", "0.00000001", "1e3"] {
        let config = format!("{}\nkale.max_resource_fee = \"{wrong}\"", same::STAKES);
        desk.write_config(&[desk.network.url()], &config);
        let envelope = desk.run("harvest").fails(2, "invalid_value");
        assert!(
            envelope["error"]["message"].as_str().unwrap().contains("kale.max_resource_fee"),
            "{envelope}"
        );
    }
    desk.configure(same::STAKES);
    desk.is_sound();
}

/// A run that goes on for two blocks, while its first endpoint, or its only one, lies once with each line of the table.
#[track_caller]
fn goes_on(with_sound: bool, lies: &[(&'static str, Lie)]) {
    let desk = Desk::with_farmers(2, 1_000 * crate::desk::KALE);
    let liar = Proxy::start(&desk.network.url()).unwrap();
    let urls = if with_sound { vec![liar.url(), desk.network.url()] } else { vec![liar.url()] };
    desk.write_config(&urls, "strategy.target_zeros = 3\nkale.work_margin_sec = 60");
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for (method, rewrite) in lies {
        let before = told.entry(method).and_modify(|told| *told += 1).or_default();
        liar.fault(Rule::new(Fault::Custom(*rewrite)).on_method(method).after(*before).times(1));
    }
    let clock = Clock::start(&desk, 40);
    let child = desk.run("farm run --json").spawn();
    let harvested = || desk.value::<i64>("SELECT count(*) FROM harvests WHERE outcome = 'harvested'") >= 4;
    let deadline = Instant::now() + Duration::from_secs(45);
    while !harvested() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ran = ended(child);
    drop(clock);
    assert!(harvested(), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(
        desk.value::<i64>("SELECT count(*) FROM harvests WHERE outcome = 'lost'"),
        0,
        "{}",
        ran.stdout
    );
    desk.is_sound();
}

#[test]
fn a_run_goes_on_beside_a_sound_endpoint_whatever_the_first_one_says() {
    let lies: Vec<_> = rows().into_iter().map(|(method, _, lie, ..)| (method, lie)).collect();
    goes_on(true, &lies);
}

#[test]
fn a_false_newest_ledger_blinds_no_run() {
    let far: Lie = set!("latestLedger", FAR);
    let newest: Lie = result!(json!({ "id": "x", "sequence": FAR, "closeTime": 5_000_000_000_u64 }));
    let near: Lie = |_, mut answer| {
        let said = answer["result"]["latestLedger"].as_u64().unwrap_or_default();
        answer["result"]["latestLedger"] = json!(said + 60);
        answer
    };
    let truth: Lie = |_, answer| answer;
    let lies = [
        ("getLedgerEntries", truth),
        ("getLedgerEntries", truth),
        ("getLedgerEntries", truth),
        // At first contact, and later.
        ("getLatestLedger", newest),
        ("getLatestLedger", newest),
        ("getLedgerEntries", far),
        ("getTransaction", far),
        ("getTransaction", near),
        ("simulateTransaction", far),
        ("getFeeStats", far),
        ("getLatestLedger", newest),
    ];
    goes_on(false, &lies);
    goes_on(true, &lies);
}
