//! `poolctl farm profit`: what was earned and lost, by day and pooler.

use crate::shell::prelude::*;
use app::farming::profit::{ProfitOutput, SumsView};

/// Show what was earned and lost by day and pooler: rewards, parts, fees, lost stakes
///
/// Days are of UTC, and a harvest counts on the day on which it was recorded. NET is the reward less lost stakes; fees of the
/// network are paid in lumens and stand beside it.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl farm profit --days 30 --csv")]
pub struct ProfitCommand {
    /// Look back over N days, today being one
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3_660))]
    days: u32,
    /// Only of one pooler, by name or id
    #[arg(long, value_name = "POOLER")]
    pooler: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

impl ProfitCommand {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let (look, now) = (state.look()?, session.call.run.clock.now());
        let window = self.paging.window();
        let output = ProfitOutput::of(look.conn(), self.days, self.pooler.as_deref(), &window, now)?;
        let pruned = output
            .pruned_before
            .as_ref()
            .map(|before| format!("rows from before {before} were pruned: days before that are not whole"));
        Ok(Outcome::list(output, |output| (&output.days, &output.end), self.paging.csv)?.warn(pruned))
    }
}

impl Present for ProfitOutput {
    fn present(&self, page: &mut Page) {
        if self.days.is_empty() {
            page.line(format!("nothing was harvested, lost or sent since {}", self.since));
            return;
        }
        let heads = [
            "DAY",
            "POOLER",
            ">HARVESTS",
            ">REWARD",
            ">FARMERS",
            ">POOLER'S PART",
            ">OPERATOR'S",
            ">LOST",
            ">NET",
            ">NETWORK FEES",
        ];
        let days = self.days.iter().map(|one| (one.day.as_str(), one.pooler.as_str(), &one.sums));
        page.rows(heads, days.chain([("together", "", &self.together)]), |(day, pooler, sums)| {
            let SumsView { harvests, reward, to_farmers, to_pooler, platform_fee, lost, net, .. } = sums;
            cells![
                day,
                pooler,
                harvests,
                reward,
                to_farmers,
                to_pooler,
                platform_fee,
                lost,
                net,
                sums.network_fees
            ]
        });
    }
}
