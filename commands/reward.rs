//! `poolctl reward …`: weights, cycles, what is owed, and claims.

use crate::app::App;
use crate::options::DryRun;
use crate::session::Session;
use crate::views::{Failure, percent, ppm};
use clap::{Args, Subcommand};
use poolctl::amount::{self, Quantity};
use poolctl::output::{Contract, Outcome, Page, Present, Result, Table, forms, partly};
use poolctl::pool::{self, Member, Pool, ViewStamp};
use poolctl::reward::{self, Claimed, CycleReport, Pending};
use schemars::JsonSchema;
use serde::Serialize;

/// What the commands write.
pub const CONTRACTS: &[Contract] = &[
    Contract::of::<SetWeightOutput>("reward set-weight"),
    Contract::of::<WeightsOutput>("reward weights"),
    Contract::of::<CycleOutput>("reward cycle"),
    Contract::of::<PendingOutput>("reward pending"),
    Contract::of::<ClaimOutput>("reward claim"),
];

/// Share out rewards: weights, cycles, claims
#[derive(Debug, Subcommand)]
#[command(before_help = "Example: poolctl reward cycle")]
pub enum Command {
    SetWeight(SetWeight),
    Weights(Weights),
    Cycle(Cycle),
    Pending(PendingCommand),
    Claim(Claim),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What the command says.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        match self {
            Self::SetWeight(command) => command.run(session),
            Self::Weights(Weights {}) => Weights::run(session),
            Self::Cycle(command) => command.run(session),
            Self::Pending(command) => command.run(session),
            Self::Claim(command) => command.run(session),
        }
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

/// What was set.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SetWeightOutput {
    /// The pool.
    pub pool: String,
    /// Its weight.
    #[schemars(with = "forms::Decimal")]
    pub weight: String,
    /// First block it holds for.
    pub effective_block: u64,
    /// False where it was so already.
    pub changed: bool,
}

impl SetWeight {
    fn run(self, session: &Session) -> Result<Outcome> {
        let weight = amount::parse_weight("WEIGHT", &self.weight)?;
        let app = App::open(session)?;
        let found = pool::find(app.read()?.conn(), &self.pool)?;
        let (effective_block, changed) = app.write_async(self.dry.dry_run, async |work| {
            reward::set_weight(work, || app.chain(), &found, weight).await
        })?;
        Outcome::of(&SetWeightOutput { pool: found.name, weight: ppm(weight), effective_block, changed })
    }
}

impl Present for SetWeightOutput {
    fn present(&self, page: &mut Page) {
        let Self { pool, weight, effective_block, changed } = self;
        let from = if *effective_block == 0 {
            "from the first epoch on".to_owned()
        } else {
            format!("for epochs from block {effective_block} on")
        };
        let already = if *changed { "" } else { " already" };
        page.line(format!("pool \"{pool}\" has weight {weight}{already}, {from}"));
    }
}

/// Show weights and what share of the emission they come to
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl reward weights")]
pub struct Weights {}

/// A pool's weight.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WeightView {
    /// The pool.
    pub pool: String,
    /// In force at the next epoch; null where it takes no part yet.
    #[schemars(with = "Option<forms::Decimal>")]
    pub weight: Option<String>,
    /// Share of the emission, 0 to 1, cut to six decimals; null where all weights are 0.
    #[schemars(with = "Option<forms::Decimal>")]
    pub share: Option<String>,
    /// A change to come.
    #[schemars(with = "Option<forms::Decimal>")]
    pub next_weight: Option<String>,
    /// First block of that change.
    pub next_block: Option<u64>,
}

/// The weights.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WeightsOutput {
    /// By pool.
    pub weights: Vec<WeightView>,
}

