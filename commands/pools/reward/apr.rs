//! `poolctl reward apr`: what pools yield in a year.

use crate::output::{Outcome, Page, Present, Table};
use crate::shell::session::Session;
use crate::shell::views::or_dash;
use app::App;
use app::pools::reward::apr::{AprOutput, AprView};
use base::Result;
use base::amount::to_people;
use clap::Args;
use vault::pool;
use vault::reward;
use vault::reward::apr::DECIMALS;

/// Show what pools yield in a year, simple (APR) and compounded daily (APY)
///
/// A year's emission by the weights and terms of the next epoch, over TVL at the last sync, both at accepted prices
/// that are not stale. Without a price there is no yield. Epochs made by hand do not count.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl reward apr main")]
pub struct Apr {
    /// Names or addresses; none = all
    #[arg(value_name = "POOL")]
    pools: Vec<String>,
}

impl Apr {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        let pools = pool::select(look.conn(), &self.pools)?;
        let found = reward::outlook(look.conn(), &app.config, pools, session.call.run.clock.now())?;
        Outcome::of(&AprOutput { pools: found.into_iter().map(AprView::from).collect() })
    }
}

impl Present for AprOutput {
    fn present(&self, page: &mut Page) {
        if self.pools.is_empty() {
            page.line("no pools; add one with: poolctl pool add NAME ADDRESS");
            return;
        }
        let mut table = Table::new(&["POOL", ">APR", ">APY", ">EMISSION A YEAR", ">TVL", "WHY NOT"]);
        for p in &self.pools {
            table.row([
                p.pool.clone(),
                percent(p.apr.as_ref()),
                percent(p.apy.as_ref()),
                or_dash(p.yearly_emission.as_ref()),
                or_dash(p.tvl.as_ref()),
                p.why.unwrap_or_default().to_owned(),
            ]);
        }
        page.table(table);
    }
}

/// A part of 1 as a percentage with its four decimals.
fn percent(part: Option<&String>) -> String {
    let millionths = part.and_then(|text| base::amount::parse_units(text, DECIMALS).ok());
    millionths.map(|part| format!("{}%", to_people(part, DECIMALS - 2))).unwrap_or_default()
}
