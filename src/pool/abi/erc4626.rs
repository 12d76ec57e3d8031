//! The `erc4626` profile: a tokenized vault of EIP-4626, with `paused()` if it answers.

use super::detect::{Question, question};
use super::sol::{IERC20, IERC4626, IPausable};
use super::{Figures, Limits, MaxDeposit};
use crate::amount::pow10;
use crate::evm::{Batch, BatchReply, CallError, Handle};
use crate::output::{Code, Error, Result};
use crate::pool::Pool;
use crate::pool::rate::Rate;
use alloy::primitives::{Address, U256};

/// The questions to a vault.
#[derive(Debug)]
pub struct Asked {
    total_assets: Handle<IERC4626::totalAssetsCall>,
    total_shares: Handle<IERC20::totalSupplyCall>,
    per_share: Handle<IERC4626::convertToAssetsCall>,
    max_deposit: Handle<IERC4626::maxDepositCall>,
    paused: Handle<IPausable::pausedCall>,
}

impl Asked {
    pub(super) fn new(batch: &mut Batch<'_>, pool: &Pool, receiver: Address) -> Result<Self> {
        let to = pool.address;
        let shares = pow10(pool.share_decimals)
            .ok_or_else(|| Error::new(Code::Bug, format!("{} decimals", pool.share_decimals)))?;
        Ok(Self {
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
        let offset = pool.share_decimals.saturating_sub(pool.asset.decimals);
        Ok(Figures {
            total_assets: reply.get(self.total_assets).map_err(vault)?,
            total_shares: reply.get(self.total_shares).map_err(vault)?,
            rate,
            // As OpenZeppelin's `ERC4626` works out its rate; vaults that do not are consistent too.
            virtual_shares: pow10(offset).unwrap_or(U256::ONE),
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
