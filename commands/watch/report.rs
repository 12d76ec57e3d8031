//! `poolctl report`: one page with pictures, from the state alone.

use crate::shell::out_file::Output;
use crate::shell::prelude::*;
use app::watching::ReportOutput;
use std::path::PathBuf;
use watch::report::{self, Report as Gathered, Written};

/// Write one HTML page: TVL, rates, rewards, holders, the farm, and what needs a look
///
/// The page is made from the state alone and needs nothing else: no script, no network, no font. It reads well on a
/// phone, on paper, in light and in dark. A year of syncs is thinned to evenly picked points; the newest 60 epochs and
/// 96 blocks are shown. An older report of that name is replaced, whole or not at all; nothing else ever is.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl report --html report.html")]
pub struct Report {
    /// Only these pools, by name or address; none = all
    #[arg(value_name = "POOL")]
    pools: Vec<String>,
    /// The page; - is stdout
    #[arg(long, value_name = "FILE")]
    html: PathBuf,
}

impl Report {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let place = Output::of(&self.html)?;
        if place == Output::Stdout && session.options.json {
            return Err(Error::new(Code::Usage, "--html: with --json, stdout takes the JSON document alone")
                .hint("name a file, or leave --json out"));
        }
        let app = App::open(session)?;
        let state = app.read()?;
        let look = state.look()?;
        let gathered = Gathered::gather(look.conn(), &app.config, &self.pools, session.call.run.clock.now())?;
        drop(look);
        let html = report::page(&gathered);
        let is_stdout = place == Output::Stdout;
        let (written, html) = match place {
            Output::Stdout => (Written::of(&self.html, &html), Some(html)),
            Output::File(path) => (report::write(&path, &html)?, None),
        };
        Ok(Outcome::of(ReportOutput {
            path: written.path,
            bytes: written.bytes,
            sha256: written.sha256,
            counts: gathered.counts(),
            html,
        }))
        .map(|outcome| outcome.file(is_stdout))
    }
}

impl Present for ReportOutput {
    fn present(&self, page: &mut Page) {
        if let Some(html) = &self.html {
            page.line(html);
            return;
        }
        let counts = &self.counts;
        let farm = match (counts.farmers, counts.blocks) {
            (0, 0) => "none".to_owned(),
            (farmers, blocks) => [counted(farmers, "farmer"), counted(blocks, "block")].join(", "),
        };
        page.pairs([
            ("report", self.path.display().to_string()),
            ("bytes", self.bytes.to_string()),
            ("sha256", self.sha256.clone()),
            (
                "pools",
                format!(
                    "{} with {}, {}",
                    counts.pools,
                    counted(counts.points, "point"),
                    counted(counts.epochs, "epoch")
                ),
            ),
            ("farm", farm),
            ("needs a look", counts.alarms.to_string()),
        ]);
    }
}
