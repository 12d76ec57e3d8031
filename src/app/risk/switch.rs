//! `poolctl risk pause`, `unpause` and `reset-breaker`: what the operator alone decides, each with a reason.

use crate::risk::BreakerView;
use schemars::JsonSchema;
use serde::Serialize;

/// How the pool stands now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SwitchOutput {
    /// The pool.
    pub pool: String,
    /// False where it stood like this before.
    pub changed: bool,
    /// The local emergency pause, with its reason.
    pub local_pause: Option<String>,
    /// The circuit breaker while it is open.
    pub breaker: Option<BreakerView>,
    /// Why the engine holds the pool, if it does; nothing here changes that.
    pub engine: Option<String>,
}
