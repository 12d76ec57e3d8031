//! `poolctl reward …`: weights, cycles, epochs, what is owed, and claims.

mod apr;
mod claim;
mod cycle;
mod epoch;
mod export;
mod manual;
mod verify;
mod weights;

use crate::shell::registry::commands;

commands! {
    /// Share out rewards: weights, cycles, epochs, claims, exports, yields
    #[command(before_help = "Example: poolctl reward cycle")]
    Command {
        SetWeight(weights::SetWeight) = "reward set-weight": app::pools::reward::SetWeightOutput;
        Weights(weights::Weights) = "reward weights": app::pools::reward::WeightsOutput;
        Cycle(cycle::Cycle) = "reward cycle": vault::reward::CycleReport;
        #[command(subcommand)] Epoch(epoch::Command) in epoch;
        Apr(apr::Apr) = "reward apr": app::pools::reward::apr::AprOutput;
        Export(export::ExportCommand) = "reward export": app::pools::reward::export::ExportOutput;
        Pending(claim::PendingCommand) = "reward pending": app::pools::reward::PendingOutput;
        Claim(claim::Claim) = "reward claim": app::pools::reward::ClaimOutput;
    }
}
