//! `health`: what is late, what is open, what is stuck; for a person, a script and a monitoring system.

use crate::support::Home;
use serde_json::Value;

const POOL: &str = "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0";
const ASSET: &str = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const HASH: &str = "0xa368fa44a368fa44a368fa44a368fa44a368fa44a368fa44a368fa44a368fa44";
const FARMER: &str = "GBQHTQ7NTSKHVTSVM6EHUO3TU4P4BK2TAAII25V2TT2Q6OWXUJWEKALE";

/// A home whose state says that everything went well `age` seconds ago: a pool, a feed, rewards, and a farm.
pub fn tended(age: u64) -> Home {
    let home = Home::ready();
    home.sqlite().execute_batch(&facts(age)).unwrap();
    home
}

fn facts(age: u64) -> String {
    let then = format!("unixepoch() - {age}");
    format!(
        "INSERT INTO assets VALUES ('{ASSET}', 'DUSD', 6);
         INSERT INTO pools (id, name, address, abi, asset, share_symbol, share_decimals, deploy_block, max_rate_drop_ppm,
             added_at, synced_block) VALUES (1, 'dollars', '{POOL}', 'erc4626', '{ASSET}', 'vDUSD', 6, 1, 5000,
             unixepoch() - 9999999, 7);
         INSERT INTO pool_snapshots VALUES (1, 7, '{HASH}', 1700000000, 'main', {then}, '170235000000', '168549504950',
             '1010000000000000000', 0, NULL, NULL, NULL);
         INSERT INTO oracle_feeds (id, name, asset, kind, address, max_staleness_sec, checked_at, added_at)
             VALUES (1, 'dollars-usd', 'DUSD', 'chainlink', '{POOL}', 3600, {then}, unixepoch() - 9999999);
         INSERT INTO oracle_feeds (id, name, asset, kind, fixed_price_e18, max_staleness_sec, added_at)
             VALUES (2, 'fixed', 'EUR', 'fixed', '1', 3600, 1);
         INSERT INTO oracle_price_cache VALUES ('DUSD', 1, '1000500000000000000', '1', {then}, 7, '{HASH}', {then}, 'main', {then});
         INSERT INTO pool_reward_weights VALUES (1, 0, 1000000, unixepoch() - 9999999);
         INSERT INTO runs VALUES ('risk check', {then}, 5, NULL, {then}), ('reward cycle', {then}, 0, {then}, {then}),
             ('sync', {then}, 3, NULL, NULL);
         INSERT INTO poolers (id, name, capacity, reward_split_ppm, platform_fee_ppm, added_at)
             VALUES ('p1', 'north', 10, 200000, 50000, 1);
         INSERT INTO farmers VALUES ('f1', '{FARMER}', 'p1', 'active', 250000, NULL, 1, unixepoch() - 9999999, NULL);
         INSERT INTO block_operations VALUES ('p1', 37, 1, 1, 1, '180000000', '7598104268', {then}),
             ('p1', 36, 1, 1, 1, '180000000', '7598104268', unixepoch() - 9999999);
         INSERT INTO plantings (farmer_id, block_index, outcome, stake, at) VALUES ('f1', 37, 'planted', '180000000', {then}),
             ('f1', 38, 'failed', '0', unixepoch());
         INSERT INTO works (farmer_id, block_index, outcome, nonce, hash, zeros, gap, at)
             VALUES ('f1', 37, 'worked', '1', '00', 6, 26, {then});
         INSERT INTO harvests (farmer_id, block_index, outcome, stake, reward, at)
             VALUES ('f1', 37, 'harvested', '180000000', '7598104268', {then});"
    )
}

