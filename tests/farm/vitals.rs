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
    earned(&desk);
    desk.sqlite().execute("UPDATE works SET at = at - 1500", []).unwrap();
    let ran = desk.run("health --nagios").exits(1);
    assert!(ran.stdout.starts_with("HEALTH WARNING - work of north: 25m"), "{}", ran.stdout);
    desk.is_sound();
}

/// What was earned, as `farm profit` and `status` tell it, is what is booked.
fn earned(desk: &Desk) {
    let kale = |stroops: i128| format!("{}.{:07}", stroops / 10_000_000, stroops % 10_000_000);
    let data = desk.run("farm profit --json").exits(0).last()["data"].clone();
    let minted = -desk.booked("chain", "sandbox", "mint");
    let harvests: u64 = desk.value("SELECT count(*) FROM harvests WHERE outcome = 'harvested'");
    let fees: i64 = desk.value(
        "SELECT sum(CAST(json_extract(payload, '$.fee') AS INTEGER)) FROM events
         WHERE kind = 'operation.confirmed' AND subject IN (SELECT id FROM farmers)",
    );
    let all = &data["together"];
    assert_eq!((&all["reward"], &all["net"]), (&kale(minted).into(), &kale(minted).into()), "{data}");
    assert_eq!(
        (&all["harvests"], &all["network_fees"]),
        (&harvests.into(), &kale(fees.into()).into()),
        "{data}"
    );
    assert!(minted > 0 && data["days"].as_array().unwrap().iter().all(|day| day["pooler"] == "north"));
    let csv = desk.run("farm profit --csv").exits(0).stdout;
    assert!(csv.starts_with("day,pooler,harvests,lost_stakes,reward,to_farmers,"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + data["days"].as_array().unwrap().len());
    desk.run("farm profit --days 0").exits(2);
    desk.run("farm profit --pooler nobody --json").exits(2);
    let farm = desk.run("status --json").exits(0).last()["data"]["farm"].clone();
    let open: u64 = desk.value("SELECT count(*) FROM open_pails");
    assert_eq!((&farm["active_farmers"], &farm["open_stakes"]), (&2.into(), &open.into()), "{farm}");
    let index: u32 = desk.value("SELECT max(block_index) FROM plantings");
    assert_eq!((&farm["block"], &farm["lost_stakes_24h"]), (&index.into(), &0.into()), "{farm}");
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
