//! State files that are missing, foreign, damaged, newer or older, or that cannot be written: each is named,
//! and none is changed.

use crate::support::{BINARY, Home, digest};
use poolctl::state::APPLICATION_ID;
use rusqlite::Connection;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

/// Every kind of command refuses the file with this code, and leaves it as it is.
#[track_caller]
fn refused(home: &Home, exit: i32, code: &str) -> Value {
    let before = digest(&home.state());
    let mut last = Value::Null;
    for line in [
        "events",
        "state check",
        "state backup copy.sqlite",
        "config set oracle.cache_ttl_sec 60",
        "config set oracle.cache_ttl_sec 60 --dry-run",
        "state migrate",
        "init",
    ] {
        last = home.run(line).fails(exit, code);
        assert!(last["error"]["hint"].is_string(), "{line}: {last}");
    }
    assert_eq!(digest(&home.state()), before);
    assert!(!home.path().join("copy.sqlite").exists());
    let info = home.run("info --json").exits(0).envelope();
    assert_eq!(info["data"]["state"]["fault"], code, "info shows what it can: {info}");
    last
}

#[test]
fn missing() {
    let home = Home::empty();
    for line in
        ["events", "state check", "state backup x", "config set oracle.cache_ttl_sec 60", "state migrate"]
    {
        let envelope = home.run(line).fails(2, "state_missing");
        assert!(envelope["error"]["hint"].as_str().unwrap().contains("poolctl init"), "{envelope}");
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "nothing was created");
    assert_eq!(home.run("info").json()["state"]["exists"], false);
    home.run("config show").ok();
}

#[test]
fn newer() {
    let home = Home::ready();
    home.sqlite().pragma_update(None, "user_version", 99).unwrap();
    let envelope = refused(&home, 1, "state_too_new");
    assert_eq!(envelope["error"]["details"]["found"], 99);
}

#[test]
fn of_another_program() {
    let home = Home::ready();
    std::fs::remove_file(home.state()).unwrap();
    home.sqlite()
        .execute_batch("CREATE TABLE contacts (name TEXT); INSERT INTO contacts VALUES ('x')")
        .unwrap();
    refused(&home, 1, "state_foreign");
}

#[test]
fn garbage() {
    let home = Home::ready();
    std::fs::write(home.state(), "<html>not a database at all, but long enough to be one</html>".repeat(100))
        .unwrap();
    refused(&home, 1, "state_foreign");
}

#[test]
fn empty() {
    let home = Home::ready();
    std::fs::write(home.state(), "").unwrap();
    refused(&home, 1, "state_foreign");
}

#[test]
fn truncated() {
    let home = Home::ready();
    let whole = std::fs::read(home.state()).unwrap();
    std::fs::write(home.state(), &whole[..whole.len() / 2 / 4096 * 4096]).unwrap();
    let before = digest(&home.state());
    for line in ["events", "state check", "config set oracle.cache_ttl_sec 60", "state backup copy.sqlite"] {
        let ran = home.run(line).arg("--json").exits_one_of(&[1, 5]);
        let envelope = ran.envelope();
        let code = envelope["error"]["code"].as_str().unwrap();
        assert!(matches!(code, "state_corrupt" | "check_failed"), "{line}: {envelope}");
        assert!(envelope["error"]["hint"].as_str().unwrap().contains("restore"), "{line}: {envelope}");
    }
    assert_eq!(digest(&home.state()), before);
    assert!(!home.path().join("copy.sqlite").exists());
}

#[test]
fn older_is_migrated_after_a_backup() {
    let home = Home::ready();
    std::fs::remove_file(home.state()).unwrap();
    {
        let old = home.sqlite();
        old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    }
    home.run("events").fails(1, "state_outdated");
    let plan = home.run("state migrate --dry-run --json").exits(0).envelope();
    let schema = &plan["data"]["to"];
    assert_eq!((&plan["data"]["from"], &plan["data"]["steps"]), (&0.into(), schema));
    home.run("events").fails(1, "state_outdated");
    assert_eq!(&home.run("state migrate").json()["steps"], schema);
    assert_eq!(home.run("state migrate").json()["steps"], 0);
    home.run("state check --full").ok();
    let kept = std::fs::read_dir(home.state().parent().unwrap()).unwrap();
    let kept: Vec<String> = kept
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.contains("schema-0"))
        .collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
}

