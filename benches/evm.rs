//! The figures of docs/benches.md for the EVM job, with their limits: `cargo bench --bench evm` (a word after `--` picks parts).
//!
//! The release binary runs as a whole process against a real node with 1,000 vaults, behind a proxy that counts its
//! HTTP requests. A limit that does not hold fails the bench. Needs the `sqlite3` program to compare with.
#![allow(clippy::print_stderr, reason = "a bench says what it found")]

mod support;

use alloy::primitives::U256;
use anyhow::{Context as _, Result, ensure};
use base::amount::{Base, Delta, Weight, parse_units, split_largest_remainder, to_units};
use criterion::{BatchSize, Criterion, Throughput};
use poolctl_testkit::abi::{Asset, Vault};
use poolctl_testkit::{NodeKind, Proxy, World};
use serde_json::json;
use state::{Account, Line, OwnerKind, Permit};
use std::hint::black_box;
use std::process::Command;
use support::{Home, Table, interleaved, median, round_trip, spread};

const POOLS: usize = 1_000;
/// HTTP requests that a sync of all pools may take.
const SYNC_REQUESTS: usize = 20;
/// `pool list` may take so many times as long as `sqlite3` takes for the same rows.
const LIST_RATIO: f64 = 3.0;
/// A cron command with nothing to do may take so many times as long as a command that reads nothing, or one that shows all
/// pools where it does so too, and the round trip alone.
const IDLE_RATIO: f64 = 8.0;
/// Pools of an ordinary sync, with some transfers since the last one.
const ORDINARY_POOLS: usize = 100;
/// HTTP requests that it takes at most: 5 without a second look at what was read, and 3 for that.
const ORDINARY_REQUESTS: usize = 5 + 3;
const RUNS: usize = 41;

/// The rows that `pool list` shows.
const ROWS: &str = "SELECT p.name, p.address, p.abi, a.address, a.symbol, a.decimals, p.share_symbol,
        p.share_decimals, s.total_assets, s.total_shares, s.rate_e18, s.paused, s.max_deposit, s.block_number,
        s.block_hash, s.block_timestamp, s.endpoint, s.synced_at
    FROM pools p JOIN assets a ON a.address = p.asset
    LEFT JOIN pool_snapshots s ON s.pool_id = p.id AND s.block_number = p.synced_block ORDER BY p.id";

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only wants to see that it starts.
    let measure = args.iter().any(|arg| arg == "--bench");
    let picked = args.iter().find(|arg| !arg.starts_with('-'));
    let is_picked = |name: &str| measure && picked.is_none_or(|word| name.contains(word.as_str()));

    let mut criterion = Criterion::default().configure_from_args();
    micro(&mut criterion)?;
    criterion.final_summary();

    let mut table = Table::default();
    if is_picked("ordinary") {
        ordinary(&mut table)?;
    }
    if ["sync", "list", "idle"].into_iter().any(is_picked) {
        whole_processes(is_picked, &mut table)?;
    }
    eprintln!("\n{table}");
    table.verdict()
}

/// (a) New blocks with some transfers, as a cron job finds them.
fn ordinary(table: &mut Table) -> Result<()> {
    let world = World::many_vaults(NodeKind::Anvil, ORDINARY_POOLS)?;
    world.node.mine(10)?;
    let proxy = Proxy::start(world.node.url())?;
    let home = Home::new(&[("counted", &proxy.url())], world.asset)?;
    home.add_pools(world.node.url(), &world.vaults, world.deploy_block)?;
    home.run("sync --all")?;
    let &account = world.node.accounts().first().context("no accounts")?;
    let amount = U256::from(1_000_000);
    world.node.send(account, world.asset, &Asset::mintCall { to: account, amount })?;
    for (vault, assets) in world.vaults.iter().zip([10, 20, 30, 40, 50].map(U256::from)) {
        world.node.send(account, world.asset, &Asset::approveCall { spender: *vault, amount })?;
        world.node.send(account, *vault, &Vault::depositCall { assets, receiver: account })?;
    }
    world.node.mine(10)?;
    proxy.clear();
    let report = home.run("sync --all --at latest --json")?;
    let taken = report.matches("\"transfers\":1,").count();
    ensure!(taken == 5, "{taken} pools have new transfers");
    table.row(
        format!("sync of {ORDINARY_POOLS} pools, 5 of them with a transfer: HTTP requests"),
        proxy.http_count(),
        ORDINARY_REQUESTS,
    );
    table.note("the same: methods".to_owned(), proxy.methods().join(" "));
    Ok(())
}

fn whole_processes(is_picked: impl Fn(&str) -> bool, table: &mut Table) -> Result<()> {
    let world = World::many_vaults(NodeKind::Anvil, POOLS)?;
    // The safe block, which a sync reads at, is behind the newest one.
    world.node.mine(10)?;
    let proxy = Proxy::start(world.node.url())?;
    let home = Home::new(&[("counted", &proxy.url())], world.asset)?;
    home.add_pools(world.node.url(), &world.vaults, world.deploy_block)?;
    let counted = |line: &str| -> Result<usize> {
        proxy.clear();
        home.run(line)?;
        Ok(proxy.http_count())
    };

    let first = counted("sync --all")?;
    world.node.mine(10)?;
    let next = counted("sync --all")?;
    table.row(format!("sync of {POOLS} pools, first: HTTP requests"), first, SYNC_REQUESTS);
    table.row(format!("sync of {POOLS} pools, next: HTTP requests"), next, SYNC_REQUESTS);
    let synced = home.run("pool list --all --json")?.matches("\"total_assets\":\"").count();
    ensure!(synced == POOLS, "{synced} of {POOLS} pools have figures");
    ensure!(first.max(next) <= SYNC_REQUESTS, "a sync took {first} and {next} HTTP requests:\n{table}");

    if is_picked("list") {
        list(&home, table)?;
    }
    if is_picked("idle") {
        // From here on straight at the node: the proxy's own time is not what is measured.
        let direct = Home::over(&home, &[("anvil", world.node.url())], world.asset)?;
        idle(&home, &direct, &proxy, &world, table)?;
    }
    Ok(())
}

