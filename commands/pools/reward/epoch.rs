//! `poolctl reward epoch …`: the epochs of pools: listed, shown, made manually, and verified.

use crate::pools::{dash, table};
use crate::shell::prelude::*;
use app::paging::cursor;
use app::pools::reward::epoch::{CreateOutput, EpochView, ListOutput, NothingOutput};
use base::amount;
use vault::pool::{self, Pool};
use vault::reward::grid::Epoch;
use vault::reward::{self, EpochRow, NewEpoch};
use watch::spark;

commands! {
    /// Show, create and verify the epochs of pools
    #[command(before_help = "Example: poolctl reward epoch list main")]
    Command {
        Create(Create) = "reward epoch create": CreateOutput = api::post("/pools/{pool}/epochs", api::OPERATOR).made();
        Distribute(Distribute) = "reward epoch distribute": reward::CycleReport | NothingOutput = api::post("/epochs/distribute", api::OPERATOR);
        List(List) = "reward epoch list": ListOutput = api::get("/epochs", api::READER);
        Show(Show) = "reward epoch show": EpochView = api::get("/epochs/{epoch}", api::READER);
        Verify(super::verify::Verify) = "reward epoch verify": app::pools::reward::epoch::VerifyOutput = api::get("/epochs/verify", api::READER).live();
    }
}

/// Characters of the longest bar of rewards.
const BAR: u32 = 12;

/// Of the list.
const HEADS: [&str; 10] =
    ["EPOCH", "POOL", "BLOCKS", "STATUS", ">PART", ">DISTRIBUTED", ">HOLDERS", ">CARRIED", "WHY", "REWARDS"];

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
    /// Only those that start before this block
    #[arg(long, value_name = "BLOCK", allow_negative_numbers = true)]
    before: Option<u64>,
    #[command(flatten)]
    paging: Paging,
}

impl List {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        let conn = look.conn();
        let pools = pool::list(conn)?;
        let only = self.pool.as_deref().map(|name| pool::find(conn, name)).transpose()?;
        let (window, before) = (self.paging.window(), self.before.unwrap_or(u64::MAX));
        // Row ids of pools begin at 1.
        let place = window.after_both()?.map_or((before, 0), |after| after.min((before, 0)));
        let rows = reward::newest_epochs(conn, only.as_ref(), place, window.reach())?;
        let total = reward::count_epochs(conn, only.as_ref(), before)?;
        let (rows, end) = window.page(rows, total, |row| cursor(row.epoch.start, row.pool_id));
        let views = rows.iter().map(|row| EpochView::of(conn, &pool_of(&pools, row)?, row));
        let output = ListOutput { epochs: views.collect::<Result<_>>()?, end };
        Outcome::list(output, |output| (&output.epochs, &output.end), self.paging.csv)
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        let most = self.epochs.iter().map(|e| e.distributed.base).max().unwrap_or_default();
        let rows = self.epochs.iter().map(|e| {
            let blocks = format!("{}..{}", e.start_block, e.end_block);
            let status = format!("{}{}", e.status, if e.origin == "manual" { " (manual)" } else { "" });
            let (carried, why) = (super::carried(&e.carry_out), e.carry_reason);
            let bar = spark::bar(e.distributed.base, most, BAR);
            cells![e.epoch, e.pool, blocks, status, e.part, e.distributed, e.holders, carried, why, bar]
        });
        if !table(page, HEADS, rows) {
            page.line("no epochs; distribute rewards with: poolctl reward cycle");
        }
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
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        let row = reward::epoch(look.conn(), self.epoch)?;
        let pool = pool_of(&pool::list(look.conn())?, &row)?;
        Ok(Outcome::of(EpochView::of(look.conn(), &pool, &row)?))
    }
}

impl Present for EpochView {
    fn present(&self, page: &mut Page) {
        let share = self.weight_ppm.zip(self.weight_sum_ppm);
        let share = share.map(|(weight, sum)| format!("{weight} of {sum} millionths"));
        let tree = self.merkle_root.as_ref().zip(self.exported_at.as_ref());
        let tree = tree.map(|(root, at)| format!("{root}, exported at {at}"));
        let reason = self.carry_reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        page.line(format!("epoch {} of pool \"{}\"", self.epoch, self.pool));
        page.pairs([
            ("blocks", format!("{}..{}", self.start_block, self.end_block)),
            ("last block", self.last_hash.clone().unwrap_or_else(|| "–".to_owned())),
            ("made by", if self.origin == "manual" { "hand" } else { "the cycle" }.to_owned()),
            ("measured by", self.basis.to_owned()),
            ("weight", dash(share)),
            ("part", self.part.to_string()),
            ("carried in", self.carry_in.to_string()),
            ("distributed", self.distributed.to_string()),
            ("holders", self.holders.to_string()),
            ("carried on", format!("{}{reason}", self.carry_out)),
            ("created", self.created_at.clone()),
            ("distributed at", self.distributed_at.clone().unwrap_or_else(|| "not yet".to_owned())),
            ("Merkle tree", tree.unwrap_or_else(|| "none".to_owned())),
        ]);
    }
}

