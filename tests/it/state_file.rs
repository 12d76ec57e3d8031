//! State files that are missing, foreign, damaged, newer or older, or that cannot be written: each is named,
//! and none is changed.

use crate::support::{BINARY, Home, digest};
use rusqlite::Connection;
use serde_json::Value;
use state::APPLICATION_ID;
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
    assert_eq!((&plan["data"]["from"], &plan["data"]["steps"]), (&0.into(), &1.into()));
    home.run("events").fails(1, "state_outdated");
    assert_eq!(home.run("state migrate").json()["steps"], 1);
    assert_eq!(home.run("state migrate").json()["steps"], 0);
    home.run("state check --full").ok();
    let kept = std::fs::read_dir(home.state().parent().unwrap()).unwrap();
    let kept: Vec<String> = kept
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.contains("schema-0"))
        .collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
}

/// Nothing of them was released, and their steps are gone.
#[test]
fn of_a_development_build() {
    let home = Home::ready();
    home.sqlite().pragma_update(None, "user_version", 5).unwrap();
    let envelope = refused(&home, 1, "state_outdated");
    assert!(envelope["error"]["hint"].as_str().unwrap().contains("poolctl init"), "{envelope}");
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
    let readers = [
        "events --config /dev/null",
        "events --verify --config /dev/null",
        "pool list --config /dev/null",
        "state check --full --config /dev/null",
        "config set oracle.cache_ttl_sec 60 --dry-run --config /dev/null",
    ];
    for line in readers {
        run(line).json();
    }
    // Without what SQLite keeps beside it, it is read as one that nobody changes, and nothing is made there.
    std::fs::set_permissions(&folder, Clone::clone(&public)).unwrap();
    let sides = ["-wal", "-shm"].map(|side| format!("{}{side}", home.state().display()));
    for side in &sides {
        let _ = std::fs::remove_file(side);
    }
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o555)).unwrap();
    for line in readers {
        run(line).json();
    }
    assert!(sides.iter().all(|side| !Path::new(side).exists()));
    std::fs::set_permissions(&folder, public).unwrap();
    assert_eq!(digest(&home.state()), before);
}

/// What is no file is refused at once: nobody waits for the other end of a pipe.
#[test]
fn a_pipe_is_refused_at_once() {
    let home = Home::ready();
    let pipe = home.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for line in
        ["events", "state check", "sync", "config set oracle.cache_ttl_sec 60", "state migrate", "init"]
    {
        let envelope = home.run(&format!("{line} --state pipe")).fails(2, "invalid_value");
        assert!(envelope["error"]["message"].as_str().unwrap().contains("not a regular file"), "{envelope}");
        assert!(envelope["error"]["hint"].as_str().unwrap().contains("--state"), "{envelope}");
        home.run(&format!("{line} --config pipe")).fails(2, "invalid_config");
    }
    home.run("state restore pipe --yes").fails(2, "invalid_value");
    home.run("events").ok();
    let _socket = std::os::unix::net::UnixListener::bind(home.path().join("socket")).unwrap();
    for (file, line) in [
        ("socket", "events --state socket"),
        ("socket", "sync --state socket"),
        ("/dev/zero", "events --state /dev/zero"),
        ("/dev/zero", "state restore /dev/zero --yes"),
    ] {
        let envelope = home.run(line).fails(2, "invalid_value");
        assert!(envelope["error"]["message"].as_str().unwrap().contains(file), "{envelope}");
    }
    for file in ["socket", "/dev/zero"] {
        home.run(&format!("events --config {file}")).exits(2);
    }
}

/// A key store comes through no pipe either, as a passphrase may.
#[test]
fn a_pipe_as_key_store_is_refused_at_once() {
    let home = Home::farming();
    let pipe = home.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    home.write_config(&format!(
        "profile = \"sandbox\"\n[profiles.sandbox]\nkeys.path = \"{}\"\n",
        pipe.display()
    ));
    for line in ["farmer register --pooler north --stake-percentage 0.25", "doctor"] {
        let ran = home.farm(line).arg("--json").exits_one_of(&[2, 5]);
        assert!(ran.stdout.contains("pipe"), "{line}: {ran:?}");
    }
    let envelope =
        home.farm("farmer register --pooler north --stake-percentage 0.25").fails(2, "invalid_value");
    assert!(envelope["error"]["hint"].as_str().unwrap().contains("keys.path"), "{envelope}");
}

