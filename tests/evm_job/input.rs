//! Bad input: refused with exit 2 and a message that names the flag, before anything is sent or written.

use super::desk::{Desk, misspelt, same, says};
use poolctl_testkit::alloy::primitives::U256;
use std::sync::{Arc, Mutex, Weak};

/// One desk for all tests that run at the same time, gone with the last of them: nothing here may change it.
static SHARED: Mutex<Weak<Desk>> = Mutex::new(Weak::new());

fn shared() -> Arc<Desk> {
    let mut shared = SHARED.lock().unwrap();
    if let Some(desk) = shared.upgrade() {
        return desk;
    }
    let desk = Arc::new(Desk::weighted());
    let (asset, feed) = (desk.world.eighteen.asset, desk.world.eighteen.feed);
    desk.run("sync").ok();
    desk.run(&format!("oracle add growth-usd --asset {asset} --address {feed} --min 1000 --max 5000")).ok();
    desk.run("risk set growth --max-tvl 1000000").ok();
    desk.run("risk set stable --max-tvl 1000000").ok();
    desk.first_cycle();
    *shared = Arc::downgrade(&desk);
    desk
}

/// 2^256.
const TOO_LARGE: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639936";

/// What is no amount of an asset with 18 decimals, and what the message must say of it.
const NO_AMOUNTS: [(&str, &str); 13] = [
    ("-1", "no sign"),
    ("+1", "no sign"),
    ("1e3", "exponent"),
    ("100abc", "not a plain decimal number"),
    ("0x10", "not a plain decimal number"),
    ("1,000", "separator"),
    ("1.", "not a plain decimal number"),
    (".5", "not a plain decimal number"),
    ("0.1234567890123456789", "19 decimals, but at most 18"),
    (TOO_LARGE, "2^256-1"),
    ("", "is empty"),
    (" ", "space"),
    (" 5", "space"),
];

#[test]
fn amounts_are_plain_decimals_within_256_bits() {
    let desk = shared();
    let feed = desk.world.six.feed.to_string();
    for (bad, why) in NO_AMOUNTS {
        for flag in ["--max-tvl", "--max-user-deposit", "--daily-withdrawal-cap", "--user-daily-cap"] {
            let given = format!("{flag}={bad}");
            desk.refuses_offline(&["risk", "set", "growth", &given], "invalid_amount", &[flag, why]);
        }
        for flag in ["--min", "--max"] {
            let given = format!("{flag}={bad}");
            let args = ["oracle", "add", "new", "--asset", "NEW", "--address", &feed, &given];
            desk.refuses_offline(&args, "invalid_amount", &[flag, why]);
        }
    }
    // As a word of its own, a sign looks like a flag, and is none.
    for flag in ["--max-tvl", "--user-daily-cap"] {
        let words = [flag, "\"-1\"", "no sign"];
        desk.refuses_offline(&["risk", "set", "growth", flag, "-1"], "invalid_amount", &words);
    }
    for flag in ["--min", "--max"] {
        let args = ["oracle", "add", "new", "--asset", "NEW", "--address", &feed, flag, "-1.5"];
        desk.refuses_offline(&args, "invalid_amount", &[flag, "\"-1.5\"", "no sign"]);
    }
    let args = ["risk", "set", "growth", "--breaker-threshold", "-0.1"];
    desk.refuses_offline(&args, "invalid_weight", &["--breaker-threshold", "no sign"]);
    desk.refuses_offline(&["sync", "--at", "-1"], "invalid_value", &["--at", "invalid block"]);
    desk.refuses_offline(&["risk", "set", "growth", "--max-tvl"], "usage", &["--max-tvl"]);
}

#[test]
fn the_assets_own_decimals_and_the_largest_amount_are_the_limit() {
    let desk = shared();
    for (pool, decimals) in [("growth", 18), ("stable", 6)] {
        let most = U256::MAX.to_string();
        let (whole, fraction) = most.split_at(most.len() - decimals);
        let largest = format!("--max-tvl={whole}.{fraction}");
        let set = desk.unchanged(|| desk.home.args(["risk", "set", pool, &largest, "--dry-run"]).json());
        assert_eq!(set["max_tvl"], format!("{whole}.{fraction}"));
        let (whole, fraction) = TOO_LARGE.split_at(TOO_LARGE.len() - decimals);
        let above = format!("--max-tvl={whole}.{fraction}");
        desk.refuses_offline(&["risk", "set", pool, &above], "invalid_amount", &["--max-tvl", "2^256-1"]);
        let precise = format!("--user-daily-cap=0.{}1", "0".repeat(decimals));
        let words = ["--user-daily-cap", &format!("{} decimals, but at most {decimals}", decimals + 1)];
        desk.refuses_offline(&["risk", "set", pool, &precise], "invalid_amount", &words);
    }
}

