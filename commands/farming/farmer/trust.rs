//! `poolctl farmer trust`.

use super::Several;
use crate::shell::prelude::*;
use app::farming::farmer::trust::TrustOutput;
use app::farming::{lumens, no_question, on_farm};
use base::amount::parse_flag;
use kale::Status;
use kale::contract::DECIMALS;
use kale::farming::Leads;
use kale::trust::{self, PreparedTrust, Wish};

/// Make the trustline to KALE of each farmer that has none, or raise one whose limit is too low
///
/// Each trustline reserves half a lumen. Where there is a sponsor in the key store, it gives that and pays the fees, so
/// that a farmer needs no lumens at all. A farmer that has its trustline, with room for what its stakes and a block may
/// bring, is left alone, so that running it again is harmless. Afterwards, farmer check-funding makes active who is ready.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl farmer trust --all --create")]
pub struct Trust {
    #[command(flatten)]
    several: Several,
    /// Let the sponsor give the reserves; fails without one [default: where there is one]
    #[arg(long)]
    sponsored: bool,
    /// Let each farmer keep the reserve of its trustline itself, sponsor or not
    #[arg(long, conflicts_with_all = ["sponsored", "create"])]
    unsponsored: bool,
    /// Let the sponsor make the accounts that are missing, one after the other, and give their reserves
    #[arg(long)]
    create: bool,
    /// What the sponsor gives each account that it makes, beside the reserves [default: 0]
    #[arg(long, value_name = "XLM", requires = "create")]
    starting_balance: Option<String>,
    #[command(flatten)]
    dry: DryRun,
}

impl Trust {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let wish = self.wish()?;
        let app = App::open(session)?;
        let hands = self.several.read(&app)?;
        if let Some(gone) = hands.iter().find(|hand| hand.status == Status::Departed) {
            let why = format!("farmer {} has departed: nothing is done for it any more", gone.who.address);
            return Err(Error::new(Code::Conflict, why).hint("name others, or all who have not with --all"));
        }
        if hands.is_empty() {
            return Ok(Outcome::of(TrustOutput::nobody()));
        }
        let dry_run = self.dry.dry_run;
        let output = on_farm(&app, dry_run, None, &Leads::of(&hands), async |farming| {
            let prepared = trust::prepare(farming, &hands, wish).await?;
            let mut output = TrustOutput::begin(&prepared);
            if dry_run {
                let rehearsals = trust::rehearse(farming, &prepared).await?;
                output.rehearsed(prepared, rehearsals);
                return Ok(output);
            }
            let permit = if prepared.wanted.is_empty() {
                no_question(&app, farming.work, "look")?
            } else {
                app.value_permit(farming.work.permit, &question(&prepared, farming.site.network()))?
            };
            for trusted in trust::execute(farming, prepared, permit).await? {
                output.take(trusted);
            }
            output.sort();
            Ok(output)
        })
        .map_err(|e| e.context("cannot make trustlines"))?;
        let done = output.farmers.len() - output.failures.len();
        let failure = app::failures::ended(done, &output.failures, "farmers");
        Ok(Outcome::of(output).but(failure))
    }

    fn wish(&self) -> Result<Wish> {
        const FLAG: &str = "--starting-balance";
        let balance = match &self.starting_balance {
            None => 0,
            Some(text) => i64::try_from(parse_flag(FLAG, text, DECIMALS)?).map_err(|_| {
                Error::new(Code::InvalidAmount, format!("{FLAG}: \"{text}\" is more than there is"))
            })?,
        };
        let sponsored = match (self.sponsored, self.unsponsored) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        };
        Ok(Wish { sponsored, create: self.create.then_some(balance) })
    }
}

/// What the operator is asked.
fn question(prepared: &PreparedTrust, network: &str) -> String {
    let made = prepared.wanted.iter().filter(|wanted| wanted.creates).count();
    let accounts = if made > 0 { format!(", and the accounts of {made} of them") } else { String::new() };
    let gives = match &prepared.payer {
        Some(sponsor) => format!("; the sponsor {sponsor} gives {}", lumens(prepared.given)),
        None => String::new(),
    };
    let farmers = counted(prepared.wanted.len(), "farmer");
    format!("make the trustlines of {farmers}{accounts} on {network}{gives}")
}

impl Present for TrustOutput {
    fn present(&self, page: &mut Page) {
        let Some(view) = &self.view else {
            page.line(super::NOBODY);
            return;
        };
        page.rows(["FARMER", "STATUS", "ACCOUNT", ">FEE", ">LEDGER", "WHY"], &self.farmers, |one| {
            let account = if one.creates_account { "made too" } else { "" };
            cells![one.address, one.status.replace('_', " "), account, one.fee, one.ledger, one.error]
        });
        if let Some(sponsor) = &self.sponsor {
            page.line(format!("sponsor {sponsor}: pays the fees and gives {}", self.sponsor_gives));
        }
        if self.trusted > 0 {
            page.line(format!(
                "made {} trustlines; see who is ready with: poolctl farmer check-funding",
                self.trusted
            ));
        }
        page.line(view);
    }
}
