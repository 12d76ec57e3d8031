//! Completing a withdrawal: by its transaction, or by the operator's word.

use super::evidence::{Evidence, Sight, is_not_replayed_before, look};
use super::sound::must_be_as_asked;
use super::store::{self, Status, Withdrawal};
use super::subject;
use crate::pool::{self, Pool};
use alloy::primitives::B256;
use base::{Code, Error, Result, say};
use evm::{Chain, ViewStamp};
use rusqlite::Connection;
use serde_json::{Value, json};
use state::{Lease, ValuePermit, WriteContext};

/// How it stands afterwards.
#[derive(Debug, Clone)]
pub struct Completed {
    /// The withdrawal.
    pub withdrawal: Withdrawal,
    /// False where it stood like this before.
    pub changed: bool,
    /// Why it is processing and not completed yet: `outcome_unknown`.
    pub open: Option<Error>,
    /// Whose view of the chain; `None` where it was not asked.
    pub view: Option<ViewStamp>,
}

/// Completes a withdrawal by the transaction that moved its shares (`None`: the one that it names already or, by word alone,
/// none). Where its transaction is not final yet it is processing, and a later run completes it.
///
/// Nothing is changed where it is an error: `outcome_unknown` for a transaction that was seen before and is not now.
pub async fn complete(
    work: &mut WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    id: i64,
    tx: Option<B256>,
    evidence: Evidence<'_>,
) -> Result<Completed> {
    let _lease = work.permit.lease(&Lease::Pools)?;
    state::anew_async(async || decide(work, &chain, id, tx, evidence).await).await
}

async fn decide(
    work: &mut WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    id: i64,
    tx: Option<B256>,
    evidence: Evidence<'_>,
) -> Result<Completed> {
    let found = store::find(work.state.conn(), id)?;
    if is_done(&found, tx, evidence)? {
        return Ok(Completed { withdrawal: found, changed: false, open: None, view: None });
    }
    let tx = tx.or(found.tx);
    if let Some(tx) = tx {
        is_free(work.state.conn(), tx, found.id)?;
    }
    match (evidence, tx) {
        (Evidence::Word(agreed), tx) => by_word(work, agreed, &found, tx),
        (Evidence::Chain, Some(tx)) => by_chain(work, &chain()?, found, tx).await,
        (Evidence::Chain, None) => {
            Err(Error::new(Code::Usage, format!("withdrawal {} names no transaction yet", found.id))
                .hint(say("name the one that moved its shares: ").with("tx").of("HASH")))
        }
    }
}

/// Whether it is completed like this already.
fn is_done(found: &Withdrawal, tx: Option<B256>, evidence: Evidence<'_>) -> Result<bool> {
    let otherwise = match found.status {
        Status::Pending | Status::Processing => return Ok(false),
        Status::Failed => format!("failed: {}", found.error.as_deref().unwrap_or("no reason is known")),
        Status::Completed => {
            if found.verified != Some(true) && matches!(evidence, Evidence::Chain) {
                // What stands on the operator's word may be shown by the chain later.
                return Ok(false);
            }
            if tx.is_none_or(|tx| found.tx == Some(tx)) {
                return Ok(true);
            }
            match found.tx {
                Some(tx) => format!("was completed by transaction {tx}"),
                None => "was completed without a transaction".to_owned(),
            }
        }
    };
    Err(Error::new(Code::Conflict, format!("withdrawal {} {otherwise}", found.id))
        .hint(say("see it with: ").run("withdrawal list"))
        .detail("withdrawal", found.id))
}

fn by_word(
    work: &mut WriteContext<'_>,
    agreed: ValuePermit<'_>,
    found: &Withdrawal,
    tx: Option<B256>,
) -> Result<Completed> {
    let withdrawal = work.state.write(agreed.permit(), |db| {
        is_as_found(db.conn(), found, tx)?;
        if let Some(tx) = tx {
            // A word may stand for what the chain cannot show, not against what it has shown.
            is_not_replayed_before(db.conn(), found, tx)?;
        }
        store::set_completed(db, found.id, tx, false)?;
        let told = told(found, tx, json!({ "verified": false }));
        db.event("withdrawal.completed", &subject(found.id), &told)?;
        store::find(db.conn(), found.id)
    })?;
    Ok(Completed { withdrawal, changed: true, open: None, view: None })
}

