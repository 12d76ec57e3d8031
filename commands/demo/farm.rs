//! The KALE part of the demo: three farmers, from their keys to harvested blocks, while ledgers close.

use super::stage::{End, Stage};
use super::tally::Harvests;
use crate::sandbox::broken;
use base::{Code, Error};
use poolctl_sandbox::network::Networks;
use poolctl_sandbox::stellar::Stellar;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

/// Length of a block, in seconds of ledger time.
const BLOCK_SECONDS: u64 = 300;
/// Its ledgers, at the usual five seconds each.
const BLOCK_LEDGERS: u32 = 60;
/// Ledgers from plant to work, in the first block and the second.
const PATIENCE: [u32; 2] = [12, 24];
/// What each farmer has to stake from, in stroops.
const FUNDS: i64 = 200 * 10_000_000;

/// Plays it; gives where the harvests went.
pub fn play(stage: &mut Stage<'_>, networks: &Networks) -> Result<Harvests, End> {
    closing(&networks.stellar, || {
        enrol(stage, networks)?;
        farm(stage, networks)?;
        let harvests = Harvests::of(stage, networks)?;
        stage.say("At the end of the day: did every job run, and is the installation sound?")?;
        stage.run("health")?;
        stage.run("doctor")?;
        stage.run("report --html report.html")?;
        stage.run("state check --full")?;
        Ok(harvests)
    })
}

/// Farmers with keys, accounts and trustlines.
fn enrol(stage: &mut Stage<'_>, networks: &Networks) -> Result<(), End> {
    let [(_, sponsor), (_, own), ..] = &networks.farmers;
    stage.say(
        "KALE: a pooler works for three farmers. The keys of two are made here, one brings its own, and a sponsor pays \
         all fees; secret keys come from stdin. An age identity unlocks the key store, so nobody is asked for a passphrase.",
    )?;
    stage.run("pooler add north --reward-split 0.2 --platform-fee 0.05")?;
    stage.run("farmer register --pooler north --stake-percentage 0.1")?;
    stage.run("farmer register --pooler north --stake-percentage 0.25")?;
    stage.step("farmer import --pooler north --stake-percentage 0.5", Some(&own.secret), 0)?;
    stage.step("farmer import --sponsor", Some(&sponsor.secret), 0)?;

    stage.say("The sponsor makes the accounts that are missing, and all trustlines. Then each can plant.")?;
    stage.run("farmer trust --all --create")?;
    stage.run("farmer check-funding --all")
}

/// Three blocks, of which two are harvested.
fn farm(stage: &mut Stage<'_>, networks: &Networks) -> Result<(), End> {
    let stellar = &networks.stellar;
    let wrong = |e: poolctl_sandbox::Error| broken(&e);
    let [first, second] = PATIENCE;
    for address in addresses(stage)? {
        stellar.fund_kale(&address, FUNDS).map_err(wrong)?;
    }
    stage.say("Each has bought 200 KALE.")?;
    stage.run("plant")?;
    stage.say("A minute passes: the longer from plant to work, the more that gap earns.")?;
    stellar.advance(first).map_err(wrong)?;
    stage.run("work --policy early")?;

    stage.say(
        "Five minutes pass, and the next plant begins a new block. The first one of a farm pays all alike; in the \
         second, gap, stake and zeros count.",
    )?;
    let next_block = || stellar.advance_over(BLOCK_LEDGERS, BLOCK_SECONDS).map_err(wrong);
    next_block()?;
    stage.run("plant")?;
    stellar.advance(second).map_err(wrong)?;
    stage.run("block")?;
    stage.say("What is to be done next, and when?")?;
    stage.run("farm plan")?;
    stage.run("work --policy early")?;
    stage.run("harvest")?;

    stage.say("All of it in one command, which cron can run each minute: it does what is due.")?;
    next_block()?;
    stage.run("farm run --once --policy early")?;
    stage.run("harvest")?;
    stage.say("Harvested twice, nothing is paid twice.")?;
    stage.run("harvest")
}

/// The farmers' accounts.
pub fn addresses(stage: &Stage<'_>) -> Result<Vec<String>, End> {
    let list = stage.ask("farmer list")?;
    let farmers = list["farmers"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(farmers.iter().filter_map(|farmer| farmer["address"].as_str()).map(str::to_owned).collect())
}

/// How often it is looked whether a transaction waits.
const LOOK: Duration = Duration::from_millis(10);
/// A ledger closes at least so often, as it would on a public network; some five times faster.
const IDLE: Duration = Duration::from_secs(1);
/// Calls of contracts need more than a thread's usual stack.
const STACK: usize = 16 << 20;

/// Runs `body` while ledgers close: as soon as transactions wait and no more come, and now and then without.
fn closing<T>(stellar: &Stellar, body: impl FnOnce() -> Result<T, End>) -> Result<T, End> {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        // However `body` ends, the thread does too.
        let ending = Ending(&ended);
        let closer = Builder::new()
            .name("demo-ledgers".into())
            .stack_size(STACK)
            .spawn_scoped(scope, || close(stellar, &ended))
            .map_err(|e| Error::new(Code::Io, format!("cannot start a thread: {e}")))?;
        let result = body();
        drop(ending);
        match closer.join() {
            Ok(Ok(())) => result,
            Ok(Err(e)) => Err(broken(&e).into()),
            Err(_) => Err(broken(&"no ledger closes any more").into()),
        }
    })
}

struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn close(stellar: &Stellar, ended: &AtomicBool) -> poolctl_sandbox::Result<()> {
    let (mut before, mut closed) = (0, Instant::now());
    while !ended.load(Ordering::Relaxed) {
        let waiting = stellar.waiting();
        if (waiting > 0 && waiting == before) || closed.elapsed() >= IDLE {
            stellar.advance(1)?;
            closed = Instant::now();
        }
        before = waiting;
        thread::sleep(LOOK);
    }
    Ok(())
}
