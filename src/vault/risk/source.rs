//! Where risk parameters come from: set here, or an engine contract.

use alloy::primitives::{Address, U256};
use base::amount::Base;
use base::{Code, Error, Result};
use strum::VariantNames;

/// Where a pool's parameters come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, strum::IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Engine {
    /// `risk set`.
    #[default]
    Local,
    /// A contract with `poolConfigs`, `emergencyMode` and `paused`. Its `dailyWithdrawalCap` is per member and
    /// UTC day; a pool that is not `active` there has no parameters.
    Viddhana(Address),
    /// A contract with `getMaxTvl`, `getMaxDailyWithdrawals` (of all members), `isCircuitBreakerActive`,
    /// `circuitBreakerReason` and `emergencyPaused`. Limits of a member are set here.
    Legacy(Address),
}

crate::words!(Engine);

impl Engine {
    /// The contract, where there is one.
    pub const fn address(self) -> Option<Address> {
        match self {
            Self::Local => None,
            Self::Viddhana(address) | Self::Legacy(address) => Some(address),
        }
    }

    /// The limits that such an engine gives, by their names; others are set here.
    pub(super) const fn gives(self) -> &'static [&'static str] {
        match self {
            Self::Local => &[],
            Self::Viddhana(_) => &["max-tvl", "max-user-deposit", "user-daily-cap"],
            Self::Legacy(_) => &["max-tvl", "daily-withdrawal-cap"],
        }
    }

    /// Reads the word; engines other than `local` need their contract.
    pub fn parse(word: &str, address: Option<Address>) -> Result<Self> {
        let wrong = |field: &str, why: String| {
            Error::field(Code::InvalidValue, field, why)
                .hint(format!("engines: {}", Self::VARIANTS.join(", ")))
        };
        match (word, address) {
            ("local", None) => Ok(Self::Local),
            ("viddhana", Some(address)) => Ok(Self::Viddhana(address)),
            ("legacy", Some(address)) => Ok(Self::Legacy(address)),
            ("local", Some(_)) => Err(wrong("engine-address", "the engine local has none".into())),
            ("viddhana" | "legacy", None) => {
                Err(wrong("engine-address", format!("the engine {word} needs one")))
            }
            _ => Err(wrong("engine", format!("invalid risk engine: \"{word}\""))),
        }
    }
}

/// 0 = unlimited, in every engine.
pub(super) fn limit(value: U256) -> Option<Base> {
    (!value.is_zero()).then_some(value)
}
