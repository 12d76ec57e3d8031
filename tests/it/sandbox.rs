//! `sandbox up` from outside: the ready line, the profile it writes, its clock, its end, and what it refuses.

use crate::support::{Home, Run, digest, until};
use poolctl_testkit::Rpc;
use poolctl_testkit::abi::MockV3Aggregator;
use poolctl_testkit::alloy::hex;
use poolctl_testkit::alloy::sol_types::SolCall;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Lines, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout};

/// A sandbox that is up, ended when dropped.
struct Up {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// The first line.
    ready: String,
}

impl Up {
    fn start(run: Run) -> Self {
        let mut child = run.spawn();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(Ok(ready)) = lines.next() else {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("not ready: {said}");
        };
        Self { child, lines, ready }
    }

    /// The first line as JSON.
    fn json(&self) -> Value {
        serde_json::from_str(&self.ready).unwrap()
    }

    fn evm(&self) -> Rpc {
        Rpc::new(self.json()["evm"]["url"].as_str().unwrap()).unwrap()
    }

    fn stellar(&self) -> Rpc {
        Rpc::new(self.json()["stellar"]["url"].as_str().unwrap()).unwrap()
    }

    /// Sends the signal; gives exit code, the lines after the first, and stderr.
    fn end(mut self, signal: Signal) -> (Option<i32>, Vec<String>, String) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let rest = self.lines.by_ref().map(Result::unwrap).collect();
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), rest, said)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(hex: &Value) -> u64 {
    u64::from_str_radix(&hex.as_str().unwrap()[2..], 16).unwrap()
}

/// Everything in a folder, with its content.
fn files(folder: &Path) -> BTreeSet<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|e| {
            (
                e.file_name().into_string().unwrap(),
                if e.path().is_file() { digest(&e.path()) } else { vec![] },
            )
        })
        .collect()
}

#[test]
fn the_profile_serves_every_command_from_another_process() {
    let home = Home::empty();
    let up = Up::start(home.run("sandbox up --json --tick manual --write-config net/try.toml"));
    let ready = up.json();
    assert_eq!(ready["type"], "ready");
    let config = home.path().join("net/try.toml");
    assert_eq!(ready["config"], config.to_str().unwrap());

    // What the line says is what the networks say.
    let (evm, stellar) = (up.evm(), up.stellar());
    assert_eq!(number(&evm.call("eth_chainId", json!([])).unwrap()), ready["evm"]["chain_id"]);
    assert_eq!(stellar.call("getNetwork", json!({})).unwrap()["passphrase"], ready["stellar"]["passphrase"]);
    let farm = &stellar.call("sandbox_info", json!({})).unwrap()["farm"];
    assert_eq!(farm["contract"], ready["stellar"]["farm"]);
    assert_eq!(
        (&farm["asset"], &farm["assetContract"]),
        (&ready["stellar"]["asset"], &ready["stellar"]["asset_contract"])
    );
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&ready["evm"]["accounts"]), ["owner", "alice", "bob", "carol", "dave"]);
    assert_eq!(names(&ready["stellar"]["accounts"]), ["pooler", "farmer-1", "farmer-2", "farmer-3"]);
    for account in ready["evm"]["accounts"].as_array().unwrap() {
        let balance = evm.call("eth_getBalance", json!([account["address"], "latest"])).unwrap();
        assert!(balance.as_str().unwrap().len() > "0xde0b6b3a7640000".len(), "{balance}");
    }

    // Another process, with nothing but the file.
    let run = |line: &str| home.run(&format!("{line} --config net/try.toml --profile sandbox"));
    assert_eq!(run("config check").json()["problems"].as_array().map_or(0, Vec::len), 0);
    let info = run("info").json();
    assert_eq!(info["state"]["path"], home.path().join("net/try.sqlite").to_str().unwrap());
    for pool in ready["evm"]["pools"].as_array().unwrap() {
        let (name, vault) = (pool["name"].as_str().unwrap(), pool["vault"].as_str().unwrap());
        let added = run(&format!("pool add {name} {vault}")).json();
        assert_eq!(added["deploy_block"], pool["deploy_block"]);
        let asset = &pool["asset"];
        let token = &added["pool"]["asset"];
        assert_eq!((&token["address"], &token["decimals"]), (asset, &pool["decimals"]));
        run(&format!(
            "oracle add {name} --asset {} --address {}",
            asset.as_str().unwrap(),
            pool["feed"].as_str().unwrap()
        ))
        .ok();
        let engine = ready["evm"]["risk_engine"].as_str().unwrap();
        run(&format!("risk set {name} --engine viddhana --engine-address {engine}")).ok();
    }
    let synced = run("sync --all").json();
    let head = number(&evm.call("eth_blockNumber", json!([])).unwrap());
    assert!(synced["view"]["number"].as_u64().unwrap() + 2 > head, "{synced}");
    run("oracle check").ok();
    run("risk check --all").ok();
    run("reward set-weight dollars 1").ok();
    run("reward cycle --from 3").ok();
    assert_eq!(run("state check").json()["findings"], json!([]));

    // By hand, nothing moves on its own.
    assert_eq!(number(&evm.call("eth_blockNumber", json!([])).unwrap()), head);
    let ledger = stellar.call("getLatestLedger", json!({})).unwrap()["sequence"].as_u64().unwrap();
    stellar.call("sandbox_advance", json!({"ledgers": 3})).unwrap();
    evm.call("sandbox_advance", json!({"blocks": 2})).unwrap();
    let (code, rest, said) = up.end(Signal::INT);
    assert_eq!((code, said.as_str(), rest.len()), (Some(0), "", 1));
    let result: Value = serde_json::from_str(&rest[0]).unwrap();
    assert_eq!((&result["type"], &result["ok"]), (&json!("result"), &json!(true)));
    assert_eq!(result["data"], json!({"block": head + 2, "ledger": ledger + 3}));
    run("sync --all").fails(75, "unreachable");
}

