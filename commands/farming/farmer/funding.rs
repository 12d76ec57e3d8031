//! `poolctl farmer check-funding`.

use super::Several;
use crate::output::words;
use crate::shell::prelude::*;
use app::farming::farmer::funding::FundingOutput;
use app::farming::on_farm;
use kale::farming::Leads;
use kale::fees;
use kale::funding::{self, Check, Checked};
use kale::sponsor::Sponsor;

/// Check what farmers lack before they can plant, and how to fix it; those that lack nothing become active
///
/// A farmer needs an account, lumens above its reserve for a whole round (none where the fee sponsor has enough for it),
/// and the trustline to KALE, with room for what a block may pay. With the first two it is funded, with all three active.
/// None goes back: one that plants and falls short goes on once it is fixed. One that leaves stays so. Someone who is not
/// ready, the sponsor first of all, makes the exit code 5 and is an open alert until it is fixed.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl farmer check-funding --all")]
pub struct CheckFunding {
    #[command(flatten)]
    several: Several,
    #[command(flatten)]
    dry: DryRun,
}

impl CheckFunding {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let hands = self.several.read(&app)?;
        if hands.is_empty() {
            return Ok(Outcome::of(FundingOutput::default()));
        }
        let check = on_farm(&app, self.dry.dry_run, None, &Leads::none(), async |farming| {
            funding::check(farming, &hands).await
        })
        .map_err(|e| e.context("cannot check the funding"))?;
        let output = FundingOutput::of(&check, words::hint);
        let short = fees::short_of(output.farmers.len(), output.submitters.len());
        let low = payers(&check).filter(|payer| payer.is_ready()).filter_map(Sponsor::why);
        Ok(Outcome::document(output).warn(short.into_iter().chain(low)).but(finding(&check)))
    }
}

fn payers(check: &Check) -> impl Iterator<Item = &Sponsor> {
    check.sponsor.iter().chain(&check.submitters)
}

/// The error of a check that found somebody who is not ready.
fn finding(check: &Check) -> Option<Error> {
    let lacking = |farmer: &Checked| Some(farmer.lacks.first()?.error(&farmer.who.address));
    let broke = payers(check).filter(|payer| !payer.is_ready()).filter_map(Sponsor::error);
    let errors: Vec<Error> = broke.chain(check.farmers.iter().filter_map(lacking)).collect();
    let first = errors.first()?;
    let why = match errors.len() {
        1 => first.message().to_owned(),
        more => format!("{} not ready, first: {first}", counted(more, "account")),
    };
    let found = Error::new(Code::CheckFailed, why);
    Some(match first.remedy() {
        Some(remedy) => found.hint(remedy.clone()),
        None => found,
    })
}

impl Present for FundingOutput {
    fn present(&self, page: &mut Page) {
        let Some(view) = &self.view else {
            page.line(super::NOBODY);
            return;
        };
        let heads = ["FARMER", "STATUS", ">HOLDS", ">RESERVE", ">SPENDABLE", ">KALE", "LACKS"];
        page.rows(heads, &self.farmers, |one| {
            let changed = one.status != one.status_before;
            let before = if changed { format!("{} → ", one.status_before) } else { String::new() };
            let status = (before + one.status).replace('_', " ");
            let lacks: Vec<&str> = one.lacks.iter().map(|lack| lack.reason).collect();
            let lacks = lacks.join(", ").replace('_', " ");
            cells![one.address, status, one.lumens, one.reserve, one.spendable, one.kale, lacks]
        });
        for farmer in &self.farmers {
            for lack in &farmer.lacks {
                page.line(format!("{} {}: {}", farmer.address, lack.words, lack.fix));
            }
        }
        for payer in self.sponsor.iter().chain(&self.submitters) {
            page.line(payer);
        }
        page.line(format!("{} of {} farmers are ready", self.ready, self.farmers.len())).line(view);
    }
}
