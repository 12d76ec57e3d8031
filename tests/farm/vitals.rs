//! `health` of a farm that is really farmed, and the heartbeat of the service.

use crate::desk::{Desk, KALE, until};
use crate::run::Clock;
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn a_round_is_healthy_until_its_records_are_old() {
    let desk = Desk::with_farmers(2, 100 * KALE);
    desk.configure("strategy.target_zeros = 1\nkale.work_policy = \"early\"\nkale.harvest_delay_sec = 0");
    desk.ripen();
    desk.sqlite().execute("UPDATE farmers SET status_at = 1", []).unwrap();
    desk.run("health").exits(5);
    {
        let _clock = Clock::start(&desk, 40);
        desk.run("farm run --once").exits(0);
    }
    desk.ripen();
    {
        let _clock = Clock::start(&desk, 40);
        desk.run("farm run --once").exits(0);
        desk.run("harvest").exits(0);
    }
    let data = desk.run("health --json").exits(0).last()["data"].clone();
    let checks: Vec<(&str, &str)> = data["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| (check["check"].as_str().unwrap(), check["status"].as_str().unwrap()))
        .collect();
    assert_eq!(checks, [("plant", "ok"), ("work", "ok"), ("harvest", "ok")], "{data}");
    let run = data["runs"].as_array().unwrap().iter().find(|run| run["command"] == "farm run").unwrap();
    assert_eq!(run["exit_code"], 0, "{data}");
    desk.sqlite().execute("UPDATE works SET at = at - 1500", []).unwrap();
    let ran = desk.run("health --nagios").exits(1);
    assert!(ran.stdout.starts_with("HEALTH WARNING - work of north: 25m"), "{}", ran.stdout);
    desk.is_sound();
}

#[test]
fn the_service_says_that_it_is_well_long_before_it_ends() {
    let desk = Desk::with_farmers(1, 100 * KALE);
    let _ledgers = desk.ledgers();
    let child = desk.run("farm run").spawn();
    let noted = || {
        let sql =
            "SELECT count(*) FROM runs WHERE command = 'farm run' AND last_success_at > unixepoch() - 100";
        desk.value::<i64>(sql) == 1
    };
    until("the first note", noted);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
