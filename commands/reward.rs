//! `poolctl reward …`: weights, cycles, epochs, what is owed, and claims.

mod apr;
mod claim;
mod cycle;
mod epoch;
mod export;
mod manual;
mod verify;
mod weights;

use crate::session::Session;
use clap::Subcommand;
use poolctl::output::{Outcome, Result};

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
