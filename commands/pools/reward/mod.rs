//! `poolctl reward …`: weights, cycles, epochs, what is owed, and claims.

mod claim;
mod epoch;
mod export;
mod verify;

use crate::pools::{NO_POOLS, table};
use crate::shell::prelude::*;
use crate::shell::views;
use app::pools::reward::{AprOutput, AprView};
use app::pools::reward::{SetWeightOutput, WeightView, WeightsOutput};
use app::pools::views::ppm;
use base::amount::Quantity;
use base::amount::{self, to_people};
use vault::pool;
use vault::reward::apr::DECIMALS;
use vault::reward::grid::Epoch;
use vault::reward::{self, CycleReport};

commands! {
    /// Distribute rewards: weights, cycles, epochs, claims, exports, yields
    #[command(before_help = "Example: poolctl reward cycle")]
    Command {
        SetWeight(SetWeight) = "reward set-weight": SetWeightOutput = api::post("/pools/{pool}/weight", api::OPERATOR);
        Weights(Weights) = "reward weights": WeightsOutput = api::get("/rewards/weights", api::READER);
        Cycle(Cycle) = "reward cycle": CycleReport = api::post("/rewards/cycle", api::OPERATOR);
        #[command(subcommand)] Epoch(epoch::Command) in epoch;
        Apr(Apr) = "reward apr": AprOutput = api::get("/rewards/apr", api::READER).live();
        Export(export::ExportCommand) = "reward export": app::pools::reward::export::ExportOutput;
        Pending(claim::PendingCommand) = "reward pending": app::pools::reward::PendingOutput = api::get("/rewards/pending", api::MEMBER_READS);
        Claim(claim::Claim) = "reward claim": app::pools::reward::ClaimOutput = api::post("/members/{member}/claim", api::MEMBER);
    }
}

/// Set a pool's weight from the next epoch on
///
/// Each pool gets weight / sum of weights of the emission.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl reward set-weight main 0.75")]
pub struct SetWeight {
    /// Name or address
    pool: String,
    /// 0 to 1, at most six decimals
    #[arg(allow_hyphen_values = true)]
    weight: String,
    #[command(flatten)]
    dry: DryRun,
}

impl SetWeight {
    fn run(self, session: &Session) -> Result<Outcome> {
        let weight = amount::parse_weight("WEIGHT", &self.weight)?;
        let app = App::open(session)?;
        let found = pool::find_active(app.read()?.conn(), &self.pool)?;
        let set = app.write_async(self.dry.dry_run, async |work| {
            reward::set_weight(work, || app.chain(), &found, weight).await
        })?;
        let unpaid = set.unpaid.map(|Epoch { start, end }| {
            let name = &found.name;
            format!(
                "pool \"{name}\" has no epoch for blocks {start}..{end}; make one with: poolctl reward epoch create {name} --start {start} --end {end} --total AMOUNT"
            )
        });
        let output = SetWeightOutput {
            weight: ppm(weight),
            effective_block: set.effective_block,
            changed: set.changed,
            replaces: set.replaced.map(ppm),
            pool: found.name,
        };
        Ok(Outcome::of(output).warn(unpaid))
    }
}

impl Present for SetWeightOutput {
    fn present(&self, page: &mut Page) {
        let Self { pool, weight, effective_block, changed, replaces } = self;
        let from = if *effective_block == 0 {
            "from the first epoch on".to_owned()
        } else {
            format!("for epochs from block {effective_block} on")
        };
        let already = if *changed { "" } else { " already" };
        let instead = replaces.as_ref().map(|old| format!(", instead of {old}")).unwrap_or_default();
        page.line(format!("pool \"{pool}\" has weight {weight}{already}, {from}{instead}"));
    }
}

/// Show weights and what share of the emission they come to
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl reward weights")]
pub struct Weights {}

impl Weights {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        let pools = pool::list(look.conn())?;
        let rows = reward::weights(look.conn())?;
        let sum: u64 = rows.iter().filter_map(|row| row.weight_ppm).map(u64::from).sum();
        let share = |weight: u32| {
            let share = u64::from(weight).checked_mul(1_000_000)?.checked_div(sum)?;
            u32::try_from(share).ok().map(ppm)
        };
        let weights = rows.iter().filter_map(|row| {
            Some(WeightView {
                pool: pools.iter().find(|pool| pool.id == row.pool_id)?.name.clone(),
                weight: row.weight_ppm.map(ppm),
                share: row.weight_ppm.and_then(share),
                next_weight: row.next.map(|(_, weight)| ppm(weight)),
                next_block: row.next.map(|(block, _)| block),
            })
        });
        Ok(Outcome::of(WeightsOutput { weights: weights.collect() }))
    }
}

