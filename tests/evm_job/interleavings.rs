//! Deposits, transfers and withdrawals in any order, syncs in between that are cut anywhere, and a reorganisation in the
//! middle: in the end the state is that of a straight sync, and every balance is the contract's own.

use super::NODE;
use super::desk::{Desk, figures, says, straight, warnings};
use poolctl_testkit::abi::Vault;
use poolctl_testkit::alloy::primitives::{Address, keccak256};
use poolctl_testkit::{Fault, Pool, Rule, World, model, units};
use std::collections::BTreeSet;

/// Numbers that follow from a seed alone.
pub struct Dice(pub [u8; 32]);

impl Dice {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = keccak256(self.0).0;
        u64::from_le_bytes(self.0[..8].try_into().unwrap()) % limit
    }
}

/// Does something on chain, and says whether the contract let it.
pub fn act(world: &World, dice: &mut Dice) -> bool {
    let accounts = [world.alice, world.bob, world.carol, world.dave];
    let pools: [Pool; 2] = [world.eighteen, world.six];
    let pool = pools[usize::try_from(dice.below(2)).unwrap()];
    let mut account = || accounts[usize::try_from(dice.below(4)).unwrap()];
    let (from, to) = (account(), account());
    let amount = units(1 + dice.below(60), pool.decimals);
    let done = match dice.below(5) {
        0 | 1 => world.deposit(pool.vault, from, amount),
        2 | 3 => world.transfer_shares(pool.vault, from, to, amount),
        _ => world.withdraw(pool.vault, from, amount),
    };
    // Who has too little is refused.
    done.is_ok_and(|receipt| receipt.success)
}

/// A stretch of what may happen; returns how many syncs were whole and how many were cut off.
fn live(desk: &Desk, dice: &mut Dice) -> (u64, u64) {
    let (mut whole, mut cut, mut acts) = (0, 0, 0);
    while acts < 10 {
        match dice.below(6) {
            0 => desk.world.node.mine(1 + dice.below(4)).unwrap(),
            1 => {
                // The endpoint dies after so many answers; what came until then is kept.
                desk.wire.clear();
                let fault = Rule::new(Fault::Status(500, None)).on_method("eth_getLogs");
                desk.wire.fault(fault.after(usize::try_from(dice.below(4)).unwrap()));
                let ran = desk.run("sync --json").alone();
                desk.wire.heal();
                match ran.code {
                    Some(0) => whole += 1,
                    Some(75) => cut += 1,
                    _ => panic!("{} {}", ran.stdout, ran.stderr),
                }
            }
            2 => {
                desk.run("sync").ok();
                whole += 1;
            }
            _ => acts += u64::from(act(&desk.world, dice)),
        }
    }
    (whole, cut)
}

/// What a pool's holders have by the contract, and by the transfers alone.
fn holders_are_the_contracts(desk: &Desk, name: &str, pool: Pool) {
    let world = &desk.world;
    let synced: u64 =
        desk.one(&format!("SELECT synced_block FROM pools WHERE name = '{name}'")).parse().unwrap();
    let moved = model::moved(&poolctl_testkit::Rpc::new(world.node.url()).unwrap(), pool.vault, 0).unwrap();
    let holders: BTreeSet<Address> =
        moved.iter().flat_map(|m| [m.from, m.to]).filter(|a| !a.is_zero()).collect();
    let mut want = Vec::new();
    for account in holders {
        let at = format!("{synced:#x}");
        let held = world.node.call_at(pool.vault, &Vault::balanceOfCall { account }, at).unwrap();
        if !held.is_zero() {
            want.push(format!("{account} | {held}"));
        }
    }
    let mut got = desk.rows(&format!(
        "SELECT m.address, u.shares FROM user_pool_shares u JOIN members m ON m.id = u.member_id
         JOIN pools p ON p.id = u.pool_id WHERE p.name = '{name}' AND u.shares <> '0'"
    ));
    got.sort();
    want.sort();
    assert_eq!(got, want, "{name}");
}

#[test]
fn any_interleaving_with_a_reorg_in_the_middle_is_a_straight_sync() {
    let (mut whole, mut cut) = (0, 0);
    for seed in 1..=3u8 {
        let mut dice = Dice([seed; 32]);
        let desk = Desk::ready();
        desk.setting(&format!("evm.log_blocks = {}", 2 + dice.below(6)));
        let mut add = |(w, c): (u64, u64)| (whole, cut) = (whole + w, cut + c);
        add(live(&desk, &mut dice));
        desk.world.node.mine(2).unwrap();
        desk.run("sync").ok();

        // Other things happen on blocks of the same heights, up to beyond what was synced.
        let head = desk.world.node.block_number().unwrap();
        let depth = 3 + dice.below(25);
        desk.world.node.rollback(depth).unwrap();
        while desk.world.node.block_number().unwrap() <= head + 2 {
            act(&desk.world, &mut dice);
            desk.world.node.mine(1).unwrap();
        }
        let envelope = desk.run("sync --json").exits(0).envelope();
        says(&warnings(&envelope), &["reorg: pool \"growth\"", "reorg: pool \"stable\""]);
        add(live(&desk, &mut dice));
        desk.world.node.mine(2).unwrap();
        desk.run("sync").ok();

        assert_eq!(figures(&desk.home.sqlite()), straight(&desk.world), "seed {seed} on {NODE:?}");
        holders_are_the_contracts(&desk, "growth", desk.world.eighteen);
        holders_are_the_contracts(&desk, "stable", desk.world.six);
        desk.sound();
    }
    assert!(whole >= 4 && cut >= 2, "{whole} whole syncs, {cut} cut off");
}
