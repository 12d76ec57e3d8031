//! `poolctl farm`: the block's clock, run or explained.

mod lines;
mod notes;
mod plan;
mod reconcile;
mod run;

use crate::shell::registry::commands;

commands! {
    /// Farm as the block's clock asks: plant, work, harvest
    #[command(before_help = "Example: poolctl farm run --once")]
    Command {
        Run(run::Run) = "farm run": run::RunOutput | plan::PlanOutput => lines::Line;
        Plan(plan::Plan) = "farm plan": plan::PlanOutput;
        Reconcile(reconcile::Reconcile) = "farm reconcile": app::farming::reconcile::ReconcileOutput;
    }
}
