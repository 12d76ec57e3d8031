//! `poolctl pool …`: the pools there are, and what a member has in one.

mod accept_change;
mod add;
mod reconcile;
mod rescan;
mod show;
mod validate_deposit;
mod validate_withdrawal;

use crate::output::{Outcome, Page, Present, Table};
use crate::shell::registry::commands;
use crate::shell::session::Session;
use crate::shell::views::{or_dash, rate, yes_no};
use app::App;
use app::pools::pool::{ListOutput, PositionOutput, Reward};
use app::pools::views::{PoolView, age};
use base::amount::Quantity;
use base::{Result, clock};
use clap::Args;
use vault::pool;
use vault::reward;

commands! {
    /// Add, list and show pools, and members' positions in them
    #[command(before_help = "Example: poolctl pool list")]
    Command {
        Add(add::Add) = "pool add": app::pools::pool::AddOutput;
        List(List) = "pool list": ListOutput;
        Show(show::Show) = "pool show": app::pools::pool::ShowOutput;
        Position(Position) = "pool position": PositionOutput;
        ValidateWithdrawal(validate_withdrawal::ValidateWithdrawal) = "pool validate-withdrawal": app::pools::pool::ValidateWithdrawalOutput;
        ValidateDeposit(validate_deposit::ValidateDeposit) = "pool validate-deposit": app::pools::pool::ValidateDepositOutput;
        Reconcile(reconcile::Reconcile) = "pool reconcile": app::pools::pool::reconcile::ReconcileOutput;
        AcceptChange(accept_change::AcceptChange) = "pool accept-change": app::pools::pool::AcceptChangeOutput;
        Rescan(rescan::Rescan) = "pool rescan": app::pools::pool::rescan::RescanOutput;
    }
}

/// List the pools with the figures of their last sync
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool list --json | jq '.data.pools[].name'")]
pub struct List {}

impl List {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let now = session.call.run.clock.now();
        let look = state.look()?;
        let (pools, snapshots) = (pool::list(look.conn())?, pool::snapshots(look.conn())?);
        let pools = pools.iter().map(|pool| PoolView::new(pool, snapshots.get(&pool.id), now)).collect();
        Outcome::of(&ListOutput { pools })
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        if self.pools.is_empty() {
            page.line("no pools; add one with: poolctl pool add NAME ADDRESS");
            return;
        }
        let mut table = Table::new(&["POOL", ">TVL", ">SHARES", ">RATE", "PAUSED", ">BLOCK", "SYNCED"]);
        for pool in &self.pools {
            table.row([
                pool.name.clone(),
                or_dash(pool.total_assets.as_ref()),
                or_dash(pool.total_shares.as_ref()),
                rate(pool.exchange_rate.as_ref()),
                yes_no(pool.paused),
                pool.view.as_ref().map(|view| view.number.to_string()).unwrap_or_default(),
                pool.age_sec.map_or_else(|| "never".into(), |age| format!("{} ago", clock::span(age))),
            ]);
        }
        page.table(table);
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
        let found = pool::find(state.conn(), &self.pool)?;
        let member = pool::find_member(state.conn(), &self.member)?;
        let position = reward::position(state.conn(), &found, &member)?;
        let now = session.call.run.clock.now();
        Outcome::of(&PositionOutput {
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
        })
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
            ("worth", self.underlying.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string)),
            ("unclaimed", sum(&self.unclaimed)),
            ("claimed", sum(&self.claimed)),
            ("in Merkle trees", sum(&self.exported)),
            ("last deposit", self.last_deposit.clone().unwrap_or_else(|| "–".to_owned())),
            (
                "figures",
                match (&self.view, self.age_sec) {
                    (Some(view), Some(age)) => format!("{view}, synced {} ago", clock::span(age)),
                    _ => "never synced".to_owned(),
                },
            ),
        ]);
    }
}
