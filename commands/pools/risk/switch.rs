//! `poolctl risk pause`, `unpause` and `reset-breaker`: what the operator alone decides, each with a reason.

use crate::output::{Outcome, Page, Present};
use crate::shell::options::{DryRun, REASON, one_line};
use crate::shell::session::Session;
use app::App;
use app::pools::risk::BreakerView;
use app::pools::risk::SwitchOutput;
use base::Result;
use clap::Args;
use state::Work;
use vault::pool::{self, Pool};
use vault::risk::{self, Barrier};

/// Set the emergency pause of a pool: no deposit and no withdrawal validates
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl risk pause main --reason audit")]
pub struct Pause {
    #[command(flatten)]
    what: What,
}

/// Lift the emergency pause of a pool
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl risk unpause main --reason audited")]
pub struct Unpause {
    #[command(flatten)]
    what: What,
}

/// Close the circuit breaker of a pool, once its cause is gone
///
/// What opened it is forgotten; only what happens from now on opens it again. An engine's own breaker is closed at
/// the engine.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl risk reset-breaker main --reason checked")]
pub struct ResetBreaker {
    #[command(flatten)]
    what: What,
}

#[derive(Debug, Args)]
struct What {
    /// Name or address
    pool: String,
    /// Why; it stands in the audit log
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    dry: DryRun,
}

type Switch = fn(&mut Work<'_>, &Pool, &str) -> Result<bool>;

impl Pause {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        self.what.switch(session, risk::pause)
    }
}

impl Unpause {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        self.what.switch(session, risk::unpause)
    }
}

impl ResetBreaker {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        self.what.switch(session, risk::reset_breaker)
    }
}

impl What {
    fn switch(self, session: &Session, switch: Switch) -> Result<Outcome> {
        let reason = one_line("--reason", &self.reason, REASON)?;
        let app = App::open(session)?;
        let found = pool::find(app.read()?.conn(), &self.pool)?;
        let output = app.write(self.dry.dry_run, |work| {
            let changed = switch(work, &found, reason)?;
            let now = work.state.run().clock.now();
            let mut output = SwitchOutput {
                pool: found.name.clone(),
                changed,
                local_pause: None,
                breaker: None,
                engine: None,
            };
            for barrier in risk::gate(work.state.conn(), work.config, &found, now)?.barriers {
                match barrier {
                    Barrier::Paused { reason, .. } => output.local_pause = Some(reason),
                    Barrier::BreakerOpen(open) => output.breaker = BreakerView::of(Some(open)),
                    Barrier::EnginePaused => output.engine = Some("its emergency pause holds".to_owned()),
                    Barrier::EngineBreaker(why) => {
                        output.engine = Some(format!("its breaker is open: {why}"));
                    }
                    Barrier::RiskUnknown(_) | Barrier::ContractChanged(_) => {}
                }
            }
            Ok(output)
        })?;
        Outcome::of(&output)
    }
}

impl Present for SwitchOutput {
    fn present(&self, page: &mut Page) {
        if !self.changed {
            page.line("nothing to change");
        }
        page.line(match &self.local_pause {
            Some(why) => format!("{}: paused here: {why}", self.pool),
            None => format!("{}: not paused here", self.pool),
        });
        page.line(match &self.breaker {
            Some(open) => format!("{}: breaker open since {}: {}", self.pool, open.triggered_at, open.reason),
            None => format!("{}: breaker closed", self.pool),
        });
        if let Some(why) = &self.engine {
            page.line(format!("{}: at the engine: {why}", self.pool));
        }
    }
}
