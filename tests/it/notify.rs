//! `notify`: each service gets its form, each edge is told once, what fails is tried again, and no secret is said or kept.

use crate::health::tended;
use crate::support::{Home, canary, until};
use poolctl_testkit::cli::pages;
use poolctl_testkit::web::{Mute, Request, Web, nowhere};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

const MINUTE: u64 = 60;

/// Channels, as the config file has them.
fn channels(home: &Home, text: &str) {
    home.write_config(text);
}

/// One channel, a webhook; its secret is in a file.
fn hooked(home: &Home, web: &str) -> String {
    let secret = canary();
    home.write_private("hook.url", &format!("# ops\n{web}/{secret}\n"));
    channels(
        home,
        "[profiles.sandbox.notify.channels.ops]\nservice = 'webhook'\nurl_file = 'hook.url'\n\
         [profiles.sandbox.notify]\nretry_base_sec = 60\nattempts = 3\n",
    );
    secret
}

fn bodies(told: &[Request]) -> Vec<Value> {
    told.iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect()
}

/// Topic, and change with kind, of each message.
fn said(told: &[Request]) -> Vec<(String, Vec<String>)> {
    let change = |change: &Value| {
        format!("{} {}", change["change"].as_str().unwrap(), change["kind"].as_str().unwrap())
    };
    let mut said: Vec<(String, Vec<String>)> = bodies(told)
        .iter()
        .map(|body| {
            let changes = body["changes"].as_array().unwrap().iter().map(change).collect();
            (body["topic"].as_str().unwrap().to_owned(), changes)
        })
        .collect();
    said.sort();
    said
}

fn topic(topic: &str, changes: &[&str]) -> (String, Vec<String>) {
    (topic.to_owned(), changes.iter().map(|&change| change.to_owned()).collect())
}

/// No file holds one of these but those that they were given in.
#[track_caller]
fn keeps_none_of(home: &Home, secrets: &[String]) {
    for file in poolctl_testkit::cli::files(home.path()) {
        if [".url", "config.toml"].iter().any(|end| file.to_str().unwrap().ends_with(end)) {
            continue;
        }
        let bytes = std::fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "{} holds a secret", file.display());
    }
}

