//! Backup and restore: a checked copy, a checked swap, and nothing replaced that was not agreed to.

use crate::support::{Home, digest};
use serde_json::Value;

fn ttl(home: &Home) -> Value {
    home.run("config set oracle.cache_ttl_sec 1 --dry-run --json").exits(0).envelope()["data"]["old"].clone()
}

#[test]
fn there_and_back() {
    let home = Home::ready();
    home.run("config set oracle.cache_ttl_sec 60").ok();
    let report = home.run("state backup copy.sqlite").json();
    let copy = home.path().join("copy.sqlite");
    assert_eq!(report["path"], copy.to_str().unwrap(), "absolute");
    let hex = alloy::hex::encode(digest(&copy));
    assert_eq!(report["sha256"], hex);
    assert_eq!(report["events"], 1);
    assert!(home.run("state backup second.sqlite").ok().contains("sha256"));

    home.run("config set oracle.cache_ttl_sec 61").ok();
    assert_eq!(ttl(&home), "61");
    let restored = home.run("state restore copy.sqlite --yes").json();
    assert_eq!(ttl(&home), "60");
    home.run("state check --full").ok();
    let events = home.run("events").json();
    let last = events["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["kind"], &last["payload"]["sha256"]), (&"state.restored".into(), &hex.into()));

    // What was replaced is kept, and is a state itself.
    let kept = restored["replaced"].as_str().unwrap();
    home.args(["state", "restore", kept, "--yes"]).ok();
    assert_eq!(ttl(&home), "61");
}

#[test]
fn onto_a_new_machine() {
    let home = Home::ready();
    home.run("config set oracle.cache_ttl_sec 60").ok();
    home.run("state backup copy.sqlite").ok();
    let fresh = Home::empty();
    let copy = home.path().join("copy.sqlite");
    let restored = fresh.args(["state", "restore", copy.to_str().unwrap()]).json();
    assert_eq!(restored["replaced"], Value::Null, "nothing was there, so nobody is asked");
    assert_eq!(ttl(&fresh), "60");
}

#[test]
fn nothing_is_replaced_unasked() {
    let home = Home::ready();
    home.run("state backup copy.sqlite").ok();
    let (before, copy) = (digest(&home.state()), home.path().join("copy.sqlite"));
    let copied = digest(&copy);
    home.run("state restore copy.sqlite").fails(4, "needs_confirmation");
    home.run("state backup copy.sqlite").fails(2, "conflict");
    let plan = home.run("state restore copy.sqlite --dry-run --json").exits(0).envelope();
    assert_eq!(plan["dry_run"], true);
    assert_eq!((digest(&home.state()), digest(&copy)), (before, copied));
    let _held = super::lock::hold(&home.state());
    home.run("state restore copy.sqlite --yes --wait 0s").fails(11, "state_locked");
}

#[test]
fn an_unsound_file_is_refused() {
    let home = Home::ready();
    home.run("config set oracle.cache_ttl_sec 60").ok();
    home.run("state backup copy.sqlite").ok();
    let whole = std::fs::read(home.path().join("copy.sqlite")).unwrap();
    std::fs::write(home.path().join("cut.sqlite"), &whole[..whole.len() / 2 / 4096 * 4096]).unwrap();
    std::fs::write(home.path().join("garbage.sqlite"), "garbage".repeat(1000)).unwrap();
    std::fs::copy(home.path().join("copy.sqlite"), home.path().join("altered.sqlite")).unwrap();
    let altered = rusqlite::Connection::open(home.path().join("altered.sqlite")).unwrap();
    poolctl_testkit::tamper(&altered, |conn| conn.execute_batch("UPDATE events SET actor = 'nobody'"))
        .unwrap();
    drop(altered);
    rusqlite::Connection::open(home.path().join("foreign.sqlite"))
        .unwrap()
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    let newer = rusqlite::Connection::open(home.path().join("newer.sqlite")).unwrap();
    newer.pragma_update(None, "application_id", state::APPLICATION_ID).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let before = digest(&home.state());
    for (file, exits) in [
        ("cut.sqlite", &["state_corrupt", "check_failed"][..]),
        ("garbage.sqlite", &["state_foreign"]),
        ("foreign.sqlite", &["state_foreign"]),
        ("newer.sqlite", &["state_too_new"]),
        ("altered.sqlite", &["check_failed"]),
        ("missing.sqlite", &["io_error"]),
    ] {
        for dry in [false, true] {
            let run = home.args(["state", "restore", file, "--yes", "--json"]);
            let run = if dry { run.arg("--dry-run") } else { run };
            let envelope = run.exits_one_of(&[1, 5]).envelope();
            let code = envelope["error"]["code"].as_str().unwrap();
            assert!(exits.contains(&code), "{file}: {envelope}");
            assert!(envelope["error"]["message"].as_str().unwrap().contains(file), "{envelope}");
        }
        assert_eq!(digest(&home.state()), before, "{file}");
    }
    let left: Vec<_> = std::fs::read_dir(home.state().parent().unwrap())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("restore"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
