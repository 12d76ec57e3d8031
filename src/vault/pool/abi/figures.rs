//! A pool's figures at one block, from what its contract answered.

use super::profile::Limits;
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
pub struct FigureReader(Box<Read>);

impl FigureReader {
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
