//! `poolctl status`: one look at everything, once or again and again.

use crate::output::words;
use crate::shell::options::duration;
use crate::shell::prelude::*;
use crate::shell::views::{or_dash, yes_no};
use app::pools::views::age;
use app::watching::status::{DueView, FarmStatus, StatusOutput};
use base::clock;
use std::time::Duration;
use watch::leases::leases;
use watch::status::look;

/// Show what needs attention first, then pools, the farm, what is under way and what is due
///
/// Asks no network: every figure is what the state has, with its age. Exit 0 whatever it finds; health is for monitors.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl status\n         poolctl status --watch")]
pub struct Status {
    /// Look again and again until Ctrl-C; with --json an object a line, the result last
    #[arg(long)]
    watch: bool,
    /// With --watch: time between two looks, 1s at least
    #[arg(long, value_name = "DURATION", default_value = "5s", requires = "watch", value_parser = interval)]
    interval: Duration,
}

/// Reads an interval.
fn interval(text: &str) -> Result<Duration> {
    let interval = duration(text)?;
    if interval >= Duration::from_secs(1) {
        return Ok(interval);
    }
    Err(Error::new(Code::InvalidValue, format!("\"{text}\" is too short")).hint("write 1s or more"))
}

impl Status {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        if self.watch {
            return self.watch(session, &app);
        }
        Ok(Outcome::of(self::now(session, &app)?))
    }

    fn watch(self, session: &Session, app: &App<'_>) -> Result<Outcome> {
        let mut output = WatchOutput { shown: 0 };
        let stop = &session.call.stop;
        loop {
            let status = self::now(session, app);
            // Somebody writes just now, where what was read is no one moment: it is not shown.
            let is_whole = session.call.has_read_one_moment().is_ok();
            session.call.watch(None);
            if is_whole {
                let status = status?;
                output.shown += 1;
                let is_read = if session.options.json {
                    Console::tell(&Line::Status(&status))?
                } else {
                    let mut page = Page::default();
                    status.present(&mut page);
                    session.console.redraw(&page)?
                };
                if !is_read {
                    break;
                }
            }
            if stop.wanted() || !Console::wait(self.interval)? || stop.wanted() {
                break;
            }
        }
        let outcome = Outcome::of(output);
        Ok(if session.options.json { outcome.streamed() } else { outcome })
    }
}

fn now(session: &Session, app: &App<'_>) -> Result<StatusOutput> {
    let state = app.read()?;
    let (config, now) = (app.config_with(&state)?, session.call.run.clock.now());
    let leases = leases(state.path(), Some(state.conn()))?;
    Ok(StatusOutput::of(look(&state, &config, now)?, leases, now, words::hint))
}

/// A line of the stream.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line<'a> {
    /// Everything at one look.
    Status(&'a StatusOutput),
}

/// How often it was shown; with `--json` in the stream's last line.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WatchOutput {
    /// Looks that were shown.
    pub shown: u64,
}

impl Present for WatchOutput {
    /// The looks are on stdout, and nothing else.
    fn present(&self, _page: &mut Page) {}
}

