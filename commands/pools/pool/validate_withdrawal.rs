//! `poolctl pool validate-withdrawal`: may a member withdraw so many shares now, and if not, for which reasons.

use crate::output::{Outcome, Page, Present};
use crate::shell::session::Session;
use crate::shell::views::show_verdict;
use app::App;
use app::pools::pool::ValidateWithdrawalOutput;
use app::pools::views::{age, stamp};
use base::{Result, clock};
use clap::Args;
use vault::withdrawal::{Ask, Validation, validate};

/// Say whether a member may withdraw so many shares, with every reason why not; exit 5 if not
///
/// Asks the state alone: shares that earlier withdrawals reserve are not free, limits and pauses are as last fetched.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool validate-withdrawal main alice 12.5")]
pub struct ValidateWithdrawal {
    /// Name or address of the pool
    pool: String,
    /// Name or address of the member
    member: String,
    /// Shares in whole units
    #[arg(allow_negative_numbers = true)]
    shares: String,
}

impl ValidateWithdrawal {
    /// # Errors
    /// `check_failed` with every reason, `invalid_address`; those of the state.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let now = session.call.run.clock.now();
        let ask = Ask { pool: &self.pool, member: &self.member, shares: &self.shares };
        let look = state.look()?;
        let Validation { pool, member, shares, assets, snapshot, verdict } =
            validate(look.conn(), &app.config, ask, now)?;
        let output = ValidateWithdrawalOutput {
            shares: pool.as_ref().zip(shares).map(|(pool, shares)| pool.shares(shares)),
            assets: pool.as_ref().zip(assets).map(|(pool, assets)| pool.asset.quantity(assets)),
            pool: pool.map_or(self.pool, |pool| pool.name),
            member_name: member.as_ref().and_then(|member| member.name.clone()),
            member: member.map_or(self.member, |member| member.address.to_string()),
            verdict,
            view: snapshot.as_ref().map(stamp),
            age_sec: snapshot.as_ref().map(|s| age(s.synced_at, now)),
        };
        let finding = output.verdict.finding(&output.what());
        Ok(Outcome::of(&output)?.but(finding))
    }
}

impl Present for ValidateWithdrawalOutput {
    fn present(&self, page: &mut Page) {
        show_verdict(&self.verdict, &self.what(), page);
        if let Some(assets) = &self.assets {
            page.line(format!("worth {assets}"));
        }
        if let (Some(view), Some(age)) = (&self.view, self.age_sec) {
            page.line(format!("{view}, synced {} ago", clock::span(age)));
        }
    }
}