/// (b) `pool list` and the `sqlite3` program, in turn.
fn list(home: &Home, table: &mut Table) -> Result<()> {
    let found = Command::new("sqlite3").arg("--version").output();
    found.context("there is no sqlite3 program to compare with; install it: apt-get install sqlite3")?;
    for line in ["pool list --all", "pool list --all --json"] {
        let state = home.state();
        let (ours, theirs) = interleaved(
            RUNS,
            || home.silent(line),
            || {
                let mut command = Command::new("sqlite3");
                command.arg(&state).arg(ROWS);
                support::quiet(&mut command)
            },
        )?;
        table.note(format!("{line}: wall"), spread(&ours));
        table.note("sqlite3, the same rows: wall".to_owned(), spread(&theirs));
        table.ratio(format!("{line} / sqlite3, of the medians"), median(&ours), median(&theirs), LIST_RATIO);
    }
    Ok(())
}

/// (c) What a cron job costs when there is nothing to do.
fn idle(
    counting: &Home,
    direct: &Home,
    proxy: &Proxy,
    world: &poolctl_testkit::ManyVaults,
    table: &mut Table,
) -> Result<()> {
    let head = world.node.block_number()?;
    counting.run("reward set-weight p0 1")?;
    counting.run(&format!("reward cycle --from {}", head + 1))?;
    counting.run("sync --all --at latest")?;
    for line in ["reward cycle", "sync p0 --at latest", "sync --all --at latest"] {
        proxy.clear();
        counting.run(line)?;
        table.row(format!("{line}, nothing to do: HTTP requests"), proxy.http_count(), 1);
        // Where every pool's figures are shown, that takes its time too.
        let other = if line.contains("--all") { "pool list --all" } else { "--version" };
        let bare = || direct.silent(other).and_then(|()| round_trip(world.node.url()));
        let (ours, bare) = interleaved(RUNS, || direct.silent(line), bare)?;
        table.note(format!("{line}, nothing to do: wall"), spread(&ours));
        table.note(format!("{other}, and the round trip alone"), spread(&bare));
        table.ratio(format!("{line} / that, of the medians"), median(&ours), median(&bare), IDLE_RATIO);
    }
    Ok(())
}

/// (d) The parts that bulk work is made of.
fn micro(criterion: &mut Criterion) -> Result<()> {
    let mut group = criterion.benchmark_group("micro");
    group.sample_size(10);

    let holders = 1_000_000u64;
    let weights: Vec<Weight> =
        (1..=holders).map(|i| Weight::from(U256::from(i) * U256::from(10).pow(U256::from(18)))).collect();
    let total = U256::from(10).pow(U256::from(24)) + U256::from(7);
    group.throughput(Throughput::Elements(holders));
    group.bench_function("split_largest_remainder over 1,000,000 holders", |b| {
        b.iter(|| split_largest_remainder(black_box(total), black_box(&weights)));
    });

    group.throughput(Throughput::Elements(1));
    let amounts = ["0", "1", "12.5", "123456789.123456789123456789"];
    let largest = to_units(Base::MAX, 18);
    for text in amounts.into_iter().chain([largest.as_str()]) {
        let base = parse_units(text, 18).map_err(|e| anyhow::anyhow!("{text} {e}"))?;
        group.bench_function(format!("parse {text}"), |b| b.iter(|| parse_units(black_box(text), 18)));
        group.bench_function(format!("print {text}"), |b| b.iter(|| to_units(black_box(base), 18)));
    }

    let home = support::Scratch::new()?;
    let mut state = home.writer()?;
    let permit = Permit::of(home.lock());
    let rows = 1_000;
    group.throughput(Throughput::Elements(rows));
    group.bench_function("audit append, 1,000 in a transaction", |b| {
        b.iter_batched(
            || (),
            |()| {
                state.write(permit, |tx| {
                    (0..rows).try_for_each(|i| tx.event("bench.ran", "bench", &json!({ "i": i })).map(drop))
                })
            },
            BatchSize::PerIteration,
        );
    });
    let account = |purpose, overdraft| Account {
        owner_kind: OwnerKind::Operator,
        owner: "operator".into(),
        purpose,
        asset: "0x".into(),
        overdraft,
    };
    let one = Base::from(1u8);
    let lines = [
        Line { account: account("reward_emission", true), amount: Delta::debit(one) },
        Line { account: account("available", false), amount: Delta::credit(one) },
    ];
    group.bench_function("ledger post with its event, 1,000 in a transaction", |b| {
        b.iter_batched(
            || (),
            |()| {
                state.write(permit, |tx| {
                    (0..rows).try_for_each(|i| {
                        let event = tx.event("bench.ran", "bench", &json!({ "i": i }))?;
                        tx.post(event, &lines)
                    })
                })
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
    Ok(())
}
