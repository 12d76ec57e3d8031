//! What is promised of a million holders, measured: `cargo bench --bench rewards` (a word after `--` picks parts).
//!
//! Each figure is of a process of its own that does nothing else, so that its peak memory is that of the work, too. What it
//! is measured against is measured in the same run, in turns. A limit that does not hold fails the bench.
//! `REWARDS_BENCH_HOLDERS=100000` makes it smaller.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::float_arithmetic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a bench says what it found"
)]

mod bare;
mod jobs;
#[path = "../support/measure.rs"]
mod measure;
mod world;

use anyhow::{Context as _, Result, ensure};
use jobs::{Done, Job};
use measure::{Table, median, spread};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use world::{Network, Story};

/// A replay may take so many times as long as a bare loop that inserts the same rows.
const REPLAY_RATIO: f64 = 2.0;
/// A distribution, likewise.
const PAY_RATIO: f64 = 1.6;
/// A verification may take so many times as long as the distribution.
const VERIFY_RATIO: f64 = 1.0;
/// Memory that a process may take at its peak.
const PEAK_MIB: usize = 512;
const TURNS: usize = 5;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(job) = Job::from_args(&args)? {
        return job.run();
    }
    // `cargo test --benches` only wants to see that it starts.
    if !args.iter().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let picked = args.iter().find(|arg| !arg.starts_with('-'));
    let is_picked = |name: &str| picked.is_none_or(|word| name.contains(word.as_str()));
    let holders = std::env::var("REWARDS_BENCH_HOLDERS").map_or(Ok(1_000_000), |text| text.parse::<u64>())?;
    let mut table = Table::default();
    let folder = tempfile::tempdir()?;
    let network = Network::start(holders)?;

    let base = folder.path().join("base.sqlite");
    if is_picked("replay") {
        for story in [Story::Trades, Story::Mints] {
            replay(&network, story, &base, &mut table)?;
        }
    } else {
        network.init(&base)?;
        child("replay", Story::Mints, &base, &network)?;
    }
    if ["distribute", "check"].into_iter().any(is_picked) {
        let paid = folder.path().join("paid.sqlite");
        distribute(&network, &base, &paid, &mut table, if is_picked("distribute") { TURNS } else { 1 })?;
        if is_picked("check") {
            check(&network, &paid, &mut table)?;
        }
    }
    eprintln!("\n{table}");
    table.verdict()
}

/// Logs that are in memory, as a node gives them, into a state that knows the pool alone, in turns with a bare loop.
fn replay(network: &Network, story: Story, base: &Path, table: &mut Table) -> Result<()> {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let own = base.with_extension("bare");
    for turn in 0..TURNS {
        remove(base)?;
        network.init(base)?;
        ours.push(child("replay", story, base, network)?);
        remove(&own)?;
        network.init(&own)?;
        bare.push(child("bare-replay", story, &own, network)?);
        if turn == 0 {
            bare::same(base, &own)?;
        }
    }
    remove(&own)?;
    let (ours, our_cpu, peak) = sorted(&ours);
    let (bare, bare_cpu, _) = sorted(&bare);
    let what = format!("{} Transfer logs ({})", network.holders, story.as_str());
    table.note(format!("{what}, decoded and taken into the state"), spread(&ours));
    table.note("the same rows inserted by a bare loop".to_owned(), spread(&bare));
    table.note("both: on a processor".to_owned(), format!("{}; {}", spread(&our_cpu), spread(&bare_cpu)));
    let rates = format!(
        "{} and {}",
        per_second(network.holders, median(&ours)),
        per_second(network.holders, median(&bare))
    );
    table.note("logs a second, medians".to_owned(), rates);
    table.ratio("replay / bare loop, of the medians".to_owned(), median(&ours), median(&bare), REPLAY_RATIO);
    table.row("replay: peak memory, MiB".to_owned(), peak, PEAK_MIB);
    Ok(())
}

