//! Weights and terms of rewards: a change holds from the next epoch on, and never for what is emitted already.

use super::desk::{Desk, says, warnings};
use poolctl_testkit::alloy::primitives::U256;
use serde_json::Value;

/// First epoch start above the head.
fn next_epoch(desk: &Desk, genesis: u64, length: u64) -> u64 {
    let head = desk.world.node.block_number().unwrap();
    genesis + (head + 1 - genesis).div_ceil(length) * length
}

/// (start, end, part) of a pool's epochs.
fn parts(desk: &Desk, pool: &str) -> Vec<String> {
    desk.rows(&format!(
        "SELECT e.start_block, e.end_block, e.part FROM pool_reward_epochs e JOIN pools p ON p.id = e.pool_id
         WHERE p.name = '{pool}' ORDER BY e.start_block"
    ))
}

fn of(desk: &Desk, pool: &str, start: u64) -> U256 {
    let sql = format!(
        "SELECT e.part FROM pool_reward_epochs e JOIN pools p ON p.id = e.pool_id
         WHERE p.name = '{pool}' AND e.start_block = {start}"
    );
    desk.one(&sql).parse().unwrap()
}

fn whole(units: u64) -> U256 {
    poolctl_testkit::units(units, 18)
}

#[test]
fn a_weight_holds_from_the_next_epoch_on() {
    let desk = Desk::weighted();
    desk.first_cycle();
    let genesis = desk.genesis();
    // In the middle of an epoch; the ones before are not all paid yet.
    desk.world.node.mine(25).unwrap();
    let next = next_epoch(&desk, genesis, 10);
    let set = desk.json("reward set-weight growth 0.25");
    assert_eq!(set["effective_block"], next);
    let shown = desk.json("reward weights");
    let growth = &shown["weights"][0];
    assert_eq!((&growth["weight"], &growth["share"]), (&"0.750000".into(), &"0.750000".into()));
    assert_eq!((&growth["next_weight"], &growth["next_block"]), (&"0.250000".into(), &next.into()));
    desk.world.node.mine(23).unwrap();
    desk.run("reward cycle").ok();
    for start in (genesis..next).step_by(10) {
        assert_eq!(
            (of(&desk, "growth", start), of(&desk, "stable", start)),
            (whole(15), whole(5)),
            "{start}"
        );
    }
    for start in [next, next + 10] {
        assert_eq!(
            (of(&desk, "growth", start), of(&desk, "stable", start)),
            (whole(10), whole(10)),
            "{start}"
        );
    }
    assert_eq!(desk.json("reward weights")["weights"][0]["weight"], "0.250000");
    desk.sound();
}

#[test]
fn weights_are_normalised_and_nothing_is_lost_in_thirds() {
    let desk = Desk::ready();
    let third = desk.world.add_vault(desk.world.six.asset, 0).unwrap().address().unwrap();
    desk.world.deposit(third, desk.world.dave, U256::from(9)).unwrap();
    desk.world.node.mine(2).unwrap();
    desk.run(&format!("pool add third {third}")).ok();
    for pool in ["growth", "stable", "third"] {
        desk.run(&format!("reward set-weight {pool} 0.000001")).ok();
    }
    desk.first_cycle();
    let start = desk.genesis();
    let parts: Vec<U256> = ["growth", "stable", "third"].map(|pool| of(&desk, pool, start)).into();
    assert_eq!(parts.iter().sum::<U256>(), whole(20));
    let floor = whole(20) / U256::from(3);
    // Two units are left over; they go to the pools that were added first.
    assert_eq!(parts, [floor + U256::ONE, floor + U256::ONE, floor]);
    desk.sound();
}

