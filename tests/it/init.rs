//! `init`: creates what is missing, leaves alone what is there, and makes nothing it cannot finish.

use crate::support::{Home, digest};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

#[test]
fn creates_once() {
    let home = Home::empty();
    let first = home.run("init --profile testnet").json();
    let state = home.path().join(".local/share/poolctl/testnet.sqlite");
    assert_eq!(first["profile"], "testnet");
    assert_eq!(first["state"], json!({"path": state, "created": true}));
    assert_eq!(first["config"], json!({"path": home.config(), "created": true}));
    assert_eq!(std::fs::metadata(home.config()).unwrap().permissions().mode() & 0o777, 0o600);
    let before = (digest(&home.config()), digest(&state));
    let again = home.run("init --profile testnet").ok();
    assert_eq!(again.matches("already there").count(), 2, "{again}");
    assert_eq!((digest(&home.config()), digest(&state)), before);
    // The file's own profile is the default from now on.
    let info = home.run("info").json();
    assert_eq!(
        (&info["config"]["profile"], &info["evm"]["network"]),
        (&"testnet".into(), &"11155111".into())
    );
    home.run("state check --full").ok();
    assert_eq!(home.run("config check").env("RPC_URL", "http://127.0.0.1:1").json()["findings"], json!([]));
}

#[test]
fn a_dry_run_creates_nothing() {
    let home = Home::empty();
    let plan = home.run("init --dry-run --json").exits(0).envelope();
    assert_eq!((&plan["dry_run"], &plan["data"]["state"]["created"]), (&true.into(), &true.into()));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn other_places_and_profiles() {
    let home = Home::empty();
    let made = home.run("init --config etc/p.toml --state var/p.sqlite --profile mainnet").json();
    assert_eq!(made["config"]["path"], home.path().join("etc/p.toml").to_str().unwrap());
    let path = home.run("state path --config etc/p.toml").json();
    assert_eq!(path, json!({"path": home.path().join("var/p.sqlite"), "exists": true}));

    let own = Home::empty();
    own.run("init --profile base --chain-id 8453").ok();
    let info = own.run("info").json();
    assert_eq!((&info["config"]["profile"], &info["evm"]["network"]), (&"base".into(), &"8453".into()));
    assert_eq!(info["config"]["confirm"], true, "nobody said that its money is worthless");
    own.run("init --profile base --chain-id 8453").ok();
    own.run("init --profile base --chain-id 1").fails(2, "conflict");
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_made() {
    let home = Home::empty();
    let envelope = home.run("init --profile tesnet").fails(2, "unknown_profile");
    assert_eq!(envelope["error"]["hint"], "did you mean \"testnet\"?; for one of your own, add --chain-id");
    home.args(["init", "--profile", "a b", "--chain-id", "5"]).fails(2, "invalid_value");
    home.run("init --chain-id 0").fails(2, "usage");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    std::fs::write(home.path().join("notes"), "mine").unwrap();
    home.run("init --state notes").fails(1, "state_foreign");
    assert_eq!(std::fs::read_to_string(home.path().join("notes")).unwrap(), "mine");
    assert!(!home.config().exists(), "no config that names a state which is none");
}
