//! Asking for a withdrawal: validated by what the state knows and reserved in one write, and once for each key.

use super::rules::{Facts, Figures, Holding, check};
use super::store::{self, Withdrawal, reserved};
use super::subject;
use crate::pool::{self, Member, Pool, Snapshot};
use crate::risk::verdict::{Verdict, known, parse_amount, usable};
use crate::risk::{self, Window};
use base::amount::Base;
use base::{Code, Error, Result};
use config::Config;
use rusqlite::Connection;
use serde_json::json;
use state::{ValuePermit, WriteContext};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// From this pool.
    pub pool: &'a Pool,
    /// By this member.
    pub member: &'a Member,
    /// So many shares, base units.
    pub shares: Base,
    /// A key of the caller's own: with it, the same request is taken once.
    pub key: Option<&'a str>,
}

/// What became of it.
#[derive(Debug, Clone)]
pub enum Requested {
    /// It is pending, its shares are reserved.
    New {
        /// The withdrawal.
        withdrawal: Withdrawal,
        /// Whether it opened the pool's circuit breaker.
        opened_breaker: bool,
    },
    /// It was asked for before, with the same key; this is what became of it.
    Already(Withdrawal),
    /// It does not validate; nothing was written.
    Refused(Verdict),
}

/// The withdrawal that was asked for before with the same key.
///
/// `conflict` showing both where the key stands for another request.
pub fn earlier(conn: &Connection, ask: &Request<'_>) -> Result<Option<Withdrawal>> {
    let Some(key) = ask.key else { return Ok(None) };
    let Some(found) = store::by_key(conn, key)? else { return Ok(None) };
    if (found.pool_id, found.member.id, found.shares) == (ask.pool.id, ask.member.id, ask.shares) {
        return Ok(Some(found));
    }
    let pools = pool::list(conn)?;
    let told = |pool_id: i64, member: &Member, shares: Base| {
        let pool = pools.iter().find(|pool| pool.id == pool_id);
        let shares = pool.map_or_else(|| shares.to_string(), |pool| pool.shares(shares).to_string());
        format!("{shares} of {} from pool \"{}\"", member.shown(), pool.map_or("?", |pool| &pool.name))
    };
    let why = format!(
        "the idempotency key \"{key}\" stands for withdrawal {}, {}; this is another request: {}",
        found.id,
        told(found.pool_id, &found.member, found.shares),
        told(ask.pool.id, ask.member, ask.shares)
    );
    Err(Error::new(Code::Conflict, why)
        .hint("give another request a key of its own")
        .detail("withdrawal", found.id))
}

/// Validates a request and reserves its shares, at once.
pub fn request(
    work: &mut WriteContext<'_>,
    agreed: &ValuePermit<'_>,
    ask: &Request<'_>,
) -> Result<Requested> {
    let config = work.config;
    work.state.write(agreed.permit(), |tx| {
        if let Some(found) = earlier(tx.conn(), ask)? {
            return Ok(Requested::Already(found));
        }
        // Read anew: it may have been synced since the caller found it.
        let pool = pool::by_id(tx.conn(), ask.pool.id)?;
        let (verdict, assets) = verdict(tx.conn(), config, &pool, ask.member, ask.shares, tx.now())?;
        let (true, Some(assets)) = (verdict.valid, assets) else { return Ok(Requested::Refused(verdict)) };
        let id = store::insert(tx, &pool, ask.member, (ask.shares, assets), ask.key)?;
        tx.event(
            "withdrawal.requested",
            &subject(id),
            &json!({ "pool": pool.name, "member": ask.member.address.to_string(), "shares": ask.shares.to_string(),
                     "assets": assets.to_string(), "idempotency_key": ask.key,
                     "shares_at_block": pool.cursor.map(|(block, _)| block) }),
        )?;
        let opened_breaker = risk::watch_withdrawals(tx, &pool)?;
        Ok(Requested::New { withdrawal: store::find(tx.conn(), id)?, opened_breaker })
    })
}

