//! `poolctl pool rescan`: a pool's transfers read again, and what that changes.

use crate::output::{Outcome, Page, Present, Table};
use crate::shell::at::AtFlag;
use crate::shell::options::DryRun;
use crate::shell::session::Session;
use app::App;
use app::pools::pool::rescan::{RescanOutput, verify};
use base::Result;
use base::amount::to_people;
use clap::Args;
use vault::pool::{self, Pool};
use vault::sync::{self, Range};

/// Read a pool's transfers again and correct the state; exit 5 if paid epochs turn out wrong
///
/// Reads twice, at two endpoints where there are two, in smaller ranges than sync. Nothing is written unless both readings
/// agree, no receipt has a transfer that is to be removed, the holders add up to the total of shares, and balanceOf confirms
/// every member whose shares change. Paid rewards are never rewritten: epochs that were paid on wrong transfers are listed with the difference of each member.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool rescan main --from 19500000 --dry-run")]
pub struct Rescan {
    /// Name or address of the pool
    pool: String,
    /// First block to read again [default: the pool's deploy block]
    #[arg(long, value_name = "BLOCK", allow_negative_numbers = true)]
    from: Option<u64>,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
}

impl Rescan {
    /// # Errors
    /// `drift` where nothing could be proved, or where paid epochs turn out wrong; what the services say.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let at = self.at.or(&app.config)?;
        // What cannot be done is refused before the lock is taken and anything is sent.
        let Pool { name, .. } = {
            let state = app.read()?;
            let found = pool::find(state.conn(), &self.pool)?;
            Range::of(&found, self.from)?;
            found
        };
        let output = app
            .write_on_chain(self.dry.dry_run, async |work, chain| {
                let found = sync::rescan(work, chain, &name, self.from, at).await?;
                let paid = verify(work, &found)?;
                RescanOutput::of(work.state.conn(), found, paid)
            })
            .map_err(|e| e.context(format!("cannot rescan pool \"{name}\"")))?;
        let failure = output.failure();
        let warnings: Vec<String> = output.rolled_back.iter().map(ToString::to_string).collect();
        Ok(Outcome::of(&output)?.warn(warnings).but(failure))
    }
}

impl Present for RescanOutput {
    fn present(&self, page: &mut Page) {
        let shown = |address: &Option<String>| address.clone().unwrap_or_default();
        let mut changes = Table::new(&["CHANGE", ">BLOCK", ">LOG", "FROM", "TO", ">SHARES", "TRANSACTION"]);
        for change in &self.changes {
            changes.row([
                change.change.to_owned(),
                change.block.to_string(),
                change.log_index.to_string(),
                shown(&change.from),
                shown(&change.to),
                change.amount.to_string(),
                change.tx.clone(),
            ]);
        }
        let mut holders = Table::new(&["MEMBER", ">BEFORE", ">AFTER"]);
        for holder in &self.holders {
            let name = holder.member_name.clone().unwrap_or_else(|| holder.member.clone());
            holders.row([name, holder.before.to_string(), holder.after.to_string()]);
        }
        let mut wrong = Table::new(&["EPOCH", "BLOCKS", "MEMBER", ">PAID", ">DUE", ">DIFFERENCE"]);
        let mut figures = Vec::new();
        for epoch in &self.wrong_epochs {
            for reward in &epoch.members {
                let (paid, due) = (&reward.paid, &reward.due);
                let sign = if due.base < paid.base { "-" } else { "+" };
                wrong.row([
                    epoch.epoch.to_string(),
                    format!("{}..{}", epoch.start_block, epoch.end_block),
                    reward.member_name.clone().unwrap_or_else(|| reward.member.clone()),
                    paid.to_string(),
                    due.to_string(),
                    format!("{sign}{}", to_people(paid.base.abs_diff(due.base), paid.decimals)),
                ]);
            }
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
            figures.extend(epoch.figures.iter().map(|figure| {
                let (stored, computed) = (text(&figure.stored), text(&figure.computed));
                format!("epoch {}: {} is {stored}, computed {computed}", epoch.epoch, figure.field)
            }));
        }
        for table in [changes, holders, wrong] {
            if !table.is_empty() {
                page.table(table);
            }
        }
        for line in figures {
            page.line(line);
        }
        page.line(format!(
            "{}: blocks {} to {} read again at {}: {} transfers added, {} removed, {} holders changed, {} new transfers",
            self.pool,
            self.from_block,
            self.to_block,
            self.endpoints.join(" and "),
            self.added,
            self.removed,
            self.holders_changed,
            self.transfers
        ));
        page.line(&self.view);
    }
}
