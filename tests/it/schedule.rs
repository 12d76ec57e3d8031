//! `run`: the operator's schedule, part by part.

use crate::health::tended;
use crate::support::{Home, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;

/// Replaces the config of a home, in one step, by one with these settings of its profile.
fn configure(home: &Home, more: &str) {
    let (path, new) = (home.config(), home.path().join("new.toml"));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&new, format!("profile = \"sandbox\"\n[profiles.sandbox]\n{more}\n")).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// A home with files and backups to write, and nothing else to do.
fn desk() -> Home {
    let home = Home::ready();
    std::fs::create_dir(home.path().join("backups")).unwrap();
    configure(&home, &files(&home));
    home
}

fn files(home: &Home) -> String {
    let here = home.path().display();
    format!("schedule.metrics_file = \"{here}/all.prom\"\nschedule.backup_folder = \"{here}/backups\"")
}

fn statuses(data: &Value) -> Vec<(String, String)> {
    let word = |part: &Value, field: &str| part[field].as_str().unwrap_or_default().to_owned();
    let parts = data["parts"].as_array().unwrap();
    parts.iter().map(|part| (word(part, "part"), word(part, "status"))).collect()
}

#[track_caller]
fn status(data: &Value, part: &str) -> String {
    statuses(data).into_iter().find(|(name, _)| name == part).unwrap().1
}

fn part<'d>(data: &'d Value, name: &str) -> &'d Value {
    data["parts"].as_array().unwrap().iter().find(|part| part["part"] == name).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn noted(home: &Home) -> Vec<(String, u8)> {
    let conn = home.sqlite();
    let mut rows = conn.prepare("SELECT command, exit_code FROM runs ORDER BY command").unwrap();
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

#[test]
fn what_is_there_for_nothing_is_off_and_says_why() {
    let home = Home::ready();
    let before = home.snapshot();
    let data = home.run("run --dry-run").json();
    let why = |name: &str| part(&data, name)["why"].as_str().unwrap_or_default().to_owned();
    for (name, status, said) in [
        ("sync", "off", "there are no pools"),
        ("oracle", "off", "there are no feeds to check"),
        ("risk", "off", "there are no pools"),
        ("cycle", "off", "there are no pools"),
        ("farm", "off", "there are no farmers"),
        ("metrics", "off", "schedule.metrics_file is not set"),
        ("backup", "off", "schedule.backup_folder is not set"),
        ("prune", "due", ""),
    ] {
        assert_eq!((self::status(&data, name).as_str(), why(name).as_str()), (status, said), "{name}");
    }
    let shown = home.run("run --dry-run").exits(0);
    assert!(shown.stdout.contains("there are no feeds to check"), "{}", shown.stdout);
    assert_eq!((home.snapshot(), noted(&home)), (before, Vec::new()), "a dry run does nothing");
    // Where there is something to do, it is done as often as the settings say.
    let home = tended(60);
    configure(&home, "schedule.risk = \"off\"\nreward.epoch_blocks = 10\nreward.block_time_sec = 12");
    let data = home.run("run --dry-run").json();
    let why = part(&data, "cycle")["why"].as_str().unwrap().to_owned();
    assert_eq!(why, "rewards have not begun: the first cycle is told the block from which on they are paid");
    begin_rewards(&home);
    let data = home.run("run --dry-run").json();
    let every: Vec<&Value> = data["parts"].as_array().unwrap().iter().map(|one| &one["every_sec"]).collect();
    assert_eq!(
        every,
        [
            &json!(300),
            &json!(300),
            &json!(null),
            &json!(120),
            &json!(60),
            &json!(null),
            &json!(null),
            &json!(86_400)
        ]
    );
    assert_eq!(part(&data, "risk")["why"], "schedule.risk is off");
}

#[test]
fn what_is_due_is_done_once_and_noted() {
    let home = desk();
    let data = home.run("run --once").json();
    for name in ["metrics", "backup", "prune"] {
        let part = part(&data, name);
        assert_eq!((&part["status"], &part["exit_code"]), (&json!("done"), &json!(0)), "{data}");
    }
    assert!(std::fs::read_to_string(home.path().join("all.prom")).unwrap().contains("\npoolctl_healthy 1\n"));
    let [backup]: [String; 1] = names(&home.path().join("backups")).try_into().unwrap();
    assert!(backup.starts_with("poolctl-sandbox-20") && backup.ends_with("Z.sqlite"), "{backup}");
    home.run(&format!("state check --state backups/{backup}")).ok();
    let want = ["metrics", "state backup", "state prune"].map(|command| (command.to_owned(), 0));
    assert_eq!(noted(&home), want);
    // It is not due again, and a quiet run has nothing to say.
    let data = home.run("run --once").json();
    assert_eq!((status(&data, "backup"), status(&data, "prune")), ("waiting".into(), "waiting".into()));
    assert_eq!(home.run("run --once -q").ok(), "");
    assert_eq!(names(&home.path().join("backups")), [backup]);
    let shown = home.run("run --once").exits(0).stdout;
    assert!(shown.contains("PART") && (shown.contains("in 23h 59m") || shown.contains("in 1d")), "{shown}");
    // As health and metrics tell it.
    assert!(
        home.run("metrics")
            .ok()
            .contains("poolctl_run_last_success_timestamp_seconds{command=\"state backup\"}")
    );
}

/// A clock that was an hour ahead when it was done.
#[test]
fn what_is_noted_for_the_future_is_done_at_once() {
    let home = Home::ready();
    home.run("run --once").exits(0);
    home.sqlite().execute("UPDATE runs SET last_run_at = last_run_at + 3600", []).unwrap();
    for want in ["done", "waiting"] {
        let data = home.run("run --once").json();
        assert_eq!(status(&data, "prune"), want, "{data}");
    }
}

#[test]
fn the_oldest_backups_go() {
    let home = desk();
    let folder = home.path().join("backups");
    configure(&home, &format!("{}\nschedule.backup_keep = 2", files(&home)));
    let old = |day: u8| format!("poolctl-sandbox-2020-01-0{day}T00-00-00Z.sqlite");
    // One that another clock made is none of the newest.
    let ahead = "poolctl-sandbox-2999-01-01T00-00-00Z.sqlite".to_owned();
    for name in
        [old(1), old(2), old(3), ahead.clone(), "poolctl-other-2020-01-01T00-00-00Z.sqlite".to_owned()]
    {
        std::fs::write(folder.join(name), "").unwrap();
    }
    home.run("run --once").exits(0);
    let names = names(&folder);
    assert!(
        names.len() == 4
            && [old(3), ahead].iter().all(|name| names.contains(name))
            && names[0].starts_with("poolctl-other"),
        "{names:?}"
    );
}

#[test]
fn on_a_profile_that_asks_it_needs_consent_before_anything_is_done() {
    let home = desk();
    configure(&home, &format!("{}\nguard.confirm = true", files(&home)));
    for line in ["run --once", "run"] {
        let envelope = home.run(line).fails(4, "needs_confirmation");
        assert!(
            envelope["error"]["message"].as_str().unwrap().contains("what the schedule says"),
            "{envelope}"
        );
    }
    assert_eq!((names(&home.path().join("backups")), noted(&home)), (Vec::new(), Vec::new()));
    assert_eq!(status(&home.run("run --once --dry-run").json(), "backup"), "due");
    assert_eq!(status(&home.run("run --once --yes").json(), "backup"), "done");
}

/// Rewards are paid from a block on, as after a first cycle that was told so.
fn begin_rewards(home: &Home) {
    let sql = "UPDATE pools SET reward_genesis_block = 1, reward_cursor_block = 1";
    home.sqlite().execute(sql, []).unwrap();
}

/// A tended home whose networks are these, with metrics to write and nothing to farm.
fn looking_after(evm: &str, more: &str) -> Home {
    let home = tended(9_999);
    begin_rewards(&home);
    let here = home.path().display();
    let more = format!("schedule.farm = \"off\"\nschedule.metrics_file = \"{here}/all.prom\"\n{more}");
    configure(
        &home,
        &format!(
            "evm.rpc_urls = [\"{evm}\"]\nstellar.rpc_urls = [\"{evm}\"]\nevm.attempts = 1\nstellar.attempts = 1\n\
             reward.asset = \"0x5FbDB2315678afecb367f032d93F642f64180aa3\"\n{more}"
        ),
    );
    home
}

#[test]
fn one_part_that_fails_holds_up_no_other() {
    // The state was filled by hand: it is not sound, and no backup is made of it.
    let home = looking_after("http://127.0.0.1:1", "schedule.backup_folder = \".\"");
    let envelope = home.run("run --once --json").exits(5).envelope();
    let data = &envelope["data"];
    for (name, status, code) in [
        ("sync", "failed", "unreachable"),
        ("oracle", "failed", "unreachable"),
        ("risk", "found", "check_failed"),
        ("cycle", "failed", "unreachable"),
        ("backup", "failed", "check_failed"),
    ] {
        let part = part(data, name);
        assert_eq!((&part["status"], &part["code"]), (&json!(status), &json!(code)), "{part}");
        assert!(part["why"].as_str().is_some_and(|why| !why.is_empty()), "{part}");
    }
    for name in ["metrics", "prune"] {
        assert_eq!(status(data, name), "done", "{data}");
    }
    let failed = ["sync", "oracle", "risk", "cycle", "backup"];
    assert_eq!(envelope["error"]["details"]["parts"], json!(failed));
    // All of it is noted, also of what never came to write: it is tried again within five minutes, and not at once.
    let all = [
        ("metrics", 0),
        ("oracle check", 75),
        ("reward cycle", 75),
        ("risk check", 5),
        ("state backup", 5),
        ("state prune", 0),
        ("sync", 75),
    ];
    assert_eq!(noted(&home), all.map(|(command, code)| (command.to_owned(), code)));
    let data = home.run("run --dry-run").json();
    let pause = |name: &str| {
        let [last, due] =
            ["last", "due_at"].map(|field| part(&data, name)[field].as_str().unwrap().to_owned());
        let seconds = |time: &str| time.parse::<jiff::Timestamp>().unwrap().as_second();
        seconds(&due) - seconds(&last)
    };
    assert_eq!((pause("sync"), pause("cycle"), pause("backup"), pause("prune")), (300, 300, 300, 86_400));
    // A person is told what is wrong, with -q too.
    home.sqlite().execute("DELETE FROM runs", []).unwrap();
    let quiet = home.run("run --once -q").exits(5);
    assert!(quiet.stdout.contains("sync") && quiet.stderr.starts_with("error: "), "{quiet:?}");
}

#[test]
fn one_that_hangs_is_ended_and_holds_up_no_other() {
    // Whoever connects is never answered.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let only = "evm.timeout_sec = 6\nschedule.timeout = \"2s\"\nschedule.oracle = \"off\"\nschedule.cycle = \"off\"\nschedule.risk = \"off\"";
    let home = looking_after(&url, only);
    let ran = home.run("run --once --json").exits(75);
    let envelope = ran.envelope();
    let data = &envelope["data"];
    assert_eq!((status(data, "sync").as_str(), status(data, "prune").as_str()), ("late", "done"), "{data}");
    assert_eq!(envelope["error"]["code"], "interrupted");
    assert!(part(data, "sync")["why"].as_str().unwrap().contains("within 2s (schedule.timeout)"), "{data}");
    assert!(noted(&home).contains(&("sync".to_owned(), 75)));
}

#[test]
fn two_at_once_do_each_part_once() {
    let home = desk();
    let runs: Vec<_> = (0..4).map(|_| home.run("run --once --json").spawn()).collect();
    let ran: Vec<_> = runs.into_iter().map(crate::support::ended).collect();
    let data: Vec<Value> = ran.iter().map(|ran| ran.envelope()["data"].clone()).collect();
    for name in ["backup", "prune"] {
        let done = data.iter().filter(|data| status(data, name) == "done").count();
        assert_eq!(done, 1, "{name}: {data:?}");
    }
    assert_eq!(names(&home.path().join("backups")).len(), 1);
    assert!(ran.iter().all(|ran| ran.code == Some(0)));
}

#[test]
fn a_part_that_another_run_does_is_left_to_it() {
    let home = desk();
    let holder = state::Holder { pid: 7, command: "run".into(), since: 0 };
    let stop = base::Stop::default();
    let lock = state::Lock::acquire(&home.state(), &holder, std::time::Duration::ZERO, &stop).unwrap();
    let run = state::Run { id: "x".into(), actor: "x".into(), clock: base::Clock::System };
    let opened = state::State::write_access(&home.state(), run, &lock).unwrap();
    let lease = lock.try_lease(&state::Lease::Schedule("backup".into())).unwrap().unwrap();
    let data = home.run("run --once").json();
    assert_eq!(
        (status(&data, "backup").as_str(), status(&data, "prune").as_str()),
        ("held", "done"),
        "{data}"
    );
    let why = part(&data, "backup")["why"].as_str().unwrap();
    assert!(why.contains("\"poolctl run\" (pid 7)"), "{why}");
    let held = home.run("info").json()["leases"].clone();
    let held = held.as_array().unwrap().iter().find(|one| one["lease"] == "schedule").unwrap().clone();
    assert_eq!((&held["of"], &held["pid"]), (&json!("backup"), &json!(7)));
    drop((lease, opened));
    assert_eq!(status(&home.run("run --once").json(), "backup"), "done");
}

#[test]
fn as_a_service_it_goes_on_until_it_is_stopped() {
    let home = desk();
    let good = format!("{}\nschedule.metrics = \"1s\"", files(&home));
    configure(&home, &good);
    let mut child = home.run("run --json").spawn();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let mut told = Vec::new();
    let mut hears = |found: &dyn Fn(&Value) -> bool| {
        let line = lines.by_ref().inspect(|line| told.push(line.clone())).find(|line| found(line));
        line.expect("the service has ended")
    };
    hears(&|line| line["part"] == "backup");
    for _ in 0..2 {
        let line = hears(&|line| line["part"] == "metrics");
        assert_eq!((&line["type"], &line["status"]), (&json!("part"), &json!("done")), "{line}");
    }
    // Settings are taken in; those that cannot be used are told, and it goes on when they are right again.
    home.run("config set schedule.backup off").ok();
    configure(&home, "schedule.sync = 5");
    let line = hears(&|line| line["type"] == "trouble");
    assert_eq!(line["code"], "invalid_value", "{line}");
    configure(&home, &good);
    hears(&|line| line["part"] == "metrics");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let result = hears(&|line| line["type"] == "result");
    assert_eq!(child.wait().unwrap().code(), Some(0), "{result}");
    assert_eq!(status(&result["data"], "backup"), "off");
    assert_eq!(told.iter().filter(|line| line["part"] == "backup").count(), 1, "{told:?}");
}

#[test]
fn a_stopped_run_passes_it_on_and_waits() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let only =
        "evm.timeout_sec = 3\nschedule.oracle = \"off\"\nschedule.cycle = \"off\"\nschedule.risk = \"off\"";
    for (line, code) in [("run --once --json", 75), ("run --json", 0)] {
        let home = looking_after(&url, only);
        let child = home.run(line).spawn();
        let lease = |word: &str| state::leases(&home.state()).unwrap().iter().any(|one| one.lease == word);
        until("the sync is under way", || lease("pools") && noted(&home).len() >= 5);
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let ran = crate::support::ended(child);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(code), ""), "{line}: {}", ran.stdout);
        assert!(!lease("pools") && !lease("schedule:sync"), "{line}");
        assert_eq!(status(&ran.last()["data"], "sync"), "stopped", "{line}");
    }
}

