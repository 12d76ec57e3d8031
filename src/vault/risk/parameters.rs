//! Risk parameters of a pool as the state has them: set here or given by an engine, with when they were confirmed.

use super::source::Engine;
use crate::pool::{self, Pool};
use base::amount::Base;
use base::{Code, Error, Result, clock, say};
use evm::ViewStamp;
use rusqlite::{Connection, params};
use serde_json::json;
use state::columns::maybe_at;
use state::{Tx, WriteContext, rows};
use strum::{EnumString, VariantNames};

/// Whole window that daily caps look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, EnumString, strum::IntoStaticStr, VariantNames)]
pub enum Window {
    /// Since midnight UTC.
    #[default]
    #[strum(serialize = "utc-day")]
    UtcDay,
    /// The last 24 hours.
    #[strum(serialize = "rolling-24h")]
    Rolling24h,
}

state::stored_as_word!(Window);
crate::words!(Window);

impl Window {
    /// Reads the word.
    pub fn parse(word: &str) -> Result<Self> {
        word.parse().map_err(|_| {
            Error::field(Code::InvalidValue, "window", format_args!("invalid window: \"{word}\""))
                .hint(format!("windows: {}", Self::VARIANTS.join(", ")))
        })
    }

    /// Its first second at `now`, both since 1970.
    pub const fn start(self, now: i64) -> i64 {
        const DAY: i64 = 86_400;
        match self {
            Self::UtcDay => now - now.rem_euclid(DAY),
            Self::Rolling24h => now - DAY,
        }
    }
}

/// Limits and flags as last confirmed; `None` = unlimited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Largest TVL, base units of the pool's asset.
    pub max_tvl: Option<Base>,
    /// Largest deposit of one member, base units.
    pub max_user_deposit: Option<Base>,
    /// Largest sum of withdrawals in a window, base units.
    pub daily_withdrawal_cap: Option<Base>,
    /// The same for one member.
    pub user_daily_cap: Option<Base>,
    /// Withdrawals in 24 h, in millionths of TVL, that trip the breaker.
    pub breaker_threshold_ppm: Option<u32>,
    /// The engine's breaker, with its reason.
    pub engine_breaker: Option<String>,
    /// The engine's emergency mode or pause.
    pub engine_emergency: bool,
}

/// The row of a pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RiskRow {
    /// Where the values come from.
    pub engine: Engine,
    /// The values.
    pub parameters: Parameters,
    /// What daily caps look at.
    pub window: Window,
    /// Whether the engine takes deposits.
    pub deposits_enabled: bool,
    /// Whether the engine lets out.
    pub withdrawals_enabled: bool,
    /// The local emergency pause, with its reason.
    pub local_pause: Option<String>,
    /// Since when, seconds since 1970.
    pub local_paused_at: Option<i64>,
    /// When the values were last confirmed, seconds since 1970; `None` = never.
    pub refreshed_at: Option<i64>,
    /// Block and endpoint of the engine's answer.
    pub source: Option<(u64, String)>,
}

impl RiskRow {
    /// Whether limits were ever given: a pool that was only paused has none of its own.
    pub fn is_set(&self) -> bool {
        self.engine != Engine::Local || self.refreshed_at.is_some()
    }
}

/// A pool's row.
pub fn row(conn: &Connection, pool: &Pool) -> Result<Option<RiskRow>> {
    let sql =
        "SELECT engine, engine_address, max_tvl, max_user_deposit, daily_withdrawal_cap, user_daily_cap, window,
             breaker_threshold_ppm, deposits_enabled, withdrawals_enabled, engine_breaker, engine_breaker_reason,
             engine_emergency, local_pause_reason, refreshed_at, block_number, endpoint, local_paused_at
         FROM pool_risk_parameters WHERE pool_id = ?1";
    rows::first(conn, sql, [pool.id], |row| {
        let (breaker, reason): (bool, Option<String>) =
            (row.get("engine_breaker")?, row.get("engine_breaker_reason")?);
        Ok(state::from_row!(row => RiskRow {
            window, deposits_enabled, withdrawals_enabled, local_paused_at, refreshed_at
        } and {
            engine: Engine::parse(&row.get::<_, String>("engine")?, maybe_at(row, "engine_address")?)?,
            parameters: Parameters {
                max_tvl: maybe_at(row, "max_tvl")?,
                max_user_deposit: maybe_at(row, "max_user_deposit")?,
                daily_withdrawal_cap: maybe_at(row, "daily_withdrawal_cap")?,
                user_daily_cap: maybe_at(row, "user_daily_cap")?,
                breaker_threshold_ppm: row.get("breaker_threshold_ppm")?,
                engine_breaker: breaker.then(|| reason.unwrap_or_else(|| "no reason given".into())),
                engine_emergency: row.get("engine_emergency")?,
            },
            local_pause: row.get("local_pause_reason")?,
            source: row.get::<_, Option<_>>("block_number")?.zip(row.get("endpoint")?),
        }))
    })
}

