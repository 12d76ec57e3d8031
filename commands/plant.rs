//! `poolctl plant`: stakes in the current block.

use crate::app::App;
use crate::farming::{self, LedgerStamp, kale, lumens, on_farm, time};
use crate::options::DryRun;
use crate::output::{Outcome, Page, Present, Table};
use crate::session::Session;
use crate::views::Failure;
use base::amount::{Base, Quantity};
use base::{Error, Result, forms};
use clap::Args;
use kale::plant::{self, Fate, Planted, Prepared};
use schemars::JsonSchema;
use serde::Serialize;
use stellar::submit::Rehearsal;
use watch::metrics::Gauge;

/// Plant: a stake in the current block for every farmer that is active and ready
///
/// A stake is the farmer's share of its balance, and no more than counts in the block. A farmer that has planted already
/// is left alone, so that running it again is harmless. The stake is burnt, and minted again by the harvest: nothing is
/// staked unless the fees of plant, work and harvest are there, and room in the trustline for what a block may pay. Where
/// the fee sponsor cannot pay for all, farmers with lumens of their own pay for themselves.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl plant\n         poolctl plant --dry-run")]
pub struct Plant {
    /// Ids or addresses of farmers; none = all that are active
    #[arg(value_name = "FARMER")]
    farmers: Vec<String>,
    /// Transactions under way at once; default: kale.parallel
    #[arg(long, value_name = "N", value_parser = farming::parallel, allow_hyphen_values = true)]
    parallel: Option<usize>,
    #[command(flatten)]
    dry: DryRun,
}

/// What a plant came to for one farmer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlantView {
    /// Id.
    pub farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// `planted`, `already_planted`, `harvest_only` (nothing is to be planted for it), `would_plant` or `failed`.
    pub status: &'static str,
    /// At stake.
    pub stake: Option<Quantity>,
    /// Hash of the transaction.
    #[schemars(with = "Option<forms::Digest>")]
    pub tx: Option<String>,
    /// Its ledger.
    pub ledger: Option<u32>,
    /// What it cost; in a dry run, the most that it would.
    pub fee: Option<Quantity>,
    /// Who paid that, where it was not the farmer.
    #[schemars(with = "Option<forms::StellarAccount>")]
    pub fee_payer: Option<String>,
    /// Why it failed, in a stable word.
    pub reason: Option<&'static str>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What was planted.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlantOutput {
    /// Whose view it is; null where there is no farmer to plant for.
    pub view: Option<LedgerStamp>,
    /// The block.
    pub block: Option<u32>,
    /// No plant begins any more in this block: when the next one can begin.
    #[schemars(with = "Option<forms::Time>")]
    pub wait_until: Option<String>,
    /// Farmers planted by this run.
    pub planted: usize,
    /// At stake by this run.
    pub staked: Quantity,
    /// By farmer.
    pub farmers: Vec<PlantView>,
    #[serde(skip)]
    failures: Vec<Failure>,
    #[serde(skip)]
    refused: Option<Error>,
}

impl Plant {
    /// # Errors
    /// What the services say; farmers that could not plant end it with exit 3.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let mut hands = farming::named(farming::everybody(&app)?, &self.farmers)?;
        session.covers(self.farmers.is_empty());
        hands.retain(|hand| hand.status == "active");
        if hands.is_empty() {
            return Outcome::of(&PlantOutput::nobody());
        }
        let dry_run = self.dry.dry_run;
        let output = on_farm(&app, dry_run, self.parallel, async |farm| {
            let prepared = plant::prepare(farm, &hands).await?;
            let mut output = PlantOutput::begin(&prepared);
            output.refused.clone_from(&prepared.refused);
            if dry_run {
                let intents: Vec<_> = prepared.wanted.iter().map(|(_, _, intent)| intent.clone()).collect();
                let rehearsals = farm.rehearse(&intents).await?;
                output.rehearsed(&prepared, rehearsals);
                return Ok(output);
            }
            let permit = if prepared.wanted.is_empty() {
                farming::no_question(&app, farm.work, "record what was found")?
            } else {
                let what = format!(
                    "plant {} for {} farmers in block {} on {}",
                    kale(prepared.total()),
                    prepared.wanted.len(),
                    prepared.index,
                    farm.site.network()
                );
                app.value_permit(farm.work.permit, &what)?
            };
            let planted = plant::carry_out(farm, prepared, permit).await?;
            output.take(planted);
            Ok(output)
        })
        .map_err(|e| e.context("cannot plant"))?;
        let done = output.farmers.len() - output.failures.len();
        let failure = output.refused.clone().or_else(|| farming::ended(done, &output.failures, "farmers"));
        let gauges = output.gauges();
        Ok(Outcome::of(&output)?.gauges(gauges).but(failure))
    }
}

