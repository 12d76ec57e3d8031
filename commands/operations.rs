//! `poolctl operations …`: transactions that are not settled yet.

use crate::app::App;
use crate::farming::{ended_in, site_desk};
use crate::options::DryRun;
use crate::output::{Contract, Outcome, Page, Present, Table, partly};
use crate::session::Session;
use crate::views::Failure;
use base::{Error, Result, clock, forms};
use clap::{Args, Subcommand};
use schemars::JsonSchema;
use serde::Serialize;
use state::operations;
use std::collections::HashMap;
use std::time::Duration;
use stellar::submit;

/// What the commands write.
pub const CONTRACTS: &[Contract] = &[
    Contract::of::<ListOutput>("operations list"),
    Contract::of::<SettleOutput>("operations settle"),
    Contract::of::<GiveUpOutput>("operations give-up"),
];

/// See, settle or give up transactions that are not settled yet
#[derive(Debug, Subcommand)]
#[command(before_help = "Example: poolctl operations list")]
pub enum Command {
    List(List),
    Settle(Settle),
    GiveUp(GiveUp),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What the command says.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        match self {
            Self::List(List {}) => List::run(session),
            Self::Settle(Settle {}) => Settle::run(session),
            Self::GiveUp(command) => command.run(session),
        }
    }
}

/// List the transactions that are not settled yet, oldest first
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl operations list --json")]
pub struct List {}

/// Transactions that are not settled.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// The oldest first.
    pub operations: Vec<OperationView>,
}

/// A transaction that is not settled.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OperationView {
    /// Its number, for `operations give-up`.
    pub id: i64,
    /// What is intended: what, on which network, for whom, where.
    pub key: String,
    /// How far it is: `planned`, `signed`, `sent` or `confirmed`.
    pub state: &'static str,
    /// When it was planned.
    #[schemars(with = "forms::Time")]
    pub planned_at: String,
    /// Hash of its last envelope; null where none was signed.
    #[schemars(with = "Option<forms::Digest>")]
    pub hash: Option<String>,
    /// Ledger time until which that may take effect.
    #[schemars(with = "Option<forms::Time>")]
    pub valid_until: Option<String>,
}

impl List {
    fn run(session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let mut views = Vec::new();
        let open = operations::open(state.conn())?;
        // Read later: what has ended since is left out.
        let since: HashMap<i64, i64> = operations::open_since(state.conn())?.into_iter().collect();
        for operation in open {
            let Some(planned) = since.get(&operation.id).copied() else { continue };
            let last = operations::attempts(state.conn(), operation.id)?.pop();
            let until = last.as_ref().map(|last| submit::valid_until(&last.envelope)).transpose()?;
            views.push(OperationView {
                id: operation.id,
                key: operation.key,
                state: operation.state.word(),
                planned_at: clock::rfc3339(planned),
                hash: last.map(|last| last.hash),
                valid_until: until.map(|until| clock::rfc3339(i64::try_from(until).unwrap_or(i64::MAX))),
            });
        }
        Outcome::of(&ListOutput { operations: views })
    }
}

/// Settle what is not settled yet: look it up, and send it again while that may help
///
/// Every command that writes does the same first, for a few seconds. This one waits as long as a transaction is valid. Exit
/// 76 where something is still not known.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl operations settle")]
pub struct Settle {}

/// What became of the transactions.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SettleOutput {
    /// The oldest first.
    pub operations: Vec<SettledView>,
}

/// What became of a transaction.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SettledView {
    /// What was intended.
    pub key: String,
    /// Whether it is known now what became of it.
    pub settled: bool,
    /// How it ended, or why that is not known.
    pub status: String,
}

impl Settle {
    fn run(session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        if operations::open(app.read()?.conn())?.is_empty() {
            return Outcome::of(&SettleOutput { operations: Vec::new() });
        }
        let done = site_desk(&app, false, async |farm| {
            let permit = app.value_permit(farm.work.permit, "finish the transactions that are under way")?;
            farm.settle(Some(permit), Duration::MAX).await
        })?;
        let failures: Vec<Failure> = done
            .iter()
            .filter_map(|(operation, settled)| Some((operation.key.clone(), settled.as_ref().err()?.clone())))
            .collect();
        let failure = partly(done.len() - failures.len(), &failures, "operations");
        let operations = done
            .into_iter()
            .map(|(operation, settled)| SettledView {
                key: operation.key,
                settled: settled.is_ok(),
                status: ended_in(&settled),
            })
            .collect();
        Ok(Outcome::of(&SettleOutput { operations })?.but(failure))
    }
}

/// Give up a transaction that can never take effect any more, and of which nobody tells what became
///
/// Its validity must be over; try operations settle first. What it did, if it did anything, is read from the chain by the next
/// farm reconcile, or farm run. The reason is kept in the audit log.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl operations give-up 12 --reason forgotten")]
pub struct GiveUp {
    /// Number of the operation, as operations list shows it
    #[arg(value_name = "ID")]
    id: i64,
    /// Why, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    dry: DryRun,
}

/// A transaction that is given up.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GiveUpOutput {
    /// Its number.
    pub id: i64,
    /// What was intended.
    pub key: String,
    /// `given_up` or `would_give_up`.
    pub status: &'static str,
}

impl GiveUp {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let Self { id, reason, dry } = self;
        if reason.trim().is_empty() {
            let code = base::Code::InvalidValue;
            return Err(Error::new(code, "--reason is empty").hint("say why, for the audit log"));
        }
        let output = site_desk(&app, dry.dry_run, async |farm| {
            let operation = farm.may_give_up(id).await?;
            if dry.dry_run {
                return Ok(GiveUpOutput { id, key: operation.key, status: "would_give_up" });
            }
            let what = format!("give up operation {}", operation.key);
            let permit = app.agree(farm.work.permit, true, &what)?;
            let operation = farm.give_up(permit, id, &reason).await?;
            Ok(GiveUpOutput { id, key: operation.key, status: "given_up" })
        })?;
        Outcome::of(&output)
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        if self.operations.is_empty() {
            page.line("everything is settled");
            return;
        }
        let mut table = Table::new(&[">ID", "OPERATION", "STATE", "PLANNED", "VALID UNTIL"]);
        for one in &self.operations {
            table.row([
                one.id.to_string(),
                one.key.clone(),
                one.state.to_owned(),
                one.planned_at.clone(),
                one.valid_until.clone().unwrap_or_default(),
            ]);
        }
        page.table(table);
    }
}

impl Present for SettleOutput {
    fn present(&self, page: &mut Page) {
        for one in &self.operations {
            page.line(format!("{} {}", one.key, one.status));
        }
        if self.operations.is_empty() {
            page.line("everything is settled");
        }
    }
}

impl Present for GiveUpOutput {
    fn present(&self, page: &mut Page) {
        page.line(format!("{}: {}", self.key, self.status.replace('_', " ")));
    }
}
