//! Keys in endpoint URLs: in no output, no log, no metrics, no state, whatever goes wrong.

use super::desk::Desk;
use crate::support::canary;
use poolctl_testkit::{Fault, Proxy, Rule, nowhere};
use serde_json::Value;

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

/// A desk whose endpoints have keys in their URLs.
struct Keyed {
    desk: Desk,
    /// User, password, a segment of the path, a value of the query.
    keys: [String; 4],
    /// Where nobody listens.
    dead: String,
}

impl Keyed {
    fn new() -> Self {
        let keys = [canary(), canary(), canary(), canary()];
        let keyed = Self { desk: Desk::bare(), keys, dead: nowhere().unwrap() };
        keyed.desk.use_urls(&[("main", &keyed.with_keys(&keyed.desk.wire.url()))]);
        keyed
    }

    /// With something to do for every command that reads the chain.
    fn furnished() -> Self {
        let keyed = Self::new();
        keyed.desk.furnish();
        keyed
    }

    fn with_keys(&self, url: &str) -> String {
        let ([user, password, path, query], host) = (&self.keys, url.strip_prefix("http://").unwrap());
        format!("http://{user}:{password}@{host}/v2/{path}?apikey={query}")
    }

    /// What a server could repeat.
    fn echo(&self) -> String {
        let [user, password, path, query] = &self.keys;
        format!("bad key {path} for {user}:{password}, see http://{user}:{password}@host/{path}?{query}")
    }

    /// Runs it in every way of saying much, and demands that no key is said or kept.
    #[track_caller]
    fn hides(&self, line: &str) {
        let metrics = self.desk.home.path().join("metrics.prom");
        for more in ["-vv", "-vv --json", &format!("--metrics-file {}", metrics.display())] {
            let mut run = self.desk.run(&format!("{line} {more}"));
            let output = poolctl_testkit::watch::output(&mut run.command).unwrap();
            for text in [&output.stdout, &output.stderr] {
                let text = String::from_utf8_lossy(text).to_lowercase();
                for key in &self.keys {
                    assert!(!text.contains(&key.to_lowercase()), "{line} {more} said a key: {text}");
                    assert!(!text.contains(&hex_in(key)), "{line} {more} said a key as hex: {text}");
                }
            }
            for key in &self.keys {
                self.desk.home.hides(key);
            }
        }
    }

    fn hides_all(&self) {
        for line in ["sync", "oracle check", "risk check", "reward cycle"] {
            self.hides(line);
        }
    }

    /// The same with an answer that is wrong: each, or those to calls alone, from an endpoint that is the only one, or not.
    fn hides_with(&self, fault: Fault) {
        let wire = Proxy::start(self.desk.world.node.url()).unwrap();
        wire.fault(Rule::new(fault.clone()));
        self.desk.use_urls(&[("main", &self.with_keys(&wire.url()))]);
        self.hides_all();
        let wire = Proxy::start(self.desk.world.node.url()).unwrap();
        wire.fault(Rule::new(fault).on_method("eth_call"));
        self.desk.use_urls(&[("main", &self.with_keys(&wire.url())), ("gone", &self.with_keys(&self.dead))]);
        self.hides_all();
    }
}

fn said(code: i64, message: impl Into<String>, data: Value) -> Fault {
    Fault::RpcError { code, message: message.into(), data }
}

#[test]
fn keys_of_endpoints_are_shown_nowhere() {
    let keyed = Keyed::new();
    let desk = &keyed.desk;
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
        keyed.hides(&line);
    }
    assert!(desk.wire.http_count() > 0, "the wire with the keys was used");
}

#[test]
fn keys_of_endpoints_that_are_gone_are_shown_nowhere() {
    let keyed = Keyed::furnished();
    let desk = &keyed.desk;
    desk.use_urls(&[("gone", &keyed.with_keys(&keyed.dead))]);
    keyed.hides_all();
    // Endpoints without a name of their own too.
    let text = std::fs::read_to_string(desk.home.config()).unwrap();
    desk.home.write_config(&text.replace("gone=", ""));
    keyed.hides_all();
    // A URL that cannot be read is not quoted either.
    desk.home.write_config(&text.replace("http://", "ftp://"));
    keyed.hides_all();
}

#[test]
fn keys_are_shown_nowhere_whatever_the_answer_is() {
    let keyed = Keyed::furnished();
    for fault in [Fault::Html, Fault::Status(401, None), Fault::CutJson, Fault::ChainId(1)] {
        keyed.hides_with(fault);
    }
}

#[test]
fn keys_that_a_server_repeats_are_shown_nowhere() {
    let keyed = Keyed::furnished();
    let ([_, _, path, query], echo) = (&keyed.keys, keyed.echo());
    for fault in [
        said(-32000, echo.clone(), Value::String(query.clone())),
        // In another case.
        said(-32000, path.to_uppercase(), Value::String(echo.to_lowercase())),
    ] {
        keyed.hides_with(fault);
    }
}

#[test]
fn keys_within_a_revert_are_shown_nowhere() {
    let keyed = Keyed::furnished();
    let ([_, _, path, _], echo) = (&keyed.keys, keyed.echo());
    for fault in [
        said(3, format!("execution reverted: {echo}"), Value::Null),
        // Within its data: as its reason, and as the bytes of a custom error.
        said(3, "execution reverted", reason(&echo)),
        said(3, "", hex_of(format!("\x12\x34\x56\x78{path}").as_bytes())),
    ] {
        keyed.hides_with(fault);
    }
}
