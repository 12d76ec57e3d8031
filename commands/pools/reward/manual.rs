//! `poolctl reward epoch create|distribute`: epochs made by hand.

use super::epoch::pool_of;
use crate::output::{Outcome, Page, Present};
use crate::shell::options::DryRun;
use crate::shell::session::Session;
use app::App;
use app::pools::reward::epoch::{CreateOutput, EpochView, NothingOutput};
use base::{Code, Error, Result, amount};
use clap::Args;
use vault::pool;
use vault::reward::grid::Epoch;
use vault::reward::{self, NewEpoch};

/// Make an epoch of one pool by hand, beside or instead of those of the cycle
///
/// Its holders share the total, and what the pool carries, when its last block is final: with `reward epoch
/// distribute`, or in the next cycle. Epochs of a pool never overlap and leave no gap. A pool without a weight has
/// epochs by hand alone, each where the one before ends. For a pool with a weight it replaces the cycle's epochs that it
/// covers, so it starts and ends where these do, and the pool gets nothing of their emission.
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
    pub fn run(self, session: &Session) -> Result<Outcome> {
        // The token's own decimals are checked below; what is no amount at all is refused before anything is asked.
        amount::parse_flag("total", &self.total, AS_FINE_AS_ANY)?;
        let app = App::open(session)?;
        let at = app.config.require("evm.at")?.parse()?;
        let basis = app.config.require("reward.basis")?;
        let basis = basis
            .parse()
            .map_err(|_| Error::new(Code::InvalidValue, format!("reward.basis: \"{basis}\"")))?;
        let found = pool::find(app.read()?.conn(), &self.pool)?;
        let epoch = Epoch { start: self.start, end: self.end };
        let output = app.write_async(self.dry.dry_run, async |work| {
            let token = reward::token(work, || app.chain(), at).await?;
            let total = amount::parse_flag("total", &self.total, token.decimals)?;
            let wanted = NewEpoch { epoch, total, basis };
            // Another run may have moved the pool on while this one waited for the lock.
            let pool = pool::find(work.state.conn(), &found.name)?;
            let (row, changed) = reward::create(work, &pool, &token, &wanted)?;
            Ok(CreateOutput { epoch: EpochView::of(work.state.conn(), &pool, &row)?, changed })
        })?;
        Outcome::of(&output)
    }
}

/// Decimals that no token in use goes beyond; whole units of 10^41 are still within 256 bits.
const AS_FINE_AS_ANY: u8 = 36;

impl Present for CreateOutput {
    fn present(&self, page: &mut Page) {
        let e = &self.epoch;
        let was = if self.changed { "made" } else { "was there already:" };
        page.line(format!(
            "{was} epoch {} of pool \"{}\", blocks {}..{}: {} ({})",
            e.epoch, e.pool, e.start_block, e.end_block, e.part, e.status
        ));
    }
}

/// Distribute epochs that were made by hand
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
    pub fn run(self, session: &Session) -> Result<Outcome> {
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
                let done = named
                    .map(|row| {
                        let pool = pool_of(&pool::list(state.conn())?, &row)?;
                        EpochView::of(state.conn(), &pool, &row)
                    })
                    .transpose()?;
                return Outcome::of(&NothingOutput { already: done });
            }
            named.map(|row| (row.pool_id, row.id))
        };
        let report = app.write_on_chain(self.dry.dry_run, async |work, chain| {
            let still = reward::created_epochs(work.state.conn())?;
            if !still.iter().any(|row| only.is_none_or(|(_, id)| id == row.id)) {
                // Another run was faster while this one waited for the lock.
                return Ok(None);
            }
            let what = match only {
                Some((_, id)) => format!("distribute the rewards of epoch {id}"),
                None => "distribute the rewards of all closed epochs made by hand".to_owned(),
            };
            let agreed = app.value_permit(work.permit, &what)?;
            reward::distribute_manual(work, chain, &agreed, only, at)
                .await
                .map(Some)
                .map_err(|e| e.context("cannot distribute rewards"))
        })?;
        let Some(report) = report else {
            return Outcome::of(&NothingOutput { already: None });
        };
        Outcome::document(&report)
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
