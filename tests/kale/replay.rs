//! Every scenario, step by step: results, errors, blocks and pails of the model, and forecasts against what was paid.

use crate::vectors::{block, bytes32, number, pail, stroops, vectors};
use kale::forecast;
use kale::model::{Model, Moment, Refusal};
use serde_json::Value;
use std::collections::HashMap;
use stellar_xdr::ScAddress;

/// How often each thing was compared, so that an empty walk is no success.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    steps: usize,
    errors: usize,
    paid: usize,
    foretold_at_work: usize,
}

fn replay(scenario: &Value, seen: &mut Seen) {
    let mut model = Model::new(scenario["start"]["farm_block_timestamp"].as_u64().unwrap());
    // What was forecast at a farmer's work, and how often the block had changed by then.
    let mut changes: HashMap<u32, usize> = HashMap::new();
    let mut foretold: HashMap<(ScAddress, u32), (usize, i128)> = HashMap::new();
    for (at, step) in scenario["steps"].as_array().unwrap().iter().enumerate() {
        let place = format!("{} step {at}: {step}", scenario["name"]);
        let farmer: ScAddress = step["farmer"].as_str().unwrap().parse().unwrap();
        let moment = Moment { ledger: number(&step["ledger"]), time: step["timestamp"].as_u64().unwrap() };
        let before = model.clone();
        let mut pail_index = None;
        let result: Result<Value, Refusal> = match step["op"].as_str().unwrap() {
            "plant" => model.plant(&farmer, stroops(&step["amount"]), moment).map(|()| {
                *changes.entry(model.farm.index).or_default() += 1;
                Value::Null
            }),
            "work" => {
                let nonce: u64 = step["nonce"].as_str().unwrap().parse().unwrap();
                let index = model.farm.index;
                let current = &model.blocks[&index];
                let digest = current.job(index, &farmer).unwrap().hash(nonce);
                let zeros = grind::block::zeros(&digest);
                let known = before.pails.get(&(farmer.clone(), index));
                let said = known.map(|pail| forecast::of_work(index, current, pail, moment.ledger, zeros, 1));
                let result = model.work(&farmer, digest, nonce, moment);
                if let Some(said) = said {
                    let (said, result) = (said.map(|said| (said.gap, said.reward)), result.as_ref());
                    assert_eq!(said.map(|(gap, _)| gap).as_ref(), result, "{place}");
                    if let Ok((_, reward)) = said {
                        let changed = changes.entry(index).or_default();
                        *changed += 1;
                        foretold.insert((farmer.clone(), index), (*changed, reward));
                    }
                }
                result.map(Value::from)
            }
            _ => {
                let index = number(&step["index"]);
                pail_index = Some(index);
                let key = (farmer.clone(), index);
                let paid = before
                    .pails
                    .get(&key)
                    .map(|pail| forecast::paid_now(index, &before.blocks[&index], pail));
                let result = model.harvest(&farmer, index);
                if step.get("error").is_none() {
                    let actual = stroops(&step["result"]);
                    assert_eq!(paid, Some(Ok(actual)), "{place}");
                    seen.paid += 1;
                    let (changed, reward) = foretold[&key];
                    if changed == changes[&index] {
                        assert_eq!(reward, actual, "{place}");
                        seen.foretold_at_work += 1;
                    }
                }
                result.map(|reward| reward.to_string().into())
            }
        };
        match (&result, step.get("error")) {
            (Ok(value), None) => assert_eq!(value, &step["result"], "{place}"),
            (Err(Refusal::Fault(fault)), Some(code)) => {
                assert_eq!(fault.code(), number(code), "{place}");
                assert_eq!(model, before, "{place}: an error changes nothing");
                seen.errors += 1;
            }
            other => panic!("{place}: {other:?}"),
        }
        assert_eq!(model.farm.index, number(&step["farm_index"]), "{place}");
        let index = model.farm.index;
        let open = model.farm.open.as_ref().unwrap();
        assert_eq!(open.entropy, bytes32(&step["farm_block_entropy"]), "{place}");
        assert_eq!(model.blocks.get(&index), Some(&block(&step["block"])), "{place}");
        let shown = (!step["pail"].is_null()).then(|| pail(&step["pail"]));
        let held = model.pails.get(&(farmer, pail_index.unwrap_or(index)));
        assert_eq!(held, shown.as_ref(), "{place}");
        seen.steps += 1;
    }
}

#[test]
fn every_scenario_replays_and_every_forecast_is_paid_to_the_stroop() {
    let mut seen = Seen::default();
    for scenario in vectors()["scenarios"].as_array().unwrap() {
        replay(scenario, &mut seen);
    }
    // In nine cases nobody planted or worked in the block after the forecast.
    assert_eq!(seen, Seen { steps: 276, errors: 80, paid: 51, foretold_at_work: 9 });
}
