//! Of `reward epoch create|distribute`: epochs made by hand.

use crate::reward::epoch::EpochView;
use schemars::JsonSchema;
use serde::Serialize;

/// The epoch that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CreateOutput {
    /// The epoch.
    #[serde(flatten)]
    pub epoch: EpochView,
    /// False where it was there already.
    pub changed: bool,
}

/// Nothing was distributed, because there was nothing to do.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NothingOutput {
    /// The epoch that was asked for, which is distributed already; null where none was named.
    pub already: Option<EpochView>,
}