#[test]
fn the_farm_works_from_another_process() {
    let home = Home::empty();
    let up =
        Up::start(home.run("sandbox up --json --tick 250ms --ledger-seconds 1 --write-config net/try.toml"));
    let stellar = up.stellar();
    let run = |line: &str| home.run(&format!("{line} --config net/try.toml"));
    let block = run("block").json();
    assert_eq!(block["farm"], up.json()["stellar"]["farm"]);
    run("pooler add north --reward-split 0.2").ok();
    // The identity beside the config: nobody is asked for a passphrase.
    let farmer = run("farmer register --pooler north --stake-percentage 0.5").json();
    assert_eq!(farmer["keys"], home.path().join("net/try.keys.age").to_str().unwrap());
    let identity = home.path().join("net/try.identity.txt");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(identity).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    stellar.call("sandbox_fund", json!({"account": farmer["address"]})).unwrap();
    assert_eq!(run("farmer trust --all").json()["trusted"], 1);
    assert_eq!(run("farmer check-funding --all").json()["ready"], 1);
    assert_eq!(run("plant").json()["planted"], 1);
    assert_eq!(run("work --policy early").json()["worked"], 1);
    let pails = run("block").json()["pails"].take();
    assert_eq!((&pails[0]["address"], pails[0]["zeros"].is_u64()), (&farmer["address"], true), "{pails}");
    assert_eq!(run("state check").json()["findings"], json!([]));
    assert_eq!(up.end(Signal::TERM).0, Some(0));
}

