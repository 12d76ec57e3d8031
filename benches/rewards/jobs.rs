//! What is measured, each in a process of its own: the library's services, and the bare loop that they are compared with.

use crate::bare;
use crate::world::{self, ASSET, BLOCKS, Story, VAULT};
use alloy::primitives::Address;
use anyhow::{Context as _, Result, ensure};
use base::{Endpoint, Silent, Stop};
use config::{Config, Sources};
use evm::{At, BlockRef, Chain, ChainConfig};
use state::{Consent, Permit, State, ValuePermit, WriteContext};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use vault::pool::abi::sol::IERC20::balanceOfCall;
use vault::sync::{self, Intake};
use vault::{pool, reward};

/// What came of a job.
pub struct Done {
    /// Rows that it was about.
    pub rows: u64,
    pub time: Duration,
    /// Processor time in it: what it would take if nobody else used the machine, the disk aside.
    pub cpu: Duration,
    /// The process's peak, its start and all that the job needs besides included.
    pub peak_mib: usize,
}

impl Done {
    /// The same without the time of another job.
    pub fn without(self, other: &Self) -> Self {
        let (time, cpu) = (self.time.saturating_sub(other.time), self.cpu.saturating_sub(other.cpu));
        Self { time, cpu, ..self }
    }

    /// Reads the line that [`Job::run`] printed.
    pub fn parse(line: &str) -> Result<Self> {
        let mut words = line.split_whitespace().map(str::parse::<u64>);
        let mut next = || words.next().context("a figure is missing")?.context("not a figure");
        let (rows, time, cpu) = (next()?, Duration::from_micros(next()?), Duration::from_micros(next()?));
        let peak = next()?;
        Ok(Self { rows, time, cpu, peak_mib: usize::try_from(peak.div_ceil(1024))? })
    }
}

/// Time that the measured part took.
#[derive(Default)]
struct Spent {
    time: Duration,
    cpu: Duration,
}

impl Spent {
    fn during<T>(&mut self, body: impl FnOnce() -> T) -> T {
        let begun = (Instant::now(), on_processor());
        let result = body();
        self.since(begun);
        result
    }

    fn since(&mut self, (begun, cpu): (Instant, Duration)) {
        self.time += begun.elapsed();
        self.cpu += on_processor().saturating_sub(cpu);
    }
}

/// For how long this thread has run, as Linux tells; elsewhere 0.
fn on_processor() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = told.split_whitespace().next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

/// A job, with what it is told of the network.
pub struct Job {
    name: String,
    story: Story,
    url: String,
    first: u64,
    holders: u64,
    head: BlockRef,
    state: PathBuf,
}

impl Job {
    /// The job that the arguments ask for, if any.
    pub fn from_args(args: &[String]) -> Result<Option<Self>> {
        let of = |name: &str| {
            let flag = format!("--{name}=");
            args.iter().find_map(|arg| arg.strip_prefix(flag.as_str())).with_context(|| flag.clone())
        };
        let Ok(name) = of("job") else { return Ok(None) };
        Ok(Some(Self {
            name: name.to_owned(),
            story: Story::parse(of("story")?).context("no such story")?,
            url: of("url")?.to_owned(),
            first: of("first")?.parse()?,
            holders: of("holders")?.parse()?,
            head: BlockRef { number: of("head")?.parse()?, hash: of("hash")?.parse()?, timestamp: 0 },
            state: args.last().context("no state")?.into(),
        }))
    }

    /// Does it, and prints what came of it.
    pub fn run(&self) -> Result<()> {
        let (rows, Spent { time, cpu }) = match self.name.as_str() {
            "replay" => self.replay()?,
            "date" => self.date()?,
            "ask" => self.ask()?,
            "distribute" => self.distribute()?,
            "bare-replay" => self.bare_replay()?,
            "bare-distribute" => self.bare_distribute()?,
            "verify" => self.verify()?,
            "check" => self.check()?,
            other => anyhow::bail!("no job {other}"),
        };
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
        println!(
            "{rows} {} {} {}",
            time.as_micros(),
            cpu.as_micros(),
            peak.split_whitespace().next().unwrap_or("0")
        );
        Ok(())
    }

