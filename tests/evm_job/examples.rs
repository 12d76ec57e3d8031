//! The examples for pools as an operator uses them: the crontab's lines, and pipelines over `--json`.

use super::desk::Desk;
use crate::support::{BINARY, Ran};
use poolctl_testkit::examples::{job, jobs, path as example, starts, text};
use poolctl_testkit::{tools, watch};
use std::process::{Command, Stdio};

/// A profile that asks before value moves, and a channel where nobody listens: nothing is to be told.
const GUARD: &str =
    "guard.confirm = true\nnotify.channels.ops = { service = \"ntfy\", url = \"http://127.0.0.1:1/x\" }";

/// A furnished desk with this profile, and `poolctl` on its path.
fn desk() -> Desk {
    let desk = Desk::bare();
    desk.furnish();
    desk.setting(GUARD);
    desk.home.write_private("ping.url", "# nobody\nhttp://127.0.0.1:1/ping");
    std::fs::create_dir(desk.home.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(BINARY, desk.home.path().join("bin/poolctl")).unwrap();
    desk
}

/// Runs a program on the desk, with `jq`, `python3` and the machine's own tools beside `poolctl`.
fn runs(desk: &Desk, program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Ran {
    let mut path = desk.home.path().join("bin").into_os_string();
    path.push(":");
    path.push(tools::path_with(&["jq", "python3"]).unwrap());
    let mut command = Command::new(program);
    command.args(args).current_dir(desk.home.path()).stdin(Stdio::null());
    command.env("PATH", path);
    command.env("POOLCTL_CONFIG", desk.home.config()).env("POOLCTL_STATE", desk.home.state());
    Ran::of(BINARY, watch::output(&mut command).unwrap())
}

/// Has no endpoint be there any more.
fn unplug(desk: &Desk) {
    desk.use_urls(&[("main", "http://127.0.0.1:1")]);
    desk.setting(GUARD);
}

/// Runs a job of the crontab. Whatever it says cron sends by mail.
fn cron(desk: &Desk, line: &str) -> Ran {
    runs(desk, "sh", &["-c", &job(line).replace("$HOME", desk.home.path().to_str().unwrap())])
}

#[test]
fn the_crontab_looks_after_the_pools() {
    let desk = desk();
    let table = text("pools/crontab");
    let jobs = jobs(&table);
    assert_eq!(jobs.len(), 10);
    for line in &jobs {
        let ran = cron(&desk, line);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""), "{line}");
    }
    assert_eq!(
        desk.rows("SELECT command FROM runs ORDER BY command"),
        ["oracle check", "reward cycle", "risk check", "sync"]
    );
    let metrics = std::fs::read_to_string(desk.home.path().join("poolctl.prom")).unwrap();
    assert!(metrics.contains("\npoolctl_healthy 1\n") && metrics.contains("{pool=\"growth\"}"), "{metrics}");
    let is_backup = |name: &str| name.starts_with("pools-") && name.ends_with(".sqlite");
    let files = || std::fs::read_dir(desk.home.path()).unwrap().map(|file| file.unwrap());
    let backup = files().find(|file| is_backup(&file.file_name().to_string_lossy())).unwrap();
    // Each that needs the chain says what is wrong, and none keeps another from its work.
    unplug(&desk);
    std::fs::remove_file(backup.path()).unwrap();
    for line in &jobs {
        let ran = cron(&desk, line);
        let has = |words: &&str| line.contains(*words);
        if ["sync", "oracle check", "reward cycle"].iter().any(has) {
            assert!(ran.code == Some(75) && ran.stderr.contains("error: "), "{line}: {ran:?}");
        } else if line.contains("health") {
            // What the check of the feeds left open.
            assert!(ran.code == Some(5) && ran.stdout.contains("unreachable  growth-usd"), "{ran:?}");
        } else {
            assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""), "{line}");
        }
    }
}

