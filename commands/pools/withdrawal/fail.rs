//! `poolctl withdrawal fail`: give it up, and free its shares.

use crate::output::{Outcome, Page, Present};
use crate::shell::options::{DryRun, REASON, one_line};
use crate::shell::session::Session;
use app::App;
use app::pools::withdrawal::FailOutput;
use app::pools::withdrawal::WithdrawalView;
use base::Result;
use clap::Args;
use vault::pool;
use vault::withdrawal::{Evidence, fail, find};

/// Give a withdrawal up: its shares are free again
///
/// One whose transaction is known must have failed for good: it is looked up on the chain first.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl withdrawal fail 7 --reason withdrawn")]
pub struct Fail {
    /// The withdrawal, by its id
    #[arg(allow_negative_numbers = true)]
    id: i64,
    /// Why; it stands in the list and in the audit log
    #[arg(long)]
    reason: String,
    /// Do not look at the chain: on your word, its transaction never moves the shares
    #[arg(long)]
    unverified: bool,
    #[command(flatten)]
    dry: DryRun,
}

impl Fail {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let reason = one_line("--reason", &self.reason, REASON)?;
        let app = App::open(session)?;
        // Who does not exist is told before the lock is taken.
        find(app.read()?.conn(), self.id)?;
        let (failed, pools) = app.write_async(self.dry.dry_run, async |work| {
            let evidence = if self.unverified {
                let what = format!("free the shares of withdrawal {} without looking at the chain", self.id);
                Evidence::Word(app.value_permit(work.permit, &what)?)
            } else {
                Evidence::Chain
            };
            let failed = fail(work, || app.chain(), self.id, reason, evidence).await?;
            Ok((failed, pool::list(work.state.conn())?))
        })?;
        let withdrawal = WithdrawalView::in_pools(&pools, failed.withdrawal)?;
        Outcome::of(&FailOutput { changed: failed.changed, withdrawal })
    }
}

impl Present for FailOutput {
    fn present(&self, page: &mut Page) {
        if !self.changed {
            page.line("nothing to change");
        }
        page.line(self.withdrawal.line());
        page.line(format!("reason: {}", self.withdrawal.error.as_deref().unwrap_or("–")));
    }
}
