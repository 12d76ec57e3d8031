//! `poolctl pool accept-change`: the operator has looked at how a pool's contract changed, and goes on with it.

use crate::output::{Outcome, Page, Present};
use crate::shell::options::DryRun;
use crate::shell::session::Session;
use app::App;
use app::pools::pool::{AcceptChangeOutput, ContractView};
use base::Result;
use clap::Args;
use vault::pool::known::Known;
use vault::pool::{self, contract};

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
        let app = App::open(session)?;
        let found = pool::find(app.read()?.conn(), &self.pool)?;
        if found.contract.as_ref().is_none_or(|known| known.found.is_none()) {
            // Nothing to do needs no lock and no consent.
            let contract = found.contract.as_ref().map(|known| ContractView::from(&known.accepted));
            return Outcome::of(&AcceptChangeOutput {
                pool: found.name,
                changed: false,
                before: None,
                contract,
            });
        }
        let output = app.write(self.dry.dry_run, |work| {
            let why = found.contract.as_ref().and_then(Known::change).unwrap_or_default();
            let what = format!("accept that the contract of pool \"{}\" changed: {why}", found.name);
            contract::accept(work, &app.value_permit(work.permit, &what)?, &found)?;
            let now = pool::find(work.state.conn(), &found.name)?.contract;
            Ok(AcceptChangeOutput {
                pool: found.name.clone(),
                changed: true,
                before: found.contract.as_ref().map(|known| ContractView::from(&known.accepted)),
                contract: now.as_ref().map(|known| ContractView::from(&known.accepted)),
            })
        })?;
        let units = |view: &Option<ContractView>| view.as_ref().and_then(|view| view.asset_decimals);
        let now = units(&output.contract);
        let other = now.is_some() && now != units(&output.before);
        let warnings = other.then(|| {
            "limits that were set before are in the units of before: see them with: poolctl risk show"
                .to_owned()
        });
        Ok(Outcome::of(&output)?.warn(warnings))
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
        let dash = |it: Option<&String>| it.map_or_else(|| "–".to_owned(), Clone::clone);
        let decimals =
            |it: &ContractView| it.asset_decimals.map_or_else(|| "–".to_owned(), |it| it.to_string());
        let pauses = |it: &ContractView| if it.can_pause { "answered" } else { "not answered" }.to_owned();
        page.pairs([
            ("code", pair(before.code_hash.clone(), now.code_hash.clone())),
            ("implementation", pair(dash(before.implementation.as_ref()), dash(now.implementation.as_ref()))),
            ("asset decimals", pair(decimals(before), decimals(now))),
            ("paused()", pair(pauses(before), pauses(now))),
        ]);
    }
}
