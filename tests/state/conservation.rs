//! Rewards through the real services on a real chain: whatever is done in whatever order, every invariant holds.

use crate::onchain::{ASSET, HISTORY, MEMBERS, Net, PoolPlan, member_address, pool_address, store, vault};
use crate::support::{Place, config, work};
use base::amount::{Base, to_units};
use base::{Code, Result, Stop};
use config::Config;
use evm::At;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};
use state::{Consent, Lock, Permit, State, ValuePermit};
use vault::pool::{Member, find, find_member};
use vault::reward;

#[derive(Debug, Clone)]
enum Op {
    Mine(u64),
    Cycle,
    Weight(usize, u32),
    Claim(usize, Option<usize>),
}

#[derive(Debug, Clone)]
struct Plan {
    pools: Vec<PoolPlan>,
    block_reward: Base,
    epoch_blocks: u64,
    basis: &'static str,
    ops: Vec<Op>,
}

fn amount() -> impl Strategy<Value = Base> {
    prop_oneof![
        (0u64..50).prop_map(Base::from),
        any::<u128>().prop_map(Base::from),
        any::<[u64; 4]>().prop_map(Base::from_limbs),
        Just(Base::MAX),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let ppm = || prop_oneof![Just(0u32), Just(1_000_000), 0u32..=1_000_000];
    // 0 is nobody: from there shares are minted, which must happen before they can move.
    let from = prop_oneof![Just(0), 0..=MEMBERS];
    let moves = proptest::collection::vec((0..HISTORY, from, 0..=MEMBERS, amount()), 0..15);
    let pool = (ppm(), proptest::bool::weighted(0.2), moves).prop_map(|(ppm, paused, moves)| PoolPlan {
        ppm,
        paused,
        moves,
    });
    let op = prop_oneof![
        3 => Just(Op::Cycle),
        3 => (1u64..40).prop_map(Op::Mine),
        2 => (0usize..4, ppm()).prop_map(|(pool, ppm)| Op::Weight(pool, ppm)),
        3 => (0..MEMBERS, proptest::option::of(0usize..4)).prop_map(|(member, pool)| Op::Claim(member, pool)),
    ];
    // The settings take no more than 36 decimals' worth; the carries add up from there.
    let reward = prop_oneof![
        (0u64..50).prop_map(Base::from),
        any::<u128>().prop_map(Base::from),
        any::<[u64; 4]>().prop_map(|limbs| Base::from_limbs(limbs) >> 70),
    ];
    (
        proptest::collection::vec(pool, 1..4),
        reward,
        1u64..25,
        prop_oneof![Just("time-weighted"), Just("snapshot")],
        proptest::collection::vec(op, 6..20),
    )
        .prop_map(|(pools, block_reward, epoch_blocks, basis, ops)| Plan {
            pools,
            block_reward,
            epoch_blocks,
            basis,
            ops,
        })
}

struct Case<'a> {
    net: &'a Net,
    config: Config,
    state: State,
    lock: &'a Lock,
    stop: Stop,
    first: u64,
    pools: usize,
}

impl Case<'_> {
    fn weight(&mut self, pool: usize, ppm: u32) -> Result<()> {
        let pool = find(self.state.conn(), &format!("p{}", pool % self.pools))?;
        let (net, chain) = (self.net, self.net.chain.clone());
        let mut work = work(&self.config, &mut self.state, self.lock, &self.stop);
        net.runtime.block_on(reward::set_weight(&mut work, || Ok(chain.clone()), &pool, ppm)).map(drop)
    }

    fn cycle(&mut self) -> Result<u64> {
        let first = reward::schedule(self.state.conn())?.is_empty().then_some(self.first);
        let net = self.net;
        let agreed = ValuePermit::obtain(Permit::of(self.lock), Consent::NotNeeded, "pay")?;
        let mut work = work(&self.config, &mut self.state, self.lock, &self.stop);
        let report =
            net.runtime.block_on(reward::cycle(&mut work, &net.chain, &agreed, first, At::Latest))?;
        for failure in report.pools.iter().filter_map(|pool| pool.failure.as_ref()) {
            // The one thing that may stop a pool: amounts that pass 256 bits.
            assert!(failure.to_string().contains("256 bits"), "{failure:?}");
        }
        Ok(report.pools.iter().map(|pool| pool.epochs.len() as u64).sum())
    }

    fn claim(&mut self, member: usize, pool: Option<usize>) -> Result<bool> {
        let member: Member = find_member(self.state.conn(), &member_address(member).to_string())?;
        let pool =
            pool.map(|pool| find(self.state.conn(), &format!("p{}", pool % self.pools))).transpose()?;
        let agreed = ValuePermit::obtain(Permit::of(self.lock), Consent::NotNeeded, "claim")?;
        let before = reward::pending(self.state.conn(), &member, pool.as_ref())?;
        let mut work = work(&self.config, &mut self.state, self.lock, &self.stop);
        let claimed = reward::claim(&mut work, &agreed, &member, pool.as_ref(), &before)?;
        assert_eq!(claimed.credited, before, "exactly what was pending");
        assert_eq!(claimed.event.is_some(), !before.is_empty());
        let again = reward::claim(&mut work, &agreed, &member, pool.as_ref(), &[])?;
        assert!(again.event.is_none() && again.credited.is_empty(), "and only once");
        Ok(claimed.event.is_some())
    }
}

