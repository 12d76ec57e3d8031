//! `strategy.command`: what it is asked, what its answer changes, and that nothing is planted without one.

use crate::desk::{Desk, Farmer, KALE, until};
use crate::funding::pair;
use crate::run::Clock;
use poolctl_testkit::tools;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

/// A desk whose command is this script, run by `sh`.
fn desk(farmers: usize, script: &str) -> Desk {
    let desk = Desk::with_farmers(farmers, 1_000 * KALE);
    settings(&desk, "sh hook.sh", "");
    std::fs::write(desk.path("hook.sh"), script).unwrap();
    desk
}

fn settings(desk: &Desk, command: &str, more: &str) {
    desk.configure(&format!(
        "kale.cap_stake = false\nstrategy.target_zeros = 1\nkale.work_policy = \"early\"\nkale.harvest_delay_sec = 0\n\
         strategy.command = {}\nstrategy.timeout_sec = 5\n{more}",
        json!(command),
    ));
}

/// A script that keeps what it is asked, notes that it was, and answers this.
fn answers(answer: &Value) -> String {
    format!("echo asked >> asked.txt\ncat > question.json\necho '{answer}'\n")
}

fn asked(desk: &Desk) -> usize {
    std::fs::read_to_string(desk.path("asked.txt")).map_or(0, |text| text.lines().count())
}

fn line<'a>(data: &'a Value, farmer: &Farmer) -> &'a Value {
    data["farmers"].as_array().unwrap().iter().find(|line| line["farmer"] == farmer.id).unwrap()
}

#[test]
fn an_answer_says_who_stakes_what_within_balance_and_bounds() {
    let desk = desk(5, "");
    let [ada, bob, cyd, dan, eve] = &desk.farmers[..] else { panic!() };
    desk.run(&format!("farmer set {} --max-stake 40 --min-stake 30", bob.id)).exits(0);
    let answer = json!({ "farmers": [
        { "id": ada.id, "stake": "12.5" },
        { "address": bob.address, "stake": "50" },
        { "id": cyd.id, "address": cyd.address, "harvest_only": true },
        { "id": dan.id, "stake": "5000", "target_zeros": 2, "min_work_sec": 60 },
    ]});
    std::fs::write(desk.path("hook.sh"), answers(&answer)).unwrap();
    let plan = desk.run("farm plan").json();
    assert_eq!(plan["strategy"]["block"], 0, "{plan}");
    assert_eq!(line(&plan["strategy"], ada)["stake"], "12.5000000");
    assert_eq!(line(&plan["strategy"], dan)["target_zeros"], 2);
    assert_eq!(line(&plan, cyd)["status"], "harvest_only");
    assert!(desk.run("farm plan").exits(0).stdout.contains("strategy.command says of block 0"));
    let data = desk.run("plant").json();
    for (farmer, stake) in
        [(ada, "12.5000000"), (bob, "40.0000000"), (dan, "1000.0000000"), (eve, "250.0000000")]
    {
        assert_eq!(line(&data, farmer)["stake"], stake, "{data}");
    }
    assert_eq!(line(&data, cyd)["status"], "harvest_only");
    assert!(desk.pail(cyd, 0).is_none());
    let question: Value =
        serde_json::from_slice(&std::fs::read(desk.path("question.json")).unwrap()).unwrap();
    let block = &question["block"];
    assert_eq!(
        (&question["version"], &question["network"], &block["index"]),
        (&json!(1), &json!("sandbox"), &json!(0))
    );
    assert_eq!(block["zeros"], json!({ "min": 0, "max": 0 }), "{question}");
    assert_eq!(
        *line(
            &json!({ "farmers": question["farmers"].as_array().unwrap().iter().map(|farmer| {
            let mut farmer = farmer.clone();
            farmer["farmer"] = farmer["id"].clone();
            farmer
        }).collect::<Vec<_>>() }),
            bob
        ),
        json!({
            "id": bob.id, "address": bob.address, "pooler": "north", "status": "active", "balance": "1000.0000000",
            "stake_percentage": "0.25", "target_zeros": 1, "min_work_sec": 0, "harvest_only": false,
            "min_stake": "30.0000000", "max_stake": "40.0000000", "last": null, "farmer": bob.id,
        })
    );
    desk.is_sound();
}

