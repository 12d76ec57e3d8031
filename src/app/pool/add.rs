//! Of `pool add`: a pool comes to be known, after a look at its contract.

use crate::views::PoolView;
use base::forms;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::ViewStamp;

/// The pool that was added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AddOutput {
    /// False where it stood there before.
    pub added: bool,
    /// The pool.
    pub pool: PoolView,
    /// Block of its creation.
    pub deploy_block: u64,
    /// Whose view of the contract; null where it stood there before.
    pub checked_at: Option<ViewStamp>,
    /// The risk engine that the contract names; null where it names none, or was not looked at.
    #[schemars(with = "Option<forms::EvmAddress>")]
    pub risk_engine: Option<String>,
}
