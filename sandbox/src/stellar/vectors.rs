//! The committed farm contract against `tests/kale.json`, run on the host: every scenario step by step, every reward
//! and normalisation on a state made for it, and the errors that no scenario reaches.
#![allow(clippy::unwrap_used, clippy::panic)] // Test code, helpers included.

use serde_json::Value;
use sha2::{Digest, Sha256};
use stellar_xdr::{ScBytes, ScVal};

use super::bench::{Bench, i128_val, plain, sc_map, symbol, work_hash};
use super::farm::FARM_WASM;
use super::rpc::hex;

/// What every farmer holds before the first step of a scenario, in stroops.
const FUNDS: i64 = 1 << 62;
const FARMER: &str = "CAEGNHTY43IZUXTFVYOH4RAEYSTFLAPNYV6ALRVJE3TCNOLBDDIO7RBW";
const START: u64 = 1_700_000_000;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../tests/kale.json")).unwrap()
}

/// The machine recurses more than a test thread's stack is sure to hold in a debug build.
fn on_a_deep_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(32 << 20).spawn(work).unwrap().join().unwrap()
}

fn replay(scenario: &Value) -> usize {
    let start = scenario["start"]["farm_block_timestamp"].as_u64().unwrap();
    let steps = scenario["steps"].as_array().unwrap();

    let mut farmers: Vec<&str> = steps.iter().map(|step| step["farmer"].as_str().unwrap()).collect();
    farmers.sort_unstable();
    farmers.dedup();
    let mut bench = Bench::new(start, &farmers, FUNDS);

    for (number, step) in steps.iter().enumerate() {
        let place = format!("{} step {number}: {step}", scenario["name"]);
        let sequence = u32::try_from(step["ledger"].as_u64().unwrap()).unwrap();
        let at = (sequence, step["timestamp"].as_u64().unwrap());
        let farmer = ScVal::Address(step["farmer"].as_str().unwrap().parse().unwrap());
        let operation = step["op"].as_str().unwrap();
        let mut args = vec![farmer.clone()];
        let mut pail_index = None;
        match operation {
            "plant" => args.push(i128_val(step["amount"].as_str().unwrap())),
            "harvest" => {
                let index = u32::try_from(step["index"].as_u64().unwrap()).unwrap();
                pail_index = Some(index);
                args.push(ScVal::U32(index));
            }
            _ => {
                let nonce: u64 = step["nonce"].as_str().unwrap().parse().unwrap();
                args.push(ScVal::Bytes(ScBytes(work_hash(&bench, nonce, &farmer))));
                args.push(ScVal::U64(nonce));
            }
        }
        let result = bench.farm_call(at, operation, args);
        match (result, step.get("error").and_then(Value::as_u64)) {
            (Ok(value), None) => assert_eq!(plain(&value), step["result"], "{place}"),
            (Err(code), Some(expected)) => assert_eq!(u64::from(code), expected, "{place}"),
            (result, _) => panic!("{place}: got {result:?}"),
        }
        let index = bench.instance("FarmIndex").unwrap_or(ScVal::U32(0));
        assert_eq!(plain(&index), step["farm_index"], "{place}");
        let block =
            bench.temporary(vec![symbol("Block"), index.clone()]).map_or(Value::Null, |block| plain(&block));
        assert_eq!(block, step["block"], "{place}");
        let open = plain(&bench.instance("FarmBlock").unwrap());
        assert_eq!(open["entropy"], step["farm_block_entropy"], "{place}");
        let pail_index = pail_index.map_or(index, ScVal::U32);
        let pail = bench
            .temporary(vec![symbol("Pail"), farmer, pail_index])
            .map_or(Value::Null, |pail| plain(&pail));
        assert_eq!(pail, step["pail"], "{place}");
    }
    steps.len()
}

#[test]
fn every_scenario_replays_on_the_host() {
    let scenarios = vectors()["scenarios"].take();
    let steps = on_a_deep_stack(move || scenarios.as_array().unwrap().iter().map(replay).sum::<usize>());
    assert_eq!(steps, 276);
}

