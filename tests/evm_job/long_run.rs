//! A long run of `sync` and `reward cycle` at an endpoint that spoils one answer in fifty: it loses what it was asked for,
//! says it twice, or says what was so a while ago. Nothing wrong is paid, nothing is stuck, and no hand is needed.
//!
//! `LONG_RUN=N` runs for N rounds.

use super::desk::{Desk, config, figures, fork, rows, same, sound};
use super::interleavings::{Dice, act};
use crate::support::{Home, Ran};
use poolctl_testkit::{Fault, Rule};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{LazyLock, Mutex};

const ROUNDS: u64 = 30;
const IN: u64 = 50;

/// What decides which answers are spoilt, and what was answered before.
static WEATHER: LazyLock<Mutex<Weather>> = LazyLock::new(|| {
    Mutex::new(Weather { dice: Dice([7; 32]), before: HashMap::new(), spoilt: BTreeMap::new() })
});

struct Weather {
    dice: Dice,
    before: HashMap<String, Value>,
    /// How often, by kind.
    spoilt: BTreeMap<&'static str, u64>,
}

/// One answer in fifty is another.
fn spoil(request: &Value, mut response: Value) -> Value {
    let mut weather = WEATHER.lock().unwrap();
    let asked = json!([request["method"], request["params"]]).to_string();
    let before = weather.before.insert(asked, response["result"].clone());
    if weather.dice.below(IN) > 0 {
        return response;
    }
    let (kind, at) = (weather.dice.below(3), weather.dice.below(1 << 32));
    let logs = response["result"].as_array_mut().filter(|_| request["method"] == "eth_getLogs");
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
fn at_an_endpoint_that_spoils_one_answer_in_fifty_all_comes_right_by_itself() {
    let rounds = std::env::var("LONG_RUN").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let desk = Desk::weighted();
    desk.run("sync").ok();
    desk.first_cycle();
    let want = fork(&desk.home);
    let mut dice = Dice([3; 32]);
    for _ in 0..rounds {
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
            let ran = Ran::from(desk.run(line).arg("--json").command.output().unwrap());
            // Done, some pools done, what does not add up is said, or it is to be tried again.
            assert!([0, 3, 4, 5, 75].map(Some).contains(&ran.code), "{line}: {ran:?}");
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
    assert!(spoilt.values().sum::<u64>() * 10 >= rounds, "{spoilt:?} were spoilt");
}
