//! Epochs made manually, beside and instead of those of the grid.

use super::desk::{Desk, says};
use crate::support::ended;
use poolctl_testkit::alloy::primitives::U256;
use poolctl_testkit::units;
use serde_json::{Value, json};

fn sum(desk: &Desk, sql: &str) -> U256 {
    desk.rows(sql).iter().map(|text| text.parse::<U256>().unwrap()).sum()
}

/// Everything that was emitted or given manually stands with members or is carried; and the chain says the same.
#[track_caller]
fn sound(desk: &Desk) {
    let by_hand =
        sum(desk, "SELECT part FROM pool_reward_epochs WHERE origin = 'manual' AND status = 'distributed'");
    let emitted = sum(desk, "SELECT emission FROM reward_emissions");
    let given = sum(desk, "SELECT amount FROM pool_rewards");
    let carried = sum(desk, "SELECT reward_carry FROM pools");
    let unsplit = sum(desk, "SELECT carry_out FROM reward_emissions ORDER BY start_block DESC LIMIT 1");
    assert_eq!(by_hand + emitted, given + carried + unsplit);
    desk.sound();
    let verified = desk.json("reward epoch verify --all");
    assert_eq!(verified["difference_count"], 0, "{verified}");
}

fn blocks(desk: &Desk, pool: &str) -> Vec<String> {
    desk.rows(&format!(
        "SELECT e.origin, e.start_block, e.end_block, e.status FROM pool_reward_epochs e
         JOIN pools p ON p.id = e.pool_id WHERE p.name = '{pool}' ORDER BY e.start_block"
    ))
}

fn mine_to_final(desk: &Desk, block: u64) {
    let last = desk.final_block();
    if last < block {
        desk.world.node.mine(block - last).unwrap();
    }
    assert!(desk.final_block() >= block);
}

#[test]
fn by_hand_alone_epochs_are_paid_in_order_when_they_are_final() {
    let desk = Desk::ready();
    let first = desk.final_block() - 3;
    let (second, end) = (first + 4, first + 20);
    let make = |start: u64, end: u64, total: &str| {
        format!("reward epoch create growth --start {start} --end {end} --total {total}")
    };
    desk.unchanged(|| desk.run(&format!("{} --dry-run --json", make(first, second, "70"))).exits(0));
    let made = desk.json(&make(first, second, "70"));
    assert_eq!(
        (&made["status"], &made["origin"], &made["changed"]),
        (&json!("created"), &json!("manual"), &json!(true))
    );
    assert_eq!(
        (&made["part"], &made["distributed"]),
        (&json!("70.000000000000000000"), &json!("0.000000000000000000"))
    );
    let again = desk.unchanged(|| desk.json(&make(first, second, "70")));
    assert_eq!((&again["epoch"], &again["changed"]), (&made["epoch"], &json!(false)));
    desk.run(&make(second, end, "5.5")).ok();
    desk.sound();
    // Neither overlap nor gap, and nothing that is no amount.
    for (start, to, total, code) in [
        (first, second, "71", "conflict"),
        (first, second + 1, "70", "conflict"),
        (end - 1, end + 5, "1", "conflict"),
        (end + 1, end + 5, "1", "conflict"),
        (end, end, "1", "invalid_value"),
        (end, end - 1, "1", "invalid_value"),
        (end, end + 5, "0", "invalid_amount"),
        (end, end + 5, "-1", "invalid_amount"),
        (end, end + 5, "1e3", "invalid_amount"),
        (end, end + 5, "0.0000000000000000001", "invalid_amount"),
    ] {
        let line = make(start, to, total);
        desk.refuses_offline(&line.split(' ').collect::<Vec<_>>(), code, &["--"]);
    }
    // Never before it is final.
    let (one, two) = (made["epoch"].as_i64().unwrap(), made["epoch"].as_i64().unwrap() + 1);
    let envelope =
        desk.unchanged(|| desk.run(&format!("reward epoch distribute {two}")).fails(4, "not_final"));
    says(&envelope["error"]["message"], &[&format!("ends with block {}", end - 1)]);
    desk.unchanged(|| desk.run(&format!("reward epoch verify {two}")).fails(2, "invalid_value"));
    let dry = desk.unchanged(|| desk.run("reward epoch distribute --dry-run --json").exits(0).envelope());
    let paid = desk.json("reward epoch distribute");
    assert_eq!(dry["data"], paid, "a dry run says what will be done");
    let epochs = paid["pools"][0]["epochs"].as_array().unwrap();
    assert_eq!(epochs.len(), 1);
    assert_eq!(
        (&epochs[0]["epoch"], &epochs[0]["distributed"]),
        (&json!(one), &json!("70.000000000000000000"))
    );
    let already = desk.unchanged(|| desk.json(&format!("reward epoch distribute {one}")));
    assert_eq!(already["already"]["epoch"], one);
    desk.unchanged(|| desk.run("reward epoch distribute").ok());
    sound(&desk);
    mine_to_final(&desk, end - 1);
    // Without any weight, the cycle pays what was made manually.
    let paid = desk.json("reward cycle");
    assert_eq!(paid["pools"][0]["epochs"][0]["epoch"], two);
    assert_eq!(paid["pools"][0]["epochs"][0]["distributed"], "5.500000000000000000");
    desk.unchanged(|| desk.run("reward epoch distribute").ok());
    let shown = desk.json(&format!("reward epoch show {two}"));
    assert_eq!((&shown["status"], &shown["weight_ppm"]), (&json!("distributed"), &Value::Null));
    sound(&desk);
    desk.run(&format!("reward epoch distribute {}", two + 7)).fails(2, "unknown_epoch");
    desk.run("reward epoch create nowhere --start 1 --end 2 --total 1").fails(2, "unknown_pool");
}

