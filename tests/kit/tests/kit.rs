//! The kit tried against itself: the node, the worlds, the wire.

use anyhow::{Context as _, Result, ensure};
use poolctl_testkit::{
    Anvil, AnvilOptions, Fault, MULTICALL3, Matcher, Proxy, Rpc, RpcError, Rule, World,
    abi::{
        AdapterFeed, Asset, LegacyPool, LegacyRiskEngine, MockV3Aggregator, RiskEngine, RoundFeed, Vault,
        ViddhanaPool,
    },
    alloy::{
        primitives::{Address, I256, U256},
        sol_types::SolCall as _,
    },
    units,
};
use serde_json::{Value, json};
use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

const ONE_E18: u64 = 1_000_000_000_000_000_000;

fn node() -> Result<Anvil> {
    Anvil::start(&AnvilOptions::default())
}

#[test]
fn a_node_mines_on_a_clock_of_its_own_and_knows_what_is_final() -> Result<()> {
    let anvil = Anvil::start(&AnvilOptions { chain_id: 5, slots_in_an_epoch: 4, ..AnvilOptions::default() })?;
    assert_eq!(anvil.rpc("eth_chainId", json!([]))?, "0x5");
    assert_eq!((anvil.block_number()?, anvil.timestamp()?), (0, 1_700_000_000));
    assert_eq!((anvil.block_of_tag("safe")?, anvil.block_of_tag("finalized")?), (0, 0));
    anvil.mine(20)?;
    assert_eq!((anvil.block_number()?, anvil.timestamp()?), (20, 1_700_000_000 + 20 * 12));
    assert_eq!((anvil.block_of_tag("safe")?, anvil.block_of_tag("finalized")?), (16, 12));
    anvil.advance(3600)?;
    anvil.mine(1)?;
    assert_eq!(anvil.timestamp()?, 1_700_000_000 + 20 * 12 + 3600 + 12);
    let code = anvil.rpc("eth_getCode", json!([MULTICALL3, "latest"]))?;
    assert!(code.as_str().is_some_and(|code| code.len() > 1000));
    Ok(())
}

#[test]
fn a_node_goes_back_and_takes_another_branch() -> Result<()> {
    let anvil = node()?;
    anvil.mine(5)?;
    let (third, fourth) = (anvil.block_hash(3)?, anvil.block_hash(4)?);

    let snapshot = anvil.snapshot()?;
    anvil.mine(2)?;
    anvil.revert(snapshot)?;
    assert_eq!((anvil.block_number()?, anvil.block_hash(4)?), (5, fourth));

    anvil.reorg(2)?;
    assert_eq!((anvil.block_number()?, anvil.block_hash(3)?), (5, third));
    let reorged = anvil.block_hash(4)?;
    assert_ne!(reorged, fourth);
    assert!(anvil.rpc("eth_getBlockByHash", json!([fourth, false]))?.is_null());

    anvil.rollback(2)?;
    assert_eq!((anvil.block_number()?, anvil.block_hash(3)?), (3, third));
    anvil.mine(1)?;
    assert_ne!(anvil.block_hash(4)?, reorged);
    assert_ne!(anvil.block_hash(4)?, fourth);
    assert_eq!(anvil.timestamp()?, 1_700_000_000 + 4 * 12);
    Ok(())
}

