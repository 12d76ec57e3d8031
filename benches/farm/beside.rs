//! Many at once: what commands take beside a farm that is at work on the same state, to what they take alone.

use super::{FARMERS, Ticks, command, run};
use crate::desk::Desk;
use crate::measure::{Table, median, spread};
use anyhow::{Result, ensure};
use poolctl_testkit::{NodeKind, World};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A command may take so many times as long beside the farm as alone, and so much more.
const LIMIT: (f64, Duration) = (1.5, Duration::from_millis(50));

/// Each command alone and beside.
const RUNS: u32 = 25;

/// From one ledger to the next: twenty times the network's pace.
const PACE: Duration = Duration::from_millis(250);

/// The farm plants, works and harvests for a hundred farmers meanwhile, and grinds on every core.
pub fn commands(base: &Desk, table: &mut Table) -> Result<()> {
    let (desk, world) = (base.fork(), World::small(NodeKind::Sandbox)?);
    furnish(&desk, &world)?;
    let alone = timed(&desk, &world)?;
    let ticks = Ticks::start(&desk, PACE);
    let mut farm = command(&desk, "farm run");
    let mut farm = farm.env("POOLCTL_STELLAR_POLL_MS", "50").stdout(Stdio::null()).spawn()?;
    let count = |rows: &str| desk.value::<u32>(&format!("SELECT count(*) FROM {rows}"));
    let begun = Instant::now();
    while count("open_pails") < FARMERS {
        ensure!(begun.elapsed() < Duration::from_mins(1), "the farm does not plant");
        std::thread::sleep(Duration::from_millis(50));
    }
    let beside = timed(&desk, &world)?;
    ensure!(farm.try_wait()?.is_none(), "the farm ended");
    farm.kill()?;
    farm.wait()?;
    ticks.end();
    for ((line, alone), (_, beside)) in alone.iter().zip(&beside) {
        table.note(format!("{line}: wall alone"), spread(alone));
        table.note(format!("{line}: wall beside a farm of {FARMERS} at work"), spread(beside));
        let what = format!("{line}: beside / alone, of the medians");
        table.within(what, median(beside), median(alone), LIMIT);
    }
    let done = ["plantings", "works", "harvests"].map(count);
    table.note("plants, works and harvests of the farm meanwhile".to_owned(), format!("{done:?}"));
    Ok(())
}

/// Pools with rewards, in the state of the farm.
fn furnish(desk: &Desk, world: &World) -> Result<()> {
    desk.configure(&format!(
        "strategy.target_zeros = 16\nkale.work_margin_sec = 60\nevm.rpc_urls = [\"main={}\"]\n\
         reward.asset = \"{}\"\nreward.epoch_blocks = 10\nreward.block_reward = \"2\"",
        world.node.url(),
        world.eighteen.asset
    ));
    run(desk, "pooler add south --capacity 1000")?;
    run(desk, &format!("pool add growth {}", world.eighteen.vault))?;
    run(desk, &format!("pool add stable {}", world.six.vault))?;
    run(desk, &format!("member add {} --name alice", world.alice))?;
    run(desk, "reward set-weight growth 0.75")?;
    run(desk, "reward set-weight stable 0.25")?;
    let genesis = world.eighteen.deploy_block.min(world.six.deploy_block);
    run(desk, &format!("reward cycle --from {genesis}"))
}

/// The sorted times of each command, which has something to do each time.
fn timed(desk: &Desk, world: &World) -> Result<Vec<(&'static str, Vec<Duration>)>> {
    let names = ["sync --all", "reward claim", "config set", "farmer register"];
    let mut times = names.map(|name| (name, Vec::new()));
    for turn in 0..RUNS {
        // An epoch is over, and final.
        world.node.mine(20)?;
        run(desk, "reward cycle")?;
        world.node.mine(1)?;
        let set = format!("config set oracle.cache_ttl_sec {}", 60 + turn % 2);
        let register = "farmer register --pooler south --stake-percentage 0.25";
        let lines = ["sync --all", "reward claim alice --all", &set, register];
        for (line, (_, times)) in lines.into_iter().zip(&mut times) {
            let begun = Instant::now();
            run(desk, line)?;
            times.push(begun.elapsed());
        }
    }
    for (_, times) in &mut times {
        times.sort_unstable();
    }
    let claimed: u32 = desk.value("SELECT count(*) FROM events WHERE kind = 'reward.claimed'");
    ensure!(claimed >= RUNS, "{claimed} claims");
    Ok(times.into())
}
