//! `poolctl farmer check-funding`.

use crate::Document;
use crate::farming::{LedgerStamp, SponsorView, kale, lumens};
use base::amount::Quantity;
use base::{Remedy, forms};
use kale::fees::{Lack, Payer};
use kale::funding::{Check, Checked};
use schemars::JsonSchema;
use serde::Serialize;
use watch::metrics::Gauge;

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
    /// What fixes it.
    pub fix: String,
}

/// What the check found.
#[derive(Debug, Default, Serialize, JsonSchema)]
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

impl FundingOutput {
    /// What a check found, with what fixes it as the face says it.
    pub fn of(check: &Check, say: fn(&Remedy) -> String) -> Self {
        Self {
            view: Some(LedgerStamp::from(&check.look)),
            ready: check.farmers.iter().filter(|farmer| farmer.lacks.is_empty()).count(),
            farmers: check.farmers.iter().map(|farmer| FundingView::of(farmer, say)).collect(),
            sponsor: check.sponsor.as_ref().map(SponsorView::from),
            submitters: check.submitters.iter().map(SponsorView::from).collect(),
        }
    }
}

impl FundingView {
    fn of(farmer: &Checked, say: fn(&Remedy) -> String) -> Self {
        let Checked { who, wallet, lacks, payer, before, status } = farmer;
        let trust = wallet.and_then(|wallet| wallet.kale);
        let lack = |lack: &Lack| LackView {
            reason: lack.reason().as_str(),
            words: lack.words(),
            fix: say(&lack.fix(&who.address)),
        };
        Self {
            farmer: who.id.clone(),
            address: who.address.clone(),
            ready: lacks.is_empty(),
            status: status.as_str(),
            status_before: before.as_str(),
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
            kale_leave: trust.map(|trust| trust.leave.as_str()),
            fees_by: payer.map(Payer::as_str),
            lacks: lacks.iter().map(lack).collect(),
        }
    }
}

impl Document for FundingOutput {
    fn gauges(&self) -> Vec<Gauge> {
        let lacking = self.farmers.len() - self.ready;
        vec![
            Gauge::new("poolctl_farmers_ready", "Farmers that lack nothing to plant.", self.ready),
            Gauge::new("poolctl_farmers_not_ready", "Farmers that lack something to plant.", lacking),
        ]
    }
}
