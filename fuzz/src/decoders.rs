//! Every decoder of bytes from outside, by name.

use base::{Endpoint, amount, clock, redact};
use config::keys::{KEYS, Key, Kind};
use config::{file, value};
use evm::batch::{decode, outcomes};
use evm::fault::{revert_data, revert_words};
use evm::{At, Evm, wire as eth};
use grind::job::{Task, parse_entropy, parse_farmer};
use grind::lines::Lines;
use kale::contract::{Block, Farm, Pail};
use kale::work::lines;
use kale::{call, question};
use keys::{Identities, Unlock, document, parse_secret, seal};
use net::envelope::{self, Refusal};
use net::jsonrpc::RpcError;
use outbox::Chain;
use serde_json::value::RawValue;
use std::path::Path;
use stellar::transaction;
use stellar::wire as soroban;
use stellar::xdr::{LedgerKey, Limits, ReadXdr, ScVal};
use vault::pool::abi::sol::{IERC20, IERC4626};

/// One decoder.
#[derive(Clone, Copy)]
pub struct Decoder {
    /// Its name, and its folder in the corpus.
    pub name: &'static str,
    /// Bytes of memory that it may take whatever comes, beside four times what comes.
    pub room: usize,
    /// Reads the bytes as a whole; true where it takes them.
    pub read: fn(&[u8]) -> bool,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Decoder({})", self.name)
    }
}

const fn decoder(name: &'static str, room: usize, read: fn(&[u8]) -> bool) -> Decoder {
    Decoder { name, room, read }
}

/// For messages and the like.
const LITTLE: usize = 64 << 10;
/// For XDR, of which an answer holds 1 MiB at most; a value takes up to twenty times its bytes.
const XDR: usize = 24 << 20;
/// For what is the operator's own, 1 MiB at most: a config file, a key store, the value of a setting.
const FILE: usize = 32 << 20;

/// All of them.
pub const ALL: &[Decoder] = &[
    decoder("jsonrpc-answer", LITTLE, answer),
    decoder("jsonrpc-batch", LITTLE, |bytes| envelope::many(bytes, 3).is_ok_and(|all| all.len() == 3)),
    decoder("evm-quantity", LITTLE, |bytes| result(bytes, |raw| eth::quantity(raw).is_ok())),
    decoder("evm-data", LITTLE, |bytes| result(bytes, |raw| eth::data(raw).is_ok())),
    decoder("evm-header", LITTLE, |bytes| result(bytes, |raw| eth::header(raw).is_ok())),
    decoder("evm-logs", LITTLE, |bytes| result(bytes, |raw| eth::logs(raw).is_ok())),
    decoder("evm-receipt", LITTLE, |bytes| result(bytes, |raw| eth::receipt(raw).is_ok())),
    decoder("evm-transaction", LITTLE, |bytes| result(bytes, |raw| eth::transaction(raw).is_ok())),
    decoder("evm-envelope", LITTLE, |bytes| text(bytes).is_some_and(|text| Evm::read(text).is_some())),
    decoder("evm-senders", LITTLE, |bytes| result(bytes, |raw| eth::senders(raw).is_ok())),
    decoder("evm-multicall", LITTLE, |bytes| outcomes(bytes).is_some()),
    decoder("evm-call", LITTLE, returned),
    decoder("evm-revert", LITTLE, revert),
    decoder("stellar-network", LITTLE, |bytes| result(bytes, |raw| soroban::network(raw).is_ok())),
    decoder("stellar-health", LITTLE, |bytes| result(bytes, |raw| soroban::health(raw).is_ok())),
    decoder("stellar-ledger", XDR, |bytes| result(bytes, |raw| soroban::latest_ledger(raw).is_ok())),
    decoder("stellar-entries", XDR, entries),
    decoder("stellar-fees", LITTLE, |bytes| result(bytes, |raw| soroban::fee_stats(raw).is_ok())),
    decoder("stellar-simulation", XDR, |bytes| result(bytes, |raw| soroban::simulation(raw).is_ok())),
    decoder("stellar-sent", XDR, |bytes| result(bytes, |raw| soroban::sent(raw, SENT).is_ok())),
    decoder("stellar-transaction", XDR, |bytes| {
        result(bytes, |raw| soroban::lookup(raw, stellar::Newer::than_known(u32::MAX)).is_ok())
    }),
    decoder("stellar-events", XDR, |bytes| result(bytes, |raw| soroban::events(raw).is_ok())),
    decoder("stellar-envelope", XDR, |bytes| {
        text(bytes).is_some_and(|text| transaction::read(text).is_some())
    }),
    decoder("kale-values", XDR, kale),
    decoder("keys-file", FILE, key_file),
    decoder("keys-document", LITTLE, |bytes| document::read(Path::new("keys"), bytes).is_ok()),
    decoder("keys-identity", LITTLE, |bytes| Identities::parse(Path::new("identity"), bytes).is_ok()),
    decoder("grind-jobs", LITTLE, jobs),
    decoder("work-lines", LITTLE, nonces),
    decoder("strategy-answer", FILE, strategy_answer),
    decoder("config-file", FILE, |bytes| text(bytes).is_some_and(|text| file::parse(text, "config").is_ok())),
    decoder("endpoints", FILE, endpoint),
    decoder("words", FILE, words),
];