#[test]
fn on_the_grid_it_stands_in_the_place_of_what_it_covers() {
    let desk = Desk::weighted();
    let cycle = desk.first_cycle();
    let next = cycle["pools"][0]["next_start_block"].as_u64().unwrap();
    let line =
        |start: u64, end: u64| format!("reward epoch create growth --start {start} --end {end} --total 7");
    for (start, end) in [(next, next + 5), (next + 1, next + 11)] {
        desk.unchanged(|| desk.run(&line(start, end)).fails(2, "invalid_value"));
    }
    let paid = cycle["pools"][0]["epochs"][0]["start_block"].as_u64().unwrap();
    desk.unchanged(|| desk.run(&line(paid, paid + 10)).fails(2, "conflict"));
    let made = desk.json(&line(next + 10, next + 30));
    desk.sound();
    mine_to_final(&desk, next + 49);
    // What comes before it has not been paid.
    let id = &made["epoch"];
    let envelope = desk.unchanged(|| desk.run(&format!("reward epoch distribute {id}")).fails(2, "conflict"));
    says(&envelope["error"]["hint"], &["reward cycle"]);
    let cycle = desk.json("reward cycle");
    let of = |name: &str, n: usize| {
        let pools = cycle["pools"].as_array().unwrap();
        pools.iter().find(|p| p["pool"] == name).unwrap()["epochs"][n].clone()
    };
    assert_eq!(of("growth", 0)["part"], "15.000000000000000000");
    assert_eq!((&of("growth", 1)["epoch"], &of("growth", 1)["part"]), (id, &json!("7.000000000000000000")));
    assert_eq!(of("growth", 2)["start_block"], next + 30);
    assert_eq!(of("growth", 2)["part"], "15.000000000000000000");
    for (n, part) in ["5", "20", "20", "5"].iter().enumerate() {
        assert_eq!(of("stable", n)["part"], format!("{part}.000000000000000000"), "{cycle}");
    }
    sound(&desk);
    assert_eq!(desk.unchanged(|| desk.json("reward cycle"))["pools"][0]["epochs"], json!([]));
    // Other settings wait until the grid of the day is free of epochs made manually.
    let ahead = next + 70;
    desk.run(&line(ahead, ahead + 20)).ok();
    let config = std::fs::read_to_string(desk.home.config()).unwrap();
    desk.home.write_config(&config.replace("reward.epoch_blocks = 10", "reward.epoch_blocks = 7"));
    let envelope = desk.run("reward cycle --json").exits(0).envelope();
    says(&envelope["warnings"][0], &[&format!("from block {}", ahead + 20)]);
    mine_to_final(&desk, ahead + 40);
    desk.run("reward cycle").ok();
    assert!(blocks(&desk, "growth").contains(&format!(
        "cycle | {} | {} | distributed",
        ahead + 20,
        ahead + 27
    )));
    sound(&desk);
}

