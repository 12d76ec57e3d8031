//! `poolctl farm`: the block's clock, run or explained.

mod lines;
mod notes;
mod plan;
mod reconcile;
mod run;

pub use reconcile::told;

use crate::output::{Contract, Outcome};
use crate::session::Session;
use base::Result;
use clap::Subcommand;

/// What the commands write.
pub const CONTRACTS: &[Contract] = &[
    Contract::of::<run::RunOutput>("farm run").or::<plan::PlanOutput>().lines::<lines::Line>(),
    Contract::of::<plan::PlanOutput>("farm plan"),
    Contract::of::<reconcile::ReconcileOutput>("farm reconcile"),
];

/// Farm as the block's clock asks: plant, work, harvest
#[derive(Debug, Subcommand)]
#[command(before_help = "Example: poolctl farm run --once")]
pub enum Command {
    Run(run::Run),
    Plan(plan::Plan),
    Reconcile(reconcile::Reconcile),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What the command says.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        match self {
            Self::Run(command) => command.run(session),
            Self::Plan(command) => command.run(session),
            Self::Reconcile(command) => command.run(session),
        }
    }
}
