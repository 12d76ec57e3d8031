//! `poolctl doctor`: is this installation sound. It prints what it can and stops at nothing.

use crate::output::words;
use crate::setup::config::CheckOutput;
use crate::shell::prelude::*;
use ::stellar::known;
use app::watching::{DoctorOutput, LineView};
use base::{Remedy, run};
use config::Config;
use kale::farming::code;
use kale::purse::Books;
use kale::rows::{self, FarmerRow, OpenPail};
use kale::settings::Settings;
use kale::strategy::Program;
use state::State;
use std::path::{Path, PathBuf};
use std::time::Duration;
use vault::{feed, pool, risk};
use watch::doctor::{self, CheckStatus, Line, evm, files, peers, stellar, store};

/// Check this installation: settings, files, state, clock, endpoints, contracts, farmers, channels
///
/// Every endpoint is asked side by side, once, so that it ends within the slowest time limit (evm.timeout_sec,
/// stellar.timeout_sec). Each line says what was found and what fixes it. Nothing is changed, no key is unlocked, and no
/// secret is shown. Exit 5 if anything fails.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl doctor")]
#[expect(clippy::doc_markdown, reason = "clap shows these lines as they stand")]
pub struct Doctor {}

impl Doctor {
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let mut lines = of_config(session)?;
        lines.push(store::sqlite_line());
        match App::open_lenient(session) {
            // The settings say why.
            Err(_) => lines.push(Line::warn(
                "state",
                "file",
                "not looked at: the settings do not say where it is",
                "poolctl config check",
            )),
            Ok(app) => of_app(session, &app, &mut lines),
        }
        Ok(outcome(lines))
    }
}

fn of_config(session: &Session) -> Result<Vec<Line>> {
    let checked = CheckOutput::of(session)?;
    let mut lines: Vec<Line> = checked
        .findings
        .iter()
        .map(|finding| Line {
            verdict: CheckStatus::Fail,
            fix: Some(finding.hint.clone().map_or_else(|| run("config check"), Remedy::from)),
            ..Line::ok("config", "settings", finding.message.clone())
        })
        .collect();
    if lines.is_empty() {
        let path =
            checked.path.map_or_else(|| "no config file".to_owned(), |path| path.display().to_string());
        let profile = checked.profile.unwrap_or_default();
        lines.push(Line::ok("config", "settings", format!("{path}, profile \"{profile}\"")));
    }
    Ok(lines)
}

/// What there is to look after, as far as the state can be read.
#[derive(Default)]
struct Household {
    evm: evm::Wanted,
    hands: Vec<FarmerRow>,
    pails: Vec<OpenPail>,
    farms: bool,
}

fn of_app(session: &Session, app: &App<'_>, lines: &mut Vec<Line>) {
    let config = &app.config;
    let household = match app.read() {
        Err(e) => {
            lines.push(Line::error("state", "file", &e));
            Household::default()
        }
        Ok(state) => {
            lines.extend(store::lines(&state).unwrap_or_else(|e| vec![Line::error("state", "file", &e)]));
            Household::of(&state, config).unwrap_or_else(|e| {
                lines.push(Line::error("state", "contents", &e));
                Household::default()
            })
        }
    };
    lines.extend(app.foreign().map(|e| Line::error("state", "network", e)));
    of_files(session, app, household.farms, lines);
    of_channels(app, lines);
    of_networks(app, household, lines);
}

impl Household {
    fn of(state: &State, config: &Config) -> Result<Self> {
        let look = state.look()?;
        let conn = look.conn();
        let pools = pool::active(conn)?;
        let mut engines = Vec::new();
        for pool in &pools {
            if let Some(row) = risk::row(conn, pool)?.filter(|row| row.engine.address().is_some()) {
                engines.push((pool.clone(), row));
            }
        }
        let hands: Vec<FarmerRow> =
            rows::hands(conn)?.into_iter().filter(|hand| hand.status.is_served()).collect();
        Ok(Self {
            evm: evm::Wanted {
                pools,
                feeds: feed::all(conn)?,
                engines,
                sequencer: config.address("oracle.sequencer_feed")?,
            },
            pails: rows::pails_before(conn, u32::MAX)?,
            farms: !hands.is_empty(),
            hands,
        })
    }
}

fn of_files(session: &Session, app: &App<'_>, farms: bool, lines: &mut Vec<Line>) {
    let config = &app.config;
    if let Some(folder) = app.state_path.parent().filter(|folder| folder.exists()) {
        lines.push(files::folder("state folder", folder));
        lines.push(files::room(folder));
    }
    if let Ok(path) = config.keys_path() {
        lines.push(files::secret("key store", &path, farms));
    }
    for (what, name) in [("identity file", "keys.identity_file"), ("passphrase file", "keys.passphrase_file")]
    {
        if let Some(path) = config.get(name) {
            lines.push(files::secret(what, Path::new(path), true));
        }
    }
    match Program::of(config) {
        Ok(None) => {}
        Ok(Some(program)) => {
            // Without a PATH, as from cron, the system looks in these two.
            let search = session.env.get("PATH").map_or("/bin:/usr/bin", String::as_str);
            let folders: Vec<PathBuf> = std::env::split_paths(search).collect();
            lines.push(files::program("strategy.command", program.name(), &folders));
        }
        Err(e) => lines.push(Line::error("files", "strategy.command", &e)),
    }
}

