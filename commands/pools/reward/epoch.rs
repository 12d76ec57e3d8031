//! `poolctl reward epoch …`: the epochs of pools: listed, shown, made by hand, and verified.

use super::manual::{Create, Distribute};
use super::verify::Verify;
use crate::output::{Outcome, Page, Present, Table};
use crate::shell::registry::commands;
use crate::shell::session::Session;
use app::App;
use app::pools::reward::epoch::{EpochView, ListOutput};
use base::{Code, Error, Result};
use clap::Args;
use vault::pool::{self, Pool};
use vault::reward::{self, EpochRow};
use watch::spark;

commands! {
    /// See, make and verify the epochs of pools
    #[command(before_help = "Example: poolctl reward epoch list main")]
    Command {
        Create(Create) = "reward epoch create": app::pools::reward::epoch::CreateOutput;
        Distribute(Distribute) = "reward epoch distribute": vault::reward::CycleReport | app::pools::reward::epoch::NothingOutput;
        List(List) = "reward epoch list": ListOutput;
        Show(Show) = "reward epoch show": EpochView;
        Verify(Verify) = "reward epoch verify": app::pools::reward::verify::VerifyOutput;
    }
}

/// Characters of the longest bar of rewards.
const BAR: u32 = 12;

/// The pool of an epoch.
pub(super) fn pool_of(pools: &[Pool], row: &EpochRow) -> Result<Pool> {
    pools
        .iter()
        .find(|pool| pool.id == row.pool_id)
        .cloned()
        .ok_or_else(|| Error::new(Code::StateCorrupt, format!("epoch {} has no pool", row.id)))
}

/// List epochs, the newest first
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl reward epoch list main")]
pub struct List {
    /// Name or address of a pool; none = all
    pool: Option<String>,
    /// So many
    #[arg(long, value_name = "N", default_value_t = 50, allow_negative_numbers = true)]
    limit: u32,
    /// Only those that start before this block
    #[arg(long, value_name = "BLOCK", allow_negative_numbers = true)]
    before: Option<u64>,
}

impl List {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        let conn = look.conn();
        let pools = pool::list(conn)?;
        let only = self.pool.as_deref().map(|name| pool::find(conn, name)).transpose()?;
        let rows = reward::newest_epochs(conn, only.as_ref(), self.before.unwrap_or(u64::MAX), self.limit)?;
        let views = rows.iter().map(|row| EpochView::of(conn, &pool_of(&pools, row)?, row));
        Outcome::of(&ListOutput { epochs: views.collect::<Result<_>>()? })
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        if self.epochs.is_empty() {
            page.line("no epochs; distribute rewards with: poolctl reward cycle");
            return;
        }
        let mut table = Table::new(&[
            "EPOCH",
            "POOL",
            "BLOCKS",
            "STATUS",
            ">PART",
            ">DISTRIBUTED",
            ">HOLDERS",
            ">CARRIED",
            "WHY",
            "REWARDS",
        ]);
        let most = self.epochs.iter().map(|e| e.distributed.base).max().unwrap_or_default();
        for e in &self.epochs {
            let mut status = e.status.to_owned();
            if e.origin == "manual" {
                status.push_str(" by hand");
            }
            table.row([
                e.epoch.to_string(),
                e.pool.clone(),
                format!("{}..{}", e.start_block, e.end_block),
                status,
                e.part.to_string(),
                e.distributed.to_string(),
                e.holders.to_string(),
                if e.carry_out.base.is_zero() { String::new() } else { e.carry_out.to_string() },
                e.carry_reason.unwrap_or_default().to_owned(),
                spark::bar(e.distributed.base, most, BAR),
            ]);
        }
        page.table(table);
    }
}

/// Show an epoch
///
/// Its rewards, member by member, are listed by: poolctl reward export EPOCH
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl reward epoch show 12")]
pub struct Show {
    /// Its id
    #[arg(allow_negative_numbers = true)]
    epoch: i64,
}

impl Show {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let row = reward::epoch(state.conn(), self.epoch)?;
        let pool = pool_of(&pool::list(state.conn())?, &row)?;
        Outcome::of(&EpochView::of(state.conn(), &pool, &row)?)
    }
}

impl Present for EpochView {
    fn present(&self, page: &mut Page) {
        let share = self.weight_ppm.zip(self.weight_sum_ppm);
        let carried = self
            .carry_reason
            .map_or_else(|| self.carry_out.to_string(), |reason| format!("{} ({reason})", self.carry_out));
        page.line(format!("epoch {} of pool \"{}\"", self.epoch, self.pool));
        page.pairs([
            ("blocks", format!("{}..{}", self.start_block, self.end_block)),
            ("last block", self.last_hash.clone().unwrap_or_else(|| "–".to_owned())),
            ("made by", if self.origin == "manual" { "hand" } else { "the cycle" }.to_owned()),
            ("measured by", self.basis.to_owned()),
            ("weight", share.map_or_else(|| "–".to_owned(), |(w, sum)| format!("{w} of {sum} millionths"))),
            ("part", self.part.to_string()),
            ("carried in", self.carry_in.to_string()),
            ("distributed", self.distributed.to_string()),
            ("holders", self.holders.to_string()),
            ("carried on", carried),
            ("created", self.created_at.clone()),
            ("distributed at", self.distributed_at.clone().unwrap_or_else(|| "not yet".to_owned())),
            (
                "Merkle tree",
                match (&self.merkle_root, &self.exported_at) {
                    (Some(root), Some(at)) => format!("{root}, exported at {at}"),
                    _ => "none".to_owned(),
                },
            ),
        ]);
    }
}