#[test]
fn a_node_without_automine_mines_when_told() -> Result<()> {
    let anvil = Anvil::start(&AnvilOptions { automine: false, multicall: false, ..AnvilOptions::default() })?;
    assert_eq!(anvil.rpc("eth_getCode", json!([MULTICALL3, "latest"]))?, "0x");
    let &[owner, other, ..] = anvil.accounts() else { anyhow::bail!("no accounts") };
    let deployed = anvil.deploy(owner, "RiskEngine", &RiskEngine::constructorCall {})?;
    assert_eq!((deployed.block, anvil.block_number()?), (1, 1));
    let engine = deployed.address()?;
    let first = anvil.submit(owner, engine, &RiskEngine::setPausedCall { on: true })?;
    let second = anvil.submit(other, engine, &RiskEngine::setEmergencyModeCall { on: true })?;
    assert!(anvil.receipt(first)?.is_none());
    anvil.mine(1)?;
    let blocks = [first, second].map(|tx| anvil.receipt(tx).ok().flatten().map(|receipt| receipt.block));
    assert_eq!(blocks, [Some(2), Some(2)]);
    anvil.set_automine(true)?;
    let receipt = anvil.send(owner, engine, &RiskEngine::setPausedCall { on: false })?;
    assert_eq!(receipt.block, 3);
    Ok(())
}

#[test]
fn a_node_says_why_a_transaction_failed() -> Result<()> {
    let world = World::small()?;
    let stranger = world.dave;
    let pause = Vault::pauseCall {};
    let failed = world.anvil.send(stranger, world.six.vault, &pause).err().context("must fail")?;
    let error = failed.downcast_ref::<RpcError>().context("not the node's error")?;
    assert_eq!(error.code, 3);
    // OwnableUnauthorizedAccount(address)
    assert!(error.data.as_str().is_some_and(|data| data.starts_with("0x118cdaa7")), "{error}");
    let mined = world.anvil.send_with_gas(stranger, world.six.vault, &pause, 100_000)?;
    assert!(!mined.success);
    Ok(())
}

#[test]
fn a_small_world_adds_up_and_is_the_same_each_time() -> Result<()> {
    let world = World::small()?;
    for pool in [world.eighteen, world.six] {
        let read = |holder| world.anvil.call(pool.vault, &Vault::balanceOfCall { account: holder });
        let supply = world.anvil.call(pool.vault, &Vault::totalSupplyCall {})?;
        assert_eq!(read(world.alice)? + read(world.bob)? + read(world.carol)?, supply);
        assert!(
            read(world.alice)? > U256::ZERO
                && read(world.bob)? > U256::ZERO
                && read(world.carol)? > U256::ZERO
        );
        assert_eq!(read(world.dave)? + read(world.owner)?, U256::ZERO);
        let held = world.anvil.call(pool.asset, &Asset::balanceOfCall { account: pool.vault })?;
        assert_eq!(world.anvil.call(pool.vault, &Vault::totalAssetsCall {})?, held);
        assert_eq!(world.anvil.call(pool.vault, &Vault::decimalsCall {})?, pool.decimals);
        assert!(pool.deploy_block > 0);
        let config = world.anvil.call(world.risk, &RiskEngine::poolConfigsCall { pool: pool.vault })?;
        assert_eq!(config.maxTvl, units(10_000_000, pool.decimals));
    }
    // 1575 assets for 1500 shares before bob took 50 out.
    let rate =
        world.anvil.call(world.eighteen.vault, &Vault::convertToAssetsCall { shares: units(1, 18) })?;
    assert!(rate.abs_diff(U256::from(ONE_E18 / 100 * 105)) < U256::from(1000), "{rate}");
    let rate = world.anvil.call(world.six.vault, &Vault::convertToAssetsCall { shares: units(1, 6) })?;
    assert_eq!(rate, units(1, 6));
    let price =
        world.anvil.call(world.adapter, &AdapterFeed::getLatestPriceCall { asset: world.eighteen.asset })?;
    assert_eq!(price, units(2_001, 18));

    let again = World::small()?;
    let head = world.anvil.block_number()?;
    assert_eq!(again.anvil.block_hash(head)?, world.anvil.block_hash(head)?);
    Ok(())
}

