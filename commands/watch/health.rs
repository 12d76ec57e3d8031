//! `poolctl health`: is the pool looked after; from the state alone, for cron, a monitoring system or a person.

use crate::output::nagios::{Perf, Probe, Status};
use crate::output::words;
use crate::shell::prelude::*;
use app::watching::health::{CheckView, HealthOutput};
use base::{clock, say};
use state::runs::{self, LastRun};
use watch::health::{self, Checked, Grade, HealthReport};

/// Check that every job runs on time and nothing is stuck; exit 5 if not
///
/// Asks no network: it compares with their limits (health.…, risk.check_interval_min) how long ago pools were synced, feeds
/// and risks checked, rewards shared out, and each pooler's plants, works and harvests went through. A minute of grace is
/// given, since cron begins by the minute. Open alerts, violations and breakers are findings too, and so are transactions
/// that stay unsettled.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl health\n         poolctl health --nagios")]
#[expect(clippy::doc_markdown, reason = "clap shows these lines as they stand")]
pub struct Health {
    /// One line for a monitoring system, exit 0/1/2/3: warning above a limit, critical above twice as much or where an
    /// alert is open
    #[arg(long, conflicts_with = "json")]
    nagios: bool,
}

const SERVICE: &str = "HEALTH";

impl Health {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let looked = look(session);
        if !self.nagios {
            let (report, runs, now) = looked?;
            return outcome(&report, runs, now);
        }
        match looked {
            Ok((report, runs, now)) => Ok(outcome(&report, runs, now)?.probe(probe(&report))),
            Err(e) => {
                let probe = Probe::failed(SERVICE, &e);
                Ok(Outcome::failed(e).probe(probe))
            }
        }
    }
}

fn look(session: &Session) -> Result<(HealthReport, Vec<LastRun>, i64)> {
    let app = App::open(session)?;
    let state = app.read()?;
    let now = session.call.run.clock.now();
    Ok((health::look(&state, &app.config, now)?, runs::last_runs(state.conn())?, now))
}

fn outcome(report: &HealthReport, runs: Vec<LastRun>, now: i64) -> Result<Outcome> {
    let output = HealthOutput {
        healthy: report.is_healthy(),
        checks: report.checks.iter().map(|check| CheckView::of(check, words::hint)).collect(),
        troubles: report.troubles.clone(),
        operations: report.operations,
        runs,
        now,
    };
    Ok(Outcome::of(output).but(failure(report)))
}

/// Everything that is wrong, in words: jobs first, then what is open.
fn findings(report: &HealthReport) -> Vec<String> {
    let late = report.checks.iter().filter(|check| check.grade != Grade::Ok).map(late);
    let open = report
        .troubles
        .iter()
        .map(|trouble| format!("{} {}: {}", trouble.kind, trouble.subject, trouble.why));
    let stuck = (report.operations.grade != Grade::Ok).then(|| report.operations.why());
    late.chain(open).chain(stuck).collect()
}

fn late(check: &Checked) -> String {
    let vital = &check.vital;
    let what = match &vital.subject {
        Some(subject) => format!("{} of {subject}", vital.check),
        None => vital.check.to_owned(),
    };
    format!("{what}: {}", check.age_in_words())
}

fn failure(report: &HealthReport) -> Option<Error> {
    let found = findings(report);
    let first = found.first()?;
    let error = Error::new(Code::CheckFailed, format!("{}; first: {first}", counted(found.len(), "finding")));
    let fix = report.checks.iter().find(|check| check.grade != Grade::Ok).map(|check| &check.vital.fix);
    let error = match (fix, report.troubles.first()) {
        (Some(fix), _) => error.hint(say("run: ").then(fix.clone())),
        (None, Some(trouble)) => error.hint(trouble.fix()),
        (None, None) => error.hint("the next command of the farm settles them: poolctl farm run --once"),
    };
    Some(error.detail("findings", found))
}

/// Critical where something is open or long overdue, a warning where something is overdue, unknown where there is nothing
/// to look after.
fn probe(report: &HealthReport) -> Probe {
    let found = findings(report);
    let worst = report.checks.iter().map(|check| check.grade).max().max(Some(report.operations.grade));
    let status = match worst {
        _ if report.checks.is_empty() && found.is_empty() => Status::Unknown,
        _ if !report.troubles.is_empty() => Status::Critical,
        Some(Grade::Stalled) => Status::Critical,
        Some(Grade::Overdue) => Status::Warning,
        _ => Status::Ok,
    };
    let text = match (found.as_slice(), status) {
        ([first], _) => first.clone(),
        ([first, more @ ..], _) => format!("{first} (and {} more)", more.len()),
        ([], Status::Unknown) => "there is nothing to look after".to_owned(),
        ([], _) => format!("{} of {} checks ok", report.checks.len(), report.checks.len()),
    };
    let mut perf: Vec<Perf> = Vec::new();
    for check in &report.checks {
        let vital = &check.vital;
        // The oldest of its kind stands for all of them: a line has its limits.
        let same = report.checks.iter().filter(|other| other.vital.check == vital.check);
        let oldest = same.clone().max_by_key(|other| other.age_sec.map_or(u64::MAX, |age| age));
        if same.clone().next() != Some(check) {
            continue;
        }
        let age =
            oldest.and_then(|oldest| oldest.age_sec).map_or_else(|| "U".to_owned(), |age| format!("{age}s"));
        perf.push(
            Perf::new(vital.check, age)
                .warning(vital.limit_sec.saturating_add(health::GRACE_SEC))
                .critical(vital.limit_sec.saturating_mul(2).saturating_add(health::GRACE_SEC)),
        );
    }
    perf.push(Perf::new("open", report.troubles.len().to_string()).critical(0));
    perf.push(Perf::new("in_flight", report.operations.count.to_string()));
    Probe::new(SERVICE, status, text, perf)
}

impl Present for HealthOutput {
    fn present(&self, page: &mut Page) {
        page.rows(["CHECK", "OF", "STATUS", ">AGE", ">LIMIT", "FIX"], &self.checks, |check| {
            let age = match (&check.last, check.age_sec) {
                (_, None) => "in the future".to_owned(),
                (None, Some(_)) => "never".to_owned(),
                (Some(_), Some(age)) => clock::span(age),
            };
            let (status, fix) = match check.status {
                "ok" => ("ok".to_owned(), None),
                status => (status.to_uppercase(), Some(&check.fix)),
            };
            cells![check.check, check.subject, status, age, clock::span(check.limit_sec), fix]
        });
        page.rows(["OPEN", "OF", "SINCE", "WHY"], &self.troubles, |one| {
            cells![one.kind, one.subject, clock::rfc3339(one.since), one.why]
        });
        if self.operations.count > 0 {
            let age = self.operations.oldest_sec.map(clock::span).unwrap_or_default();
            page.line(format!(
                "{} under way, the oldest for {age}",
                counted(self.operations.count, "transaction")
            ));
        }
        let verdict = match (self.healthy, self.checks.is_empty()) {
            (true, true) => "there is nothing to look after yet",
            (true, false) => "healthy",
            (false, _) => "not healthy",
        };
        page.line(format!("{verdict}; state at {}", clock::rfc3339(self.now)));
    }
}
