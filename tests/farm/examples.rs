//! The examples as an operator uses them: the crontab's lines, the units, a block that is ground elsewhere.

use crate::desk::{BINARY, Desk, KALE, Ran, ended, until};
use crate::run::Clock;
use poolctl_testkit::examples::{job, jobs, path as example, starts, systemd_accepts, text};
use poolctl_testkit::{tools, watch};
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Command, Stdio};

/// How its farmers work: at once.
pub const TERMS: &str = "strategy.target_zeros = 1\nkale.work_policy = \"early\"";

/// A desk with `poolctl` on its path, whose farmers can plant and work at once.
fn desk(farmers: usize) -> Desk {
    let desk = Desk::with_farmers(farmers, 1_000 * KALE);
    install(&desk);
    desk.configure(TERMS);
    desk
}

/// Puts `poolctl` on the path of [`command`].
pub fn install(desk: &Desk) {
    std::fs::create_dir(desk.path("bin")).unwrap();
    std::os::unix::fs::symlink(BINARY, desk.path("bin/poolctl")).unwrap();
}

/// The same on a profile that asks before value moves, with a channel where nobody listens: nothing is to be told.
fn guard(desk: &Desk) {
    let channel = "notify.channels.ops = { service = \"ntfy\", url = \"http://127.0.0.1:1/x\" }";
    desk.configure(&format!("{TERMS}\nguard.confirm = true\n{channel}"));
}

/// A command in the desk's home, with `jq` among the machine's tools.
pub fn command(desk: &Desk, program: &str) -> Command {
    let mut command = Command::new(program);
    let mut path = desk.path("bin").into_os_string();
    path.push(":");
    path.push(tools::path_with(&["jq"]).unwrap());
    command.current_dir(desk.home.path()).env_clear().env("PATH", path);
    command.env("HOME", desk.home.path()).env("USER", "tester").stdin(Stdio::null());
    command
}

/// Runs it to its end, while the network's clock runs.
fn ends(desk: &Desk, mut command: Command) -> Ran {
    let _clock = Clock::start(desk, 40);
    Ran::of(BINARY, watch::output(&mut command).unwrap())
}

fn count(desk: &Desk, rows: &str) -> i64 {
    desk.value(&format!("SELECT count(*) FROM {rows}"))
}