/// A whole cycle that pays one epoch, its verification, and a loop that does nothing but insert as many rows, in turns.
fn distribute(network: &Network, base: &Path, paid: &Path, table: &mut Table, turns: usize) -> Result<()> {
    let (mut ours, mut bare, mut verified, mut asked) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let own = paid.with_extension("bare");
    // What a sync does besides, and no part of what is paid.
    let dated = child("date", Story::Mints, base, network)?;
    table.note("the times of as many deposits, headers included".to_owned(), spread(&[dated.time]));
    for _ in 0..turns {
        copy(base, paid)?;
        let ask = child("ask", Story::Mints, paid, network)?;
        ours.push(child("distribute", Story::Mints, paid, network)?.without(&ask));
        asked.push(ask);
        verified.push(child("verify", Story::Mints, paid, network)?);
        copy(base, &own)?;
        bare.push(child("bare-distribute", Story::Mints, &own, network)?);
    }
    remove(&own)?;
    let rows = network.holders;
    let (ours, our_cpu, peak) = sorted(&ours);
    let (bare, bare_cpu, _) = sorted(&bare);
    let (verified, verified_cpu, verified_peak) = sorted(&verified);
    table.note("the balances of a sample of them, asked for".to_owned(), spread(&sorted(&asked).0));
    table.note(format!("an epoch with {rows} transfers paid to {rows} holders, that aside"), spread(&ours));
    table.note("the same rows inserted by a bare loop".to_owned(), spread(&bare));
    table.note("both: on a processor".to_owned(), format!("{}; {}", spread(&our_cpu), spread(&bare_cpu)));
    let rates = format!("{} and {}", per_second(rows, median(&ours)), per_second(rows, median(&bare)));
    table.note("rows a second, medians".to_owned(), rates);
    table.ratio(
        "distribution / bare loop, of the medians".to_owned(),
        median(&ours),
        median(&bare),
        PAY_RATIO,
    );
    table.row("distribution: peak memory, MiB".to_owned(), peak, PEAK_MIB);
    table.note("reward epoch verify of that epoch, from the stored transfers".to_owned(), spread(&verified));
    table.note("the same: on a processor".to_owned(), spread(&verified_cpu));
    table.ratio(
        "verify / distribution, of the medians".to_owned(),
        median(&verified),
        median(&ours),
        VERIFY_RATIO,
    );
    table.row("verify: peak memory, MiB".to_owned(), verified_peak, PEAK_MIB);
    Ok(())
}

/// Every invariant of a state that a million holders stand in.
fn check(network: &Network, paid: &Path, table: &mut Table) -> Result<()> {
    let done = child("check", Story::Mints, paid, network)?;
    table.note("state check of what was paid".to_owned(), spread(&[done.time]));
    table.row("the same: peak memory, MiB".to_owned(), done.peak_mib, PEAK_MIB);
    Ok(())
}

/// Does a job in a process of its own.
fn child(job: &str, story: Story, state: &Path, network: &Network) -> Result<Done> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(network.arguments(job, story)).arg(state);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{job}: {}", output.status);
    let done = Done::parse(&String::from_utf8(output.stdout)?).with_context(|| job.to_owned())?;
    ensure!(done.rows == network.holders, "{job}: {} rows of {}", done.rows, network.holders);
    let (time, cpu) = (done.time.as_millis(), done.cpu.as_millis());
    eprintln!("{job}: {time} ms, {cpu} ms on a processor, {} MiB", done.peak_mib);
    Ok(done)
}

/// Times in order, processor times in order, and the highest peak.
fn sorted(done: &[Done]) -> (Vec<Duration>, Vec<Duration>, usize) {
    let in_order = |time: fn(&Done) -> Duration| {
        let mut times: Vec<Duration> = done.iter().map(time).collect();
        times.sort_unstable();
        times
    };
    let peak = done.iter().map(|done| done.peak_mib).max().unwrap_or_default();
    (in_order(|done| done.time), in_order(|done| done.cpu), peak)
}

fn per_second(rows: u64, time: Duration) -> usize {
    usize::try_from(u128::from(rows) * 1_000_000 / time.as_micros().max(1)).unwrap_or(usize::MAX)
}

/// A copy of a state that nobody has open, as it is on disk.
fn copy(from: &Path, to: &Path) -> Result<()> {
    remove(to)?;
    std::fs::copy(from, to)?;
    // Otherwise the system writes it out while the next job is timed.
    Ok(std::fs::File::open(to)?.sync_all()?)
}

fn remove(state: &Path) -> Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let mut name = state.as_os_str().to_owned();
        name.push(ending);
        match std::fs::remove_file(&name) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
    }
    Ok(())
}