/// The state is as sound as the one that it was made from.
#[track_caller]
fn is_sound(home: &Home) {
    let envelope = home.run("state check --full --json").exits(5).envelope();
    let findings = envelope["data"]["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding["check"] == "harvests_equal_credits"), "{envelope}");
}

/// Makes what waits due.
fn hurry(home: &Home) {
    home.sqlite().execute("UPDATE notifications SET next_at = 1 WHERE done_at IS NULL", []).unwrap();
}

const BREAK: &str = "INSERT INTO circuit_breaker_status VALUES (1, 1, 'exchange_rate_drop', 'it fell', unixepoch(), NULL, NULL)";

#[test]
fn each_edge_is_told_once_and_grouped() {
    let web = Web::start().unwrap();
    let home = tended(MINUTE);
    let secret = hooked(&home, &web.url());
    assert_eq!(home.run("notify send").ok(), "nothing to tell\n");
    let quiet = home.snapshot();
    assert_eq!(home.run("notify send").ok(), "nothing to tell\n");
    assert_eq!(home.snapshot(), quiet, "nothing is written while nothing changes");
    assert!(web.take().is_empty());

    // A breaker and an alert of one pool, two farmers of one pooler, and a feed: three messages.
    home.sqlite()
        .execute_batch(&format!(
            "{BREAK};
             INSERT INTO risk_violations (pool_id, rule, message, first_seen, last_seen, count)
                 VALUES (1, 'tvl_cap_exceeded', 'too much', unixepoch() - 90, unixepoch(), 2);
             INSERT INTO farmers VALUES ('f2', 'GBDVX4VELCDSQ54KQJYTNHXAHFLBCA77ZY2USQBM4CSHTTV7DME7KALE', 'p1',
                 'active', 250000, NULL, 2, unixepoch(), NULL);
             INSERT INTO farm_alerts (subject, kind, message, first_seen, last_seen, count)
                 VALUES ('f1', 'pail_held', 'held', 1, 1, 1), ('f2', 'pail_held', 'held', 1, 1, 1);
             INSERT INTO oracle_alerts (feed_id, kind, message, first_seen, last_seen, count)
                 VALUES (1, 'stale', 'old', 1, 1, 1)"
        ))
        .unwrap();
    let before = home.snapshot();
    let plan = home.run("notify send --dry-run").json();
    assert_eq!(plan["changes"].as_array().unwrap().len(), 5);
    assert_eq!(plan["notifications"][0]["status"], "would_send");
    assert_eq!((home.snapshot(), web.take().len()), (before, 0), "a dry run writes and sends nothing");

    let sent = home.run("notify send").json();
    assert_eq!(sent["notifications"].as_array().unwrap().len(), 3, "{sent}");
    let told = web.take();
    let farm = topic("farm north", &["new pail_held", "new pail_held"]);
    let pool = topic("pool dollars", &["new circuit_breaker_active", "new tvl_cap_exceeded"]);
    assert_eq!(said(&told), [farm, pool, topic("prices", &["new stale"])]);
    assert!(told.iter().all(|request| request.line == format!("POST /{secret}")));
    let body = bodies(&told).into_iter().find(|body| body["topic"] == "pool dollars").unwrap();
    assert_eq!((&body["severity"], &body["resolved"]), (&json!("critical"), &json!(false)));
    assert_eq!(body["title"], "poolctl sandbox: critical: pool dollars");
    assert_eq!(body["changes"][1]["severity"], "warning");
    home.run("notify send").ok();
    assert!(web.take().is_empty(), "nothing repeats while nothing changes");

    // What is over is said once; the sync that is late then is worse later.
    home.sqlite()
        .execute_batch(
            "UPDATE circuit_breaker_status SET active = 0; UPDATE risk_violations SET closed_at = unixepoch();
             UPDATE farm_alerts SET closed_at = unixepoch() WHERE subject = 'f2';
             UPDATE pool_snapshots SET synced_at = unixepoch() - 1000",
        )
        .unwrap();
    home.run("notify send").ok();
    let told = web.take();
    let farm = topic("farm north", &["resolved pail_held"]);
    let changes = ["resolved circuit_breaker_active", "new sync", "resolved tvl_cap_exceeded"];
    assert_eq!(said(&told), [farm, topic("pool dollars", &changes)]);
    home.sqlite().execute("UPDATE pool_snapshots SET synced_at = unixepoch() - 9000", []).unwrap();
    home.run("notify send").ok();
    assert_eq!(said(&web.take()), [topic("pool dollars", &["worse sync"])]);
    home.sqlite().execute("UPDATE pool_snapshots SET synced_at = unixepoch()", []).unwrap();
    home.run("notify send").ok();
    let told = web.take();
    assert_eq!(said(&told), [topic("pool dollars", &["resolved sync"])]);
    assert_eq!(bodies(&told)[0]["resolved"], true);

    let data = home.run("notify list").json();
    let all: Vec<Value> =
        data["notifications"].as_array().unwrap().iter().map(|one| one["key"].clone()).collect();
    assert_eq!((all.len(), &data["waiting"], &data["total"]), (7, &json!(0), &json!(7)));
    // Page by page, and as CSV, the same.
    assert_eq!(pages(|line| home.run(line), "notify list", "notifications", "key"), all);
    let ran = home.run("notify list --limit 2 --csv").exits(0);
    assert!(ran.stdout.starts_with("key,channel,severity,title,text,status,attempts,created_at,"), "{ran:?}");
    assert!(ran.stderr.contains("2 of 7, see all with --all, the next with --after "), "{ran:?}");
    assert_eq!(
        home.run("notify list --all --csv").ok().lines().filter(|line| line.contains(",ops,")).count(),
        7
    );
    home.run("notify list --after nothing").fails(2, "invalid_value");
    for bad in ["--limit 0", "--limit 1 --all"] {
        home.run(&format!("notify list {bad}")).fails(2, "usage");
    }
    keeps_none_of(&home, &[secret]);
    is_sound(&home);
}

#[test]
fn every_loss_is_told_once() {
    let web = Web::start().unwrap();
    let home = tended(MINUTE);
    hooked(&home, &web.url());
    let farmer = "GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE";
    let lose = |block: u64| {
        let facts = json!({
            "farmer": farmer, "block": block, "stake": "180000000", "reason": "not_worked",
            "cause": "no_nonce", "fault": "pooler", "pooler": "p1",
        });
        let sql = "INSERT INTO events VALUES ((SELECT coalesce(max(id), 0) + 1 FROM events), '2026-01-01T00:00:00Z', 'r', 'a',
             'harvest.lost', 'f1', ?1, '', '')";
        home.sqlite().execute(sql, [facts.to_string()]).unwrap();
    };
    let alert = "INSERT INTO farm_alerts (subject, kind, message, first_seen, last_seen, count)
         VALUES ('f1', 'stake_lost', 'block 7', 1, 1, 1)";
    // Of what was lost before there was a channel, the alert is told.
    lose(7);
    home.sqlite().execute(alert, []).unwrap();
    home.run("notify send").ok();
    assert_eq!(said(&web.take()), [topic("farm north", &["new stake_lost"])]);
    home.run("notify send").ok();
    assert!(web.take().is_empty());
    // Two more, while the alert is open.
    lose(8);
    lose(9);
    home.run("notify send").ok();
    let told = web.take();
    assert_eq!(said(&told), [topic("farm north", &["lost stake_lost", "lost stake_lost"])]);
    let text = bodies(&told)[0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("block 9: 18.00 KALE: not_worked, by no_nonce") && text.contains(farmer), "{text}");
    // One that opens the alert again is one line.
    home.sqlite().execute("UPDATE farm_alerts SET closed_at = unixepoch()", []).unwrap();
    home.run("notify send").ok();
    assert_eq!(said(&web.take()), [topic("farm north", &["resolved stake_lost"])]);
    lose(10);
    home.sqlite().execute(alert, []).unwrap();
    home.run("notify send").ok();
    assert_eq!(said(&web.take()), [topic("farm north", &["lost stake_lost"])]);
    home.run("notify send").ok();
    assert!(web.take().is_empty());
}