#[test]
fn weights_and_ratios_lie_between_0_and_1_with_six_decimals() {
    let desk = shared();
    let vault = desk.world.six.vault.to_string();
    let feed = desk.world.six.feed.to_string();
    for (bad, why) in [
        ("1.0000001", "7 decimals, but at most 6"),
        ("1.000001", "above 1"),
        ("2", "above 1"),
        ("-0.1", "no sign"),
        ("1e0", "exponent"),
        ("0.1234567", "7 decimals"),
        ("", "empty"),
        ("half", "not a plain decimal"),
        (TOO_LARGE, "2^256-1"),
    ] {
        desk.refuses_offline(&["reward", "set-weight", "growth", bad], "invalid_weight", &["WEIGHT", why]);
        let given = format!("--breaker-threshold={bad}");
        desk.refuses_offline(
            &["risk", "set", "growth", &given],
            "invalid_weight",
            &["--breaker-threshold", why],
        );
        let given = format!("--max-deviation={bad}");
        let args = ["oracle", "add", "new", "--asset", "NEW", "--address", &feed, &given];
        desk.refuses_offline(&args, "invalid_weight", &["--max-deviation", why]);
        let given = format!("--max-rate-drop={bad}");
        let args = ["pool", "add", "new", &vault, &given];
        desk.refuses_offline(&args, "invalid_weight", &["--max-rate-drop", why]);
    }
}

#[test]
fn every_address_argument_is_checked() {
    let desk = shared();
    let vault = misspelt(desk.world.eighteen.vault);
    let alice = misspelt(desk.world.alice);
    let feed = misspelt(desk.world.eighteen.feed);
    let good = desk.world.eighteen.feed.to_string();
    let asset = misspelt(desk.world.eighteen.asset);
    for (args, flag) in [
        (vec!["pool", "add", "new", &vault], "ADDRESS"),
        (vec!["member", "add", &alice], "ADDRESS"),
        (vec!["oracle", "add", "new", "--asset", "NEW", "--address", &feed], "--address"),
        (vec!["oracle", "add", "new", "--asset", &asset, "--address", &good], "--asset"),
        (vec!["oracle", "get", &asset], "ASSET"),
        (
            vec!["risk", "set", "growth", "--engine", "viddhana", "--engine-address", &feed],
            "--engine-address",
        ),
        // Where a name may stand too.
        (vec!["pool", "show", &vault], "POOL"),
        (vec!["pool", "position", &alice, "growth"], "MEMBER"),
        (vec!["pool", "position", "alice", &vault], "POOL"),
        (vec!["sync", &vault], "POOL"),
        (vec!["member", "show", &alice], "MEMBER"),
        (vec!["risk", "set", &vault, "--max-tvl", "1"], "POOL"),
        (vec!["risk", "show", &vault], "POOL"),
        (vec!["risk", "check", &vault], "POOL"),
        (vec!["reward", "set-weight", &vault, "1"], "POOL"),
        (vec!["reward", "claim", &alice, "--all"], "MEMBER"),
        (vec!["reward", "claim", "alice", &vault], "POOL"),
        (vec!["reward", "pending", &alice], "MEMBER"),
        (vec!["reward", "pending", "alice", "--pool", &vault], "POOL"),
    ] {
        let envelope = desk.refuses_offline(&args, "invalid_address", &[flag, "EIP-55 checksum"]);
        says(&envelope["error"]["hint"], &["would be spelt 0x"]);
    }
    for bad in ["0x", "0x12", "0xzz6f8a5c1d2e3b4a5968778695a4b3c2d1e0f9a8", "", "main"] {
        desk.refuses_offline(
            &["pool", "add", "new", bad],
            "invalid_address",
            &["ADDRESS", "not an EVM address"],
        );
    }
    // All lower case has no checksum, and is the same pool.
    let lower = desk.world.eighteen.vault.to_string().to_lowercase();
    assert_eq!(desk.json(&format!("pool show {lower}"))["name"], "growth");
}

