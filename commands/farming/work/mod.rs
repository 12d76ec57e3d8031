//! `poolctl work`: nonces for the pails of the current block.

pub mod submit;

use crate::shell::options::parallel;
use crate::shell::prelude::*;
use app::farming::work::{WorkOutput, work};
use base::clock::{self, BadDuration};
use clap::Subcommand;
use jiff::Timestamp;
use kale::settings::Policy;
use kale::work::{Deadline, Orders};

/// Work: grind nonces for the pails of the current block, and submit the best in time
///
/// All farmers share all cores: the one with the fewest zeros is next, up to the most that count in the block. What is
/// found is saved as it is found, so a run that was killed goes on where it was. Policy late submits near the deadline,
/// early as soon as a farmer has all that counts, insured a cheap nonce at once and a better one at the deadline. Stopped
/// (Ctrl-C, SIGTERM), it first submits the best that it has; a second signal stops at once.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl work --policy late\n         poolctl work submit solutions.ndjson",
    args_conflicts_with_subcommands = true
)]
pub struct Work {
    #[command(subcommand)]
    command: Option<Command>,
    /// Names, addresses or ids of farmers; none = all that are served
    #[arg(value_name = "FARMER")]
    farmers: Vec<String>,
    #[command(flatten)]
    orders: OrderFlags,
    /// When stopped, keep the nonces that were found, and submit none of them
    #[arg(long)]
    abandon: bool,
    /// Transactions under way at once; default: kale.parallel
    #[arg(long, value_name = "N", value_parser = parallel)]
    parallel: Option<usize>,
    #[command(flatten)]
    dry: DryRun,
}

/// Commands below `work`.
#[derive(Debug, Subcommand)]
enum Command {
    Submit(submit::Submit),
}

/// When work is submitted.
#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::doc_markdown, reason = "clap shows these lines as they stand")]
pub struct OrderFlags {
    /// When to submit: late, early or insured [default: kale.work_policy]
    #[arg(long, value_name = "POLICY", value_parser = Policy::of)]
    policy: Option<Policy>,
    /// When the best is submitted: a time, or a span after the block's start as in 280s [default: kale.work_margin_sec before its end]
    #[arg(long, value_name = "TIME", value_parser = deadline)]
    deadline: Option<Deadline>,
}

impl OrderFlags {
    /// Whether the policy is that of the settings.
    pub const fn follows(&self) -> bool {
        self.policy.is_none()
    }

    /// What the flags ask for, and the settings where they do not.
    pub fn or(&self, app: &App<'_>) -> Result<Orders> {
        let policy = match self.policy {
            Some(policy) => policy,
            None => Policy::of(app.config.require("kale.work_policy")?)?,
        };
        Ok(Orders { policy, deadline: self.deadline, abandon: false })
    }
}

/// Reads `--deadline`.
fn deadline(text: &str) -> Result<Deadline> {
    match clock::duration(text).map(|span| span.as_secs()) {
        Ok(seconds @ 1..300) => return Ok(Deadline::Into(seconds)),
        Ok(_) | Err(BadDuration::TooLong) => {
            return Err(Error::new(Code::InvalidValue, format!("\"{text}\" is not within a block"))
                .hint("a block lasts 300 seconds; write 1s to 299s after its start"));
        }
        Err(BadDuration::Malformed) => {}
    }
    let second = text.parse::<Timestamp>().ok().and_then(|time| u64::try_from(time.as_second()).ok());
    second.map(Deadline::At).ok_or_else(|| {
        Error::new(Code::InvalidValue, format!("\"{text}\" is neither a time nor a span"))
            .hint("write 2026-11-21T08:04:40Z, or a span after the block's start: 280s")
    })
}

impl Work {
    #[expect(clippy::boxed_local, reason = "the command tree boxes what is large")]
    pub fn run(self: Box<Self>, session: &Session) -> Result<Outcome> {
        if let Some(Command::Submit(submit)) = self.command {
            return submit.run(session);
        }
        let app = App::open(session)?;
        let orders = Orders { abandon: self.abandon, ..self.orders.or(&app)? };
        Ok(Outcome::document(work(&app, &self.farmers, &orders, self.parallel, self.dry.dry_run)?))
    }
}

impl Present for WorkOutput {
    fn present(&self, page: &mut Page) {
        let (Some(view), Some(block)) = (&self.view, self.block) else {
            page.line("no farmers; add one with: poolctl farmer register");
            return;
        };
        let heads = ["FARMER", "STATUS", ">ZEROS", ">GAP", ">FEE", ">LEDGER", "WHY"];
        page.rows(heads, &self.farmers, |one| {
            let status = one.status.replace('_', " ");
            cells![one.address, status, one.zeros, one.gap, one.fee, one.ledger, one.error]
        });
        let what = match &self.deadline {
            Some(deadline) => format!(
                "work of {} is in; policy {}, deadline {deadline}; {}",
                counted(self.worked, "farmer"),
                self.policy,
                counted(&self.hashes, "hash")
            ),
            None if self.too_late => "too late for work".to_owned(),
            None => "nothing to work".to_owned(),
        };
        page.line(format!("block {block}: {what}"));
        if let Some(words) = self.will_be_lost.words() {
            page.line(words);
        }
        if let Some(at_stake) = &self.at_stake {
            page.line(&at_stake.words);
        }
        page.line(view);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_time_or_a_span_within_the_block() {
        assert_eq!(deadline("280s").unwrap(), Deadline::Into(280));
        assert_eq!(deadline("4m").unwrap(), Deadline::Into(240));
        assert_eq!(deadline("2026-11-21T08:00:00Z").unwrap(), Deadline::At(1_795_248_000));
        for bad in ["", "280", "0s", "300s", "5m", "-1s", "soon"] {
            assert_eq!(deadline(bad).unwrap_err().code(), Code::InvalidValue, "{bad}");
        }
    }
}
