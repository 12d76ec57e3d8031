//! `serve --farm`: one process that serves and farms.

use crate::desk::{Desk, KALE, ended, until};
use crate::run::{Clock, count, desk, terminate};
use poolctl_testkit::client::Client;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::thread::JoinHandle;

/// One that serves: how it is reached, and what it says until it ends.
fn serving(child: &mut Child) -> (Client, JoinHandle<Vec<Value>>) {
    let said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = said.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let first = lines.next().unwrap();
    assert_eq!(first["type"], "listening");
    (Client::new(first["url"].as_str().unwrap()), std::thread::spawn(move || lines.collect()))
}

#[test]
fn one_process_serves_and_farms_until_it_is_stopped() {
    let desk = desk(2);
    let token = desk.run("token create --role operator").json()["token"].as_str().unwrap().to_owned();
    let clock = Clock::start(&desk, 40);
    let mut child = desk.run("serve --farm --listen 127.0.0.1:0 --json").spawn();
    let (client, lines) = serving(&mut child);
    let client = client.with(&token);
    until("a block is harvested", || count(&desk, "harvests WHERE outcome = 'harvested'") >= 2);
    let profit = client.get("/api/v1/farm/profit").json();
    assert!(profit["data"]["together"]["harvests"].as_u64() >= Some(2), "{profit}");
    // Nobody else farms meanwhile, and it is said who does.
    let holder = |refused: &Value| {
        let details = &refused["error"]["details"];
        assert_eq!(
            (details["pid"].as_u64(), details["command"].as_str()),
            (Some(child.id().into()), Some("farm run"))
        );
    };
    holder(&desk.run("farm run").fails(11, "lease_held"));
    let mut other = desk.run("serve --farm --listen 127.0.0.1:0 --json").spawn();
    let (_, said) = serving(&mut other);
    assert_eq!(ended(other).code, Some(11));
    holder(said.join().unwrap().last().unwrap());
    terminate(&child);
    let ran = ended(child);
    drop(clock);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let lines = lines.join().unwrap();
    for kind in ["block", "plant", "grinding", "work", "ground", "harvest"] {
        assert!(lines.iter().any(|line| line["type"] == kind), "{kind}: {lines:?}");
    }
    let (result, others) = lines.split_last().unwrap();
    assert!(others.iter().all(|line| line["type"] != "result"));
    assert_eq!(result["data"]["farm"]["harvested"].as_i64(), Some(count(&desk, "harvests")), "{result}");
    // How the farm ended is noted as that of a farm.
    assert_eq!(desk.column("SELECT command FROM runs"), ["farm run"]);
}

#[test]
fn a_farm_that_cannot_go_on_ends_the_server() {
    let desk = Desk::with_farmers(1, 100 * KALE);
    desk.configure("guard.confirm = true");
    let line = "serve --farm --listen 127.0.0.1:0 --json";
    let mut child = desk.run(line).spawn();
    let (_, lines) = serving(&mut child);
    let (ran, lines) = (ended(child), lines.join().unwrap());
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let result = lines.last().unwrap();
    assert_eq!((&result["type"], &result["error"]["code"]), (&"result".into(), &"needs_confirmation".into()));
    // What requests may do is no consent to what the farm does.
    let mut child = desk.run(&format!("{line} --yes-value")).spawn();
    let (_, lines) = serving(&mut child);
    assert_eq!(ended(child).code, Some(4), "{:?}", lines.join());
}
