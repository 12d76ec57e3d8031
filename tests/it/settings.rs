//! Settings: precedence, misspelt names, what `config set` stores and audits, what `config check` finds.

use crate::support::{Home, digest};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

fn setting(data: &Value, key: &str) -> (Value, Value) {
    let all = data["settings"].as_array().unwrap();
    let found = all.iter().find(|s| s["key"] == key).unwrap();
    (found["value"].clone(), found["origin"].clone())
}

#[test]
fn the_stronger_source_wins() {
    let home = Home::ready();
    let key = "oracle.cache_ttl_sec";
    let show = || home.run("config show");
    assert_eq!(setting(&show().json(), key), (json!("300"), json!({"from": "default"})));
    home.run("config set oracle.cache_ttl_sec 301").ok();
    assert_eq!(setting(&show().json(), key), (json!("301"), json!({"from": "state"})));
    home.write_config("[profiles.sandbox]\noracle.cache_ttl_sec = 302\n");
    assert_eq!(setting(&show().json(), key), (json!("302"), json!({"from": "profile", "name": "sandbox"})));
    let legacy = show().env("ORACLE_CACHE_TTL_SEC", "303").json();
    assert_eq!(setting(&legacy, key), (json!("303"), json!({"from": "env", "name": "ORACLE_CACHE_TTL_SEC"})));
    let own = show().env("ORACLE_CACHE_TTL_SEC", "303").env("POOLCTL_ORACLE_CACHE_TTL_SEC", "304").json();
    assert_eq!(setting(&own, key).0, json!("304"));
    let flag = home.run("config show -v").env("LOG_LEVEL", "warn").arg("--json").exits(0);
    let data: Value = serde_json::from_str(&flag.stdout).unwrap();
    assert_eq!(
        setting(&data["data"], "log.level"),
        (json!("debug"), json!({"from": "flag", "name": "--verbose"}))
    );
    let shown = show().arg("--origin").ok();
    let row = shown.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    assert_eq!(row.split_whitespace().next(), Some("302"));
}

#[test]
fn the_state_and_the_config_can_be_named() {
    let home = Home::ready();
    let other = home.path().join("other.sqlite");
    home.run("init --state other.sqlite").ok();
    assert_eq!(home.run("state path --state other.sqlite").json()["path"], other.to_str().unwrap());
    let by_env = home.run("state path").env("POOLCTL_STATE", "other.sqlite").json();
    assert_eq!(by_env["path"], other.to_str().unwrap());
    let both = home.run("state path --state third.sqlite").env("POOLCTL_STATE", "other.sqlite").json();
    assert_eq!(both, json!({"path": home.path().join("third.sqlite"), "exists": false}));

    std::fs::write(home.path().join("c.toml"), "profile = 'mainnet'\n").unwrap();
    assert_eq!(home.run("info --config c.toml").json()["config"]["profile"], "mainnet");
    assert_eq!(home.run("info").env("POOLCTL_CONFIG", "c.toml").json()["config"]["profile"], "mainnet");
    let named = home.run("info --config c.toml --profile testnet").env("POOLCTL_PROFILE", "sandbox").json();
    assert_eq!(named["config"]["profile"], "testnet");
    assert_eq!(home.run("info").env("POOLCTL_PROFILE", "mainnet").json()["config"]["confirm"], true);
    let missing = home.run("info --config nowhere.toml").fails(2, "invalid_config");
    assert!(missing["error"]["message"].as_str().unwrap().contains("nowhere.toml"), "{missing}");
    let path = home.run("config path --config nowhere.toml").json();
    assert_eq!(path["origin"], "flag --config");
}

