//! `poolctl pool holders`: who holds how much of a pool.

use crate::pools::{synced, table};
use crate::shell::prelude::*;
use crate::shell::views::percent;
use app::paging::cursor;
use app::pools::pool::{HolderView, HoldersOutput};
use app::pools::views::{age, ppm, stamp};
use base::amount::{self, Base, mul_div};
use vault::pool::{self, Holder, underlying};

/// List the holders of a pool with their part of it and its worth, the largest first
///
/// Shares are those of the last block whose transfers are replayed, the worth is by the figures of the last sync; the part is
/// told where both are the same block.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool holders main --csv")]
pub struct Holders {
    /// Name or address
    pool: String,
    #[command(flatten)]
    paging: Paging,
}

impl Holders {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let (state, window) = (app.read()?, self.paging.window());
        let after = window.after_both::<Base, i64>()?;
        let look = state.look()?;
        let conn = look.conn();
        let found = pool::find(conn, &self.pool)?;
        let holders = pool::holders_by_size(conn, &found, after, window.reach())?;
        let total = pool::holder_count(conn, &found)?;
        let (holders, end) = window.page(holders, Some(total), |one| cursor(one.shares, one.member.id));
        let snapshot = pool::snapshot(conn, &found)?;
        // Shares of one block are no part of the total of another.
        let total_shares = snapshot
            .as_ref()
            .filter(|s| found.cursor == Some((s.block.number, s.block.hash)))
            .map(|s| s.total_shares);
        let view = |Holder { member, shares }: Holder| {
            let part =
                |all: Base| u32::try_from(mul_div(shares, Base::from(1_000_000_u32), all)?).ok().map(ppm);
            HolderView {
                member: member.address.to_string(),
                member_name: member.name,
                shares: found.shares(shares),
                part: total_shares.and_then(part),
                underlying: snapshot
                    .as_ref()
                    .map(|s| found.asset.quantity(underlying(shares, s.total_assets, s.total_shares))),
            }
        };
        let output = HoldersOutput {
            holders: holders.into_iter().map(view).collect(),
            end,
            transfers_through: found.cursor.map(|(block, _)| block),
            view: snapshot.as_ref().map(stamp),
            age_sec: snapshot.as_ref().map(|s| age(s.synced_at, session.call.run.clock.now())),
            pool: found.name,
        };
        Outcome::list(output, |output| (&output.holders, &output.end), self.paging.csv)
    }
}

impl Present for HoldersOutput {
    fn present(&self, page: &mut Page) {
        let rows = self.holders.iter().map(|one| {
            let part = one.part.as_deref().and_then(|part| amount::parse_weight("part", part).ok());
            cells![one.member, one.member_name, one.shares, part.map(percent), one.underlying]
        });
        if !table(page, ["MEMBER", "NAME", ">SHARES", ">PART", ">WORTH"], rows) {
            page.line(format!("pool \"{}\" has no holders", self.pool));
        }
        if let Some(synced) = synced(self.view.as_ref(), self.age_sec) {
            page.line(synced);
        }
    }
}
