//! What is promised of the farm, measured: `cargo bench --bench farm` (a word after `--` picks parts).
//!
//! The release binary farms for 100 farmers on the embedded network. What it is measured against is measured in the same
//! run, in turns. A limit that does not hold fails the bench. The history is of 2,000 blocks, a week, 200,000 rows
//! each of plants, works and harvests; `FARM_BENCH_BLOCKS=105120` makes it a year, and needs fifty times the room.
#![allow(
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::float_arithmetic,
    missing_docs,
    reason = "a bench says what it found, and stops at the first surprise"
)]

mod beside;
#[allow(dead_code, unused_imports, reason = "the tests of the farm need more of it")]
#[path = "../../tests/farm/desk.rs"]
mod desk;
mod history;
#[path = "../support/measure.rs"]
mod measure;
#[allow(dead_code, unused_imports, reason = "as above")]
#[path = "../../tests/it/support.rs"]
mod support;
mod wire;

use anyhow::{Context as _, Result, ensure};
use desk::{Desk, KALE};
use measure::{Table, interleaved, median, quiet, round_trips, spread};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wire::Wire;

const FARMERS: u32 = 100;
/// Seconds of the chain's time from one ledger to the next, and of ours where the network runs at its own pace.
const LEDGER: u64 = 5;
/// Ledgers that planting all may take.
const PLANT_LEDGERS: usize = 3;
/// Percent of the time from the last plant to the deadline in which is hashed.
const HASHING: f64 = 97.0;
/// A farmer's part of a plant, the time in which a request was under way aside, may take so many times as long as a command
/// that reads nothing.
const OVERHEAD_RATIO: f64 = 3.0;
const IDLE_REQUESTS: usize = 2;
/// Blocks of a day, whose pails may all still live.
const DAY: u32 = 288;
const RECONCILE_REQUESTS: usize = 150;
/// Milliseconds that a comparison of a day may take beside the time in which a request was under way.
const RECONCILE_MS: usize = 5_000;
/// A run with nothing due may take so many times as long as a command that reads nothing and the bare round trips.
const IDLE_RATIO: f64 = 8.0;
/// A command may take so many times as long with the history as without.
const HISTORY_RATIO: f64 = 2.0;
const RUNS: usize = 31;
/// No more transactions come.
const STILL: Duration = Duration::from_millis(200);
/// What a run with nothing to do asks.
const OPENING: [&str; 2] = [
    r#"[{"jsonrpc":"2.0","id":1,"method":"getNetwork","params":{}},{"jsonrpc":"2.0","id":2,"method":"getLatestLedger","params":{}}]"#,
    r#"{"jsonrpc":"2.0","id":3,"method":"getLatestLedger","params":{}}"#,
];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only wants to see that it starts.
    if !args.iter().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let picked = args.iter().find(|arg| !arg.starts_with('-'));
    let is_picked = |name: &str| picked.is_none_or(|word| name.contains(word.as_str()));
    let mut table = Table::default();
    let base = Desk::with_farmers(FARMERS as usize, 1_000 * KALE);
    // Nobody worked in block 0, so that no number of zeros is enough in block 1: the grinding lasts until the deadline.
    base.configure("strategy.target_zeros = 16");
    base.ripen();
    if is_picked("plant") {
        plant(&base, &mut table)?;
    }
    if is_picked("overhead") {
        overhead(&base, &mut table)?;
    }
    if is_picked("grind") {
        grind(&base, &mut table)?;
    }
    if is_picked("reconcile") {
        reconcile(&base, &mut table)?;
    }
    if is_picked("beside") {
        beside::commands(&base, &mut table)?;
    }
    if is_picked("idle") || is_picked("history") {
        let farmed = farmed(&base);
        if is_picked("idle") {
            idle(&farmed, &mut table)?;
        }
        if is_picked("history") {
            with_history(&farmed, &mut table)?;
        }
    }
    eprintln!("\n{table}");
    table.verdict()
}