/// Check and subject with their status.
fn statuses(data: &Value) -> Vec<(String, String)> {
    let checks = data["checks"].as_array().unwrap();
    let name = |check: &Value| {
        let of = check["subject"].as_str().map(|of| format!(" {of}")).unwrap_or_default();
        format!("{}{of}", check["check"].as_str().unwrap())
    };
    checks.iter().map(|check| (name(check), check["status"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn a_state_without_anything_is_healthy_and_unknown_to_a_monitor() {
    let home = Home::ready();
    let before = home.snapshot();
    let data = home.run("health").json();
    assert_eq!((&data["healthy"], data["checks"].as_array().unwrap().len()), (&true.into(), 0));
    assert!(home.run("health").ok().starts_with("there is nothing to look after yet"));
    let ran = home.run("health --nagios").exits(3);
    assert_eq!(ran.stdout, "HEALTH UNKNOWN - there is nothing to look after | 'open'=0;;0 'in_flight'=0\n");
    assert_eq!(home.snapshot(), before);
}

#[test]
fn everything_in_time_is_healthy() {
    let home = tended(60);
    let data = home.run("health").json();
    assert_eq!(data["healthy"], true, "{data}");
    let names: Vec<String> =
        statuses(&data).into_iter().map(|(name, status)| format!("{name}: {status}")).collect();
    let want = [
        "sync dollars: ok",
        "risk: ok",
        "oracle dollars-usd: ok",
        "cycle: ok",
        "plant north: ok",
        "work north: ok",
        "harvest north: ok",
    ];
    assert_eq!(names, want, "a fixed price is not checked");
    let text = home.run("health").ok();
    assert!(text.contains("healthy; state at") && text.contains("1m"), "{text}");
    let ran = home.run("health --nagios").exits(0);
    let (line, perf) = ran.stdout.trim_end().split_once(" | ").unwrap();
    assert_eq!(line, "HEALTH OK - 7 of 7 checks ok");
    assert!(perf.starts_with("'sync'=6") && perf.contains("s;960;1860 'risk'=6"), "{perf}");
}

/// Each job has a limit of its own, which a setting moves.
#[test]
fn each_job_has_its_limit() {
    for (setting, minutes, name, fix) in [
        ("health.sync_max_age_min", 15, "sync dollars", "poolctl sync --all"),
        ("health.oracle_max_age_min", 15, "oracle dollars-usd", "poolctl oracle check"),
        ("risk.check_interval_min", 5, "risk", "poolctl risk check --all"),
        ("health.cycle_max_age_min", 180, "cycle", "poolctl reward cycle"),
        ("health.plant_max_age_min", 20, "plant north", "poolctl farm run --once"),
        ("health.work_max_age_min", 20, "work north", "poolctl farm run --once"),
        ("health.harvest_max_age_min", 30, "harvest north", "poolctl farm run --once"),
    ] {
        let limits = [
            "health.sync_max_age_min",
            "health.oracle_max_age_min",
            "risk.check_interval_min",
            "health.cycle_max_age_min",
            "health.plant_max_age_min",
            "health.work_max_age_min",
            "health.harvest_max_age_min",
        ];
        // All others are out of the way.
        let others = limits.iter().filter(|other| **other != setting);
        let calm = |home: &Home| {
            for other in others.clone() {
                home.run(&format!("config set {other} 9999")).ok();
            }
        };
        let home = tended(minutes * 60 + 50);
        calm(&home);
        assert_eq!(home.run("health").json()["healthy"], true, "{name}: within the minute of grace");

        let home = tended(minutes * 60 + 70);
        calm(&home);
        let envelope = home.run("health").fails(5, "check_failed");
        let late: Vec<_> =
            statuses(&envelope["data"]).into_iter().filter(|(_, status)| status != "ok").collect();
        assert_eq!(late, [(name.to_owned(), "overdue".to_owned())], "{envelope}");
        assert!(envelope["error"]["hint"].as_str().unwrap().contains(fix), "{envelope}");
        let ran = home.run("health --nagios").exits(1);
        assert!(ran.stdout.starts_with("HEALTH WARNING - "), "{ran:?}");

        home.run(&format!("config set {setting} {}", minutes * 2)).ok();
        assert_eq!(home.run("health").json()["healthy"], true, "{setting}");
        home.run(&format!("config set {setting} {}", minutes / 3)).ok();
        let envelope = home.run("health").fails(5, "check_failed");
        assert!(statuses(&envelope["data"]).contains(&(name.to_owned(), "stalled".to_owned())), "{envelope}");
        home.run("health --nagios").exits(2);
    }
}

/// What never went well is late from when there was something to do.
#[test]
fn never_counts_from_when_it_was_due() {
    let home = tended(60);
    home.sqlite()
        .execute_batch(
            "DELETE FROM runs; UPDATE pools SET synced_block = NULL, added_at = unixepoch() - 100;
             UPDATE oracle_feeds SET checked_at = NULL, added_at = unixepoch() - 100000;",
        )
        .unwrap();
    let envelope = home.run("health").fails(5, "check_failed");
    let statuses = statuses(&envelope["data"]);
    assert_eq!(statuses[0], ("sync dollars".into(), "ok".into()));
    assert_eq!(statuses[2], ("oracle dollars-usd".into(), "stalled".into()));
    assert!(envelope["error"]["details"]["findings"].to_string().contains("never"), "{envelope}");
}

#[test]
fn farmers_that_left_ask_for_nothing() {
    let home = tended(1_000_000);
    home.sqlite().execute_batch("UPDATE farmers SET status = 'leaving'").unwrap();
    let envelope = home.run("health").fails(5, "check_failed");
    assert!(statuses(&envelope["data"]).iter().all(|(name, _)| !name.contains("north")), "{envelope}");
}

#[test]
fn what_is_open_is_a_finding() {
    for (sql, area, subject, kind) in [
        (
            "INSERT INTO risk_violations (pool_id, rule, message, first_seen, last_seen, count)
             VALUES (1, 'tvl_cap_exceeded', 'above the cap', 1700000000, 1700000000, 1)",
            "risk",
            "dollars",
            "tvl_cap_exceeded",
        ),
        (
            "INSERT INTO oracle_alerts (feed_id, kind, message, first_seen, last_seen, count)
             VALUES (1, 'stale', 'too old', 1700000000, 1700000000, 3)",
            "oracle",
            "dollars-usd",
            "stale",
        ),
        (
            "INSERT INTO farm_alerts (subject, kind, message, first_seen, last_seen, count)
             VALUES ('f1', 'pail_held', 'held', 1700000000, 1700000000, 1)",
            "farm",
            "f1",
            "pail_held",
        ),
        (
            "INSERT INTO circuit_breaker_status VALUES (1, 1, 'withdrawal_rate', 'too much', 1700000000, NULL, NULL)",
            "risk",
            "dollars",
            "circuit_breaker_active",
        ),
    ] {
        let home = tended(60);
        home.sqlite().execute_batch(sql).unwrap();
        let envelope = home.run("health").fails(5, "check_failed");
        let troubles = envelope["data"]["troubles"].as_array().unwrap();
        let [trouble] = troubles.as_slice() else { panic!("{envelope}") };
        assert_eq!(
            (&trouble["area"], &trouble["subject"], &trouble["kind"]),
            (&area.into(), &subject.into(), &kind.into())
        );
        assert_eq!(trouble["since"], "2023-11-14T22:13:20Z");
        assert!(home.run("health").exits(5).stdout.contains("not healthy"));
        home.run("health --nagios").exits(2);
    }
    // Closed, it is none any more; and what the check has noted is not told twice.
    let home = tended(60);
    home.sqlite()
        .execute_batch(
            "INSERT INTO risk_violations (pool_id, rule, message, first_seen, last_seen, count, closed_at)
                 VALUES (1, 'tvl_cap_exceeded', 'was', 1, 1, 1, 2);
             INSERT INTO circuit_breaker_status VALUES (1, 1, 'withdrawal_rate', 'too much', 1700000000, NULL, NULL);
             INSERT INTO risk_violations (pool_id, rule, message, first_seen, last_seen, count)
                 VALUES (1, 'circuit_breaker_active', 'open', 1, 1, 1)",
        )
        .unwrap();
    let envelope = home.run("health").fails(5, "check_failed");
    assert_eq!(envelope["data"]["troubles"].as_array().unwrap().len(), 1, "{envelope}");
}

/// An engine's own breaker and pause hold the pool as ours do, however long ago it was heard, and whatever its limits say.
#[test]
fn what_an_engine_holds_is_a_finding() {
    let home = tended(60);
    let engine = |breaker: u8, emergency: u8| {
        format!(
            "INSERT OR REPLACE INTO pool_risk_parameters (pool_id, engine, engine_address, window, deposits_enabled,
                 withdrawals_enabled, engine_breaker, engine_breaker_reason, engine_emergency, refreshed_at)
             VALUES (1, 'legacy', '{POOL}', 'utc-day', 1, 1, {breaker}, 'too fast', {emergency}, 1700000000)"
        )
    };
    let troubles = |sql: &str| {
        home.sqlite().execute_batch(sql).unwrap();
        let envelope = home.run("health --json").exits_one_of(&[0, 5]).envelope();
        let found: Vec<String> = envelope["data"]["troubles"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| format!("{} {} {} {}: {}", t["area"], t["subject"], t["kind"], t["since"], t["why"]))
            .map(|line| line.replace('"', ""))
            .collect();
        found
    };
    assert_eq!(troubles(&engine(0, 0)), Vec::<String>::new(), "old limits are the check's matter");
    let since = "2023-11-14T22:13:20Z";
    let breaker = format!("risk dollars circuit_breaker_active {since}: at the engine: too fast");
    let pause = format!("risk dollars emergency_pause {since}: paused at the engine");
    assert_eq!(troubles(&engine(1, 0)), std::slice::from_ref(&breaker));
    assert_eq!(troubles(&engine(1, 1)), [pause.clone(), breaker]);
    home.run("health --nagios").exits(2);
    let gauges = home.run("metrics").ok();
    for line in ["poolctl_risk_breaker_open{pool=\"dollars\"} 1", "poolctl_alerts_open{pool=\"dollars\"} 2"] {
        assert!(gauges.contains(line), "{gauges}");
    }
    // Ours is told first, and what a check has noted is not told twice.
    let ours = "INSERT INTO circuit_breaker_status VALUES (1, 1, 'withdrawal_rate', 'a run', 1700000000, NULL, NULL)";
    let first = format!("risk dollars circuit_breaker_active {since}: withdrawal_rate: a run");
    assert_eq!(troubles(ours), [pause, first.clone()]);
    let noted = "INSERT INTO risk_violations (pool_id, rule, message, first_seen, last_seen, count)
                 VALUES (1, 'emergency_pause', 'paused at the engine', 1700000000, 1, 1)";
    let alert = format!("risk dollars emergency_pause {since}: paused at the engine");
    assert_eq!(troubles(noted), [alert, first]);
}

#[test]
fn a_transaction_that_stays_unsettled_is_a_finding() {
    let plan = |age: u32, state: &str| {
        format!(
            "INSERT INTO operations (network, key, kind, subject, state, plan, planned_at)
             VALUES ('stellar', 'k{age}', 'plant', 'f1', '{state}', '{{}}', unixepoch() - {age})"
        )
    };
    let home = tended(60);
    home.sqlite().execute_batch(&(plan(30, "sent") + ";" + &plan(99_999, "recorded"))).unwrap();
    let data = home.run("health").json();
    assert_eq!((&data["operations"]["in_flight"], &data["operations"]["status"]), (&1.into(), &"ok".into()));
    home.sqlite().execute_batch(&plan(700, "planned")).unwrap();
    let envelope = home.run("health").fails(5, "check_failed");
    assert_eq!(envelope["data"]["operations"]["in_flight"], 2);
    assert_eq!(envelope["data"]["operations"]["status"], "overdue");
    home.run("health --nagios").exits(1);
}

#[test]
fn a_state_that_cannot_be_read_is_unknown() {
    let home = Home::empty();
    home.run("health").fails(2, "state_missing");
    let ran = home.run("health --nagios").exits(3);
    assert!(ran.stdout.starts_with("HEALTH UNKNOWN - state_missing: "), "{ran:?}");
}
