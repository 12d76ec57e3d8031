//! `poolctl farmer …`: the accounts that farm, and their keys.

mod enrol;
mod export;
mod funding;
mod list;
mod set;
mod trust;

use crate::shell::prelude::*;
use app::farming;
use kale::rows::FarmerRow;

commands! {
    /// Register farmers, make them ready to plant, show and change them, and bring their keys in and out
    #[command(before_help = "Example: poolctl farmer list")]
    Command {
        Register(enrol::Register) = "farmer register": app::farming::farmer::EnrolOutput | app::farming::farmer::SponsorOutput = api::post("/farmers", api::POOLER).made();
        Import(enrol::Import) = "farmer import": app::farming::farmer::EnrolOutput | app::farming::farmer::SponsorOutput | app::farming::farmer::SubmitterOutput;
        List(list::List) = "farmer list": app::farming::farmer::ListOutput = api::get("/farmers", api::POOLER_READS);
        Show(list::Show) = "farmer show": app::farming::farmer::ShowOutput = api::get("/farmers/{farmer}", api::FARMER_READS);
        Set(set::Set) = "farmer set": app::farming::farmer::SetOutput = api::post("/farmers/{farmer}", api::OPERATOR);
        CheckFunding(funding::CheckFunding) = "farmer check-funding": app::farming::farmer::funding::FundingOutput = api::post("/farmers/check-funding", api::POOLER_FARMERS);
        Trust(trust::Trust) = "farmer trust": app::farming::farmer::trust::TrustOutput = api::post("/farmers/trust", api::OPERATOR);
        ExportKey(export::ExportKey) = "farmer export-key": export::ExportOutput;
    }
}

const NOBODY: &str = "no farmers; register one with: poolctl farmer register";

/// Farmers that a command is for.
#[derive(Debug, Args)]
pub struct Several {
    /// Names, addresses or ids; none = all who have not departed
    #[arg(value_name = "FARMER")]
    farmers: Vec<String>,
    /// All who have not departed
    #[arg(long, conflicts_with = "farmers")]
    all: bool,
}

impl Several {
    /// Whether none is named.
    fn is_all(&self) -> bool {
        self.all || self.farmers.is_empty()
    }

    /// The farmers; an unknown name is refused before anything is sent.
    fn read(&self, app: &App<'_>) -> Result<Vec<FarmerRow>> {
        let mut hands = farming::chosen(app, &self.farmers)?;
        hands.retain(|hand| !self.is_all() || hand.status.is_served());
        Ok(hands)
    }
}