#[test]
fn a_world_can_be_hurt() -> Result<()> {
    let world = World::small()?;
    let vault = world.eighteen.vault;
    let rate = || world.anvil.call(vault, &Vault::convertToAssetsCall { shares: units(1, 18) });
    let before = rate()?;
    world.loss(vault, units(300, 18))?;
    assert!(rate()? < before);
    world.donate(vault, world.dave, units(600, 18))?;
    assert!(rate()? > before);

    world.pause(vault)?;
    assert!(world.anvil.call(vault, &Vault::pausedCall {})?);
    let receiver = world.alice;
    assert_eq!(world.anvil.call(vault, &Vault::maxDepositCall { receiver })?, U256::ZERO);
    assert!(world.deposit(vault, world.alice, units(1, 18)).is_err());
    world.unpause(vault)?;
    world.deposit(vault, world.alice, units(1, 18))?;

    let feed = world.eighteen.feed;
    let round = || world.anvil.call(feed, &MockV3Aggregator::latestRoundDataCall {});
    let first = round()?;
    world.set_answer(feed, I256::MINUS_ONE, Some(0))?;
    let second = round()?;
    assert_eq!((second.answer, second.updatedAt), (I256::MINUS_ONE, U256::ZERO));
    assert!(second.roundId > first.roundId);
    world.set_answer(feed, I256::ONE, None)?;
    assert_eq!(round()?.updatedAt, U256::from(world.anvil.timestamp()?));
    Ok(())
}

#[test]
fn a_world_has_the_other_profiles_too() -> Result<()> {
    let world = World::small()?;
    let (asset, dave) = (world.six.asset, world.dave);
    let legacy = world.add_legacy_pool(asset)?.address()?;
    let viddhana = world.add_viddhana_pool(asset)?.address()?;
    let assets = units(100, 6);
    for pool in [legacy, viddhana] {
        world.approve(asset, dave, pool, assets)?;
    }
    world.anvil.send(dave, legacy, &LegacyPool::depositCall { assets })?;
    world.anvil.send(dave, viddhana, &ViddhanaPool::depositCall { assets })?;
    world.mint(asset, legacy, units(50, 6))?;
    world.mint(asset, viddhana, units(50, 6))?;
    world.anvil.send(dave, legacy, &LegacyPool::withdrawCall { shares: units(40, 6) })?;
    world.anvil.send(dave, viddhana, &ViddhanaPool::withdrawCall { shares: units(40, 6) })?;
    assert_eq!(world.anvil.call(legacy, &LegacyPool::totalValueLockedCall {})?, units(90, 6));
    assert_eq!(world.anvil.call(legacy, &LegacyPool::totalSharesCall {})?, units(60, 6));
    let rate = U256::from(ONE_E18 / 10 * 15);
    assert_eq!(world.anvil.call(legacy, &LegacyPool::exchangeRateCall {})?, rate);
    assert_eq!(world.anvil.call(viddhana, &ViddhanaPool::exchangeRateCall {})?, rate);
    assert_eq!(world.anvil.call(viddhana, &ViddhanaPool::riskEngineCall {})?, world.risk);
    // Neither answers what is the other's alone.
    assert!(world.anvil.call(legacy, &ViddhanaPool::totalAssetsCall {}).is_err());
    assert!(world.anvil.call(viddhana, &LegacyPool::totalSharesCall {}).is_err());
    assert!(world.anvil.call(world.not_a_vault, &Vault::totalAssetsCall {}).is_err());

    let set = LegacyRiskEngine::setBreakerCall { pool: legacy, active: true, reason: "drill".into() };
    world.anvil.send(world.owner, world.legacy_risk, &set)?;
    let ask = LegacyRiskEngine::circuitBreakerReasonCall { pool: legacy };
    assert_eq!(world.anvil.call(world.legacy_risk, &ask)?, "drill");

    let vault = world.add_vault(asset, 12)?.address()?;
    assert_eq!(world.anvil.call(vault, &Vault::decimalsCall {})?, 18);
    let arguments = RoundFeed::constructorCall { decimals: 8, description: "A / B".into() };
    let feed = world.anvil.deploy(world.owner, "RoundFeed", &arguments)?.address()?;
    let round =
        RoundFeed::Round { answeredInRound: "6".parse()?, roundId: "7".parse()?, ..Default::default() };
    world.anvil.send(world.owner, feed, &RoundFeed::setCall { round: round.clone() })?;
    assert_eq!(world.anvil.call(feed, &RoundFeed::latestRoundDataCall {})?, round);
    Ok(())
}

