//! `poolctl pool add` and `accept-change`: what a pool's contract is, and how it changed.

use crate::pools::dash;
use crate::shell::at::AtFlag;
use crate::shell::prelude::*;
use app::pools::pool::{AcceptChangeOutput, AddOutput, ContractView};
use app::pools::views::PoolView;
use base::amount::{self, short};
use config::value::address;
use vault::pool::abi::Abi;
use vault::pool::known::Known;
use vault::pool::{self, AddPool, contract};

/// Verify the contract of a pool and add it
///
/// The contract must answer like its ABI profile says; its shares are a token of its own. Adding the same pool again
/// changes nothing.
#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "clap shows these lines as they stand")]
#[command(before_help = "Example: poolctl pool add main 0x83F20F44975D03b1b09e64809B757c47f942BEeA")]
pub struct Add {
    /// A name of your own
    name: String,
    /// The vault's address
    address: String,
    /// What the contract answers to: erc4626, legacy, viddhana, or auto to find out
    #[arg(long, value_name = "PROFILE", default_value = "erc4626")]
    abi: String,
    /// What is deposited, where the contract itself does not say (legacy)
    #[arg(long, value_name = "ADDRESS")]
    asset: Option<String>,
    /// What its asset is called in outputs, whatever the token says
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<String>,
    /// Block of its creation; found by bisection where not given, which needs an archive node
    #[arg(long, value_name = "BLOCK", allow_negative_numbers = true)]
    deploy_block: Option<u64>,
    /// Fall of the exchange rate between syncs that raises an alert, 0 to 1 [default: risk.max_rate_drop]
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    max_rate_drop: Option<String>,
    /// First block that earns rewards
    #[arg(long, value_name = "BLOCK", allow_negative_numbers = true)]
    reward_genesis_block: Option<u64>,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
}

impl Add {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        state::check_name("NAME", &self.name)?;
        let pool_address = address("ADDRESS", &self.address)?;
        let abi = if self.abi == "auto" { None } else { Some(Abi::parse(&self.abi)?) };
        let asset = self.asset.as_deref().map(|text| address("asset", text)).transpose()?;
        self.symbol.as_deref().map_or(Ok(()), check_symbol)?;
        let drop = self.max_rate_drop.as_deref();
        let drop = drop.map(|text| amount::parse_weight("max-rate-drop", text)).transpose()?;
        let app = App::open(session)?;
        let at = self.at.or(&app.config)?;
        let ask = AddPool {
            name: self.name,
            address: pool_address,
            abi,
            asset,
            deploy_block: self.deploy_block,
            max_rate_drop_ppm: drop,
            default_rate_drop_ppm: app.config.ratio_ppm("risk.max_rate_drop")?,
            reward_genesis: self.reward_genesis_block,
            symbol: self.symbol,
        };
        let output = app.write_on_chain(self.dry.dry_run, async |work, chain| {
            let added = pool::add(work, chain, &ask, at)
                .await
                .map_err(|e| e.context(format!("cannot add pool \"{}\"", ask.name)))?;
            Ok(AddOutput {
                added: added.new,
                pool: PoolView::of(work.state.conn(), &added.pool, work.state.run().clock.now())?,
                deploy_block: added.pool.deploy_block,
                checked_at: added.view,
                risk_engine: added.risk_engine.map(|engine| engine.to_string()),
            })
        })?;
        Ok(Outcome::of(output))
    }
}

/// Refuses what is no symbol of an asset.
pub(super) fn check_symbol(symbol: &str) -> Result<()> {
    let fits = |c: char| !c.is_control() && !c.is_whitespace();
    let most = amount::SYMBOL_MOST;
    if (1..=most).contains(&symbol.chars().count()) && symbol.chars().all(fits) {
        return Ok(());
    }
    Err(Error::new(Code::InvalidValue, format!("invalid --symbol: \"{symbol}\""))
        .hint(format!("a symbol has 1 to {most} characters without spaces, as USDC")))
}

