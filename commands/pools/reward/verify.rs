//! `poolctl reward epoch verify`: what was paid, computed again.

use super::epoch::pool_of;
use crate::shell::prelude::*;
use app::pools::reward::epoch::VerifyOutput;
use base::amount::{Base, parse_base};
use rusqlite::Connection;
use vault::pool::{self, Pool};
use vault::reward::{self, Difference, Subject, Verification};

/// Compute epochs again from the chain and compare row by row; exit 5 on any difference
///
/// The Transfer logs are read again from the pool's creation on, with the hashes of the epochs' last blocks and whether the
/// pool was paused there. With --offline, pauses are taken from the state.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl reward epoch verify --all --endpoint backup")]
pub struct Verify {
    /// Id of an epoch; none = all that are distributed
    #[arg(allow_negative_numbers = true, conflicts_with_all = ["all", "pool"])]
    epoch: Option<i64>,
    /// All distributed epochs
    #[arg(long)]
    all: bool,
    /// Only those of this pool
    #[arg(long)]
    pool: Option<String>,
    /// Ask this endpoint alone, by its name
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// Compute from the transfers in the state, without the network
    #[arg(long, conflicts_with = "endpoint")]
    offline: bool,
}

impl Verify {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let at = app.config.require("evm.at")?.parse()?;
        let state = app.read()?;
        let look = state.look()?;
        let conn = look.conn();
        let subjects = self.subjects(conn)?;
        let (progress, stop) = (app.progress(), &session.call.stop);
        let found = if self.offline || subjects.is_empty() {
            reward::verify_stored(conn, &subjects, progress, stop)?
        } else {
            app.look_on_chain(self.endpoint.as_deref(), async |chain| {
                reward::verify_on_chain(conn, chain, at, &subjects, progress, stop).await
            })?
        };
        let failure = failure(&found);
        Ok(Outcome::of(VerifyOutput::of(conn, found)?).but(failure))
    }

    fn subjects(&self, conn: &Connection) -> Result<Vec<Subject>> {
        let pools = match (&self.pool, self.epoch) {
            (Some(name), _) => vec![pool::find(conn, name)?],
            (None, Some(id)) => {
                let row = reward::epoch(conn, id)?;
                if row.distributed_at.is_none() {
                    return Err(Error::new(Code::InvalidValue, format!("epoch {id} is not distributed yet"))
                        .hint(format!("when its last block is final: poolctl reward epoch distribute {id}"))
                        .detail("epoch", id));
                }
                let pool = pool_of(&pool::list(conn)?, &row)?;
                return Ok(vec![Subject { pool, epochs: vec![row] }]);
            }
            (None, None) => pool::list(conn)?,
        };
        let subject = |pool: Pool| Ok(Subject { epochs: reward::distributed_epochs(conn, &pool)?, pool });
        let mut subjects = pools.into_iter().map(subject).collect::<Result<Vec<_>>>()?;
        subjects.retain(|subject| !subject.epochs.is_empty());
        Ok(subjects)
    }
}

fn failure(found: &Verification) -> Option<Error> {
    let first = found.differences.first()?;
    let wrong = found.epochs.iter().filter(|epoch| epoch.differences > 0).count();
    let (total, epochs) = (found.total, found.epochs.len());
    let words = format!(
        "{} in {wrong} of {}; first: {}",
        counted(total, "difference"),
        counted(epochs, "epoch"),
        named(first)
    );
    let hint = "what was paid is not what it comes to; see: poolctl events --verify, poolctl state check";
    Some(Error::new(Code::CheckFailed, words).hint(hint).detail("differences", total))
}

fn named(difference: &Difference) -> String {
    format!(
        "epoch {} of pool \"{}\": {}{} is {}, computed {}",
        difference.epoch,
        difference.pool,
        difference.member.as_ref().map(|member| format!("{member}: ")).unwrap_or_default(),
        difference.field,
        difference.stored.as_deref().unwrap_or("nothing"),
        difference.computed.as_deref().unwrap_or("nothing"),
    )
}

impl Present for VerifyOutput {
    fn present(&self, page: &mut Page) {
        if self.epochs.is_empty() {
            page.line("nothing to verify: no epoch is distributed");
            return;
        }
        let heads = ["EPOCH", "POOL", "MEMBER", "FIGURE", ">STORED", ">COMPUTED"];
        page.rows(heads, &self.differences, |d| {
            let (stored, computed) = (shown(d.stored.as_ref()), shown(d.computed.as_ref()));
            cells![d.epoch, d.pool, d.member, d.field, stored, computed]
        });
        let rewards: u64 = self.epochs.iter().map(|epoch| epoch.rewards).sum();
        page.line(format!(
            "{} with {} computed again: {}",
            counted(self.epochs.len(), "epoch"),
            counted(rewards, "reward"),
            counted(self.difference_count, "difference")
        ));
        match &self.view {
            Some(view) => page.line(view),
            None => page.line("from the transfers in the state; the chain was not asked"),
        };
    }
}

/// Base units, with separators where it is an amount.
fn shown(value: Option<&String>) -> String {
    let Some(text) = value else { return String::new() };
    parse_base(text).map_or_else(|| text.clone(), |amount: Base| base::amount::to_people(amount, 0))
}
