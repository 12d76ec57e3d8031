//! The node and the worlds on it.

use super::NODE;
use anyhow::{Context as _, Result};
use poolctl_testkit::{
    MULTICALL3, Node, NodeOptions, RpcError, World,
    abi::{
        AdapterFeed, Asset, LegacyPool, LegacyRiskEngine, MockV3Aggregator, RiskEngine, RoundFeed, Vault,
        ViddhanaPool,
    },
    alloy::primitives::{I256, U256},
    units,
};
use serde_json::json;

const ONE_E18: u64 = 1_000_000_000_000_000_000;

fn node() -> Result<Node> {
    Node::start(NODE, &NodeOptions::default())
}

#[test]
fn a_node_mines_on_a_clock_of_its_own_and_knows_what_is_final() -> Result<()> {
    let node =
        Node::start(NODE, &NodeOptions { chain_id: 5, slots_in_an_epoch: 4, ..NodeOptions::default() })?;
    assert_eq!(node.rpc("eth_chainId", json!([]))?, "0x5");
    assert_eq!((node.block_number()?, node.timestamp()?), (0, 1_700_000_000));
    assert_eq!((node.block_of_tag("safe")?, node.block_of_tag("finalized")?), (0, 0));
    node.mine(20)?;
    assert_eq!((node.block_number()?, node.timestamp()?), (20, 1_700_000_000 + 20 * 12));
    assert_eq!((node.block_of_tag("safe")?, node.block_of_tag("finalized")?), (16, 12));
    node.advance(3600)?;
    node.mine(1)?;
    assert_eq!(node.timestamp()?, 1_700_000_000 + 20 * 12 + 3600 + 12);
    let code = node.rpc("eth_getCode", json!([MULTICALL3, "latest"]))?;
    assert!(code.as_str().is_some_and(|code| code.len() > 1000));
    Ok(())
}

#[test]
fn a_node_goes_back_and_takes_another_branch() -> Result<()> {
    let node = node()?;
    node.mine(5)?;
    let (third, fourth) = (node.block_hash(3)?, node.block_hash(4)?);

    let snapshot = node.snapshot()?;
    node.mine(2)?;
    node.revert(snapshot)?;
    assert_eq!((node.block_number()?, node.block_hash(4)?), (5, fourth));

    node.reorg(2)?;
    assert_eq!((node.block_number()?, node.block_hash(3)?), (5, third));
    let reorged = node.block_hash(4)?;
    assert_ne!(reorged, fourth);
    assert!(node.rpc("eth_getBlockByHash", json!([fourth, false]))?.is_null());

    node.rollback(2)?;
    assert_eq!((node.block_number()?, node.block_hash(3)?), (3, third));
    node.mine(1)?;
    assert_ne!(node.block_hash(4)?, reorged);
    assert_ne!(node.block_hash(4)?, fourth);
    assert_eq!(node.timestamp()?, 1_700_000_000 + 4 * 12);
    Ok(())
}

#[test]
fn a_node_without_automine_mines_when_told() -> Result<()> {
    let node =
        Node::start(NODE, &NodeOptions { automine: false, multicall: false, ..NodeOptions::default() })?;
    assert_eq!(node.rpc("eth_getCode", json!([MULTICALL3, "latest"]))?, "0x");
    let &[owner, other, ..] = node.accounts() else { anyhow::bail!("no accounts") };
    let deployed = node.deploy(owner, "LegacyRiskEngine", &LegacyRiskEngine::constructorCall {})?;
    assert_eq!((deployed.block, node.block_number()?), (1, 1));
    let engine = deployed.address()?;
    let pause = |pool, on| LegacyRiskEngine::setEmergencyPausedCall { pool, on };
    let first = node.submit(owner, engine, &pause(owner, true))?;
    let second = node.submit(other, engine, &pause(other, true))?;
    assert!(node.receipt(first)?.is_none());
    node.mine(1)?;
    let blocks = [first, second].map(|tx| node.receipt(tx).ok().flatten().map(|receipt| receipt.block));
    assert_eq!(blocks, [Some(2), Some(2)]);
    node.set_automine(true)?;
    let receipt = node.send(owner, engine, &pause(owner, false))?;
    assert_eq!(receipt.block, 3);
    Ok(())
}