#[test]
fn a_pool_paid_by_hand_joins_the_grid_and_takes_its_carry_along() {
    let desk = Desk::ready();
    desk.run("reward set-weight stable 1").ok();
    let genesis = desk.genesis();
    desk.first_cycle();
    // Before its first holder: all of it is carried.
    let deploy = desk.world.eighteen.deploy_block;
    desk.run(&format!("reward epoch create growth --start {deploy} --end {} --total 3", deploy + 2)).ok();
    let paid = desk.json("reward epoch distribute");
    let epoch = &paid["pools"][0]["epochs"][0];
    assert_eq!(
        (&epoch["carry_reason"], &epoch["carry_out"]),
        (&json!("no_holders"), &json!("3.000000000000000000"))
    );
    sound(&desk);
    let last = desk.final_block();
    let off_grid = genesis + (last + 3 - genesis).div_ceil(10) * 10 + 4;
    desk.run(&format!("reward epoch create growth --start {} --end {off_grid} --total 2", deploy + 2)).ok();
    desk.run("reward set-weight growth 1").exits(0);
    mine_to_final(&desk, off_grid + 30);
    let cycle = desk.json("reward cycle");
    let growth = cycle["pools"].as_array().unwrap().iter().find(|p| p["pool"] == "growth").unwrap();
    let epochs = growth["epochs"].as_array().unwrap();
    assert_eq!(epochs[0]["carry_in"], "3.000000000000000000");
    assert_eq!(epochs[0]["distributed"], "5.000000000000000000");
    assert_eq!(epochs[1]["start_block"], off_grid + 6, "the next boundary: {cycle}");
    assert_eq!(epochs[1]["part"], "10.000000000000000000");
    sound(&desk);
}

#[test]
fn value_moves_with_consent_and_in_one_token() {
    let desk = Desk::ready();
    let last = desk.final_block();
    let line = format!("reward epoch create growth --start {} --end {} --total 1", last - 4, last);
    desk.run(&line).ok();
    desk.setting("guard.confirm = true");
    desk.unchanged(|| desk.run("reward epoch distribute").fails(4, "needs_confirmation"));
    desk.unchanged(|| desk.run("reward epoch distribute --dry-run --json").exits(0));
    let config = std::fs::read_to_string(desk.home.config()).unwrap();
    let (eighteen, six) = (desk.world.eighteen.asset.to_string(), desk.world.six.asset.to_string());
    desk.home.write_config(
        &config.replace(&format!("reward.asset = \"{eighteen}\""), &format!("reward.asset = \"{six}\"")),
    );
    let other = format!("reward epoch create growth --start {last} --end {} --total 1", last + 1);
    let envelope = desk.unchanged(|| desk.run(&other).fails(2, "conflict"));
    says(&envelope["error"]["message"], &["rewards are counted in"]);
    desk.run("reward set-weight growth 1").ok();
    desk.unchanged(|| desk.run(&format!("reward cycle --from {} --yes", last + 5)).fails(2, "conflict"));
    desk.home.write_config(&config);
    desk.run("reward epoch distribute --yes").ok();
    sound(&desk);
}

