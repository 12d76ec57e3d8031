//! One whole operator's round on a real node, through the real binary.

use crate::{Node, NodeKind, NodeOptions, World, watch};
use alloy::primitives::I256;
use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::process::Command;

/// What a step of the round printed.
#[derive(Debug)]
pub struct Step {
    /// The arguments, as typed.
    pub command: String,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Starts a node, deploys two vaults with a history of deposits, transfers and withdrawals, and runs the whole
/// round with the binary in an empty folder: sync, oracle and risk checks, reward cycle, claim, state check.
///
/// `show` gets each step as it is done. Fails at the first command that does not end with exit code 0.
pub fn round(kind: NodeKind, binary: &Path, folder: &Path, mut show: impl FnMut(&Step)) -> Result<World> {
    let world = World::on(Node::start(kind, &NodeOptions::default())?)?;
    let node = &world.node;
    // Fresh quotes, and enough blocks for a few epochs of 10.
    world.set_answer(world.eighteen.feed, I256::try_from(200_100_000_000_i64)?, None)?;
    world.set_answer(world.six.feed, I256::try_from(999_500_000_000_000_000_i64)?, None)?;
    node.mine(12)?;
    let from = world.eighteen.deploy_block.min(world.six.deploy_block);
    std::fs::write(folder.join("config.toml"), config(&world))?;

    let mut run = |command: &str| -> Result<Step> {
        let mut poolctl = Command::new(binary);
        poolctl.args(command.split_whitespace()).current_dir(folder);
        let output = watch::output(poolctl.env_clear().env("POOLCTL_CONFIG", "config.toml"))
            .with_context(|| format!("cannot run {}", binary.display()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let step =
            Step { command: command.to_owned(), stdout: text(&output.stdout), stderr: text(&output.stderr) };
        show(&step);
        ensure!(output.status.success(), "poolctl {command}: {}\n{}", output.status, step.stderr);
        Ok(step)
    };
    let (eighteen, six) = (world.eighteen, world.six);
    let alice = world.alice;
    for command in [
        "init".to_owned(),
        format!("pool add growth {}", eighteen.vault),
        format!("pool add stable {}", six.vault),
        format!("member add {alice} --name alice"),
        "sync --all".to_owned(),
        "pool list".to_owned(),
        format!(
            "oracle add growth-usd --asset {} --address {} --min 1000 --max 5000",
            eighteen.asset, eighteen.feed
        ),
        format!("oracle add stable-usd --asset {} --address {} --min 0.98 --max 1.02", six.asset, six.feed),
        "oracle check".to_owned(),
        format!("risk set growth --engine viddhana --engine-address {}", world.risk),
        "risk set stable --max-tvl 1000000 --daily-withdrawal-cap 50000".to_owned(),
        "risk check --all".to_owned(),
        "reward set-weight growth 0.75".to_owned(),
        "reward set-weight stable 0.25".to_owned(),
        "reward weights".to_owned(),
        format!("reward cycle --from {from}"),
        "reward pending alice".to_owned(),
        "reward claim alice --all".to_owned(),
        "reward claim alice --all".to_owned(),
        "pool position alice growth".to_owned(),
        "state check".to_owned(),
        "events --limit 5".to_owned(),
    ] {
        run(&command)?;
    }
    Ok(world)
}

/// The config file of the round.
pub fn config(world: &World) -> String {
    format!(
        "profile = \"sandbox\"\n\n[profiles.sandbox]\nstate.path = \"state.sqlite\"\nevm.rpc_urls = [\"node={}\"]\n\
         reward.asset = \"{}\"\nreward.epoch_blocks = 10\nreward.block_reward = \"2\"\n",
        world.node.url(),
        world.eighteen.asset
    )
}
