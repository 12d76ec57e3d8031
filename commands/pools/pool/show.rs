//! `poolctl pool show`: everything that the state knows of one pool.

use crate::output::{Outcome, Page, Present};
use crate::shell::session::Session;
use crate::shell::views::{limit, or_dash, percent, yes_no};
use app::App;
use app::pools::alerts::AlertView;
use app::pools::pool::{ShowOutput, SyncPoint};
use app::pools::views::{PoolView, ppm};
use base::amount::{self, Base, E18, Quantity};
use base::{Result, clock};
use clap::Args;
use state::alert::{self, Subject};
use vault::pool;
use watch::spark;

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
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let found = pool::find(state.conn(), &self.pool)?;
        let open = alert::list(state.conn(), Subject::Pool(found.id, &found.name), None)?;
        Outcome::of(&ShowOutput {
            pool: PoolView::of(state.conn(), &found, session.call.run.clock.now())?,
            share_symbol: found.share_symbol.clone(),
            deploy_block: found.deploy_block,
            transfers_through: found.cursor.map(|(block, _)| block),
            holders: pool::holder_count(state.conn(), &found)?,
            max_rate_drop: ppm(found.max_rate_drop_ppm),
            alerts: open.into_iter().map(AlertView::from).collect(),
            reward_genesis_block: found.reward_genesis,
            reward_next_block: found.reward_cursor,
            history: pool::history(state.conn(), &found, DRAWN)?
                .into_iter()
                .map(|point| SyncPoint {
                    block: point.block,
                    total_assets: found.asset.quantity(point.total_assets),
                    exchange_rate: Quantity::new(point.rate_e18, E18, ""),
                })
                .collect(),
        })
    }
}

/// How one of the figures went, with its lowest and highest; empty where there is no course yet.
fn course(history: &[SyncPoint], figure: fn(&SyncPoint) -> &Quantity) -> String {
    let values: Vec<Base> = history.iter().map(|point| figure(point).base).collect();
    let (Some((low, high)), Some(first)) = (spark::range(values.iter().copied()), history.first()) else {
        return String::new();
    };
    if values.len() < 2 {
        return String::new();
    }
    let shown = |base| amount::to_people(base, figure(first).decimals);
    let scale =
        if low == high { "unchanged".to_owned() } else { format!("{} to {}", shown(low), shown(high)) };
    format!("{}  {scale}, {} syncs", spark::line(&values), values.len())
}

impl Present for ShowOutput {
    fn present(&self, page: &mut Page) {
        let p = &self.pool;
        let block =
            |block: Option<u64>| block.map_or_else(|| "–".to_owned(), |block| format!("block {block}"));
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
            ("holders", self.holders.to_string()),
            ("paused", yes_no(p.paused)),
            ("min deposit", or_dash(p.min_deposit.as_ref())),
            (
                "max deposit",
                match (&p.view, p.unknown_limits.is_empty()) {
                    (None, _) => String::new(),
                    (_, true) => limit(p.max_deposit.as_ref()),
                    (_, false) => "unknown: the contract does not tell it".to_owned(),
                },
            ),
            ("cooldown", p.cooldown_sec.map(clock::span).unwrap_or_default()),
            ("rate alert", format!("falls by more than {}", percent(drop))),
            ("rewards from", block(self.reward_genesis_block)),
            ("next epoch", block(self.reward_next_block)),
        ];
        pairs.push((
            "figures",
            p.view.as_ref().map_or_else(|| p.freshness(), |v| format!("{v}, {}", p.freshness())),
        ));
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
