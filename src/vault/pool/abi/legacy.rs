//! The `legacy` profile. Its `exchangeRate()` is the assets of 10^18 base units of shares, in base units; limits of 0
//! are none. The contract need not say what its asset is: the operator does.

use super::figures::{FigureReader, Figures, seconds};
use super::profile::{Limits, MaxDeposit, limit};
use super::question::{Question, question};
use super::sol::{ILegacyPool, IPausable};
use crate::pool::rate::{Rate, Totals};
use alloy::primitives::Address;
use base::amount::{Base, E18};
use evm::{Batch, CallError};

/// Asks a pool of this profile.
pub(super) fn ask(batch: &mut Batch<'_>, to: Address) -> FigureReader {
    let total_assets = batch.add(to, &ILegacyPool::totalValueLockedCall {});
    let total_shares = batch.add(to, &ILegacyPool::totalSharesCall {});
    let rate = batch.add(to, &ILegacyPool::exchangeRateCall {});
    let paused = batch.add(to, &IPausable::pausedCall {});
    let min_deposit = batch.add(to, &ILegacyPool::minDepositAmountCall {});
    let max_deposit = batch.add(to, &ILegacyPool::maxDepositAmountCall {});
    let cooldown = batch.add(to, &ILegacyPool::withdrawalCooldownSecondsCall {});
    FigureReader::new(move |reply, pool| {
        let it = |e: CallError| e.into_error(pool.abi.noun());
        let (assets, shares) = (reply.get(total_assets).map_err(it)?, reply.get(total_shares).map_err(it)?);
        Ok(Figures {
            totals: Totals { assets, shares, virtual_shares: Base::ZERO },
            rate: Rate { assets: reply.get(rate).map_err(it)?, share_places: E18 },
            finer: None,
            paused: Some(reply.get(paused).map_err(it)?),
            limits: Limits {
                min_deposit: limit(reply.get(min_deposit).map_err(it)?),
                max_deposit: limit(reply.get(max_deposit).map_err(it)?)
                    .map_or(MaxDeposit::Unlimited, MaxDeposit::Most),
                cooldown_sec: Some(seconds(pool, reply.get(cooldown).map_err(it)?)?),
            },
        })
    })
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
