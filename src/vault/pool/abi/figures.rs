//! A pool's figures at one block, from what its contract answered: what it holds, and what it takes in.

use super::profile::Abi;
use crate::pool::Pool;
use crate::pool::rate::{Rate, Totals};
use alloy::primitives::U256;
use base::amount::Base;
use base::{Code, Error, Result};
use evm::BatchReply;

/// A pool's figures at one block, in base units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// TVL, asset base units.
    pub total_assets: Base,
    /// Shares, share base units.
    pub total_shares: Base,
    /// Assets per share in whole units, 18 decimals: TVL over shares, or the contract's own where that is
    /// something else.
    pub rate_e18: Base,
    /// The contract's own answer, as coarse as it is.
    pub answered_e18: Base,
    /// Whether the contract's rate is TVL over shares, within rounding.
    pub consistent: bool,
    /// Whether it is paused; `None` where the contract does not answer that, by its profile.
    pub paused: Option<bool>,
    /// What it takes in.
    pub limits: Limits,
}

impl Reading {
    /// The rate, where there is a share that has one.
    pub fn rate(&self) -> Option<Base> {
        (!self.total_shares.is_zero()).then_some(self.rate_e18)
    }
}

/// Answers that make a reading, as every profile gives them.
pub(super) struct Figures {
    pub(super) totals: Totals,
    pub(super) rate: Rate,
    /// The same of more shares, where the contract says it.
    pub(super) finer: Option<Rate>,
    pub(super) paused: Option<bool>,
    pub(super) limits: Limits,
}

/// How a contract's answers become figures.
type Read = dyn Fn(&BatchReply, &Pool) -> Result<Figures>;

/// The questions put to one pool within a batch.
pub struct Asked(Box<Read>);

impl Asked {
    pub(super) fn new(read: impl Fn(&BatchReply, &Pool) -> Result<Figures> + 'static) -> Self {
        Self(Box::new(read))
    }

    /// Reads the answers; a fault names contract, function and block.
    pub fn read(&self, reply: &BatchReply, pool: &Pool) -> Result<Reading> {
        (self.0)(reply, pool)?.reading(pool)
    }
}

impl Figures {
    fn reading(self, pool: &Pool) -> Result<Reading> {
        let Self { totals, rate, finer, .. } = self;
        let passes = || wrong(pool, "its exchange rate passes 256 bits");
        let (asset, share) = (pool.asset.decimals, pool.share_decimals);
        Ok(Reading {
            consistent: rate.fits(totals),
            total_assets: totals.assets,
            total_shares: totals.shares,
            rate_e18: rate.exact_e18(finer, totals, asset, share).ok_or_else(passes)?,
            answered_e18: rate.e18(asset, share).ok_or_else(passes)?,
            paused: self.paused,
            limits: self.limits,
        })
    }
}

fn wrong(pool: &Pool, why: &str) -> Error {
    Error::new(Code::NotAContract, format!("{} {}: {why}", pool.abi.noun(), pool.address))
        .detail("contract", pool.address.to_string())
}

/// A cooldown in seconds, as far as the state can keep it.
pub(super) fn seconds(pool: &Pool, value: U256) -> Result<u64> {
    let seconds = i64::try_from(value).ok().and_then(|seconds| u64::try_from(seconds).ok());
    seconds.ok_or_else(|| wrong(pool, &format!("its withdrawal cooldown of {value} s is out of range")))
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
