//! `poolctl reward set-weight|weights`: the pools' shares of the emission.

use crate::output::{Outcome, Page, Present, Table};
use crate::shell::options::DryRun;
use crate::shell::session::Session;
use crate::shell::views::percent;
use app::App;
use app::pools::reward::{SetWeightOutput, WeightView, WeightsOutput};
use app::pools::views::ppm;
use base::{Result, amount};
use clap::Args;
use vault::reward::grid::Epoch;
use vault::{pool, reward};

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
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let weight = amount::parse_weight("WEIGHT", &self.weight)?;
        let app = App::open(session)?;
        let found = pool::find(app.read()?.conn(), &self.pool)?;
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
        Ok(Outcome::of(&output)?.warn(unpaid))
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
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let pools = pool::list(state.conn())?;
        let rows = reward::weights(state.conn())?;
        let sum: u64 = rows.iter().filter_map(|row| row.weight_ppm).map(u64::from).sum();
        let share = |weight: u32| {
            let share = u64::from(weight).checked_mul(1_000_000)?.checked_div(sum)?;
            u32::try_from(share).ok().map(ppm)
        };
        let weights = rows
            .iter()
            .filter_map(|row| {
                let pool = pools.iter().find(|pool| pool.id == row.pool_id)?;
                Some(WeightView {
                    pool: pool.name.clone(),
                    weight: row.weight_ppm.map(ppm),
                    share: row.weight_ppm.and_then(share),
                    next_weight: row.next.map(|(_, weight)| ppm(weight)),
                    next_block: row.next.map(|(block, _)| block),
                })
            })
            .collect();
        Outcome::of(&WeightsOutput { weights })
    }
}

impl Present for WeightsOutput {
    fn present(&self, page: &mut Page) {
        if self.weights.is_empty() {
            page.line("no weights; give one with: poolctl reward set-weight POOL 1");
            return;
        }
        let mut table = Table::new(&["POOL", ">WEIGHT", ">SHARE", "CHANGE"]);
        for w in &self.weights {
            let share = w.share.as_deref().and_then(|share| amount::parse_weight("share", share).ok());
            table.row([
                w.pool.clone(),
                w.weight.clone().unwrap_or_default(),
                share.map(percent).unwrap_or_default(),
                match (&w.next_weight, w.next_block) {
                    (Some(weight), Some(block)) => format!("{weight} from block {block}"),
                    _ => String::new(),
                },
            ]);
        }
        page.table(table);
    }
}
