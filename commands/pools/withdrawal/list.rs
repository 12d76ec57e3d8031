//! `poolctl withdrawal list`: where withdrawals stand.

use crate::output::{Outcome, Page, Present, Table};
use crate::shell::session::Session;
use app::App;
use app::pools::views::age;
use app::pools::withdrawal::ListOutput;
use app::pools::withdrawal::WithdrawalView;
use base::{Result, clock};
use clap::Args;
use vault::pool;
use vault::withdrawal::{Filter, Status, list};

/// List withdrawals, the newest first
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl withdrawal list --status pending --pool main")]
pub struct List {
    /// Only those: pending, processing, completed or failed
    #[arg(long)]
    status: Option<String>,
    /// Only of this member, by name or address
    #[arg(long)]
    member: Option<String>,
    /// Only from this pool, by name or address
    #[arg(long)]
    pool: Option<String>,
    /// Show at most so many
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

impl List {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let status = self.status.as_deref().map(|word| Status::parse("--status", word)).transpose()?;
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        let conn = look.conn();
        let filter = Filter {
            pool: self.pool.as_deref().map(|name| pool::find(conn, name)).transpose()?.map(|pool| pool.id),
            member: self
                .member
                .as_deref()
                .map(|name| pool::find_member(conn, name))
                .transpose()?
                .map(|member| member.id),
            status,
        };
        let mut found = list(conn, &filter, self.limit.saturating_add(1))?;
        let more = found.len() > self.limit as usize;
        found.truncate(self.limit as usize);
        let pools = pool::list(conn)?;
        let now = session.call.run.clock.now();
        let mut output = ListOutput { withdrawals: Vec::with_capacity(found.len()), more, ages: Vec::new() };
        for withdrawal in found {
            output.ages.push(age(withdrawal.requested_at, now));
            output.withdrawals.push(WithdrawalView::in_pools(&pools, withdrawal)?);
        }
        Outcome::of(&output)
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        if self.withdrawals.is_empty() {
            page.line("no withdrawals");
            return;
        }
        let mut table = Table::new(&[
            ">ID",
            "POOL",
            "MEMBER",
            ">SHARES",
            ">ASSETS",
            "STATUS",
            "REQUESTED",
            "TX OR ERROR",
        ]);
        for (withdrawal, age) in self.withdrawals.iter().zip(&self.ages) {
            let member = withdrawal.member_name.as_ref().unwrap_or(&withdrawal.member);
            table.row([
                withdrawal.id.to_string(),
                withdrawal.pool.clone(),
                member.clone(),
                withdrawal.shares.to_string(),
                withdrawal.assets.to_string(),
                withdrawal.standing(),
                format!("{} ago", clock::span(*age)),
                withdrawal.error.as_ref().or(withdrawal.tx_hash.as_ref()).cloned().unwrap_or_default(),
            ]);
        }
        page.table(table);
        if self.more {
            page.line("there are older ones: --limit");
        }
    }
}
