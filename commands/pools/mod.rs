//! EVM pools: sync, members, withdrawals, rewards, oracles, risk; and what these commands have in common.

pub mod member;
pub mod oracle;
pub mod pool;
pub mod reward;
pub mod risk;
pub mod sync;
pub mod withdrawal;

use crate::output::Table;
use crate::shell::prelude::*;
use app::pools::alerts::AlertsOutput;
use app::pools::views::age;
use base::clock;
use evm::ViewStamp;
use rusqlite::Connection;
use state::alert::Subject;
use std::fmt::Display;
use vault::pool::Pool;

/// What a command for all pools says where there are none.
const NO_POOLS: &str = "no pools; add one with: poolctl pool add NAME ADDRESS";

/// The pools that a command is for.
#[derive(Debug, Args)]
pub struct Pools {
    /// Names or addresses; none = all
    #[arg(value_name = "POOL")]
    pools: Vec<String>,
    /// All pools
    #[arg(long, conflicts_with = "pools")]
    all: bool,
}

impl Pools {
    /// Those that are named, or all that are not retired; to be asked before a lock is taken or anything is sent.
    fn select(&self, session: &Session, conn: &Connection) -> Result<Vec<Pool>> {
        session.call.covers(self.pools.is_empty());
        let pools = vault::pool::select(conn, &self.pools)?;
        let retired = pools.iter().find(|pool| pool.retired_at.is_some());
        retired.map_or(Ok(()), |pool| Err(vault::pool::is_retired(pool)))?;
        Ok(pools)
    }
}

/// Which alerts are shown.
#[derive(Debug, Args)]
pub struct Shown {
    /// The closed ones too, the newest first
    #[arg(long)]
    closed: bool,
    #[command(flatten)]
    paging: Paging,
}

impl Shown {
    /// The alerts of these subjects, which `head` names.
    fn outcome(
        &self,
        session: &Session,
        conn: &Connection,
        of: &[Subject<'_>],
        head: &'static str,
    ) -> Result<Outcome> {
        let (now, window) = (session.call.run.clock.now(), self.paging.window());
        let output = AlertsOutput::of(conn, of, self.closed, &window, head, now)?;
        Outcome::list(output, |output| (&output.alerts, &output.end), self.paging.csv)
    }
}

impl Present for AlertsOutput {
    fn present(&self, page: &mut Page) {
        let rows = self.alerts.iter().map(|alert| {
            let state = if alert.open { "OPEN" } else { "closed" };
            let since = format!("{} ago", clock::span(age(alert.since, self.now)));
            cells![alert.subject, alert.kind, state, since, counted(alert.count, "time"), alert.why]
        });
        if !table(page, [self.head, "KIND", "STATE", ">SINCE", ">SEEN", "WHY"], rows) {
            page.line("nothing to show");
        }
    }
}

/// A table with these rows; false, and nothing is shown, where there are none.
pub(crate) fn table<const N: usize>(
    page: &mut Page,
    heads: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> bool {
    let table = Table::of(heads, rows, |row| row);
    let any = !table.is_empty();
    if any {
        page.table(table);
    }
    any
}

/// The block and endpoint of what was read, where there is one.
fn seen(page: &mut Page, view: Option<&ViewStamp>) {
    if let Some(view) = view {
        page.line(view);
    }
}

/// A value, or a dash.
fn dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

/// Whose view the figures of a sync are, and how old; none before the first one.
fn synced(view: Option<&ViewStamp>, age_sec: Option<u64>) -> Option<String> {
    let (view, age) = view.zip(age_sec)?;
    Some(format!("{view}, synced {} ago", clock::span(age)))
}
