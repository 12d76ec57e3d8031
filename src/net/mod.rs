//! What every chain's client needs and no chain owns: endpoints, HTTP, JSON-RPC, redaction and the one retry policy.

pub mod asker;
pub mod envelope;
pub mod failover;
pub mod fault;
pub mod http;
pub mod jsonrpc;
pub mod ping;
pub mod retry;

pub use fault::{Fault, FaultKind};
pub use http::{Http, HttpLimits};
pub use retry::{RetryDecision, RetryPolicy, retry};
