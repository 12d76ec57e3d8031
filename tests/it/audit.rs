//! The audit log: listed with filters, and every tampering with it found and named.

use crate::support::Home;
use serde_json::Value;

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
        conn.execute_batch("DROP TRIGGER events_no_update; DROP TRIGGER events_no_delete").unwrap();
        conn.execute_batch(tampering).unwrap();
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
