//! `poolctl farmer check-funding`.

use super::Several;
use crate::options::DryRun;
use crate::output::{Outcome, Page, Present, Table};
use crate::session::Session;
use app::App;
use app::farming::{LedgerStamp, SponsorView, kale, lumens, on_farm};
use base::amount::Quantity;
use base::{Code, Error, Result, forms};
use clap::Args;
use kale::fees::Payer;
use kale::funding::{self, Check, Checked, Lack};
use kale::sponsor::Sponsor;
use kale::submitter;
use schemars::JsonSchema;
use serde::Serialize;
use watch::metrics::Gauge;

/// Check what farmers lack before they can plant, and how to mend it; those that lack nothing become active
///
/// A farmer needs an account, lumens above its reserve for a whole round (none where the fee sponsor has enough for it),
/// and the trustline to KALE, with room for what a block may pay. With the first two it is funded, with all three active.
/// None goes back: one that plants and falls short goes on once it is mended. One that leaves stays so. Someone who is not
/// ready, the sponsor first of all, makes the exit code 5 and is an open alert until it is mended.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl farmer check-funding --all")]
pub struct CheckFunding {
    #[command(flatten)]
    several: Several,
    #[command(flatten)]
    dry: DryRun,
}

/// What a farmer has and lacks.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FundingView {
    /// Id.
    pub farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// Whether it lacks nothing.
    pub ready: bool,
    /// Its status; in a dry run, what it would be.
    pub status: &'static str,
    /// What it was before.
    pub status_before: &'static str,
    /// Whether the account exists.
    pub exists: bool,
    /// What it holds; null without an account.
    pub lumens: Option<Quantity>,
    /// What of that must stay.
    pub reserve: Option<Quantity>,
    /// What of that can be spent.
    pub spendable: Option<Quantity>,
    /// Whether it has the trustline.
    pub trustline: bool,
    /// What it can move of KALE; null without a trustline.
    pub kale: Option<Quantity>,
    /// The most that its trustline may hold.
    pub kale_limit: Option<Quantity>,
    /// What may still come in: up to the limit, less what its offers would buy.
    pub kale_room: Option<Quantity>,
    /// What its offers would buy.
    pub kale_buying: Option<Quantity>,
    /// What its offers would sell, which cannot be moved.
    pub kale_selling: Option<Quantity>,
    /// What the issuer lets the trustline do: `full`, `maintain` (keep its offers, and move nothing) or `frozen`.
    pub kale_leave: Option<&'static str>,
    /// Who pays its fees: `sponsor`, `submitters` (all but those of the plant) or `itself`; null where nobody can.
    pub fees_by: Option<&'static str>,
    /// What it lacks.
    pub lacks: Vec<LackView>,
}

/// Something that a farmer lacks.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LackView {
    /// `no_account`, `too_few_lumens`, `sponsor_low`, `submitter_low`, `no_trustline`, `not_authorized` or `trustline_full`.
    pub reason: &'static str,
    /// The same for a person.
    pub words: String,
    /// What mends it.
    pub mend: String,
}

/// What the check found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FundingOutput {
    /// Whose view it is; null where there is no farmer.
    pub view: Option<LedgerStamp>,
    /// Farmers that lack nothing.
    pub ready: usize,
    /// By farmer.
    pub farmers: Vec<FundingView>,
    /// The sponsor, where there is one.
    pub sponsor: Option<SponsorView>,
    /// The submitters.
    pub submitters: Vec<SponsorView>,
}

impl CheckFunding {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let hands = self.several.read(&app)?;
        if hands.is_empty() {
            return Outcome::of(&FundingOutput {
                view: None,
                ready: 0,
                farmers: Vec::new(),
                sponsor: None,
                submitters: Vec::new(),
            });
        }
        let check =
            on_farm(&app, self.dry.dry_run, None, async |farming| funding::check(farming, &hands).await)
                .map_err(|e| e.context("cannot check the funding"))?;
        let output = FundingOutput::from(&check);
        let gauges = output.gauges();
        let short = submitter::short_of(output.farmers.len(), output.submitters.len());
        Ok(Outcome::of(&output)?.gauges(gauges).warn(short).but(finding(&check)))
    }
}

