//! `poolctl farm`: the block's clock, run or explained.

mod plan;
mod reconcile;
mod run;

use crate::shell::registry::commands;

commands! {
    /// Farm as the block's clock asks: plant, work, harvest
    #[command(before_help = "Example: poolctl farm run --once")]
    Command {
        Run(run::Run) = "farm run": app::farming::run::RunOutput | app::farming::plan::PlanOutput => app::farming::lines::Line;
        Plan(plan::Plan) = "farm plan": app::farming::plan::PlanOutput;
        Reconcile(reconcile::Reconcile) = "farm reconcile": app::farming::reconcile::ReconcileOutput;
    }
}