    /// All ranges into a state, and the holders held against the supply. Only what the library does counts, not the making of the logs.
    fn replay(&self) -> Result<(u64, Spent)> {
        let lock = world::lock(&self.state)?;
        let mut state = world::open(&self.state, &lock)?;
        let permit = Permit::of(&lock);
        let pools = pool::list(state.conn())?;
        let supply = self.story.supply(self.holders);
        let goals = pools.iter().map(|pool| (pool.id, (pool, supply))).collect();
        let mut intake = Intake::toward(self.head.number, goals);
        intake.aim(&pools);
        let mut spent = Spent::default();
        for range in world::ranges(self.story, self.first, self.holders, self.head) {
            spent.during(|| intake.push(&mut state, permit, &range))?;
        }
        spent.during(|| intake.flush(&mut state, permit))?;
        let replayed = intake.finish();
        ensure!(replayed.failed.is_empty() && replayed.holders.len() == pools.len(), "{replayed:?}");
        let taken = replayed.taken.values().sum();
        spent.during(|| state.after_bulk(taken))?;
        Ok((taken, spent))
    }

    fn network(&self) -> Result<(Chain, Runtime)> {
        let endpoints = Endpoint::parse_list(&[format!("node={}", self.url)])?;
        let chain = Chain::new(ChainConfig::new("sandbox", 31_337, endpoints))?;
        Ok((chain, Builder::new_current_thread().enable_all().build()?))
    }

    /// The rest of a sync: deposits get their times, which the logs lack. Headers are asked for over HTTP meanwhile.
    fn date(&self) -> Result<(u64, Spent)> {
        let (chain, runtime) = self.network()?;
        let config = Config::resolve(&Sources { data_dir: "/".into(), ..Sources::default() })?;
        let lock = world::lock(&self.state)?;
        let mut state = world::open(&self.state, &lock)?;
        let (permit, stop) = (Permit::of(&lock), Stop::default());
        let pools = pool::list(state.conn())?;
        let mut work =
            WriteContext { config: &config, state: &mut state, permit, progress: &Silent, stop: &stop };
        let rest = chain.view_above(At::Latest, 0, async |view| {
            sync::replay_to(&mut work, view, &pools, &BTreeMap::new(), view.block().number).await
        });
        let mut spent = Spent::default();
        let replayed = spent.during(|| runtime.block_on(rest))?;
        ensure!(replayed.taken.is_empty(), "there was more to replay");
        let dated = "SELECT count(*) FROM user_pool_shares WHERE last_deposit_at IS NOT NULL";
        Ok((state.conn().query_row(dated, [], |row| row.get(0))?, spent))
    }

    /// The balances that a cycle compares before it pays, asked for alone.
    fn ask(&self) -> Result<(u64, Spent)> {
        let (chain, runtime) = self.network()?;
        let most = Config::resolve(&Sources { data_dir: "/".into(), ..Sources::default() })?
            .number("reward.check_holders")?;
        let members: Vec<Address> = (0..self.holders.min(most)).map(world::account).collect();
        let mut spent = Spent::default();
        let balances = chain.view(At::Latest, async |view| {
            let ask = |member: &Address| (view.block(), VAULT, balanceOfCall { account: *member });
            let calls: Vec<_> = members.iter().map(ask).collect();
            let begun = (Instant::now(), on_processor());
            let balances = view.call_past(&calls).await;
            spent.since(begun);
            balances
        });
        let balances = runtime.block_on(balances)?;
        let told = |(holder, balance): (u64, _)| matches!(balance, Some(Ok(shares)) if shares == world::shares(holder));
        ensure!((0..).zip(balances).all(told), "the vault tells other balances");
        Ok((self.holders, spent))
    }

