//! `poolctl state prune`: old rows go into an archive, and out of the state.

use crate::shell::options::duration;
use crate::shell::out_file::Output;
use crate::shell::prelude::*;
use app::state::PruneOutput;
use std::path::PathBuf;
use std::time::Duration;

/// Move old rows of ended blocks and routine events into an archive
///
/// Plants, works and harvests of blocks that have ended, their transactions, the routine events with their ledger
/// entries, past syncs and closed alerts go into a new SQLite file, which is read back before anything is deleted. What is
/// open, lost, paid as a reward, or was decided by the operator stays, and so does every balance. Killed at any point, the
/// next run ends what was begun. The state file does not shrink: its free pages are used for new rows.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl state prune --older-than 90d")]
pub struct Prune {
    /// Only what is older than this, as in 90d or 13w; at least 1d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    older_than: Duration,
    /// The archive, which must not exist [default: beside the state, named by the time]
    #[arg(long, value_name = "FILE")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    dry_run: DryRun,
}

impl Prune {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let target = match self.archive.as_deref().map(Output::of).transpose()? {
            Some(Output::File(path)) => Some(path),
            Some(Output::Stdout) => {
                return Err(Error::new(
                    Code::InvalidValue,
                    "--archive: what leaves the state must be on a disk first",
                )
                .hint("name a new file"));
            }
            None => None,
        };
        let app = App::open_lenient(session)?;
        let dry_run = self.dry_run.dry_run;
        let report = if dry_run {
            // Nothing is copied: that would take as long, and as much room, as the state itself.
            session.call.set_dry_run();
            app.look(|state, progress| {
                state::prune_preview(state, self.older_than, progress, &session.call.stop)
            })?
        } else {
            state::check_age(self.older_than)?;
            app.write(false, |work| state::prune(work, self.older_than, target.as_deref()))?
        };
        Ok(Outcome::of(PruneOutput { path: App::absolute(&app.state_path)?, report, dry_run }))
    }
}

impl Present for PruneOutput {
    fn present(&self, page: &mut Page) {
        let report = &self.report;
        if report.rows.is_empty() {
            page.line(format!("nothing is older than {}", report.before.as_deref().unwrap_or("that")));
            return;
        }
        page.rows(["TABLE", ">ROWS"], &report.rows, |(name, rows)| cells![name, rows]);
        let (rows, bytes) = (report.total(), report.bytes);
        match (&report.archive, self.dry_run) {
            (Some(archive), false) => {
                let what = if report.resumed { "an interrupted prune was ended: " } else { "" };
                page.line(format!("{what}{} moved from the state to the archive", counted(rows, "row")));
                page.pairs([
                    ("archive", archive.display().to_string()),
                    ("sha256", report.sha256.clone().unwrap_or_default()),
                    ("bytes", bytes.to_string()),
                ]);
            }
            (Some(archive), true) => {
                page.line(format!("an interrupted prune into {} would be ended", archive.display()));
            }
            (None, _) => {
                page.line(format!("{} would go, {} of values", counted(rows, "row"), counted(bytes, "byte")));
            }
        }
    }
}
