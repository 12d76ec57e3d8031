//! Of `reward set-weight|weights`: the pools' shares of the emission.

use base::forms;
use schemars::JsonSchema;
use serde::Serialize;

/// What was set.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SetWeightOutput {
    /// The pool.
    pub pool: String,
    /// Its weight.
    #[schemars(with = "forms::Decimal")]
    pub weight: String,
    /// First block it holds for.
    pub effective_block: u64,
    /// False where it was so already.
    pub changed: bool,
    /// The weight that was announced for that block before, and is withdrawn.
    #[schemars(with = "Option<forms::Decimal>")]
    pub replaces: Option<String>,
}

/// A pool's weight.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WeightView {
    /// The pool.
    pub pool: String,
    /// In force at the next epoch; null where it takes no part yet.
    #[schemars(with = "Option<forms::Decimal>")]
    pub weight: Option<String>,
    /// Share of the emission, 0 to 1, cut to six decimals; null where all weights are 0.
    #[schemars(with = "Option<forms::Decimal>")]
    pub share: Option<String>,
    /// A change to come.
    #[schemars(with = "Option<forms::Decimal>")]
    pub next_weight: Option<String>,
    /// First block of that change.
    pub next_block: Option<u64>,
}

/// The weights.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WeightsOutput {
    /// By pool.
    pub weights: Vec<WeightView>,
}