/// Whether each channel for notifications has what it needs. A message is only sent by `notify test`.
fn of_channels(app: &App<'_>, lines: &mut Vec<Line>) {
    if app.config.get("notify.channels").is_none() {
        return;
    }
    match app::watching::notify::reach(app) {
        Ok(channels) => lines.extend(channels.into_iter().map(|(name, host)| match host {
            Ok(host) => Line::ok("notify", name, format!("goes to {host}")),
            Err(e) => Line::error("notify", name, &e),
        })),
        Err(e) => lines.push(Line::error("notify", "channels", &e)),
    }
}

fn of_networks(app: &App<'_>, household: Household, lines: &mut Vec<Line>) {
    let clock = app.call().run.clock;
    let options = |group: &str| -> Result<evm::ProbeOptions> {
        Ok(evm::ProbeOptions {
            limit: Duration::from_secs(app.config.number(&format!("{group}.timeout_sec"))?),
            max_head_age_sec: app.config.number(&format!("{group}.max_head_age_sec"))?,
            clock,
        })
    };
    let Household { evm: wanted, hands, pails, farms } = household;
    let has = |name: &str| app.config.get(name).is_some();
    let pools = !wanted.pools.is_empty() || !wanted.feeds.is_empty();
    let evm = (has("evm.rpc_urls") || pools).then(|| Ok::<_, Error>((app.chain_config()?, options("evm")?)));
    let stellar = (has("stellar.rpc_urls") || farms).then(|| {
        let settings = Settings::of(&app.config)?;
        let books = match app.read() {
            Ok(state) if farms => {
                let (look, now) = (state.look()?, clock.now());
                Books::read(look.conn(), &settings, &app.submit_options()?, now)?
                    .with_spent(look.conn(), now)?
            }
            // The lines above say why.
            _ => Books::default(),
        };
        let farm = app.farm_contract();
        let code = match (settings.wasm_hash, &farm, app.read()) {
            (Some(hash), ..) => stellar::Accepted::Code(hash),
            (None, Ok(farm), Ok(state)) => code::pinned(state.look()?.conn(), farm)?
                .map_or(stellar::Accepted::Nothing, stellar::Accepted::Code),
            // The lines above say why.
            (None, Ok(_), Err(e)) if e.code() != Code::StateMissing => stellar::Accepted::Unknown,
            _ => stellar::Accepted::Nothing,
        };
        let wanted = stellar::Wanted {
            known: known(app.config.require("stellar.network")?)?,
            // Where no farming is done, a network without a known farm has none to look for.
            farm: match farm {
                Err(e) if farms => return Err(e),
                farm => farm.ok(),
            },
            hands,
            pails,
            books,
            harvest_alarm: settings.harvest_alarm,
            code,
        };
        Ok::<_, Error>((app.client_config()?, wanted, options("stellar")?))
    });
    let on_evm = async {
        let Some((config, options)) = evm.transpose()? else { return Ok(Default::default()) };
        doctor::evm::examine(&config, &wanted, options).await
    };
    let on_stellar = async {
        let Some((config, wanted, options)) = stellar.transpose()? else { return Ok(Default::default()) };
        doctor::stellar::examine(&config, &wanted, options).await
    };
    let runtime = match app.host.runtime() {
        Ok(runtime) => runtime,
        Err(e) => return lines.push(Line::error("evm", "endpoints", &e)),
    };
    let (on_evm, on_stellar) = runtime.block_on(async { tokio::join!(on_evm, on_stellar) });
    let mut skews = Vec::new();
    for (area, found) in [("evm", on_evm), ("stellar", on_stellar)] {
        match found {
            Ok((found, told)) => {
                lines.extend(found);
                skews.extend(told);
            }
            Err(e) => lines.push(Line::error(area, "endpoints", &e)),
        }
    }
    lines.extend(peers::clock_line(skews));
}

fn outcome(lines: Vec<Line>) -> Outcome {
    let count = |verdict: CheckStatus| lines.iter().filter(|line| line.verdict == verdict).count();
    let first = lines.iter().find(|line| line.verdict == CheckStatus::Fail);
    let failure = first.map(|line| {
        let words = format!(
            "{} of {} checks fail; first: {} {}: {}",
            count(CheckStatus::Fail),
            lines.len(),
            line.area,
            line.subject,
            line.words
        );
        let error = Error::new(Code::CheckFailed, words);
        match &line.fix {
            Some(fix) => error.hint(fix.clone()),
            None => error,
        }
    });
    let worst = lines.iter().map(|line| line.verdict).max().unwrap_or(CheckStatus::Ok);
    let output = DoctorOutput {
        verdict: worst.as_str(),
        ok: count(CheckStatus::Ok),
        warn: count(CheckStatus::Warn),
        fail: count(CheckStatus::Fail),
        checks: lines
            .into_iter()
            .map(|line| LineView {
                area: line.area,
                subject: line.subject,
                status: line.verdict.as_str(),
                found: line.words,
                fix: line.fix.as_ref().map(words::hint),
            })
            .collect(),
    };
    Outcome::of(output).but(failure)
}

impl Present for DoctorOutput {
    fn present(&self, page: &mut Page) {
        page.rows(["", "AREA", "WHAT", "FOUND", "FIX"], &self.checks, |check| {
            let status = if check.status == "fail" { "FAIL" } else { check.status };
            cells![status, check.area, check.subject, check.found, check.fix]
        });
        page.line(format!("{} ok, {} to look at, {} failing", self.ok, self.warn, self.fail));
    }
}