#[test]
fn a_node_says_why_a_transaction_failed() -> Result<()> {
    let world = World::small(NODE)?;
    let stranger = world.dave;
    let pause = Vault::pauseCall {};
    let failed = world.node.send(stranger, world.six.vault, &pause).err().context("must fail")?;
    let error = failed.downcast_ref::<RpcError>().context("not the node's error")?;
    assert_eq!(error.code, 3);
    // OwnableUnauthorizedAccount(address)
    assert!(error.data.as_str().is_some_and(|data| data.starts_with("0x118cdaa7")), "{error}");
    let mined = world.node.send_with_gas(stranger, world.six.vault, &pause, 100_000)?;
    assert!(!mined.success);
    Ok(())
}

#[test]
fn a_small_world_adds_up_and_is_the_same_each_time() -> Result<()> {
    let world = World::small(NODE)?;
    for pool in [world.eighteen, world.six] {
        let read = |holder| world.node.call(pool.vault, &Vault::balanceOfCall { account: holder });
        let supply = world.node.call(pool.vault, &Vault::totalSupplyCall {})?;
        assert_eq!(read(world.alice)? + read(world.bob)? + read(world.carol)?, supply);
        assert!(
            read(world.alice)? > U256::ZERO
                && read(world.bob)? > U256::ZERO
                && read(world.carol)? > U256::ZERO
        );
        assert_eq!(read(world.dave)? + read(world.owner)?, U256::ZERO);
        let held = world.node.call(pool.asset, &Asset::balanceOfCall { account: pool.vault })?;
        assert_eq!(world.node.call(pool.vault, &Vault::totalAssetsCall {})?, held);
        assert_eq!(world.node.call(pool.vault, &Vault::decimalsCall {})?, pool.decimals);
        assert!(pool.deploy_block > 0);
        let config = world.node.call(world.risk, &RiskEngine::poolConfigsCall { pool: pool.vault })?;
        assert_eq!(config.maxTvl, units(10_000_000, pool.decimals));
    }
    // 1575 assets for 1500 shares before bob took 50 out.
    let rate = world.node.call(world.eighteen.vault, &Vault::convertToAssetsCall { shares: units(1, 18) })?;
    assert!(rate.abs_diff(U256::from(ONE_E18 / 100 * 105)) < U256::from(1000), "{rate}");
    let rate = world.node.call(world.six.vault, &Vault::convertToAssetsCall { shares: units(1, 6) })?;
    assert_eq!(rate, units(1, 6));
    let price =
        world.node.call(world.adapter, &AdapterFeed::getLatestPriceCall { asset: world.eighteen.asset })?;
    assert_eq!(price, units(2_001, 18));

    let again = World::small(NODE)?;
    let head = world.node.block_number()?;
    assert_eq!(again.node.block_hash(head)?, world.node.block_hash(head)?);
    Ok(())
}

#[test]
fn a_world_can_be_hurt() -> Result<()> {
    let world = World::small(NODE)?;
    let vault = world.eighteen.vault;
    let rate = || world.node.call(vault, &Vault::convertToAssetsCall { shares: units(1, 18) });
    let before = rate()?;
    world.loss(vault, units(300, 18))?;
    assert!(rate()? < before);
    world.donate(vault, world.dave, units(600, 18))?;
    assert!(rate()? > before);

    world.pause(vault)?;
    assert!(world.node.call(vault, &Vault::pausedCall {})?);
    let receiver = world.alice;
    assert_eq!(world.node.call(vault, &Vault::maxDepositCall { receiver })?, U256::ZERO);
    assert!(world.deposit(vault, world.alice, units(1, 18)).is_err());
    world.unpause(vault)?;
    world.deposit(vault, world.alice, units(1, 18))?;

    let feed = world.eighteen.feed;
    let round = || world.node.call(feed, &MockV3Aggregator::latestRoundDataCall {});
    let first = round()?;
    world.set_answer(feed, I256::MINUS_ONE, Some(0))?;
    let second = round()?;
    assert_eq!((second.answer, second.updatedAt), (I256::MINUS_ONE, U256::ZERO));
    assert!(second.roundId > first.roundId);
    world.set_answer(feed, I256::ONE, None)?;
    assert_eq!(round()?.updatedAt, U256::from(world.node.timestamp()?));
    Ok(())
}

