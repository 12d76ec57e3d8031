//! The ABI profiles there are.

use base::{Code, Error, Result};

/// Which functions a pool contract has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl Abi {
    /// Every profile, for help and errors.
    pub const ALL: &[Self] = &[Self::Erc4626, Self::Legacy, Self::Viddhana];

    /// The word used on the command line and in the state.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Erc4626 => "erc4626",
            Self::Legacy => "legacy",
            Self::Viddhana => "viddhana",
        }
    }

    /// Reads the word.
    ///
    /// # Errors
    /// `invalid_value` listing the profiles there are.
    pub fn parse(word: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|abi| abi.word() == word).ok_or_else(|| {
            let all: Vec<&str> = Self::ALL.iter().map(|abi| abi.word()).collect();
            Error::new(Code::InvalidValue, format!("\"{word}\" is no ABI profile"))
                .hint(format!("there are: {}; auto finds out which", all.join(", ")))
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
