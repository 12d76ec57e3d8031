//! Parameters of the sandbox's own methods, and the method that orders faults: the same on every chain.

use serde_json::{Value, json};

use crate::fault::{Fault, FaultBook};
use crate::http::RpcError;

/// A whole number, given as one or as a string of digits; none when it is absent or null.
pub fn number(params: &Value, name: &str) -> Result<Option<u64>, RpcError> {
    let number = match params.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64(),
    };
    number.map(Some).ok_or_else(|| RpcError::params(format!("{name} must be a whole number")))
}

/// A string that must be there.
pub fn text<'a>(params: &'a Value, name: &str) -> Result<&'a str, RpcError> {
    params
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| RpcError::params(format!("missing parameter: {name}")))
}

/// `sandbox_fault {method, kind, times, value}`: orders a fault that `is_possible` on this chain; `times` is 1 when it
/// is absent.
pub fn order_fault(
    book: &FaultBook,
    params: &Value,
    is_possible: impl FnOnce(&Fault) -> Result<(), RpcError>,
) -> Result<Value, RpcError> {
    let kind = text(params, "kind")?;
    let fault = Fault::parse(kind, number(params, "value")?)
        .ok_or_else(|| RpcError::params(format!("unknown kind {kind}; one of {}", Fault::KINDS)))?;
    is_possible(&fault)?;
    let times = u32::try_from(number(params, "times")?.unwrap_or(1)).unwrap_or(u32::MAX);
    book.order(text(params, "method")?, fault, times);
    Ok(json!({}))
}