#[test]
fn a_folder_that_is_none() {
    let home = Home::ready();
    std::fs::write(home.path().join("file"), "x").unwrap();
    let envelope = home.run("init --state file/poolctl.sqlite").fails(1, "io_error");
    assert!(envelope["error"]["message"].as_str().unwrap().contains("file/poolctl.sqlite"), "{envelope}");
    assert!(envelope["error"]["hint"].as_str().unwrap().contains("--state"), "{envelope}");
    home.run("state backup file/copy.sqlite").exits(1);
    // A lock file that cannot be made, even by root.
    let mut lock = home.state().into_os_string();
    lock.push(".lock");
    let _ = std::fs::remove_file(&lock);
    std::fs::create_dir(&lock).unwrap();
    let before = digest(&home.state());
    home.run("config set oracle.cache_ttl_sec 60").fails(1, "io_error");
    assert_eq!(digest(&home.state()), before);
}

/// Root may write everywhere, so as root this runs the binary as somebody else.
#[test]
fn a_folder_that_is_read_only() {
    let home = Home::ready();
    let folder = home.state().parent().unwrap().to_owned();
    let public = PermissionsExt::from_mode(0o755);
    let mut walk = Some(folder.as_path());
    while let Some(at) = walk.filter(|at| at.starts_with(home.path())) {
        std::fs::set_permissions(at, Clone::clone(&public)).unwrap();
        walk = at.parent();
    }
    let before = digest(&home.state());
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o555)).unwrap();
    let root = rustix::process::getuid().is_root();
    let binary = if root { public_copy(home.path()) } else { BINARY.into() };
    let run = |line: &str| {
        let mut run = home.run(line);
        let mut command = std::process::Command::new(&binary);
        command.args(run.command.get_args()).current_dir(home.path()).env_clear().env("HOME", home.path());
        if root {
            command.uid(65_534).gid(65_534);
        }
        run.command = command;
        run
    };
    let envelope = run("config set oracle.cache_ttl_sec 60 --config /dev/null").fails(1, "io_error");
    assert!(envelope["error"]["hint"].as_str().unwrap().contains("writable"), "{envelope}");
    run("events --config /dev/null").json();
    std::fs::set_permissions(&folder, public).unwrap();
    assert_eq!(digest(&home.state()), before);
}

fn public_copy(folder: &Path) -> std::path::PathBuf {
    let copy = folder.join("poolctl");
    std::fs::copy(BINARY, &copy).unwrap();
    std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).unwrap();
    copy
}

#[test]
fn check_finds_what_sqlite_finds() {
    let home = Home::ready();
    let conn: Connection = home.sqlite();
    conn.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO pool_snapshots VALUES (7, 1, '0x', 1, 'e', 1, '1', '1', '1', 0, NULL, NULL, NULL)")
        .unwrap();
    drop(conn);
    let envelope = home.run("state check").fails(5, "check_failed");
    assert_eq!(envelope["data"]["findings"][0]["check"], "foreign_keys", "{envelope}");
    let ran = home.run("state check").exits(5);
    assert!(ran.stdout.contains("pool_snapshots") && ran.stderr.starts_with("error: state "), "{ran:?}");
}

#[test]
fn of_another_network() {
    let home = Home::ready();
    home.sqlite().execute("INSERT INTO meta VALUES ('evm_chain_id', '5')", []).unwrap();
    let before = digest(&home.state());
    let add = "pool add main 0xcA11bde05977b3631167028862bE2a173976CA11";
    for dry in ["", " --dry-run"] {
        // Refused before the endpoint, which nobody listens at, is asked.
        let run = home.run(&format!("{add}{dry}")).env("RPC_URL", "http://127.0.0.1:1");
        let envelope = run.fails(4, "wrong_network");
        let details = &envelope["error"]["details"];
        assert_eq!((&details["state"], &details["profile"]), (&"5".into(), &"31337".into()));
    }
    home.run("events").ok();
    assert_eq!(digest(&home.state()), before);
}