/// The identity that `keys-file` opens with. It guards nothing.
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
/// The transaction that `stellar-sent` was asked for.
const SENT: &str = "aa";
/// The entry that `stellar-entries` was asked for, as its key in XDR.
const ASKED: &str = "AAAABgAAAAEDyhUt8wBJgj8/8U4yIX090SroI9kP+DMzMPftS6MNEgAAABQAAAAB";

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Reads a whole answer to one question, and its result.
fn result(bytes: &[u8], read: impl FnOnce(&RawValue) -> bool) -> bool {
    envelope::one(bytes).ok().and_then(|response| response.result).is_some_and(|raw| read(&raw))
}

fn answer(bytes: &[u8]) -> bool {
    let response = envelope::one(bytes);
    if let Some(raw) = response.as_ref().ok().and_then(|response| response.error.as_ref()) {
        Refusal::parse(raw);
    }
    response.is_ok() || envelope::not_json(bytes).is_none()
}

/// What a contract returns: a text, a small number, an address.
fn returned(bytes: &[u8]) -> bool {
    let name = decode::<IERC20::symbolCall>(bytes).is_ok();
    let number = decode::<IERC20::decimalsCall>(bytes).is_ok();
    name || number || decode::<IERC4626::assetCall>(bytes).is_ok()
}

/// The data of an error.
fn revert(bytes: &[u8]) -> bool {
    let Some(data) = text(bytes).and_then(|text| RawValue::from_string(text.to_owned()).ok()) else {
        return false;
    };
    let Ok(endpoint) = Endpoint::parse("https://joe:pass@host/v2/AbC123xyz?k=v%2Fw", 1) else { return false };
    let error = RpcError { code: 3, data: Some(data), ..RpcError::default() };
    revert_data(&error).and_then(|data| revert_words(&data, &endpoint.redactor())).is_some()
}

fn entries(bytes: &[u8]) -> bool {
    let keys: Vec<LedgerKey> = LedgerKey::from_xdr_base64(ASKED, Limits::none()).into_iter().collect();
    result(bytes, |raw| soroban::entries(raw, &keys, &[ASKED.to_owned()]).is_ok())
}

/// A value of the farm's contract, whatever it is.
fn kale(bytes: &[u8]) -> bool {
    let limits = Limits { depth: 250, len: 1 << 20 };
    let Some(value) = text(bytes).and_then(|text| ScVal::from_xdr_base64(text, limits).ok()) else {
        return false;
    };
    [
        call::plant_result(&value).is_ok(),
        call::work_result(&value).is_ok(),
        call::harvest_result(&value).is_ok(),
        Block::decode("block", &value).is_ok(),
        Pail::decode("pail", &value).is_ok(),
        Farm::decode(&value).is_ok(),
    ]
    .contains(&true)
}

fn key_file(bytes: &[u8]) -> bool {
    let path = Path::new("keys");
    let identity = Identities::parse(path, IDENTITY.as_bytes());
    seal::method(path, bytes).is_ok()
        && identity.is_ok_and(|identity| seal::open(path, bytes, &Unlock::Identities(identity)).is_ok())
}

fn jobs(bytes: &[u8]) -> bool {
    let lines = Lines::new(bytes, 64 << 10);
    lines.map(|line| line.is_ok_and(|line| Task::parse(&line, 7).is_ok())).fold(false, |any, one| any | one)
}

fn nonces(bytes: &[u8]) -> bool {
    let all = Lines::new(bytes, lines::LONGEST).map(|line| matches!(lines::read(&line), Ok(Some(_))));
    all.fold(false, |any, one| any | one)
}

/// What `strategy.command` answers about two farmers.
fn strategy_answer(bytes: &[u8]) -> bool {
    question::answer(bytes, [("a", "GA"), ("b", "GB")].into_iter()).is_ok()
}

/// A first line with an endpoint, and the words that it answers.
fn endpoint(bytes: &[u8]) -> bool {
    let Some((url, said)) = text(bytes).map(|text| text.split_once('\n').unwrap_or((text, ""))) else {
        return false;
    };
    redact::words(said);
    Endpoint::parse(url, 1).map(|endpoint| endpoint.redactor().clean(said)).is_ok()
}

/// Values of flags and settings.
fn words(bytes: &[u8]) -> bool {
    let Some(text) = text(bytes) else { return false };
    let flags = [
        amount::parse_units(text, 18).is_ok(),
        amount::parse_units(text, 0).is_ok(),
        amount::parse_base(text).is_some(),
        amount::Delta::parse(text).is_some(),
        amount::parse_weight("--weight", text).is_ok(),
        clock::duration(text).is_ok(),
        value::address("--address", text).is_ok(),
        value::tx_hash("--tx", text).is_ok(),
        parse_secret("stdin", text).is_ok(),
        parse_entropy(text).is_ok(),
        parse_farmer(text).is_ok(),
        text.parse::<At>().is_ok(),
    ];
    // Any text is a text.
    let read = |key: &Key| {
        !matches!(key.kind, Kind::Text | Kind::Command) && value::canonical(key, text, "here").is_ok()
    };
    flags.into_iter().chain(KEYS.iter().map(read)).fold(false, |any, one| any | one)
}