impl Present for StatusOutput {
    fn present(&self, page: &mut Page) {
        let ago = |then: i64| format!("{} ago", clock::span(age(then, self.at)));
        for one in &self.attention {
            let (severity, kind) = (one.severity.as_str().to_uppercase(), one.kind.replace('_', " "));
            let of = one.subject.as_ref().map(|subject| format!(" {subject}")).unwrap_or_default();
            let since = one.since.map(|since| format!(", {}", ago(since))).unwrap_or_default();
            page.line(format!("{severity}  {kind}{of}{since}: {}", one.why));
            // A line of its own, to be copied whole.
            page.line(format!("  {}", one.fix));
        }
        if !self.attention.is_empty() {
            page.gap();
        }
        if !self.pools.is_empty() {
            page.rows(["POOL", ">TVL", ">IN USD", "PAUSED", "SYNCED", ">BLOCK"], &self.pools, |one| {
                let synced = one.age_sec.map(|age| format!("{} ago", clock::span(age)));
                let block = one.view.as_ref().map(|view| view.number);
                cells![one.pool, one.tvl, or_dash(one.tvl_usd.as_ref()), yes_no(one.paused), synced, block]
            });
            page.line(worth(self));
            page.gap();
        }
        if let Some(farm) = &self.farm {
            page.pairs(farm_pairs(farm, self.at));
            page.gap();
        }
        let operations = &self.operations;
        let under_way = match operations.oldest_sec {
            Some(age) => {
                format!("{}, the oldest for {}", counted(operations.count, "transaction"), clock::span(age))
            }
            None => "nothing".to_owned(),
        };
        let at_work = match self.leases.as_slice() {
            [] => "nobody".to_owned(),
            some => {
                some.iter().map(|one| format!("{}: {}", one.what(), one.by())).collect::<Vec<_>>().join(", ")
            }
        };
        page.pairs([("under way", under_way), ("at work", at_work), ("due next", next(self))]);
        let verdict = match self.attention.len() {
            0 => "nothing needs attention".to_owned(),
            1 => "1 thing needs attention".to_owned(),
            many => format!("{many} things need attention"),
        };
        page.line(format!("{verdict}; state at {}", clock::rfc3339(self.at)));
    }
}

/// Jobs that are named as due.
const NAMED: usize = 4;

/// The worth of all pools, and by what it is told.
fn worth(status: &StatusOutput) -> String {
    let unpriced = match status.unpriced {
        0 => String::new(),
        some => format!("; no valid price for {}", counted(some, "pool")),
    };
    let oldest = status.pools.iter().filter_map(|one| one.price.as_ref()?.age_sec).max();
    let aged = oldest.map(|age| format!(", by prices of up to {} ago", clock::span(age))).unwrap_or_default();
    match &status.tvl_usd {
        Some(sum) => format!("together {sum}{aged}{unpriced}"),
        None => format!("worth in USD is not known{unpriced}"),
    }
}

/// The farm's figures by name, at this time.
fn farm_pairs(farm: &FarmStatus, now: i64) -> Vec<(&'static str, String)> {
    let rolls = farm.due_at.map(|due| match u64::try_from(due - now) {
        Ok(left) if left > 0 => format!(", rolls over in {}", clock::span(left)),
        _ => format!(", due for {}", clock::span(age(due, now))),
    });
    let block = farm
        .block
        .zip(farm.age_sec)
        .map(|(block, age)| format!("{block}, seen {} ago{}", clock::span(age), rolls.unwrap_or_default()));
    let held = if farm.held_stakes > 0 { format!(", {} held", farm.held_stakes) } else { String::new() };
    let open = counted(farm.open_stakes, "stake");
    let lost = counted(farm.lost_stakes_24h, "stake");
    vec![
        ("farm block", block.unwrap_or_else(|| "never seen".to_owned())),
        ("farmers", format!("{} active", farm.active_farmers)),
        ("at stake", format!("{} in {open}{held}", farm.at_stake)),
        ("lost in 24 h", format!("{} in {lost}; {} since the beginning", farm.lost_24h, farm.lost)),
    ]
}

/// The first jobs that are due.
fn next(status: &StatusOutput) -> String {
    let first = status.due.iter().take(NAMED).map(|DueView { job, subject, due_at, .. }| {
        let of = subject.as_ref().map(|subject| format!(" of {subject}")).unwrap_or_default();
        match u64::try_from(due_at - status.at) {
            Ok(left) => format!("{job}{of} in {}", clock::span(left)),
            Err(_) => format!("{job}{of} overdue for {}", clock::span(age(*due_at, status.at))),
        }
    });
    let first: Vec<String> = first.collect();
    let more = match status.due.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(", and {more} more later"),
    };
    if first.is_empty() { "nothing".to_owned() } else { first.join(", ") + &more }
}
