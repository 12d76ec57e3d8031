//! What a pool contract is asked and how its answers are read, by ABI profile.
//!
//! In every profile the share token is the pool contract itself: an ERC-20 with `decimals()`, `symbol()` and
//! `Transfer` logs, from which the holders are replayed. A pool that keeps its shares in another way cannot be
//! added, or fails its syncs with the drift.

mod detect;
mod erc4626;
mod legacy;
pub mod sol;
mod viddhana;

pub use detect::detect;

use super::Pool;
use super::rate::{Rate, Totals};
use alloy::primitives::{Address, U256};
use base::amount::Base;
use base::{Code, Error, Result};
use evm::{Batch, BatchReply, CallError, Handle, PinnedView};
use sol::{IERC20, ILegacyPool, IViddhanaPool};

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
    pub(super) fn stored(&self, abi: Abi) -> Option<Base> {
        match self {
            Self::Unlimited => (abi == Abi::Erc4626).then_some(Base::MAX),
            Self::Most(most) => Some(*most),
            Self::Unknown(_) => None,
        }
    }

    /// From what the state keeps.
    pub(super) fn of_stored(abi: Abi, kept: Option<Base>) -> Self {
        match (abi, kept) {
            (Abi::Erc4626, None) => Self::Unknown("the last sync did not get it".to_owned()),
            (Abi::Erc4626, Some(Base::MAX)) | (Abi::Legacy | Abi::Viddhana, None) => Self::Unlimited,
            (_, Some(most)) => Self::Most(most),
        }
    }
}

/// Answers that make a reading, as every profile gives them.
struct Figures {
    totals: Totals,
    rate: Rate,
    /// The same of more shares, where the contract says it.
    finer: Option<Rate>,
    paused: Option<bool>,
    limits: Limits,
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

/// A limit where 0 and 2^256-1 stand for none.
fn limit(value: U256) -> Option<Base> {
    (!value.is_zero() && value != U256::MAX).then_some(value)
}

/// A cooldown in seconds, as far as the state can keep it.
fn seconds(pool: &Pool, value: U256) -> Result<u64> {
    let seconds = i64::try_from(value).ok().and_then(|seconds| u64::try_from(seconds).ok());
    seconds.ok_or_else(|| wrong(pool, &format!("its withdrawal cooldown of {value} s is out of range")))
}

/// The questions put to one pool within a batch.
#[derive(Debug)]
pub enum Asked {
    /// To a vault of EIP-4626.
    Erc4626(erc4626::Asked),
    /// To a pool of the `legacy` profile.
    Legacy(legacy::Asked),
    /// To a pool of the `viddhana` profile.
    Viddhana(viddhana::Asked),
}

/// Adds a pool's questions to a batch.
///
/// # Errors
/// `bug` for share decimals that the state does not allow.
pub fn ask(batch: &mut Batch<'_>, pool: &Pool) -> Result<Asked> {
    ask_for(batch, pool, Address::ZERO)
}

/// As [`ask`], with the largest deposit of this member where the contract makes a difference.
///
/// # Errors
/// As [`ask`].
pub fn ask_for(batch: &mut Batch<'_>, pool: &Pool, member: Address) -> Result<Asked> {
    Ok(match pool.abi {
        Abi::Erc4626 => Asked::Erc4626(erc4626::Asked::new(batch, pool, member)?),
        Abi::Legacy => Asked::Legacy(legacy::Asked::new(batch, pool.address)),
        Abi::Viddhana => Asked::Viddhana(viddhana::Asked::new(batch, pool.address)),
    })
}

impl Asked {
    /// Reads the answers.
    ///
    /// # Errors
    /// `not_a_contract` or `reverted`, naming contract, function and block.
    pub fn read(&self, reply: &BatchReply, pool: &Pool) -> Result<Reading> {
        let figures = match self {
            Self::Erc4626(asked) => asked.read(reply, pool)?,
            Self::Legacy(asked) => asked.read(reply, pool)?,
            Self::Viddhana(asked) => asked.read(reply, pool)?,
        };
        figures.reading(pool)
    }
}

/// The question for a pool's total of shares.
#[derive(Debug, Clone, Copy)]
pub enum AskedTotal {
    /// To an ERC-20 alone.
    Supply(Handle<IERC20::totalSupplyCall>),
    /// To a pool of the `legacy` profile.
    Legacy(Handle<ILegacyPool::totalSharesCall>),
}

/// Asks for the total of shares only.
pub fn ask_total(batch: &mut Batch<'_>, pool: &Pool) -> AskedTotal {
    match pool.abi {
        Abi::Erc4626 | Abi::Viddhana => {
            AskedTotal::Supply(batch.add(pool.address, &IERC20::totalSupplyCall {}))
        }
        Abi::Legacy => AskedTotal::Legacy(batch.add(pool.address, &ILegacyPool::totalSharesCall {})),
    }
}

impl AskedTotal {
    /// The total of shares in base units.
    ///
    /// # Errors
    /// As [`Asked::read`].
    pub fn read(self, reply: &BatchReply, pool: &Pool) -> Result<Base> {
        let total = match self {
            Self::Supply(handle) => reply.get(handle),
            Self::Legacy(handle) => reply.get(handle),
        };
        total.map_err(|e| e.into_error(pool.abi.noun()))
    }
}

/// Reads a pool's answer to `paused()`. A vault that never had such a function is not paused; one that had it and does not
/// answer is not known to be unpaused.
///
/// # Errors
/// As [`Asked::read`].
pub fn read_paused(answer: Result<bool, CallError>, pool: &Pool) -> Result<bool> {
    match pool.abi {
        Abi::Erc4626 => match answer {
            Err(e) if pool.can_pause_at(e.block.number) => Err(e.into_error(pool.abi.noun())),
            answer => Ok(erc4626::paused(answer)?.unwrap_or_default()),
        },
        Abi::Legacy | Abi::Viddhana => answer.map_err(|e| e.into_error(pool.abi.noun())),
    }
}

/// The risk engine that a pool contract names; `None` where its profile has none, or it names nobody.
///
/// # Errors
/// As [`Asked::read`], and those of the transport.
pub async fn risk_engine(view: &PinnedView, abi: Abi, pool: Address) -> Result<Option<Address>> {
    if abi != Abi::Viddhana {
        return Ok(None);
    }
    let mut batch = view.batch();
    let engine = batch.add(pool, &IViddhanaPool::riskEngineCall {});
    let engine = batch.send().await?.get(engine).map_err(|e| e.into_error(abi.noun()))?;
    Ok(Some(engine).filter(|engine| !engine.is_zero()))
}
