//! Of `risk set`: limits of a pool, or the engine that they come from.

use crate::risk::RiskView;
use schemars::JsonSchema;
use serde::Serialize;

/// What was set.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SetOutput {
    /// False where nothing changed.
    pub changed: bool,
    /// The limits now.
    #[serde(flatten)]
    pub risk: RiskView,
}