#[test]
fn where_every_weight_is_zero_the_emission_waits() {
    let desk = Desk::ready();
    for pool in ["growth", "stable"] {
        desk.run(&format!("reward set-weight {pool} 0")).ok();
    }
    let first = desk.first_cycle();
    let epochs = first["pools"][0]["epochs"].as_array().unwrap();
    assert!(
        epochs.iter().all(|e| e["part"] == "0.000000000000000000" && e["carry_reason"] == "zero_weight"),
        "{first}"
    );
    let waiting = "SELECT carry_out FROM reward_emissions ORDER BY start_block DESC LIMIT 1";
    assert_eq!(desk.one(waiting).parse::<U256>().unwrap(), whole(20 * epochs.len() as u64));
    desk.run("reward set-weight stable 1").ok();
    desk.world.node.mine(25).unwrap();
    desk.run("reward cycle").ok();
    assert_eq!(desk.one(waiting), "0");
    let emitted: U256 =
        desk.rows("SELECT emission FROM reward_emissions").iter().map(|t| t.parse::<U256>().unwrap()).sum();
    let paid: U256 = desk
        .rows("SELECT part FROM pool_reward_epochs WHERE pool_id = 2")
        .iter()
        .map(|t| t.parse::<U256>().unwrap())
        .sum();
    assert_eq!(paid, emitted, "all of it went to the one pool with a weight");
    assert_eq!(desk.rows("SELECT DISTINCT part FROM pool_reward_epochs WHERE pool_id = 1"), ["0"]);
    desk.sound();
}

#[test]
fn changed_terms_hold_from_the_next_epoch_on() {
    let desk = Desk::weighted();
    desk.first_cycle();
    let genesis = desk.genesis();
    desk.world.node.mine(5).unwrap();
    desk.world.node.mine(12).unwrap();
    let config = std::fs::read_to_string(desk.home.config()).unwrap();
    desk.home.write_config(
        &config
            .replace("epoch_blocks = 10", "epoch_blocks = 4")
            .replace("block_reward = \"2\"", "block_reward = \"0.5\""),
    );
    let envelope = desk.run("reward cycle --json").exits(0).envelope();
    let schedule = desk.rows("SELECT from_block, epoch_blocks, block_reward FROM reward_schedule ORDER BY 1");
    assert_eq!(schedule.len(), 2, "{schedule:?}");
    let from: u64 = schedule[1].split(' ').next().unwrap().parse().unwrap();
    assert_eq!(schedule[1], format!("{from} | 4 | 500000000000000000"));
    assert!(from > desk.world.node.block_of_tag("safe").unwrap(), "nothing that has begun changes");
    assert_eq!((from - genesis) % 10, 0, "on a boundary of the old epochs");
    says(&warnings(&envelope), &["the reward settings changed", &format!("from block {from} on")]);
    // Said once; the same settings again are no change.
    desk.world.node.mine(20).unwrap();
    assert_eq!(desk.run("reward cycle --json").exits(0).envelope()["warnings"], Value::Array(Vec::new()));
    assert_eq!(desk.rows("SELECT from_block FROM reward_schedule").len(), 2);
    let epochs = parts(&desk, "growth");
    let mut end = genesis;
    for epoch in &epochs {
        let cells: Vec<&str> = epoch.split(" | ").collect();
        let start: u64 = cells[0].parse().unwrap();
        assert_eq!(start, end, "no gap, no overlap: {epochs:?}");
        let (length, part) = if start < from { (10, whole(15)) } else { (4, whole(3) / U256::from(2)) };
        end = start + length;
        assert_eq!((cells[1], cells[2]), (end.to_string().as_str(), part.to_string().as_str()), "{epoch}");
    }
    assert!(end >= from + 8, "{epochs:?}");
    desk.sound();

    // A change that never came into force leaves no trace.
    let before = desk.rows("SELECT from_block, epoch_blocks FROM reward_schedule");
    desk.setting("reward.basis = \"snapshot\"");
    desk.run("reward cycle --json").exits(0);
    assert_eq!(desk.rows("SELECT from_block FROM reward_schedule").len(), 3);
    let text = std::fs::read_to_string(desk.home.config()).unwrap();
    desk.home.write_config(&text.replace("reward.basis = \"snapshot\"\n", ""));
    desk.run("reward cycle --json").exits(0);
    assert_eq!(desk.rows("SELECT from_block, epoch_blocks FROM reward_schedule"), before);
}