#[test]
fn many_vaults_have_a_holder_each() -> Result<()> {
    let many = World::many_vaults(1020)?;
    assert_eq!((many.vaults.len(), many.holders.len()), (1020, 1020));
    for i in [0, 99, 100, 1019] {
        let account = many.holders[i];
        let shares = many.anvil.call(many.vaults[i], &Vault::balanceOfCall { account })?;
        assert_eq!(shares, units(i as u64 + 1, 18));
        assert_eq!(many.anvil.call(many.vaults[i], &Vault::totalSupplyCall {})?, shares);
        assert_eq!(many.anvil.call(many.vaults[i], &Vault::assetCall {})?, many.asset);
    }
    Ok(())
}

/// A proxy in front of a node, and a client of the proxy.
fn wire(anvil: &Anvil) -> Result<(Proxy, Rpc)> {
    let proxy = Proxy::start(anvil.url())?;
    let rpc = Rpc::new(&proxy.url())?;
    Ok((proxy, rpc))
}

fn request(method: &str, params: &Value, id: u64) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

#[test]
fn a_wire_records_what_it_passes_on() -> Result<()> {
    let anvil = node()?;
    let (proxy, rpc) = wire(&anvil)?;
    assert_eq!(rpc.call("eth_chainId", json!([]))?, "0x7a69");
    let batch = json!([request("eth_chainId", &json!([]), 8), request("eth_blockNumber", &json!([]), 9)]);
    let answer = rpc.post(&batch)?;
    assert_eq!(answer.as_array().map(Vec::len), Some(2));
    assert_eq!(proxy.http_count(), 2);
    assert_eq!(proxy.requests().get(1), Some(&batch));
    assert_eq!(proxy.methods(), ["eth_chainId", "eth_chainId", "eth_blockNumber"]);
    proxy.clear();
    assert_eq!(proxy.http_count(), 0);
    Ok(())
}

#[test]
fn a_wire_counts_when_a_fault_is_due() -> Result<()> {
    let anvil = node()?;
    let (proxy, rpc) = wire(&anvil)?;
    proxy.fault(Rule::new(Fault::ResultNull).on_method("eth_blockNumber").after(1).times(2));
    let ask = |method: &str| rpc.call(method, json!([])).map(|answer| answer.is_null());
    assert!(!ask("eth_blockNumber")?);
    assert!(!ask("eth_chainId")?);
    assert!(ask("eth_blockNumber")?);
    assert!(ask("eth_blockNumber")?);
    assert!(!ask("eth_blockNumber")?);
    proxy.fault(Rule::new(Fault::ChainId(1)));
    assert_eq!(rpc.call("eth_chainId", json!([]))?, "0x1");
    assert_eq!(rpc.call("eth_blockNumber", json!([]))?, "0x0");
    proxy.heal();
    assert_eq!(rpc.call("eth_chainId", json!([]))?, "0x7a69");
    Ok(())
}

