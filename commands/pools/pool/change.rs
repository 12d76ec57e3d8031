//! `poolctl pool set`, `rename` and `retire`: what was added can be corrected, and taken out of use.

use crate::pools::pool::contract::check_symbol;
use crate::shell::prelude::*;
use crate::shell::views::percent;
use app::pools::pool::{RenameOutput, RetireOutput, SetOutput};
use app::pools::views::{PoolView, ppm};
use base::amount;
use state::WriteContext;
use vault::pool::{self, Pool, SetPool};
use vault::reward;

/// Change a pool: its alert for a falling rate, its asset's symbol, or where its rewards begin
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl pool set main --max-rate-drop 0.01",
    override_usage = "poolctl pool set [OPTIONS] <POOL>"
)]
#[group(required = true, multiple = true, args = ["max_rate_drop", "symbol", "reward_genesis_block"])]
pub struct Set {
    /// Name or address
    pool: String,
    /// Fall of the exchange rate between syncs that raises an alert, 0 to 1
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    max_rate_drop: Option<String>,
    /// What its asset is called in outputs, whatever the token says; feeds may price it by this symbol
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<String>,
    /// First block that earns rewards, while they have not begun
    #[arg(long, value_name = "BLOCK", allow_negative_numbers = true)]
    reward_genesis_block: Option<u64>,
    #[command(flatten)]
    dry: DryRun,
}

fn view(work: &WriteContext<'_>, pool: &Pool) -> Result<PoolView> {
    PoolView::of(work.state.conn(), pool, work.state.run().clock.now())
}

impl Set {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        self.symbol.as_deref().map_or(Ok(()), check_symbol)?;
        let drop = self.max_rate_drop.as_deref();
        let change = SetPool {
            max_rate_drop_ppm: drop.map(|text| amount::parse_weight("max-rate-drop", text)).transpose()?,
            symbol: self.symbol,
            reward_genesis: self.reward_genesis_block,
        };
        let app = App::open(session)?;
        let found = pool::find(app.read()?.conn(), &self.pool)?;
        let output = app.write(self.dry.dry_run, |work| {
            let (pool, changed) = work.state.write(work.permit, |tx| pool::set(tx, found.id, &change))?;
            Ok(SetOutput {
                changed,
                pool: view(work, &pool)?,
                max_rate_drop: ppm(pool.max_rate_drop_ppm),
                reward_genesis_block: pool.reward_genesis,
            })
        })?;
        Ok(Outcome::of(output))
    }
}

impl Present for SetOutput {
    fn present(&self, page: &mut Page) {
        let drop = amount::parse_weight("max_rate_drop", &self.max_rate_drop).unwrap_or_default();
        let begin =
            self.reward_genesis_block.map_or_else(|| "–".to_owned(), |block| format!("block {block}"));
        page.line(if self.changed { "changed" } else { "nothing to change" }).pairs([
            ("pool", self.pool.name.clone()),
            ("asset", amount::short(&self.pool.asset.symbol).into_owned()),
            ("rate alert", format!("falls by more than {}", percent(drop))),
            ("rewards from", begin),
        ]);
    }
}

/// Give a pool another name
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool rename main usdc-main")]
pub struct Rename {
    /// Name or address
    pool: String,
    /// Its new name
    name: String,
    #[command(flatten)]
    dry: DryRun,
}

impl Rename {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        state::check_name("NAME", &self.name)?;
        let app = App::open(session)?;
        let found = pool::find(app.read()?.conn(), &self.pool)?;
        let output = app.write(self.dry.dry_run, |work| {
            let (pool, changed) =
                work.state.write(work.permit, |tx| pool::rename(tx, found.id, &self.name))?;
            Ok(RenameOutput { changed, before: found.name.clone(), pool: view(work, &pool)? })
        })?;
        Ok(Outcome::of(output))
    }
}

impl Present for RenameOutput {
    fn present(&self, page: &mut Page) {
        let (before, now) = (&self.before, &self.pool.name);
        page.line(if self.changed {
            format!("pool \"{before}\" is called \"{now}\" now")
        } else {
            format!("pool \"{now}\" is called so already")
        });
    }
}

/// Take a pool out of use: no sync, check or reward cycle acts on it any more, and its records stay
///
/// It must have no open withdrawals, no weight, and every epoch distributed. Rewards can still be claimed. With --undo it
/// is in use again.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool retire main")]
pub struct Retire {
    /// Name or address
    pool: String,
    /// Take it back into use
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    dry: DryRun,
}

impl Retire {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let found = pool::find(app.read()?.conn(), &self.pool)?;
        let output = app.write(self.dry.dry_run, |work| {
            let (pool, changed) = reward::retire(work, &found, self.undo).map_err(|e| {
                let what = if self.undo { "take back" } else { "retire" };
                e.context(format!("cannot {what} pool \"{}\"", found.name))
            })?;
            Ok(RetireOutput {
                changed,
                pool: view(work, &pool)?,
                carries: reward::carried(work.state.conn(), &pool)?,
            })
        })?;
        Ok(Outcome::of(output))
    }
}

impl Present for RetireOutput {
    fn present(&self, page: &mut Page) {
        let name = &self.pool.name;
        page.line(match (&self.pool.retired_at, self.changed) {
            (Some(_), true) => {
                format!("retired pool \"{name}\"; take it back with: poolctl pool retire {name} --undo")
            }
            (Some(_), false) => format!("pool \"{name}\" is retired already"),
            (None, true) => format!("pool \"{name}\" is in use again"),
            (None, false) => format!("pool \"{name}\" is in use"),
        });
        if let (Some(_), Some(carries)) = (&self.pool.retired_at, &self.carries) {
            page.line(format!(
                "it carries {carries} to its next epoch, which is not paid while it is retired"
            ));
        }
    }
}