/// (a) All plants, while the network closes its ledgers as the real one does.
fn plant(base: &Desk, table: &mut Table) -> Result<()> {
    let mut walls = Vec::new();
    let mut most = 0;
    for _ in 0..3 {
        let desk = base.fork();
        let wire = Wire::start(&desk.network.url())?;
        desk.write_config(&[wire.url()], "");
        let ticks = Ticks::start(&desk, Duration::from_secs(LEDGER));
        let begun = Instant::now();
        run(&desk, "plant --parallel 10")?;
        walls.push(begun.elapsed());
        let ledgers = ticks.end().len();
        let planted: u32 = desk.value("SELECT count(*) FROM plantings WHERE outcome = 'planted'");
        ensure!(planted == FARMERS, "{planted} are planted");
        most = most.max(ledgers);
        table.note(
            format!("plant for {FARMERS} farmers, --parallel 10, a ledger each 5 s: HTTP requests"),
            format!("{} in {ledgers} ledgers", wire.take().0),
        );
    }
    walls.sort_unstable();
    table.row(
        format!("plant for {FARMERS} farmers: ledgers that closed meanwhile, at most"),
        most,
        PLANT_LEDGERS,
    );
    table.note("the same: wall".to_owned(), spread(&walls));
    Ok(())
}

/// (b) What planting takes beside the time in which a request is under way. Ledgers close as soon as there is nothing
/// more to come.
fn overhead(base: &Desk, table: &mut Table) -> Result<()> {
    for parallel in [10, 1] {
        let (mut ours, mut theirs, mut nothing) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..5 {
            let desk = base.fork();
            let wire = Wire::start(&desk.network.url())?;
            desk.write_config(&[wire.url()], "");
            let ticks = Ticks::start(&desk, Duration::ZERO);
            ticks.hold_from(0);
            let begun = Instant::now();
            run(&desk, &format!("plant --parallel {parallel}"))?;
            let wall = begun.elapsed();
            ticks.end();
            let planted: u32 = desk.value("SELECT count(*) FROM plantings WHERE outcome = 'planted'");
            ensure!(planted == FARMERS, "{planted} are planted");
            let (_, busy) = wire.take();
            ours.push(wall.saturating_sub(busy) / FARMERS);
            theirs.push(busy / FARMERS);
            for _ in 0..5 {
                let begun = Instant::now();
                run(&desk, "--version")?;
                nothing.push(begun.elapsed());
            }
        }
        ours.sort_unstable();
        theirs.sort_unstable();
        nothing.sort_unstable();
        let what = format!("plant, --parallel {parallel}, per farmer");
        table.note(format!("{what}: a request is under way"), spread(&theirs));
        table.note(format!("{what}: none is"), spread(&ours));
        table.note("--version: wall".to_owned(), spread(&nothing));
        table.ratio(
            format!("{what}: beyond the RPC's time / --version, of the medians"),
            median(&ours),
            median(&nothing),
            OVERHEAD_RATIO,
        );
    }
    Ok(())
}

