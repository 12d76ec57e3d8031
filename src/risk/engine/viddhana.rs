//! The `viddhana` engine: one configuration per pool, and switches for all.

use super::limit;
use alloy::primitives::Address;
use base::{Code, Error, Result};
use evm::{Batch, BatchReply, CallError, Handle};
use sol::IViddhanaEngine as Viddhana;
use vault::risk::parameters::RiskRow;

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

/// The questions to such an engine.
pub(in vault::risk) struct Asked {
    config: Handle<Viddhana::poolConfigsCall>,
    emergency: Handle<Viddhana::emergencyModeCall>,
    paused: Handle<Viddhana::pausedCall>,
}

impl Asked {
    pub(super) fn new(batch: &mut Batch<'_>, engine: Address, pool: Address) -> Self {
        Self {
            config: batch.add(engine, &Viddhana::poolConfigsCall { pool }),
            emergency: batch.add(engine, &Viddhana::emergencyModeCall {}),
            paused: batch.add(engine, &Viddhana::pausedCall {}),
        }
    }

    pub(super) fn read(&self, reply: &BatchReply, mut row: RiskRow) -> Result<RiskRow> {
        let engine = |e: CallError| e.into_error("risk engine");
        let config = reply.get(self.config).map_err(engine)?;
        let emergency =
            reply.get(self.emergency).map_err(engine)? || reply.get(self.paused).map_err(engine)?;
        if !config.active {
            return Err(Error::new(
                Code::MissingSetting,
                "the engine does not know this pool (active is false)",
            )
            .hint("configure the pool at the engine"));
        }
        row.parameters.max_tvl = limit(config.maxTvl);
        row.parameters.max_user_deposit = limit(config.maxUserDeposit);
        row.parameters.user_daily_cap = limit(config.dailyWithdrawalCap);
        row.parameters.engine_emergency = emergency;
        row.parameters.engine_breaker = None;
        row.deposits_enabled = config.depositsEnabled;
        row.withdrawals_enabled = config.withdrawalsEnabled;
        Ok(row)
    }
}
