//! Requests at a server that is killed at any step: each act is done once.

use super::withdrawals::desk;
use poolctl_testkit::client::Serving;
use serde_json::{Value, json};

#[test]
fn a_withdrawal_with_a_key_is_one_wherever_the_server_dies() {
    let desk = desk();
    let token = desk.json("token create --role member:alice")["token"].as_str().unwrap().to_owned();
    let serve = |crash_at: u64| {
        let run =
            desk.run("serve --listen 127.0.0.1:0 --json").env("POOLCTL_CRASH_AT", &crash_at.to_string());
        Serving::of(run.spawn())
    };
    let (path, body) = ("/api/v1/pools/stable/withdrawals", json!({ "member": "alice", "shares": "1" }));
    let mut deaths = 0;
    for step in 1..40 {
        let key = format!("k{step}");
        let died = serve(step).client.with(&token).try_post_once(path, &key, &body).is_none();
        let again = serve(0).client.with(&token).post_once(path, &key, &body);
        assert_eq!(again.status, 201, "step {step}: {}", again.body);
        assert_eq!(again.json()["data"]["withdrawal"]["status"], "pending");
        let listed = desk.json("withdrawal list --all")["withdrawals"].clone();
        assert_eq!(listed.as_array().map(Vec::len), usize::try_from(step).ok(), "step {step}: {listed}");
        if !died {
            break;
        }
        deaths += 1;
    }
    // Before and after each of: the key is taken, the withdrawal is requested, the answer is kept.
    assert!(deaths >= 5, "it died at {deaths} steps");
    let events = desk.json("events --kind withdrawal.requested --all");
    let actors: Vec<&Value> =
        events["events"].as_array().unwrap().iter().map(|event| &event["actor"]).collect();
    assert!(
        actors.iter().all(|actor| actor.as_str().is_some_and(|actor| actor.starts_with("token t"))),
        "{actors:?}"
    );
    desk.sound();
}