/// A withdrawal as it was typed.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Name or address of the pool.
    pub pool: &'a str,
    /// Name or address of the member.
    pub member: &'a str,
    /// Shares in whole units, with at most the share token's decimals.
    pub shares: &'a str,
}

/// What validating came to.
#[derive(Debug, Clone)]
pub struct Validation {
    /// The pool, if there is one.
    pub pool: Option<Pool>,
    /// The member, if there is one.
    pub member: Option<Member>,
    /// The shares, if they are an amount; base units.
    pub shares: Option<Base>,
    /// What they are worth by the last sync, rounded down; asset base units.
    pub assets: Option<Base>,
    /// The sync that it stands on.
    pub snapshot: Option<Snapshot>,
    /// Every rule that failed.
    pub verdict: Verdict,
}

/// Validates a withdrawal at `now`, seconds since 1970; what is unknown or malformed is among the reasons.
pub fn validate(conn: &Connection, config: &Config, ask: Ask<'_>, now: i64) -> Result<Validation> {
    let mut reasons = Vec::new();
    let pool = known(pool::find(conn, ask.pool), &mut reasons)?;
    let member = known(pool::find_member(conn, ask.member), &mut reasons)?;
    let amount = parse_amount("SHARES", ask.shares, pool.as_ref().map(|pool| pool.share_decimals));
    let shares = amount.map_err(|reason| reasons.push(reason)).ok();
    let (mut assets, mut snapshot) = (None, None);
    if let Some(pool) = &pool {
        snapshot = pool::snapshot(conn, pool)?;
        let facts = facts(conn, config, pool, member.as_ref(), shares, snapshot.as_ref(), now)?;
        assets = facts.assets();
        reasons.extend(check(pool, &facts).reasons);
    }
    Ok(Validation { pool, member, shares, assets, snapshot, verdict: Verdict::of(reasons) })
}

/// As [`validate`], of what is known: the verdict, and the worth of the shares in asset base units where it is
/// known.
pub fn verdict(
    conn: &Connection,
    config: &Config,
    pool: &Pool,
    member: &Member,
    shares: Base,
    now: i64,
) -> Result<(Verdict, Option<Base>)> {
    let snapshot = pool::snapshot(conn, pool)?;
    let facts = facts(conn, config, pool, Some(member), Some(shares), snapshot.as_ref(), now)?;
    Ok((check(pool, &facts), facts.assets()))
}

fn facts(
    conn: &Connection,
    config: &Config,
    pool: &Pool,
    member: Option<&Member>,
    asked: Option<Base>,
    snapshot: Option<&Snapshot>,
    now: i64,
) -> Result<Facts> {
    let gate = risk::gate(conn, config, pool, now)?;
    let window = gate.row.as_ref().map_or(Window::UtcDay, |row| row.window);
    let (withdrawn, by_member) = risk::withdrawn_since(conn, pool, window.start(now))?;
    let member = match member {
        None => None,
        Some(member) => {
            let (shares, last_deposit) = pool::holding(conn, pool.id, member.id)?;
            let withdrawn = by_member.get(&member.id).map(|(_, sum)| *sum).unwrap_or_default();
            Some(Holding { shares, reserved: reserved(conn, pool, member)?, last_deposit, withdrawn })
        }
    };
    let figures = usable(pool, snapshot, now, config.number("risk.max_age_sec")?).map(|s| Figures {
        total_assets: s.total_assets,
        total_shares: s.total_shares,
        paused: s.paused.unwrap_or_default(),
        cooldown_sec: s.cooldown_sec.unwrap_or_default(),
    });
    Ok(Facts {
        asked,
        member,
        figures,
        withdrawals_enabled: gate.row.as_ref().is_none_or(|row| row.withdrawals_enabled),
        daily_cap: gate.parameters.as_ref().ok().and_then(|p| p.daily_withdrawal_cap),
        user_daily_cap: gate.parameters.as_ref().ok().and_then(|p| p.user_daily_cap),
        barriers: gate.barriers,
        window,
        withdrawn,
        now,
    })
}