/// The five services at once, each with its secrets.
struct Five {
    home: Home,
    web: Web,
    secrets: Vec<String>,
}

fn five(least: &str) -> Five {
    let (home, web) = (tended(MINUTE), Web::start().unwrap());
    let secrets: Vec<String> = (0..7).map(|_| canary()).collect();
    let [hook, slack, discord, token, topic, bearer, password] = secrets.as_slice() else { unreachable!() };
    let url = web.url();
    home.write_private("slack.url", &format!("{url}/services/{slack}"));
    home.write_private("topic.url", &format!("{url}/{topic}"));
    let host = url.strip_prefix("http://").unwrap();
    let table = |name: &str, more: &str| {
        format!("[profiles.sandbox.notify.channels.{name}]\nservice = '{name}'\nleast = '{least}'\n{more}\n")
    };
    channels(
        &home,
        &[
            table("webhook", &format!("url = 'http://me:{password}@{host}/{hook}?k={hook}'")),
            table("slack", "url_file = 'slack.url'"),
            table("discord", &format!("url_command = 'echo {url}/api/webhooks/1/{discord}'")),
            table("telegram", &format!("url = '{url}'\ntoken_command = 'echo 123:{token}'\nchat_id = -7")),
            table("ntfy", &format!("url_file = 'topic.url'\ntoken = '{bearer}'")),
        ]
        .concat(),
    );
    Five { home, web, secrets }
}

impl Five {
    /// Runs it in every way of saying much, and demands that no secret is said or kept.
    #[track_caller]
    fn hides(&self, line: &str) {
        for more in ["-vv", "-vv --json", "--metrics-file m.prom"] {
            hurry(&self.home);
            let mut run = self.home.run(&format!("{line} {more}"));
            let output = poolctl_testkit::watch::output(&mut run.command).unwrap();
            for text in [&output.stdout, &output.stderr] {
                let text = String::from_utf8_lossy(text);
                let found = self.secrets.iter().find(|secret| text.contains(secret.as_str()));
                assert!(found.is_none(), "{line} {more}: {text}");
            }
        }
        keeps_none_of(&self.home, &self.secrets);
    }
}

