//! `poolctl pool validate-deposit`: may a member deposit so much now, and if not, for which reasons.

use crate::output::{Outcome, Page, Present};
use crate::shell::at::AtFlag;
use crate::shell::session::Session;
use crate::shell::views::show_verdict;
use app::App;
use app::pools::pool::ValidateDepositOutput;
use app::pools::views::age;
use base::{Code, Error, Result, clock};
use clap::Args;
use vault::deposit::{Ask, Validation, validate, validate_on_chain};

/// Say whether a member may deposit so much, with every reason why not; exit 5 if not
///
/// Asks the state: the figures of the last sync, limits and pauses as last fetched, and the member's balance in the
/// ledger. With --on-chain the pool's figures, the member's shares and its balance of the asset are read now, at one block.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool validate-deposit main alice 250.00 --on-chain")]
pub struct ValidateDeposit {
    /// Name or address of the pool
    pool: String,
    /// Name or address of the member
    member: String,
    /// Amount in whole units of the pool's asset
    #[arg(allow_negative_numbers = true)]
    amount: String,
    /// Read the pool and the member's balance on chain
    #[arg(long)]
    on_chain: bool,
    #[command(flatten)]
    at: AtFlag,
}

impl ValidateDeposit {
    /// # Errors
    /// `check_failed` with every reason, `invalid_address`; those of the state, and with `--on-chain` of the chain.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        if self.at.is_given() && !self.on_chain {
            return Err(Error::new(
                Code::Usage,
                "--at is the block that is read at, and without --on-chain none is",
            )
            .hint("add --on-chain, or leave --at out"));
        }
        let app = App::open(session)?;
        let state = app.read()?;
        let now = session.call.run.clock.now();
        let ask = Ask { pool: &self.pool, member: &self.member, amount: &self.amount };
        let found = if self.on_chain {
            let at = self.at.or(&app.config)?;
            app.look_on_chain(None, async |chain| {
                validate_on_chain(state.conn(), &app.config, chain, ask, at, now).await
            })?
        } else {
            validate(state.look()?.conn(), &app.config, ask, now)?
        };
        let Validation { pool, member, amount, balance, verdict, view, read_at } = found;
        let quantity = |base| pool.as_ref().map(|pool| pool.asset.quantity(base));
        let output = ValidateDepositOutput {
            amount: amount.and_then(quantity),
            balance: balance.and_then(quantity),
            on_chain: self.on_chain,
            pool: pool.as_ref().map_or(self.pool, |pool| pool.name.clone()),
            member_name: member.as_ref().and_then(|member| member.name.clone()),
            member: member.map_or(self.member, |member| member.address.to_string()),
            verdict,
            view,
            age_sec: read_at.map(|then| age(then, now)),
        };
        let finding = output.verdict.finding(&output.what());
        Ok(Outcome::of(&output)?.but(finding))
    }
}

impl Present for ValidateDepositOutput {
    fn present(&self, page: &mut Page) {
        show_verdict(&self.verdict, &self.what(), page);
        if let Some(balance) = &self.balance {
            page.line(format!(
                "balance {balance} {}",
                if self.on_chain { "on chain" } else { "in the ledger" }
            ));
        }
        match (&self.view, self.age_sec) {
            (Some(view), _) if self.on_chain => {
                page.line(view);
            }
            (Some(view), Some(age)) => {
                page.line(format!("{view}, synced {} ago", clock::span(age)));
            }
            _ => {}
        }
    }
}
