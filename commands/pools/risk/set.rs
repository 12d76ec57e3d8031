//! `poolctl risk set`, `pause`, `unpause` and `reset-breaker`: what the operator decides.

use crate::shell::options::{REASON, one_line};
use crate::shell::prelude::*;
use app::pools::risk::{BreakerView, RiskView, SetOutput, SwitchOutput};
use base::amount;
use config::value::address;
use evm::{At, Chain};
use state::WriteContext;
use vault::pool::abi::{self, Abi};
use vault::pool::{self, Pool};
use vault::risk::{self, Barrier, Engine, SetRisk, Window};

/// Set limits of a pool, or name the engine contract they come from
///
/// Amounts are in whole units of the pool's asset; 0 or "unlimited" takes a limit away. What is not named stays. An
/// engine gives some of the limits, the others are set here: viddhana the TVL and those of a member, legacy the TVL and
/// the withdrawals of a day.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl risk set main --max-tvl 5000000 --daily-withdrawal-cap 250000")]
pub struct Set {
    /// Name or address
    pool: String,
    /// Where the limits come from: local, viddhana, legacy
    #[arg(long)]
    engine: Option<String>,
    /// The engine's contract; for viddhana, the one that a viddhana pool itself names is the default
    #[arg(long, value_name = "ADDRESS", requires = "engine")]
    engine_address: Option<String>,
    /// Largest TVL
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    max_tvl: Option<String>,
    /// Largest deposit of one member
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    max_user_deposit: Option<String>,
    /// Most withdrawals of a day, over all members
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    daily_withdrawal_cap: Option<String>,
    /// Most withdrawals of a day of one member
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    user_daily_cap: Option<String>,
    /// Share of TVL withdrawn in 24 h that trips the breaker, 0 to 1
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    breaker_threshold: Option<String>,
    /// What a day is: utc-day or rolling-24h
    #[arg(long)]
    window: Option<String>,
    #[command(flatten)]
    dry: DryRun,
}

impl Set {
    pub(super) fn run(self: Box<Self>, session: &Session) -> Result<Outcome> {
        let engine_address = self.engine_address.as_deref();
        let engine_address = engine_address.map(|text| address("engine-address", text)).transpose()?;
        let window = self.window.as_deref().map(Window::parse).transpose()?;
        let breaker_threshold_ppm = match self.breaker_threshold.as_deref() {
            None => None,
            Some("unlimited") => Some(None),
            Some(text) => Some(Some(amount::parse_weight("breaker-threshold", text)?).filter(|ppm| *ppm > 0)),
        };
        let app = App::open(session)?;
        let found = pool::find(app.read()?.conn(), &self.pool)?;
        // A viddhana pool names its own engine; which one is asked of the contract, with the state locked.
        let ask_pool = engine_address.is_none()
            && self.engine.as_deref() == Some("viddhana")
            && found.abi == Abi::Viddhana;
        let engine = match &self.engine {
            Some(word) if !ask_pool => Some(Engine::parse(word, engine_address)?),
            _ => None,
        };
        let change = SetRisk { engine, breaker_threshold_ppm, window, ..SetRisk::default() };
        // What is no amount is refused before anything is asked.
        self.limits(&found, &change)?;
        let now = session.call.run.clock.now();
        let set = |work: &mut WriteContext<'_>, change: &SetRisk| {
            state::anew(|| {
                let pool = pool::by_id(work.state.conn(), found.id)?;
                let (row, changed) = risk::set(work, &pool, &self.limits(&pool, change)?)?;
                Ok((RiskView::of(work.state.conn(), &pool, &row, now)?, changed))
            })
        };
        let (risk, changed) = if ask_pool {
            let at = app.config.require("evm.at")?.parse()?;
            app.write_on_chain(self.dry.dry_run, async |work, chain| {
                let engine = Some(own_engine(chain, &found, at).await?);
                set(work, &SetRisk { engine, ..change })
            })?
        } else {
            app.write(self.dry.dry_run, |work| set(work, &change))?
        };
        Ok(Outcome::of(SetOutput { changed, risk }))
    }

    /// A change with the limits that were typed, in the units of the pool's asset.
    fn limits(&self, pool: &Pool, change: &SetRisk) -> Result<SetRisk> {
        let assets = |flag: &str, text: &Option<String>| match text.as_deref() {
            None => Ok(None),
            Some("unlimited") => Ok(Some(None)),
            Some(text) => amount::parse_flag(flag, text, pool.asset.decimals).map(|limit| Some(Some(limit))),
        };
        Ok(SetRisk {
            max_tvl: assets("--max-tvl", &self.max_tvl)?,
            max_user_deposit: assets("--max-user-deposit", &self.max_user_deposit)?,
            daily_withdrawal_cap: assets("--daily-withdrawal-cap", &self.daily_withdrawal_cap)?,
            user_daily_cap: assets("--user-daily-cap", &self.user_daily_cap)?,
            ..*change
        })
    }
}

impl Present for SetOutput {
    fn present(&self, page: &mut Page) {
        if !self.changed {
            page.line("nothing to change");
        }
        super::show(&self.risk, page);
    }
}

/// The engine that a pool's contract names.
async fn own_engine(chain: &Chain, pool: &Pool, at: At) -> Result<Engine> {
    let known = pool::newest_known(std::slice::from_ref(pool));
    let named =
        chain.view_above(at, known, async |view| abi::risk_engine(view, pool.abi, pool.address).await);
    named.await?.map(Engine::Viddhana).ok_or_else(|| {
        Error::new(Code::InvalidValue, format!("pool \"{}\" names no risk engine", pool.name))
            .hint("name it: --engine-address ADDRESS")
    })
}

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
    /// Reason, for the audit log
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    dry: DryRun,
}

type Switch = fn(&mut WriteContext<'_>, &Pool, &str) -> Result<bool>;

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
            let (pool, local_pause, breaker, engine) = (found.name.clone(), None, None, None);
            let mut output = SwitchOutput { pool, changed, local_pause, breaker, engine };
            for barrier in risk::gate(work.state.conn(), work.config, &found, now)?.barriers {
                match barrier {
                    Barrier::Paused { reason, .. } => output.local_pause = Some(reason),
                    Barrier::BreakerOpen(open) => output.breaker = BreakerView::of(Some(open)),
                    Barrier::EnginePaused => output.engine = Some("its emergency pause holds".to_owned()),
                    Barrier::EngineBreaker(why) => {
                        output.engine = Some(format!("its breaker is open: {why}"));
                    }
                    Barrier::RiskUnknown(_) | Barrier::ContractChanged(_) | Barrier::Retired(_) => {}
                }
            }
            Ok(output)
        })?;
        Ok(Outcome::of(output))
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
