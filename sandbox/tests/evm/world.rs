//! The demo's world: what it holds adds up, and is the same each time.

use alloy::primitives::{Address, U256};
use alloy::sol_types::SolEvent;
use poolctl_sandbox::evm::abi::{Aggregator, Asset, RiskEngine, Vault};
use poolctl_sandbox::evm::world::{World, units};
use poolctl_sandbox::evm::{Evm, EvmOptions};
use serde_json::json;

use super::wire::{call, start, start_with};

fn world() -> (Evm, World) {
    let evm = start();
    let world = World::deploy(&evm).unwrap();
    world.live(&evm).unwrap();
    (evm, world)
}

#[test]
fn holders_add_up_to_the_supply_and_events_tell_the_same() {
    let (evm, world) = world();
    for pool in [world.dollars, world.ether] {
        let supply = evm.call(pool.vault, &Vault::totalSupplyCall {}).unwrap();
        let held: U256 = world
            .members
            .iter()
            .map(|(_, account)| evm.call(pool.vault, &Vault::balanceOfCall { account: *account }).unwrap())
            .sum();
        assert_eq!(held, supply);
        let assets = evm.call(pool.vault, &Vault::totalAssetsCall {}).unwrap();
        assert_eq!(evm.call(pool.asset, &Asset::balanceOfCall { account: pool.vault }).unwrap(), assets);
        assert_eq!(evm.call(pool.vault, &Vault::decimalsCall {}).unwrap(), pool.decimals);
        let filter = json!({"fromBlock": format!("{:#x}", pool.deploy_block), "address": pool.vault,
            "topics": [Vault::Transfer::SIGNATURE_HASH]});
        let logs = call(&evm, "eth_getLogs", json!([filter]));
        let zero = Address::ZERO.into_word();
        let told = logs.as_array().unwrap().iter().fold(U256::ZERO, |sum, log| {
            let value: U256 = log["data"].as_str().unwrap().parse().unwrap();
            let sum = if log["topics"][1] == json!(zero) { sum + value } else { sum };
            if log["topics"][2] == json!(zero) { sum - value } else { sum }
        });
        assert_eq!(told, supply);
        let config = evm.call(world.risk, &RiskEngine::poolConfigsCall { pool: pool.vault }).unwrap();
        assert!(config.active && config.maxTvl > assets);
        let round = evm.call(pool.feed, &Aggregator::latestRoundDataCall {}).unwrap();
        let age = U256::from(evm.head().unwrap().timestamp) - round.updatedAt;
        assert!(age < U256::from(60), "{age}");
        assert_eq!(round.answeredInRound, round.roundId);
    }
    let rate = evm.call(world.dollars.vault, &Vault::convertToAssetsCall { shares: units(1, 6) }).unwrap();
    assert_eq!(rate, U256::from(1_010_000), "1,735 earned on 173,500");
    assert_eq!(World::deploy(&start()).unwrap(), world, "the same addresses each time");
}

#[test]
fn a_feed_can_be_stale_incomplete_or_wrong() {
    let (evm, world) = world();
    let feed = world.dollars.feed;
    let round = || evm.call(feed, &Aggregator::latestRoundDataCall {}).unwrap();
    let first = round();
    evm.send(world.owner, feed, &Aggregator::openCall {}).unwrap();
    assert!(round().answeredInRound < round().roundId);
    assert_eq!(round().answer, first.answer);
    let lie = Aggregator::reportAtCall { answer: alloy::primitives::I256::MINUS_ONE, updatedAt: U256::ZERO };
    evm.send(world.owner, feed, &lie).unwrap();
    assert_eq!((round().answer, round().updatedAt), (alloy::primitives::I256::MINUS_ONE, U256::ZERO));
    let (_, stranger) = world.members[0];
    let before = evm.head().unwrap();
    let refused = evm.send(stranger, feed, &lie).unwrap_err().to_string();
    // OwnableUnauthorizedAccount(address)
    assert!(refused.contains("reportAt") && refused.contains("0x118cdaa7"), "{refused}");
    assert_eq!(evm.head().unwrap(), before, "nothing on the chain");
}

#[test]
fn a_paused_vault_takes_nothing_and_an_asset_is_minted_on_request() {
    let (evm, world) = world();
    let pool = world.ether;
    let (_, alice) = world.members[0];
    evm.send(world.owner, pool.vault, &Vault::pauseCall {}).unwrap();
    assert_eq!(evm.call(pool.vault, &Vault::maxDepositCall { receiver: alice }).unwrap(), U256::ZERO);
    assert!(world.deposit(&evm, &pool, alice, units(1, 18)).is_err());
    evm.send(world.owner, pool.vault, &Vault::unpauseCall {}).unwrap();
    world.deposit(&evm, &pool, alice, units(1, 18)).unwrap();
    let someone = Address::repeat_byte(3);
    let asked = json!({"account": someone, "asset": pool.asset, "amount": "123000000000000000000"});
    call(&evm, "sandbox_fund", asked);
    let balance = evm.call(pool.asset, &Asset::balanceOfCall { account: someone }).unwrap();
    assert_eq!(balance, units(123, 18));
}

#[test]
fn a_world_is_made_without_automine_too() {
    let evm = start_with(EvmOptions { automine: false, ..EvmOptions::default() });
    let world = World::deploy(&evm).unwrap();
    world.live(&evm).unwrap();
    let supply = evm.call(world.dollars.vault, &Vault::totalSupplyCall {}).unwrap();
    assert!(supply > units(100_000, 6));
}
