//! `poolctl reward pending|claim`: what is owed, and its claim.

use crate::pools::table;
use crate::shell::prelude::*;
use app::pools::reward::{ClaimOutput, PendingOutput, PendingView};
use base::amount::Quantity;
use rusqlite::Connection;
use vault::pool::{self, Member, Pool};
use vault::reward::{self, Claimed};

/// Show rewards that are not claimed yet
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl reward pending alice")]
pub struct PendingCommand {
    /// Name or address of a member; none = what each pool owes in all
    member: Option<String>,
    /// Only of this pool
    #[arg(long)]
    pool: Option<String>,
}

impl PendingCommand {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let conn = state.conn();
        let only = self.pool.as_deref().map(|name| pool::find(conn, name)).transpose()?;
        let Some(member) = &self.member else {
            let total = |(pool, amount): (String, Quantity)| PendingView {
                pool,
                symbol: amount.symbol.clone(),
                amount,
                epochs: None,
            };
            let pending = reward::owed(conn, only.as_ref())?.into_iter().map(total).collect();
            return Outcome::of(&PendingOutput { member: None, pending, exported: Vec::new() });
        };
        let member = pool::find_member(conn, member)?;
        let pending = reward::pending(conn, &member, only.as_ref())?;
        Outcome::of(&PendingOutput {
            member: Some(member.address.to_string()),
            pending: pending.into_iter().map(PendingView::from).collect(),
            exported: on_chain(conn, &member, only.as_ref())?,
        })
    }
}

/// What a member has in Merkle trees.
fn on_chain(conn: &Connection, member: &Member, only: Option<&Pool>) -> Result<Vec<PendingView>> {
    Ok(reward::pending_on_chain(conn, member, only)?.into_iter().map(PendingView::from).collect())
}

fn show_exported(exported: &[PendingView], page: &mut Page) {
    for e in exported {
        let epochs = counted(e.epochs.unwrap_or_default(), "epoch");
        page.line(format!(
            "{} of pool \"{}\" ({epochs}): in Merkle trees, to be claimed on chain",
            e.amount, e.pool
        ));
    }
}

impl Present for PendingOutput {
    fn present(&self, page: &mut Page) {
        let rows = self.pending.iter().map(|p| cells![p.pool, p.amount, p.epochs]);
        if !table(page, ["POOL", ">PENDING", ">EPOCHS"], rows) {
            page.line("nothing pending");
        }
        show_exported(&self.exported, page);
    }
}

/// Claim a member's rewards: its unclaimed rows are marked and their sum is credited, at once
///
/// Claiming again credits nothing and ends with exit 0. What is in a Merkle tree (reward export --merkle) is left out and
/// listed: it can only be claimed on chain.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl reward claim alice --all")]
pub struct Claim {
    /// Name or address of the member
    member: String,
    /// Name or address of the pool
    #[arg(required_unless_present = "all")]
    pool: Option<String>,
    /// Of all pools
    #[arg(long, conflicts_with = "pool")]
    all: bool,
    #[command(flatten)]
    dry: DryRun,
}

impl Claim {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let (member, only, exported) = {
            let state = app.read()?;
            let member = pool::find_member(state.conn(), &self.member)?;
            let only = self.pool.as_deref().map(|name| pool::find(state.conn(), name)).transpose()?;
            let exported = on_chain(state.conn(), &member, only.as_ref())?;
            if reward::pending(state.conn(), &member, only.as_ref())?.is_empty() {
                // Nothing to do needs no lock and no consent.
                let member = member.address.to_string();
                return Outcome::of(&ClaimOutput { member, credited: Vec::new(), exported, event: None });
            }
            (member, only, exported)
        };
        let claimed = app.write(self.dry.dry_run, |work| {
            let Some(what) = question(work.state.conn(), &member, only.as_ref())? else {
                // Another claim was faster while this one waited for the lock.
                return Ok(Claimed { event: None, credited: Vec::new() });
            };
            let agreed = app.value_permit(work.permit, &what)?;
            reward::claim(work, &agreed, &member, only.as_ref())
        })?;
        Outcome::of(&ClaimOutput {
            member: member.address.to_string(),
            credited: claimed.credited.into_iter().map(PendingView::from).collect(),
            exported,
            event: claimed.event,
        })
    }
}

/// What a claim asks consent for; `None` where there is nothing to claim.
fn question(conn: &Connection, member: &Member, only: Option<&Pool>) -> Result<Option<String>> {
    let pending = reward::pending(conn, member, only)?;
    let sums: Vec<String> = pending.iter().map(|p| format!("{} of pool \"{}\"", p.amount, p.pool)).collect();
    Ok((!sums.is_empty()).then(|| format!("claim {} for {}", sums.join(", "), member.shown())))
}

impl Present for ClaimOutput {
    fn present(&self, page: &mut Page) {
        if self.credited.is_empty() {
            page.line("nothing to claim");
        }
        for c in &self.credited {
            let epochs = counted(c.epochs.unwrap_or_default(), "epoch");
            let what = format!("{} of pool \"{}\" ({epochs})", c.amount, c.pool);
            page.line(format!("credited {what} to {}", self.member));
        }
        show_exported(&self.exported, page);
    }
}
