//! The operator's schedule: what of it applies, when each part was last done, and which run does it.

pub mod rule;
pub mod views;

use crate::App;
use base::{Code, Exit, Result};
use config::Config;
use kale::{Status, farmers};
use rule::{Last, Part};
use rusqlite::Connection;
use state::runs::{self, LastRun};
use state::{Lease, Leased, Permit, State};
use std::collections::BTreeMap;
use views::PartView;
use watch::health;

/// The command that does a part, by its words.
pub type CommandOf = fn(Part) -> &'static str;

/// The schedule as the settings and the state have it, with what may be done so many seconds early. What has ended is known
/// here too, should it not be noted in the state.
pub fn plan(
    app: &App<'_>,
    command: CommandOf,
    ended: &BTreeMap<Part, Last>,
    (now, early): (i64, u64),
) -> Result<Vec<PartView>> {
    let state = match app.read() {
        // As every command that writes does.
        Err(e) if e.code() == Code::StateOutdated && !app.call().dry_run() => {
            app.write(false, |_| Ok(()))?;
            app.read()?
        }
        state => state?,
    };
    let config = app.config_with(&state)?;
    let look = state.look()?;
    let (runs, work) = (runs::last_runs(look.conn())?, Work::of(look.conn(), &config, now)?);
    let view = |part: &Part| {
        let noted = runs.iter().find(|run| run.command == command(*part)).map(|run| Last::of(*part, run));
        let last = noted.into_iter().chain(ended.get(part).copied()).max_by_key(|last| last.at);
        Ok(PartView::of(*part, &every(*part, &config, &work)?, last, (now, early)))
    };
    Part::ALL.iter().map(view).collect()
}

impl Last {
    /// As it is noted of the command that does this part.
    fn of(part: Part, run: &LastRun) -> Self {
        let exit = Exit::ALL.iter().find(|exit| exit.code() == run.exit_code);
        Self { at: run.at, complete: exit.is_some_and(|exit| part.is_done_by(*exit)) }
    }
}

/// What there is to look after.
struct Work {
    /// The jobs that the state gives reason for, as health names them.
    jobs: Vec<&'static str>,
    farmers: bool,
    /// Whether it is known from which block on rewards are paid.
    rewards: bool,
}

impl Work {
    fn of(conn: &Connection, config: &Config, now: i64) -> Result<Self> {
        let jobs = health::vitals(conn, config, now)?.iter().map(|vital| vital.check).collect();
        // One that leaves is still harvested.
        let is_here = |farmer: &kale::Farmer| farmer.status != Status::Departed;
        let farmers = farmers::list(conn, None, None)?.iter().any(is_here);
        Ok(Self { jobs, farmers, rewards: vault::reward::has_begun(conn)? })
    }

    fn has(&self, job: &str) -> bool {
        self.jobs.contains(&job)
    }
}

/// How often a part is done, in seconds, or why it is not.
fn every(part: Part, config: &Config, work: &Work) -> Result<Result<u64, String>> {
    let key = format!("schedule.{}", part.as_str());
    let off = |why: &str| Ok(Err(why.to_owned()));
    let missing = |name: &str| format!("{name} is not set");
    match part {
        _ if config.get(&key) == Some(config::OFF) => return Ok(Err(format!("{key} is off"))),
        Part::Sync | Part::Risk | Part::Cycle if !work.has("sync") => return off("there are no pools"),
        Part::Oracle if !work.has("oracle") => return off("there are no feeds to check"),
        Part::Cycle if !work.has("cycle") => return off("no pool has a reward weight"),
        Part::Cycle if !work.rewards => {
            return off(
                "rewards have not begun: the first cycle is told the block from which on they are paid",
            );
        }
        Part::Farm if !work.farmers => return off("there are no farmers"),
        Part::Metrics if config.get(METRICS_FILE).is_none() => return Ok(Err(missing(METRICS_FILE))),
        Part::Backup if config.get(BACKUP_FOLDER).is_none() => return Ok(Err(missing(BACKUP_FOLDER))),
        _ => {}
    }
    let seconds = match config.duration(&key)? {
        Some(every) => every.as_secs(),
        // An epoch, as long as its blocks take.
        None => config.number("reward.epoch_blocks")?.saturating_mul(config.number("reward.block_time_sec")?),
    };
    Ok(Ok(seconds.max(1)))
}

/// Where the metrics go.
pub const METRICS_FILE: &str = "schedule.metrics_file";

/// Where backups go.
pub const BACKUP_FOLDER: &str = "schedule.backup_folder";

/// Takes the lease of a part, or says who has it.
pub fn take(app: &App<'_>, part: Part) -> Result<Result<Leased, String>> {
    let lease = Lease::Schedule(part.as_str().to_owned());
    let taken = app.lock()?.try_lease(&lease)?;
    Ok(taken.ok_or_else(|| {
        let holder = state::lease_holder(&app.state_path, &lease).flatten();
        let by = holder.map_or_else(|| "another run".to_owned(), |holder| holder.to_string());
        format!("it is under way in {by}")
    }))
}

/// Whether a run of this command has ended since then, by what is noted in the state.
pub fn has_ended(app: &App<'_>, command: &str, since: i64) -> Result<bool> {
    let state = State::read(&app.state_path, app.call().run.clone())?;
    is_noted(&state, command, since)
}

/// Notes that a command has ended, unless it has done so itself.
pub fn note(app: &App<'_>, command: &str, exit: Exit, since: i64) -> Result<()> {
    let lock = app.lock()?;
    let state = State::write_access(&app.state_path, app.call().run.clone(), &lock)?;
    if !is_noted(&state, command, since)? {
        state.note_run(Permit::of(&lock), command, exit)?;
    }
    Ok(())
}

/// What is noted for the future, by a clock that has been set back since, tells nothing.
fn is_noted(state: &State, command: &str, since: i64) -> Result<bool> {
    let times = since..=state.run().clock.now();
    Ok(runs::last_runs(state.conn())?.iter().any(|run| run.command == command && times.contains(&run.at)))
}
