//! Whenever cycles run and whomever they fail for: what is emitted and paid is what one run epoch by epoch comes to.
//!
//! A model of the service over the pure rules. Two worlds hear of the same settings at the same blocks; one runs a cycle at
//! each block, and no pool ever fails in it; the other one runs where the test says, with pools that fail.

use super::accrual::Basis;
use super::budget::{Budget, Claimant, budgets, sharers};
use super::emission::Share;
use super::epochs::EpochRow;
use super::grid::{EmissionTerms, Epoch, boundary_from, change};
use super::timeline::{Step, Timeline};
use base::amount::Base;
use proptest::prelude::*;

const POOLS: usize = 4;
/// How far the final block is behind the head.
const DEPTH: u64 = 3;
const BEGIN: u64 = 20;
const END: u64 = 260;

/// What the operator does.
#[derive(Debug, Clone)]
enum Deed {
    Weight(usize, u32),
    /// Other settings, of which the next cycle learns at once.
    Settings(u64, u64),
    /// An epoch by hand, so many blocks from where the pool's last one ends, and so long.
    ByHand(usize, u64, u64),
}

#[derive(Debug, Clone)]
struct Plan {
    /// Where each pool's rewards begin, as far as it was added with such a block.
    geneses: Vec<Option<u64>>,
    /// Weights given before the first cycle.
    first: Vec<Option<u32>>,
    origin: u64,
    /// Block of the first cycle.
    start: u64,
    /// What is done at which block, in order.
    deeds: Vec<(u64, Deed)>,
    /// When late cycles run, and which pools fail in them.
    cycles: Vec<(u64, Vec<usize>)>,
}

/// A paid epoch: blocks, part, weight and sum of the weights.
type Paid = (u64, u64, Base, Option<(u32, u64)>);

#[derive(Default)]
struct Pool {
    genesis: Option<u64>,
    begins: u64,
    cursor: Option<u64>,
    weights: Vec<(u64, u32)>,
    by_hand: Vec<Epoch>,
    paid: Vec<Paid>,
}

struct World {
    pools: Vec<Pool>,
    schedule: Vec<EmissionTerms>,
    wanted: EmissionTerms,
    rows: Vec<Budget>,
}

impl World {
    fn new(plan: &Plan) -> Self {
        let pool = |(genesis, first): (&Option<u64>, &Option<u32>)| Pool {
            genesis: *genesis,
            weights: first.map(|ppm| (0, ppm)).into_iter().collect(),
            ..Pool::default()
        };
        let wanted = EmissionTerms {
            from_block: plan.origin,
            epoch_blocks: 10,
            block_reward: Base::from(7u8),
            asset: String::new(),
            basis: Basis::TimeWeighted,
        };
        let pools = plan.geneses.iter().zip(&plan.first).map(pool).collect();
        Self { pools, schedule: Vec::new(), wanted, rows: Vec::new() }
    }

    fn emitted_to(&self) -> u64 {
        self.rows.last().map_or(0, |row| row.epoch.end)
    }

    /// As `store::undecided`, with what each cycle has replayed.
    fn undecided(&self) -> u64 {
        let weights = self.pools.iter().flat_map(|pool| pool.weights.iter().map(|(from, _)| *from));
        let paid = self.pools.iter().filter_map(|pool| pool.cursor.filter(|cursor| *cursor > pool.begins));
        weights.chain(paid).max().unwrap_or_default().max(self.emitted_to())
    }

    fn claimants(&self) -> Vec<Claimant> {
        let pools =
            self.pools.iter().zip(1..).filter(|(pool, _)| pool.cursor.is_some() && !pool.weights.is_empty());
        let claimant = |(pool, pool_id): (&Pool, i64)| Claimant {
            pool_id,
            begins: pool.begins,
            weights: pool.weights.clone(),
            by_hand: pool.by_hand.clone(),
        };
        pools.map(claimant).collect()
    }

    fn timeline(&self, pool: usize) -> Timeline {
        let pool = &self.pools[pool];
        let ahead =
            pool.by_hand.iter().filter(|epoch| pool.cursor.is_some_and(|cursor| epoch.start >= cursor));
        Timeline {
            cursor: pool.cursor,
            weighted_from: pool.weights.first().map(|(from, _)| *from),
            created: ahead.map(|epoch| EpochRow::created(epoch.start, epoch.end)).collect(),
        }
    }