#[test]
fn for_a_person_the_line_has_the_same_between_tabs() {
    let home = Home::empty();
    let up = Up::start(home.run("sandbox up --tick manual"));
    let fields: Vec<&str> = up.ready.split('\t').collect();
    assert_eq!(fields[0], "ready");
    let field = |name: &str| {
        let found: Vec<&str> = fields.iter().filter_map(|f| f.strip_prefix(&format!("{name}="))).collect();
        assert_eq!(found.len(), 1, "{name}: {fields:?}");
        found[0]
    };
    let evm = Rpc::new(field("evm.url")).unwrap();
    assert_eq!(number(&evm.call("eth_chainId", json!([])).unwrap()).to_string(), field("evm.chain_id"));
    let code = evm.call("eth_getCode", json!([field("evm.pools.ether.vault"), "latest"])).unwrap();
    assert!(code.as_str().unwrap().len() > 1_000);
    assert_eq!(field("stellar.passphrase"), "Standalone Network ; February 2017");
    assert!(field("stellar.accounts.farmer-3.secret").starts_with('S'));
    assert!(field("evm.accounts.alice.private_key").starts_with("0x"));
    let before = files(home.path());
    assert_eq!(up.end(Signal::TERM), (Some(0), vec![], String::new()));
    assert_eq!(files(home.path()), before, "nothing was written");
}

#[test]
fn chain_time_runs_by_ticks_and_the_feeds_keep_reporting() {
    let home = Home::empty();
    let up = Up::start(home.run("sandbox up --json --tick 5ms --ledger-seconds 60"));
    let (evm, stellar) = (up.evm(), up.stellar());
    let latest = || evm.call("eth_getBlockByNumber", json!(["latest", false])).unwrap();
    let first = latest();
    let ledger = || stellar.call("getLatestLedger", json!({})).unwrap();
    let sequence = ledger()["sequence"].as_u64().unwrap();
    until("three blocks", || number(&latest()["number"]) >= number(&first["number"]) + 3);
    until("three ledgers", || ledger()["sequence"].as_u64().unwrap() >= sequence + 3);
    let at = |n: u64| evm.call("eth_getBlockByNumber", json!([format!("{n:#x}"), false])).unwrap();
    let n = number(&first["number"]) + 1;
    assert_eq!(number(&at(n + 1)["timestamp"]) - number(&at(n)["timestamp"]), 60);

    let feed = &up.json()["evm"]["pools"][0]["feed"];
    let data = hex::encode_prefixed(MockV3Aggregator::latestRoundDataCall {}.abi_encode());
    let updated = || {
        let answer = evm.call("eth_call", json!([{"to": feed, "data": data}, "latest"])).unwrap();
        let answer = hex::decode(answer.as_str().unwrap()).unwrap();
        MockV3Aggregator::latestRoundDataCall::abi_decode_returns(&answer).unwrap().updatedAt
    };
    let before = updated();
    until("a report", || updated() > before);
    assert_eq!(up.end(Signal::TERM).0, Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn only_this_machine_can_connect() {
    let home = Home::empty();
    let up = Up::start(home.run("sandbox up --json --tick manual"));
    let port = |network: &str| {
        let url = up.json()[network]["url"].as_str().unwrap().to_owned();
        url.rsplit(':').next().unwrap().parse::<u16>().unwrap()
    };
    let ports = [port("evm"), port("stellar")];
    let mut listening = Vec::new();
    for table in ["tcp", "tcp6"] {
        let sockets = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        for socket in sockets.lines().skip(1) {
            let columns: Vec<&str> = socket.split_whitespace().collect();
            let (address, port) = columns[1].split_once(':').unwrap();
            let port = u16::from_str_radix(port, 16).unwrap();
            // 0A is the state of a socket that listens.
            if columns[3] == "0A" && ports.contains(&port) {
                listening.push(address.to_owned());
            }
        }
    }
    assert_eq!(listening, ["0100007F", "0100007F"]);
    assert_eq!(up.end(Signal::TERM).0, Some(0));
}

#[test]
fn another_build_of_the_farm_is_deployed() {
    let home = Home::empty();
    let wasm = Path::new(env!("CARGO_MANIFEST_DIR")).join("sandbox/contracts/farm.wasm");
    let mut bytes = std::fs::read(wasm).unwrap();
    // A custom section changes the hash of a module and nothing that it does.
    bytes.extend([0, 5, 4, b'n', b'o', b't', b'e']);
    std::fs::write(home.path().join("own.wasm"), bytes).unwrap();
    let usual = Up::start(home.run("sandbox up --json --tick manual"));
    let own = Up::start(home.run("sandbox up --json --tick manual --farm-wasm own.wasm"));
    assert_ne!(own.json()["stellar"]["farm"], usual.json()["stellar"]["farm"]);
    let farm = &own.stellar().call("sandbox_info", json!({})).unwrap()["farm"];
    assert_eq!(farm["contract"], own.json()["stellar"]["farm"]);
    for up in [usual, own] {
        assert_eq!(up.end(Signal::TERM).0, Some(0));
    }
}

#[test]
fn it_ends_quietly_when_nobody_reads_that_it_is_ready() {
    let mut child = Home::empty().run("sandbox up").spawn();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), vec![]));
}