async fn by_chain(
    work: &mut WriteContext<'_>,
    chain: &Chain,
    found: Withdrawal,
    tx: B256,
) -> Result<Completed> {
    let pool = pool_of(work.state.conn(), &found)?;
    if let Some(before) = found.tx.filter(|before| *before != tx) {
        let (sight, _) = look(chain, work.state.conn(), &pool, &found, before).await?;
        no_longer_moves(&sight, &found, before)?;
    }
    let (sight, view) = look(chain, work.state.conn(), &pool, &found, tx).await?;
    let open = match sight {
        Sight::Moved(receipt) => {
            let kind = if found.status == Status::Completed { "verified" } else { "completed" };
            let shown = json!({ "verified": true, "block": receipt.block_number, "hash": receipt.block_hash,
                                "endpoint": view.endpoint });
            let withdrawal = work.state.write(work.permit, |db| {
                is_as_found(db.conn(), &found, Some(tx))?;
                store::set_completed(db, found.id, Some(tx), true)?;
                let told = told(&found, Some(tx), shown);
                db.event(&format!("withdrawal.{kind}"), &subject(found.id), &told)?;
                store::find(db.conn(), found.id)
            })?;
            return Ok(Completed { withdrawal, changed: true, open: None, view: Some(view) });
        }
        Sight::Refuted { why, .. } => return Err(why),
        Sight::Unknown => return Err(unknown(&found, tx, &view)),
        Sight::NotFinal(why) => later(&found, &format!("transaction {tx} {why}")),
        Sight::Waiting => later(&found, &format!("transaction {tx} is in no block yet")),
    };
    let open = open.hint("run it again when it is final");
    match found.status {
        // By the operator's word it is complete, and stays so.
        Status::Completed | Status::Failed => Err(open),
        Status::Processing if found.tx == Some(tx) => {
            Ok(Completed { withdrawal: found, changed: false, open: Some(open), view: Some(view) })
        }
        Status::Pending | Status::Processing => {
            let withdrawal = work.state.write(work.permit, |db| {
                is_as_found(db.conn(), &found, Some(tx))?;
                store::set_processing(db, found.id, tx)?;
                db.event("withdrawal.processing", &subject(found.id), &told(&found, Some(tx), json!({})))?;
                store::find(db.conn(), found.id)
            })?;
            Ok(Completed { withdrawal, changed: true, open: Some(open), view: Some(view) })
        }
    }
}

/// The withdrawal is what was decided from, and what was asked for; its transaction is no other's.
fn is_as_found(conn: &Connection, found: &Withdrawal, tx: Option<B256>) -> Result<()> {
    must_be_as_asked(conn, found.id)?;
    store::must_be(conn, found)?;
    tx.map_or(Ok(()), |tx| is_free(conn, tx, found.id))
}

/// One that was seen before may be seen again; one that never was may be mistyped.
fn unknown(found: &Withdrawal, tx: B256, view: &ViewStamp) -> Error {
    if found.tx == Some(tx) {
        let why = format!("transaction {tx} is not known any more: it was dropped, or a reorg took it");
        return later(found, &why).hint(
            say("run it again; name the transaction that took its place with ")
                .with("tx")
                .say(", or give the withdrawal up: ")
                .run("withdrawal fail")
                .of("ID"),
        );
    }
    let why = format!("endpoint \"{}\" does not know transaction {tx}", view.endpoint);
    Error::new(Code::UnknownTransaction, why)
        .hint("check the hash; if it was sent just now, run this again")
        .detail("withdrawal", found.id)
}

/// A transaction completes one withdrawal only.
fn is_free(conn: &Connection, tx: B256, id: i64) -> Result<()> {
    let Some(other) = store::by_tx(conn, tx)?.filter(|other| *other != id) else { return Ok(()) };
    let why =
        format!("transaction {tx} is named by withdrawal {other} already; it moves the shares of one only");
    Err(Error::new(Code::Conflict, why)
        .hint(say("check the hash: ").run("withdrawal list"))
        .detail("withdrawal", other))
}

/// The transaction that stood there before must not have moved the shares too.
fn no_longer_moves(sight: &Sight, found: &Withdrawal, before: B256) -> Result<()> {
    if !matches!(sight, Sight::Moved(_) | Sight::NotFinal(_)) {
        return Ok(());
    }
    let id = found.id;
    let why = format!("withdrawal {id} is in process with transaction {before}, which moved its shares");
    Err(Error::new(Code::Conflict, why).hint("complete it with that one").detail("withdrawal", id))
}

fn later(found: &Withdrawal, why: &str) -> Error {
    Error::new(Code::OutcomeUnknown, format!("withdrawal {} is not completed yet: {why}", found.id))
        .detail("withdrawal", found.id)
}

/// The particulars of an event: what every one of them names, and `more`.
fn told(found: &Withdrawal, tx: Option<B256>, more: Value) -> Value {
    let mut told = json!({ "was": found.status.as_str(), "tx": tx });
    if let Some(before) = found.tx.filter(|before| Some(*before) != tx) {
        told["tx_before"] = json!(before);
    }
    if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
        told.extend(more);
    }
    told
}

pub(super) fn pool_of(conn: &Connection, found: &Withdrawal) -> Result<Pool> {
    pool::by_id(conn, found.pool_id).map_err(|e| e.context(format!("withdrawal {}", found.id)))
}
