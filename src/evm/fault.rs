//! What a node's error means: try again, ask for less, a revert of the contract, or a question for another endpoint.

use alloy::primitives::{Bytes, hex};
use alloy::sol_types::{Panic, Revert, SolError};
use base::redact::Redactor;
use base::{Code, Error, Remedy, say};
use net::asker::Unanswered;
use net::jsonrpc::RpcError;
use net::{FaultKind, RetryDecision};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// What a JSON-RPC error means for the one who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// The server limits requests: wait and ask again.
    RateLimited,
    /// The server is in trouble: ask again.
    Transient,
    /// The node does not know the block: it lags, or the block is gone.
    NoBlock,
    /// The contract reverted: final, wherever it is asked.
    Reverted,
    /// The call ran out of gas, time or answer size: ask for less at once.
    TooMuch,
    /// The node does not keep the state of that block any more.
    Pruned,
    /// Anything else; the block may be gone, or the node may lack something.
    Other,
}

/// Sorts an error by what servers are known to say, for the method that was asked.
///
/// No words are known for a range of blocks that is too wide: there, whatever is said makes it narrower
/// ([`Fault::asks_for_less`]).
pub(super) fn sort(method: &str, error: &RpcError) -> Sort {
    let text = error.message.to_lowercase();
    let has = |words: &str| words.split('|').any(|word| text.contains(word));
    // A revert first: its reason is the contract's text and may say anything.
    if method == "eth_call" && (error.code == 3 || has(REVERT) || revert_data(error).is_some()) {
        return Sort::Reverted;
    }
    let of_query = method == super::wire::GET_LOGS && has(QUERY);
    if (error.status == 429 || error.code == 429 || has(LIMITED)) && !(of_query && error.asks_to_wait()) {
        return Sort::RateLimited;
    }
    if method == "eth_call" && has(TOO_MUCH) {
        return Sort::TooMuch;
    }
    if has(PRUNED) {
        return Sort::Pruned;
    }
    // What is said of a tag is no word on a block that was given out before.
    if has(NO_BLOCK) && !(method == super::wire::BY_NUMBER && speaks_of_a_tag(error)) {
        return Sort::NoBlock;
    }
    if of_query {
        return Sort::Other;
    }
    // EIP-1474: -32005 is "limit exceeded".
    if error.code == -32005 {
        return Sort::RateLimited;
    }
    // -32603 is "internal error" (JSON-RPC 2.0); -32097 and -32055 are load balancers' own.
    if error.status >= 500 || matches!(error.code, -32055 | -32097 | -32603) || has(TRANSIENT) {
        return Sort::Transient;
    }
    Sort::Other
}

/// Whether an error says that there is no such block tag, which a chain may lack: by its code (invalid parameters,
/// EIP-1474; unknown block, engine API), or by the tag's own name.
pub(super) fn speaks_of_a_tag(error: &RpcError) -> bool {
    let text = error.message.to_lowercase();
    matches!(error.code, -32602 | -39001) || text.contains("finalized") || text.contains("safe")
}

// What servers say, with `|` between one phrase and the next.

/// "Execution reverted" as geth, erigon, reth, anvil, Nethermind, Besu and Parity put it.
const REVERT: &str = "\
    execution reverted|execution revert|transaction reverted|\
    vm exception while processing transaction: revert|vm execution error|always failing transaction|\
    invalid opcode|invalidfeopcode|opcodenotfound|bad instruction|bad jump|invalid jump|invalidjump|\
    stack underflow|stackunderflow|write protection|statechangeduringstaticcall";

const LIMITED: &str = "\
    rate limit|rate-limit|ratelimit|rate exceeded|too many requests|request limit|requests per second|\
    request count exceeded|credits limited|compute units|quota|throttl|capacity exceeded|\
    concurrent requests";

/// What an error of `eth_getLogs` speaks of where it is about the query and not about the load.
const QUERY: &str = "result|logs|block|range|size";

const NO_BLOCK: &str = "\
    header not found|header for hash not found|unknown block|block not found|not currently canonical|\
    resource not found";

const TOO_MUCH: &str = "\
    out of gas|outofgas|gas required exceeds|exceeds allowance|gas limit|gas cap|exceeds block gas|\
    execution timeout|execution aborted|query timeout|timeout exceeded|timed out|request timeout|\
    deadline exceeded|took too long|response size|response is too|response too large|too big|\
    entity too large|payload too large|body too large|content too large|memory limit|memoryoog|\
    max code size";

const PRUNED: &str = "\
    missing trie node|historical state|state is not available|state not available|no state available|\
    pruned|archive|required historical|distance to target block exceeds maximum proof window";

const TRANSIENT: &str = "\
    temporarily|try again|retry|service unavailable|server busy|overloaded|over capacity|\
    no backends available|no healthy|not healthy|unhealthy|timed out|timeout|deadline exceeded|\
    bad gateway|connection refused|connection reset";

