//! `poolctl notify …`: alarms that go somewhere.

use crate::shell::prelude::*;
use app::watching::notify::{self, ListOutput, SendOutput, TestOutput};

commands! {
    /// Send what needs attention to Slack, Discord, Telegram, ntfy or a webhook
    #[command(before_help = "Example: poolctl notify test")]
    Command {
        Send(Send) = "notify send": SendOutput;
        Test(Test) = "notify test": TestOutput;
        List(List) = "notify list": ListOutput = api::get("/notifications", api::READER);
    }
}

/// Tell the channels what changed, and send what is due; for cron, every minute
///
/// Told is what health finds (overdue jobs, open alerts, violations, breakers, stuck transactions) and every lost stake: once
/// when it is new, once when it gets worse, once when it is over; in one message per pool, farm or other topic. A channel is
/// told what is as grave as its least severity. What fails is tried again with growing pauses; after notify.attempts tries
/// it is given up, which is a finding of health, and exit 5 here.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl notify send")]
pub struct Send {
    #[command(flatten)]
    dry: DryRun,
}

impl Send {
    fn run(self, session: &Session) -> Result<Outcome> {
        Ok(Outcome::document(notify::send(&App::open(session)?, self.dry.dry_run)?))
    }
}

impl Present for SendOutput {
    fn present(&self, page: &mut Page) {
        for one in &self.changes {
            let of = if one.subject.is_empty() { String::new() } else { format!(" {}", one.subject) };
            let why = if one.why.is_empty() { String::new() } else { format!(": {}", one.why) };
            page.line(format!("{} {}: {}{of}{why}", one.change, one.severity.as_str(), one.kind));
        }
        page.rows(["CHANNEL", "NOTIFICATION", "STATUS"], &self.notifications, |one| {
            cells![one.channel, one.title, one.status.replace('_', " ")]
        });
        if self.changes.is_empty() && self.notifications.is_empty() {
            page.line(match self.waiting {
                0 => "nothing to tell".to_owned(),
                1 => "nothing new to tell; 1 notification waits for another try".to_owned(),
                waiting => format!("nothing new to tell; {waiting} notifications wait for another try"),
            });
        }
    }
}

/// Send a test notification to one channel, or to all
///
/// It is sent at once, and not queued. Exit 75 where a channel cannot be reached now, 1 where it refuses.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl notify test ops")]
pub struct Test {
    /// The channel's name; none = all
    #[arg(value_name = "CHANNEL")]
    channel: Option<String>,
    #[command(flatten)]
    dry: DryRun,
}

impl Test {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        Ok(Outcome::document(notify::test(&app, self.channel.as_deref(), self.dry.dry_run)?))
    }
}

impl Present for TestOutput {
    fn present(&self, page: &mut Page) {
        page.rows(["CHANNEL", "SERVICE", "LEAST", "HOST", "STATUS"], &self.channels, |one| {
            cells![one.channel, one.service, one.least.as_str(), one.host, one.status.replace('_', " ")]
        });
    }
}

/// List notifications, the newest first: those that wait, and what became of the last ones
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl notify list")]
pub struct List {
    #[command(flatten)]
    paging: Paging,
}

impl List {
    fn run(self, session: &Session) -> Result<Outcome> {
        let output = notify::list(&App::open(session)?, &self.paging.window())?;
        Outcome::list(output, |output| (&output.notifications, &output.end), self.paging.csv)
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        let heads = ["QUEUED", "CHANNEL", "NOTIFICATION", "STATUS", ">TRIES", "NEXT TRY", "LAST ERROR"];
        page.rows(heads, &self.notifications, |one| {
            let status = one.status.replace('_', " ");
            cells![one.created_at, one.channel, one.title, status, one.attempts, one.next_try, one.error]
        });
        if self.notifications.is_empty() {
            page.line("no notifications");
        }
    }
}