#[test]
fn the_snapshot_basis_pays_what_is_held_at_the_end() {
    let desk = Desk::ready();
    desk.setting("reward.basis = \"snapshot\"");
    desk.run("reward set-weight stable 1").ok();
    // One epoch; in it, dave comes in its last block and owns a third of the pool.
    let (vault, dave) = (desk.world.six.vault, desk.world.dave);
    desk.world.approve(desk.world.six.asset, dave, vault, U256::from(1_150_617_284_u64)).unwrap();
    let start = desk.world.node.block_number().unwrap() + 1;
    desk.world.node.mine(9).unwrap();
    let receipt = desk.world.deposit(vault, dave, U256::from(1_150_617_283_u64)).unwrap();
    assert_eq!(receipt.block, start + 9);
    desk.world.node.mine(2).unwrap();
    desk.run(&format!("reward cycle --from {start}")).ok();
    let of_dave = desk.one(&format!(
        "SELECT r.amount FROM pool_rewards r JOIN members m ON m.id = r.member_id WHERE m.address = '{dave}'"
    ));
    let shares = U256::from(1_150_617_283_u64);
    let all = shares + U256::from(2_301_234_567_u64);
    let (floor, _) = (whole(20) * shares).div_rem(all);
    let got: U256 = of_dave.parse().unwrap();
    assert!(got == floor || got == floor + U256::ONE, "{got} {floor}");
    desk.sound();
}

#[test]
fn an_announced_weight_is_replaced_where_it_was_and_never_earlier() {
    let desk = Desk::weighted();
    desk.first_cycle();
    let genesis = desk.genesis();
    let head = desk.world.node.block_number().unwrap();
    desk.world.node.mine(10 - (head - genesis) % 10 + 3).unwrap();
    let next = next_epoch(&desk, genesis, 10);
    assert_eq!(desk.json("reward set-weight growth 0.5")["effective_block"], next);
    // The endpoint lags: its head is in the epoch before.
    desk.world.node.rollback(6).unwrap();
    let set = desk.json("reward set-weight growth 0.25");
    assert_eq!((&set["effective_block"], &set["replaces"]), (&next.into(), &"0.500000".into()));
    // Neither does another pool's.
    assert_eq!(desk.json("reward set-weight stable 0.75")["effective_block"], next);
    let said = desk.run("reward set-weight growth 0.125").ok();
    says(&Value::String(said), &[&format!("from block {next} on"), "instead of 0.250000"]);
    let rows =
        desk.rows("SELECT effective_block, weight_ppm FROM pool_reward_weights WHERE pool_id = 1 ORDER BY 1");
    assert_eq!(rows, ["0 | 750000".to_owned(), format!("{next} | 125000")]);
    desk.sound();
}

#[test]
fn terms_that_were_paid_by_stay_at_an_endpoint_that_lags() {
    let desk = Desk::weighted();
    desk.first_cycle();
    let config = std::fs::read_to_string(desk.home.config()).unwrap();
    let other = config.replace("block_reward = \"2\"", "block_reward = \"3\"");
    desk.home.write_config(&other);
    desk.run("reward cycle").exits(0);
    desk.world.node.mine(30).unwrap();
    desk.run("reward cycle").ok();
    let schedule = "SELECT from_block, block_reward FROM reward_schedule ORDER BY 1";
    let before = desk.rows(schedule);
    assert_eq!(before.len(), 2, "{before:?}");
    let emitted: u64 = desk.one("SELECT max(end_block) FROM reward_emissions").parse().unwrap();
    let head = desk.world.node.block_number().unwrap();
    // The settings go back, at an endpoint that has not seen the epochs paid by the second terms.
    desk.world.node.rollback(34).unwrap();
    desk.home.write_config(&config);
    let ran = desk.run("reward cycle --json").exits(0).envelope();
    let after = desk.rows(schedule);
    assert_eq!(after[..2], before[..], "what was paid by stays: {ran}");
    assert_eq!(after.len(), 3);
    let from: u64 = after[2].split(' ').next().unwrap().parse().unwrap();
    assert!(from >= emitted && from <= head + 10, "{from} {emitted}");
    // The schema refuses it too.
    let conn = desk.home.sqlite();
    let e = conn
        .execute("DELETE FROM reward_schedule WHERE block_reward = '3000000000000000000'", [])
        .unwrap_err();
    assert!(e.to_string().contains("immutable"), "{e}");
    desk.sound();
}
