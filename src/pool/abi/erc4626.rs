//! The `erc4626` profile: a tokenized vault of EIP-4626, with `paused()` if it answers.

use super::detect::{Question, question};
use super::sol::{IERC20, IERC4626, IPausable};
use super::{Figures, Limits, MaxDeposit};
use alloy::primitives::{Address, U256};
use base::amount::{E18, pow10};
use base::{Code, Error, Result};
use evm::{Batch, BatchReply, CallError, Handle};
use vault::pool::Pool;
use vault::pool::rate::{Rate, Totals};

/// The questions to a vault.
#[derive(Debug)]
pub struct Asked {
    total_assets: Handle<IERC4626::totalAssetsCall>,
    total_shares: Handle<IERC20::totalSupplyCall>,
    per_share: Handle<IERC4626::convertToAssetsCall>,
    /// Of so many shares that 18 decimals of the rate can be told, and the power of ten that they are.
    finer: Option<(Handle<IERC4626::convertToAssetsCall>, u8)>,
    max_deposit: Handle<IERC4626::maxDepositCall>,
    paused: Handle<IPausable::pausedCall>,
}

impl Asked {
    pub(super) fn new(batch: &mut Batch<'_>, pool: &Pool, receiver: Address) -> Result<Self> {
        let to = pool.address;
        let shares = pow10(pool.share_decimals)
            .ok_or_else(|| Error::new(Code::Bug, format!("{} decimals", pool.share_decimals)))?;
        let places = pool.share_decimals.saturating_add(E18).checked_sub(pool.asset.decimals);
        let finer = places.filter(|places| *places > pool.share_decimals).and_then(|places| {
            let call = IERC4626::convertToAssetsCall { shares: pow10(places)? };
            Some((batch.add(to, &call), places))
        });
        Ok(Self {
            finer,
            total_assets: batch.add(to, &IERC4626::totalAssetsCall {}),
            total_shares: batch.add(to, &IERC20::totalSupplyCall {}),
            per_share: batch.add(to, &IERC4626::convertToAssetsCall { shares }),
            max_deposit: batch.add(to, &IERC4626::maxDepositCall { receiver }),
            paused: batch.add(to, &IPausable::pausedCall {}),
        })
    }

    pub(super) fn read(&self, reply: &BatchReply, pool: &Pool) -> Result<Figures> {
        let vault = |e: CallError| e.into_error(pool.abi.noun());
        let rate =
            Rate { assets: reply.get(self.per_share).map_err(vault)?, share_places: pool.share_decimals };
        // A vault may find so many shares too many.
        let finer = match self.finer {
            Some((asked, share_places)) => {
                reply.get_optional(asked).map_err(vault)?.map(|assets| Rate { assets, share_places })
            }
            None => None,
        };
        let offset = pool.share_decimals.saturating_sub(pool.asset.decimals);
        Ok(Figures {
            totals: Totals {
                assets: reply.get(self.total_assets).map_err(vault)?,
                shares: reply.get(self.total_shares).map_err(vault)?,
                virtual_shares: pow10(offset).unwrap_or(U256::ONE),
            },
            rate,
            finer,
            paused: paused(reply.get(self.paused))?,
            limits: Limits { max_deposit: most(reply.get(self.max_deposit))?, ..Limits::default() },
        })
    }
}

/// A vault's largest deposit. EIP-4626: 2^256-1 stands for no limit, and there is always an answer.
fn most(answer: Result<U256, CallError>) -> Result<MaxDeposit> {
    match answer {
        Ok(U256::MAX) => Ok(MaxDeposit::Unlimited),
        Ok(most) => Ok(MaxDeposit::Most(most)),
        Err(e) if e.of_contract() => Ok(MaxDeposit::Unknown(e.sentence("vault"))),
        Err(e) => Err(e.into_error("vault")),
    }
}

/// Whether a vault is paused; `None` where it has no such function.
pub(super) fn paused(answer: Result<bool, CallError>) -> Result<Option<bool>> {
    match answer {
        Ok(paused) => Ok(Some(paused)),
        // A fallback that answers something else: there is no such function.
        Err(e) if e.of_contract() => Ok(None),
        Err(e) => Err(e.into_error("vault")),
    }
}

/// What a contract must answer to be such a vault.
pub(super) fn required(batch: &mut Batch<'_>, to: Address) -> Vec<Question> {
    vec![
        question(batch, to, &IERC4626::assetCall {}),
        question(batch, to, &IERC4626::totalAssetsCall {}),
        question(batch, to, &IERC20::totalSupplyCall {}),
        question(batch, to, &IERC4626::convertToAssetsCall { shares: U256::ONE }),
        question(batch, to, &IERC20::decimalsCall {}),
    ]
}