/// The parameters, if they are there and young enough.
pub(super) fn usable(
    row: Option<&RiskRow>,
    now: i64,
    max_age_sec: u64,
    failure: Option<&Error>,
) -> Result<Parameters, String> {
    let because = failure.map_or_else(String::new, |e| format!(": {e}"));
    let Some(row) = row.filter(|row| row.is_set()) else { return Err("no risk parameters are set".into()) };
    let Some(refreshed_at) = row.refreshed_at else {
        return Err(format!("the {} engine was never read{because}", row.engine.as_str()));
    };
    let Some(age) = clock::age(refreshed_at, now) else {
        return Err(format!("the parameters are dated in the future, {}", clock::rfc3339(refreshed_at)));
    };
    if age > max_age_sec {
        let (age, limit) = (clock::span(age), clock::span(max_age_sec));
        return Err(format!("the parameters are {age} old, the limit is {limit}{because}"));
    }
    Ok(row.parameters.clone())
}

/// What `risk set` changes; `None` leaves a value as it is.
#[derive(Debug, Clone, Default)]
pub struct SetRisk {
    /// Where values come from.
    pub engine: Option<Engine>,
    /// `Some(None)` = unlimited, here and below; asset base units.
    pub max_tvl: Option<Option<Base>>,
    /// Of one member.
    pub max_user_deposit: Option<Option<Base>>,
    /// Of all members.
    pub daily_withdrawal_cap: Option<Option<Base>>,
    /// Of one member.
    pub user_daily_cap: Option<Option<Base>>,
    /// Millionths of TVL.
    pub breaker_threshold_ppm: Option<Option<u32>>,
    /// What daily caps look at.
    pub window: Option<Window>,
}

impl SetRisk {
    /// A pool's row, which may be none, with these changes.
    fn applied(&self, pool: &Pool, before: Option<RiskRow>) -> Result<RiskRow> {
        let unset = || RiskRow { deposits_enabled: true, withdrawals_enabled: true, ..RiskRow::default() };
        let mut after = before.unwrap_or_else(unset);
        if let Some(engine) = self.engine.filter(|engine| *engine != after.engine) {
            (after.engine, after.refreshed_at, after.source) = (engine, None, None);
            if engine == Engine::Local {
                (after.deposits_enabled, after.withdrawals_enabled) = (true, true);
                (after.parameters.engine_breaker, after.parameters.engine_emergency) = (None, false);
            }
        }
        if let Some(limit) = self.taken(after.engine) {
            let (name, engine) = (&pool.name, after.engine.as_str());
            let why = format!("the limits of pool \"{name}\" come from its {engine} engine");
            return Err(Error::field(Code::Conflict, limit, why)
                .hint(say("set them at the engine, or take them over with ").with("engine").of("local")));
        }
        let p = &mut after.parameters;
        for (slot, value) in [
            (&mut p.max_tvl, self.max_tvl),
            (&mut p.max_user_deposit, self.max_user_deposit),
            (&mut p.daily_withdrawal_cap, self.daily_withdrawal_cap),
            (&mut p.user_daily_cap, self.user_daily_cap),
        ] {
            if let Some(value) = value {
                *slot = value.filter(|limit| !limit.is_zero());
            }
        }
        p.breaker_threshold_ppm = self.breaker_threshold_ppm.unwrap_or(p.breaker_threshold_ppm);
        after.window = self.window.unwrap_or(after.window);
        Ok(after)
    }

