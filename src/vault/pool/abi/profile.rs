//! The ABI profiles there are.

use base::{Code, Error, Result};
use strum::{EnumString, VariantArray, VariantNames};

/// Which functions a pool contract has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, strum::IntoStaticStr, VariantArray, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Abi {
    /// EIP-4626 tokenized vault; it may have `paused()`. Where it does not tell `maxDeposit(address)`, that is not known.
    Erc4626,
    /// `totalValueLocked`, `totalShares`, `exchangeRate`, `paused`, `minDepositAmount`, `maxDepositAmount`,
    /// `withdrawalCooldownSeconds`, all required. It need not say what its asset is.
    Legacy,
    /// `totalAssets`, `totalSupply`, `exchangeRate`, `paused`, `minDepositAmount`, `withdrawalCooldown`, `asset`,
    /// `riskEngine`, all required.
    Viddhana,
}

state::stored_as_word!(Abi);
crate::words!(Abi);

impl Abi {
    /// Reads the word; an error lists the profiles there are.
    pub fn parse(word: &str) -> Result<Self> {
        word.parse().map_err(|_| {
            Error::new(Code::InvalidValue, format!("\"{word}\" is no ABI profile")).hint(format!(
                "there are: {}; auto finds out which",
                <Self as VariantNames>::VARIANTS.join(", ")
            ))
        })
    }

    /// What such a contract is called in errors.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Erc4626 => "vault",
            Self::Legacy | Self::Viddhana => "pool",
        }
    }

    /// The function that tells the total of shares.
    pub const fn total_shares(self) -> &'static str {
        match self {
            Self::Erc4626 | Self::Viddhana => "totalSupply()",
            Self::Legacy => "totalShares()",
        }
    }
}