#[test]
fn it_is_asked_once_for_a_block_and_told_how_the_last_one_went() {
    let desk = desk(2, &answers(&json!({ "farmers": [] })));
    desk.ripen();
    {
        let _clock = Clock::start(&desk, 40);
        desk.run("farm run --once").exits(0);
    }
    let index = desk.farm().index;
    assert_eq!(
        (asked(&desk), desk.value::<i64>("SELECT count(*) FROM works WHERE outcome = 'worked'")),
        (1, 2)
    );
    desk.ripen();
    desk.run("plant").exits(0);
    desk.run("plant").exits(0);
    assert_eq!(asked(&desk), 2, "nobody is left to plant for");
    let question: Value =
        serde_json::from_slice(&std::fs::read(desk.path("question.json")).unwrap()).unwrap();
    assert_eq!(question["block"]["index"], index + 1);
    for farmer in &desk.farmers {
        let pail = desk.pail(farmer, index).unwrap();
        let said =
            question["farmers"].as_array().unwrap().iter().find(|said| said["id"] == farmer.id).unwrap();
        let last = json!({
            "block": index, "stake": "250.0000000", "zeros": pail.zeros, "gap": pail.gap, "reward": null,
        });
        assert_eq!(said["last"], last);
    }
}

#[test]
fn what_it_says_of_a_block_does_not_bind_the_next() {
    let desk = desk(2, "");
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    // Of its own terms bob plants nothing; the command says otherwise.
    desk.run(&format!("farmer set {} --harvest-only", bob.id)).exits(0);
    let says = |only: bool| {
        let answer = json!({ "farmers": [
            { "id": ada.id, "harvest_only": only }, { "id": bob.id, "harvest_only": !only },
        ]});
        std::fs::write(desk.path("hook.sh"), answers(&answer)).unwrap();
    };
    for only in [true, false] {
        says(only);
        desk.ripen();
        {
            let _clock = Clock::start(&desk, 40);
            desk.run("farm run --once").exits(0);
        }
        let index = desk.farm().index;
        assert_eq!(desk.pail(ada, index).is_none(), only, "block {index}");
        assert_eq!(desk.pail(bob, index).is_none(), !only, "block {index}");
    }
    assert_eq!(asked(&desk), 2);
}