/// The bytes that a revert carries: as hex, within an object, or after the word `Reverted`.
pub fn revert_data(error: &RpcError) -> Option<Bytes> {
    serde_json::from_str::<Carried>(error.data.as_ref()?.get()).ok()?.0
}

/// The first hex data within a value, of which nothing else is kept.
struct Carried(Option<Bytes>);

impl<'de> Deserialize<'de> for Carried {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        macro_rules! none {
            ($($visit:ident($($of:ty)?)),+) => {
                $(fn $visit<E>(self $(, _: $of)?) -> Result<Carried, E> {
                    Ok(Carried(None))
                })+
            };
        }
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Carried;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("hex data, or an object with it")
            }

            fn visit_str<E>(self, text: &str) -> Result<Carried, E> {
                let text = text.strip_prefix("Reverted ").unwrap_or(text).trim();
                Ok(Carried(text.strip_prefix("0x").and_then(|_| text.parse().ok())))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Carried, A::Error> {
                let mut first = Carried(None);
                while map.next_key::<IgnoredAny>()?.is_some() {
                    if first.0.is_none() {
                        first = map.next_value()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(first)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Carried, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Carried(None))
            }

            none!(visit_unit(), visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64));
        }
        from.deserialize_any(Any)
    }
}

/// Bytes of a custom error that are shown.
const SHOWN_BYTES: usize = 132;

/// What a revert's bytes say: `Error(string)` and `Panic(uint256)` in words, others as hex. The words are the contract's
/// or the node's, so they are cleaned like any of its answers.
pub fn revert_words(data: &[u8], redactor: &Redactor) -> Option<String> {
    if data.is_empty() {
        return None;
    }
    let words = if let Ok(revert) = Revert::abi_decode(data) {
        revert.reason
    } else if let Ok(panic) = Panic::abi_decode(data) {
        panic.to_string()
    } else if redactor.is_in(data.get(..4096).unwrap_or(data)) {
        "***".to_owned()
    } else {
        let more = if data.len() > SHOWN_BYTES { "…" } else { "" };
        format!("{}{more}", hex::encode_prefixed(data.get(..SHOWN_BYTES).unwrap_or(data)))
    };
    Some(redactor.clean(&words))
}