#[test]
fn unknown_names_are_refused_with_the_nearest_one() {
    let desk = shared();
    for args in [
        "pool show grwth",
        "pool position alice grwth",
        "sync grwth",
        "sync stable grwth",
        "risk set grwth --max-tvl 1",
        "risk show grwth",
        "risk fetch grwth",
        "risk check grwth",
        "reward set-weight grwth 1",
        "reward claim alice grwth",
        "reward pending alice --pool grwth",
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        let envelope = desk.refuses_offline(&args, "unknown_pool", &["no pool \"grwth\""]);
        assert_eq!(envelope["error"]["hint"], "did you mean \"growth\"?");
    }
    for args in
        ["pool position bob growth", "member show bob", "reward claim bob --all", "reward pending bob"]
    {
        let args: Vec<&str> = args.split(' ').collect();
        desk.refuses_offline(&args, "unknown_member", &["no member \"bob\""]);
    }
    for args in ["oracle fetch growth-us", "oracle check growth-us"] {
        let args: Vec<&str> = args.split(' ').collect();
        let envelope = desk.refuses_offline(&args, "unknown_feed", &["no feed \"growth-us\""]);
        assert_eq!(envelope["error"]["hint"], "did you mean \"growth-usd\"?");
    }
    desk.refuses_offline(&["oracle", "get", "NOPE"], "unknown_asset", &["\"NOPE\""]);
    desk.refuses_offline(
        &["config", "set", "reward.epoch_block", "5"],
        "unknown_key",
        &["reward.epoch_block"],
    );
}

#[test]
fn a_taken_name_or_address_is_a_conflict() {
    let desk = shared();
    let (growth, stable) = (desk.world.eighteen.vault.to_string(), desk.world.six.vault.to_string());
    let (feed, asset) = (desk.world.eighteen.feed.to_string(), desk.world.eighteen.asset.to_string());
    let bob = desk.world.bob.to_string();
    desk.refuses_offline(&["pool", "add", "growth", &stable], "conflict", &["\"growth\" is taken", &growth]);
    desk.refuses_offline(&["pool", "add", "other", &stable], "conflict", &[&stable, "\"stable\""]);
    for (flag, value) in
        [("--deploy-block", "1"), ("--max-rate-drop", "0.9"), ("--reward-genesis-block", "7")]
    {
        let args = ["pool", "add", "growth", &growth, flag, value];
        desk.refuses_offline(&args, "conflict", &["with other settings"]);
    }
    desk.refuses_offline(&["member", "add", &bob, "--name", "alice"], "conflict", &["\"alice\" is taken"]);
    let args =
        ["oracle", "add", "growth-usd", "--asset", &asset, "--address", &feed, "--min", "1", "--max", "5000"];
    desk.refuses_offline(&args, "conflict", &["\"growth-usd\" is taken"]);
}

#[test]
fn the_same_again_is_no_error_and_no_change() {
    let desk = Desk::bare();
    desk.furnish();
    let eighteen = desk.world.eighteen;
    for (line, field) in [
        (format!("pool add growth {}", eighteen.vault), "added"),
        (format!("oracle add growth-usd --asset {} --address {}", eighteen.asset, eighteen.feed), "added"),
        (format!("member add {} --name alice", desk.world.alice), "changed"),
        ("risk set stable --max-tvl 1000000".to_owned(), "changed"),
        ("reward set-weight growth 0.75".to_owned(), "changed"),
    ] {
        let again = desk.unchanged(|| desk.json(&line));
        assert_eq!(again[field], false, "{line}");
    }
}

