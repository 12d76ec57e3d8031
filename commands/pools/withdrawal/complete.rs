//! `poolctl withdrawal complete`: by the transaction that moved its shares, or on the operator's word.

use crate::output::{Outcome, Page, Present};
use crate::shell::options::DryRun;
use crate::shell::session::Session;
use app::App;
use app::pools::withdrawal::CompleteOutput;
use app::pools::withdrawal::WithdrawalView;
use base::Result;
use clap::Args;
use config::value::tx_hash;
use vault::pool;
use vault::withdrawal::{Complete, Completed, Evidence, complete, find};

/// Complete a withdrawal by the transaction that moved its shares
///
/// The transaction must have succeeded in a final block, and must burn or transfer exactly the withdrawal's shares of
/// that pool from that member. While its block is not final the withdrawal is processing, exit 76: run it again.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl withdrawal complete 7 --tx 0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060"
)]
pub struct CompleteCommand {
    /// The withdrawal, by its id
    #[arg(allow_negative_numbers = true)]
    id: i64,
    /// The transaction; not needed where the withdrawal names it already
    #[arg(long, value_name = "HASH")]
    tx: Option<String>,
    /// Do not look at the chain: it is complete on your word, and marked so
    #[arg(long)]
    unverified: bool,
    #[command(flatten)]
    dry: DryRun,
}

impl CompleteCommand {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let tx = self.tx.as_deref().map(|text| tx_hash("tx", text)).transpose()?;
        let app = App::open(session)?;
        // Who does not exist is told before the lock is taken.
        find(app.read()?.conn(), self.id)?;
        let (done, pools) = app.write_async(self.dry.dry_run, async |work| {
            let evidence = if self.unverified {
                let what = format!("complete withdrawal {} without looking at the chain", self.id);
                Evidence::Word(app.value_permit(work.permit, &what)?)
            } else {
                Evidence::Chain
            };
            let done = complete(work, || app.chain(), Complete { id: self.id, tx, evidence }).await?;
            Ok((done, pool::list(work.state.conn())?))
        })?;
        let Completed { withdrawal, changed, open, view } = done;
        let withdrawal = WithdrawalView::in_pools(&pools, withdrawal)?;
        Ok(Outcome::of(&CompleteOutput { changed, withdrawal, view })?.but(open))
    }
}

impl Present for CompleteOutput {
    fn present(&self, page: &mut Page) {
        if !self.changed {
            page.line("nothing to change");
        }
        page.line(self.withdrawal.line());
        if let Some(tx) = &self.withdrawal.tx_hash {
            page.line(format!("transaction {tx}"));
        }
        if let Some(view) = &self.view {
            page.line(view);
        }
    }
}
