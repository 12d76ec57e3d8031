//! The `legacy` engine: one function per limit, with a circuit breaker and an emergency pause for each pool. It knows
//! no member's limits and no switches for deposits or withdrawals.

use super::RowDecoder;
use crate::risk::source::limit;
use alloy::primitives::Address;
use base::redact;
use evm::{Batch, CallError};
use sol::ILegacyEngine as Legacy;

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

/// Asks such an engine for a pool.
pub(super) fn ask(batch: &mut Batch<'_>, engine: Address, pool: Address) -> RowDecoder {
    let max_tvl = batch.add(engine, &Legacy::getMaxTvlCall { pool });
    let max_daily = batch.add(engine, &Legacy::getMaxDailyWithdrawalsCall { pool });
    let breaker = batch.add(engine, &Legacy::isCircuitBreakerActiveCall { pool });
    let reason = batch.add(engine, &Legacy::circuitBreakerReasonCall { pool });
    let emergency = batch.add(engine, &Legacy::emergencyPausedCall { pool });
    Box::new(move |reply, mut row| {
        let engine = |e: CallError| e.into_error("risk engine");
        row.parameters.max_tvl = limit(reply.get(max_tvl).map_err(engine)?);
        row.parameters.daily_withdrawal_cap = limit(reply.get(max_daily).map_err(engine)?);
        row.parameters.engine_emergency = reply.get(emergency).map_err(engine)?;
        row.parameters.engine_breaker = reply.get(breaker).map_err(engine)?.then(|| {
            // An open breaker is open, whether or not it can say why.
            let reason = redact::words(&reply.get(reason).unwrap_or_default());
            if reason.is_empty() { "no reason given".to_owned() } else { reason }
        });
        (row.deposits_enabled, row.withdrawals_enabled) = (true, true);
        Ok(row)
    })
}
