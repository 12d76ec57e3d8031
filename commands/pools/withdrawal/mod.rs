//! `poolctl withdrawal …`: asked for, listed, completed by what the chain shows, or given up.

mod complete;
mod fail;
mod list;
mod request;

use crate::shell::registry::commands;

commands! {
    /// Ask for withdrawals, list them, complete them by their transaction, or give them up
    #[command(before_help = "Example: poolctl withdrawal list --status pending")]
    Command {
        Request(request::RequestCommand) = "withdrawal request": app::pools::withdrawal::RequestOutput;
        List(list::List) = "withdrawal list": app::pools::withdrawal::ListOutput;
        Complete(complete::CompleteCommand) = "withdrawal complete": app::pools::withdrawal::CompleteOutput;
        Fail(fail::Fail) = "withdrawal fail": app::pools::withdrawal::FailOutput;
    }
}
