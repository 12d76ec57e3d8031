//! The EVM part of the demo: two vaults, from the first look at them to paid rewards.

use super::stage::{End, Stage};
use super::tally::Rewards;
use crate::sandbox::broken;
use poolctl_sandbox::Error;
use poolctl_sandbox::evm::abi::Vault;
use poolctl_sandbox::evm::world::units;
use poolctl_sandbox::network::Networks;

/// Whole shares of the pool of dollars that bob takes back.
const BOBS_SHARES: u64 = 500;

/// Longer than a quote may be old.
const SILENCE_SECONDS: u64 = 2 * 3_600;

/// Plays it; gives where the rewards went.
pub fn play(stage: &mut Stage<'_>, networks: &Networks) -> Result<Rewards, End> {
    let world = &networks.world;
    stage.run("init")?;
    for pool in [&world.dollars, &world.ether] {
        stage.run(&format!("pool add {} {}", pool.name, pool.vault))?;
    }
    stage.run("sync --all")?;
    for (name, address) in world.members {
        stage.run(&format!("member add {address} --name {name}"))?;
    }
    stage.run("member list")?;

    stage.say("May the prices be used, and are the pools within their limits?")?;
    for (pool, min, max) in [(&world.dollars, "0.98", "1.02"), (&world.ether, "1000", "5000")] {
        let (name, asset, feed) = (pool.name, pool.asset, pool.feed);
        stage.run(&format!(
            "oracle add {name}-usd --asset {asset} --address {feed} --min {min} --max {max}"
        ))?;
        stage.run(&format!("risk set {name} --engine viddhana --engine-address {}", world.risk))?;
    }
    stage.run("oracle check")?;
    stage.run("risk check --all")?;

    stage.say("Rewards: three quarters of the emission for one pool, one quarter for the other.")?;
    stage.run("reward set-weight dollars 0.75")?;
    stage.run("reward set-weight ether 0.25")?;
    let from = world.dollars.deploy_block.min(world.ether.deploy_block);
    stage.run(&format!("reward cycle --from {from}"))?;

    stage.say("Blocks pass: dave deposits, bob withdraws, alice gives shares to carol.")?;
    move_on(networks).map_err(|e| broken(&e))?;
    stage.run("sync --all")?;
    stage.run("reward cycle")?;

    stage.say(
        "Two hours pass in which no feed reports: the prices are refused, and exit code 5 tells cron.",
    )?;
    let silence = networks.evm.advance_over(1, SILENCE_SECONDS).and_then(|_| networks.evm.mine(2));
    silence.map_err(|e| broken(&e))?;
    stage.step("oracle check", None, 5)?;
    stage.say("The feeds report again.")?;
    world.report_again(&networks.evm).and_then(|()| networks.evm.mine(2)).map_err(|e| broken(&e))?;
    stage.run("oracle check")?;

    stage.say("Members claim. A second claim finds nothing, and nothing is ever paid twice.")?;
    stage.run("reward pending alice")?;
    stage.run("reward claim alice --all")?;
    stage.run("reward claim alice --all")?;
    stage.run("pool position alice dollars")?;

    stage.say("Was every epoch paid as the chain says? Each is computed again from its logs, row by row.")?;
    stage.run("reward epoch verify --all")?;
    stage.run("reward epoch list dollars")?;

    stage
        .say("Bob wants shares back. What he asks for is reserved, and his own transaction completes it.")?;
    stage.run(&format!("pool validate-withdrawal dollars bob {BOBS_SHARES}"))?;
    stage.run(&format!("withdrawal request dollars bob {BOBS_SHARES} --idempotency-key bob-1"))?;
    let redeemed = redeem(networks).map_err(|e| broken(&e))?;
    stage.run(&format!("withdrawal complete 1 --tx {redeemed}"))?;
    stage.run("sync --all")?;
    stage.run("withdrawal list")?;

    stage.say("The ledger: every figure is checked against every other.")?;
    stage.run("state check --full")?;
    stage.run("events --limit 5")?;
    stage.run("pool list")?;
    stage.run("pool reconcile --all")?;
    let members: Vec<&str> = world.members.iter().map(|(name, _)| *name).collect();
    Rewards::of(stage, &members, &[world.dollars.name, world.ether.name])
}

/// Bob's shares leave by his own transaction; gives its hash once its block is final.
fn redeem(networks: &Networks) -> Result<String, Error> {
    let (evm, world) = (&networks.evm, &networks.world);
    let [_, (_, bob), ..] = world.members;
    let dollars = &world.dollars;
    let shares = units(BOBS_SHARES, dollars.decimals);
    let receipt = evm.send(bob, dollars.vault, &Vault::redeemCall { shares, receiver: bob, owner: bob })?;
    evm.mine(3)?;
    Ok(receipt.transaction.to_string())
}

/// Life goes on: two epochs' worth of blocks, with something in them.
fn move_on(networks: &Networks) -> Result<(), Error> {
    let (evm, world) = (&networks.evm, &networks.world);
    let [(_, alice), (_, bob), (_, carol), (_, dave)] = world.members;
    let (dollars, ether) = (&world.dollars, &world.ether);
    world.deposit(evm, dollars, dave, units(25_000, dollars.decimals))?;
    evm.mine(6)?;
    let withdraw = Vault::withdrawCall { assets: units(10_000, dollars.decimals), receiver: bob, owner: bob };
    evm.send(bob, dollars.vault, &withdraw)?;
    evm.mine(5)?;
    evm.send(alice, ether.vault, &Vault::transferCall { to: carol, shares: units(4, ether.decimals) })?;
    evm.mine(12).map(drop)
}
