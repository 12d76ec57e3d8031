//! Where the farm is.

use crate::contract::call::Call;
use base::{Code, Error, Result};
use stellar::xdr::ContractId;
use stellar::{Action, Client, Known};

/// A farm on a network.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its network.
    pub client: Client,
    /// What is known of that network beforehand; its name stands in operation keys and ledger accounts.
    pub known: &'static Known,
    /// The farm contract.
    pub farm: ContractId,
}

impl Site {
    /// The network's name.
    pub const fn network(&self) -> &'static str {
        self.known.name
    }
}

/// A call of the farm as an action.
pub fn invoke(site: &Site, call: &Call) -> Result<Action> {
    Ok(Action::Invoke {
        contract: site.farm.clone(),
        function: call.name().to_owned(),
        args: call.arguments()?,
    })
}

/// Where the farm should be, there is nothing.
pub(super) fn no_farm(site: &Site) -> Error {
    Error::new(Code::NotAContract, format!("there is no contract {}", site.farm))
        .hint("check kale.contract_id and stellar.network")
}
