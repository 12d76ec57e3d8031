//! A month of chance: deposits, transfers, withdrawals, pauses and changed weights, shared out in cycles at any
//! time; then everything is computed again from the chain, and once more by a model that knows no product code.

use super::desk::{Desk, says};
use poolctl_testkit::abi::Vault;
use poolctl_testkit::alloy::primitives::{Address, U256};
use poolctl_testkit::{Pool, Rpc, model, units};
use serde_json::json;

/// A linear congruential generator (Knuth's MMIX): the same month each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::try_from(self.below(items.len() as u64)).unwrap()]
    }
}

/// One thing that somebody does with a vault; nothing where there is nothing to do it with.
fn act(desk: &Desk, chance: &mut Chance, pool: &Pool, people: &[Address]) {
    let world = &desk.world;
    let (who, whom) = (chance.one_of(people), chance.one_of(people));
    let shares = world.node.call(pool.vault, &Vault::balanceOfCall { account: who }).unwrap();
    let some = shares / U256::from(1 + chance.below(4));
    match chance.below(5) {
        0 | 1 => {
            let assets = U256::from(1 + chance.below(5_000_000_000));
            world.deposit(pool.vault, who, assets).unwrap();
        }
        2 | 3 if !some.is_zero() => {
            world.transfer_shares(pool.vault, who, whom, some).unwrap();
        }
        4 if !some.is_zero() => {
            let most = world.node.call(pool.vault, &Vault::convertToAssetsCall { shares: some }).unwrap();
            if !most.is_zero() {
                world.withdraw(pool.vault, who, most).unwrap();
            }
        }
        _ => {}
    }
}

#[test]
fn after_a_month_of_chance_nothing_differs() {
    let desk = Desk::weighted();
    desk.first_cycle();
    let mut chance = Chance(20_261_122);
    let world = &desk.world;
    let people: Vec<Address> = world.node.accounts()[1..8].to_vec();
    for pool in [world.eighteen, world.six] {
        for person in &people {
            world.mint(pool.asset, *person, units(1_000, 18)).unwrap();
            world.approve(pool.asset, *person, pool.vault, units(1_000_000_000, 18)).unwrap();
        }
    }
    let mut paused = false;
    for day in 0..30 {
        for _ in 0..chance.below(6) {
            let pool = chance.one_of(&[world.eighteen, world.six]);
            if !(paused && pool.vault == world.six.vault) {
                act(&desk, &mut chance, &pool, &people);
            }
        }
        world.node.mine(1 + chance.below(9)).unwrap();
        match chance.below(8) {
            0 => drop(desk.run(&format!("reward set-weight stable 0.{}", chance.below(10))).ok()),
            1 => {
                if paused {
                    world.unpause(world.six.vault).unwrap();
                } else {
                    world.pause(world.six.vault).unwrap();
                }
                paused = !paused;
            }
            2 => drop(desk.run("sync").ok()),
            3..=5 => drop(desk.run("reward cycle").ok()),
            _ => {}
        }
        if day == 20 {
            desk.run("reward claim alice --all").ok();
        }
    }
    desk.world.node.mine(12).unwrap();
    desk.run("reward cycle").ok();
    let found = desk.json("reward epoch verify --all");
    assert_eq!(found["difference_count"], 0, "{found}");
    let epochs = found["epochs"].as_array().unwrap();
    assert!(epochs.len() > 40, "{} epochs", epochs.len());
    says(
        &json!(desk.rows("SELECT DISTINCT carry_reason FROM pool_reward_epochs").join(" ")),
        &["pool_paused"],
    );
    desk.sound();

    // The model replays the vault that was never paused, by the weights that were in force.
    let growth = world.eighteen;
    let rpc = Rpc::new(world.node.url()).unwrap();
    let moved = model::moved(&rpc, growth.vault, growth.deploy_block).unwrap();
    let members = desk.rows("SELECT address FROM members ORDER BY id");
    let rank = |who: &Address| members.iter().position(|address| *address == who.to_string()).unwrap();
    let parts =
        desk.rows("SELECT start_block, part FROM pool_reward_epochs WHERE pool_id = 1 ORDER BY start_block");
    let mut carry = U256::ZERO;
    let mut rewards = 0;
    for line in parts {
        let (start, part) = line.split_once(" | ").unwrap();
        let (start, part) = (start.parse::<u64>().unwrap(), part.parse::<U256>().unwrap());
        // What was held before the epoch is what came in its first block.
        let held: Vec<model::Moved> = moved
            .iter()
            .filter(|m| m.block < start + 10)
            .map(|m| model::Moved { block: m.block.max(start), ..m.clone() })
            .collect();
        let want = model::rewards(&held, start, start + 9, part + carry, rank);
        carry = want.get(&(start + 10, Address::ZERO)).copied().unwrap_or_default();
        let got = desk.rows(&format!(
            "SELECT m.address, r.amount FROM pool_rewards r JOIN pool_reward_epochs e ON e.id = r.epoch_id
             JOIN members m ON m.id = r.member_id WHERE e.pool_id = 1 AND e.start_block = {start} ORDER BY m.id"
        ));
        let mut due: Vec<(usize, String)> = want
            .iter()
            .filter(|((_, who), _)| !who.is_zero())
            .map(|((_, who), amount)| (rank(who), format!("{who} | {amount}")))
            .collect();
        due.sort();
        rewards += due.len();
        assert_eq!(got, due.into_iter().map(|(_, line)| line).collect::<Vec<_>>(), "epoch from {start}");
    }
    assert!(rewards > 50, "{rewards} rewards");
}
