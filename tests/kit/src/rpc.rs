//! A blocking JSON-RPC client for the nodes and proxies of a test.

use crate::http::Connection;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::{
    error::Error,
    fmt,
    sync::{Mutex, PoisonError},
};

/// A JSON-RPC client for one `http://` endpoint.
pub struct Rpc {
    connection: Mutex<Connection>,
}

/// The error an endpoint answered with; `downcast_ref` it out of what [`Rpc::call`] gives.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcError {
    /// JSON-RPC's code; 3 for a revert.
    pub code: i64,
    /// What the node says.
    pub message: String,
    /// Revert data as hex, where there is any; else null.
    pub data: Value,
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {}, data {})", self.message, self.code, self.data)
    }
}

impl Error for RpcError {}

impl Rpc {
    /// Connects at the first call; fails here only for a URL that is not `http://`.
    pub fn new(url: &str) -> Result<Self> {
        Ok(Self { connection: Mutex::new(Connection::new(url)?) })
    }

    /// Calls one method and gives its `result`. An error answer is an [`RpcError`].
    #[allow(clippy::needless_pass_by_value, reason = "callers write json!([…]) in place")]
    pub fn call(&self, method: &str, params: Value) -> Result<Value> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut answer = self.post(&body).with_context(|| format!("calling {method}"))?;
        if let Some(error) = answer.get_mut("error") {
            let error = RpcError {
                code: error["code"].as_i64().unwrap_or_default(),
                message: error["message"].as_str().unwrap_or_default().to_owned(),
                data: error["data"].take(),
            };
            return Err(anyhow::Error::new(error).context(format!("calling {method}")));
        }
        Ok(answer["result"].take())
    }

    /// Posts a body as it is, a batch for instance, and gives the answer as it is.
    pub fn post(&self, body: &Value) -> Result<Value> {
        let body = serde_json::to_vec(body)?;
        let answer = self.connection.lock().unwrap_or_else(PoisonError::into_inner).post(&body)?;
        serde_json::from_slice(&answer.body)
            .with_context(|| format!("no JSON in the answer ({})", answer.start))
    }
}
