//! Planting: a stake in the current block for every farmer that is active and ready, and what came of it.

use crate::failures::{Failure, failed};
use crate::farming::{self, LedgerStamp, kale, losses, lumens, time};
use crate::{App, Document};
use base::amount::{Base, Quantity};
use base::{Error, Result, counted, forms};
use kale::Who;
use kale::farming::{Farming, Leads, Missed};
use kale::plant::{PlantOutcome, Planted, PreparedPlant, execute, prepare};
use schemars::JsonSchema;
use serde::Serialize;
use state::{DECISIONS, ValuePermit};
use stellar::submit::Rehearsal;
use watch::metrics::Gauge;

/// What a plant came to for one farmer.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct PlantView {
    /// Id.
    pub farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// `planted`, `already_planted`, `harvest_only` (nothing is to be planted for it), `would_plant`, `failed`, or `unknown` (it may have taken effect).
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
#[derive(Debug, Default, Serialize, JsonSchema)]
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
    /// Stakes that will be lost, which this run saw first.
    #[serde(skip)]
    missed: Vec<Missed>,
}

/// Plants for the active ones of these farmers (names, ids or addresses), or for all; `parallel` overrides the setting. What
/// failed for single farmers is told by the document.
pub fn plant(app: &App<'_>, names: &[String], parallel: Option<usize>, dry_run: bool) -> Result<PlantOutput> {
    let mut hands = farming::chosen(app, names)?;
    app.call().covers(names.is_empty());
    hands.retain(|hand| hand.status.plants());
    if hands.is_empty() {
        return Ok(PlantOutput::nobody());
    }
    let planted = farming::on_farm(app, dry_run, parallel, &Leads::of(&hands), async |farm| {
        let mut output = PlantOutput::nobody();
        for left in (0..DECISIONS).rev() {
            let prepared = prepare(farm, &hands).await?;
            output.begin(&prepared);
            if dry_run {
                let intents: Vec<_> = prepared.wanted.iter().map(|(_, _, intent)| intent.clone()).collect();
                output.rehearsed(&prepared, farm.rehearse(&intents).await?);
                break;
            }
            let permit = consent(app, farm, &prepared)?;
            let block = (prepared.view.farm.index, prepared.view.work_until());
            output.missed.extend(farm.note_missed(block).await?);
            // Other runs may have changed what some of it was decided from.
            let (changed, planted): (Vec<Planted>, Vec<Planted>) = execute(farm, prepared, permit)
                .await
                .map_err(|e| losses::broken(&output.missed, e))?
                .into_iter()
                .partition(|one| left > 0 && one.is_changed());
            output.take(planted);
            if changed.is_empty() {
                break;
            }
            farm.renew()?;
            hands = farming::again(farm.work.state.conn(), changed.iter().map(|one| &one.who))?;
            hands.retain(|hand| hand.status.plants());
        }
        Ok(output)
    });
    planted.map_err(|e| e.context("cannot plant"))
}

fn consent<'w>(app: &App<'_>, farm: &Farming<'_, 'w>, prepared: &PreparedPlant) -> Result<ValuePermit<'w>> {
    if prepared.wanted.is_empty() {
        return farming::no_question(app, farm.work, "record what was found");
    }
    let (sum, farmers) = (kale(prepared.total()), counted(prepared.wanted.len(), "farmer"));
    let (block, network) = (prepared.index, farm.site.network());
    let what = format!("plant {sum} for {farmers} in block {block} on {network}");
    app.value_permit(farm.work.permit, &what)
}

impl PlantOutput {
    fn nobody() -> Self {
        Self { staked: kale(Base::ZERO), ..Self::default() }
    }

    fn begin(&mut self, prepared: &PreparedPlant) {
        self.view = Some(LedgerStamp::from(&prepared.view));
        self.block = Some(prepared.index);
        self.wait_until = prepared.wait.map(time);
        self.refused.clone_from(&prepared.refused);
    }

    fn take(&mut self, planted: Vec<Planted>) {
        for Planted { who, stake, outcome } in planted {
            let mut view = PlantView::new(&who, "already_planted", stake);
            match outcome {
                PlantOutcome::Planted { tx, ledger, fee, payer } => {
                    self.planted += 1;
                    self.staked = kale(self.staked.base.saturating_add(stake));
                    view.status = "planted";
                    (view.tx, view.ledger, view.fee) = (Some(tx), Some(ledger), Some(lumens(fee)));
                    view.fee_payer = payer;
                }
                PlantOutcome::Already => {}
                PlantOutcome::HarvestOnly => (view.status, view.stake) = ("harvest_only", None),
                PlantOutcome::Failed { reason, error } => self.fail(&mut view, reason.as_str(), error),
            }
            self.farmers.push(view);
        }
        self.farmers.sort_by(|a, b| a.farmer.cmp(&b.farmer));
    }

    fn rehearsed(&mut self, prepared: &PreparedPlant, rehearsals: Vec<Result<Rehearsal>>) {
        self.take(prepared.settled.clone());
        for ((who, stake, _), rehearsal) in prepared.wanted.iter().zip(rehearsals) {
            let mut view = PlantView::new(who, "would_plant", *stake);
            match rehearsal {
                Ok(rehearsal) => view.fee = rehearsal.max_fee.map(lumens),
                Err(error) => self.fail(&mut view, "transaction_failed", error),
            }
            self.farmers.push(view);
        }
    }

    fn fail(&mut self, view: &mut PlantView, reason: &'static str, error: Error) {
        (view.status, view.reason, view.error) = (failed(&error), Some(reason), Some(error.to_string()));
        self.failures.push((view.address.clone(), error));
    }
}

impl Document for PlantOutput {
    fn failure(&self) -> Option<Error> {
        let done = self.farmers.len() - self.failures.len();
        let refused = self.refused.clone().filter(|_| self.missed.is_empty());
        refused.or_else(|| losses::end(&self.missed, done, &self.failures, "farmers"))
    }

    fn gauges(&self) -> Vec<Gauge> {
        let Some(block) = self.block else { return Vec::new() };
        vec![
            Gauge::new("poolctl_plant_farmers", "Farmers planted by the last run.", self.planted),
            Gauge::new("poolctl_plant_failed_farmers", "Farmers that could not plant.", self.failures.len()),
            Gauge::new("poolctl_farm_block_index", "The farm's block, as it was seen last.", block),
        ]
    }
}

impl PlantView {
    fn new(who: &Who, status: &'static str, stake: Base) -> Self {
        Self {
            farmer: who.id.clone(),
            address: who.address.clone(),
            status,
            stake: Some(kale(stake)),
            ..Self::default()
        }
    }
}
