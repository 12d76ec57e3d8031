//! Of `pool accept-change`: the operator has looked at how a pool's contract changed, and goes on with it.

use base::forms;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::known::Contract;

/// What the contract is from now on.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AcceptChangeOutput {
    /// The pool.
    pub pool: String,
    /// False where there was no change to accept.
    pub changed: bool,
    /// What it was before; null where nothing changed.
    pub before: Option<ContractView>,
    /// What it is now; null where it was never looked at.
    pub contract: Option<ContractView>,
}

/// What a contract is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ContractView {
    /// Keccak-256 of its code.
    #[schemars(with = "forms::EvmHash")]
    pub code_hash: String,
    /// Where a proxy passes its calls on to; null where it is none.
    #[schemars(with = "Option<forms::EvmAddress>")]
    pub implementation: Option<String>,
    /// What `decimals()` of its asset says; null where it says nothing.
    pub asset_decimals: Option<u8>,
    /// Whether it answers `paused()`.
    pub can_pause: bool,
}

impl From<&Contract> for ContractView {
    fn from(contract: &Contract) -> Self {
        Self {
            code_hash: contract.code_hash.to_string(),
            implementation: contract.implementation.map(|it| it.to_string()),
            asset_decimals: contract.asset_decimals,
            can_pause: contract.can_pause,
        }
    }
}
