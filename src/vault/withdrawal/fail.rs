//! Giving a withdrawal up: its shares are free again, unless its transaction moved them or still may.

use super::complete::pool_of;
use super::evidence::{Evidence, Sight, look};
use super::store::{self, Status, Withdrawal};
use super::subject;
use base::{Code, Error, Result, say};
use evm::Chain;
use serde_json::json;
use state::WriteContext;

/// How it stands afterwards.
#[derive(Debug, Clone)]
pub struct Failed {
    /// The withdrawal.
    pub withdrawal: Withdrawal,
    /// False where it had failed before; the first reason stays.
    pub changed: bool,
}

/// Ends a withdrawal as failed, and frees what it reserved: `conflict` where its shares have left the member, `outcome_unknown`
/// where its transaction may still move them. An error changes nothing.
pub async fn fail(
    work: &mut WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    id: i64,
    reason: &str,
    evidence: Evidence<'_>,
) -> Result<Failed> {
    state::anew_async(async || decide(work, &chain, id, reason, evidence).await).await
}

async fn decide(
    work: &mut WriteContext<'_>,
    chain: impl Fn() -> Result<Chain>,
    id: i64,
    reason: &str,
    evidence: Evidence<'_>,
) -> Result<Failed> {
    let found = store::find(work.state.conn(), id)?;
    if found.status == Status::Failed {
        return Ok(Failed { withdrawal: found, changed: false });
    }
    if found.is_replayed() {
        return Err(conflict(&found, "its shares have left the member"));
    }
    let permit = match evidence {
        Evidence::Word(agreed) => agreed.permit(),
        Evidence::Chain => {
            if let Some(tx) = found.tx {
                let pool = pool_of(work.state.conn(), &found)?;
                let (sight, _) = look(&chain()?, work.state.conn(), &pool, &found, tx).await?;
                moves_nothing(&found, sight)?;
            } else if found.status == Status::Completed {
                return Err(conflict(&found, "it was completed on your word")
                    .hint(say("take that back with ").with("unverified")));
            }
            work.permit
        }
    };
    let unverified = matches!(evidence, Evidence::Word(_));
    let withdrawal = work.state.write(permit, |db| {
        store::must_be(db.conn(), &found)?;
        store::set_failed(db, id, reason)?;
        db.event(
            "withdrawal.failed",
            &subject(id),
            &json!({ "was": found.status.as_str(), "tx": found.tx, "reason": reason, "unverified": unverified }),
        )?;
        store::find(db.conn(), id)
    })?;
    Ok(Failed { withdrawal, changed: true })
}

/// Whether it is certain that the transaction neither moved the shares nor ever will.
fn moves_nothing(found: &Withdrawal, sight: Sight) -> Result<()> {
    let why = match sight {
        Sight::Refuted { for_good: true, .. } => return Ok(()),
        Sight::Moved(_) => {
            return Err(conflict(found, "its transaction moved the shares")
                .hint(say("complete it: ").run("withdrawal complete").of("ID")));
        }
        Sight::Refuted { for_good: false, .. } => "failed in a block that is not final yet".to_owned(),
        Sight::NotFinal(why) => why,
        Sight::Waiting => "waits to be taken into a block".to_owned(),
        Sight::Unknown => "is not known to the endpoint, and may be to others".to_owned(),
    };
    let tx = found.tx.map(|tx| tx.to_string()).unwrap_or_default();
    let why = format!(
        "withdrawal {} cannot be given up: its transaction {tx} {why}, and may still move the shares",
        found.id
    );
    Err(Error::new(Code::OutcomeUnknown, why)
        .hint(say("run it again later; if you know that it never will, say so with ").with("unverified"))
        .detail("withdrawal", found.id))
}

fn conflict(found: &Withdrawal, why: &str) -> Error {
    Error::new(Code::Conflict, format!("withdrawal {} cannot fail: {why}", found.id))
        .detail("withdrawal", found.id)
}
