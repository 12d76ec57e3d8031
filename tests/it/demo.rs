//! `demo` from outside: it needs nothing, it leaves nothing where it should not, and what it says is true.

use crate::support::{Home, Run};
use poolctl_testkit::alloy::primitives::{Address, U256};
use poolctl_testkit::{Rpc, model, units};
use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};
use stellar::xdr::{Limits, ReadXdr, ScVal};

/// A run of the demo whose temporary files stay in this home.
fn demo(home: &Home, flags: &str) -> Run {
    home.run(&format!("demo{flags}")).env("TMPDIR", home.path().to_str().unwrap())
}

fn parse(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn column(conn: &Connection, sql: &str) -> Vec<String> {
    let mut statement = conn.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn it_needs_nothing_and_takes_less_than_a_minute() {
    let home = Home::empty();
    let mut run = home.run("demo");
    // Not even a home.
    run.command.env_clear();
    let begun = Instant::now();
    let ran = run.exits(0);
    assert!(begun.elapsed() < Duration::from_mins(1));
    assert_eq!(ran.stderr, "");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing here was touched");
    for shown in [
        "$ poolctl sync --all\nPOOL ",
        "$ poolctl oracle check\nFEED ",
        "(exit code 5)",
        "$ poolctl risk check --all\ndollars: 9 of 9 rules ok",
        "$ poolctl reward claim alice --all\ncredited ",
        "$ poolctl reward claim alice --all\nnothing to claim",
        "$ poolctl work --policy early\nFARMER ",
        "$ poolctl farm run --once --policy early\nblock 1, ",
        "nothing to harvest: no block with a stake of ours has ended",
        "is sound: ",
        "\nMEMBER ",
        "\nKALE ",
    ] {
        assert!(ran.stdout.contains(shown), "{shown}\n{}", ran.stdout);
    }
    // The place that it names is there, for its user only, and works without the networks.
    let state = ran.stdout.lines().find_map(|line| line.strip_prefix("state   ")).unwrap();
    let folder = Path::new(state).parent().unwrap();
    assert!(folder.file_name().unwrap().to_str().unwrap().starts_with("poolctl-demo-"), "{state}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(folder).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o700);
    let pools =
        home.run("pool list").env("POOLCTL_CONFIG", folder.join("demo.toml").to_str().unwrap()).json();
    assert_eq!(pools["pools"].as_array().unwrap().len(), 2);
    // Neither the secret that came in by stdin nor the identity was shown.
    let identity = std::fs::read_to_string(folder.join("demo.identity.txt")).unwrap();
    assert!(identity.starts_with("AGE-SECRET-KEY-1") && !ran.stdout.contains(identity.trim()));
    let word = |word: &str| word.len() == 56 && word.starts_with('S');
    assert!(!ran.stdout.split_whitespace().any(word), "{}", ran.stdout);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn as_json_every_line_is_a_document_and_the_last_is_the_result() {
    let home = Home::empty();
    // A relative place for temporary files is one too.
    let ran = home.run("demo --json").env("TMPDIR", ".").exits(0);
    assert_eq!(ran.stderr, "");
    let lines = parse(&ran.stdout);
    let (result, steps) = lines.split_last().unwrap();
    assert_eq!(
        (&result["type"], &result["command"], &result["ok"]),
        (&json!("result"), &json!("demo"), &json!(true))
    );
    let commands: Vec<&Value> = steps.iter().filter(|line| line["type"] == "step").collect();
    assert_eq!(result["data"]["commands"], commands.len());
    for step in &commands {
        let words: Vec<&str> =
            step["command"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
        let envelope = &step["envelope"];
        assert!(words.join(" ").starts_with(envelope["command"].as_str().unwrap()), "{step}");
        assert_eq!(step["exit_code"] == 0, envelope["ok"] == true, "{step}");
    }
    let refused: Vec<&&Value> = commands.iter().filter(|step| step["exit_code"] != 0).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!((&refused[0]["command"], &refused[0]["exit_code"]), (&json!(["oracle", "check"]), &json!(5)));
    assert!(steps.iter().all(|line| ["step", "note", "setting"].contains(&line["type"].as_str().unwrap())));
}

/// Stroops of all mints of a token, whoever they went to.
fn minted(rpc: &Rpc, asset: &Value) -> i128 {
    let decoded = |text: &Value| ScVal::from_xdr_base64(text.as_str().unwrap(), Limits::none()).unwrap();
    let query = json!({
        "startLedger": rpc.call("getHealth", json!({})).unwrap()["oldestLedger"],
        "filters": [{ "type": "contract", "contractIds": [asset] }], "pagination": { "limit": 10_000 },
    });
    let page = rpc.call("getEvents", query).unwrap();
    let events = page["events"].as_array().unwrap().iter();
    let mints = events.filter(
        |event| matches!(decoded(&event["topic"][0]), ScVal::Symbol(name) if name.as_slice() == b"mint"),
    );
    let amounts = mints.map(|event| match decoded(&event["value"]) {
        ScVal::I128(parts) => i128::from(&parts),
        other => panic!("{other:?}"),
    });
    amounts.sum()
}

/// Stroops of an amount as the demo shows it.
fn stroops(amount: &Value) -> i128 {
    amount.as_str().unwrap().replace('.', "").parse().unwrap()
}

/// What the demo says of its harvests, against the chain and the state.
fn harvests_follow(harvests: &Value, minted: i128, conn: &Connection) {
    let sum = |sql: &str| column(conn, sql).iter().map(|text| text.parse::<i128>().unwrap()).sum::<i128>();
    assert_eq!(harvests["pails"], 6);
    assert_eq!((stroops(&harvests["minted"]), stroops(&harvests["total"])), (minted, minted));
    let rewards = sum("SELECT reward FROM harvests WHERE outcome = 'harvested'");
    let stakes = sum("SELECT stake FROM harvests WHERE outcome = 'harvested'");
    assert_eq!(rewards + stakes, minted);
    assert_eq!((stroops(&harvests["rewards"]), stroops(&harvests["forecast"])), (rewards, rewards));
    let booked = |kind: &str| {
        sum(&format!("SELECT balance FROM ledger_accounts WHERE owner_kind = '{kind}' AND asset = 'KALE'"))
    };
    assert_eq!(stroops(&harvests["pooler"]), booked("pooler"));
    assert_eq!(stroops(&harvests["operator"]), booked("operator"));
    let farmers = harvests["farmers"].as_array().unwrap();
    assert_eq!(farmers.iter().map(|farmer| stroops(&farmer["rewards"])).sum::<i128>(), booked("farmer"));
    // In the second block the stakes count: no two are paid alike.
    let parts: BTreeSet<i128> = farmers.iter().map(|farmer| stroops(&farmer["rewards"])).collect();
    assert_eq!(parts.len(), 3, "{farmers:?}");
}

#[test]
fn what_it_says_follows_from_the_chain() {
    let home = Home::empty();
    let mut child = demo(&home, " --json --keep").spawn();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = loop {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        if line["type"] == "ready" {
            break line;
        }
    };
    let config = ready["config"].as_str().unwrap();
    let run = |line: &str| home.run(line).env("POOLCTL_CONFIG", config);
    let info = run("info").json();
    let conn = Connection::open(info["state"]["path"].as_str().unwrap()).unwrap();
    let rpc = Rpc::new(ready["evm"]["url"].as_str().unwrap()).unwrap();

    let order = column(&conn, "SELECT address FROM members ORDER BY id");
    let rank = |holder: &Address| order.iter().position(|a| *a == holder.to_string()).unwrap();
    let (mut everything, mut epochs) = (U256::ZERO, 0);
    for (at, part) in [(0, units(15, 6)), (1, units(5, 6))] {
        let pool = &ready["evm"]["pools"][at];
        let name = pool["name"].as_str().unwrap();
        let next = run(&format!("pool show {name}")).json()["reward_next_block"].as_u64().unwrap();
        let moved = model::moved(&rpc, pool["vault"].as_str().unwrap().parse().unwrap(), 3).unwrap();
        let want: Vec<String> = model::rewards(&moved, 3, next - 1, part, rank)
            .iter()
            .map(|((start, holder), amount)| format!("{start} {holder} {amount}"))
            .collect();
        let sql = format!(
            "SELECT e.start_block || ' ' || m.address || ' ' || r.amount FROM pool_rewards r
             JOIN pool_reward_epochs e ON e.id = r.epoch_id JOIN members m ON m.id = r.member_id
             JOIN pools p ON p.id = e.pool_id WHERE p.name = '{name}' ORDER BY e.start_block, lower(m.address)"
        );
        assert_eq!(column(&conn, &sql), want, "{name}");
        epochs = (next - 3) / 10;
        let sum = |row: &String| row.rsplit(' ').next().unwrap().parse::<U256>().unwrap();
        everything += want.iter().map(sum).sum::<U256>();
    }
    assert!(epochs >= 9, "{epochs}");
    assert_eq!(everything, units(20 * epochs, 6), "nothing is lost, nothing is made");
    assert_eq!(run("state check --full").json()["findings"], json!([]));
    let stellar = Rpc::new(ready["stellar"]["url"].as_str().unwrap()).unwrap();
    let minted = minted(&stellar, &ready["stellar"]["asset_contract"]);
    assert!(minted > 0);

    // The networks still serve, and time goes on.
    run("sync --all").ok();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let rest: Vec<Value> = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let rewards = &rest.last().unwrap()["data"]["rewards"];
    let whole = format!("{}.000000", 20 * epochs);
    assert_eq!((&rewards["emission"], &rewards["total"]), (&json!(whole), &json!(whole)));
    harvests_follow(&rest.last().unwrap()["data"]["harvests"], minted, &conn);
    assert_eq!(rest.len(), 1);
}

#[test]
fn kept_networks_are_told_to_a_person_too() {
    let home = Home::empty();
    let mut child = demo(&home, " --keep").spawn();
    let mut told = Vec::new();
    for line in BufReader::new(child.stdout.as_mut().unwrap()).lines().map(Result::unwrap) {
        let ready = line.starts_with("ready\t");
        told.push(line);
        if ready {
            break;
        }
    }
    assert!(told.iter().any(|line| line.starts_with("MEMBER ")), "the tables come first: {told:?}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout, output.stderr), (Some(0), vec![], vec![]));
}

#[test]
fn a_signal_ends_it_between_two_commands() {
    let home = Home::empty();
    let mut child = demo(&home, " --json").spawn();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // There are many more steps to come.
    lines.find(|line| line.contains(r#""type":"step""#)).unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let rest: Vec<Value> = lines.map(|line| serde_json::from_str(&line).unwrap()).collect();
    assert_eq!(child.wait().unwrap().code(), Some(75));
    let result = rest.last().unwrap();
    assert_eq!((&result["type"], &result["error"]["code"]), (&json!("result"), &json!("interrupted")));
    let folder = result["error"]["details"]["folder"].as_str().unwrap();
    let found = home.run("state check").env("POOLCTL_CONFIG", &format!("{folder}/demo.toml")).json();
    assert_eq!(found["findings"], json!([]));
}

#[test]
fn it_ends_quietly_when_nobody_reads_it() {
    let home = Home::empty();
    let mut child = demo(&home, "").spawn();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("# Two networks"), "{first}");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
}

#[test]
fn without_a_place_for_its_folder_it_says_so() {
    let home = Home::empty();
    let envelope = home.run("demo --json").env("TMPDIR", "/nowhere/at/all").exits(1);
    let result = parse(&envelope.stdout);
    assert_eq!(result[0]["error"]["code"], "io_error");
    assert!(result[0]["error"]["message"].as_str().unwrap().contains("/nowhere/at/all/poolctl-demo-"));
    home.run("demo --keep=yes").fails(2, "usage");
}