#[test]
fn committed_wasm_is_the_one_that_was_hashed() {
    let committed = include_str!("../../contracts/farm.wasm.sha256").split(' ').next().unwrap();
    assert_eq!(hex(&Sha256::digest(FARM_WASM)), committed);
}

fn u32_of(value: &Value) -> ScVal {
    ScVal::U32(u32::try_from(value.as_u64().unwrap()).unwrap())
}

/// A block whose totals are given, with the ranges of a vector or none.
fn block(ranges: &Value, normalized_total: &str, staked_total: &str) -> ScVal {
    let number = |name: &str| ranges.get(name).map_or(ScVal::U32(0), u32_of);
    let stake = |name: &str| i128_val(ranges.get(name).and_then(Value::as_str).unwrap_or("0"));
    sc_map(vec![
        ("entropy", ScVal::Bytes(ScBytes(vec![0; 32].try_into().unwrap()))),
        ("max_gap", number("max_gap")),
        ("max_stake", stake("max_stake")),
        ("max_zeros", number("max_zeros")),
        ("min_gap", number("min_gap")),
        ("min_stake", stake("min_stake")),
        ("min_zeros", number("min_zeros")),
        ("normalized_total", i128_val(normalized_total)),
        ("staked_total", i128_val(staked_total)),
        ("timestamp", ScVal::U64(START)),
    ])
}

fn pail(gap: ScVal, stake: &str, zeros: ScVal) -> ScVal {
    sc_map(vec![("gap", gap), ("sequence", ScVal::U32(1_000)), ("stake", i128_val(stake)), ("zeros", zeros)])
}

/// What a harvest of this pail in this block gives.
fn harvest(bench: &mut Bench, index: u32, block: ScVal, pail: ScVal) -> Result<ScVal, u32> {
    let farmer = ScVal::Address(FARMER.parse().unwrap());
    bench.put_instance("FarmIndex", ScVal::U32(index + 1));
    bench.put_temporary(vec![symbol("Block"), ScVal::U32(index)], block);
    bench.put_temporary(vec![symbol("Pail"), farmer.clone(), ScVal::U32(index)], pail);
    bench.farm_call((2_000, START + 600), "harvest", vec![farmer, ScVal::U32(index)])
}

#[test]
fn every_block_reward() {
    on_a_deep_stack(|| {
        let mut bench = Bench::new(START, &[], 0);
        for vector in vectors()["block_rewards"].as_array().unwrap() {
            let index = u32::try_from(vector["index"].as_u64().unwrap()).unwrap();
            // One farmer whose contribution of 3 is all there is.
            let lone = pail(ScVal::U32(1), "0", ScVal::U32(0));
            let reward = harvest(&mut bench, index, block(&Value::Null, "3", "0"), lone).unwrap();
            assert_eq!(plain(&reward), vector["block_reward"], "{vector}");
        }
    });
}

#[test]
fn every_normalization() {
    on_a_deep_stack(|| {
        let mut bench = Bench::new(START, &[], 0);
        for vector in vectors()["normalizations"].as_array().unwrap() {
            let normalized = vector["normalized"].as_array().unwrap();
            let sum: i128 =
                normalized.iter().map(|part| part.as_str().unwrap().parse::<i128>().unwrap()).sum();
            // With a total of all that is given out, the reward is the contribution itself.
            let made = block(&vector["block"], "25050000000", "0");
            let pail =
                pail(u32_of(&vector["gap"]), vector["stake"].as_str().unwrap(), u32_of(&vector["zeros"]));
            let reward = harvest(&mut bench, 7, made, pail).unwrap();
            assert_eq!(plain(&reward), Value::from(sum.to_string()), "{vector}");
        }
    });
}

