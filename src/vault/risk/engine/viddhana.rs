//! The `viddhana` engine: one configuration per pool, and switches for all.

use super::RowDecoder;
use crate::risk::source::limit;
use alloy::primitives::Address;
use base::{Code, Error};
use evm::{Batch, CallError};
use sol::IViddhanaEngine as Viddhana;

/// The Solidity interface.
mod sol {
    alloy::sol! {
        interface IViddhanaEngine {
            function poolConfigs(address pool) external view returns (
                uint256 maxTvl, uint256 maxUserDeposit, uint256 dailyWithdrawalCap,
                bool depositsEnabled, bool withdrawalsEnabled, bool active);
            function emergencyMode() external view returns (bool);
            function paused() external view returns (bool);
        }
    }
}

/// Asks such an engine for a pool.
pub(super) fn ask(batch: &mut Batch<'_>, engine: Address, pool: Address) -> RowDecoder {
    let config = batch.add(engine, &Viddhana::poolConfigsCall { pool });
    let emergency = batch.add(engine, &Viddhana::emergencyModeCall {});
    let paused = batch.add(engine, &Viddhana::pausedCall {});
    Box::new(move |reply, mut row| {
        let engine = |e: CallError| e.into_error("risk engine");
        let config = reply.get(config).map_err(engine)?;
        let emergency = reply.get(emergency).map_err(engine)? || reply.get(paused).map_err(engine)?;
        if !config.active {
            let why = "the engine does not know this pool (active is false)";
            return Err(Error::new(Code::MissingSetting, why).hint("configure the pool at the engine"));
        }
        row.parameters.max_tvl = limit(config.maxTvl);
        row.parameters.max_user_deposit = limit(config.maxUserDeposit);
        row.parameters.user_daily_cap = limit(config.dailyWithdrawalCap);
        (row.parameters.engine_emergency, row.parameters.engine_breaker) = (emergency, None);
        (row.deposits_enabled, row.withdrawals_enabled) = (config.depositsEnabled, config.withdrawalsEnabled);
        Ok(row)
    })
}
