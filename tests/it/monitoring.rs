//! `metrics`, the dashboard and the alert rules: Prometheus' own tools take them, and they name what poolctl exports.

use crate::health::tended;
use crate::support::Home;
use poolctl_testkit::{tools, watch};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/monitoring").join(name)
}

/// `promtool` with these arguments and this stdin takes what it is given, without a remark.
#[track_caller]
fn promtool(args: &[&str], input: &str) {
    let mut command = Command::new(tools::debian("promtool").unwrap());
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = watch::spawn(&mut command).unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{input}");
    if args.first() == Some(&"check") && args.get(1) == Some(&"metrics") {
        assert_eq!(said, "", "{input}");
    }
}

/// A home in which every metric has a sample.
fn whole() -> Home {
    let home = tended(60);
    home.sqlite()
        .execute_batch(
            "INSERT INTO open_pails (block_index, farmer_id, stake, planted_ledger, due_time, held)
                 VALUES (38, 'f1', '185000000', 1, 1, 'the chain contradicts itself'), (39, 'f1', '5', 1, 1, NULL);
             INSERT INTO operations (network, key, kind, subject, state, plan, planned_at)
                 VALUES ('stellar', 'k', 'plant', 'f1', 'sent', '{}', unixepoch() - 30);
             INSERT INTO farm_alerts (subject, kind, message, first_seen, last_seen, count)
                 VALUES ('f1', 'pail_held', 'held', 1700000000, 1700000000, 1);
             INSERT INTO circuit_breaker_status VALUES (1, 1, 'withdrawal_rate', 'too much', 1700000000, NULL, NULL);
             UPDATE pools SET reward_genesis_block = 0, reward_cursor_block = 100 WHERE id = 1;
             INSERT INTO pool_reward_epochs
                 (pool_id, start_block, end_block, origin, basis, asset, part, status, created_at, distributed_at)
                 SELECT id, 0, 100, 'cycle', 'snapshot', asset, '10', 'distributed', 1, unixepoch() - 60
                 FROM pools WHERE id = 1;",
        )
        .unwrap();
    home
}

/// The value of a sample.
#[track_caller]
fn value<'t>(text: &'t str, sample: &str) -> &'t str {
    let found = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {sample} in\n{text}"))
}

#[test]
fn promtool_takes_the_metrics() {
    promtool(&["check", "metrics"], &whole().run("metrics").ok());
    // As a file, with the facts of the run itself.
    let home = whole();
    let shown = home.run("metrics --metrics-file all.prom").ok();
    let written = std::fs::read_to_string(home.path().join("all.prom")).unwrap();
    promtool(&["check", "metrics"], &written);
    assert_eq!(value(&written, "poolctl_run_exit_code{command=\"metrics\"}"), "0");
    for line in shown.lines().filter(|line| line.starts_with("poolctl_pool_")) {
        assert!(written.contains(line), "{line}");
    }
    let home = Home::ready();
    promtool(&["check", "metrics"], &home.run("metrics").ok());
    home.run("health --metrics-file run.prom").ok();
    promtool(&["check", "metrics"], &std::fs::read_to_string(home.path().join("run.prom")).unwrap());
}

#[test]
fn the_metrics_say_what_the_state_says() {
    let home = whole();
    let text = home.run("metrics").ok();
    for (sample, want) in [
        ("poolctl_pool_total_value_locked{pool=\"dollars\"}", "170235.000000"),
        ("poolctl_pool_shares{pool=\"dollars\"}", "168549.504950"),
        ("poolctl_pool_exchange_rate_ratio{pool=\"dollars\"}", "1.010000000000000000"),
        ("poolctl_pool_synced_block{pool=\"dollars\"}", "7"),
        ("poolctl_pool_paused{pool=\"dollars\"}", "0"),
        ("poolctl_risk_breaker_open{pool=\"dollars\"}", "1"),
        ("poolctl_oracle_price{feed=\"dollars-usd\",asset=\"DUSD\"}", "1.000500000000000000"),
        ("poolctl_oracle_refused_quotes{feed=\"dollars-usd\",asset=\"DUSD\"}", "0"),
        ("poolctl_farm_block_index", "38"),
        ("poolctl_farm_open_pails", "2"),
        ("poolctl_farm_held_pails", "1"),
        ("poolctl_farm_open_stake_kale", "18.5000005"),
        ("poolctl_kale_stakes_missed", "0"),
        ("poolctl_kale_stakes_lost_total{pooler=\"north\"}", "0"),
        ("poolctl_farm_farmers{status=\"active\"}", "1"),
        ("poolctl_farm_last_reward_kale{pooler=\"north\"}", "759.8104268"),
        ("poolctl_alerts_open{farmer=\"f1\"}", "1"),
        ("poolctl_alerts_open{feed=\"dollars-usd\"}", "0"),
        ("poolctl_operations_in_flight", "1"),
        ("poolctl_reward_distributed_block", "100"),
        ("poolctl_run_exit_code{command=\"risk check\"}", "5"),
        ("poolctl_check_limit_seconds{check=\"risk\",subject=\"\"}", "300"),
        ("poolctl_healthy", "0"),
    ] {
        assert_eq!(value(&text, sample), want, "{sample}");
    }
    let age: u64 = value(&text, "poolctl_oracle_price_age_seconds{feed=\"dollars-usd\",asset=\"DUSD\"}")
        .parse()
        .unwrap();
    assert!((60..200).contains(&age), "{age}");
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let success = value(&text, "poolctl_run_last_success_timestamp_seconds{command=\"reward cycle\"}");
    assert!(now - success.parse::<u64>().unwrap() < 200, "{success}");
    assert!(
        !text.contains("last_success_timestamp_seconds{command=\"risk check\"}"),
        "it never ended with 0"
    );

    let json = home.run("metrics").json();
    let samples = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(json["metrics"].as_array().unwrap().len(), samples);
    home.sqlite().execute_batch("DELETE FROM circuit_breaker_status; DELETE FROM farm_alerts").unwrap();
    assert_eq!(value(&home.run("metrics").ok(), "poolctl_healthy"), "1");
}