    fn take(&mut self, head: u64, deed: &Deed) {
        match *deed {
            Deed::Weight(pool, ppm) => {
                let open = self.undecided().max(head + 1);
                let from = boundary_from(&self.schedule, open).unwrap();
                let weights = &mut self.pools[pool].weights;
                weights.retain(|(block, _)| *block != from);
                weights.push((from, ppm));
            }
            Deed::Settings(epoch_blocks, reward) => {
                self.wanted =
                    EmissionTerms { epoch_blocks, block_reward: Base::from(reward), ..self.wanted.clone() };
            }
            Deed::ByHand(pool, after, length) => {
                let timeline = self.timeline(pool);
                // Ahead of the head: what is emitted already depends on when cycles run, and is refused.
                let start = timeline.free().unwrap_or_default().max(head + 1) + after;
                let epoch = Epoch { start, end: start + length };
                let earliest = self.pools[pool].genesis.unwrap_or_default();
                if timeline.place(&self.schedule, epoch, self.emitted_to(), earliest).is_ok() {
                    let begins = timeline.begins(&self.schedule, start, earliest);
                    let pool = &mut self.pools[pool];
                    if pool.cursor.is_none() {
                        (pool.begins, pool.cursor) = (begins, Some(begins));
                    }
                    pool.by_hand.push(epoch);
                }
            }
        }
    }

    /// As `prepare` and `emit`, then each pool that does not fail.
    fn cycle(&mut self, head: u64, failing: &[usize]) {
        if self.schedule.is_empty() {
            self.schedule.push(self.wanted.clone());
        }
        let by_hand = (0..POOLS).flat_map(|pool| self.timeline(pool).created).map(|row| row.epoch.end).max();
        let open = self.undecided().max(head + 1).max(by_hand.unwrap_or_default());
        if let Some(change) = change(&self.schedule, &self.wanted, open) {
            self.schedule.retain(|terms| !change.withdrawn.contains(&terms.from_block));
            self.schedule.extend(change.announced);
        }
        let emitted = self.emitted_to();
        for pool in self.pools.iter_mut().filter(|pool| pool.cursor.is_none()) {
            let Some((from, _)) = pool.weights.first() else { continue };
            let earliest = pool.genesis.unwrap_or_default().max(*from).max(emitted);
            let begins = boundary_from(&self.schedule, earliest).unwrap();
            if begins <= head {
                (pool.begins, pool.cursor) = (begins, Some(begins));
            }
        }
        let Some(last_final) = head.checked_sub(DEPTH) else { return };
        let claimants = self.claimants();
        let carry = self.rows.last().map_or(Base::ZERO, |row| row.carry_out);
        let due = budgets(&self.schedule, &claimants, self.emitted_to(), carry, last_final);
        let due: Vec<Budget> = due.map(Result::unwrap).collect();
        self.rows.extend(due);
        for at in (0..POOLS).filter(|pool| !failing.contains(pool)) {
            let timeline = self.timeline(at);
            for step in timeline.closed(&self.schedule, last_final) {
                let Epoch { start, end } = step.epoch();
                let (part, weights) = match step {
                    Step::Manual(row) => (row.part, None),
                    Step::Grid(_) => {
                        let row = self.rows.iter().find(|row| row.epoch == Epoch { start, end }).unwrap();
                        let sharers = sharers(&claimants, start);
                        let share =
                            Share::of(row.emission + row.carry_in, &sharers, i64::try_from(at + 1).unwrap());
                        (share.part, Some((share.weight.unwrap(), share.weight_sum.unwrap())))
                    }
                };
                self.pools[at].paid.push((start, end, part, weights));
                self.pools[at].cursor = Some(end);
            }
        }
    }
}

