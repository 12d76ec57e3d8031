//! `poolctl pool …`: the pools there are, and what a member has in one.

mod chain;
mod change;
mod contract;
mod holders;
mod validate;

use crate::pools::{NO_POOLS, dash, synced, table};
use crate::shell::prelude::*;
use crate::shell::views::{limit, or_dash, percent, rate, yes_no};
use app::pools::alerts::AlertView;
use app::pools::pool::{ListOutput, PositionOutput, Reward, ShowOutput, SyncPoint};
use app::pools::views::{PoolView, age, ppm};
use base::amount::{self, Base, E18, Quantity};
use base::clock;
use state::alert::{self, Subject};
use vault::{pool, reward};
use watch::spark;

commands! {
    /// Add, change, list and show pools, and members' positions in them
    #[command(before_help = "Example: poolctl pool list")]
    Command {
        Add(contract::Add) = "pool add": app::pools::pool::AddOutput = api::post("/pools", api::OPERATOR).made();
        Set(change::Set) = "pool set": app::pools::pool::SetOutput = api::post("/pools/{pool}", api::OPERATOR);
        Rename(change::Rename) = "pool rename": app::pools::pool::RenameOutput = api::post("/pools/{pool}/rename", api::OPERATOR);
        Retire(change::Retire) = "pool retire": app::pools::pool::RetireOutput = api::post("/pools/{pool}/retire", api::OPERATOR);
        List(List) = "pool list": ListOutput = api::get("/pools", api::ALL);
        Show(Show) = "pool show": ShowOutput = api::get("/pools/{pool}", api::ALL);
        Holders(holders::Holders) = "pool holders": app::pools::pool::HoldersOutput = api::get("/pools/{pool}/holders", api::READER);
        Position(Position) = "pool position": PositionOutput = api::get("/pools/{pool}/positions/{member}", api::MEMBER_READS);
        ValidateWithdrawal(validate::ValidateWithdrawal) = "pool validate-withdrawal": app::pools::pool::ValidateWithdrawalOutput = api::get("/pools/{pool}/validate-withdrawal", api::MEMBER_READS).live();
        ValidateDeposit(validate::ValidateDeposit) = "pool validate-deposit": app::pools::pool::ValidateDepositOutput = api::get("/pools/{pool}/validate-deposit", api::MEMBER_READS).live();
        Reconcile(chain::Reconcile) = "pool reconcile": app::pools::pool::chain::ReconcileOutput = api::get("/pools/reconcile", api::READER).live();
        AcceptChange(contract::AcceptChange) = "pool accept-change": app::pools::pool::AcceptChangeOutput = api::post("/pools/{pool}/accept-change", api::OPERATOR);
        Rescan(chain::Rescan) = "pool rescan": app::pools::pool::chain::RescanOutput = api::post("/pools/{pool}/rescan", api::OPERATOR);
    }
}

/// List the pools with the figures of their last sync
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool list --all --json | jq '.data.pools[].name'")]
pub struct List {
    /// Those that are retired too
    #[arg(long)]
    retired: bool,
    #[command(flatten)]
    paging: Paging,
}

impl List {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let now = session.call.run.clock.now();
        let look = state.look()?;
        let pools = if self.retired { pool::list(look.conn())? } else { pool::active(look.conn())? };
        let snapshots = pool::snapshots(look.conn())?;
        let (pools, end) = self.paging.window().of_whole(pools, |pool| pool.name.clone())?;
        let pools = pools.iter().map(|pool| PoolView::new(pool, snapshots.get(&pool.id), now)).collect();
        let output = ListOutput { pools, end };
        Outcome::list(output, |output| (&output.pools, &output.end), self.paging.csv)
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        let rows = self.pools.iter().map(|pool| {
            let (rate, paused) = (rate(pool.exchange_rate.as_ref()), yes_no(pool.paused));
            let block = pool.view.as_ref().map(|view| view.number);
            let synced =
                pool.age_sec.map_or_else(|| "never".into(), |age| format!("{} ago", clock::span(age)));
            let synced = if pool.retired_at.is_some() { format!("{synced}, retired") } else { synced };
            cells![pool.name, pool.total_assets, pool.total_shares, rate, paused, block, synced]
        });
        if !table(page, ["POOL", ">TVL", ">SHARES", ">RATE", "PAUSED", ">BLOCK", "SYNCED"], rows) {
            page.line(NO_POOLS);
        }
    }
}

/// Show what a member has in a pool: shares, their worth, rewards
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool position alice main")]
pub struct Position {
    /// Name or address of the member
    member: String,
    /// Name or address of the pool
    pool: String,
}

fn rewards(amounts: Vec<Quantity>) -> Vec<Reward> {
    amounts.into_iter().map(|amount| Reward { symbol: amount.symbol.clone(), amount }).collect()
}

impl Position {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        let found = pool::find(look.conn(), &self.pool)?;
        let member = pool::find_member(look.conn(), &self.member)?;
        let position = reward::position(look.conn(), &found, &member)?;
        let now = session.call.run.clock.now();
        Ok(Outcome::of(PositionOutput {
            member: member.address.to_string(),
            member_name: member.name,
            pool: found.name.clone(),
            shares: found.shares(position.shares),
            underlying: position.underlying.map(|assets| found.asset.quantity(assets)),
            unclaimed: rewards(position.rewards.unclaimed),
            claimed: rewards(position.rewards.claimed),
            exported: rewards(position.rewards.exported),
            last_deposit: position.last_deposit.and_then(|deposit| deposit.at).map(clock::rfc3339),
            last_deposit_block: position.last_deposit.map(|deposit| deposit.block),
            age_sec: position.snapshot.as_ref().map(|s| age(s.synced_at, now)),
            view: position.snapshot.as_ref().map(app::pools::views::stamp),
        }))
    }
}

