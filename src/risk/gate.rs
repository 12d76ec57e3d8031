//! What stands in the way of every deposit and withdrawal of a pool, whoever asks and whatever the amount.

use super::breaker::breaker;
use super::check::usable;
use super::parameters::{RiskRow, row};
use super::rules::Parameters;
use base::Result;
use config::Config;
use rusqlite::Connection;
use vault::pool::Pool;
use vault::pool::contract::Known;

/// One thing in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Barrier {
    /// The parameters are missing or too old: deny, never allow.
    RiskUnknown(String),
    /// The emergency pause holds, ours or the engine's.
    EmergencyPaused(String),
    /// The circuit breaker is open, ours or the engine's.
    BreakerActive(String),
    /// The pool's contract changed, and the operator has not accepted that.
    ContractChanged(String),
}

impl Barrier {
    /// The stable reason code.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::RiskUnknown(_) => "risk_unknown",
            Self::EmergencyPaused(_) => "emergency_paused",
            Self::BreakerActive(_) => "breaker_active",
            Self::ContractChanged(_) => "contract_changed",
        }
    }

    /// Why, in words.
    pub fn why(&self) -> &str {
        match self {
            Self::RiskUnknown(why)
            | Self::EmergencyPaused(why)
            | Self::BreakerActive(why)
            | Self::ContractChanged(why) => why,
        }
    }
}

/// What the risk side says of a pool before anything goes in or out.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Everything in the way; empty = nothing is.
    pub barriers: Vec<Barrier>,
    /// The limits in force; `None` = unknown, which stands among the barriers.
    pub parameters: Option<Parameters>,
    /// The whole row: windows, and what the engine lets in and out.
    pub row: Option<RiskRow>,
}

/// Looks at a pool's parameters, pauses and breakers as they stand in the state at `now`, seconds since 1970.
///
/// # Errors
/// `state_error`, `state_corrupt`.
pub fn gate(conn: &Connection, config: &Config, pool: &Pool, now: i64) -> Result<Gate> {
    let row = row(conn, pool)?;
    let parameters = usable(row.as_ref(), now, config.number("risk.max_age_sec")?, None);
    let mut barriers = Vec::new();
    if let Err(why) = &parameters {
        barriers.push(Barrier::RiskUnknown(why.clone()));
    }
    // What the engine said last holds until it is heard again, however long ago that was.
    let engine = row.as_ref().map(|row| &row.parameters);
    let paused_here = row.as_ref().and_then(|row| row.local_pause.clone());
    barriers.extend(paused_here.map(|why| Barrier::EmergencyPaused(format!("paused here: {why}"))));
    if engine.is_some_and(|p| p.engine_emergency) {
        barriers.push(Barrier::EmergencyPaused("paused at the engine".into()));
    }
    let open = breaker(conn, pool)?.filter(|breaker| breaker.active);
    barriers.extend(open.map(|open| Barrier::BreakerActive(format!("{}: {}", open.rule, open.reason))));
    if let Some(why) = engine.and_then(|p| p.engine_breaker.as_ref()) {
        barriers.push(Barrier::BreakerActive(format!("at the engine: {why}")));
    }
    let changed = pool.contract.as_ref().and_then(Known::change);
    barriers.extend(changed.map(Barrier::ContractChanged));
    Ok(Gate { barriers, parameters: parameters.ok(), row })
}