#[test]
fn each_service_gets_its_form() {
    let Five { home, web, secrets } = &five("info");
    home.sqlite().execute_batch(BREAK).unwrap();
    let ran = home.run("notify test").exits(0);
    assert_eq!(ran.stdout.lines().count(), 6, "{ran:?}");
    assert_eq!(web.take().len(), 5);
    let data = home.run("notify test slack").json();
    assert_eq!(data["channels"][0]["status"], "sent");
    assert_eq!(data["channels"][0]["host"], web.url());
    web.take();
    home.run("notify test --dry-run").exits(0);
    assert!(web.take().is_empty(), "a dry run sends nothing");
    assert_eq!(home.run("notify list").json()["notifications"], json!([]), "a test leaves nothing behind");

    home.run("notify send").ok();
    let told = web.take();
    let [hook, slack, discord, token, topic, bearer, password] = secrets.as_slice() else { unreachable!() };
    let of = |line: &str| {
        let found = told.iter().find(|request| request.line == format!("POST {line}"));
        found.unwrap_or_else(|| panic!("{line}: {told:?}"))
    };
    let json = |request: &Request| serde_json::from_str::<Value>(&request.body).unwrap();
    let webhook = of(&format!("/{hook}?k={hook}"));
    let id = json(webhook)["id"].as_str().unwrap().to_owned();
    assert_eq!(webhook.header("idempotency-key"), Some(id.as_str()));
    assert!(webhook.header("authorization").unwrap().starts_with("Basic "), "{password}");
    let text = json(of(&format!("/services/{slack}")))["text"].as_str().unwrap().to_owned();
    assert!(
        text.starts_with("*poolctl sandbox: critical: pool dollars*\nnew: circuit breaker active: "),
        "{text}"
    );
    let body = json(of(&format!("/api/webhooks/1/{discord}")));
    assert_eq!(body["allowed_mentions"], json!({ "parse": [] }));
    let body = json(of(&format!("/bot123:{token}/sendMessage")));
    assert_eq!(body["chat_id"], "-7");
    let ntfy = of(&format!("/{topic}"));
    assert_eq!(ntfy.header("title"), Some("poolctl sandbox: critical: pool dollars"));
    assert_eq!(ntfy.header("priority"), Some("5"));
    assert_eq!(ntfy.header("authorization"), Some(format!("Bearer {bearer}").as_str()));
    assert!(
        ntfy.body.starts_with("new: circuit breaker active: exchange_rate_drop: it fell\nid "),
        "{ntfy:?}"
    );
}

#[test]
fn secrets_are_never_said_or_kept() {
    let five = five("info");
    five.home.sqlite().execute_batch(BREAK).unwrap();
    // Services that repeat what they were sent.
    let (json, text) = ("{\"error\": \"{request}\"}", "bad: {request}");
    for (status, headers, body) in [
        (500, "", json),
        (403, "", text),
        (429, "retry-after: 9\r\n", text),
        (302, "location: http://h/KEY\r\n", text),
    ] {
        five.web.answer_with(status, headers, body);
        five.hides("notify send");
        five.hides("notify test");
    }
    let list = five.home.run("notify list").json();
    let own = |one: &&Value| !one["text"].as_str().unwrap().contains("undelivered");
    assert_eq!(list["notifications"].as_array().unwrap().iter().filter(own).count(), 5, "{list}");
    five.web.answer(200);
    for line in [
        "notify send",
        "notify test",
        "notify list",
        "config show",
        "config check",
        "info",
        "doctor",
        "health",
        "events",
    ] {
        five.hides(line);
    }
    let shown = five.home.run("config show").ok();
    assert!(shown.contains("webhook (webhook), slack (slack)"), "{shown}");
}

#[test]
fn a_channel_gets_what_is_grave_enough() {
    let web = Web::start().unwrap();
    let home = tended(MINUTE);
    let table = |name: &str, least: &str| {
        format!(
            "[profiles.sandbox.notify.channels.{name}]\nservice = 'webhook'\nurl = '{}/{name}'\nleast = '{least}'\n",
            web.url()
        )
    };
    channels(&home, &[table("all", "info"), table("grave", "critical")].concat());
    let alert = "INSERT INTO oracle_alerts (feed_id, kind, message, first_seen, last_seen, count)
         VALUES (1, 'stale', 'old', 1, 1, 1)";
    home.sqlite().execute(alert, []).unwrap();
    home.sqlite().execute_batch(BREAK).unwrap();
    home.run("notify send").ok();
    let mut lines: Vec<String> = web.take().into_iter().map(|request| request.line).collect();
    lines.sort();
    assert_eq!(lines, ["POST /all", "POST /all", "POST /grave"]);
}

