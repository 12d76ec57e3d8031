//! Where risk parameters come from: set here, or an engine contract, which is asked by its own ABI profile.

mod legacy;
mod viddhana;

use super::parameters::RiskRow;
use alloy::primitives::{Address, U256};
use base::amount::Base;
use base::{Code, Error, Result};
use evm::{Batch, BatchReply, PinnedView};

/// Where a pool's parameters come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// `risk set`.
    Local,
    /// A contract with `poolConfigs`, `emergencyMode` and `paused`. Its `dailyWithdrawalCap` is per member and
    /// UTC day; a pool that is not `active` there has no parameters.
    Viddhana(Address),
    /// A contract with `getMaxTvl`, `getMaxDailyWithdrawals` (of all members), `isCircuitBreakerActive`,
    /// `circuitBreakerReason` and `emergencyPaused`. Limits of a member are set here.
    Legacy(Address),
}

impl Engine {
    /// Every engine's word, for help and errors.
    pub const WORDS: [&str; 3] = ["local", "viddhana", "legacy"];

    /// The word used on the command line and in the state.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Viddhana(_) => "viddhana",
            Self::Legacy(_) => "legacy",
        }
    }

    /// The contract, where there is one.
    pub const fn address(self) -> Option<Address> {
        match self {
            Self::Local => None,
            Self::Viddhana(address) | Self::Legacy(address) => Some(address),
        }
    }

    /// The limits that such an engine gives, by their flags; others are set here.
    pub(super) const fn gives(self) -> &'static [&'static str] {
        match self {
            Self::Local => &[],
            Self::Viddhana(_) => &["--max-tvl", "--max-user-deposit", "--user-daily-cap"],
            Self::Legacy(_) => &["--max-tvl", "--daily-withdrawal-cap"],
        }
    }

    /// Reads the word; engines other than `local` need their contract.
    ///
    /// # Errors
    /// `invalid_value`.
    pub fn parse(word: &str, address: Option<Address>) -> Result<Self> {
        let wrong = |why: String| {
            Error::new(Code::InvalidValue, why).hint(format!("engines: {}", Self::WORDS.join(", ")))
        };
        match (word, address) {
            ("local", None) => Ok(Self::Local),
            ("viddhana", Some(address)) => Ok(Self::Viddhana(address)),
            ("legacy", Some(address)) => Ok(Self::Legacy(address)),
            ("local", Some(_)) => Err(wrong("--engine local has no --engine-address".into())),
            ("viddhana" | "legacy", None) => Err(wrong(format!("--engine {word} needs --engine-address"))),
            _ => Err(wrong(format!("--engine: \"{word}\" is no risk engine"))),
        }
    }
}

/// The questions put to one engine within a batch.
pub(super) enum Asked {
    Viddhana(viddhana::Asked),
    Legacy(legacy::Asked),
}

impl Asked {
    /// Asks an engine for a pool; `None` where there is no contract to ask.
    pub(super) fn new(batch: &mut Batch<'_>, engine: Engine, pool: Address) -> Option<Self> {
        match engine {
            Engine::Local => None,
            Engine::Viddhana(at) => Some(Self::Viddhana(viddhana::Asked::new(batch, at, pool))),
            Engine::Legacy(at) => Some(Self::Legacy(legacy::Asked::new(batch, at, pool))),
        }
    }

    /// The row with what the engine says put in.
    ///
    /// # Errors
    /// `not_a_contract` or `reverted`, naming contract, function and block; `missing_setting` where the engine does
    /// not know the pool.
    pub(super) fn read(&self, reply: &BatchReply, row: RiskRow) -> Result<RiskRow> {
        match self {
            Self::Viddhana(asked) => asked.read(reply, row),
            Self::Legacy(asked) => asked.read(reply, row),
        }
    }
}

/// Sees that a risk engine answers like one of its kind for a pool; a local one has no contract.
///
/// # Errors
/// `not_a_contract`, `reverted`, `missing_setting` for a pool that the engine does not know; those of a broken view.
pub async fn examine(view: &PinnedView, row: &RiskRow, pool: Address) -> Result<()> {
    let mut batch = view.batch();
    let Some(asked) = Asked::new(&mut batch, row.engine, pool) else { return Ok(()) };
    let reply = batch.send().await?;
    asked.read(&reply, row.clone()).map(drop)
}

/// 0 = unlimited, in every engine.
fn limit(value: U256) -> Option<Base> {
    (!value.is_zero()).then_some(value)
}