impl PlantOutput {
    fn nobody() -> Self {
        Self {
            view: None,
            block: None,
            wait_until: None,
            planted: 0,
            staked: kale(Base::ZERO),
            farmers: Vec::new(),
            failures: Vec::new(),
            refused: None,
        }
    }

    fn begin(prepared: &Prepared) -> Self {
        Self {
            view: Some(LedgerStamp::from(&prepared.view)),
            block: Some(prepared.index),
            wait_until: prepared.wait.map(time),
            ..Self::nobody()
        }
    }

    fn take(&mut self, planted: Vec<Planted>) {
        for Planted { who, stake, fate } in planted {
            let mut view = PlantView {
                farmer: who.id,
                address: who.address,
                status: "already_planted",
                stake: Some(kale(stake)),
                tx: None,
                ledger: None,
                fee: None,
                fee_payer: None,
                reason: None,
                error: None,
            };
            match fate {
                Fate::Planted { tx, ledger, fee, payer } => {
                    self.planted += 1;
                    self.staked = kale(self.staked.base.saturating_add(stake));
                    view.status = "planted";
                    (view.tx, view.ledger, view.fee) = (Some(tx), Some(ledger), Some(lumens(fee)));
                    view.fee_payer = payer;
                }
                Fate::Already => {}
                Fate::HarvestOnly => (view.status, view.stake) = ("harvest_only", None),
                Fate::Failed { reason, error } => {
                    view.fail(reason.word(), &error);
                    self.failures.push((view.address.clone(), error));
                }
            }
            self.farmers.push(view);
        }
        self.farmers.sort_by(|a, b| a.farmer.cmp(&b.farmer));
    }

    fn rehearsed(&mut self, prepared: &Prepared, rehearsals: Vec<Result<Rehearsal>>) {
        self.take(prepared.settled.clone());
        for ((who, stake, _), rehearsal) in prepared.wanted.iter().zip(rehearsals) {
            let mut view = PlantView {
                farmer: who.id.clone(),
                address: who.address.clone(),
                status: "would_plant",
                stake: Some(kale(*stake)),
                tx: None,
                ledger: None,
                fee: None,
                fee_payer: None,
                reason: None,
                error: None,
            };
            match rehearsal {
                Ok(rehearsal) => view.fee = rehearsal.max_fee.map(lumens),
                Err(error) => {
                    view.fail("transaction_failed", &error);
                    self.failures.push((view.address.clone(), error));
                }
            }
            self.farmers.push(view);
        }
    }

    fn gauges(&self) -> Vec<Gauge> {
        let gauge = |name, help, value: String| Gauge { name, help, labels: Vec::new(), value };
        let failed = self.failures.len();
        let mut gauges = vec![
            gauge("poolctl_plant_farmers", "Farmers planted by the last run.", self.planted.to_string()),
            gauge("poolctl_plant_failed_farmers", "Farmers that could not plant.", failed.to_string()),
        ];
        if let Some(block) = self.block {
            gauges.push(gauge(
                "poolctl_farm_block_index",
                "The farm's block, as it was seen last.",
                block.to_string(),
            ));
        }
        gauges
    }
}

impl PlantView {
    fn fail(&mut self, reason: &'static str, error: &Error) {
        (self.status, self.reason, self.error) = ("failed", Some(reason), Some(error.to_string()));
    }
}

impl Present for PlantOutput {
    fn present(&self, page: &mut Page) {
        let Some(view) = &self.view else {
            page.line("no active farmers; add one with: poolctl farmer register");
            return;
        };
        let mut table = Table::new(&["FARMER", "STATUS", ">STAKE", ">FEE", ">LEDGER", "WHY"]);
        for farmer in &self.farmers {
            table.row([
                farmer.address.clone(),
                farmer.status.replace('_', " "),
                farmer.stake.as_ref().map(ToString::to_string).unwrap_or_default(),
                farmer.fee.as_ref().map(ToString::to_string).unwrap_or_default(),
                farmer.ledger.map(|ledger| ledger.to_string()).unwrap_or_default(),
                farmer.error.clone().unwrap_or_default(),
            ]);
        }
        if !table.is_empty() {
            page.table(table);
        }
        let block = self.block.unwrap_or_default();
        match &self.wait_until {
            Some(until) => {
                page.line(format!("too late for block {block}: the next one can begin at {until}"));
            }
            None => {
                page.line(format!("block {block}: planted {} farmers, {}", self.planted, self.staked));
            }
        }
        page.line(view);
    }
}
