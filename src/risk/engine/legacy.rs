//! The `legacy` engine: one function per limit, with a circuit breaker and an emergency pause for each pool. It knows
//! no member's limits and no switches for deposits or withdrawals.

use super::limit;
use alloy::primitives::Address;
use base::{Result, redact};
use evm::{Batch, BatchReply, CallError, Handle};
use sol::ILegacyEngine as Legacy;
use vault::risk::parameters::RiskRow;

/// The Solidity interface.
mod sol {
    alloy::sol! {
        interface ILegacyEngine {
            function getMaxTvl(address pool) external view returns (uint256);
            function getMaxDailyWithdrawals(address pool) external view returns (uint256);
            function isCircuitBreakerActive(address pool) external view returns (bool);
            function circuitBreakerReason(address pool) external view returns (string);
            function emergencyPaused(address pool) external view returns (bool);
        }
    }
}

/// The questions to such an engine.
pub(in vault::risk) struct Asked {
    max_tvl: Handle<Legacy::getMaxTvlCall>,
    max_daily: Handle<Legacy::getMaxDailyWithdrawalsCall>,
    breaker: Handle<Legacy::isCircuitBreakerActiveCall>,
    reason: Handle<Legacy::circuitBreakerReasonCall>,
    emergency: Handle<Legacy::emergencyPausedCall>,
}

impl Asked {
    pub(super) fn new(batch: &mut Batch<'_>, engine: Address, pool: Address) -> Self {
        Self {
            max_tvl: batch.add(engine, &Legacy::getMaxTvlCall { pool }),
            max_daily: batch.add(engine, &Legacy::getMaxDailyWithdrawalsCall { pool }),
            breaker: batch.add(engine, &Legacy::isCircuitBreakerActiveCall { pool }),
            reason: batch.add(engine, &Legacy::circuitBreakerReasonCall { pool }),
            emergency: batch.add(engine, &Legacy::emergencyPausedCall { pool }),
        }
    }

    pub(super) fn read(&self, reply: &BatchReply, mut row: RiskRow) -> Result<RiskRow> {
        let engine = |e: CallError| e.into_error("risk engine");
        row.parameters.max_tvl = limit(reply.get(self.max_tvl).map_err(engine)?);
        row.parameters.daily_withdrawal_cap = limit(reply.get(self.max_daily).map_err(engine)?);
        row.parameters.engine_emergency = reply.get(self.emergency).map_err(engine)?;
        row.parameters.engine_breaker = if reply.get(self.breaker).map_err(engine)? {
            // An open breaker is open, whether or not it can say why.
            let reason = reply.get(self.reason).unwrap_or_default();
            let reason = redact::words(&reason);
            Some(if reason.is_empty() { "no reason given".to_owned() } else { reason })
        } else {
            None
        };
        (row.deposits_enabled, row.withdrawals_enabled) = (true, true);
        Ok(row)
    }
}
