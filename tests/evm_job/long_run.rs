//! A long run of `sync` and `reward cycle` at an endpoint that spoils one answer in fifty: it loses what it was asked for,
//! says it twice, or says what was so a while ago. Nothing wrong is paid, nothing is stuck, and no hand is needed.
//!
//! In the suite it is a short run at an endpoint that is worse with logs, which are few; `LONG_RUN=N` runs for N rounds.

use super::desk::{Desk, config, figures, rows, same, sound};
use super::interleavings::{Dice, act};
use crate::support::Home;
use poolctl_testkit::{Fault, Rule};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{LazyLock, Mutex};

const SHORT: Length = Length { rounds: 25, logs: 4, others: 100 };
const LONG: Length = Length { rounds: 120, logs: 50, others: 50 };

/// How long it takes, and how bad the endpoint is.
#[derive(Clone, Copy)]
struct Length {
    rounds: u64,
    /// One answer with logs in so many is spoilt.
    logs: u64,
    /// One of the others in so many.
    others: u64,
}

/// What decides which answers are spoilt, and what was answered before.
static WEATHER: LazyLock<Mutex<Weather>> = LazyLock::new(|| {
    let (before, spoilt) = (HashMap::new(), BTreeMap::new());
    Mutex::new(Weather { dice: Dice([7; 32]), length: SHORT, before, spoilt })
});

struct Weather {
    dice: Dice,
    length: Length,
    before: HashMap<String, Value>,
    /// How often, by kind.
    spoilt: BTreeMap<&'static str, u64>,
}

/// One answer in so many is another.
fn spoil(request: &Value, mut response: Value) -> Value {
    let mut weather = WEATHER.lock().unwrap();
    let asked = json!([request["method"], request["params"]]).to_string();
    let before = weather.before.insert(asked, response["result"].clone());
    let logs = response["result"].as_array_mut().filter(|_| request["method"] == "eth_getLogs");
    let one_in = if logs.as_ref().is_some_and(|logs| !logs.is_empty()) {
        weather.length.logs
    } else {
        weather.length.others
    };
    if weather.dice.below(one_in) > 0 {
        return response;
    }
    let (kind, at) = (weather.dice.below(3), weather.dice.below(1 << 32));
    let what = match (kind, logs, before) {
        (0 | 1, Some(logs), _) if !logs.is_empty() => {
            let at = usize::try_from(at).unwrap() % logs.len();
            if kind == 0 {
                logs.remove(at);
                "a log lost"
            } else {
                logs.insert(at, logs[at].clone());
                "a log doubled"
            }
        }
        (2, _, Some(before)) => {
            response["result"] = before;
            "late"
        }
        _ => {
            response["result"] = Value::Null;
            "lost"
        }
    };
    *weather.spoilt.entry(what).or_default() += 1;
    response
}

/// What was paid, to whom, for which blocks.
fn paid(home: &Home) -> Vec<String> {
    rows(
        &home.sqlite(),
        "SELECT p.name, e.start_block, e.end_block, m.address, r.amount FROM pool_rewards r
         JOIN pool_reward_epochs e ON e.id = r.epoch_id JOIN pools p ON p.id = e.pool_id
         JOIN members m ON m.id = r.member_id ORDER BY 1, 2, 4",
    )
}

#[test]
fn at_an_endpoint_that_spoils_answers_all_comes_right_by_itself() {
    let length = std::env::var("LONG_RUN")
        .map_or(SHORT, |rounds| Length { rounds: rounds.parse().unwrap_or(LONG.rounds), ..LONG });
    WEATHER.lock().unwrap().length = length;
    let desk = Desk::weighted();
    desk.run("sync").ok();
    desk.first_cycle();
    let want = desk.home.fork();
    let mut dice = Dice([3; 32]);
    for _ in 0..length.rounds {
        for _ in 0..2 {
            act(&desk.world, &mut dice);
        }
        desk.world.node.mine(2 + dice.below(7)).unwrap();
        if dice.below(4) == 0 {
            // A connection that is cut is lost too.
            desk.wire.fault(Rule::new(Fault::Refuse).after(usize::try_from(dice.below(9)).unwrap()).times(1));
        }
        desk.wire.fault(Rule::new(Fault::Custom(spoil)));
        for line in ["sync", "reward cycle"] {
            // Done, some pools done, what does not add up is said, or it is to be tried again.
            desk.run(line).arg("--json").exits_one_of(&[0, 3, 4, 5, 75]);
        }
        desk.wire.heal();
        if dice.below(8) == 0 {
            sound(&desk.home);
        }
    }
    desk.run("sync").exits(0);
    desk.run("reward cycle").exits(0);
    sound(&desk.home);
    // The same all at once, asked of the node itself.
    want.write_config(&config(&desk.world, &[("main", desk.world.node.url())]));
    want.run("sync").ok();
    want.run("reward cycle").ok();
    assert_eq!(paid(&desk.home), paid(&want), "{:?}", WEATHER.lock().unwrap().spoilt);
    let facts = |home: &Home| BTreeMap::from([("figures".to_owned(), figures(&home.sqlite()).concat())]);
    same(&facts(&want), &facts(&desk.home));
    let spoilt = WEATHER.lock().unwrap().spoilt.clone();
    let logs = ["a log lost", "a log doubled"].map(|what| spoilt.get(what).copied().unwrap_or_default());
    assert!(logs.iter().all(|times| *times > 0), "too short to tell anything: {spoilt:?}");
}