/// Create a manual epoch of one pool, beside or instead of those of the cycle
///
/// Its holders share the total, and what the pool carries, when its last block is final: with `reward epoch
/// distribute`, or in the next cycle. Epochs of a pool never overlap and leave no gap. A pool without a weight has only
/// manual epochs, each starting where the previous one ends. For a pool with a weight a manual epoch replaces the cycle's
/// epochs that it covers, so it starts and ends where these do, and the pool gets nothing of their emission.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl reward epoch create main --start 18000000 --end 18000100 --total 250"
)]
pub struct Create {
    /// Name or address
    pool: String,
    /// First block
    #[arg(long, value_name = "BLOCK", allow_negative_numbers = true)]
    start: u64,
    /// First block after it
    #[arg(long, value_name = "BLOCK", allow_negative_numbers = true)]
    end: u64,
    /// What it gives, in whole units of the reward token
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    total: String,
    #[command(flatten)]
    dry: DryRun,
}

impl Create {
    fn run(self, session: &Session) -> Result<Outcome> {
        // The token's own decimals are checked below; what is no amount at all is refused before anything is asked.
        amount::parse_flag("total", &self.total, AS_FINE_AS_ANY)?;
        let app = App::open(session)?;
        let at = app.config.require("evm.at")?.parse()?;
        let basis = app.config.require("reward.basis")?;
        let unknown = |_| Error::new(Code::InvalidValue, format!("reward.basis: \"{basis}\""));
        let basis = basis.parse().map_err(unknown)?;
        let found = pool::find_active(app.read()?.conn(), &self.pool)?;
        let epoch = Epoch { start: self.start, end: self.end };
        let output = app.write_async(self.dry.dry_run, async |work| {
            state::anew_async(async || {
                let token = reward::token(work, || app.chain(), at).await?;
                let total = amount::parse_flag("total", &self.total, token.decimals)?;
                let wanted = NewEpoch { epoch, total, basis };
                let (row, changed) = reward::create(work, &found, &token, &wanted)?;
                Ok(CreateOutput { epoch: EpochView::of(work.state.conn(), &found, &row)?, changed })
            })
            .await
        })?;
        Ok(Outcome::of(output))
    }
}

/// Decimals that no token in use goes beyond; whole units of 10^41 are still within 256 bits.
const AS_FINE_AS_ANY: u8 = 36;

impl Present for CreateOutput {
    fn present(&self, page: &mut Page) {
        let e = &self.epoch;
        let was = if self.changed { "created" } else { "exists already:" };
        page.line(format!(
            "{was} epoch {} of pool \"{}\", blocks {}..{}: {} ({})",
            e.epoch, e.pool, e.start_block, e.end_block, e.part, e.status
        ));
    }
}

/// Distribute manual epochs
///
/// Only when their last block is final, and in order. What is distributed already is left as it is.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl reward epoch distribute 12")]
pub struct Distribute {
    /// Id of the epoch; none = all that are due
    #[arg(allow_negative_numbers = true)]
    epoch: Option<i64>,
    #[command(flatten)]
    dry: DryRun,
}

impl Distribute {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let at = app.config.require("evm.at")?.parse()?;
        let only = {
            let state = app.read()?;
            let named = self.epoch.map(|id| reward::epoch(state.conn(), id)).transpose()?;
            let waits = match &named {
                Some(row) => row.distributed_at.is_none(),
                None => !reward::created_epochs(state.conn())?.is_empty(),
            };
            if !waits {
                // Nothing to do needs no lock, no network and no consent.
                let already = named.map(|row| {
                    EpochView::of(state.conn(), &pool_of(&pool::list(state.conn())?, &row)?, &row)
                });
                return Ok(Outcome::of(NothingOutput { already: already.transpose()? }));
            }
            named.map(|row| (row.pool_id, row.id))
        };
        let report = app.write_along_chain(self.dry.dry_run, async |work, chain| {
            let still = reward::created_epochs(work.state.conn())?;
            if !still.iter().any(|row| only.is_none_or(|(_, id)| id == row.id)) {
                // Another run was faster while this one waited for the lock.
                return Ok(None);
            }
            let what = match only {
                Some((_, id)) => format!("distribute the rewards of epoch {id}"),
                None => "distribute the rewards of all closed manual epochs".to_owned(),
            };
            let agreed = app.value_permit(work.permit, &what)?;
            reward::distribute_manual(work, chain, &agreed, only, at)
                .await
                .map(Some)
                .map_err(|e| e.context("cannot distribute rewards"))
        })?;
        match report {
            Some(report) => Ok(Outcome::document(report)),
            None => Ok(Outcome::of(NothingOutput { already: None })),
        }
    }
}

impl Present for NothingOutput {
    fn present(&self, page: &mut Page) {
        match &self.already {
            Some(epoch) => {
                let at = epoch.distributed_at.as_deref().unwrap_or_default();
                page.line(format!("epoch {} was distributed already, at {at}", epoch.epoch))
            }
            None => page.line("nothing to distribute"),
        };
    }
}
