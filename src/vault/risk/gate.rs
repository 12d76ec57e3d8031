//! Whether a pool may move: everything that stands in the way of its deposits, withdrawals and rewards, whoever asks and
//! whatever the amount.

use super::breaker::{Breaker, breaker};
use super::parameters::{Parameters, RiskRow, row, usable};
use super::rules::Rule;
use crate::pool::{Pool, known::Known};
use base::{Error, Result};
use config::Config;
use rusqlite::Connection;

/// One thing in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Barrier {
    /// The parameters are missing or too old: deny, never allow.
    RiskUnknown(String),
    /// The operator's emergency pause: its reason, and when it began, seconds since 1970.
    #[allow(missing_docs, reason = "said above")]
    Paused { reason: String, since: Option<i64> },
    /// The engine's emergency mode or pause.
    EnginePaused,
    /// Our circuit breaker.
    BreakerOpen(Breaker),
    /// The engine's circuit breaker, with its reason.
    EngineBreaker(String),
    /// The pool's contract changed, and the operator has not accepted that.
    ContractChanged(String),
    /// The pool is retired since then, seconds since 1970.
    Retired(i64),
}

impl Barrier {
    /// Why, in words.
    pub fn why(&self) -> String {
        match self {
            Self::RiskUnknown(why) | Self::ContractChanged(why) => why.clone(),
            Self::Paused { reason, .. } => format!("paused here: {reason}"),
            Self::EnginePaused => "paused at the engine".to_owned(),
            Self::BreakerOpen(Breaker { rule, reason, .. }) => format!("{rule}: {reason}"),
            Self::EngineBreaker(reason) => format!("at the engine: {reason}"),
            Self::Retired(_) => "the pool is retired".to_owned(),
        }
    }

    /// Since when, seconds since 1970, where that is recorded.
    pub const fn since(&self) -> Option<i64> {
        match self {
            Self::Paused { since, .. } => *since,
            Self::BreakerOpen(breaker) => Some(breaker.triggered_at),
            Self::Retired(since) => Some(*since),
            _ => None,
        }
    }

    /// The rule that says the same; a change of the contract is none, nor is retirement.
    pub const fn rule(&self) -> Option<Rule> {
        match self {
            Self::RiskUnknown(_) => Some(Rule::RiskUnknown),
            Self::Paused { .. } | Self::EnginePaused => Some(Rule::EmergencyPause),
            Self::BreakerOpen(_) | Self::EngineBreaker(_) => Some(Rule::CircuitBreakerActive),
            Self::ContractChanged(_) | Self::Retired(_) => None,
        }
    }
}

/// What the risk side says of a pool before anything goes in or out.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Everything in the way; empty = nothing is.
    pub barriers: Vec<Barrier>,
    /// The limits in force, or why they are unknown, which stands among the barriers.
    pub parameters: Result<Parameters, String>,
    /// The whole row: windows, and what the engine lets in and out.
    pub row: Option<RiskRow>,
}

/// Looks at a pool's parameters, pauses and breakers as they stand in the state at `now`, seconds since 1970.
pub fn gate(conn: &Connection, config: &Config, pool: &Pool, now: i64) -> Result<Gate> {
    gate_after(conn, config, pool, now, None)
}

/// As [`gate`], where the parameters could not be refreshed just now for this reason. What the engine said last holds until it
/// is heard again, however long ago that was.
pub(super) fn gate_after(
    conn: &Connection,
    config: &Config,
    pool: &Pool,
    now: i64,
    failure: Option<&Error>,
) -> Result<Gate> {
    let row = row(conn, pool)?;
    let parameters = usable(row.as_ref(), now, config.number("risk.max_age_sec")?, failure);
    let mut barriers = Vec::new();
    barriers.extend(parameters.as_ref().err().cloned().map(Barrier::RiskUnknown));
    if let Some(row) = &row {
        let paused = |reason| Barrier::Paused { reason, since: row.local_paused_at };
        barriers.extend(row.local_pause.clone().map(paused));
        barriers.extend(row.parameters.engine_emergency.then_some(Barrier::EnginePaused));
    }
    let open = breaker(conn, pool)?.filter(|breaker| breaker.active);
    barriers.extend(open.map(Barrier::BreakerOpen));
    let engine = row.as_ref().and_then(|row| row.parameters.engine_breaker.clone());
    barriers.extend(engine.map(Barrier::EngineBreaker));
    let changed = pool.contract.as_ref().and_then(Known::change);
    barriers.extend(changed.map(Barrier::ContractChanged));
    barriers.extend(pool.retired_at.map(Barrier::Retired));
    Ok(Gate { barriers, parameters, row })
}