    /// A whole cycle, as the command runs it.
    fn distribute(&self) -> Result<(u64, Spent)> {
        let setting = |key, value: &str| (key, value.to_owned(), "bench");
        let flags = vec![
            setting("reward.asset", &ASSET.to_string()),
            setting("reward.block_reward", "1000"),
            setting("reward.epoch_blocks", &BLOCKS.to_string()),
        ];
        let config = Config::resolve(&Sources { flags, data_dir: "/".into(), ..Sources::default() })?;
        let (chain, runtime) = self.network()?;
        let lock = world::lock(&self.state)?;
        let mut state = world::open(&self.state, &lock)?;
        let (permit, stop) = (Permit::of(&lock), Stop::default());
        let agreed = ValuePermit::obtain(permit, Consent::NotNeeded, "pay")?;
        let mut work =
            WriteContext { config: &config, state: &mut state, permit, progress: &Silent, stop: &stop };
        let mut spent = Spent::default();
        let cycle = reward::cycle(&mut work, &chain, &agreed, Some(self.first), At::Latest);
        let report = spent.during(|| runtime.block_on(cycle))?;
        let [pool] = report.pools.as_slice() else { anyhow::bail!("{} pools", report.pools.len()) };
        if let Some(e) = &pool.failure {
            anyhow::bail!("{e}");
        }
        ensure!(pool.epochs.len() == 1, "{} epochs", pool.epochs.len());
        Ok((pool.epochs.iter().map(|epoch| epoch.holders).sum(), spent))
    }

    /// The rows of a replay by a bare loop, and the log shrunk after it as the service does.
    fn bare_replay(&self) -> Result<(u64, Spent)> {
        let rows = bare::Replayed::new(self.story, self.first, self.holders, self.head)?;
        let lock = world::lock(&self.state)?;
        let mut state = world::open(&self.state, &lock)?;
        let mut spent = Spent::default();
        spent.during(|| state.write(Permit::of(&lock), |tx| rows.insert(tx)))?;
        spent.during(|| state.after_bulk(self.holders))?;
        Ok((Self::count(&state, "share_transfers")?, spent))
    }

    /// The rows of a distribution by a bare loop.
    fn bare_distribute(&self) -> Result<(u64, Spent)> {
        let rows = bare::Paid::new(self.holders);
        let lock = world::lock(&self.state)?;
        let mut state = world::open(&self.state, &lock)?;
        state.write(Permit::of(&lock), |tx| rows.epoch(tx, self.first))?;
        let mut spent = Spent::default();
        spent.during(|| state.write(Permit::of(&lock), |tx| rows.insert(tx)))?;
        Ok((Self::count(&state, "pool_rewards")?, spent))
    }

    fn count(state: &State, table: &str) -> Result<u64> {
        Ok(state.conn().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?)
    }

    /// The epoch computed again from the stored transfers, and compared row by row.
    fn verify(&self) -> Result<(u64, Spent)> {
        let state = State::read(&self.state, world::run())?;
        let mut spent = Spent::default();
        let found = spent.during(|| {
            let mut subjects = Vec::new();
            for pool in pool::list(state.conn())? {
                let epochs = reward::distributed_epochs(state.conn(), &pool)?;
                subjects.push(reward::Subject { pool, epochs });
            }
            reward::verify_stored(state.conn(), &subjects, &Silent, &Stop::default())
        })?;
        ensure!(found.total == 0, "{:?}", found.differences);
        Ok((found.epochs.iter().map(|epoch| epoch.rewards).sum(), spent))
    }

    /// Every invariant.
    fn check(&self) -> Result<(u64, Spent)> {
        let state = State::read(&self.state, world::run())?;
        let mut spent = Spent::default();
        let report = spent.during(|| watch::check::check(state.conn(), false))?;
        ensure!(report.findings.is_empty(), "{:?}", report.findings);
        Ok((self.holders, spent))
    }
}
