//! `poolctl operations …`: transactions that are not settled yet.

use crate::shell::prelude::*;
use app::farming::operations::{GiveUpOutput, ListOutput, OperationView, SettleOutput};
use app::farming::{ended_as, ended_in, time, unsettled};
use base::clock;
use kale::farming::Leads;
use outbox::{Chain, Operation, Outlook};
use std::collections::HashMap;
use std::time::Duration;
use stellar::submit::Stellar;

commands! {
    /// Show, settle or give up transactions that are not settled yet
    #[command(before_help = "Example: poolctl operations list")]
    Command {
        List(List) = "operations list": ListOutput = api::get("/operations", api::READER);
        Settle(Settle) = "operations settle": SettleOutput = api::post("/operations/settle", api::OPERATOR);
        GiveUp(GiveUp) = "operations give-up": GiveUpOutput = api::post("/operations/{id}/give-up", api::OPERATOR);
    }
}

/// List the transactions that are not settled yet, oldest first
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl operations list --json")]
pub struct List {
    #[command(flatten)]
    paging: Paging,
}

impl List {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let mut operations = Vec::new();
        let look = state.look()?;
        let mut open = outbox::open(look.conn())?;
        let since: HashMap<i64, i64> = outbox::open_since(look.conn())?.into_iter().collect();
        let (window, total) = (self.paging.window(), u64::try_from(open.len()).ok());
        // The one that the page before ended with may be settled by now.
        let after = window.after::<i64>()?;
        open.retain(|operation| after.is_none_or(|after| operation.id > after));
        let (open, end) = window.page(open, total, |operation| operation.id.to_string());
        for operation in open {
            let Some(planned) = since.get(&operation.id).copied() else { continue };
            let last = outbox::attempts(look.conn(), operation.id)?.pop();
            let until = last.as_ref().and_then(|last| last.valid_until);
            operations.push(OperationView {
                id: operation.id,
                key: operation.key,
                state: operation.state.into(),
                planned_at: clock::rfc3339(planned),
                hash: last.map(|last| last.hash),
                valid_until: until.map(|until| clock::rfc3339(i64::try_from(until).unwrap_or(i64::MAX))),
            });
        }
        let output = ListOutput { operations, end };
        Outcome::list(output, |output| (&output.operations, &output.end), self.paging.csv)
    }
}

/// Settle what is not settled yet: look it up, and send it again while that may help
///
/// Every command that writes does the same first, for a few seconds. This one waits as long as a transaction is valid. Exit
/// 76 where something is still not known. With --dry-run every endpoint is asked once.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl operations settle")]
pub struct Settle {
    #[command(flatten)]
    dry: DryRun,
}

impl Settle {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let mut output = SettleOutput::default();
        if outbox::open_on(app.read()?.conn(), Stellar::NAME)?.is_empty() {
            return Ok(Outcome::of(output));
        }
        if self.dry.dry_run {
            for (operation, seen) in
                unsettled(&app, true, &Leads::none(), async |farm| farm.look_at_open().await)?
            {
                let (known, status) = outlook(&seen);
                output.take(&operation, known, status, seen.err());
            }
            return Ok(Outcome::document(output));
        }
        let (before, done, left) = unsettled(&app, false, &Leads::Free, async |farm| {
            let permit = app.value_permit(farm.work.permit, "finish the transactions that are under way")?;
            let before = farm.open()?;
            let done = farm.settle(Some(permit), Duration::MAX).await?;
            // Those of farms that other runs lead are theirs to settle.
            let is_left = |one: &Operation| !before.iter().any(|own| own.id == one.id);
            let mut left = outbox::open_on(farm.work.state.conn(), Stellar::NAME)?;
            left.retain(is_left);
            Ok((before, done, left))
        })?;
        // What was never signed is given up without a question to anybody.
        let is_done = |operation: &&Operation| done.iter().any(|(one, _)| one.id == operation.id);
        let unsigned = before.iter().filter(|operation| !is_done(operation));
        for (operation, settled) in &done {
            output.take(operation, settled.is_ok(), ended_in(settled), settled.as_ref().err().cloned());
        }
        for operation in unsigned {
            output.take(operation, true, "given up: it was never signed".to_owned(), None);
        }
        for operation in &left {
            output.take(operation, false, "is left to the run that leads its farm".to_owned(), None);
        }
        Ok(Outcome::document(output))
    }
}

/// Whether it would be known what became of an operation, and what.
fn outlook(seen: &Result<Outlook>) -> (bool, String) {
    match seen {
        Ok(Outlook::Ends(status)) => (true, format!("would be recorded: it {}", ended_as(*status))),
        Ok(Outlook::Unsigned) => (true, "would be given up: it was never signed".to_owned()),
        Ok(Outlook::Waits { until: Some(until) }) => {
            (false, format!("may still take effect, until {}", time(*until)))
        }
        Ok(Outlook::Waits { until: None }) => (false, "may still take effect".to_owned()),
        Err(e) => (false, format!("would not be settled: {e}")),
    }
}

/// Give up a transaction that can never take effect any more and whose outcome is unknown
///
/// Its validity must be over; try operations settle first. Every endpoint is asked for it once more: where one knows what became
/// of it, it is settled instead, and where none can be asked, nothing is done. What it did, if it did anything, is read from the
/// chain by the next farm reconcile, or farm run. The reason is recorded in the audit log.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl operations give-up 12 --reason forgotten")]
pub struct GiveUp {
    /// Number of the operation, as operations list shows it
    #[arg(value_name = "ID")]
    id: i64,
    /// Reason, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    dry: DryRun,
}

impl GiveUp {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let Self { id, reason, dry } = self;
        if reason.trim().is_empty() {
            let code = base::Code::InvalidValue;
            return Err(Error::new(code, "--reason is empty").hint("say why, for the audit log"));
        }
        let output = unsettled(&app, dry.dry_run, &Leads::none(), async |farm| {
            let given = farm.may_give_up(id).await?;
            if dry.dry_run {
                return Ok(GiveUpOutput::of(id, given, ["would_give_up", "would_settle"]));
            }
            let what = format!("give up operation {}", given.operation.key);
            // What is known needs no consent to be recorded.
            let permit = app.agree(farm.work.permit, given.known.is_none(), &what)?;
            farm.give_up(permit, &given, &reason)?;
            Ok(GiveUpOutput::of(id, given, ["given_up", "settled"]))
        })?;
        Ok(Outcome::of(output))
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        if self.operations.is_empty() {
            page.line("everything is settled");
        }
        page.rows([">ID", "OPERATION", "STATE", "PLANNED", "VALID UNTIL"], &self.operations, |one| {
            cells![one.id, one.key, one.state, one.planned_at, one.valid_until]
        });
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
        let ended = self.ended.as_ref().map(|ended| format!(": it {ended}")).unwrap_or_default();
        page.line(format!("{}: {}{ended}", self.key, self.status.replace('_', " ")));
    }
}
