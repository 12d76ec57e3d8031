//! `poolctl pool validate-deposit`: may a member deposit so much now, and if not, for which reasons.

use crate::at::AtFlag;
use crate::output::{Outcome, Page, Present};
use crate::session::Session;
use crate::views::{age, show_verdict};
use app::App;
use base::amount::Quantity;
use base::{Code, Error, Result, clock};
use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use vault::deposit::{Ask, Validation, validate, validate_on_chain};
use vault::pool::ViewStamp;
use vault::risk::verdict::Verdict;

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

/// The answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ValidateDepositOutput {
    /// The pool's name, or what was typed where there is none.
    pub pool: String,
    /// The member's address, or what was typed where there is none.
    pub member: String,
    /// The member's name, if it has one.
    pub member_name: Option<String>,
    /// The amount; null where what was typed is none of the pool's asset.
    pub amount: Option<Quantity>,
    /// What the member can deposit; null where pool or member is not known.
    pub balance: Option<Quantity>,
    /// Whether that balance and the figures were read on chain now.
    pub on_chain: bool,
    /// Whether it is valid, and every failed rule.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Whose view the pool's figures are; null where there are none.
    pub view: Option<ViewStamp>,
    /// How long ago they were read.
    pub age_sec: Option<u64>,
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

impl ValidateDepositOutput {
    /// "deposit of 250.00 USD by alice into pool "main"".
    fn what(&self) -> String {
        let amount = self.amount.as_ref().map(|amount| format!(" of {amount}")).unwrap_or_default();
        let member = self.member_name.as_ref().unwrap_or(&self.member);
        format!("deposit{amount} by {member} into pool \"{}\"", self.pool)
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