#[test]
fn misspelt_names_are_answered_with_the_nearest() {
    let home = Home::ready();
    let before = digest(&home.state());
    let set = home.run("config set oracle.max_stalenes_sec 60").fails(2, "unknown_key");
    assert_eq!(set["error"]["hint"], "did you mean \"oracle.max_staleness_sec\"?");
    let profile = home.run("info --profile tesnet").fails(2, "unknown_profile");
    assert_eq!(profile["error"]["hint"], "did you mean \"testnet\"?");
    home.write_config("[profiles.sandbox]\nevm.chain = 5\n");
    let file = home.run("info").fails(2, "unknown_key");
    assert_eq!(file["error"]["hint"], "did you mean \"evm.chain_id\"?");
    assert_eq!(file["error"]["details"]["key"], "evm.chain");
    home.write_config("");
    let ran = home.run("info").env("POOLCTL_EVM_CHAINID", "5").exits(0);
    assert!(
        ran.stderr.contains("POOLCTL_EVM_CHAINID") && ran.stderr.contains("POOLCTL_EVM_CHAIN_ID?"),
        "{ran:?}"
    );
    assert_eq!(digest(&home.state()), before);
}

#[test]
fn a_setting_is_stored_audited_and_removed() {
    let home = Home::ready();
    let set = home.run("config set risk.max_rate_drop 0.01").json();
    assert_eq!(set["old"], Value::Null);
    assert_eq!(set["in_force"], "0.01");
    home.run("config set risk.max_rate_drop 0.02").ok();
    // The same again is no new fact.
    assert!(home.run("config set risk.max_rate_drop 0.02").ok().contains("stays 0.02"));
    home.run("config unset risk.max_rate_drop").ok();
    home.run("config unset risk.max_rate_drop").ok();
    let events = home.run("events --kind config. --subject risk.max_rate_drop").json();
    let seen: Vec<(&Value, &Value, &Value)> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (&e["kind"], &e["payload"]["old"], &e["payload"]["new"]))
        .collect();
    let (set, unset) = (json!("config.set"), json!("config.unset"));
    let (one, two, none) = (json!("0.01"), json!("0.02"), Value::Null);
    assert_eq!(seen, [(&set, &none, &one), (&set, &one, &two), (&unset, &two, &none)]);
    assert!(events["events"][0]["actor"].as_str().unwrap().starts_with("tester@"));
    home.run("state check").ok();
}

#[test]
fn what_stands_above_a_stored_setting_is_said() {
    let home = Home::ready();
    let ran = home.run("config set oracle.cache_ttl_sec 60").env("ORACLE_CACHE_TTL_SEC", "90").exits(0);
    assert!(ran.stderr.starts_with("warning: oracle.cache_ttl_sec is stored, but environment"), "{ran:?}");
    assert!(ran.stdout.contains("in force: 90 (environment ORACLE_CACHE_TTL_SEC)"), "{ran:?}");
}

#[test]
fn bad_values_are_refused_before_the_lock() {
    let home = Home::ready();
    let before = digest(&home.state());
    let _held = super::lock::hold(&home.state());
    for (key, value, code) in [
        ("oracle.cache_ttl_sec", "-1", "invalid_value"),
        ("oracle.cache_ttl_sec", "1e3", "invalid_value"),
        ("oracle.cache_ttl_sec", "100abc", "invalid_value"),
        ("oracle.cache_ttl_sec", "", "invalid_value"),
        ("oracle.cache_ttl_sec", " 5", "invalid_value"),
        ("reward.block_reward", "-2", "invalid_value"),
        ("risk.max_rate_drop", "1.0000001", "invalid_value"),
        ("reward.asset", "0xcA11bde05977b3631167028862bE2a173976Ca11", "invalid_address"),
        ("evm.chain_id", "5", "invalid_value"),
        ("state.path", "/x", "invalid_value"),
        ("evm.rpc_urls", "http://a", "invalid_value"),
    ] {
        let envelope = home.args(["config", "set", key, value]).fails(2, code);
        assert!(envelope["error"]["message"].as_str().unwrap().contains(key), "{envelope}");
    }
    assert_eq!(digest(&home.state()), before);
    home.run("config set oracle.cache_ttl_sec 1 --wait 0s").fails(11, "state_locked");
}

