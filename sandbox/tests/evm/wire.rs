//! A client that speaks HTTP only.

pub use poolctl_testkit::once::{exchange, post, request};

use poolctl_sandbox::evm::{Evm, EvmOptions};
use poolctl_testkit::once;
use serde_json::Value;

/// A network with a fixed clock.
pub fn start() -> Evm {
    start_with(EvmOptions::default())
}

pub fn start_with(options: EvmOptions) -> Evm {
    Evm::start(&EvmOptions { start_time: Some(1_700_000_000), ..options }).unwrap()
}

pub fn reply(evm: &Evm, method: &str, params: &Value) -> Value {
    exchange(&evm.url(), &request(method, params))
}

/// The result of a call that must succeed.
pub fn call(evm: &Evm, method: &str, params: Value) -> Value {
    once::call(&evm.url(), method, &params)
}

/// Code and message of a call that must fail.
pub fn error(evm: &Evm, method: &str, params: Value) -> (i64, String) {
    let reply = reply(evm, method, &params);
    let error = &reply["error"];
    assert!(error.is_object(), "{method} {params}: {reply}");
    (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())
}

pub fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

/// A dev account's address as text.
pub fn account(index: usize) -> String {
    poolctl_sandbox::evm::DEV_ACCOUNTS[index].address.to_string().to_lowercase()
}