impl Present for AddOutput {
    fn present(&self, page: &mut Page) {
        if !self.added {
            page.line(format!("pool \"{}\" exists already", self.pool.name));
            return;
        }
        page.line(format!("added pool \"{}\"", self.pool.name));
        let mut pairs = vec![
            ("address", self.pool.address.clone()),
            ("profile", self.pool.abi.to_owned()),
            ("asset", format!("{} ({} decimals)", short(&self.pool.asset.symbol), self.pool.asset.decimals)),
            ("deployed", format!("block {}", self.deploy_block)),
        ];
        pairs.extend(self.risk_engine.as_ref().map(|engine| ("risk engine", engine.clone())));
        pairs.extend(self.checked_at.as_ref().map(|view| ("checked at", view.to_string())));
        page.pairs(pairs);
        if self.risk_engine.is_some() {
            page.line(format!(
                "to take its limits from there: poolctl risk set {} --engine viddhana",
                self.pool.name
            ));
        }
    }
}

/// Accept that a pool's contract changed, so that it is paid and validated again
///
/// Syncs and reward cycles look at its code, at the implementation behind a proxy (EIP-1967), at the decimals of its asset and
/// whether it answers `paused()`. What they found last is accepted; `poolctl pool show` tells it.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool accept-change main")]
pub struct AcceptChange {
    /// Name or address
    pool: String,
    #[command(flatten)]
    dry: DryRun,
}

impl AcceptChange {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let accepted = |known: &Known| ContractView::from(&known.accepted);
        let app = App::open(session)?;
        let found = pool::find(app.read()?.conn(), &self.pool)?;
        if found.contract.as_ref().is_none_or(|known| known.found.is_none()) {
            // Nothing to do needs no lock and no consent.
            let contract = found.contract.as_ref().map(accepted);
            return Ok(Outcome::of(AcceptChangeOutput {
                pool: found.name,
                changed: false,
                before: None,
                contract,
            }));
        }
        let output = app.write(self.dry.dry_run, |work| {
            let why = found.contract.as_ref().and_then(Known::change).unwrap_or_default();
            let what = format!("accept that the contract of pool \"{}\" changed: {why}", found.name);
            let changed = contract::accept(work, &app.value_permit(work.permit, &what)?, &found)?;
            let now = pool::by_id(work.state.conn(), found.id)?.contract;
            Ok(AcceptChangeOutput {
                pool: found.name.clone(),
                changed,
                before: found.contract.as_ref().map(accepted).filter(|_| changed),
                contract: now.as_ref().map(accepted),
            })
        })?;
        let units = |view: &Option<ContractView>| view.as_ref().and_then(|view| view.asset_decimals);
        let now = units(&output.contract);
        let other = output.changed && now.is_some() && now != units(&output.before);
        let warnings = other.then(|| {
            "limits that were set before are in the units of before: see them with: poolctl risk show"
                .to_owned()
        });
        Ok(Outcome::of(output).warn(warnings))
    }
}

impl Present for AcceptChangeOutput {
    fn present(&self, page: &mut Page) {
        if !self.changed {
            page.line(format!("{}: nothing to accept", self.pool));
        }
        let Some(now) = &self.contract else { return };
        let before = self.before.as_ref().unwrap_or(now);
        let pair =
            |before: String, now: String| if before == now { now } else { format!("{before} → {now}") };
        let pauses = |it: &ContractView| if it.can_pause { "answered" } else { "not answered" }.to_owned();
        page.pairs([
            ("code", pair(before.code_hash.clone(), now.code_hash.clone())),
            ("implementation", pair(dash(before.implementation.as_ref()), dash(now.implementation.as_ref()))),
            ("asset decimals", pair(dash(before.asset_decimals), dash(now.asset_decimals))),
            ("paused()", pair(pauses(before), pauses(now))),
        ]);
    }
}