#[test]
fn the_unit_looks_after_the_pools() {
    let desk = desk();
    let starts = starts(&text("pools/poolctl-pools.service"));
    let [start] = starts.as_slice() else { panic!("{starts:?}") };
    let here = desk.home.path().to_str().unwrap();
    desk.home.write_private("ping-url", "http://127.0.0.1:1/ping");
    let start = start
        .replace("/usr/local/bin/poolctl", BINARY)
        .replace("${STATE_DIRECTORY}", here)
        .replace("${CREDENTIALS_DIRECTORY}", here);
    let ran = runs(&desk, "sh", &["-c", &start]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""));
    assert!(desk.home.path().join("poolctl.prom").exists());
    assert_eq!(desk.rows("SELECT count(*) FROM runs WHERE exit_code = 0"), ["4"]);
    unplug(&desk);
    let ran = runs(&desk, "sh", &["-c", &start]);
    let errors = ran.stderr.lines().filter(|line| line.starts_with("error: ")).count();
    // Sync, feeds, rewards; and health, which judges what they left.
    assert_eq!((ran.code, errors), (Some(5), 4), "{ran:?}");
}

#[test]
fn a_shell_pipeline_names_stale_pools() {
    let desk = desk();
    let script = example("pipelines/stale-pools.sh");
    let ran = runs(&desk, &script, &["900"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    desk.meddle("UPDATE pool_snapshots SET synced_at = synced_at - 5000 WHERE pool_id = 1");
    let ran = runs(&desk, &script, &[]);
    let tvl = desk.json("pool show growth")["total_assets"].clone();
    let symbol = desk.one("SELECT a.symbol FROM assets a JOIN pools p ON p.asset = a.address WHERE p.id = 1");
    assert_eq!(ran.stdout, format!("growth\t{}\t{symbol}\n", tvl.as_str().unwrap_or_default()));
    assert_eq!(ran.code, Some(1));
    // What poolctl refuses is not taken for "nothing is stale".
    std::fs::remove_file(desk.home.state()).unwrap();
    assert_ne!(runs(&desk, &script, &[]).code, Some(0));
}

#[test]
fn a_shell_pipeline_sends_what_health_finds() {
    let desk = desk();
    let script = example("pipelines/notify.sh");
    let ran = runs(&desk, &script, &["tee", "sent.txt"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(!desk.home.path().join("sent.txt").exists(), "silent while all is well");
    desk.meddle("UPDATE oracle_feeds SET checked_at = 1");
    let ran = runs(&desk, &script, &["tee", "sent.txt"]);
    assert!(ran.stdout.starts_with("oracle of growth-usd: "), "{ran:?}");
    assert_eq!(std::fs::read_to_string(desk.home.path().join("sent.txt")).unwrap(), ran.stdout);
    std::fs::remove_file(desk.home.state()).unwrap();
    let ran = runs(&desk, &script, &["cat"]);
    assert!(ran.stdout.starts_with("poolctl health: state_missing: "), "{ran:?}");
}

#[test]
fn a_python_pipeline_writes_exact_values() {
    let desk = desk();
    let script = example("pipelines/tvl.py");
    let ran = runs(&desk, tools::debian("python3").unwrap(), &[script.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let mut lines = ran.stdout.lines();
    assert_eq!(lines.next(), Some("pool,asset,tvl,rate,value,synced_at"));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 2);
    let shown = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    for (row, name) in rows.iter().zip(["growth", "stable"]) {
        let pool = desk.json(&format!("pool show {name}"));
        assert_eq!(row[0], name);
        assert_eq!(row[2], shown(&pool["total_assets"]), "{row:?}");
    }
    // growth has a feed: its value is the product, to the last digit; stable has none.
    let price = desk.one("SELECT price_e18 FROM oracle_price_cache");
    let base = desk.one("SELECT s.total_assets FROM pool_snapshots s JOIN pools p ON p.id = s.pool_id AND p.synced_block = s.block_number WHERE p.name = 'growth'");
    let product: poolctl_testkit::alloy::primitives::U512 =
        poolctl_testkit::alloy::primitives::U512::from_str_radix(&price, 10).unwrap()
            * poolctl_testkit::alloy::primitives::U512::from_str_radix(&base, 10).unwrap();
    let digits: String = rows[0][4].chars().filter(char::is_ascii_digit).collect();
    assert_eq!(digits.trim_start_matches('0'), product.to_string());
    assert_eq!(rows[0][4].split('.').nth(1).map(str::len), Some(36), "18 decimals of each");
    assert_eq!(rows[1][4], "");
    std::fs::remove_file(desk.home.state()).unwrap();
    let ran = runs(&desk, tools::debian("python3").unwrap(), &[script.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("state_missing"), "{ran:?}");
}
