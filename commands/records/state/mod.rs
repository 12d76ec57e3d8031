//! `poolctl state …`: is the file sound, copies of it, its old rows, its schema, and where it is.

mod prune;

use crate::shell::out_file::{self, Output};
use crate::shell::prelude::*;
use app::state::{BackupOutput, CheckOutput, MigrateOutput, PathOutput, RestoreOutput};
use base::files;
use serde_json::json;
use state::{Permit, State};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use watch::check;

commands! {
    /// Check, copy, restore, prune and migrate the state file
    #[command(before_help = "Example: poolctl state check")]
    Command {
        Check(Check) = "state check": CheckOutput = api::get("/state/check", api::OPERATOR).live();
        Backup(Backup) = "state backup": BackupOutput;
        Restore(Restore) = "state restore": RestoreOutput;
        Prune(prune::Prune) = "state prune": app::state::PruneOutput;
        Migrate(Migrate) = "state migrate": MigrateOutput;
        Path(PathCommand) = "state path": PathOutput;
    }
}

/// Check the file, the audit log and every money invariant
///
/// Exit code 5 if anything does not hold; each finding names its row.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl state check --full")]
pub struct Check {
    /// Read every page and index too; takes as long as reading the whole file
    #[arg(long)]
    full: bool,
}

impl Check {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open_lenient(session)?;
        app.close();
        let state = State::unjudged(&app.state_path, session.call.run.clone())?;
        session.call.watch(Some(&state));
        let look = state.look()?;
        let report = check::check(look.conn(), self.full)?;
        let failure = report.findings.first().map(|first| {
            Error::new(
                Code::CheckFailed,
                format!(
                    "state {} is not sound ({} found), first: {}: {}",
                    app.state_path.display(),
                    report.findings.len(),
                    first.check,
                    first.message
                ),
            )
            .hint("keep the file, and compare it with a backup: poolctl state restore FILE")
        });
        Ok(Outcome::of(CheckOutput { path: app.state_path.clone(), report }).but(failure))
    }
}

impl Present for CheckOutput {
    fn present(&self, page: &mut Page) {
        let Self { path, report } = self;
        page.rows(["CHECK", "FINDING"], &report.findings, |one| cells![one.check, one.message]);
        if report.findings.is_empty() {
            page.line(format!(
                "{} is sound: {}, {}, data version {}",
                path.display(),
                counted(report.checked.len(), "check"),
                counted(report.events, "event"),
                report.data_version
            ));
        }
    }
}

/// Copy the state to a new file and check the copy
///
/// Takes no lock: a run that writes meanwhile goes on, and the copy is one consistent moment.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl state backup /var/backups/poolctl.sqlite")]
pub struct Backup {
    /// The new file, a pipe, or - for stdout; an existing file is never overwritten
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Backup {
    fn run(self, session: &Session) -> Result<Outcome> {
        let place = Output::of(&self.file)?;
        if place == Output::Stdout && (session.options.json || session.console.out_terminal) {
            return Err(Error::new(
                Code::Usage,
                "FILE: a backup is binary; it cannot be written to a terminal or with JSON",
            )
            .hint("name a file, or send it elsewhere: poolctl state backup - > FILE"));
        }
        let app = App::open_lenient(session)?;
        let state = app.read()?;
        let report = match &place {
            Output::Stdout => {
                state::send_backup(state.conn(), &self.file, check::must_be_sound, Console::copy)?
            }
            Output::File(path) if files::is_in_place(path) => {
                let send = |copy: &mut File| out_file::write(path, |out| io::copy(copy, out).map(|_| ()));
                state::send_backup(state.conn(), path, check::must_be_sound, send)?
            }
            Output::File(path) => state::backup(state.conn(), path, check::must_be_sound)?,
        };
        Ok(Outcome::of(BackupOutput { report, is_stdout: place == Output::Stdout }))
    }
}

impl Present for BackupOutput {
    fn present(&self, page: &mut Page) {
        if self.is_stdout {
            return;
        }
        let report = &self.report;
        page.pairs([
            ("backup", report.path.display().to_string()),
            ("sha256", report.sha256.clone()),
            ("bytes", report.bytes.to_string()),
            ("events", report.events.to_string()),
        ]);
    }
}

/// Replace the state by a backup, after checking it
///
/// The replaced state is kept beside it. Where there is one, this asks first, on every profile.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl state restore /var/backups/poolctl.sqlite --yes")]
pub struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    dry_run: DryRun,
}

impl Restore {
    fn run(self, session: &Session) -> Result<Outcome> {
        let source = App::absolute(&self.file)?;
        let app = App::open_lenient(session)?;
        let inspected = state::inspect(&source, check::must_be_sound)?;
        if self.dry_run.dry_run {
            session.call.set_dry_run();
            return Ok(Outcome::of(RestoreOutput { source, report: inspected, replaced: None }));
        }
        let path = App::absolute(&app.state_path)?;
        // Only the token's being given matters here: the lock below is what permits to write.
        app.agree(
            Permit::dry_run(),
            path.exists(),
            &format!("replace state {} by {}", path.display(), source.display()),
        )?;
        app.close();
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| {
                Error::new(Code::Io, format!("cannot create {}: {e}", folder.display()))
                    .hint("choose a writable folder with --state")
            })?;
        }
        let lock = app.lock_alone()?;
        let (report, replaced) =
            state::restore(&source, &path, &session.call.run, &lock, check::must_be_sound)?;
        let mut state = State::write_access(&path, session.call.run.clone(), &lock)?;
        state.write(Permit::of(&lock), |tx| {
            let what = json!({ "source": source, "sha256": inspected.sha256, "replaced": replaced });
            tx.event("state.restored", &path.to_string_lossy(), &what)
        })?;
        Ok(Outcome::of(RestoreOutput { source, report, replaced }))
    }
}

impl Present for RestoreOutput {
    fn present(&self, page: &mut Page) {
        let replaced =
            self.replaced.as_ref().map_or_else(|| "there was none".to_owned(), |k| k.display().to_string());
        page.pairs([
            ("state", self.report.path.display().to_string()),
            ("restored from", self.source.display().to_string()),
            ("sha256", self.report.sha256.clone()),
            ("events", self.report.events.to_string()),
            ("replaced state", replaced),
        ]);
    }
}

/// Take a state of an older poolctl to the present schema
///
/// Every command that writes does so too; a backup is made beside the file first.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl state migrate")]
pub struct Migrate {
    #[command(flatten)]
    dry_run: DryRun,
}

impl Migrate {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open_lenient(session)?;
        let from = state::schema_of(&app.state_path)?;
        let steps = state::pending_steps(from);
        if self.dry_run.dry_run {
            session.call.set_dry_run();
        } else if steps > 0 {
            app.write(false, |_| Ok(()))?;
        }
        let path = app.state_path.clone();
        Ok(Outcome::of(MigrateOutput { path, from, to: state::SCHEMA_VERSION, steps }))
    }
}

impl Present for MigrateOutput {
    fn present(&self, page: &mut Page) {
        let path = self.path.display();
        if self.steps == 0 {
            page.line(format!("{path} is at schema {} already", self.to));
        } else {
            page.line(format!("{path}: schema {} → {}", self.from, self.to));
        }
    }
}

/// Print where the state file is, or would be
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl state path")]
pub struct PathCommand {}

impl PathCommand {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open_lenient(session)?;
        let path = App::absolute(&app.state_path)?;
        Ok(Outcome::of(PathOutput { exists: path.exists(), path }))
    }
}

impl Present for PathOutput {
    fn present(&self, page: &mut Page) {
        page.line(self.path.display());
    }
}