/// The error of a check that found somebody who is not ready.
fn finding(check: &Check) -> Option<Error> {
    let lacking = |farmer: &Checked| Some(farmer.lacks.first()?.error(&farmer.who.address));
    let payers = check.sponsor.iter().chain(&check.submitters).filter_map(Sponsor::error);
    let errors: Vec<Error> = payers.chain(check.farmers.iter().filter_map(lacking)).collect();
    let first = errors.first()?;
    let why = match errors.len() {
        1 => first.message().to_owned(),
        more => format!("{more} accounts are not ready, first: {first}"),
    };
    let found = Error::new(Code::CheckFailed, why);
    Some(match first.hint_text() {
        Some(hint) => found.hint(hint),
        None => found,
    })
}

impl From<&Check> for FundingOutput {
    fn from(check: &Check) -> Self {
        Self {
            view: Some(LedgerStamp::from(&check.look)),
            ready: check.farmers.iter().filter(|farmer| farmer.lacks.is_empty()).count(),
            farmers: check.farmers.iter().map(FundingView::from).collect(),
            sponsor: check.sponsor.as_ref().map(SponsorView::from),
            submitters: check.submitters.iter().map(SponsorView::from).collect(),
        }
    }
}

impl From<&Checked> for FundingView {
    fn from(farmer: &Checked) -> Self {
        let Checked { who, wallet, lacks, payer, before, status } = farmer;
        let trust = wallet.and_then(|wallet| wallet.kale);
        let lack = |lack: &Lack| LackView {
            reason: lack.reason().word(),
            words: lack.words(),
            mend: lack.mend(&who.address),
        };
        Self {
            farmer: who.id.clone(),
            address: who.address.clone(),
            ready: lacks.is_empty(),
            status: status.word(),
            status_before: before.word(),
            exists: wallet.is_some(),
            lumens: wallet.map(|wallet| lumens(wallet.lumens)),
            reserve: wallet.map(|wallet| lumens(wallet.reserve)),
            spendable: wallet.map(|wallet| lumens(wallet.spare())),
            trustline: trust.is_some(),
            kale: trust.map(|trust| kale(trust.balance)),
            kale_limit: trust.map(|trust| kale(trust.limit)),
            kale_room: trust.map(|trust| kale(trust.room)),
            kale_buying: trust.map(|trust| kale(trust.buying)),
            kale_selling: trust.map(|trust| kale(trust.selling)),
            kale_leave: trust.map(|trust| trust.leave.word()),
            fees_by: payer.map(Payer::word),
            lacks: lacks.iter().map(lack).collect(),
        }
    }
}

impl FundingOutput {
    fn gauges(&self) -> Vec<Gauge> {
        let gauge =
            |name, help, value: usize| Gauge { name, help, labels: Vec::new(), value: value.to_string() };
        let lacking = self.farmers.len() - self.ready;
        vec![
            gauge("poolctl_farmers_ready", "Farmers that lack nothing to plant.", self.ready),
            gauge("poolctl_farmers_not_ready", "Farmers that lack something to plant.", lacking),
        ]
    }
}

impl Present for FundingOutput {
    fn present(&self, page: &mut Page) {
        let Some(view) = &self.view else {
            page.line(super::NOBODY);
            return;
        };
        let mut table =
            Table::new(&["FARMER", "STATUS", ">HOLDS", ">RESERVE", ">SPENDABLE", ">KALE", "LACKS"]);
        let shown = |amount: &Option<Quantity>| amount.as_ref().map(ToString::to_string).unwrap_or_default();
        for farmer in &self.farmers {
            let status = if farmer.status == farmer.status_before {
                farmer.status.to_owned()
            } else {
                format!("{} → {}", farmer.status_before, farmer.status)
            };
            let lacks: Vec<&str> = farmer.lacks.iter().map(|lack| lack.reason).collect();
            table.row([
                farmer.address.clone(),
                status.replace('_', " "),
                shown(&farmer.lumens),
                shown(&farmer.reserve),
                shown(&farmer.spendable),
                shown(&farmer.kale),
                lacks.join(", ").replace('_', " "),
            ]);
        }
        page.table(table);
        for farmer in &self.farmers {
            for lack in &farmer.lacks {
                page.line(format!("{} {}: {}", farmer.address, lack.words, lack.mend));
            }
        }
        for payer in self.sponsor.iter().chain(&self.submitters) {
            page.line(payer);
        }
        page.line(format!("{} of {} farmers are ready", self.ready, self.farmers.len())).line(view);
    }
}