#[test]
fn without_an_answer_nothing_is_planted() {
    let desk = desk(1, "");
    let ada = &desk.farmers[0];
    let says = |answer: &Value| format!("cat > question.json; echo '{answer}'");
    let seed = pair("seed").secret;
    for (script, needle) in [
        (format!("echo no {seed} >&2; echo token=SECRET >&2; exit 1"), "it says: no S… / token=***"),
        (says(&json!({ "farmers": [{ "id": seed }] })), "no farmer \"S…\""),
        (says(&json!({ "farmers": [{ "id": "\u{1b}[2J" }] })), "no farmer \"\u{fffd}[2J\""),
        ("exit 3".to_owned(), "exit status: 3"),
        ("echo one >&2; echo https://u:SECRET@host/SECRET >&2; exit 1".to_owned(), "it says: one / https://"),
        ("kill -9 $$".to_owned(), "signal: 9"),
        ("echo".to_owned(), "cannot be used: EOF"),
        ("echo all of it".to_owned(), "cannot be used: expected value"),
        (says(&json!({ "farmers": [{ "id": "nobody" }] })), "no farmer"),
        (says(&json!({ "farmers": [{ "id": ada.id, "stake": 5 }] })), "field stake"),
        (says(&json!({ "farmers": [{ "id": ada.id, "zeros": 5 }] })), "unknown field"),
        (says(&json!({ "farmers": [{ "id": ada.id, "stake": "0.00000001" }] })), "stake"),
        (says(&json!({ "farmers": [{ "id": ada.id, "min_work_sec": 300 }] })), "outside 0 to 299"),
        (says(&json!({ "farmers": [{ "id": ada.id }, { "address": ada.address }] })), "twice"),
        ("head -c 2000000 /dev/zero".to_owned(), "more than 1048576 bytes"),
        ("head -c 2000000 /dev/zero >&2; exit 1".to_owned(), "exit status: 1"),
    ] {
        std::fs::write(desk.path("hook.sh"), &script).unwrap();
        let envelope = desk.run("plant").fails(4, "strategy_failed");
        let message = envelope["error"]["message"].as_str().unwrap();
        assert!(message.contains(needle) && message.len() < 2_000, "{script}: {message}");
        assert!(!envelope.to_string().contains("SECRET"), "{message}");
        assert!(!envelope.to_string().contains(&seed[..20]), "{message}");
        assert_eq!(desk.run("plant --dry-run").fails(4, "strategy_failed")["error"]["message"], message);
        let plan = desk.run("farm plan --json").exits(0).last();
        assert!(plan["data"]["strategy"]["error"].as_str().unwrap().contains(needle), "{plan}");
        assert!(plan["warnings"][0].as_str().unwrap().contains("nothing is planted"), "{plan}");
    }
    settings(&desk, "~/no-such-program at all", "");
    let envelope = desk.run("plant").fails(4, "strategy_failed");
    let message = envelope["error"]["message"].as_str().unwrap();
    assert!(message.contains("cannot be started: \"~/no-such-program\""), "{envelope}");
    settings(&desk, "sh 'hook.sh", "");
    desk.run("plant").fails(2, "invalid_value");
    desk.run("config check").exits(5);
    assert_eq!(desk.value::<i64>("SELECT count(*) FROM operations WHERE kind = 'plant'"), 0);
    assert!(desk.pail(ada, 0).is_none());
    desk.is_sound();
}

#[test]
fn one_that_does_not_end_is_ended_with_all_that_it_started() {
    let desk = desk(1, "echo waiting >&2\nsleep 1000 & echo $! > child.txt\nwait");
    let began = std::time::Instant::now();
    let envelope = desk.run("plant").fails(4, "strategy_failed");
    let message = envelope["error"]["message"].as_str().unwrap();
    assert!(message.contains("within 5s") && message.contains("waiting"), "{message}");
    assert!(began.elapsed().as_secs() < 60);
    is_gone(&desk);
}

/// Gone, or dead and not yet taken note of.
fn is_gone(desk: &Desk) {
    let child = std::fs::read_to_string(desk.path("child.txt")).unwrap();
    let status = format!("/proc/{}/stat", child.trim());
    until("what it started has ended", || {
        std::fs::read_to_string(&status).map_or(true, |stat| stat.contains(") Z "))
    });
}

#[test]
fn what_it_leaves_behind_ends_with_the_answer() {
    let answer = json!({ "farmers": [] });
    let desk = desk(1, &format!("sleep 1000 > /dev/null 2>&1 & echo $! > child.txt\necho '{answer}'"));
    assert_eq!(desk.run("plant").json()["planted"], 1);
    is_gone(&desk);
}