#[test]
fn bad_settings_are_refused_by_name() {
    let home = Home::ready();
    let before = home.snapshot();
    for (setting, needle) in [
        ("schedule.sync = \"5\"", "schedule.sync"),
        ("schedule.sync = \"0s\"", "shorter than 1s"),
        ("schedule.farm = \"never\"", "nor off"),
        ("schedule.timeout = \"off\"", "schedule.timeout"),
        ("schedule.prune_older_than = \"1h\"", "shorter than 1d"),
        ("schedule.backup_keep = 0", "schedule.backup_keep"),
    ] {
        configure(&home, setting);
        let envelope = home.run("run --once").fails(2, "invalid_value");
        assert!(envelope["error"]["message"].as_str().unwrap().contains(needle), "{setting}: {envelope}");
        assert_eq!(home.run("config check --json").exits(5).envelope()["error"]["code"], "check_failed");
    }
    assert_eq!(home.snapshot(), before);
    Home::empty().run("run --once").fails(2, "state_missing");
    // What cannot be written is the part's failure.
    configure(&home, "schedule.backup_folder = \"/nowhere/at/all\"");
    let envelope = home.run("run --once").fails(1, "io_error");
    let data = &envelope["data"];
    assert_eq!(
        (status(data, "backup").as_str(), status(data, "prune").as_str()),
        ("failed", "done"),
        "{data}"
    );
}