impl Weights {
    fn run(session: &Session) -> Result<Outcome> {
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

/// Distribute every closed epoch, up to the last final block
///
/// Missed epochs are caught up in order. Running it again for the same blocks changes nothing. A pool that fails
/// leaves the others done (exit 3).
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

/// What a cycle did.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CycleOutput {
    /// The block and endpoint that the chain was read at.
    pub view: ViewStamp,
    /// The last final block: nothing is paid beyond it.
    pub final_block: u64,
    /// The reward token's symbol.
    pub symbol: String,
    /// Pool by pool.
    pub pools: Vec<PoolCycleView>,
}

/// One pool's part of a cycle.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PoolCycleView {
    /// The pool.
    pub pool: String,
    /// Epochs distributed now.
    pub epochs: Vec<EpochView>,
    /// The epoch that comes next.
    pub next_start_block: Option<u64>,
    /// Its end; it is paid when the block before is final.
    pub next_end_block: Option<u64>,
    /// Why the remaining epochs were not distributed.
    pub error: Option<String>,
}

/// A distributed epoch.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EpochView {
    /// Its id.
    pub epoch: i64,
    /// First block.
    pub start_block: u64,
    /// First block after it.
    pub end_block: u64,
    /// The pool's part of the emission.
    pub part: Quantity,
    /// Carried in.
    pub carry_in: Quantity,
    /// Given to members.
    pub distributed: Quantity,
    /// Carried to the next epoch.
    pub carry_out: Quantity,
    /// Why.
    pub carry_reason: Option<&'static str>,
    /// Members who got something.
    pub holders: u64,
}

impl Cycle {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let at = app.config.require("evm.at")?.parse()?;
        let report = app.write_on_chain(self.dry.dry_run, async |work, chain| {
            let agreed = app.value_permit(work.permit, "distribute the rewards of all closed epochs")?;
            reward::cycle(work, chain, &agreed, self.from, at)
                .await
                .map_err(|e| e.context("cannot distribute rewards"))
        })?;
        let failures: Vec<Failure> =
            report.pools.iter().filter_map(|p| Some((p.pool.clone(), p.failure.clone()?))).collect();
        let failure = partly(report.pools.len() - failures.len(), &failures, "pools");
        let notes = report.notes.clone();
        Ok(Outcome::of(&CycleOutput::of(report))?.warn(notes).but(failure))
    }
}

impl CycleOutput {
    fn of(report: CycleReport) -> Self {
        let token = report.asset;
        let pools = report.pools.into_iter().map(|p| PoolCycleView {
            pool: p.pool,
            epochs: p
                .epochs
                .into_iter()
                .map(|e| EpochView {
                    epoch: e.id,
                    start_block: e.epoch.start,
                    end_block: e.epoch.end,
                    part: token.quantity(e.part),
                    carry_in: token.quantity(e.carry_in),
                    distributed: token.quantity(e.distributed),
                    carry_out: token.quantity(e.carry_out),
                    carry_reason: e.reason.map(reward::emission::CarryReason::word),
                    holders: e.holders,
                })
                .collect(),
            next_start_block: p.next_start,
            next_end_block: p.next_end,
            error: p.failure.map(|e| e.to_string()),
        });
        Self {
            view: report.view,
            final_block: report.final_block,
            pools: pools.collect(),
            symbol: token.symbol,
        }
    }
}

