//! Keys in endpoint URLs: in no output, no log, no metrics, no state, whatever goes wrong.

use super::desk::Desk;
use crate::support::canary;
use poolctl_testkit::{Fault, Proxy, Rule};
use serde_json::Value;
use std::net::TcpListener;

fn hex_in(text: &str) -> String {
    alloy::hex::encode(text)
}

fn hex_of(bytes: &[u8]) -> Value {
    Value::String(alloy::hex::encode_prefixed(bytes))
}

/// `Error(string)`.
fn reason(words: &str) -> Value {
    use alloy::sol_types::{Revert, SolError};
    hex_of(&Revert::from(words).abi_encode())
}

#[test]
fn keys_of_endpoints_are_shown_nowhere() {
    let desk = Desk::bare();
    let keys = [canary(), canary(), canary(), canary()];
    let [user, password, path, query] = &keys;
    let with_keys = |url: &str| {
        let host = url.strip_prefix("http://").unwrap();
        format!("http://{user}:{password}@{host}/v2/{path}?apikey={query}")
    };
    let dead = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let hidden = |line: &str| {
        let metrics = desk.home.path().join("metrics.prom");
        let metrics = metrics.to_str().unwrap();
        for more in ["-vv", "-vv --json", "--metrics-file"] {
            let more = if more == "--metrics-file" { format!("{more} {metrics}") } else { more.to_owned() };
            let output =
                poolctl_testkit::watch::output(&mut desk.run(&format!("{line} {more}")).command).unwrap();
            for key in &keys {
                for text in [&output.stdout, &output.stderr] {
                    let text = String::from_utf8_lossy(text).to_lowercase();
                    assert!(!text.contains(&key.to_lowercase()), "{line} {more} said a key: {text}");
                    assert!(!text.contains(&hex_in(key)), "{line} {more} said a key as hex: {text}");
                }
                desk.home.hides(key);
            }
        }
    };

    // Good days.
    desk.use_urls(&[("main", &with_keys(&desk.wire.url()))]);
    desk.add_pools();
    let (asset, feed) = (desk.world.eighteen.asset, desk.world.eighteen.feed);
    for line in [
        "sync".to_owned(),
        format!("oracle add growth-usd --asset {asset} --address {feed}"),
        format!("risk set growth --engine viddhana --engine-address {}", desk.world.risk),
        "risk check growth".to_owned(),
        "reward set-weight growth 1".to_owned(),
        "reward cycle --from 1".to_owned(),
        "info".to_owned(),
        "config show --origin".to_owned(),
        "state check".to_owned(),
        "events".to_owned(),
    ] {
        hidden(&line);
    }
    assert!(desk.wire.http_count() > 0, "the wire with the keys was used");

    // Bad days: endpoints without a name of their own too.
    let all_hidden = || {
        for line in ["sync", "oracle check", "risk check", "reward cycle"] {
            hidden(line);
        }
    };
    let echo =
        format!("bad key {path} for {user}:{password}, see http://{user}:{password}@host/{path}?{query}");
    for fault in [
        Fault::Html,
        Fault::Status(401, None),
        Fault::CutJson,
        Fault::ChainId(1),
        Fault::RpcError { code: -32000, message: echo.clone(), data: Value::String(query.clone()) },
        Fault::RpcError { code: 3, message: format!("execution reverted: {echo}"), data: Value::Null },
        // Within a revert's data: as its reason, and as the bytes of a custom error.
        Fault::RpcError { code: 3, message: "execution reverted".to_owned(), data: reason(&echo) },
        Fault::RpcError {
            code: 3,
            message: String::new(),
            data: hex_of(format!("\x12\x34\x56\x78{path}").as_bytes()),
        },
        // In another case.
        Fault::RpcError {
            code: -32000,
            message: path.to_uppercase(),
            data: Value::String(echo.to_lowercase()),
        },
    ] {
        let wire = Proxy::start(desk.world.node.url()).unwrap();
        wire.fault(Rule::new(fault.clone()));
        desk.use_urls(&[("main", &with_keys(&wire.url()))]);
        all_hidden();
        let wire = Proxy::start(desk.world.node.url()).unwrap();
        wire.fault(Rule::new(fault).on_method("eth_call"));
        desk.use_urls(&[("main", &with_keys(&wire.url())), ("gone", &with_keys(&dead))]);
        all_hidden();
    }
    desk.use_urls(&[("gone", &with_keys(&dead))]);
    all_hidden();
    let text = std::fs::read_to_string(desk.home.config()).unwrap();
    desk.home.write_config(&text.replace("gone=", ""));
    all_hidden();
    // A URL that cannot be read is not quoted either.
    desk.home.write_config(&text.replace("http://", "ftp://"));
    all_hidden();
}
