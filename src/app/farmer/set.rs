//! `poolctl farmer set`.

use crate::farmer::FarmerView;
use schemars::JsonSchema;
use serde::Serialize;

/// The farmer as it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SetOutput {
    /// False where it was so already.
    pub changed: bool,
    /// The farmer.
    #[serde(flatten)]
    pub farmer: FarmerView,
}