/// (c) A block from its plants to its deadline, at twenty times the network's pace, and the bare grinder for as long.
fn grind(base: &Desk, table: &mut Table) -> Result<()> {
    let pace = Duration::from_secs(LEDGER) / 20;
    let (mut shares, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let desk = base.fork();
        // Time enough for the submission at this pace.
        desk.configure("strategy.target_zeros = 16\nkale.work_margin_sec = 60");
        let ticks = Ticks::start(&desk, pace);
        let mut child = command(&desk, "farm run --once --json")
            .env("POOLCTL_STELLAR_POLL_MS", "50")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut planted = None;
        let mut last = Value::Null;
        let mut grinding = None;
        let mut deadline = u64::MAX;
        for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
            let now = Instant::now();
            last = serde_json::from_str(&line?)?;
            match last["type"].as_str() {
                Some("plant") => planted = Some(now),
                Some("grinding") => {
                    grinding = Some(now);
                    let time: jiff::Timestamp = last["deadline"].as_str().unwrap_or_default().parse()?;
                    deadline = u64::try_from(time.as_second())?;
                    ticks.hold_from(deadline);
                }
                _ => {}
            }
        }
        ensure!(child.wait()?.success(), "{last}");
        let ticks = ticks.end();
        let data = &last["data"];
        ensure!(data["worked"] == FARMERS, "{data}");
        let over = ticks.iter().find(|(_, time)| *time >= deadline).context("no deadline")?.0;
        let planted = planted.context("no plant")?;
        let window = over.saturating_duration_since(planted);
        // What is hashed after the deadline, until the run has seen it, does not count.
        let could = over.saturating_duration_since(grinding.context("no grinding")?);
        let hashing = Duration::from_millis(data["hashing_ms"].as_u64().unwrap_or_default());
        shares.push(hashing.min(could).div_duration_f64(window) * 100.0);
        let hashes: f64 = data["hashes"].as_str().unwrap_or_default().parse()?;
        let rate = hashes / hashing.as_secs_f64();

        let seconds = u32::try_from(window.as_secs())?.max(1);
        let line = format!(
            "grind --index 1 --entropy {} --farmer {} --seconds {seconds} --json",
            "00".repeat(32),
            desk.farmers[0].address
        );
        let bare: Value = serde_json::from_slice(&command(&desk, &line).output()?.stdout)?;
        let bare: f64 =
            bare["data"]["hashes"].as_str().context("no hashes")?.parse::<f64>()? / f64::from(seconds);
        rates.push((rate / bare * 100.0, rate / 1e6, bare / 1e6, window));
    }
    shares.sort_by(f64::total_cmp);
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, rate, bare, window) = rates[rates.len() / 2];
    table.at_least(
        "from the last plant to the deadline: time in which all cores hash, median".to_owned(),
        shares[shares.len() / 2],
        HASHING,
    );
    table.note(
        format!(
            "the same ({:.1} s each) for {FARMERS} farmers: hashes to the bare grinder's",
            window.as_secs_f64()
        ),
        format!("{ratio:.1} % ({rate:.1} to {bare:.1} MH/s)"),
    );
    Ok(())
}

/// A desk whose farmers have planted and worked, and that waits for the block's end.
fn farmed(base: &Desk) -> Desk {
    let desk = base.fork();
    desk.configure("strategy.target_zeros = 1");
    let ticks = Ticks::start(&desk, Duration::from_millis(250));
    run(&desk, "plant").unwrap();
    let ran = desk.run("work --policy early").alone();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ticks.end();
    desk
}

/// (d) What a run costs when there is nothing to do.
fn idle(farmed: &Desk, table: &mut Table) -> Result<()> {
    let wire = Wire::start(&farmed.network.url())?;
    farmed.write_config(&[wire.url()], "");
    // What the first one compares with the chain is not due again soon.
    run(farmed, "farm run --once")?;
    wire.take();
    run(farmed, "farm run --once")?;
    table.row("farm run --once, nothing due: HTTP requests".to_owned(), wire.take().0, IDLE_REQUESTS);
    farmed.configure("");
    let url = farmed.network.url();
    let bare = || run(farmed, "--version").and_then(|()| round_trips(&url, &OPENING));
    let (ours, bare) = interleaved(RUNS, || run(farmed, "farm run --once"), bare)?;
    table.note("farm run --once, nothing due: wall".to_owned(), spread(&ours));
    table.note("--version, and two bare round trips on one connection".to_owned(), spread(&bare));
    table.ratio(
        "farm run --once / that, of the medians".to_owned(),
        median(&ours),
        median(&bare),
        IDLE_RATIO,
    );
    Ok(())
}

/// (e) The same commands with a history and without.
fn with_history(farmed: &Desk, table: &mut Table) -> Result<()> {
    let blocks = std::env::var("FARM_BENCH_BLOCKS").map_or(Ok(2_000), |text| text.parse::<u32>())?;
    let old = farmed.fork();
    let begun = Instant::now();
    let history = history::write(&old.state(), blocks)?;
    table.note(
        format!(
            "history of {blocks} blocks: rows of plants, works and harvests each; file; time to write it"
        ),
        format!("{}; {} MB; {} s", history.rows, history.size >> 20, begun.elapsed().as_secs()),
    );
    // The run asks first for the block of its newest plant; the chain here is at block 1. Both shall ask the same.
    let newest = format!(
        "INSERT OR IGNORE INTO plantings (farmer_id, block_index, outcome, stake, reason, at)
         SELECT id, {}, 'failed', '0', 'too_late', 0 FROM farmers LIMIT 1",
        history.newest
    );
    farmed.sqlite().execute(&newest, [])?;
    for line in ["farm run --once", "farmer list", "farmer list --json", "events", "farm plan"] {
        let (with, without) = interleaved(RUNS, || run(&old, line), || run(farmed, line))?;
        table.note(format!("{line}: wall with the history"), spread(&with));
        table.note(format!("{line}: wall without"), spread(&without));
        table.ratio(
            format!("{line}: with / without, of the medians"),
            median(&with),
            median(&without),
            HISTORY_RATIO,
        );
    }
    Ok(())
}

