//! Rewards through the real services on a real chain: whatever is done in whatever order, every invariant holds.

use crate::support::{Place, config, work};
use alloy::primitives::{Address, Bytes};
use base::amount::{Base, to_units};
use base::{Code, Endpoint, Result, Stop};
use config::Config;
use evm::{At, Chain, ChainConfig};
use poolctl_testkit::{Node, NodeKind, NodeOptions};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};
use rusqlite::params;
use state::{Consent, Lock, Permit, State, Tx, ValuePermit};
use tokio::runtime::Runtime;
use vault::pool::{Asset, Member, find, find_member, put_asset};
use vault::reward;
use vault::reward::accrual::{Holdings, Movement};

const MEMBERS: usize = 4;
/// Blocks in which shares move, before the first cycle.
const HISTORY: u64 = 40;

/// A pool: its weight, whether it is paused, and what moves in it: block, from, to, amount.
#[derive(Debug, Clone)]
struct PoolPlan {
    ppm: u32,
    paused: bool,
    moves: Vec<(u64, usize, usize, Base)>,
}

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

/// One node for all cases; each case begins at its head.
struct Net {
    node: Node,
    chain: Chain,
    runtime: Runtime,
}

const ASSET: Address = Address::repeat_byte(0xaa);

fn pool_address(i: usize) -> Address {
    Address::with_last_byte(u8::try_from(i).unwrap() + 0xb0)
}

fn member_address(i: usize) -> Address {
    Address::with_last_byte(u8::try_from(i).unwrap() + 0xd0)
}

impl Net {
    fn start() -> anyhow::Result<Self> {
        let node = Node::start(NodeKind::Sandbox, &NodeOptions::default())?;
        let endpoints = Endpoint::parse_list(&[format!("node={}", node.url())])?;
        let chain = Chain::new(ChainConfig::new("sandbox", 31_337, endpoints))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { node, chain, runtime })
    }
}

/// The code of a vault that knows its `totalSupply()` and what `balanceOf` each member was after each block, and answers
/// everything else with whether it is paused.
fn vault(past: &Past, paused: bool) -> Bytes {
    let mut code = alloy::hex!("5f3560e01c 8063 18160ddd 14 610022 57 63 70a08231 14 61004a 57").to_vec();
    code.extend([0x60, u8::from(paused)]);
    code.extend(alloy::hex!("5f52 60205ff3 5b7f"));
    code.extend(past.supply.to_be_bytes::<32>());
    code.extend(alloy::hex!("5f52 60205ff3 5b5f"));
    let mut held = Holdings::default();
    for movement in &past.transfers {
        held.apply(movement).unwrap();
        for member in movement.from.into_iter().chain(movement.to) {
            let last_byte = member_address(usize::try_from(member - 1).unwrap())[19];
            // Where this is the member and the block not earlier, the balance; else what was found before.
            code.extend(alloy::hex!("600435 60ff16 60"));
            code.push(last_byte);
            code.extend(alloy::hex!("14 63"));
            code.extend(u32::try_from(movement.block).unwrap().to_be_bytes());
            code.extend(alloy::hex!("43101516 80 7f"));
            code.extend(held.of(member).to_be_bytes::<32>());
            code.extend(alloy::hex!("02 91 90 15 02 01"));
        }
    }
    code.extend(alloy::hex!("5f52 60205ff3"));
    code.into()
}

/// What happened in a pool: its transfers, who holds what in the end, and how much that is.
struct Past {
    transfers: Vec<Movement>,
    held: Holdings,
    supply: Base,
}

impl PoolPlan {
    fn past(&self, first: u64) -> Past {
        let mut past = Past { transfers: Vec::new(), held: Holdings::default(), supply: Base::ZERO };
        let mut moves = self.moves.clone();
        moves.sort_by_key(|m| m.0);
        for (block, from, to, shares) in moves {
            let member = |who: usize| (who > 0).then(|| i64::try_from(who).unwrap());
            let (from, to) = (member(from), member(to));
            let shares = from.map_or(shares, |from| past.held.of(from).min(shares));
            let minted = if from.is_none() { shares } else { Base::ZERO };
            // No token has more than 2^256-1 in all.
            if from.is_none() && to.is_none() || past.supply.checked_add(minted).is_none() {
                continue;
            }
            let movement = Movement { block: first + block, from, to, shares };
            past.held.apply(&movement).unwrap();
            past.supply += minted;
            past.supply -= if to.is_none() { shares } else { Base::ZERO };
            past.transfers.push(movement);
        }
        past
    }
}

/// What a sync would have stored: members, pools at the head, their transfers and holders.
fn store(tx: &Tx<'_>, net: &Net, plan: &Plan, first: u64) -> Result<()> {
    let head = first + HISTORY - 1;
    let hash = net.node.block_hash(head).unwrap().to_string();
    put_asset(tx.conn(), &Asset { address: ASSET, symbol: "R".into(), decimals: 18 })?;
    for i in 0..MEMBERS {
        tx.conn().execute(
            "INSERT INTO members (address, added_at) VALUES (?1, 1)",
            [member_address(i).to_string()],
        )?;
    }
    for (i, pool) in plan.pools.iter().enumerate() {
        let id = i64::try_from(i).unwrap() + 1;
        let Past { transfers, held, supply } = pool.past(first);
        tx.conn().execute(
            "INSERT INTO pools (id, name, address, abi, asset, share_symbol, share_decimals, deploy_block,
                 max_rate_drop_ppm, added_at, cursor_block, cursor_hash, synced_block)
             VALUES (?1, ?2, ?3, 'erc4626', ?4, 'S', 18, ?5, 0, 1, ?6, ?7, ?6)",
            params![id, format!("p{i}"), pool_address(i).to_string(), ASSET.to_string(), first, head, hash],
        )?;
        tx.conn().execute(
            "INSERT INTO pool_snapshots (pool_id, block_number, block_hash, block_timestamp, endpoint, synced_at,
                 total_assets, total_shares, rate_e18) VALUES (?1, ?2, ?3, 1, 'node', 1, ?4, ?4, '1')",
            params![id, head, hash, supply.to_string()],
        )?;
        for (line, m) in transfers.iter().enumerate() {
            let mut log = [0; 32];
            log[..16].copy_from_slice(&((line * 8 + i) as u128).to_be_bytes());
            tx.conn().execute(
                "INSERT INTO share_transfers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![id, m.block, line, log, m.from, m.to, m.shares.to_string()],
            )?;
        }
        for (member, shares) in held.iter() {
            tx.conn().execute(
                "INSERT INTO user_pool_shares (pool_id, member_id, shares) VALUES (?1, ?2, ?3)",
                params![id, member, shares.to_string()],
            )?;
        }
    }
    Ok(())
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
        net.runtime.block_on(reward::set_weight(&mut work, || Ok(chain), &pool, ppm)).map(drop)
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
        let claimed = reward::claim(&mut work, &agreed, &member, pool.as_ref())?;
        assert_eq!(claimed.credited, before, "exactly what was pending");
        assert_eq!(claimed.event.is_some(), !before.is_empty());
        let again = reward::claim(&mut work, &agreed, &member, pool.as_ref())?;
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
    state.write(Permit::of(&lock), |tx| store(tx, net, plan, first)).unwrap();
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
        let report = state::check(case.state.conn(), false).unwrap();
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
    let report = state::check(case.state.conn(), true).unwrap();
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