#[test]
fn two_at_once_pay_once() {
    let desk = Desk::weighted();
    let last = desk.final_block();
    desk.first_cycle();
    desk.world.deposit(desk.world.eighteen.vault, desk.world.dave, units(3, 18)).unwrap();
    mine_to_final(&desk, last + 45);
    let alone = desk.home.fork();
    alone.run("reward cycle").ok();
    let want = super::desk::lasting(&alone.sqlite());
    for _ in 0..3 {
        let home = desk.home.fork();
        let cycles: Vec<_> = (0..3).map(|_| home.run("reward cycle --wait 60s --json").spawn()).collect();
        let mut paid = 0;
        for cycle in cycles {
            let ran = ended(cycle);
            assert_eq!(ran.code, Some(0), "{ran:?}");
            let pools = ran.envelope()["data"]["pools"].clone();
            let epochs = pools.as_array().unwrap().iter().map(|p| p["epochs"].as_array().unwrap().len());
            paid += usize::from(epochs.sum::<usize>() > 0);
        }
        assert_eq!(paid, 1, "one paid, the others found nothing to do");
        super::desk::same(&want, &super::desk::lasting(&home.sqlite()));
        super::desk::sound(&home);
    }
}

#[test]
fn no_epoch_by_hand_ends_off_the_grid_of_a_pool_with_a_weight() {
    let desk = Desk::ready();
    desk.run("reward set-weight growth 1").ok();
    let begin = desk.final_block() + 1;
    desk.run(&format!("reward cycle --from {begin}")).ok();
    let make = |start: u64, end: u64| {
        format!("reward epoch create growth --start {} --end {} --total 7", begin + start, begin + end)
    };
    desk.run(&make(20, 30)).ok();
    // Blocks 37 to 39 would be paid to nobody.
    let envelope = desk.unchanged(|| desk.run(&make(30, 37)).fails(2, "invalid_value"));
    says(&envelope["error"]["hint"], &[&format!("use block {}", begin + 40)]);
    let envelope = desk.unchanged(|| desk.run(&make(30, 47)).fails(2, "invalid_value"));
    says(&envelope["error"]["hint"], &[&format!("use block {} or {}", begin + 40, begin + 50)]);
    desk.run(&make(30, 40)).ok();
    mine_to_final(&desk, begin + 49);
    desk.run("reward cycle").ok();
    let want: Vec<String> = [("cycle", 0), ("cycle", 10), ("manual", 20), ("manual", 30), ("cycle", 40)]
        .map(|(origin, at)| format!("{origin} | {} | {} | distributed", begin + at, begin + at + 10))
        .into();
    assert_eq!(blocks(&desk, "growth"), want);
    sound(&desk);
}

#[test]
fn a_weight_after_epochs_by_hand_names_the_blocks_that_have_none() {
    let desk = Desk::ready();
    desk.run("reward set-weight stable 1").ok();
    let begin = desk.final_block() - 3;
    desk.run(&format!("reward cycle --from {begin}")).ok();
    desk.run(&format!("reward epoch create growth --start {begin} --end {} --total 7", begin + 57)).ok();
    let envelope = desk.run("reward set-weight growth 1 --json").exits(0).envelope();
    let gap = format!("--start {} --end {}", begin + 57, begin + 60);
    says(&envelope["warnings"][0], &[&gap]);
    let fill = |start: u64, end: u64| {
        format!("reward epoch create growth --start {} --end {} --total 1", begin + start, begin + end)
    };
    let envelope = desk.unchanged(|| desk.run(&fill(57, 62)).fails(2, "invalid_value"));
    says(&envelope["error"]["hint"], &[&format!("{} or {}", begin + 60, begin + 70)]);
    desk.run(&fill(57, 60)).ok();
    mine_to_final(&desk, begin + 69);
    desk.run("reward cycle").ok();
    assert_eq!(blocks(&desk, "growth")[2], format!("cycle | {} | {} | distributed", begin + 60, begin + 70));
    sound(&desk);
}
