//! The calls of the KALE contract: the arguments of plant, work and harvest, and what they return.

use super::fields::{bad, kind};
use super::{symbol, too_long};
use base::{Code, Error, Result};
use stellar_xdr::{ContractId, HostFunction, InvokeContractArgs, ScAddress, ScBytes, ScVal};

/// A call of the farm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Stakes `amount` stroops in the current block; needs the farmer's authorisation. Returns nothing.
    Plant {
        /// Who plants.
        farmer: ScAddress,
        /// Stroops, 0 or more.
        amount: i128,
    },
    /// Submits work for the current block; anyone may send it. Returns the gap in ledgers.
    Work {
        /// Whose pail.
        farmer: ScAddress,
        /// keccak256 of index, nonce, entropy and farmer.
        hash: [u8; 32],
        /// What was ground.
        nonce: u64,
    },
    /// Mints stake and reward of a worked pail; anyone may send it. Returns the reward **without** the stake.
    Harvest {
        /// Whose pail.
        farmer: ScAddress,
        /// Of which block.
        index: u32,
    },
}

impl Call {
    /// The function's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Plant { .. } => "plant",
            Self::Work { .. } => "work",
            Self::Harvest { .. } => "harvest",
        }
    }

    /// Whose pail it is about.
    pub const fn farmer(&self) -> &ScAddress {
        match self {
            Self::Plant { farmer, .. } | Self::Work { farmer, .. } | Self::Harvest { farmer, .. } => farmer,
        }
    }

    /// Its arguments, in the contract's order. A negative amount is a bug: the contract refuses it.
    pub fn arguments(&self) -> Result<Vec<ScVal>> {
        let farmer = ScVal::Address(self.farmer().clone());
        Ok(match self {
            Self::Plant { amount, .. } if *amount < 0 => {
                return Err(Error::new(Code::Bug, format!("a stake of {amount} stroops")));
            }
            Self::Plant { amount, .. } => vec![farmer, ScVal::from(*amount)],
            Self::Work { hash, nonce, .. } => {
                let hash = ScBytes(hash.to_vec().try_into().map_err(too_long)?);
                vec![farmer, ScVal::Bytes(hash), ScVal::U64(*nonce)]
            }
            Self::Harvest { index, .. } => vec![farmer, ScVal::U32(*index)],
        })
    }

    /// The call as a host function, for a transaction.
    pub fn function(&self, farm: &ContractId) -> Result<HostFunction> {
        Ok(HostFunction::InvokeContract(InvokeContractArgs {
            contract_address: ScAddress::Contract(farm.clone()),
            function_name: symbol(self.name())?,
            args: self.arguments()?.try_into().map_err(too_long)?,
        }))
    }
}

/// What `plant` returned.
pub fn plant_result(value: &ScVal) -> Result<()> {
    match value {
        ScVal::Void => Ok(()),
        other => Err(bad("the result of plant", format!("should be nothing, found {}", kind(other)))),
    }
}

/// The gap in ledgers that `work` returned.
pub fn work_result(value: &ScVal) -> Result<u32> {
    match value {
        ScVal::U32(gap) if *gap > 0 => Ok(*gap),
        ScVal::U32(gap) => Err(bad("the result of work", format!("a gap of {gap} ledgers"))),
        other => Err(bad("the result of work", format!("should be a u32, found {}", kind(other)))),
    }
}

/// The reward in stroops that `harvest` returned, without the stake.
pub fn harvest_result(value: &ScVal) -> Result<i128> {
    match value {
        ScVal::I128(parts) if i128::from(parts) >= 0 => Ok(parts.into()),
        ScVal::I128(parts) => {
            Err(bad("the result of harvest", format!("a reward of {} stroops", i128::from(parts))))
        }
        other => Err(bad("the result of harvest", format!("should be an i128, found {}", kind(other)))),
    }
}