#[test]
fn check_names_everything_that_is_wrong() {
    let home = Home::ready();
    let endpoint = "RPC_URLS";
    let url = "http://127.0.0.1:1";
    assert_eq!(home.run("config check").env(endpoint, url).json()["findings"], json!([]));
    let bare = home.run("config check").fails(5, "check_failed");
    assert_eq!(bare["data"]["findings"][0]["code"], "missing_setting");

    home.write_config("[profiles.sandbox]\nevm.rpc_urls = ['http://127.0.0.1:1']\nrisk.max_rate_drop = '2'\nlog.level = 'loud'\n");
    std::fs::set_permissions(home.config(), PermissionsExt::from_mode(0o644)).unwrap();
    let all = home.run("config check").env("POOLCTL_LOGLEVEL", "x").fails(5, "check_failed");
    let text = all["data"]["findings"].to_string();
    for needle in ["risk.max_rate_drop", "log.level", "read by others", "POOLCTL_LOGLEVEL"] {
        assert!(text.contains(needle), "{needle} in {text}");
    }
    assert_eq!(all["data"]["findings"].as_array().unwrap().len(), 4, "{text}");
    let ran = home.run("config check").exits(5);
    assert!(ran.stdout.contains("- risk.max_rate_drop") && ran.stderr.starts_with("error: "), "{ran:?}");

    // What is not understood hides nothing else either, and what is ill formed is not missing.
    home.write_config(
        "odd = 1\n[profiles.sandbox]\nevm.rpc_urls = ['ftp://x']\nevm.chainid = 5\nreward.block_reward = 2.5\nlog.level = 'loud'\n\
         stellar.rpc_urls = ['http://127.0.0.1:1']\nkale.min_lumens = '99999999999999999999'\nstrategy.min_stake = '2'\n\
         strategy.max_stake = '1'\nstrategy.command = \"sh -c 'x\"\nkale.contract_id = 'C'\n",
    );
    let before = digest(&home.state());
    let all = home.run("config check").fails(5, "check_failed");
    let found: Vec<&str> = all["data"]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["message"].as_str().unwrap())
        .collect();
    for needle in [
        "unknown key \"odd\"",
        "unknown key \"evm.chainid\"",
        "reward.block_reward must be a decimal in quotes",
        "evm.rpc_urls (profile",
        "log.level (profile",
        "kale.min_lumens is more than there is",
        "strategy.min_stake and strategy.max_stake",
        "strategy.command",
        "kale.contract_id",
    ] {
        assert_eq!(found.iter().filter(|one| one.contains(needle)).count(), 1, "{needle} in {found:#?}");
    }
    assert!(!found.iter().any(|one| one.contains("has no ")), "{found:#?}");
    assert_eq!(before, digest(&home.state()));

    home.write_config("[profiles.sandbox]\nevm.rpc_urls = [1]\n");
    let alone = home.run("config check").fails(5, "check_failed");
    assert_eq!(alone["data"]["findings"].as_array().unwrap().len(), 1, "{alone}");
    home.write_config("profile = ");
    let alone = home.run("config check").fails(5, "check_failed");
    assert_eq!(alone["data"]["findings"].as_array().unwrap().len(), 1, "{alone}");
    assert_eq!(alone["data"]["findings"][0]["code"], "invalid_config");
    home.run("config check --profile nosuch --config /dev/null").fails(2, "unknown_profile");
}

#[test]
fn a_stored_setting_of_another_version_can_be_removed() {
    let home = Home::ready();
    home.sqlite().execute("INSERT INTO system_config VALUES ('old.key', '1', 0)", []).unwrap();
    let shown = home.run("config show --json").exits(0).envelope();
    assert!(shown["warnings"][0].as_str().unwrap().contains("old.key"), "{shown}");
    home.run("config check").fails(5, "check_failed");
    let ran = home.run("config unset old.key").exits(0);
    assert!(ran.stderr.starts_with("warning: "), "{ran:?}");
    home.run("config show").ok();
    home.run("config unset old.key").fails(2, "unknown_key");
}
