//! `pooler add`, `pooler set` and `pooler list`.

use crate::support::Home;

#[test]
fn added_listed_and_the_same_again() {
    let home = Home::ready();
    assert_eq!(home.run("pooler list").json()["poolers"].as_array().unwrap().len(), 0);
    let added = home.run("pooler add north --capacity 2 --reward-split 0.2 --platform-fee 0.000001").json();
    assert_eq!(added["changed"], true);
    assert!(uuid::Uuid::parse_str(added["id"].as_str().unwrap()).is_ok());
    home.run("pooler add east").ok();
    let before = home.snapshot();
    let again =
        home.run("pooler add north --capacity 2 --reward-split 0.200000 --platform-fee 0.000001").json();
    assert_eq!((&again["changed"], &again["id"]), (&false.into(), &added["id"]));
    assert_eq!(home.snapshot(), before);

    let listed = home.run("pooler list").json();
    let names: Vec<&str> =
        listed["poolers"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["east", "north"]);
    let (east, north) = (&listed["poolers"][0], &listed["poolers"][1]);
    assert_eq!((&east["capacity"], &east["reward_split"]), (&100.into(), &"0".into()));
    assert_eq!((&north["capacity"], &north["reward_split"]), (&2.into(), &"0.2".into()));
    assert_eq!((&north["platform_fee"], &north["farmers"]), (&"0.000001".into(), &0.into()));
    assert_eq!(north["last_seen_at"], serde_json::Value::Null);
    assert!(home.run("pooler list").ok().starts_with("NAME   FARMERS  CAPACITY"));

    let events = home.run("events --kind pooler.added").json();
    assert_eq!(events["events"].as_array().unwrap().len(), 2);
    home.run("state check").ok();
}

/// The line is refused with this exit code, this error code, these words and a hint, and changes nothing.
#[track_caller]
fn refused(home: &Home, line: &str, (exit, code, words): (i32, &str, &str)) {
    let before = home.snapshot();
    let envelope = home.run(line).fails(exit, code);
    let error = &envelope["error"];
    let said = format!("{} {}", error["message"], error["hint"]);
    assert!(said.contains(words), "{line}: {said}");
    assert!(error["hint"].is_string(), "{line}: no hint");
    assert_eq!(home.snapshot(), before, "{line}");
}

#[test]
fn each_bad_input_changes_nothing() {
    let home = Home::ready();
    home.run("pooler add north --reward-split 0.2").ok();
    let before = home.snapshot();
    let long = "x".repeat(65);
    for (line, exit, code, needle) in [
        ("pooler add north", 2, "conflict", "reward split 0.2"),
        ("pooler add north --reward-split 0.2 --capacity 99", 2, "conflict", "capacity 100"),
        (
            "pooler add a --reward-split 0.6 --platform-fee 0.400001",
            2,
            "invalid_weight",
            "more than the whole",
        ),
        ("pooler add a --reward-split 1.1", 2, "invalid_weight", "--reward-split"),
        ("pooler add a --reward-split 0.1234567", 2, "invalid_weight", "at most 6"),
        ("pooler add a --platform-fee 1e-3", 2, "invalid_weight", "--platform-fee"),
        ("pooler add a --platform-fee=-0.1", 2, "invalid_weight", "--platform-fee"),
        ("pooler add a --capacity=-1", 2, "usage", "--capacity"),
        ("pooler add a --capacity 4294967296", 2, "usage", "--capacity"),
        ("pooler add a/b", 2, "invalid_value", "a/b"),
        ("pooler add .a", 2, "invalid_value", "invalid name"),
        ("pooler add 6ba7b810-9dad-11d1-80b4-00c04fd430c8", 2, "invalid_value", "invalid name"),
        (&format!("pooler add {long}"), 2, "invalid_value", "invalid name"),
        ("pooler add", 2, "usage", "<NAME>"),
    ] {
        refused(&home, line, (exit, code, needle));
    }
    home.args(["pooler", "add", ""]).fails(2, "invalid_value");
    assert_eq!(home.snapshot(), before);
}

#[test]
fn a_dry_run_says_the_same_and_writes_nothing() {
    let home = Home::ready();
    let before = home.snapshot();
    let planned = home.run("pooler add north --dry-run").json();
    assert_eq!((&planned["changed"], &planned["name"]), (&true.into(), &"north".into()));
    assert_eq!(home.snapshot(), before);
}

#[test]
fn a_pooler_is_changed_and_its_terms_until_somebody_joins() {
    let home = Home::farming();
    home.run("pooler add south").ok();
    let set = |more: &str| home.run(&format!("pooler set {more}"));
    let now = set("south --capacity 7 --reward-split 0.3 --platform-fee 0.1").json();
    assert_eq!((&now["changed"], &now["capacity"]), (&true.into(), &7.into()));
    assert_eq!((&now["reward_split"], &now["platform_fee"]), (&"0.3".into(), &"0.1".into()));
    let before = home.snapshot();
    assert_eq!(set("south --capacity 7 --reward-split 0.3").json()["changed"], false);
    assert_eq!(set("south --name east --dry-run").json()["name"], "east");
    assert_eq!(home.snapshot(), before);
    assert_eq!(set("south --name east").json()["name"], "east");
    let id = now["id"].as_str().unwrap();
    home.run("pooler set south --capacity 8").fails(2, "unknown_pooler");
    // By its id, or the beginning of that.
    assert_eq!(set(&format!("{} --capacity 2", &id[..8].to_ascii_uppercase())).json()["name"], "east");
    for _ in 0..2 {
        home.farm("farmer register --pooler east --stake-percentage 0.5").ok();
    }
    for (line, exit, code, needle) in [
        ("pooler set east", 2, "usage", "--capacity"),
        ("pooler set east --capacity 1", 2, "conflict", "has 2 farmers already"),
        ("pooler set east --capacity=-1", 2, "usage", "--capacity"),
        ("pooler set east --reward-split 0.4", 2, "conflict", "on its terms: these do not change"),
        ("pooler set east --platform-fee 0.8", 2, "invalid_weight", "more than the whole"),
        ("pooler set east --reward-split 1.1", 2, "invalid_weight", "--reward-split"),
        ("pooler set east --name north", 2, "conflict", "taken by another pooler"),
        ("pooler set east --name a/b", 2, "invalid_value", "--name"),
        ("pooler set est --capacity 9", 2, "unknown_pooler", "east"),
    ] {
        refused(&home, line, (exit, code, needle));
    }
    // What its farmers joined on may be said again.
    assert_eq!(set("east --reward-split 0.3 --capacity 3").json()["changed"], true);
    let events = home.run("events --kind pooler.changed --all").json();
    assert_eq!(events["events"].as_array().unwrap().len(), 4);
    home.run("state check").ok();
}
