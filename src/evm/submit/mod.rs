//! An EVM chain as a network of the outbox: its transactions, their trials and costs, what became of them.

mod network;
mod sending;
mod transaction;

pub use network::{EvmNetwork, SubmitOptions};
pub use transaction::{Action, Effect, Evm, Intent, Signers};