#[test]
#[cfg(target_os = "linux")]
fn it_does_not_outlive_a_poolctl_that_is_killed() {
    let desk = desk(1, "echo $$ > child.part; mv child.part child.txt; exec sleep 1000");
    settings(&desk, "sh hook.sh", "");
    let mut child = desk.run("plant").spawn();
    until("it is asked", || desk.path("child.txt").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    is_gone(&desk);
}

#[test]
fn work_that_is_due_does_not_wait_for_an_answer_about_a_plant() {
    let desk = desk(2, &answers(&json!({ "farmers": [] })));
    let early = "kale.cap_stake = false\nstrategy.target_zeros = 1\nkale.work_policy = \"early\"";
    desk.configure(early);
    let [ada, bob] = &desk.farmers[..] else { panic!() };
    desk.ripen();
    desk.run(&format!("farmer set {} --harvest-only", bob.id)).exits(0);
    assert_eq!(desk.run("plant").json()["planted"], 1);
    desk.run(&format!("farmer set {} --harvest-only=none", bob.id)).exits(0);
    // It may take longer than the time that is left for the work.
    desk.configure(&format!("{early}\nstrategy.command = \"sh hook.sh\"\nstrategy.timeout_sec = 120"));
    let index = desk.farm().index;
    desk.age(185);
    let envelope = desk.run("plant").fails(4, "strategy_failed");
    assert!(envelope["error"]["message"].as_str().unwrap().contains("is due first"), "{envelope}");
    assert_eq!(asked(&desk), 0);
    let ran = {
        let _clock = Clock::start(&desk, 400);
        desk.run("farm run --once --json").ends().1
    };
    assert!(desk.pail(ada, index).unwrap().zeros.is_some(), "{}", ran.stdout);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let place = |kind: &str, farmer: &Farmer| {
        lines.iter().position(|line| line["type"] == kind && line["farmer"] == farmer.id)
    };
    let worked = place("work", ada);
    assert!(worked.is_some() && place("plant", bob).is_none_or(|at| Some(at) > worked), "{}", ran.stdout);
    desk.is_sound();
}

#[test]
fn pails_are_worked_and_harvested_by_the_stored_terms_without_an_answer() {
    let desk = desk(2, "exit 7");
    desk.configure("kale.cap_stake = false\nstrategy.target_zeros = 1");
    desk.ripen();
    desk.run("plant").exits(0);
    desk.network.advance(1).unwrap();
    settings(&desk, "sh hook.sh", "");
    let envelope = desk.run("work --json").exits(0).last();
    assert_eq!(envelope["data"]["worked"], 2);
    let warning = envelope["warnings"][0].as_str().unwrap();
    assert!(warning.contains("stored terms") && warning.contains("exit status: 7"), "{envelope}");
    desk.ripen();
    desk.plant(&desk.stranger(), 0);
    let index = desk.farm().index;
    let ran = {
        let _clock = Clock::start(&desk, 40);
        desk.run("farm run --once --json").exits(3)
    };
    let last = ran.last();
    assert_eq!((&last["data"]["planted"], &last["data"]["harvested"]), (&json!(0), &json!(2)), "{last}");
    assert!(last["error"]["message"].as_str().unwrap().contains("exit status: 7"), "{last}");
    assert_eq!(
        ran.stdout.lines().filter(|line| line.contains("strategy_failed")).count(),
        1,
        "{}",
        ran.stdout
    );
    assert!(desk.farmers.iter().all(|farmer| desk.pail(farmer, index).is_none()));
    desk.is_sound();
}

#[test]
fn it_sees_the_environment_without_its_secrets() {
    let desk = desk(1, "env > env.txt\necho '{\"farmers\":[]}'");
    let run = desk.run("plant").env("COLOUR", "green").env("POOLCTL_PASSPHRASE", "hidden");
    run.env("CREDENTIALS_DIRECTORY", "/hidden").env("RPC_URL", "http://hidden").exits(0);
    let seen = std::fs::read_to_string(desk.path("env.txt")).unwrap();
    assert!(seen.contains("COLOUR=green") && !seen.contains("hidden"), "{seen}");
}

#[test]
fn the_example_is_a_strategy() {
    let desk = desk(2, "");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/farm/strategy.sh");
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o111, 0o111);
    settings(&desk, path, "");
    let tools = tools::path_with(&["jq"]).unwrap().into_string().unwrap();
    let data = desk.run("plant").env("PATH", &tools).json();
    for farmer in &desk.farmers {
        // A tenth of 1000 is above 10.
        assert_eq!(line(&data, farmer)["stake"], "10.0000000", "{data}");
    }
    let plan = desk.run("farm plan").env("PATH", &tools).json();
    let said = line(&plan["strategy"], &desk.farmers[0]);
    assert_eq!((&said["target_zeros"], &said["min_work_sec"]), (&json!(6), &json!(180)), "{plan}");
}