#[test]
fn a_wire_spoils_only_the_matching_calls_of_a_batch() -> Result<()> {
    let anvil = node()?;
    let (proxy, rpc) = wire(&anvil)?;
    proxy.fault(Rule::new(Fault::ChainId(1)).on_method("eth_chainId"));
    let batch = json!([request("eth_blockNumber", &json!([]), 8), request("eth_chainId", &json!([]), 9)]);
    let mut results = rpc.post(&batch)?.as_array().context("a batch")?.clone();
    results.sort_by_key(|answer| answer["id"].as_u64());
    assert_eq!((&results[0]["result"], &results[1]["result"]), (&json!("0x0"), &json!("0x1")));

    proxy.heal();
    let call = |data: &str| rpc.call("eth_call", json!([{"to": Address::ZERO, "data": data}, "latest"]));
    let selector = Vault::totalAssetsCall::SELECTOR;
    proxy.fault(
        Rule::new(Fault::RpcError { code: -32005, message: "limit".into(), data: json!("0x01") })
            .on(Matcher::Selector(selector)),
    );
    let failed = call("0xffff01e1d11400").err().context("must fail")?;
    let error = failed.downcast_ref::<RpcError>().context("not the node's error")?;
    assert_eq!(*error, RpcError { code: -32005, message: "limit".into(), data: json!("0x01") });
    assert_eq!(call("0x01")?, "0x");

    proxy.heal();
    proxy.fault(Rule::new(Fault::EmptyCall));
    let data = "0x4d2301cc000000000000000000000000ca11bde05977b3631167028862be2a173976ca11";
    assert_eq!(rpc.call("eth_call", json!([{"to": MULTICALL3, "data": data}, "latest"]))?, "0x");

    proxy.heal();
    proxy
        .fault(Rule::new(Fault::Custom(|request, response| json!({"id": 1, "result": [request, response]}))));
    assert_eq!(rpc.call("eth_chainId", json!([]))?[1]["result"], "0x7a69");
    Ok(())
}

#[test]
fn a_wire_breaks_in_every_way() -> Result<()> {
    let anvil = node()?;
    let (proxy, rpc) = wire(&anvil)?;
    // The client opens a new connection for each case, else it would try a refused request twice.
    let failure = |fault| -> Result<String> {
        proxy.heal();
        proxy.fault(Rule::new(fault));
        proxy.clear();
        let failed = Rpc::new(&proxy.url())?.call("eth_chainId", json!([]));
        ensure!(proxy.http_count() == 1, "{} requests", proxy.http_count());
        Ok(format!("{:#}", failed.err().context("must fail")?))
    };
    let contains = |fault, part: &str| -> Result<()> {
        let said = failure(fault)?;
        ensure!(said.contains(part), "{said}");
        Ok(())
    };
    contains(Fault::Refuse, "closed without an answer")?;
    contains(Fault::Status(429, Some(7)), "HTTP/1.1 429")?;
    contains(Fault::Status(503, None), "HTTP/1.1 503")?;
    contains(Fault::Html, "no JSON")?;
    contains(Fault::Truncated, "failed to fill whole buffer")?;
    contains(Fault::CutJson, "EOF while parsing")?;

    proxy.heal();
    let pause = Duration::from_millis(50);
    proxy.fault(Rule::new(Fault::Delay(pause)).times(1));
    let start = Instant::now();
    rpc.call("eth_chainId", json!([]))?;
    assert!(start.elapsed() >= pause);

    contains(Fault::DieForever, "closed without an answer")?;
    // The listener goes in a moment; until then connections are taken and closed.
    let end = Instant::now() + Duration::from_secs(5);
    let address = proxy.url().replace("http://", "");
    while TcpStream::connect(&address).is_ok() {
        ensure!(Instant::now() < end, "still listening");
        std::thread::yield_now();
    }
    assert!(rpc.call("eth_chainId", json!([])).is_err());
    Ok(())
}

#[test]
fn a_wire_says_when_nobody_is_behind_it() -> Result<()> {
    let anvil = node()?;
    let (_proxy, rpc) = wire(&anvil)?;
    rpc.call("eth_chainId", json!([]))?;
    drop(anvil);
    let failed = rpc.call("eth_chainId", json!([])).err().context("must fail")?;
    assert!(format!("{failed:#}").contains("HTTP/1.1 502"), "{failed:#}");
    Ok(())
}
