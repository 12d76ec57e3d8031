//! The `viddhana` profile. Its `exchangeRate()` is the assets of 10^18 base units of shares, in base units; a smallest
//! deposit of 0 is none. The contract names its asset and its risk engine.

use super::detect::{Question, question};
use super::sol::{IERC20, IERC4626, IPausable, IViddhanaPool};
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
    total_assets: Handle<IERC4626::totalAssetsCall>,
    total_shares: Handle<IERC20::totalSupplyCall>,
    rate: Handle<IViddhanaPool::exchangeRateCall>,
    paused: Handle<IPausable::pausedCall>,
    min_deposit: Handle<IViddhanaPool::minDepositAmountCall>,
    cooldown: Handle<IViddhanaPool::withdrawalCooldownCall>,
}

impl Asked {
    pub(super) fn new(batch: &mut Batch<'_>, to: Address) -> Self {
        Self {
            total_assets: batch.add(to, &IERC4626::totalAssetsCall {}),
            total_shares: batch.add(to, &IERC20::totalSupplyCall {}),
            rate: batch.add(to, &IViddhanaPool::exchangeRateCall {}),
            paused: batch.add(to, &IPausable::pausedCall {}),
            min_deposit: batch.add(to, &IViddhanaPool::minDepositAmountCall {}),
            cooldown: batch.add(to, &IViddhanaPool::withdrawalCooldownCall {}),
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
                max_deposit: MaxDeposit::Unlimited,
                cooldown_sec: Some(seconds(pool, reply.get(self.cooldown).map_err(it)?)?),
            },
        })
    }
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
