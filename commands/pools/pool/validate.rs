//! `poolctl pool validate-deposit` and `validate-withdrawal`: may a member do so much now, and if not, for which reasons.

use crate::pools::{seen, synced};
use crate::shell::at::AtFlag;
use crate::shell::prelude::*;
use crate::shell::views::show_verdict;
use app::pools::pool::{ValidateDepositOutput, ValidateWithdrawalOutput};
use app::pools::views::{age, stamp};
use vault::{deposit, withdrawal};

/// Check whether a member may deposit an amount, with every reason against it; exit 5 if not
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
        let ask = deposit::Ask { pool: &self.pool, member: &self.member, amount: &self.amount };
        let found = if self.on_chain {
            let at = self.at.or(&app.config)?;
            app.look_on_chain(None, async |chain| {
                deposit::validate_on_chain(state.conn(), &app.config, chain, ask, at, now).await
            })?
        } else {
            deposit::validate(state.look()?.conn(), &app.config, ask, now)?
        };
        let deposit::Validation { pool, member, amount, balance, verdict, view, read_at } = found;
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
        Ok(Outcome::of(output).but(finding))
    }
}

impl Present for ValidateDepositOutput {
    fn present(&self, page: &mut Page) {
        show_verdict(&self.verdict, &self.what(), page);
        if let Some(balance) = &self.balance {
            let place = if self.on_chain { "on chain" } else { "in the ledger" };
            page.line(format!("balance {balance} {place}"));
        }
        if self.on_chain {
            seen(page, self.view.as_ref());
        } else if let Some(figures) = synced(self.view.as_ref(), self.age_sec) {
            page.line(figures);
        }
    }
}

/// Check whether a member may withdraw shares, with every reason against it; exit 5 if not
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
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let now = session.call.run.clock.now();
        let ask = withdrawal::Ask { pool: &self.pool, member: &self.member, shares: &self.shares };
        let look = state.look()?;
        let withdrawal::Validation { pool, member, shares, assets, snapshot, verdict } =
            withdrawal::validate(look.conn(), &app.config, ask, now)?;
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
        Ok(Outcome::of(output).but(finding))
    }
}

impl Present for ValidateWithdrawalOutput {
    fn present(&self, page: &mut Page) {
        show_verdict(&self.verdict, &self.what(), page);
        if let Some(assets) = &self.assets {
            page.line(format!("worth {assets}"));
        }
        if let Some(figures) = synced(self.view.as_ref(), self.age_sec) {
            page.line(figures);
        }
    }
}