    /// The first limit that is given and that the engine gives.
    fn taken(&self, engine: Engine) -> Option<&'static str> {
        [
            ("max-tvl", self.max_tvl),
            ("max-user-deposit", self.max_user_deposit),
            ("daily-withdrawal-cap", self.daily_withdrawal_cap),
            ("user-daily-cap", self.user_daily_cap),
        ]
        .into_iter()
        .find_map(|(limit, value)| value.and(Some(limit)).filter(|limit| engine.gives().contains(limit)))
    }
}

/// Changes a pool's parameters; `conflict` for a value that the pool's engine gives, `state_changed` where the units of the limits
/// are others by now. Returns the row and whether anything changed.
pub fn set(work: &mut WriteContext<'_>, pool: &Pool, change: &SetRisk) -> Result<(RiskRow, bool)> {
    work.state.write(work.permit, |tx| {
        if pool::by_id(tx.conn(), pool.id)?.asset.decimals != pool.asset.decimals {
            return Err(state::changed(format_args!("the decimals of {}", pool.asset.symbol)));
        }
        let before = row(tx.conn(), pool)?;
        let mut after = change.applied(pool, before.clone())?;
        if before.is_some_and(|before| before.is_set() && before == after) {
            return Ok((after, false));
        }
        if after.engine == Engine::Local {
            after.refreshed_at = Some(tx.now());
        }
        store(tx, pool, &after, None)?;
        tx.event("risk.set", &pool.name, &summary(&after))?;
        Ok((after, true))
    })
}

/// Writes a pool's row; `view` is the block of an engine's answer.
pub(super) fn store(tx: &Tx<'_>, pool: &Pool, row: &RiskRow, view: Option<&ViewStamp>) -> Result<()> {
    let p = &row.parameters;
    rows::run(
        tx.conn(),
        "INSERT INTO pool_risk_parameters (pool_id, engine, engine_address, max_tvl, max_user_deposit,
             daily_withdrawal_cap, user_daily_cap, window, breaker_threshold_ppm, deposits_enabled,
             withdrawals_enabled, engine_breaker, engine_breaker_reason, engine_emergency, block_number,
             block_hash, endpoint, refreshed_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
         ON CONFLICT (pool_id) DO UPDATE SET engine = ?2, engine_address = ?3, max_tvl = ?4,
             max_user_deposit = ?5, daily_withdrawal_cap = ?6, user_daily_cap = ?7, window = ?8,
             breaker_threshold_ppm = ?9, deposits_enabled = ?10, withdrawals_enabled = ?11, engine_breaker = ?12,
             engine_breaker_reason = ?13, engine_emergency = ?14, block_number = ?15, block_hash = ?16,
             endpoint = ?17, refreshed_at = ?18",
        params![
            pool.id,
            row.engine.as_str(),
            row.engine.address().map(|address| address.to_string()),
            text(p.max_tvl),
            text(p.max_user_deposit),
            text(p.daily_withdrawal_cap),
            text(p.user_daily_cap),
            row.window,
            p.breaker_threshold_ppm,
            row.deposits_enabled,
            row.withdrawals_enabled,
            p.engine_breaker.is_some(),
            p.engine_breaker,
            p.engine_emergency,
            row.source.as_ref().map(|(block, _)| *block),
            view.map(|view| view.hash.to_string()),
            row.source.as_ref().map(|(_, endpoint)| endpoint),
            row.refreshed_at,
        ],
    )
}

fn text(value: Option<Base>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// The row for the audit log.
pub(super) fn summary(row: &RiskRow) -> serde_json::Value {
    let p = &row.parameters;
    json!({ "engine": row.engine.as_str(), "engine_address": row.engine.address().map(|address| address.to_string()), "max_tvl": text(p.max_tvl),
            "max_user_deposit": text(p.max_user_deposit), "daily_withdrawal_cap": text(p.daily_withdrawal_cap),
            "user_daily_cap": text(p.user_daily_cap), "window": row.window.as_str(),
            "breaker_threshold_ppm": p.breaker_threshold_ppm, "engine_emergency": p.engine_emergency,
            "deposits_enabled": row.deposits_enabled, "withdrawals_enabled": row.withdrawals_enabled })
}
