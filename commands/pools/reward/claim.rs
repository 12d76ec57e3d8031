//! `poolctl reward pending|claim`: what is owed, and its claim.

use crate::pools::table;
use crate::shell::prelude::*;
use app::paging::cursor;
use app::pools::reward::{ClaimOutput, ClaimableView, OwedView, PendingOutput, PendingView, totals};
use rusqlite::Connection;
use vault::pool::{self, Member, Pool};
use vault::reward::{self, Claimed, Owed, Pending};

/// Show rewards that are not claimed yet
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl reward pending alice")]
pub struct PendingCommand {
    /// Name or address of a member; none = all, with what each pool owes
    member: Option<String>,
    /// Only of this pool
    #[arg(long)]
    pool: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

impl PendingCommand {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        let conn = look.conn();
        let only = self.pool.as_deref().map(|name| pool::find(conn, name)).transpose()?;
        let output = match &self.member {
            Some(member) => self.of_one(conn, &pool::find_member(conn, member)?, only.as_ref())?,
            None => self.of_all(conn, only.as_ref())?,
        };
        Outcome::list(output, |output| (&output.pending, &output.end), self.paging.csv)
    }

    fn of_one(&self, conn: &Connection, member: &Member, only: Option<&Pool>) -> Result<PendingOutput> {
        let pending = reward::pending(conn, member, only)?;
        let totals = totals(pending.iter().map(|one| (one.asset.as_str(), &one.amount)))?;
        let (pending, end) = self.paging.window().of_whole(pending, |one| cursor(&one.pool, &one.asset))?;
        Ok(PendingOutput {
            member: Some(member.address.to_string()),
            pending: ClaimableView::of(member, pending).collect(),
            end,
            pools: Vec::new(),
            totals,
            exported: on_chain(conn, member, only)?,
        })
    }

    fn of_all(&self, conn: &Connection, only: Option<&Pool>) -> Result<PendingOutput> {
        let window = self.paging.window();
        let after = window.after()?.unwrap_or_default();
        let found = reward::pending_of_all(conn, only, after, window.reach())?;
        let (found, end) = window.page(found, None, |(member, _)| member.id.to_string());
        let owed = reward::owed(conn, only)?;
        let totals = totals(owed.iter().map(|one| (one.asset.as_str(), &one.amount)))?;
        let view = |Owed { pool, asset, amount }: Owed| OwedView {
            pool,
            asset,
            symbol: amount.symbol.clone(),
            amount,
        };
        Ok(PendingOutput {
            member: None,
            pending: found
                .into_iter()
                .flat_map(|(member, pending)| ClaimableView::of(&member, pending))
                .collect(),
            end,
            pools: owed.into_iter().map(view).collect(),
            totals,
            exported: Vec::new(),
        })
    }
}

/// What a member has in Merkle trees.
fn on_chain(conn: &Connection, member: &Member, only: Option<&Pool>) -> Result<Vec<PendingView>> {
    Ok(reward::pending_on_chain(conn, member, only)?.into_iter().map(PendingView::from).collect())
}

fn show_exported(exported: &[PendingView], page: &mut Page) {
    for e in exported {
        let epochs = counted(e.epochs, "epoch");
        page.line(format!(
            "{} of pool \"{}\" ({epochs}): in Merkle trees, to be claimed on chain",
            e.amount, e.pool
        ));
    }
}

impl Present for PendingOutput {
    fn present(&self, page: &mut Page) {
        let rows = self.pending.iter().map(|one| {
            let ClaimableView { member, member_name, pending } = one;
            cells![member_name.as_ref().unwrap_or(member), pending.pool, pending.amount, pending.epochs]
        });
        if !table(page, ["MEMBER", "POOL", ">PENDING", ">EPOCHS"], rows) {
            page.line("nothing pending");
        }
        for one in &self.pools {
            page.line(format!("pool \"{}\" owes {}", one.pool, one.amount));
        }
        if self.pools.len() > 1 || self.pending.len() > 1 {
            let sums: Vec<String> = self.totals.iter().map(|total| total.amount.to_string()).collect();
            page.line(format!("together {}", sums.join(", ")));
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
                return Ok(Outcome::of(ClaimOutput { member, credited: Vec::new(), exported, event: None }));
            }
            (member, only, exported)
        };
        let claimed = app.write(self.dry.dry_run, |work| {
            // Where it is another amount by the time of the answer, it is asked again.
            state::anew(|| {
                let pending = reward::pending(work.state.conn(), &member, only.as_ref())?;
                if pending.is_empty() {
                    // Another claim was faster.
                    return Ok(Claimed { event: None, credited: Vec::new() });
                }
                let agreed = app.value_permit(work.permit, &question(&pending, &member))?;
                reward::claim(work, &agreed, &member, only.as_ref(), &pending)
            })
        })?;
        Ok(Outcome::of(ClaimOutput {
            member: member.address.to_string(),
            credited: claimed.credited.into_iter().map(PendingView::from).collect(),
            exported,
            event: claimed.event,
        }))
    }
}

/// What a claim asks consent for.
fn question(pending: &[Pending], member: &Member) -> String {
    let sums: Vec<String> = pending.iter().map(|p| format!("{} of pool \"{}\"", p.amount, p.pool)).collect();
    format!("claim {} for {}", sums.join(", "), member.shown())
}

impl Present for ClaimOutput {
    fn present(&self, page: &mut Page) {
        if self.credited.is_empty() {
            page.line("nothing to claim");
        }
        for c in &self.credited {
            let epochs = counted(c.epochs, "epoch");
            let what = format!("{} of pool \"{}\" ({epochs})", c.amount, c.pool);
            page.line(format!("credited {what} to {}", self.member));
        }
        show_exported(&self.exported, page);
    }
}
