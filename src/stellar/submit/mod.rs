//! Stellar in the outbox: its types, its terms, and [`StellarNetwork`], which prepares, signs, sends and looks up.

mod chain;
mod network;
mod polls;
mod prepare;
mod rehearse;
mod resources;
mod terms;

pub use chain::{Effect, Intent, RESTORE, Reason, Settled, Stellar, Submitted, Why};
pub use prepare::StellarNetwork;
pub use rehearse::{Rehearsal, rehearse};
pub use terms::Terms;