#[test]
fn blocks_words_and_bounds_are_checked_before_anything_is_asked() {
    let desk = shared();
    let (vault, feed) = (desk.world.six.vault.to_string(), desk.world.six.feed.to_string());
    for at in ["pending", "Latest", "0x10", "-1", "1.5", "", "18446744073709551616"] {
        let at = format!("--at={at}");
        for command in [
            "sync",
            "oracle fetch",
            "oracle check",
            &format!("oracle get {}", desk.world.eighteen.asset),
            "risk fetch",
            "risk check",
            &format!("pool add new {vault}"),
            &format!("oracle add new --asset NEW --address {feed}"),
        ] {
            let args: Vec<&str> = command.split(' ').chain([at.as_str()]).collect();
            desk.refuses_offline(&args, "invalid_value", &["--at", "invalid block"]);
        }
    }
    let new_feed = ["oracle", "add", "new", "--asset", "NEW", "--address", &feed];
    let with = |more: &[&'static str]| [&new_feed[..], more].concat();
    desk.refuses_offline(
        &with(&["--min", "2", "--max", "1.9"]),
        "invalid_value",
        &["--min: 2.00 is above the highest accepted price, 1.90"],
    );
    desk.refuses_offline(&with(&["--kind", "dice"]), "invalid_value", &["invalid feed kind: \"dice\""]);
    desk.refuses_offline(&with(&["--max-staleness", "0"]), "invalid_value", &["--max-staleness"]);
    desk.refuses_offline(
        &["oracle", "add", "n", "--asset", "", "--address", &feed],
        "invalid_value",
        &["--asset"],
    );
    desk.refuses_offline(&["pool", "add", "new", &vault, "--abi", "erc20"], "invalid_value", &["\"erc20\""]);
    desk.refuses_offline(
        &["pool", "add", "new", &vault, "--deploy-block", "-1"],
        "usage",
        &["--deploy-block"],
    );
    for name in ["", "a b", "0xabc", "pôol", "a/b"] {
        desk.refuses_offline(&["pool", "add", name, &vault], "invalid_value", &["NAME", "invalid name"]);
    }
    let bob = desk.world.bob.to_string();
    for name in ["", "0xabc"] {
        desk.refuses_offline(&["member", "add", &bob, "--name", name], "invalid_value", &["--name"]);
    }
    let set = ["risk", "set", "growth"];
    desk.refuses_offline(&[&set[..], &["--engine", "oracle"]].concat(), "invalid_value", &["--engine"]);
    desk.refuses_offline(
        &[&set[..], &["--engine", "viddhana"]].concat(),
        "invalid_value",
        &["--engine-address"],
    );
    desk.refuses_offline(&[&set[..], &["--engine-address", &feed]].concat(), "usage", &["--engine"]);
    desk.refuses_offline(&[&set[..], &["--window", "week"]].concat(), "invalid_value", &["--window"]);
    desk.refuses_offline(&["reward", "cycle", "--from", "-5"], "usage", &["--from"]);
    desk.refuses_offline(&["reward", "claim", "alice"], "usage", &["POOL"]);
    desk.refuses_offline(&["reward", "claim", "alice", "growth", "--all"], "usage", &["--all"]);
}

#[test]
fn settings_are_amounts_too() {
    let desk = shared();
    for (name, bad, key, why) in [
        ("BLOCK_REWARD", "-1", "reward.block_reward", "no sign"),
        ("BLOCK_REWARD", "1e3", "reward.block_reward", "exponent"),
        ("BLOCK_REWARD", "100abc", "reward.block_reward", "plain decimal"),
        ("POOLCTL_REWARD_BLOCK_REWARD", TOO_LARGE, "reward.block_reward", "2^256-1"),
        ("POOL_REWARD_EPOCH_BLOCKS", "0", "reward.epoch_blocks", "outside 1 to"),
        ("POOLCTL_RISK_MAX_RATE_DROP", "1.0000001", "risk.max_rate_drop", "0 to 1"),
        ("ORACLE_MAX_STALENESS_SEC", "0", "oracle.max_staleness_sec", "outside 1 to"),
    ] {
        let sent = desk.wire.http_count();
        let envelope = desk.unchanged(|| desk.run("reward cycle").env(name, bad).fails(2, "invalid_value"));
        says(&envelope["error"]["message"], &[key, name, why]);
        assert_eq!(desk.wire.http_count(), sent);
    }
    // Only the token knows its decimals, so it may be asked.
    let desk = Desk::weighted();
    desk.first_cycle();
    let before = desk.dump();
    let envelope =
        desk.run("reward cycle").env("BLOCK_REWARD", "0.1234567890123456789").fails(2, "invalid_amount");
    says(&envelope["error"]["message"], &["reward.block_reward", "19 decimals, but at most 18"]);
    same(&before, &desk.dump());
}

#[test]
fn a_deploy_block_must_be_the_contracts_first() {
    let desk = Desk::bare();
    let (vault, born) = (desk.world.eighteen.vault, desk.world.eighteen.deploy_block);
    desk.run(&format!("pool add other {}", desk.world.six.vault)).ok();
    let head = desk.world.node.block_number().unwrap();
    for (given, words) in [
        (born + 1, ["--deploy-block", "had code before block"]),
        (head, ["--deploy-block", "is after block"]),
        (head + 1_000, ["--deploy-block", "is after block"]),
    ] {
        let line = format!("pool add growth {vault} --deploy-block {given}");
        let envelope = desk.unchanged(|| desk.run(&line).fails(2, "invalid_value"));
        says(&envelope["error"]["message"], &words);
    }
    let added = desk.json(&format!("pool add growth {vault} --deploy-block {born}"));
    assert_eq!(added["deploy_block"], born);
    // Found by bisection it is the same.
    let other = Desk::ready();
    assert_eq!(other.json("pool show growth")["deploy_block"], born);
    assert_eq!(other.json("pool show stable")["deploy_block"], other.world.six.deploy_block);
}