#[test]
fn what_fails_is_tried_again_and_then_given_up_aloud() {
    let web = Web::start().unwrap();
    let home = tended(MINUTE);
    hooked(&home, &web.url());
    home.sqlite().execute_batch(BREAK).unwrap();
    web.answer(500);
    let ran = home.run("notify send").exits(0);
    assert!(ran.stderr.starts_with("warning: channel \"ops\": HTTP status 500: OK; next try at "), "{ran:?}");
    let first = bodies(&web.take())[0]["id"].clone();
    assert_eq!(home.run("notify send").ok(), "nothing new to tell; 1 notification waits for another try\n");
    assert!(web.take().is_empty());
    assert_eq!(home.run("health").fails(5, "check_failed")["data"]["troubles"].as_array().unwrap().len(), 1);

    hurry(&home);
    home.run("notify send").exits(0);
    assert_eq!(bodies(&web.take())[0]["id"], first, "the same, under the same id");
    // Long before it is given up, what does not get through is told elsewhere.
    let notifications = |home: &Home| {
        let data = home.run("status").json();
        let all = data["attention"].as_array().unwrap().iter();
        all.filter(|one| one["kind"] == "undelivered").map(|one| one["why"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(notifications(&home), [""; 0]);
    home.sqlite()
        .execute("UPDATE notifications SET next_at = next_at + 90000 WHERE done_at IS NULL", [])
        .unwrap();
    assert_eq!(notifications(&home), ["\"tried 2 times: HTTP status 500: OK\""]);
    hurry(&home);
    let envelope = home.run("notify send").fails(5, "undelivered");
    assert_eq!(envelope["data"]["notifications"][0]["status"], "given_up");
    assert_eq!(web.take().len(), 1);
    let why = "given up after 3 attempts: HTTP status 500: OK";
    assert_eq!(home.run("notify list").json()["notifications"][0]["error"], why);
    let envelope = home.run("health").fails(5, "check_failed");
    let trouble = envelope["data"]["troubles"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&trouble["area"], &trouble["subject"]), (&json!("notify"), &json!("ops")));
    assert!(home.run("metrics").ok().contains("poolctl_alerts_open{channel=\"ops\"} 1"));
    let event = home.run("events --kind notify.given_up").json();
    assert_eq!(event["events"][0]["payload"]["attempts"], 3);

    // A channel is not told of itself; another one is.
    hurry(&home);
    home.run("notify send").exits(0);
    assert!(web.take().is_empty());
    home.run("notify test").fails(75, "unreachable");
    web.answer(200);
    home.run("notify test").ok();
    let envelope = home.run("health").fails(5, "check_failed");
    assert_eq!(envelope["data"]["troubles"].as_array().unwrap().len(), 1, "the channel works again");
    // It missed the breaker, which is open still.
    web.take();
    home.run("notify send").ok();
    assert_eq!(said(&web.take()), [topic("pool dollars", &["new circuit_breaker_active"])]);
    home.run("notify send").ok();
    assert!(web.take().is_empty());
    is_sound(&home);
}

#[test]
fn the_other_channels_hear_of_one_that_fails() {
    let (good, bad) = (Web::start().unwrap(), Web::start().unwrap());
    bad.answer(404);
    let home = tended(MINUTE);
    channels(
        &home,
        &format!(
            "[profiles.sandbox.notify]\nattempts = 1\n\
             [profiles.sandbox.notify.channels.a]\nservice = 'webhook'\nurl = '{}'\n\
             [profiles.sandbox.notify.channels.b]\nservice = 'webhook'\nurl = '{}'\n",
            good.url(),
            bad.url()
        ),
    );
    home.sqlite().execute_batch(BREAK).unwrap();
    home.run("notify send").fails(5, "undelivered");
    good.take();
    home.run("notify send").ok();
    assert_eq!(said(&good.take()), [topic("notifications", &["new undelivered"])]);
    bad.answer(200);
    home.run("notify test b").ok();
    bad.take();
    home.run("notify send").ok();
    // The one that missed the breaker is told of it, and the others once more.
    let breaker = topic("pool dollars", &["new circuit_breaker_active"]);
    let over = topic("notifications", &["resolved undelivered"]);
    assert_eq!(said(&good.take()), [over, breaker.clone()]);
    assert_eq!(said(&bad.take()), [breaker]);
}

/// A message that gets through tells as well as a test that the channel works: what it missed is told again.
#[test]
fn what_was_given_up_is_told_again_when_the_channel_works() {
    let web = Web::start().unwrap();
    let home = tended(MINUTE);
    channels(
        &home,
        &format!(
            "[profiles.sandbox.notify]\nattempts = 1\n\
             [profiles.sandbox.notify.channels.ops]\nservice = 'webhook'\nurl = '{}'\n",
            web.url()
        ),
    );
    home.sqlite().execute_batch(BREAK).unwrap();
    web.answer(500);
    home.run("notify send").fails(5, "undelivered");
    web.answer(200);
    web.take();
    let alert = "INSERT INTO oracle_alerts (feed_id, kind, message, first_seen, last_seen, count)
         VALUES (1, 'stale', 'old', 1, 1, 1)";
    home.sqlite().execute(alert, []).unwrap();
    home.run("notify send").ok();
    assert_eq!(said(&web.take()), [topic("prices", &["new stale"])]);
    home.run("notify send").ok();
    let breaker = topic("pool dollars", &["new circuit_breaker_active"]);
    assert_eq!(said(&web.take()), [breaker, topic("prices", &["new stale"])]);
    home.run("notify send").ok();
    assert!(web.take().is_empty());
}

/// A dry run lists what a run would send, and no more.
#[test]
fn a_dry_run_lists_all_that_waits() {
    let home = tended(MINUTE);
    hooked(&home, &nowhere().unwrap());
    home.sqlite().execute_batch(BREAK).unwrap();
    home.run("notify send").exits(0);
    let more = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
         INSERT INTO notifications (key, channel, content, created_at, next_at)
         SELECT 'k' || i, 'ops', content, created_at, 1 FROM n, notifications WHERE notifications.id = 1";
    home.sqlite().execute(more, []).unwrap();
    let plan = home.run("notify send --dry-run").json();
    assert_eq!((plan["notifications"].as_array().unwrap().len(), &plan["waiting"]), (50, &json!(61)));
}

/// A command that hangs costs its own channel the time limit, and no other one anything.
#[test]
fn a_secret_that_does_not_come_holds_up_no_other_channel() {
    let web = Web::start().unwrap();
    let home = tended(MINUTE);
    channels(
        &home,
        &format!(
            "[profiles.sandbox.notify]\ntimeout_sec = 1\n\
             [profiles.sandbox.notify.channels.hangs]\nservice = 'slack'\nurl_command = 'sleep 600'\n\
             [profiles.sandbox.notify.channels.well]\nservice = 'webhook'\nurl = '{}'\n",
            web.url()
        ),
    );
    home.sqlite().execute_batch(BREAK).unwrap();
    let ran = home.run("notify send").exits(0);
    let words = "channel \"hangs\": url_command of channel \"hangs\" did not end within 1s; next try at ";
    assert!(ran.stderr.contains(words), "{ran:?}");
    assert_eq!(said(&web.take()), [topic("pool dollars", &["new circuit_breaker_active"])]);
}

#[test]
fn a_note_of_the_last_loss_that_is_none_is_corrupt() {
    let home = tended(MINUTE);
    hooked(&home, &nowhere().unwrap());
    home.sqlite().execute("INSERT INTO meta VALUES ('notified_loss', 'seven')", []).unwrap();
    let before = home.snapshot();
    home.run("notify send").fails(1, "state_corrupt");
    assert_eq!(home.snapshot(), before);
}

#[test]
fn a_service_that_asks_to_wait_is_waited_for() {
    let web = Web::start().unwrap();
    for (headers, body, least) in [
        ("retry-after: 120\r\n", "", 120),
        ("", r#"{"ok":false,"parameters":{"retry_after":300}}"#, 300),
        ("retry-after: 1\r\n", r#"{"retry_after":64.5}"#, 65),
    ] {
        let home = tended(MINUTE);
        hooked(&home, &web.url());
        home.sqlite().execute_batch(BREAK).unwrap();
        // A second message for the channel, which has to wait too.
        let alert = "INSERT INTO oracle_alerts (feed_id, kind, message, first_seen, last_seen, count)
             VALUES (1, 'stale', 'old', 1, 1, 1)";
        home.sqlite().execute(alert, []).unwrap();
        web.answer_with(429, headers, body);
        home.run("notify send").exits(0);
        assert_eq!(web.take().len(), 1, "nothing more goes there");
        let sql = "SELECT count(*) FROM notifications WHERE next_at - created_at BETWEEN ?1 AND ?1 + 20";
        let held: i64 = home.sqlite().query_row(sql, [least], |row| row.get(0)).unwrap();
        assert_eq!(held, 2, "{headers} {body}");
    }
}

/// A silent channel takes its time limit and no more, holds up no other channel and no other command.
#[test]
fn a_silent_channel_holds_up_nothing() {
    let (web, mute) = (Web::start().unwrap(), Mute::start().unwrap());
    let home = tended(MINUTE);
    channels(
        &home,
        &format!(
            "[profiles.sandbox.notify]\ntimeout_sec = 3\n\
             [profiles.sandbox.notify.channels.silent]\nservice = 'ntfy'\nurl = '{}/t'\n\
             [profiles.sandbox.notify.channels.gone]\nservice = 'ntfy'\nurl = '{}/t'\n\
             [profiles.sandbox.notify.channels.well]\nservice = 'webhook'\nurl = '{}/t'\n",
            mute.url(),
            nowhere().unwrap(),
            web.url()
        ),
    );
    home.sqlite().execute_batch(BREAK).unwrap();
    let child = home.run("notify send --json").spawn();
    let mut told = Vec::new();
    until("the other channel is told", || {
        told.extend(web.take());
        !told.is_empty()
    });
    // The state is not locked meanwhile.
    home.run("config set oracle.cache_ttl_sec 77").ok();
    // Another run sends nothing twice.
    home.run("notify send").ok();
    assert!(web.take().is_empty());
    let output = child.wait_with_output().unwrap();
    let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut statuses: Vec<(String, String)> = envelope["data"]["notifications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["channel"].as_str().unwrap().to_owned(), one["error"].to_string()))
        .collect();
    statuses.sort();
    assert!(statuses[0].1.contains("cannot connect"), "{envelope}");
    assert!(statuses[1].1.contains("no answer within 3s"), "{envelope}");
    assert_eq!(statuses[2].1, "null");
    assert_eq!(home.run("notify list").json()["waiting"], 2);
}

/// Killed at any exchange or commit, what was to be told is told: at least once, under one id.
#[cfg(debug_assertions)]
#[test]
fn killed_anywhere_it_is_told_at_least_once() {
    let web = Web::start().unwrap();
    let home = tended(MINUTE);
    hooked(&home, &web.url());
    home.sqlite().execute_batch(BREAK).unwrap();
    let mut killed = 0;
    for at in 1..20 {
        let fork = home.fork();
        let ran = fork.run("notify send").env("POOLCTL_CRASH_AT", &at.to_string()).alone();
        hurry(&fork);
        fork.run("notify send").ok();
        let told = web.take();
        let ids: std::collections::BTreeSet<String> =
            bodies(&told).iter().map(|body| body["id"].to_string()).collect();
        assert!((1..=2).contains(&told.len()) && ids.len() == 1, "at {at}: {told:?}");
        assert_eq!(fork.run("notify list").json()["waiting"], 0, "at {at}");
        if ran.code == Some(0) {
            break;
        }
        killed += 1;
    }
    assert!((4..19).contains(&killed), "{killed}");
}

#[test]
fn a_channel_that_is_no_longer_set_is_let_go() {
    let home = tended(MINUTE);
    hooked(&home, &nowhere().unwrap());
    home.sqlite().execute_batch(BREAK).unwrap();
    home.run("notify send").exits(0);
    channels(
        &home,
        &format!(
            "[profiles.sandbox.notify.channels.new]\nservice = 'webhook'\nurl = '{}'\n",
            nowhere().unwrap()
        ),
    );
    home.run("notify send").exits(0);
    let list = home.run("notify list").json();
    let [new, old] = list["notifications"].as_array().unwrap().as_slice() else { panic!("{list}") };
    assert_eq!((&old["channel"], &old["status"]), (&json!("ops"), &json!("given_up")));
    assert_eq!(old["error"], "the channel is no longer set");
    // What was not told there is told to the others.
    assert_eq!((&new["channel"], &new["status"]), (&json!("new"), &json!("waiting")));
    assert_eq!((&new["title"], &list["waiting"]), (&old["title"], &json!(1)));
    let is_no_finding = || {
        let troubles = home.run("health").fails(5, "check_failed")["data"]["troubles"].clone();
        assert_eq!(troubles.as_array().unwrap().len(), 1, "it is no finding: {troubles}");
    };
    is_no_finding();
    // Nor when the channel comes back.
    hooked(&home, &nowhere().unwrap());
    is_no_finding();
}

/// What `doctor` says of the only channel.
#[track_caller]
fn examined(doctor: &Value, status: &str, words: &str) {
    let checks = doctor["data"]["checks"].as_array().unwrap();
    let mut found = checks.iter().filter(|check| check["area"] == "notify");
    let (check, None) = (found.next().unwrap(), found.next()) else { panic!("{doctor}") };
    assert!(check["subject"] == "ops" && check["status"] == status, "{check}");
    assert!(check["found"].as_str().unwrap().contains(words), "{check}");
}

#[test]
fn doctor_looks_at_channels_and_sends_nothing() {
    let home = tended(MINUTE);
    let web = Web::start().unwrap();
    let secret = hooked(&home, &web.url());
    let ran = home.run("doctor --json").exits_one_of(&[0, 5]);
    ran.hides(&secret);
    examined(&ran.envelope(), "ok", &format!("goes to {}", web.url()));
    assert!(web.take().is_empty());
}

#[test]
fn bad_channels_and_secrets_are_named_without_being_shown() {
    let home = tended(MINUTE);
    let secret = canary();
    let before = home.snapshot();
    for line in ["notify send", "notify test"] {
        let envelope = home.run(line).fails(2, "missing_setting");
        assert!(
            envelope["error"]["hint"].as_str().unwrap().contains("POOLCTL_NOTIFY_CHANNELS"),
            "{envelope}"
        );
    }
    channels(
        &home,
        &format!("[profiles.sandbox.notify.channels.ops]\nservice = 'slack'\nurl = 'ftp://h/{secret}'\n"),
    );
    let ran = home.run("notify send --json").exits(2);
    ran.hides(&secret);
    let message = ran.envelope()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("channel \"ops\": url: scheme \"ftp\" is not supported"), "{message}");
    let ran = home.run("config check --json").exits(5);
    ran.hides(&secret);

    // In the environment they are TOML.
    let by_env = |text: &str| home.run("notify test --json").env("POOLCTL_NOTIFY_CHANNELS", text);
    let ran = by_env(&secret).exits(2);
    ran.hides(&secret);
    let unknown = home
        .run("notify test phone")
        .env("POOLCTL_NOTIFY_CHANNELS", "ops = { service = 'ntfy', url = 'http://127.0.0.1:1/t' }")
        .fails(2, "invalid_value");
    assert_eq!(unknown["error"]["hint"], "there are: ops");

    // Files that are missing, open to others, or say something else; a command that fails.
    let path = home.write_private("a.url", &format!("http://127.0.0.1:1/{secret}"));
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    home.write_private("b.url", &format!("{secret}\n{secret}"));
    home.write_private("c.url", &format!("file:///{secret}"));
    for (field, exit, words) in [
        ("url_file = 'a.url'", 12, "mode 0644"),
        ("url_file = 'none.url'", 1, "there is no url file of channel \"ops\" at none.url"),
        ("url_file = 'b.url'", 2, "channel \"ops\": url: more than one line"),
        ("url_file = 'c.url'", 2, "channel \"ops\": url: "),
        ("url_command = 'exit 3'", 2, "url_command of channel \"ops\" failed: exit status: 3"),
        ("url_command = 'true'", 2, "it is empty"),
    ] {
        let channel = format!("ops = {{ service = 'slack', {field} }}");
        let ran = by_env(&channel).exits(exit);
        ran.hides(&secret);
        assert!(ran.envelope()["error"]["message"].as_str().unwrap().contains(words), "{field}: {ran:?}");
        let ran = home.run("doctor --json").env("POOLCTL_NOTIFY_CHANNELS", &channel).exits(5);
        ran.hides(&secret);
        examined(&ran.envelope(), "fail", words);
    }
    assert_eq!(home.snapshot(), before);
    // To send, such a secret is a failure of its channel alone.
    home.sqlite().execute_batch(BREAK).unwrap();
    let send = home
        .run("notify send")
        .env("POOLCTL_NOTIFY_CHANNELS", "ops = { service = 'slack', url_file = 'a.url' }");
    let ran = send.exits(0);
    assert!(ran.stderr.contains("mode 0644"), "{ran:?}");
}