#[test]
fn a_block_is_ground_elsewhere_and_submitted_here() {
    let desk = desk(3);
    desk.ripen();
    desk.run("plant").exits(0);
    desk.network.advance(1).unwrap();
    let grind = |parts: &str, env: &[(&str, &str)]| {
        let mut sh = command(&desk, "sh");
        sh.arg(example("grind/farm.sh")).arg(parts).envs(env.iter().copied());
        ends(&desk, sh)
    };
    // The chain here is weeks behind the clock, by which the machines stop.
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let due = desk.farm().due().unwrap();
    let margin = format!("-{}", now + 60 - due);
    let elsewhere = "tee jobs.ndjson | poolctl grind --jobs - | tee solutions.ndjson";
    std::fs::write(desk.path("elsewhere.sh"), elsewhere).unwrap();
    let ran = grind("3", &[("GRIND", "sh elsewhere.sh"), ("MARGIN", &margin), ("ZEROS", "1")]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let lines = |name: &str| std::fs::read_to_string(desk.path(name)).unwrap();
    assert_eq!(lines("jobs.ndjson").lines().count(), 9);
    let index = desk.farm().index;
    for farmer in &desk.farmers {
        let best = lines("solutions.ndjson")
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|line| line["type"] == "solution" && line["id"] == *farmer.address)
            .filter_map(|line| line["zeros"].as_u64())
            .max();
        let zeros = desk.pail(farmer, index).unwrap().zeros.map(u64::from);
        assert!(zeros.is_some() && zeros == best, "{zeros:?}, {best:?}");
    }
    assert_eq!(count(&desk, "works WHERE outcome = 'worked'"), 3);
    assert_eq!(count(&desk, "works WHERE outcome = 'failed'"), 0);
    // Nothing is left to grind.
    let ran = grind("3", &[("GRIND", "false")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    desk.is_sound();
}

/// Runs a job of the crontab. Whatever it says cron sends by mail.
fn cron(desk: &Desk, line: &str) -> Ran {
    let mut sh = command(desk, "sh");
    sh.arg("-c").arg(job(line));
    ends(desk, sh)
}

#[test]
fn the_crontab_farms_checks_and_backs_up() {
    let desk = desk(2);
    guard(&desk);
    desk.ripen();
    let table = text("farm/crontab");
    let jobs = jobs(&table);
    assert_eq!(jobs.len(), 6);
    for line in &jobs {
        let ran = cron(&desk, line);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""), "{line}");
    }
    assert_eq!((count(&desk, "plantings WHERE outcome = 'planted'"), count(&desk, "works")), (2, 2));
    let metrics = std::fs::read_to_string(desk.path("poolctl-farm.prom")).unwrap();
    assert!(metrics.contains("poolctl_run_planted_farmers 2"), "{metrics}");
    let is_backup = |name: &str| name.starts_with("farm-") && name.ends_with(".sqlite");
    let mut files = std::fs::read_dir(desk.home.path()).unwrap().map(|file| file.unwrap());
    let backup = files.find(|file| is_backup(&file.file_name().to_string_lossy())).unwrap();
    std::fs::remove_file(backup.path()).unwrap();
    // The key store does not open any more: the farm says so, and keeps nothing else from its work.
    std::fs::remove_file(desk.path("identity.txt")).unwrap();
    desk.ripen();
    for line in &jobs {
        let ran = cron(&desk, line);
        if line.contains("farm run") {
            assert!(ran.code == Some(12) && ran.stderr.contains("error: "), "{ran:?}");
        } else {
            assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""), "{line}");
        }
    }
}

const UNITS: [&str; 3] = ["poolctl-farm.service", "poolctl-farm-once.service", "poolctl-farm-once.timer"];

/// The values of a key of a unit.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

#[test]
fn the_units_start_what_farms_and_keep_the_passphrase_out_of_sight() {
    let desk = desk(2);
    desk.ripen();
    for name in &UNITS[..2] {
        let unit = text(&format!("farm/{name}"));
        let [start] = values(&unit, "ExecStart")[..] else { panic!("{name}: not one ExecStart") };
        assert_eq!(
            values(&unit, "LoadCredentialEncrypted"),
            ["poolctl-passphrase:/etc/poolctl/passphrase.cred"]
        );
        assert_eq!(values(&unit, "Environment"), ["POOLCTL_CONFIG=/etc/poolctl/config.toml"]);
        assert!(start.starts_with("/usr/local/bin/poolctl farm run "), "{start}");
        assert_eq!(start.contains("--once"), name.contains("once"), "{start}");
    }
    guard(&desk);
    let started = |name: &str| {
        let starts = starts(&text(&format!("farm/{name}")));
        let mut words = starts[0].split_whitespace();
        assert_eq!(words.next(), Some("/usr/local/bin/poolctl"));
        let mut run = command(&desk, BINARY);
        run.args(words.map(str::to_owned));
        run
    };
    let ran = ends(&desk, started(UNITS[1]));
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""));
    assert_eq!((count(&desk, "plantings WHERE outcome = 'planted'"), count(&desk, "works")), (2, 2));
    // The service goes on from there until it is stopped.
    desk.ripen();
    let clock = Clock::start(&desk, 40);
    let mut run = started(UNITS[0]);
    let child = watch::spawn(run.stdout(Stdio::piped()).stderr(Stdio::piped())).unwrap();
    until("the next block is worked", || count(&desk, "works") == 4);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ran = ended(child);
    drop(clock);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
}

#[test]
fn systemd_accepts_the_units_and_their_hardening() {
    systemd_accepts(BINARY, "farm", &UNITS);
}
