//! Withdrawals in any order of requests, burns, completions, failures, syncs and reorgs: no share is promised twice, and
//! what is completed was burned.

use super::desk::Desk;
use super::withdrawals::{desk, redeem};
use poolctl_testkit::abi::Vault;
use poolctl_testkit::alloy::primitives::{B256, U256};
use poolctl_testkit::units;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
enum Op {
    /// Alice asks for so many shares.
    Request(u64),
    /// She burns the shares of the n-th withdrawal, without saying so yet.
    Burn(usize),
    Complete(usize),
    Fail(usize),
    /// She gives shares away by herself.
    GiveAway(u64),
    Sync,
    Mine(u64),
    /// Blocks that are not final go, and others come.
    Reorg(u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (1u64..=900).prop_map(Op::Request),
        4 => (0usize..6).prop_map(Op::Burn),
        5 => (0usize..6).prop_map(Op::Complete),
        2 => (0usize..6).prop_map(Op::Fail),
        1 => (1u64..=300).prop_map(Op::GiveAway),
        3 => Just(Op::Sync),
        3 => (1u64..=2).prop_map(Op::Mine),
        1 => (1u64..=2).prop_map(Op::Reorg),
    ];
    proptest::collection::vec(op, 24)
}

struct Run {
    desk: Desk,
    /// The burn of each withdrawal, by its id.
    burns: BTreeMap<i64, B256>,
}

impl Run {
    fn withdrawals(&self) -> Vec<Value> {
        let listed = self.desk.json("withdrawal list");
        listed["withdrawals"].as_array().unwrap().iter().rev().cloned().collect()
    }

    fn nth(&self, n: usize) -> Option<Value> {
        self.withdrawals().get(n).cloned()
    }

    /// Whether a transaction succeeded in a final block.
    fn is_final(&self, tx: B256) -> bool {
        let receipt = self.desk.world.node.receipt(tx).unwrap();
        receipt.is_some_and(|receipt| receipt.success && receipt.block <= self.desk.final_block())
    }

    /// Alice's shares on the chain.
    fn held(&self) -> U256 {
        let (world, six) = (&self.desk.world, self.desk.world.six);
        world.node.call(six.vault, &Vault::balanceOfCall { account: world.alice }).unwrap()
    }

    /// Whole shares that the state says she has, and those of them that are promised, from the rows alone.
    fn free(&self) -> u64 {
        let held = self.desk.json("pool position alice stable")["shares"].clone();
        let mut free = whole(&held);
        for row in self.withdrawals() {
            let replayed = row["tx_hash"].as_str().is_some_and(|tx| {
                let rows = "SELECT count(*) FROM share_transfers WHERE tx_hash = x'";
                self.desk.one(&format!("{rows}{}'", &tx[2..])) != "0"
            });
            let gone = row["status"] == "failed" || (row["status"] == "completed" && replayed);
            assert_eq!(row["reserves_shares"], !gone, "{row}");
            if !gone {
                free = free.saturating_sub(whole(&row["shares"]));
            }
        }
        free
    }

    fn step(&mut self, op: &Op) {
        match *op {
            Op::Request(shares) => {
                let free = self.free();
                let ran = self.desk.run(&format!("withdrawal request stable alice {shares} --json"));
                ran.exits(if shares <= free { 0 } else { 4 });
            }
            Op::Burn(n) => {
                let Some(row) = self.nth(n) else { return };
                let shares = units(whole(&row["shares"]), 6);
                let id = row["id"].as_i64().unwrap();
                let gone =
                    self.burns.get(&id).is_none_or(|tx| self.desk.world.node.receipt(*tx).unwrap().is_none());
                if row["status"] != "failed" && gone && shares <= self.held() {
                    let tx = redeem(&self.desk, self.desk.world.alice, shares).tx;
                    self.burns.insert(id, tx);
                }
            }
            Op::Complete(n) => {
                let Some(row) = self.nth(n) else { return };
                let id = row["id"].as_i64().unwrap();
                let Some(tx) = self.burns.get(&id) else { return };
                let is_final = self.is_final(*tx);
                let ran =
                    self.desk.run(&format!("withdrawal complete {id} --tx {tx}")).exits_one_of(&[0, 2, 76]);
                match row["status"].as_str().unwrap() {
                    "failed" => assert_eq!(ran.code, Some(2), "{ran:?}"),
                    "completed" => assert_eq!(ran.code, Some(0), "{ran:?}"),
                    // A burn that a reorg took is not known, or not any more.
                    _ => assert_eq!(ran.code == Some(0), is_final, "{ran:?}"),
                }
            }
            Op::Fail(n) => {
                let Some(row) = self.nth(n) else { return };
                let id = row["id"].as_i64().unwrap();
                let ran =
                    self.desk.run(&format!("withdrawal fail {id} --reason x")).exits_one_of(&[0, 2, 76]);
                let free = matches!(row["status"].as_str().unwrap(), "pending" | "failed");
                assert_eq!(ran.code == Some(0), free, "{row} {ran:?}");
            }
            Op::GiveAway(shares) => {
                let shares = units(shares, 6);
                if shares <= self.held() {
                    let world = &self.desk.world;
                    world.transfer_shares(world.six.vault, world.alice, world.bob, shares).unwrap();
                }
            }
            Op::Sync => drop(self.desk.run("sync").exits(0)),
            Op::Mine(blocks) => self.desk.world.node.mine(blocks).unwrap(),
            Op::Reorg(depth) => {
                self.desk.world.node.reorg(depth).unwrap();
                // What follows is at least as long, or the endpoint would be behind.
                self.desk.world.node.mine(1).unwrap();
            }
        }
    }

    /// What must hold whatever was done.
    fn holds(&self) {
        let completed: Vec<Value> =
            self.withdrawals().into_iter().filter(|row| row["status"] == "completed").collect();
        let burns: BTreeSet<B256> =
            completed.iter().map(|row| serde_json::from_value(row["tx_hash"].clone()).unwrap()).collect();
        assert_eq!(burns.len(), completed.len(), "each has a transaction of its own");
        for row in &completed {
            assert_eq!(row["verified"], true);
            assert!(self.is_final(self.burns[&row["id"].as_i64().unwrap()]), "{row}");
        }
        self.free();
        self.desk.sound();
    }
}

/// Whole units of an amount without a fraction.
fn whole(amount: &Value) -> u64 {
    let (whole, fraction) = amount.as_str().unwrap().split_once('.').unwrap();
    assert_eq!(fraction, "000000");
    whole.parse().unwrap()
}

#[test]
fn no_share_is_promised_twice() {
    let config = Config { cases: 2, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    let some = || {
        TestRunner::new(config.clone())
            .run(&ops(), |ops| {
                let mut run = Run { desk: desk(), burns: BTreeMap::new() };
                for op in &ops {
                    run.step(op);
                }
                run.holds();
                // In the end everything that was burned is completed and replayed.
                run.desk.world.node.mine(3).unwrap();
                for n in 0..run.withdrawals().len() {
                    run.step(&Op::Complete(n));
                }
                run.step(&Op::Sync);
                run.holds();
                Ok(())
            })
            .unwrap();
    };
    // Side by side, each with cases of its own.
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(some);
        }
    });
}
