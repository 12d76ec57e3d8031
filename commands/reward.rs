//! `poolctl reward …`: weights, cycles, epochs, what is owed, and claims.

mod apr;
mod claim;
mod cycle;
mod epoch;
mod export;
mod manual;
mod verify;
mod weights;

use crate::output::{Contract, Outcome};
use crate::session::Session;
use base::Result;
use clap::Subcommand;

/// What the commands write.
pub const CONTRACTS: &[Contract] = &[
    Contract::of::<weights::SetWeightOutput>("reward set-weight"),
    Contract::of::<weights::WeightsOutput>("reward weights"),
    Contract::of::<cycle::CycleOutput>("reward cycle"),
    Contract::of::<manual::CreateOutput>("reward epoch create"),
    Contract::of::<cycle::CycleOutput>("reward epoch distribute").or::<manual::NothingOutput>(),
    Contract::of::<epoch::ListOutput>("reward epoch list"),
    Contract::of::<epoch::EpochView>("reward epoch show"),
    Contract::of::<verify::VerifyOutput>("reward epoch verify"),
    Contract::of::<apr::AprOutput>("reward apr"),
    Contract::of::<export::ExportOutput>("reward export"),
    Contract::of::<claim::PendingOutput>("reward pending"),
    Contract::of::<claim::ClaimOutput>("reward claim"),
];

/// Share out rewards: weights, cycles, epochs, claims, exports, yields
#[derive(Debug, Subcommand)]
#[command(before_help = "Example: poolctl reward cycle")]
pub enum Command {
    SetWeight(weights::SetWeight),
    Weights(weights::Weights),
    Cycle(cycle::Cycle),
    #[command(subcommand)]
    Epoch(epoch::Command),
    Apr(apr::Apr),
    Export(export::ExportCommand),
    Pending(claim::PendingCommand),
    Claim(claim::Claim),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What the command says.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        match self {
            Self::SetWeight(command) => command.run(session),
            Self::Weights(weights::Weights {}) => weights::Weights::run(session),
            Self::Cycle(command) => command.run(session),
            Self::Epoch(command) => command.run(session),
            Self::Apr(command) => command.run(session),
            Self::Export(command) => command.run(session),
            Self::Pending(command) => command.run(session),
            Self::Claim(command) => command.run(session),
        }
    }
}