impl Present for CycleOutput {
    fn present(&self, page: &mut Page) {
        let mut table =
            Table::new(&["POOL", "EPOCH", "BLOCKS", ">PART", ">DISTRIBUTED", ">HOLDERS", ">CARRIED", "WHY"]);
        for pool in &self.pools {
            for e in &pool.epochs {
                table.row([
                    pool.pool.clone(),
                    e.epoch.to_string(),
                    format!("{}..{}", e.start_block, e.end_block),
                    e.part.to_string(),
                    e.distributed.to_string(),
                    e.holders.to_string(),
                    if e.carry_out.base.is_zero() { String::new() } else { e.carry_out.to_string() },
                    e.carry_reason.unwrap_or_default().to_owned(),
                ]);
            }
        }
        if table.is_empty() {
            page.line("nothing to distribute");
        } else {
            page.table(table);
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

/// What is owed in one pool, in one token.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PendingView {
    /// The pool.
    pub pool: String,
    /// The token's symbol.
    pub symbol: String,
    /// The sum.
    pub amount: Quantity,
    /// Epochs it comes from; null for a pool's total.
    pub epochs: Option<u64>,
}

impl From<Pending> for PendingView {
    fn from(pending: Pending) -> Self {
        Self {
            pool: pending.pool,
            symbol: pending.amount.symbol.clone(),
            amount: pending.amount,
            epochs: Some(pending.epochs),
        }
    }
}

/// Rewards that are not claimed yet.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PendingOutput {
    /// The member's address; null for the pools' totals.
    pub member: Option<String>,
    /// By pool and token.
    pub pending: Vec<PendingView>,
}

impl PendingCommand {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let conn = state.conn();
        let only = self.pool.as_deref().map(|name| pool::find(conn, name)).transpose()?;
        let Some(member) = &self.member else {
            let totals = reward::owed(conn, only.as_ref())?;
            let pending = totals
                .into_iter()
                .map(|(pool, amount)| PendingView {
                    pool,
                    symbol: amount.symbol.clone(),
                    amount,
                    epochs: None,
                })
                .collect();
            return Outcome::of(&PendingOutput { member: None, pending });
        };
        let member = pool::find_member(conn, member)?;
        let pending = reward::pending(conn, &member, only.as_ref())?;
        Outcome::of(&PendingOutput {
            member: Some(member.address.to_string()),
            pending: pending.into_iter().map(PendingView::from).collect(),
        })
    }
}

impl Present for PendingOutput {
    fn present(&self, page: &mut Page) {
        if self.pending.is_empty() {
            page.line("nothing pending");
            return;
        }
        let mut table = Table::new(&["POOL", ">PENDING", ">EPOCHS"]);
        for p in &self.pending {
            table.row([
                p.pool.clone(),
                p.amount.to_string(),
                p.epochs.map(|n| n.to_string()).unwrap_or_default(),
            ]);
        }
        page.table(table);
    }
}

/// Claim a member's rewards: its unclaimed rows are marked and their sum is credited, at once
///
/// Claiming again credits nothing and ends with exit 0.
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

/// What was credited.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ClaimOutput {
    /// The member's address.
    pub member: String,
    /// By pool and token; empty where there was nothing to claim.
    pub credited: Vec<PendingView>,
    /// Audit event and ledger transaction.
    pub event: Option<i64>,
}

impl Claim {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let (member, only) = {
            let state = app.read()?;
            let member = pool::find_member(state.conn(), &self.member)?;
            let only = self.pool.as_deref().map(|name| pool::find(state.conn(), name)).transpose()?;
            if reward::pending(state.conn(), &member, only.as_ref())?.is_empty() {
                // Nothing to do needs no lock and no consent.
                return Outcome::of(&ClaimOutput {
                    member: member.address.to_string(),
                    credited: Vec::new(),
                    event: None,
                });
            }
            (member, only)
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
            event: claimed.event,
        })
    }
}

/// What a claim asks consent for; `None` where there is nothing to claim.
fn question(conn: &rusqlite::Connection, member: &Member, only: Option<&Pool>) -> Result<Option<String>> {
    let pending = reward::pending(conn, member, only)?;
    let sums: Vec<String> = pending.iter().map(|p| format!("{} of pool \"{}\"", p.amount, p.pool)).collect();
    Ok((!sums.is_empty()).then(|| format!("claim {} for {}", sums.join(", "), member.shown())))
}

impl Present for ClaimOutput {
    fn present(&self, page: &mut Page) {
        if self.credited.is_empty() {
            page.line("nothing to claim");
            return;
        }
        for c in &self.credited {
            page.line(format!(
                "credited {} of pool \"{}\" ({} epochs) to {}",
                c.amount,
                c.pool,
                c.epochs.unwrap_or_default(),
                self.member
            ));
        }
    }
}