#[test]
fn bad_input_is_refused_before_anything_runs() {
    let home = Home::empty();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let put = |name: &str, bytes: &[u8]| std::fs::write(home.path().join(name), bytes).unwrap();
    put("text.wasm", b"not wasm");
    put("empty.wasm", b"");
    put("bare.wasm", b"\0asm\x01\0\0\0");
    put("there.toml", b"# mine");
    put("state.sqlite", b"mine too");
    put("keys.identity.txt", b"mine as well");
    let before = files(home.path());
    for (line, exit, code, needle) in [
        (format!("--evm-port {port}"), 1, "io_error", format!("--evm-port {port}: ")),
        (format!("--stellar-port {port}"), 1, "io_error", format!("--stellar-port {port}: ")),
        ("--evm-port 65536".to_owned(), 2, "usage", "--evm-port".to_owned()),
        ("--stellar-port -1".to_owned(), 2, "usage", "-1".to_owned()),
        ("--farm-wasm nowhere.wasm".to_owned(), 1, "io_error", "nowhere.wasm".to_owned()),
        ("--farm-wasm text.wasm".to_owned(), 2, "invalid_value", "is not a wasm module".to_owned()),
        ("--farm-wasm empty.wasm".to_owned(), 2, "invalid_value", "is not a wasm module".to_owned()),
        ("--farm-wasm bare.wasm".to_owned(), 2, "invalid_value", "--farm-wasm bare.wasm: ".to_owned()),
        ("--tick 0s".to_owned(), 2, "invalid_value", "--tick".to_owned()),
        ("--tick 5".to_owned(), 2, "invalid_value", "invalid duration".to_owned()),
        ("--tick soon".to_owned(), 2, "invalid_value", "invalid duration".to_owned()),
        ("--ledger-seconds 0".to_owned(), 2, "usage", "--ledger-seconds".to_owned()),
        ("--ledger-seconds 3601".to_owned(), 2, "usage", "--ledger-seconds".to_owned()),
        ("--ledger-seconds 1.5".to_owned(), 2, "usage", "--ledger-seconds".to_owned()),
        ("--write-config there.toml".to_owned(), 2, "conflict", "there.toml exists already".to_owned()),
        ("--write-config state.toml".to_owned(), 2, "conflict", "state.sqlite exists already".to_owned()),
        ("--write-config keys.toml".to_owned(), 2, "conflict", "keys.identity.txt exists already".to_owned()),
        ("--write-config new.sqlite".to_owned(), 2, "invalid_value", "cannot be a config file".to_owned()),
        ("--write-config there.toml/x.toml".to_owned(), 1, "io_error", "there.toml/x.toml".to_owned()),
    ] {
        let envelope = home.run(&format!("sandbox up {line}")).fails(exit, code);
        let said = envelope["error"]["message"].as_str().unwrap();
        assert!(said.contains(&needle), "{line}: {said}");
        assert_eq!(files(home.path()), before, "{line}");
    }
}