#[test]
fn reward_passes_128_bits_on_the_way() {
    on_a_deep_stack(|| {
        let mut bench = Bench::new(START, &[], 0);
        // The gap is at the end of its range, so its part is the scale, 2^100: times a pot of 2^90, over 2^101.
        let total = (1_i128 << 101).to_string();
        let staked = ((1_i128 << 90) - 25_050_000_000).to_string();
        let ranges = serde_json::json!({ "max_gap": 1, "max_stake": (1_i128 << 100).to_string() });
        let lone = pail(ScVal::U32(1), "0", ScVal::U32(0));
        let reward = harvest(&mut bench, 7, block(&ranges, &total, &staked), lone);
        assert_eq!(reward, Ok(i128_val(&(1_i128 << 89).to_string())));
    });
}

#[test]
fn errors_that_no_scenario_reaches() {
    on_a_deep_stack(|| {
        let mut bench = Bench::new(START, &[FARMER], 1_000);
        let farmer = ScVal::Address(FARMER.parse().unwrap());
        let plant = |amount: &str| vec![farmer.clone(), i128_val(amount)];
        let work = |bench: &Bench, nonce: u64| {
            let hash = ScVal::Bytes(ScBytes(work_hash(bench, nonce, &farmer)));
            vec![farmer.clone(), hash, ScVal::U64(nonce)]
        };
        let at = (1_000, START);
        assert_eq!(bench.farm_call(at, "unpause", vec![]), Err(5));
        bench.farm_call(at, "pause", vec![]).unwrap();
        assert_eq!(bench.farm_call(at, "pause", vec![]), Err(4));
        assert_eq!(bench.farm_call(at, "plant", plant("-1")), Err(6), "the amount is looked at first");
        assert_eq!(bench.farm_call(at, "plant", plant("1")), Err(4));
        bench.farm_call(at, "unpause", vec![]).unwrap();
        assert_eq!(bench.farm_call(at, "work", work(&bench, 1)), Err(11), "no block yet");
        // More than the farmer has: the token's own error, not the farm's.
        assert_eq!(bench.farm_call(at, "plant", plant("1001")), Err(10));
        bench.farm_call(at, "plant", plant("1000")).unwrap();
        assert_eq!(bench.farm_call(at, "work", work(&bench, 1)), Err(15), "no gap in the same ledger");
        let mut wrong = work(&bench, 1);
        wrong[2] = ScVal::U64(2);
        assert_eq!(bench.farm_call((1_001, START), "work", wrong), Err(13));
        let invalid = block(&serde_json::json!({ "min_gap": 1 }), "0", "1000");
        bench.put_temporary(vec![symbol("Block"), ScVal::U32(0)], invalid);
        assert_eq!(bench.farm_call((1_001, START), "work", work(&bench, 1)), Err(12));
        let worked = pail(ScVal::U32(1), "1000", ScVal::U32(0));
        let invalid = block(&serde_json::json!({ "min_zeros": 1 }), "0", "1000");
        assert_eq!(harvest(&mut bench, 7, invalid, worked), Err(12), "as at the work");
    });
}

#[test]
fn a_block_that_is_gone_is_replaced_without_a_reset() {
    on_a_deep_stack(|| {
        let mut bench = Bench::new(START, &[FARMER], 1_000);
        let farmer = ScVal::Address(FARMER.parse().unwrap());
        bench.farm_call((1_000, START), "plant", vec![farmer.clone(), i128_val("10")]).unwrap();
        bench.farm_call((1_060, START + 300), "plant", vec![farmer.clone(), i128_val("20")]).unwrap();
        bench.remove_temporary(vec![symbol("Block"), ScVal::U32(1)]);
        bench.farm_call((1_061, START + 305), "plant", vec![farmer.clone(), i128_val("30")]).unwrap();
        assert_eq!(bench.instance("FarmIndex"), Some(ScVal::U32(2)));
        let made = plain(&bench.temporary(vec![symbol("Block"), ScVal::U32(2)]).unwrap());
        assert_eq!(made["timestamp"], START + 305, "it begins with its plant");
        assert_eq!((&made["min_stake"], &made["max_stake"]), (&Value::from("20"), &Value::from("20")));
        let open = plain(&bench.instance("FarmBlock").unwrap());
        assert_eq!((&open["min_stake"], &open["max_stake"]), (&Value::from("20"), &Value::from("30")));
        assert_eq!(open["timestamp"], START + 300, "the clock goes on");
        // By which the next plant rolls over, five seconds before the block is as old as that.
        bench.farm_call((1_120, START + 600), "plant", vec![farmer, i128_val("40")]).unwrap();
        assert_eq!(bench.instance("FarmIndex"), Some(ScVal::U32(3)));
    });
}

