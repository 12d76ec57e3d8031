//! The `legacy` profile. Its `exchangeRate()` is the assets of 10^18 base units of shares, in base units; limits of 0
//! are none. The contract need not say what its asset is: the operator does.

use super::detect::{Question, question};
use super::sol::{ILegacyPool, IPausable};
use super::{Figures, Limits, MaxDeposit, limit, seconds};
use alloy::primitives::Address;
use base::Result;
use base::amount::{Base, E18};
use evm::{Batch, BatchReply, CallError, Handle};
use vault::pool::Pool;
use vault::pool::rate::{Rate, Totals};

/// The questions to a pool of this profile.
#[derive(Debug)]
pub struct Asked {
    total_assets: Handle<ILegacyPool::totalValueLockedCall>,
    total_shares: Handle<ILegacyPool::totalSharesCall>,
    rate: Handle<ILegacyPool::exchangeRateCall>,
    paused: Handle<IPausable::pausedCall>,
    min_deposit: Handle<ILegacyPool::minDepositAmountCall>,
    max_deposit: Handle<ILegacyPool::maxDepositAmountCall>,
    cooldown: Handle<ILegacyPool::withdrawalCooldownSecondsCall>,
}

impl Asked {
    pub(super) fn new(batch: &mut Batch<'_>, to: Address) -> Self {
        Self {
            total_assets: batch.add(to, &ILegacyPool::totalValueLockedCall {}),
            total_shares: batch.add(to, &ILegacyPool::totalSharesCall {}),
            rate: batch.add(to, &ILegacyPool::exchangeRateCall {}),
            paused: batch.add(to, &IPausable::pausedCall {}),
            min_deposit: batch.add(to, &ILegacyPool::minDepositAmountCall {}),
            max_deposit: batch.add(to, &ILegacyPool::maxDepositAmountCall {}),
            cooldown: batch.add(to, &ILegacyPool::withdrawalCooldownSecondsCall {}),
        }
    }

    pub(super) fn read(&self, reply: &BatchReply, pool: &Pool) -> Result<Figures> {
        let it = |e: CallError| e.into_error(pool.abi.noun());
        Ok(Figures {
            totals: Totals {
                assets: reply.get(self.total_assets).map_err(it)?,
                shares: reply.get(self.total_shares).map_err(it)?,
                virtual_shares: Base::ZERO,
            },
            rate: Rate { assets: reply.get(self.rate).map_err(it)?, share_places: E18 },
            finer: None,
            paused: Some(reply.get(self.paused).map_err(it)?),
            limits: Limits {
                min_deposit: limit(reply.get(self.min_deposit).map_err(it)?),
                max_deposit: limit(reply.get(self.max_deposit).map_err(it)?)
                    .map_or(MaxDeposit::Unlimited, MaxDeposit::Most),
                cooldown_sec: Some(seconds(pool, reply.get(self.cooldown).map_err(it)?)?),
            },
        })
    }
}

/// What a contract must answer to be such a pool.
pub(super) fn required(batch: &mut Batch<'_>, to: Address) -> Vec<Question> {
    vec![
        question(batch, to, &ILegacyPool::totalValueLockedCall {}),
        question(batch, to, &ILegacyPool::totalSharesCall {}),
        question(batch, to, &ILegacyPool::exchangeRateCall {}),
        question(batch, to, &IPausable::pausedCall {}),
        question(batch, to, &ILegacyPool::minDepositAmountCall {}),
        question(batch, to, &ILegacyPool::maxDepositAmountCall {}),
        question(batch, to, &ILegacyPool::withdrawalCooldownSecondsCall {}),
    ]
}