/// (f) Comparing every pail of a day with the state: the first time, and once more.
fn reconcile(base: &Desk, table: &mut Table) -> Result<()> {
    let desk = base.fork();
    let stranger = desk.stranger();
    // Somebody plants in every block; the farmers in the last one.
    for _ in 1..DAY {
        desk.plant(&stranger, 0);
        desk.ripen();
    }
    let ticks = Ticks::start(&desk, Duration::from_millis(250));
    run(&desk, "plant")?;
    ticks.end();
    let wire = Wire::start(&desk.network.url())?;
    desk.write_config(&[wire.url()], "");
    let (mut most, mut ours, mut theirs) = (0, Vec::new(), Vec::new());
    for _ in 0..3 {
        let begun = Instant::now();
        let output = command(&desk, "farm reconcile --json").output()?;
        let wall = begun.elapsed();
        let data = serde_json::from_slice::<Value>(&output.stdout)?["data"].take();
        ensure!(data["farmers"] == FARMERS && data["pails"] == FARMERS * DAY, "{data}");
        let (requests, busy) = wire.take();
        most = most.max(requests);
        ours.push(wall.saturating_sub(busy));
        theirs.push(busy);
    }
    ours.sort_unstable();
    theirs.sort_unstable();
    let what = format!("farm reconcile, {FARMERS} farmers, {DAY} blocks");
    table.row(format!("{what}: HTTP requests, at most"), most, RECONCILE_REQUESTS);
    table.note(format!("{what}: a request is under way"), spread(&theirs));
    table.note(format!("{what}: none is"), spread(&ours));
    let beyond =
        ours.last().map_or(usize::MAX, |most| usize::try_from(most.as_millis()).unwrap_or(usize::MAX));
    table.row(format!("{what}: ms beyond the RPC's time, at most"), beyond, RECONCILE_MS);
    Ok(())
}

fn command(desk: &Desk, line: &str) -> Command {
    let mut command = desk.run(line).command;
    command.stderr(Stdio::inherit());
    command
}

/// Runs the binary, its output thrown away; ledgers are the caller's.
fn run(desk: &Desk, line: &str) -> Result<()> {
    quiet(&mut desk.run(line).command)
}

/// Ledgers that close at a pace, each with the moment at which it did and its time.
struct Ticks {
    stop: Arc<AtomicBool>,
    hold: Arc<AtomicU64>,
    thread: JoinHandle<Vec<(Instant, u64)>>,
}

impl Ticks {
    fn start(desk: &Desk, pace: Duration) -> Self {
        let (network, stop) = (Arc::clone(&desk.network), Arc::new(AtomicBool::new(false)));
        let hold = Arc::new(AtomicU64::new(u64::MAX));
        let (ended, until) = (Arc::clone(&stop), Arc::clone(&hold));
        let thread = std::thread::spawn(move || {
            let mut closed = Vec::new();
            let mut next = Instant::now() + pace;
            let (mut before, mut since) = (0, Instant::now());
            while !ended.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
                let (waiting, time) = (network.waiting(), network.latest().unwrap().1);
                if waiting != before {
                    (before, since) = (waiting, Instant::now());
                }
                let still = since.elapsed();
                let is_due = if time < until.load(Ordering::SeqCst) {
                    Instant::now() >= next
                } else {
                    waiting == FARMERS as usize || (waiting > 0 && still >= STILL)
                };
                if is_due {
                    network.advance(1).unwrap();
                    closed.push((Instant::now(), network.latest().unwrap().1));
                    next += pace;
                }
            }
            closed
        });
        Self { stop, hold, thread }
    }

    /// From this ledger time on, they close only for transactions that wait: when all farmers' do, or no more come.
    fn hold_from(&self, time: u64) {
        self.hold.store(time, Ordering::SeqCst);
    }

    fn end(self) -> Vec<(Instant, u64)> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