/// Why a view cannot go on at its endpoint.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// The exchange itself failed, after its retries.
    Net(net::Fault),
    /// The node answered with an error that is no verdict of the contract.
    Rpc { method: &'static str, error: RpcError, sort: Sort },
    /// The node's answer cannot be right.
    Bad { method: &'static str, why: String },
    /// The endpoint does not know the block that the view was begun at.
    UnknownBlock { number: u64 },
    /// The endpoint has no such block yet.
    NoBlock { number: u64, latest: u64 },
    /// The endpoint does not say which block a tag stands for; `absent` where the chain may have no such tag.
    NoTag { tag: &'static str, words: String, absent: bool },
    /// The endpoint takes blocks by height only (EIP-1898 is missing).
    NoBlockHash { method: &'static str, error: RpcError },
    /// The logs of one block alone are refused.
    FullBlock { number: u64, words: String },
    /// The block that the view stands on is not canonical any more.
    LostPin,
    /// It ends the command, whatever other endpoints say.
    Final(Error),
}

impl From<Unanswered> for Fault {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Net(fault) => Self::Net(fault),
            Unanswered::Rpc { method, error } => Self::rpc(method, error),
        }
    }
}

impl Fault {
    pub fn rpc(method: &'static str, error: RpcError) -> Self {
        Self::Rpc { sort: sort(method, &error), method, error }
    }

    pub fn bad(method: &'static str, why: &str) -> Self {
        Self::Bad { method, why: why.to_owned() }
    }

    /// The same without secrets: an answer that cannot be right may repeat the key of its endpoint.
    pub fn cleaned(self, redactor: &Redactor) -> Self {
        match self {
            Self::Bad { method, why } => Self::Bad { method, why: redactor.clean(&why) },
            other => other,
        }
    }

    /// What went wrong, without the endpoint's name.
    pub fn words(&self) -> String {
        match self {
            Self::Net(fault) => fault.to_string(),
            Self::Rpc { method, error, .. } => format!("{method}: {error}"),
            Self::Bad { method, why } => format!("bad answer to {method}: {}", base::redact::bounded(why)),
            Self::UnknownBlock { number } => format!("does not know the view's block {number}"),
            Self::NoBlock { number, latest } => format!("has no block {number} yet, its latest is {latest}"),
            Self::NoTag { tag, words, .. } => {
                format!("does not give the chain's \"{tag}\" block: {}", base::redact::bounded(words))
            }
            Self::NoBlockHash { method, error } => {
                format!("does not take a block by its hash (EIP-1898): {method}: {error}")
            }
            Self::FullBlock { number, words } => {
                format!("cannot answer with the logs of block {number} alone: {words}")
            }
            Self::LostPin => "the view's block is not canonical any more".to_owned(),
            Self::Final(error) => error.to_string(),
        }
    }

    /// The code of a command that this ends.
    pub fn code(&self) -> Code {
        match self {
            Self::Net(fault) => fault.code(),
            Self::Rpc { sort: Sort::RateLimited, .. } => Code::RateLimited,
            Self::Rpc { sort: Sort::Transient | Sort::NoBlock, .. }
            | Self::UnknownBlock { .. }
            | Self::NoTag { .. } => Code::Unreachable,
            Self::Rpc { .. } | Self::FullBlock { .. } | Self::NoBlockHash { .. } => Code::Rpc,
            Self::Bad { .. } => Code::BadReply,
            Self::NoBlock { .. } => Code::InvalidValue,
            Self::LostPin => Code::Reorged,
            Self::Final(error) => error.code(),
        }
    }

    /// What an operator can do about it.
    pub fn hint(&self) -> Option<Remedy> {
        Some(match self {
            Self::Net(fault) if fault.kind == FaultKind::Denied => {
                say("check the key in the endpoint's URL and its plan")
            }
            Self::Net(fault) if fault.kind == FaultKind::Redirect => {
                say("if the provider has moved, write its new URL in evm.rpc_urls")
            }
            Self::NoTag { .. } => say("try again, or add an endpoint that knows the tag to evm.rpc_urls"),
            Self::NoBlockHash { .. } => {
                say("every figure is read by its block's hash: use an endpoint that takes EIP-1898 blocks")
            }
            Self::Rpc { sort: Sort::Pruned, .. } => {
                say("this endpoint keeps no old state: add an archive endpoint to evm.rpc_urls")
            }
            Self::FullBlock { .. } => say("add an endpoint with a higher limit on logs to evm.rpc_urls"),
            Self::NoBlock { .. } => say("choose a block that exists, or ").with("at").of("safe"),
            _ => return None,
        })
    }

    /// Whether a narrower range of blocks may do where this came of a wide one: everything but a connection that was
    /// never made, an endpoint that is elsewhere, and a limit on requests that is told by HTTP itself.
    pub fn asks_for_less(&self) -> bool {
        match self {
            Self::Net(fault) => {
                !matches!(fault.kind, FaultKind::Connect | FaultKind::Redirect) && !fault.asks_to_wait()
            }
            Self::Rpc { sort, error, .. } => *sort != Sort::RateLimited || !error.asks_to_wait(),
            _ => false,
        }
    }

    /// Whether it took all the time there is.
    pub fn is_slow(&self) -> bool {
        matches!(self, Self::Net(fault) if fault.kind == FaultKind::Timeout)
    }

    /// What the server wants beside being asked for less: that one waits.
    pub fn verdict(&self) -> RetryDecision {
        match self {
            Self::Net(fault) => fault.verdict(),
            Self::Rpc { error: RpcError { retry_after: Some(wait), .. }, .. } => RetryDecision::After(*wait),
            Self::Rpc { sort: Sort::RateLimited | Sort::Transient | Sort::NoBlock, .. } => {
                RetryDecision::Again
            }
            _ => RetryDecision::Stop,
        }
    }

    /// Whether an endpoint with this fault should be asked last for a while.
    pub fn tires(&self) -> bool {
        match self {
            Self::Net(_) => true,
            Self::Rpc { sort, .. } => matches!(sort, Sort::RateLimited | Sort::Transient),
            _ => false,
        }
    }

    /// The error of one read; the loop over endpoints has the last word.
    pub fn into_error(self, endpoint: &str) -> Error {
        let error = Error::new(self.code(), format!("endpoint {endpoint:?}: {}", self.words()));
        self.hint().into_iter().fold(error, Error::hint)
    }
}

/// Whether an error means that the chain could not be read, whatever the endpoints' reasons.
pub fn is_silence(e: &Error) -> bool {
    e.code().is_transient()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    fn error(code: i64, message: &str, data: Option<&str>) -> RpcError {
        let data = data.map(|d| RawValue::from_string(d.to_owned()).unwrap());
        RpcError { code, message: message.to_owned(), data, ..RpcError::default() }
    }

    #[test]
    fn sorts_what_nodes_say() {
        use Sort::{NoBlock, Other, Pruned, RateLimited, Reverted, TooMuch, Transient};
        for (method, code, message, data, want) in [
            ("eth_call", 3, "execution reverted: rate limit exceeded", Some("\"0x08c379a0\""), Reverted),
            ("eth_call", -32000, "execution reverted", None, Reverted),
            ("eth_call", -32015, "VM execution error.", Some("\"Reverted 0x\""), Reverted),
            ("eth_call", -32603, "boom", Some("{\"data\":\"0x12345678\"}"), Reverted),
            ("eth_call", -32003, "EVM error InvalidFEOpcode", None, Reverted),
            ("eth_call", -32003, "Out of gas: gas required exceeds allowance: 30000000", None, TooMuch),
            ("eth_call", -32000, "out of gas", None, TooMuch),
            ("eth_call", -32000, "execution aborted (timeout = 5s)", None, TooMuch),
            ("eth_call", -32000, "header not found", None, NoBlock),
            ("eth_call", -32000, "header for hash not found", None, NoBlock),
            ("eth_call", -32000, "hash is not currently canonical", None, NoBlock),
            ("eth_call", -32001, "Resource not found", None, NoBlock),
            ("eth_call", -32000, "backend not healthy", None, Transient),
            ("eth_call", -32000, "we are over capacity, please come back", None, Transient),
            ("eth_call", -32603, "Internal error", None, Transient),
            ("eth_getCode", -32002, "request timed out", None, Transient),
            ("eth_call", -32000, "missing trie node 0xabc (path )", None, Pruned),
            ("eth_call", -32602, "invalid argument 1: hex string", None, Other),
            ("eth_call", -32005, "daily request count exceeded, request rate limited", None, RateLimited),
            ("eth_call", -32005, "limit exceeded", None, RateLimited),
            ("eth_call", 429, "Your app has exceeded its compute units per second", None, RateLimited),
            ("eth_call", -32007, "100/second request limit reached", None, RateLimited),
            ("eth_call", -32011, "no backends available for method", None, Transient),
            ("eth_getBlockByNumber", -32000, "safe block not found", None, Other),
            ("eth_getBlockByNumber", -39001, "Unknown block", None, Other),
            ("eth_getBlockByNumber", -32000, "unknown block", None, NoBlock),
            ("eth_getLogs", -32000, "unknown block", None, NoBlock),
            ("eth_getLogs", -32005, "project ID request rate exceeded", None, RateLimited),
            ("eth_getLogs", -32005, "limit exceeded", None, RateLimited),
            // Of one block alone, these are about what is in it.
            ("eth_getLogs", -32005, "query returned more than 10000 results", None, Other),
            ("eth_getLogs", -32603, "logs matched by query exceeds limit of 10000", None, Other),
            ("eth_getLogs", -32020, "backend response too large", None, Other),
        ] {
            assert_eq!(sort(method, &error(code, message, data)), want, "{method} {code} {message}");
        }
    }

    #[test]
    fn finds_and_reads_revert_data() {
        let redactor = Redactor::of(&"https://h/v2/AbC123xyz".parse().unwrap());
        let say = |data: &[u8]| revert_words(data, &redactor);
        let reason = concat!(
            "0x08c379a00000000000000000000000000000000000000000000000000000000000000020",
            "0000000000000000000000000000000000000000000000000000000000000006",
            "7061757365640000000000000000000000000000000000000000000000000000"
        );
        for data in [
            format!("\"{reason}\""),
            format!("\"Reverted {reason}\""),
            format!("{{\"message\":\"x\",\"data\":\"{reason}\"}}"),
        ] {
            let bytes = revert_data(&error(3, "", Some(&data))).unwrap();
            assert_eq!(revert_words(&bytes, &redactor).unwrap(), "paused");
        }
        assert_eq!(revert_data(&error(3, "", Some("\"no hex\""))), None);
        assert_eq!(revert_data(&error(3, "", None)), None);
        assert_eq!(say(&[0x12, 0x34, 0x56, 0x78]).unwrap(), "0x12345678");
        assert_eq!(say(&[]), None);
        let panic = format!("0x4e487b71{:064x}", 0x11);
        let panic = revert_data(&error(3, "", Some(&format!("\"{panic}\"")))).unwrap();
        assert!(say(&panic).unwrap().contains("overflow"), "{:?}", say(&panic));
        // The endpoint's key: as a reason, and within a custom error.
        let reason = Revert::from("bad key abc123XYZ, see https://h/v2/AbC123xyz").abi_encode();
        assert_eq!(say(&reason).unwrap(), "bad key ***, see https://h");
        assert_eq!(say(b"\x12\x34\x56\x78AbC123xyz").unwrap(), "***");
        assert_eq!(say(&[7; 5000]).unwrap().chars().count(), 2 + 2 * SHOWN_BYTES + 1);
        let nested = r#"{"a":[1,{}],"b":null,"c":{"d":1.5,"e":"0x12"},"f":"0x34"}"#;
        assert_eq!(revert_data(&error(3, "", Some(nested))), Some(Bytes::from_static(&[0x12])));
        for data in ["[\"0x12\"]", "true", "-1"] {
            assert_eq!(revert_data(&error(3, "", Some(data))), None, "{data}");
        }
    }
}
