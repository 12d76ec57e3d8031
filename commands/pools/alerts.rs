//! What `oracle alerts` and `risk violations` have in common: alerts that opened once, were counted, and closed.

use crate::output::{Page, Present, Table};
use app::pools::alerts::AlertsOutput;
use app::pools::views::age;
use base::clock;
use clap::Args;

/// Which alerts are shown.
#[derive(Debug, Args)]
pub struct Shown {
    /// The closed ones too, the newest first
    #[arg(long)]
    closed: bool,
    /// With --closed: at most so many
    #[arg(long, value_name = "N", default_value_t = 50, requires = "closed", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

impl Shown {
    /// How many of all are shown; none where the open ones are.
    pub fn limit(&self) -> Option<u32> {
        self.closed.then_some(self.limit)
    }
}

impl Present for AlertsOutput {
    fn present(&self, page: &mut Page) {
        if self.alerts.is_empty() {
            page.line("nothing to show");
            return;
        }
        let mut table = Table::new(&[self.head, "KIND", "STATE", ">SINCE", ">SEEN", "WHY"]);
        for alert in &self.alerts {
            table.row([
                alert.subject.clone(),
                alert.kind.clone(),
                if alert.open { "OPEN" } else { "closed" }.to_owned(),
                format!("{} ago", clock::span(age(alert.since, self.now))),
                format!("{} times", alert.count),
                alert.why.clone(),
            ]);
        }
        page.table(table);
    }
}