impl Present for PositionOutput {
    fn present(&self, page: &mut Page) {
        let sum = |rewards: &[Reward]| {
            let all: Vec<String> = rewards.iter().map(|r| r.amount.to_string()).collect();
            if all.is_empty() { "0".to_owned() } else { all.join(", ") }
        };
        let name = self.member_name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
        page.pairs([
            ("member", format!("{name}{}", self.member)),
            ("pool", self.pool.clone()),
            ("shares", self.shares.to_string()),
            ("worth", dash(self.underlying.as_ref())),
            ("unclaimed", sum(&self.unclaimed)),
            ("claimed", sum(&self.claimed)),
            ("in Merkle trees", sum(&self.exported)),
            ("last deposit", dash(self.last_deposit.as_ref())),
            (
                "figures",
                synced(self.view.as_ref(), self.age_sec).unwrap_or_else(|| "never synced".to_owned()),
            ),
        ]);
    }
}

/// Syncs that are drawn.
const DRAWN: u32 = 60;

/// Show a pool: its contract, the figures of its last sync and the course of the last 60, what is wrong with it, its
/// rewards
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool show main")]
pub struct Show {
    /// Name or address
    pool: String,
}

impl Show {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        let found = pool::find(look.conn(), &self.pool)?;
        let open = alert::list(look.conn(), Subject::Pool(found.id, &found.name), None)?;
        Ok(Outcome::of(ShowOutput {
            pool: PoolView::of(look.conn(), &found, session.call.run.clock.now())?,
            share_symbol: found.share_symbol.clone(),
            deploy_block: found.deploy_block,
            transfers_through: found.cursor.map(|(block, _)| block),
            holders: pool::holder_count(look.conn(), &found)?,
            max_rate_drop: ppm(found.max_rate_drop_ppm),
            alerts: open.into_iter().map(AlertView::from).collect(),
            reward_genesis_block: found.reward_genesis,
            reward_next_block: found.reward_cursor,
            history: pool::history(look.conn(), &found, DRAWN)?
                .into_iter()
                .map(|point| SyncPoint {
                    block: point.block,
                    time: clock::rfc3339(point.time),
                    total_assets: found.asset.quantity(point.total_assets),
                    exchange_rate: Quantity::new(point.rate_e18, E18, ""),
                })
                .collect(),
        }))
    }
}

/// How one of the figures went, with its lowest and highest; empty where there is no course yet.
fn course(history: &[SyncPoint], figure: fn(&SyncPoint) -> &Quantity) -> String {
    let values: Vec<Base> = history.iter().map(|point| figure(point).base).collect();
    let range = spark::range(values.iter().copied()).filter(|_| values.len() > 1);
    let (Some((low, high)), Some(first)) = (range, history.first()) else { return String::new() };
    let shown = |base| amount::to_people(base, figure(first).decimals);
    let scale =
        if low == high { "unchanged".to_owned() } else { format!("{} to {}", shown(low), shown(high)) };
    format!("{}  {scale}, {} syncs", spark::line(&values), values.len())
}

/// From when to when the figures were drawn.
fn period(history: &[SyncPoint]) -> String {
    match history {
        [first, .., last] => format!("blocks of {} to {}", first.time, last.time),
        _ => String::new(),
    }
}

impl Present for ShowOutput {
    fn present(&self, page: &mut Page) {
        let p = &self.pool;
        let block = |block: Option<u64>| dash(block.map(|block| format!("block {block}")));
        let drop = amount::parse_weight("max_rate_drop", &self.max_rate_drop).unwrap_or_default();
        let mut pairs = vec![
            ("pool", p.name.clone()),
            ("address", p.address.clone()),
            ("kind", format!("{} pool of {} ({})", p.abi, amount::short(&p.asset.symbol), p.asset.address)),
            ("deployed", format!("block {}", self.deploy_block)),
            ("TVL", or_dash(p.total_assets.as_ref())),
            ("", course(&self.history, |point| &point.total_assets)),
            ("shares", or_dash(p.total_shares.as_ref())),
            ("rate", or_dash(p.exchange_rate.as_ref())),
            ("", course(&self.history, |point| &point.exchange_rate)),
            ("", period(&self.history)),
            ("holders", self.holders.to_string()),
            ("paused", yes_no(p.paused)),
            ("min deposit", or_dash(p.min_deposit.as_ref())),
            (
                "max deposit",
                match (&p.view, p.unknown_limits.is_empty()) {
                    (None, _) => String::new(),
                    (_, true) => limit(p.max_deposit.as_ref()),
                    (_, false) => "unknown: the contract does not say".to_owned(),
                },
            ),
            ("cooldown", p.cooldown_sec.map(clock::span).unwrap_or_default()),
            ("rate alert", format!("falls by more than {}", percent(drop))),
            ("rewards from", block(self.reward_genesis_block)),
            ("next epoch", block(self.reward_next_block)),
            ("figures", p.view.as_ref().map_or_else(|| p.freshness(), |v| format!("{v}, {}", p.freshness()))),
        ];
        pairs.extend(p.retired_at.as_ref().map(|since| ("retired", since.clone())));
        // A course goes with the figure above it, where there is one.
        pairs.retain(|(name, value)| !(name.is_empty() && value.is_empty()));
        for (_, value) in &mut pairs {
            if value.is_empty() {
                "–".clone_into(value);
            }
        }
        page.pairs(pairs);
        for alert in &self.alerts {
            page.line(format!("ALERT {} since {}: {}", alert.kind, alert.first_seen, alert.why));
        }
    }
}
