//! `poolctl farmer trust`.

use crate::failures::{Failure, failed};
use crate::farming::{LedgerStamp, lumens};
use base::amount::Quantity;
use base::{Error, Result, forms};
use kale::asset;
use kale::trust::{PreparedTrust, TrustOutcome, Trusted};
use schemars::JsonSchema;
use serde::Serialize;
use stellar::submit::Rehearsal;

/// What came of it for one farmer.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct TrustView {
    /// Id.
    pub farmer: String,
    /// `G…`.
    #[schemars(with = "forms::StellarAccount")]
    pub address: String,
    /// `trusted`, `already_trusted`, `would_trust`, `failed` or `unknown`.
    pub status: &'static str,
    /// Whether the account is made too.
    pub creates_account: bool,
    /// Hash of the transaction.
    #[schemars(with = "Option<forms::Digest>")]
    pub tx: Option<String>,
    /// Its ledger.
    pub ledger: Option<u32>,
    /// What it cost; in a dry run, the most that it would.
    pub fee: Option<Quantity>,
    /// Why it failed, in a stable word.
    pub reason: Option<&'static str>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What was made.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct TrustOutput {
    /// Whose view it is; null where there is no farmer.
    pub view: Option<LedgerStamp>,
    /// What is trusted, `CODE:ISSUER`.
    pub asset: Option<String>,
    /// Trustlines made, or raised to the highest limit, by this run.
    pub trusted: usize,
    /// Who pays the fees; null where each farmer pays its own, and where nothing was to be done.
    #[schemars(with = "Option<forms::StellarAccount>")]
    pub sponsor: Option<String>,
    /// What the sponsor was to give: reserves, and what accounts are made with.
    pub sponsor_gives: Quantity,
    /// By farmer.
    pub farmers: Vec<TrustView>,
    /// Those that failed, and why.
    #[serde(skip)]
    pub failures: Vec<Failure>,
}

impl TrustOutput {
    /// Where there is nobody to do it for.
    pub fn nobody() -> Self {
        Self { sponsor_gives: lumens(0), ..Self::default() }
    }

    /// As it stands before anything is sent.
    pub fn begin(prepared: &PreparedTrust) -> Self {
        Self {
            view: Some(LedgerStamp::from(&prepared.look)),
            asset: Some(asset::text(&prepared.look.asset)),
            sponsor: prepared.payer.as_ref().map(ToString::to_string),
            sponsor_gives: lumens(prepared.given),
            ..Self::nobody()
        }
    }

    /// Takes in what came of a farmer.
    pub fn take(&mut self, trusted: Trusted) {
        let Trusted { who, creates, outcome } = trusted;
        let mut view = TrustView::new(who.id, who.address, creates);
        match outcome {
            TrustOutcome::Made { tx, ledger, fee } => {
                self.trusted += 1;
                view.status = "trusted";
                (view.tx, view.ledger, view.fee) = (Some(tx), Some(ledger), Some(lumens(fee)));
            }
            TrustOutcome::Already => view.status = "already_trusted",
            TrustOutcome::Failed { reason, error } => self.fail(&mut view, reason.as_str(), error),
        }
        self.farmers.push(view);
    }

    /// Takes in what would come of each.
    pub fn rehearsed(&mut self, prepared: PreparedTrust, rehearsals: Vec<Result<Rehearsal>>) {
        for trusted in prepared.settled {
            self.take(trusted);
        }
        for (wanted, rehearsal) in prepared.wanted.into_iter().zip(rehearsals) {
            let mut view = TrustView::new(wanted.who.id, wanted.who.address, wanted.creates);
            match rehearsal {
                Ok(rehearsal) => view.fee = rehearsal.max_fee.map(lumens),
                Err(error) => self.fail(&mut view, "transaction_failed", error),
            }
            self.farmers.push(view);
        }
        self.sort();
    }

    /// Takes in why a farmer failed.
    fn fail(&mut self, view: &mut TrustView, reason: &'static str, error: Error) {
        (view.status, view.reason, view.error) = (failed(&error), Some(reason), Some(error.to_string()));
        self.failures.push((view.address.clone(), error));
    }

    /// Brings the farmers into the order of their ids.
    pub fn sort(&mut self) {
        self.farmers.sort_by(|a, b| a.farmer.cmp(&b.farmer));
    }
}

impl TrustView {
    /// Of a farmer, before anything is known.
    fn new(farmer: String, address: String, creates_account: bool) -> Self {
        Self { farmer, address, status: "would_trust", creates_account, ..Self::default() }
    }
}
