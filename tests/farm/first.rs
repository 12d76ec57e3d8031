//! The first block of a farm that nobody has planted in: it begins with the first plant, and ends by the farm's own clock,
//! which began before it.

use crate::desk::{Desk, KALE};
use crate::same::STAKES;
use kale::model::unseen;
use serde_json::{Value, json};

/// Seconds from the clock's beginning to the first plant.
const LATE: u64 = 155;

/// Two farmers, and a farm that nobody has planted in.
fn untouched() -> Desk {
    let desk = Desk::with_farmers(2, 1_000 * KALE);
    desk.configure(STAKES);
    let open = desk.farm().open.unwrap();
    assert_eq!(open, unseen(open.timestamp));
    desk
}

fn time(second: u64) -> String {
    base::clock::rfc3339(i64::try_from(second).unwrap())
}

fn steps(data: &Value) -> Vec<(String, u64)> {
    let actions = data["actions"].as_array().unwrap().iter();
    let step = |action: &Value| action["step"].as_str().unwrap().to_owned();
    actions.map(|action| (step(action), action["block"].as_u64().unwrap())).collect()
}

#[test]
fn it_is_planned_planted_worked_and_harvested_by_the_farms_clock() {
    let desk = untouched();
    let due = desk.farm().due().unwrap();
    let data = desk.run("farm plan").json();
    assert_eq!(
        (&data["block"], &data["due_at"], &data["age_sec"]),
        (&json!(0), &json!(time(due)), &json!(null))
    );
    assert_eq!(steps(&data)[0], ("plant".to_owned(), 0), "{data}");
    let data = desk.run("block").json();
    assert_eq!((&data["began_at"], &data["due_at"]), (&json!(null), &json!(time(due))));

    desk.age(LATE);
    let data = desk.run("plant").json();
    assert_eq!((&data["planted"], &data["block"]), (&json!(2), &json!(0)), "{data}");
    let begun = desk.block(0).unwrap().timestamp;
    assert!(begun >= due - 300 + LATE, "the block began with its plant");
    assert_eq!(desk.farm().due(), Some(due), "and the clock before it");
    assert_eq!(desk.column("SELECT DISTINCT due_time || '' FROM open_pails"), [due.to_string()]);
    let data = desk.run("farm plan").json();
    assert_eq!((&data["due_at"], &data["deadline"]), (&json!(time(due)), &json!(time(due - 20))), "{data}");
    let shown = desk.run("block").exits(0).stdout;
    assert!(shown.contains("due in"), "{shown}");

    // The deadline has passed by the clock; by the block's own entry two minutes are left, in which it rolls over.
    desk.age(281);
    assert_eq!(desk.run("work").json()["worked"], 2);
    assert!(desk.network.latest().unwrap().1 < due);
    desk.ripen();
    assert_eq!(desk.run("plant").json()["block"], 1);
    let data = desk.run("harvest").json();
    assert_eq!((&data["harvested"], &data["lost"]), (&json!(2), &json!("0.0000000")), "{data}");
    desk.is_sound();
}

#[test]
fn a_run_loses_nothing_in_it() {
    let desk = untouched();
    let due = desk.farm().due().unwrap();
    desk.age(LATE);
    let ledgers = desk.ledgers();
    let data = desk.run("farm run --once").json();
    drop(ledgers);
    assert_eq!((&data["planted"], &data["worked"]), (&json!(2), &json!(2)), "{data}");
    let last: u32 = desk.value("SELECT max(planted_ledger + gap) FROM open_pails WHERE block_index = 0");
    let (now, time) = desk.network.latest().unwrap();
    assert!(time - u64::from(now - last) * 5 < due, "worked at ledger {last}, {time} is ledger {now}");
    let stranger = desk.stranger();
    if desk.farm().index == 0 {
        desk.ripen();
        desk.plant(&stranger, 0);
    }
    assert_eq!(desk.run("harvest").json()["harvested"], 2);
    desk.is_sound();
}

#[test]
fn where_the_first_plant_is_late_it_is_block_1() {
    let desk = untouched();
    desk.ripen();
    let data = desk.run("farm plan").json();
    assert_eq!(steps(&data)[0], ("plant".to_owned(), 1), "{data}");
    let data = desk.run("plant").json();
    assert_eq!((&data["planted"], &data["block"]), (&json!(2), &json!(1)), "{data}");
    assert_eq!((desk.farm().index, desk.block(0)), (1, None));
    desk.is_sound();
}

#[test]
fn too_late_in_it_is_the_next_block() {
    let desk = untouched();
    let due = desk.farm().due().unwrap();
    desk.age(250);
    let data = desk.run("plant").json();
    assert_eq!((&data["planted"], &data["wait_until"]), (&json!(0), &json!(time(due))), "{data}");
    assert_eq!(desk.farm().open.unwrap(), unseen(due - 300));
}
