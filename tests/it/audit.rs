//! The audit log: listed with filters, and every tampering with it found and named.

use crate::support::{BINARY, Home, Ran, Run, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};

fn busy() -> Home {
    let home = Home::ready();
    for n in 1..=5 {
        home.run(&format!("config set oracle.cache_ttl_sec {n}")).ok();
    }
    home.run("config unset oracle.cache_ttl_sec").ok();
    home
}

fn ids(data: &Value) -> Vec<i64> {
    data["events"].as_array().unwrap().iter().map(|e| e["id"].as_i64().unwrap()).collect()
}

#[test]
fn events_are_filtered() {
    let home = busy();
    let all = home.run("events").json();
    assert_eq!(ids(&all), [1, 2, 3, 4, 5, 6]);
    assert_eq!(ids(&home.run("events --limit 2").json()), [5, 6]);
    assert_eq!(ids(&home.run("events --kind config.unset").json()), [6]);
    assert_eq!(ids(&home.run("events --kind config. --limit 3").json()), [4, 5, 6]);
    assert_eq!(ids(&home.run("events --kind config").json()), [0i64; 0]);
    assert_eq!(ids(&home.run("events --subject log.level").json()), [0i64; 0]);
    let run = all["events"][2]["run_id"].as_str().unwrap();
    assert_eq!(ids(&home.args(["events", "--run", run]).json()), [3]);
    let at = all["events"][3]["at"].as_str().unwrap();
    assert!(ids(&home.args(["events", "--since", at]).json()).ends_with(&[4, 5, 6]));
    assert_eq!(ids(&home.run("events --since 1h").json()).len(), 6);
    assert_eq!(ids(&home.run("events --since 2100-01-01T00:00:00Z").json()), [0i64; 0]);
    home.run("events --since yesterday").fails(2, "invalid_value");
    assert!(home.run("events").ok().starts_with("ID  AT"));
    assert_eq!(home.run("events --kind pool.added").ok(), "no events\n");
}

#[test]
fn what_is_cut_is_told() {
    let home = busy();
    let page = home.run("events --limit 2 --since 1h").json();
    assert_eq!((ids(&page), &page["more"], &page["total"]), (vec![5, 6], &true.into(), &6.into()));
    let older =
        home.run(&format!("events --limit 2 --since 1h --after {}", page["cursor"].as_str().unwrap())).json();
    assert_eq!((ids(&older), &older["more"]), (vec![3, 4], &true.into()));
    let shown = home.run("events --limit 2").ok();
    assert!(shown.ends_with("2 of 6, see all with --all, the next with --after 5\n"), "{shown}");
    assert!(shown.contains("new 5"), "the particulars in words: {shown}");
    let all = home.run("events --all").json();
    assert_eq!((ids(&all), &all["more"], &all["cursor"]), ((1..=6).collect(), &false.into(), &Value::Null));
    for bad in [
        "--limit 1 --all",
        "--follow --after 3",
        "--follow --csv",
        "--verify --csv",
        "--verify --all",
        "--csv",
    ] {
        home.run(&format!("events {bad}")).fails(2, "usage");
    }
    home.run("events --after x").fails(2, "invalid_value");
}

#[test]
fn a_sound_log_verifies() {
    let home = busy();
    let data = home.run("events --verify").json();
    assert_eq!(data["chain"]["events"], 6);
    assert!(home.run("events --verify").ok().starts_with("6 events, unbroken"));
    home.run("state check").ok();
}

#[test]
fn tampering_is_found_and_named() {
    for (tampering, id) in [
        ("UPDATE events SET payload = '{\"new\":\"9\"}' WHERE id = 3", 3),
        ("UPDATE events SET actor = 'somebody' WHERE id = 1", 1),
        ("DELETE FROM events WHERE id = 4", 5),
        ("DELETE FROM events WHERE id >= 5", 5),
        ("UPDATE meta SET value = '5:00' WHERE key = 'audit_head'", 7),
    ] {
        let home = busy();
        let conn = home.sqlite();
        assert!(conn.execute_batch("UPDATE events SET actor = 'x'").is_err(), "the trigger stands");
        poolctl_testkit::tamper(&conn, |conn| conn.execute_batch(tampering)).unwrap();
        drop(conn);
        let envelope = home.run("events --verify").fails(5, "check_failed");
        assert_eq!(envelope["data"]["chain"]["broken"]["id"], id, "{tampering}: {envelope}");
        assert_eq!(envelope["error"]["details"]["event"], id);
        let check = home.run("state check").fails(5, "check_failed");
        assert_eq!(check["data"]["findings"][0]["check"], "audit_chain");
        assert!(check["error"]["message"].as_str().unwrap().contains(&format!("event {id}")), "{check}");
        let ran = home.run("events --verify").exits(5);
        assert!(ran.stderr.starts_with("error: audit log: event "), "{ran:?}");
    }
}

