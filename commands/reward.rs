//! `poolctl reward …`: weights, cycles, epochs, what is owed, and claims.

mod apr;
mod claim;
mod cycle;
mod epoch;
mod export;
mod manual;
mod verify;
mod weights;

use crate::registry::commands;

commands! {
    /// Share out rewards: weights, cycles, epochs, claims, exports, yields
    #[command(before_help = "Example: poolctl reward cycle")]
    Command {
        SetWeight(weights::SetWeight) = "reward set-weight": weights::SetWeightOutput;
        Weights(weights::Weights) = "reward weights": weights::WeightsOutput;
        Cycle(cycle::Cycle) = "reward cycle": cycle::CycleOutput;
        #[command(subcommand)] Epoch(epoch::Command) in epoch;
        Apr(apr::Apr) = "reward apr": apr::AprOutput;
        Export(export::ExportCommand) = "reward export": export::ExportOutput;
        Pending(claim::PendingCommand) = "reward pending": claim::PendingOutput;
        Claim(claim::Claim) = "reward claim": claim::ClaimOutput;
    }
}