#[test]
fn a_farm_that_nobody_has_planted_in() {
    on_a_deep_stack(|| {
        let mut bench = Bench::new(START, &[FARMER], 1_000);
        let farmer = ScVal::Address(FARMER.parse().unwrap());
        let open = plain(&bench.instance("FarmBlock").unwrap());
        let (most, least) = (i128::MAX.to_string(), i128::MIN.to_string());
        assert_eq!((&open["min_stake"], &open["max_stake"]), (&Value::from(most), &Value::from(least)));
        assert_eq!((&open["min_gap"], &open["max_gap"]), (&Value::from(u32::MAX), &Value::from(0)));
        assert_eq!(bench.instance("FarmIndex"), None);
        // Its block begins with the first plant, and is due by the clock that began with the farm.
        bench.farm_call((1_000, START + 155), "plant", vec![farmer.clone(), i128_val("50")]).unwrap();
        let made = plain(&bench.temporary(vec![symbol("Block"), ScVal::U32(0)]).unwrap());
        assert_eq!(made["timestamp"], START + 155);
        assert_eq!((&made["min_stake"], &made["max_stake"]), (&Value::from("0"), &Value::from("0")));
        assert_eq!(plain(&bench.instance("FarmBlock").unwrap())["timestamp"], START);
        assert_eq!(bench.instance("FarmIndex"), None, "no number before block 1");
        let again = vec![farmer.clone(), i128_val("0")];
        assert_eq!(bench.farm_call((1_001, START + 299), "plant", again.clone()), Err(8));
        bench.farm_call((1_002, START + 300), "plant", again).unwrap();
        assert_eq!(bench.instance("FarmIndex"), Some(ScVal::U32(1)));
        let made = plain(&bench.temporary(vec![symbol("Block"), ScVal::U32(1)]).unwrap());
        assert_eq!((&made["timestamp"], &made["max_stake"]), (&Value::from(START + 300), &Value::from("50")));
    });
}

#[test]
fn a_farm_whose_first_plant_is_late_has_no_block_0() {
    on_a_deep_stack(|| {
        let mut bench = Bench::new(START, &[FARMER], 1_000);
        let farmer = ScVal::Address(FARMER.parse().unwrap());
        bench.farm_call((1_000, START + 300), "plant", vec![farmer, i128_val("50")]).unwrap();
        assert_eq!(bench.instance("FarmIndex"), Some(ScVal::U32(1)));
        assert_eq!(bench.temporary(vec![symbol("Block"), ScVal::U32(0)]), None);
    });
}

#[test]
fn administration_needs_the_homesteader() {
    // In enforcing mode nobody has authorised it.
    use soroban_env_host::e2e_invoke::RecordingInvocationAuthMode;
    let root = super::keys::account_id(&super::keys::signing_key("vectors"));
    on_a_deep_stack(move || {
        let mut chain = super::chain::Chain::new("vectors", 900, START, 0, &root).unwrap();
        let farm = super::farm::deploy(&mut chain, FARM_WASM).unwrap();
        let view = chain.view(0).unwrap();
        let info = chain.machine.ledger_info(view.sequence, view.time);
        for function in ["pause", "unpause"] {
            let trial = super::host::Trial {
                function: super::farm::invocation(&farm.contract.parse().unwrap(), function, vec![]).unwrap(),
                auth: RecordingInvocationAuthMode::Enforcing(vec![]),
                source: &root,
                seed: [7; 32],
            };
            let (simulated, _) = chain.machine.simulate(&view.base, &info, trial, true).unwrap();
            let error = simulated.invoke_result.unwrap_err();
            assert!(error.error.is_type(stellar_xdr::ScErrorType::Auth), "{error:?}");
        }
    });
}