/// A log that is being followed; the lines come as they are written.
struct Followed {
    child: Child,
    stdout: BufReader<ChildStdout>,
    read: String,
}

impl Followed {
    fn start(run: Run) -> Self {
        let mut child = run.spawn();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout, read: String::new() }
    }

    /// Waits for the next line.
    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.stdout.read_line(&mut line).unwrap() > 0, "it has ended");
        self.read.push_str(&line);
        line.trim_end().to_owned()
    }

    fn id(&mut self) -> i64 {
        let line: Value = serde_json::from_str(&self.line()).unwrap();
        assert_eq!(line["type"], "event");
        line["id"].as_i64().unwrap()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Everything that it wrote, held against its schema.
    fn end(mut self) -> Ran {
        self.stdout.read_to_string(&mut self.read).unwrap();
        let mut output = self.child.wait_with_output().unwrap();
        output.stdout = self.read.into_bytes();
        Ran::of(BINARY, output)
    }
}

#[test]
fn what_others_write_comes_out_and_ctrl_c_ends_with_the_result() {
    let home = busy();
    let mut followed = Followed::start(home.run("events --follow --limit 2 --json"));
    assert_eq!([followed.id(), followed.id()], [5, 6], "the newest, then what comes");
    for n in 7..=9 {
        home.run(&format!("config set oracle.cache_ttl_sec {n}")).ok();
        assert_eq!(followed.id(), n);
    }
    followed.signal(Signal::INT);
    let ran = followed.end();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let last: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["ok"]), (&"result".into(), &true.into()));
    assert_eq!(last["data"], serde_json::json!({ "shown": 5, "last_id": 9 }));
    // The same objects as without --follow.
    let listed = home.run("events --limit 1").json()["events"][0].clone();
    let mut line: Value = serde_json::from_str(ran.stdout.lines().nth(4).unwrap()).unwrap();
    line.as_object_mut().unwrap().remove("type");
    assert_eq!(line, listed);
}

#[test]
fn filters_hold_for_what_comes_too() {
    let home = Home::ready();
    let mut kinds = Followed::start(home.run("events --follow --kind member. --json"));
    let mut subject = Followed::start(home.run("events --follow --subject log.level"));
    home.run("config set oracle.cache_ttl_sec 7").ok();
    home.run("member add 0x70997970C51812dc3A010C7d01b50e0d17dc79C8").ok();
    home.run("config set log.level debug").ok();
    assert_eq!(kinds.id(), 2);
    let line = subject.line();
    assert!(line.starts_with("3  ") && line.contains("  config.set  log.level  "), "{line}");
    for followed in [kinds, subject] {
        followed.signal(Signal::TERM);
        assert_eq!(followed.end().code, Some(0));
    }
    home.run("events --follow --verify").fails(2, "usage");
    home.run("events --follow --since yesterday").fails(2, "invalid_value");
}

/// Nobody reads any more, and nothing happens: it ends all the same, and says nothing.
#[test]
fn a_follower_without_a_reader_ends_quietly() {
    let home = busy();
    for line in ["events --follow --json", "events --follow"] {
        let mut followed = Followed::start(home.run(line));
        followed.line();
        drop(followed.stdout);
        let output = followed.child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
    }
    // The reader was never there.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = poolctl_testkit::watch::spawn(
        home.run("events --follow").command.stdout(writer).stderr(Stdio::piped()),
    )
    .unwrap()
    .wait_with_output()
    .unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
}

#[test]
fn another_state_in_its_place_is_said() {
    let home = busy();
    home.run("state backup copy.sqlite").ok();
    let mut followed = Followed::start(home.run("events --follow --json --limit 1"));
    followed.line();
    home.run("state restore copy.sqlite --yes").ok();
    let mut child = followed.child;
    until("it ends", || child.try_wait().unwrap().is_some());
    followed.child = child;
    let ran = followed.end();
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let last: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "conflict");
}
