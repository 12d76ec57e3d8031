//! The `viddhana` profile. Its `exchangeRate()` is the assets of 10^18 base units of shares, in base units; a smallest
//! deposit of 0 is none. The contract names its asset and its risk engine.

use super::figures::{FigureReader, Figures, seconds};
use super::profile::{Limits, MaxDeposit, limit};
use super::question::{Question, question};
use super::sol::{IERC20, IERC4626, IPausable, IViddhanaPool};
use crate::pool::rate::{Rate, Totals};
use alloy::primitives::Address;
use base::amount::{Base, E18};
use evm::{Batch, CallError};

/// Asks a pool of this profile.
pub(super) fn ask(batch: &mut Batch<'_>, to: Address) -> FigureReader {
    let total_assets = batch.add(to, &IERC4626::totalAssetsCall {});
    let total_shares = batch.add(to, &IERC20::totalSupplyCall {});
    let rate = batch.add(to, &IViddhanaPool::exchangeRateCall {});
    let paused = batch.add(to, &IPausable::pausedCall {});
    let min_deposit = batch.add(to, &IViddhanaPool::minDepositAmountCall {});
    let cooldown = batch.add(to, &IViddhanaPool::withdrawalCooldownCall {});
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
                max_deposit: MaxDeposit::Unlimited,
                cooldown_sec: Some(seconds(pool, reply.get(cooldown).map_err(it)?)?),
            },
        })
    })
}

/// What a contract must answer to be such a pool.
pub(super) fn required(batch: &mut Batch<'_>, to: Address) -> Vec<Question> {
    vec![
        question(batch, to, &IERC4626::totalAssetsCall {}),
        question(batch, to, &IERC20::totalSupplyCall {}),
        question(batch, to, &IViddhanaPool::exchangeRateCall {}),
        question(batch, to, &IPausable::pausedCall {}),
        question(batch, to, &IViddhanaPool::minDepositAmountCall {}),
        question(batch, to, &IViddhanaPool::withdrawalCooldownCall {}),
        question(batch, to, &IERC4626::assetCall {}),
        question(batch, to, &IViddhanaPool::riskEngineCall {}),
    ]
}
