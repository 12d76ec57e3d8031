//! Marginal values against two runs of the farm that differ in just that.

use grind::block::zeros as zeros_of;
use kale::model::{Model, Moment, Refusal};
use kale::{Fault, forecast};
use stellar_xdr::ScAddress;

const START: u64 = 1_700_000_000;
const UNIT: i128 = 10_000_000;

fn farmer(seed: u8) -> ScAddress {
    stellar_strkey::ed25519::PublicKey([seed; 32]).to_string().parse().unwrap()
}

/// A nonce whose hash has exactly so many zeros.
fn nonce(model: &Model, farmer: &ScAddress, zeros: u32) -> (u64, [u8; 32]) {
    let index = model.farm.index;
    let job = model.blocks[&index].job(index, farmer).unwrap();
    let found = (0u64..10_000_000).find(|nonce| zeros_of(&job.hash(*nonce)) == zeros).unwrap();
    (found, job.hash(found))
}

fn work(model: &mut Model, farmer: &ScAddress, zeros: u32, ledger: u32) {
    let (nonce, digest) = nonce(model, farmer, zeros);
    model.work(farmer, digest, nonce, Moment { ledger, time: START + 400 }).unwrap();
}

/// Block 1 with ranges of every kind, two others in it, and our farmer with a stake; earlier work of ours if asked for.
fn scene(stake: i128, before: Option<u32>) -> Model {
    let mut model = Model::new(START);
    for (seed, stake) in [(1, 5 * UNIT), (2, 900 * UNIT)] {
        model.plant(&farmer(seed), stake, Moment { ledger: 100, time: START }).unwrap();
        work(&mut model, &farmer(seed), u32::from(seed - 1) * 3, 100 + 20 * u32::from(seed));
    }
    let rolled = Moment { ledger: 160, time: START + 300 };
    for (seed, stake) in [(3, 77 * UNIT), (4, 300 * UNIT), (5, stake)] {
        model.plant(&farmer(seed), stake, rolled).unwrap();
    }
    work(&mut model, &farmer(3), 1, 185);
    if let Some(zeros) = before {
        work(&mut model, &farmer(5), zeros, 183);
    }
    model
}

/// What our farmer is paid after work of so many zeros in this ledger.
fn paid(mut model: Model, zeros: u32, ledger: u32) -> i128 {
    work(&mut model, &farmer(5), zeros, ledger);
    model.farm.index += 1;
    model.harvest(&farmer(5), 1).unwrap()
}

#[test]
fn marginal_values_are_what_would_be_paid_more() {
    for (before, zeros, ledger) in [(None, 1, 190), (None, 0, 181), (Some(0), 1, 190), (Some(1), 2, 192)] {
        let stake = 50 * UNIT;
        let model = scene(stake, before);
        let (block, pail) = (&model.blocks[&1], &model.pails[&(farmer(5), 1)]);
        let said = forecast::of_work(1, block, pail, ledger, zeros, UNIT).unwrap();
        let reward = paid(model.clone(), zeros, ledger);
        assert_eq!(said.reward, reward);
        assert_eq!((said.gap, said.zeros), (ledger - 160, zeros));
        let without = before.map_or(0, |_| {
            let mut model = model.clone();
            model.farm.index += 1;
            model.harvest(&farmer(5), 1).unwrap()
        });
        assert_eq!(said.adds, reward - without);
        assert_eq!(said.one_more_zero, paid(model.clone(), zeros + 1, ledger) - reward);
        assert_eq!(said.one_more_ledger, paid(model.clone(), zeros, ledger + 1) - reward);
        assert_eq!(said.more_stake, paid(scene(stake + UNIT, before), zeros, ledger) - reward);
        for gain in [said.one_more_zero, said.one_more_ledger, said.more_stake] {
            assert!(gain > 0, "{said:?}");
        }
    }
}

#[test]
fn nothing_is_gained_beyond_the_ranges() {
    let model = scene(900 * UNIT, None);
    let (block, pail) = (&model.blocks[&1], &model.pails[&(farmer(5), 1)]);
    let said = forecast::of_work(1, block, pail, 160 + block.max_gap, block.max_zeros, UNIT).unwrap();
    assert_eq!((said.one_more_zero, said.one_more_ledger, said.more_stake), (0, 0, 0));
    // 64 zeros are all that there are.
    assert_eq!(forecast::of_work(1, block, pail, 200, 64, UNIT).unwrap().one_more_zero, 0);
}

#[test]
fn what_the_contract_would_refuse_is_no_forecast() {
    let model = scene(UNIT, Some(1));
    let (block, pail) = (&model.blocks[&1], &model.pails[&(farmer(5), 1)]);
    let refused = |ledger, zeros| forecast::of_work(1, block, pail, ledger, zeros, UNIT).unwrap_err();
    assert_eq!(refused(190, 1), Refusal::Fault(Fault::ZeroCountTooLow));
    assert_eq!(refused(160, 2), Refusal::Fault(Fault::GapCountTooLow));
    assert_eq!(refused(159, 2), Refusal::Fault(Fault::GapCountTooLow));
    let broken = kale::Block { min_zeros: 9, max_zeros: 8, ..block.clone() };
    let refused = forecast::of_work(1, &broken, pail, 190, 2, UNIT).unwrap_err();
    assert_eq!(refused, Refusal::Fault(Fault::BlockInvalid));
    let idle = &model.pails[&(farmer(4), 1)];
    assert_eq!(forecast::paid_now(1, block, idle), Err(Refusal::Fault(Fault::WorkMissing)));
}