/// Names of metrics in an expression.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("poolctl_")).map(str::to_owned).collect()
}

fn exported() -> BTreeSet<String> {
    let text = whole().run("metrics").ok();
    text.lines()
        .filter_map(|line| Some(line.strip_prefix("# TYPE ")?.split(' ').next()?.to_owned()))
        .collect()
}

#[test]
fn the_rules_are_prometheus_own_and_name_what_is_exported() {
    let path = example("rules.yml");
    promtool(&["check", "rules", path.to_str().unwrap()], "");
    let text = std::fs::read_to_string(path).unwrap();
    let named: BTreeSet<String> =
        text.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).flat_map(names).collect();
    assert!(named.len() >= 8, "{named:?}");
    let exported = exported();
    let unknown: Vec<_> = named.difference(&exported).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_dashboard_names_what_is_exported() {
    let text = std::fs::read_to_string(example("grafana-dashboard.json")).unwrap();
    let board: Value = serde_json::from_str(&text).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let mut named = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "an id twice: {panel}");
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        for target in targets {
            named.extend(names(target["expr"].as_str().unwrap()));
        }
    }
    let exported = exported();
    let unknown: Vec<_> = named.difference(&exported).collect();
    assert!(unknown.is_empty() && named.len() >= 15, "{unknown:?} of {named:?}");
    // Prometheus can read each expression.
    let folder = tempfile::tempdir().unwrap();
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (at, panel) in panels.iter().enumerate() {
        for (which, target) in panel["targets"].as_array().unwrap().iter().enumerate() {
            let expr = target["expr"].as_str().unwrap();
            writeln!(rules, "      - record: panel:{at}_{which}\n        expr: {expr}").unwrap();
        }
    }
    let path = folder.path().join("dashboard.yml");
    std::fs::write(&path, rules).unwrap();
    promtool(&["check", "rules", path.to_str().unwrap()], "");
}

/// The alerts fire when they should, by Prometheus' own reckoning.
#[test]
fn the_rules_fire() {
    let folder = tempfile::tempdir().unwrap();
    let test = format!(
        "rule_files: ['{}']
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {{series: 'poolctl_healthy', values: '1x5 0x60'}}
      - {{series: 'poolctl_check_age_seconds{{check=\"sync\",subject=\"a\"}}', values: '0+60x65'}}
      - {{series: 'poolctl_check_limit_seconds{{check=\"sync\",subject=\"a\"}}', values: '900x65'}}
      - {{series: 'poolctl_run_exit_code{{command=\"sync\"}}', values: '75x65'}}
      - {{series: 'poolctl_run_exit_code{{command=\"risk check\"}}', values: '5x65'}}
      - {{series: 'poolctl_alerts_open{{channel=\"ops\"}}', values: '0x5 1x60'}}
    alert_rule_test:
      - {{alertname: PoolctlUnhealthy, eval_time: 4m, exp_alerts: []}}
      - {{alertname: PoolctlUnhealthy, eval_time: 20m, exp_alerts: [{{exp_labels: {{severity: warning}}, exp_annotations: {{summary: 'A job of the pool is late or stuck', description: '`poolctl health` on  says what is wrong.'}}}}]}}
      - {{alertname: PoolctlJobOverdue, eval_time: 14m, exp_alerts: []}}
      - {{alertname: PoolctlJobOverdue, eval_time: 21m, exp_alerts: [{{exp_labels: {{severity: warning, check: sync, subject: a}}, exp_annotations: {{summary: 'sync a is overdue', description: 'It last went well 21m 0s ago.'}}}}]}}
      - {{alertname: PoolctlJobStalled, eval_time: 30m, exp_alerts: []}}
      - {{alertname: PoolctlJobStalled, eval_time: 40m, exp_alerts: [{{exp_labels: {{severity: critical, check: sync, subject: a}}, exp_annotations: {{summary: 'sync a has stopped', description: 'It last went well 40m 0s ago.'}}}}]}}
      - {{alertname: PoolctlRunFails, eval_time: 40m, exp_alerts: [{{exp_labels: {{severity: warning, command: sync}}, exp_annotations: {{summary: 'poolctl sync ends with exit code 75', description: 'Run it by hand on ; the exit codes stand in the README.'}}}}]}}
      - {{alertname: PoolctlAlertOpen, eval_time: 5m, exp_alerts: []}}
      - {{alertname: PoolctlAlertOpen, eval_time: 20m, exp_alerts: [{{exp_labels: {{severity: warning, channel: ops}}, exp_annotations: {{summary: '1 alerts on ops', description: '`poolctl health` lists them.'}}}}]}}
      - {{alertname: PoolctlSilent, eval_time: 40m, exp_alerts: []}}
      - {{alertname: PoolctlSilent, eval_time: 90m, exp_alerts: [{{exp_labels: {{severity: critical}}, exp_annotations: {{summary: 'poolctl says nothing', description: 'No metrics have come for 15 minutes. See the cron job that runs `poolctl metrics`, and the collector.'}}}}]}}
",
        example("rules.yml").display()
    );
    let path = folder.path().join("test.yml");
    std::fs::write(&path, test).unwrap();
    promtool(&["test", "rules", path.to_str().unwrap()], "");
}
