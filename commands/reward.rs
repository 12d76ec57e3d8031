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
        SetWeight(weights::SetWeight) = "reward set-weight": app::reward::weights::SetWeightOutput;
        Weights(weights::Weights) = "reward weights": app::reward::weights::WeightsOutput;
        Cycle(cycle::Cycle) = "reward cycle": app::reward::cycle::CycleOutput;
        #[command(subcommand)] Epoch(epoch::Command) in epoch;
        Apr(apr::Apr) = "reward apr": app::reward::apr::AprOutput;
        Export(export::ExportCommand) = "reward export": app::reward::export::ExportOutput;
        Pending(claim::PendingCommand) = "reward pending": app::reward::claim::PendingOutput;
        Claim(claim::Claim) = "reward claim": app::reward::claim::ClaimOutput;
    }
}