/// Links lead to one file, with one lock; with two names of its own it would have two logs, so it is refused.
#[test]
fn a_state_is_one_whatever_it_is_called() {
    let home = Home::ready();
    std::os::unix::fs::symlink(home.state(), home.path().join("link")).unwrap();
    let held = super::lock::hold(&home.state());
    home.run("config set oracle.cache_ttl_sec 60 --state link --wait 0s").fails(11, "state_locked");
    drop(held);
    home.run("config set oracle.cache_ttl_sec 60 --state link").ok();
    assert_eq!(home.run("events --state link").json(), home.run("events").json());
    home.run("state backup copy.sqlite").ok();
    // A restore through a link replaces what it leads to.
    home.run("config set oracle.cache_ttl_sec 61").ok();
    home.run("state restore copy.sqlite --yes --state link").ok();
    assert!(home.path().join("link").symlink_metadata().unwrap().is_symlink());
    assert_eq!(home.run("config set oracle.cache_ttl_sec 1 --dry-run").json()["old"], "60");

    std::fs::hard_link(home.state(), home.path().join("other")).unwrap();
    let before = digest(&home.state());
    for line in ["config set oracle.cache_ttl_sec 62", "events", "state check", "state backup again.sqlite"] {
        for state in ["", " --state other", " --state link"] {
            let envelope = home.run(&format!("{line}{state}")).fails(2, "conflict");
            assert!(envelope["error"]["message"].as_str().unwrap().contains("2 names"), "{envelope}");
            assert!(envelope["error"]["hint"].as_str().unwrap().contains("-inum"), "{envelope}");
        }
    }
    assert_eq!(digest(&home.state()), before);
    std::fs::remove_file(home.path().join("other")).unwrap();
    home.run("config set oracle.cache_ttl_sec 62").ok();
}

/// A trigger that renames members, and a view without end in the place of a table.
#[test]
fn a_schema_of_its_own_is_refused() {
    for (sql, named) in [
        ("CREATE TRIGGER evil AFTER INSERT ON events BEGIN UPDATE members SET name = 'x'; END", "CREATE TRIGGER evil"),
        (
            "DROP TABLE runs; CREATE VIEW runs AS WITH RECURSIVE r (x) AS (SELECT 1 UNION ALL SELECT x FROM r)
             SELECT 'sync' AS command, x AS last_run_at, 0 AS exit_code, x AS last_success_at, x AS last_complete_at FROM r",
            "CREATE VIEW runs",
        ),
    ] {
        let home = Home::ready();
        home.run("state backup copy.sqlite").ok();
        for file in [home.state(), home.path().join("copy.sqlite")] {
            Connection::open(file).unwrap().execute_batch(sql).unwrap();
        }
        let before = digest(&home.state());
        for line in ["events", "health", "metrics", "config set oracle.cache_ttl_sec 60", "state backup other.sqlite"] {
            let envelope = home.run(line).arg("--json").exits_one_of(&[1, 3, 5]).envelope();
            let said = envelope.to_string();
            assert!(said.contains("state_corrupt") && said.contains(named), "{line}: {envelope}");
        }
        let envelope = home.run("state check").fails(5, "check_failed");
        assert_eq!(envelope["data"]["findings"][0]["check"], "schema", "{envelope}");
        home.run("state restore copy.sqlite --yes").fails(5, "check_failed");
        assert_eq!(digest(&home.state()), before);
    }
}

/// A file that is not as the last run left it is looked at before anything is written.
#[test]
fn a_damaged_file_is_not_written_to() {
    let home = Home::ready();
    home.run("config set oracle.cache_ttl_sec 60").ok();
    let mut bytes = std::fs::read(home.state()).unwrap();
    // The index of a table that the command does not look at.
    let find = "SELECT rootpage FROM sqlite_schema WHERE name = 'works_by_block'";
    let page: usize = home.sqlite().query_row(find, [], |row| row.get(0)).unwrap();
    bytes[(page - 1) * 4096..][..96].fill(0xa5);
    std::fs::write(home.state(), bytes).unwrap();
    let before = digest(&home.state());
    let envelope = home.run("config set oracle.cache_ttl_sec 61").fails(1, "state_corrupt");
    assert!(envelope["error"]["message"].as_str().unwrap().contains("damaged"), "{envelope}");
    assert_eq!(digest(&home.state()), before);
    home.run("state check").fails(5, "check_failed");
}

fn public_copy(folder: &Path) -> std::path::PathBuf {
    let copy = folder.join("poolctl");
    // By another process: a program that another thread starts meanwhile would keep the copy open for writing.
    assert!(std::process::Command::new("cp").arg(BINARY).arg(&copy).status().unwrap().success());
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
