//! The ABI profiles there are, and what a pool takes in, as its contract says and as the state keeps it.

use alloy::primitives::U256;
use base::amount::Base;
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
            Error::new(Code::InvalidValue, format!("invalid ABI profile: \"{word}\"")).hint(format!(
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

/// What a pool contract takes in and lets out, as the contract itself says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Smallest deposit, asset base units; `None` = any.
    pub min_deposit: Option<Base>,
    /// Largest deposit.
    pub max_deposit: MaxDeposit,
    /// Seconds between a member's deposit and its first withdrawal; `None` where the profile knows no such thing.
    pub cooldown_sec: Option<u64>,
}

/// The largest deposit that a pool contract takes: none by its profile or its word, an amount, or not told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum MaxDeposit {
    /// Whatever the amount.
    #[default]
    Unlimited,
    /// At most this, asset base units.
    Most(Base),
    /// The profile has such a limit, and the contract does not tell it: why.
    Unknown(String),
}

impl MaxDeposit {
    /// The amount, where there is one.
    pub const fn amount(&self) -> Option<Base> {
        match self {
            Self::Most(most) => Some(*most),
            Self::Unlimited | Self::Unknown(_) => None,
        }
    }

    /// As the state keeps it: where the profile has the limit, nothing stands for "not known" and the largest number for
    /// "unlimited", as EIP-4626 has it.
    pub fn stored(&self, abi: Abi) -> Option<Base> {
        match self {
            Self::Unlimited => (abi == Abi::Erc4626).then_some(Base::MAX),
            Self::Most(_) | Self::Unknown(_) => self.amount(),
        }
    }

    /// From what the state keeps.
    pub fn of_stored(abi: Abi, kept: Option<Base>) -> Self {
        match (abi, kept) {
            (Abi::Erc4626, None) => Self::Unknown("the last sync did not get it".to_owned()),
            (Abi::Erc4626, Some(Base::MAX)) | (Abi::Legacy | Abi::Viddhana, None) => Self::Unlimited,
            (_, Some(most)) => Self::Most(most),
        }
    }
}

/// A limit where 0 and 2^256-1 stand for none.
pub(super) fn limit(value: U256) -> Option<Base> {
    (!value.is_zero() && value != U256::MAX).then_some(value)
}
