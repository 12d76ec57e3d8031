//! Asking for a withdrawal: validated and reserved in one write, and once for each key.

use super::store::{self, New, Withdrawal};
use super::subject;
use super::validate::verdict;
use base::amount::Base;
use base::{Code, Error, Result};
use rusqlite::Connection;
use serde_json::json;
use state::{ValuePermit, Work};
use vault::pool::validate::Verdict;
use vault::pool::{self, Member, Pool};
use vault::risk;

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
/// # Errors
/// `conflict` showing both where the key stands for another request; `state_error`.
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
    Err(Error::new(
        Code::Conflict,
        format!(
            "the idempotency key \"{key}\" stands for withdrawal {}, {}; this is another request: {}",
            found.id,
            told(found.pool_id, &found.member, found.shares),
            told(ask.pool.id, ask.member, ask.shares)
        ),
    )
    .hint("give another request a key of its own")
    .detail("withdrawal", found.id))
}

/// Validates a request and reserves its shares, at once.
///
/// # Errors
/// `conflict` for a key that stands for another request, `state_error`.
pub fn request(work: &mut Work<'_>, agreed: &ValuePermit<'_>, ask: &Request<'_>) -> Result<Requested> {
    let config = work.config;
    work.state.write(agreed.permit(), |tx| {
        if let Some(found) = earlier(tx.conn(), ask)? {
            return Ok(Requested::Already(found));
        }
        // Read anew: it may have been synced since the caller found it.
        let pool = pool::find(tx.conn(), &ask.pool.name)?;
        let (verdict, assets) = verdict(tx.conn(), config, &pool, ask.member, ask.shares, tx.now())?;
        let (true, Some(assets)) = (verdict.valid(), assets) else { return Ok(Requested::Refused(verdict)) };
        let new = New { pool: &pool, member: ask.member, shares: ask.shares, assets, key: ask.key };
        let id = store::insert(tx, &new)?;
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