impl Present for WeightsOutput {
    fn present(&self, page: &mut Page) {
        let rows = self.weights.iter().map(|w| {
            let share = w.share.as_deref().and_then(|share| amount::parse_weight("share", share).ok());
            let next = w.next_weight.as_ref().zip(w.next_block);
            let next = next.map(|(weight, block)| format!("{weight} from block {block}"));
            cells![w.pool, w.weight, share.map(views::percent), next]
        });
        if !table(page, ["POOL", ">WEIGHT", ">SHARE", "CHANGE"], rows) {
            page.line("no weights; give one with: poolctl reward set-weight POOL 1");
        }
    }
}

/// Distribute every closed epoch, up to the last final block
///
/// Missed epochs are caught up in order, and pay what they would have paid in time. Running it again for the same blocks
/// changes nothing. A pool that fails leaves the others done (exit 3). A pool that is paused at the last block of an epoch
/// carries its part to the next one.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl reward cycle --from 18000000   (the first time; then without --from)"
)]
pub struct Cycle {
    /// Block at which rewards begin; the first run needs it, unless the pools name one
    #[arg(long, value_name = "BLOCK", allow_negative_numbers = true)]
    from: Option<u64>,
    #[command(flatten)]
    dry: DryRun,
}

impl Cycle {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let at = app.config.require("evm.at")?.parse()?;
        let report = app.write_along_chain(self.dry.dry_run, async |work, chain| {
            let agreed = app.value_permit(work.permit, "distribute the rewards of all closed epochs")?;
            reward::cycle(work, chain, &agreed, self.from, at)
                .await
                .map_err(|e| e.context("cannot distribute rewards"))
        })?;
        Ok(Outcome::document(report))
    }
}

impl Present for CycleReport {
    fn present(&self, page: &mut Page) {
        let epochs =
            self.pools.iter().flat_map(|pool| pool.epochs.iter().map(move |epoch| (&pool.pool, epoch)));
        let rows = epochs.map(|(pool, e)| {
            let blocks = format!("{}..{}", e.start_block, e.end_block);
            let (carried, why) = (carried(&e.carry_out), e.carry_reason);
            cells![pool, e.epoch, blocks, e.part, e.distributed, e.holders, carried, why]
        });
        let heads = ["POOL", "EPOCH", "BLOCKS", ">PART", ">DISTRIBUTED", ">HOLDERS", ">CARRIED", "WHY"];
        if !table(page, heads, rows) {
            page.line("nothing to distribute");
        }
        for pool in &self.pools {
            match (&pool.error, pool.next_start_block, pool.next_end_block) {
                (Some(error), ..) => page.line(format!("{}: {error}", pool.pool)),
                (None, Some(start), Some(end)) => page.line(format!(
                    "{}: next epoch {start}..{end}, final block {}",
                    pool.pool, self.final_block
                )),
                _ => page,
            };
        }
        page.line(&self.view);
    }
}

/// Show what pools yield in a year, simple (APR) and compounded daily (APY)
///
/// A year's emission by the weights and terms of the next epoch, over TVL at the last sync, both at accepted prices
/// that are not stale. Without a price there is no yield. Manual epochs do not count.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl reward apr main")]
pub struct Apr {
    /// Names or addresses; none = all
    #[arg(value_name = "POOL")]
    pools: Vec<String>,
}

impl Apr {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        let pools = pool::select(look.conn(), &self.pools)?;
        let found = reward::outlook(look.conn(), &app.config, pools, session.call.run.clock.now())?;
        Ok(Outcome::of(AprOutput { pools: found.into_iter().map(AprView::from).collect() }))
    }
}

impl Present for AprOutput {
    fn present(&self, page: &mut Page) {
        let rows = self.pools.iter().map(|p| {
            let (apr, apy) = (percent(p.apr.as_ref()), percent(p.apy.as_ref()));
            cells![p.pool, apr, apy, p.yearly_emission, p.tvl, p.why]
        });
        if !table(page, ["POOL", ">APR", ">APY", ">EMISSION A YEAR", ">TVL", "REASON"], rows) {
            page.line(NO_POOLS);
        }
    }
}

/// What an epoch carries on; nothing where that is nothing.
fn carried(amount: &Quantity) -> String {
    if amount.base.is_zero() { String::new() } else { amount.to_string() }
}

/// A part of 1 as a percentage with its four decimals.
fn percent(part: Option<&String>) -> String {
    let millionths = part.and_then(|text| base::amount::parse_units(text, DECIMALS).ok());
    millionths.map(|part| format!("{}%", to_people(part, DECIMALS - 2))).unwrap_or_default()
}