#[test]
fn a_world_has_the_other_profiles_too() -> Result<()> {
    let world = World::small(NODE)?;
    let (asset, dave) = (world.six.asset, world.dave);
    let legacy = world.add_legacy_pool(asset)?.address()?;
    let viddhana = world.add_viddhana_pool(asset)?.address()?;
    let assets = units(100, 6);
    for pool in [legacy, viddhana] {
        world.approve(asset, dave, pool, assets)?;
    }
    world.node.send(dave, legacy, &LegacyPool::depositCall { assets })?;
    world.node.send(dave, viddhana, &ViddhanaPool::depositCall { assets })?;
    world.mint(asset, legacy, units(50, 6))?;
    world.mint(asset, viddhana, units(50, 6))?;
    world.node.send(dave, legacy, &LegacyPool::withdrawCall { shares: units(40, 6) })?;
    world.node.send(dave, viddhana, &ViddhanaPool::withdrawCall { shares: units(40, 6) })?;
    assert_eq!(world.node.call(legacy, &LegacyPool::totalValueLockedCall {})?, units(90, 6));
    assert_eq!(world.node.call(legacy, &LegacyPool::totalSharesCall {})?, units(60, 6));
    let rate = U256::from(ONE_E18 / 10 * 15);
    assert_eq!(world.node.call(legacy, &LegacyPool::exchangeRateCall {})?, rate);
    assert_eq!(world.node.call(viddhana, &ViddhanaPool::exchangeRateCall {})?, rate);
    assert_eq!(world.node.call(viddhana, &ViddhanaPool::riskEngineCall {})?, world.risk);
    // Neither answers what is the other's alone.
    assert!(world.node.call(legacy, &ViddhanaPool::totalAssetsCall {}).is_err());
    assert!(world.node.call(viddhana, &LegacyPool::totalSharesCall {}).is_err());
    assert!(world.node.call(world.not_a_vault, &Vault::totalAssetsCall {}).is_err());

    let set = LegacyRiskEngine::setBreakerCall { pool: legacy, active: true, reason: "drill".into() };
    world.node.send(world.owner, world.legacy_risk, &set)?;
    let ask = LegacyRiskEngine::circuitBreakerReasonCall { pool: legacy };
    assert_eq!(world.node.call(world.legacy_risk, &ask)?, "drill");

    let vault = world.add_vault(asset, 12)?.address()?;
    assert_eq!(world.node.call(vault, &Vault::decimalsCall {})?, 18);
    let arguments = RoundFeed::constructorCall { decimals: 8, description: "A / B".into() };
    let feed = world.node.deploy(world.owner, "RoundFeed", &arguments)?.address()?;
    let round =
        RoundFeed::Round { answeredInRound: "6".parse()?, roundId: "7".parse()?, ..Default::default() };
    world.node.send(world.owner, feed, &RoundFeed::setCall { round: round.clone() })?;
    assert_eq!(world.node.call(feed, &RoundFeed::latestRoundDataCall {})?, round);
    Ok(())
}

#[test]
fn many_vaults_have_a_holder_each() -> Result<()> {
    let many = World::many_vaults(NODE, 1020)?;
    assert_eq!((many.vaults.len(), many.holders.len()), (1020, 1020));
    for i in [0, 99, 100, 1019] {
        let account = many.holders[i];
        let shares = many.node.call(many.vaults[i], &Vault::balanceOfCall { account })?;
        assert_eq!(shares, units(i as u64 + 1, 18));
        assert_eq!(many.node.call(many.vaults[i], &Vault::totalSupplyCall {})?, shares);
        assert_eq!(many.node.call(many.vaults[i], &Vault::assetCall {})?, many.asset);
    }
    Ok(())
}