/// The world in which cycles run at these blocks, and at each block with other settings.
fn run(plan: &Plan, cycles: impl Fn(u64) -> Option<Vec<usize>>) -> World {
    let mut world = World::new(plan);
    for head in plan.start..=END {
        let mut told = head == plan.start || head == END;
        if told {
            // The first cycle is the operator's, who names the origin; the last one pays whoever failed.
            world.cycle(head, &[]);
        }
        for (_, deed) in plan.deeds.iter().filter(|(block, _)| *block == head) {
            world.take(head, deed);
            told |= matches!(deed, Deed::Settings(..));
        }
        match cycles(head) {
            Some(failing) => world.cycle(head, &failing),
            None if told => world.cycle(head, &[]),
            None => {}
        }
    }
    world
}

fn plan() -> impl Strategy<Value = Plan> {
    let ppm = || prop_oneof![2 => Just(0u32), 2 => Just(1_000_000), 1 => 1u32..1_000_000];
    let deed = prop_oneof![
        4 => (0..POOLS, ppm()).prop_map(|(pool, ppm)| Deed::Weight(pool, ppm)),
        1 => (1u64..16, 0u64..9).prop_map(|(blocks, reward)| Deed::Settings(blocks, reward)),
        3 => (0..POOLS, 0u64..12, 1u64..30).prop_map(|(pool, after, length)| Deed::ByHand(pool, after, length)),
    ];
    let failing = proptest::collection::vec(0..POOLS, 0..3);
    (
        proptest::collection::vec(proptest::option::of(0u64..END), POOLS),
        proptest::collection::vec(proptest::option::weighted(0.6, ppm()), POOLS),
        (1u64..60, BEGIN..80),
        proptest::collection::vec((BEGIN..END, deed), 0..14),
        proptest::collection::vec((BEGIN..END, failing), 0..8),
    )
        .prop_map(|(geneses, first, (origin, start), mut deeds, cycles)| {
            deeds.sort_by_key(|(block, _)| *block);
            Plan { geneses, first, origin, start, deeds, cycles }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn no_order_of_cycles_changes_what_is_paid(plan in plan()) {
        let steady = run(&plan, |_| Some(Vec::new()));
        let late = run(&plan, |head| plan.cycles.iter().find(|(block, _)| *block == head).map(|(_, failing)| failing.clone()));
        prop_assert_eq!(&steady.rows, &late.rows);
        prop_assert_eq!(&steady.schedule, &late.schedule);
        for (a, b) in steady.pools.iter().zip(&late.pools) {
            prop_assert_eq!(&a.paid, &b.paid);
            // Neither gap nor overlap, but for where a pool with a late weight joins the grid after its epochs by hand.
            let weighted = a.weights.first().map_or(0, |(from, _)| *from);
            for pair in a.paid.windows(2) {
                let joins = boundary_from(&steady.schedule, pair[0].1.max(weighted));
                let joined = pair[0].3.is_none() && joins == Some(pair[1].0);
                prop_assert!(pair[0].1 == pair[1].0 || joined, "{pair:?}");
            }
        }
        // Everything emitted is a part of some pool, or waits.
        let emitted: Base = steady.rows.iter().map(|row| row.emission).sum();
        let parts: Base = steady.pools.iter().flat_map(|pool| &pool.paid).filter(|p| p.3.is_some()).map(|p| p.2).sum();
        let waits = steady.rows.last().map_or(Base::ZERO, |row| row.carry_out);
        prop_assert_eq!(emitted, parts + waits);
        for pair in steady.rows.windows(2) {
            prop_assert_eq!((pair[0].epoch.end, pair[0].carry_out), (pair[1].epoch.start, pair[1].carry_in));
        }
    }
}

/// The example: a pool that begins at 50 with all the weight, beside one from 10 without any.
#[test]
fn a_late_first_run_gives_what_many_runs_give() {
    let plan = |start| Plan {
        geneses: vec![Some(50), Some(10), None, None],
        first: vec![Some(1_000_000), Some(0), None, None],
        origin: 10,
        start,
        deeds: Vec::new(),
        cycles: Vec::new(),
    };
    for (start, every) in [(END, 1_000), (13, 1), (13, 7)] {
        let world = run(&plan(start), |head| (head % every == 0).then(Vec::new));
        let paid: Vec<(u64, Base)> =
            world.pools[0].paid.iter().map(|paid| (paid.0, paid.2)).take(3).collect();
        assert_eq!(paid, [(50, Base::from(350u32)), (60, Base::from(70u8)), (70, Base::from(70u8))]);
    }
}