/// What was reached over all cases, so that the property is not true for lack of trying.
#[derive(Default, Debug)]
struct Reached {
    epochs: u64,
    claims: u64,
    carries: u64,
}

fn case(net: &Net, plan: &Plan, reached: &mut Reached) -> TestCaseResult {
    let first = net.node.block_number().unwrap() + 1;
    for (i, pool) in plan.pools.iter().enumerate() {
        net.node.set_code(pool_address(i), &vault(&pool.past(first), pool.paused)).unwrap();
    }
    net.node.mine(HISTORY).unwrap();
    let place = Place::fresh();
    let lock = place.lock();
    let mut state = place.writer(&lock);
    state.write(Permit::of(&lock), |tx| store(tx, net, &plan.pools, first)).unwrap();
    let config = config(&[
        ("reward.asset", ASSET.to_string()),
        ("reward.block_reward", to_units(plan.block_reward, 18)),
        ("reward.epoch_blocks", plan.epoch_blocks.to_string()),
        ("reward.basis", plan.basis.to_owned()),
        // The transfers are in the state alone.
        ("evm.overlap_blocks", "0".to_owned()),
    ]);
    let (stop, pools) = (Stop::default(), plan.pools.len());
    let mut case = Case { net, config, state, lock: &lock, stop, first, pools };
    for (i, pool) in plan.pools.iter().enumerate() {
        case.weight(i, pool.ppm).unwrap();
    }
    for op in &plan.ops {
        let done = match op {
            Op::Mine(blocks) => {
                net.node.mine(*blocks).unwrap();
                Ok(())
            }
            Op::Cycle => case.cycle().map(|epochs| reached.epochs += epochs),
            Op::Weight(pool, ppm) => case.weight(*pool, *ppm),
            Op::Claim(member, pool) => case.claim(*member, *pool).map(|any| reached.claims += u64::from(any)),
        };
        if let Err(e) = done {
            prop_assert!(
                e.code() == Code::InvalidValue && e.to_string().contains("256 bits"),
                "{:?}: {:?}",
                op,
                e
            );
        }
        let report = watch::check::check(case.state.conn(), false).unwrap();
        prop_assert_eq!(report.findings, [], "after {:?}", op);
    }
    for member in 0..MEMBERS {
        reached.claims += u64::from(case.claim(member, None).unwrap());
    }
    // A second cycle on the same blocks finds nothing to pay.
    if case.cycle().is_ok() {
        let before = state::verify_chain(case.state.conn()).unwrap();
        prop_assert_eq!(case.cycle().unwrap(), 0);
        prop_assert_eq!(state::verify_chain(case.state.conn()).unwrap(), before);
    }
    let carried = "SELECT count(*) FROM pool_reward_epochs WHERE carry_out <> '0'";
    reached.carries += case.state.conn().query_row(carried, [], |row| row.get::<_, u64>(0)).unwrap();
    let report = watch::check::check(case.state.conn(), true).unwrap();
    prop_assert_eq!(report.findings, []);
    Ok(())
}

#[test]
fn nothing_is_lost_and_nothing_is_made() {
    let net = Net::start().unwrap();
    let config = ProptestConfig {
        cases: 24,
        failure_persistence: None,
        max_shrink_iters: 50,
        ..ProptestConfig::default()
    };
    let reached = std::cell::RefCell::new(Reached::default());
    let tried = TestRunner::new(config).run(&plan(), |plan| case(&net, &plan, &mut reached.borrow_mut()));
    tried.unwrap_or_else(|e| panic!("{e}"));
    let reached = reached.into_inner();
    assert!(reached.epochs > 50 && reached.claims > 5 && reached.carries > 5, "{reached:?}");
}
