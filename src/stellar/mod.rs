//! Stellar: endpoints with a pinned network, the RPC's methods, transactions, and the one way to submit them.
//!
//! Nothing here knows of farmers or blocks. [`Client::view`] reads; [`submit`] is the only thing that sends.

mod client;
mod diagnostics;
mod fault;
mod network;
mod newest;
mod pace;
mod peer;
mod protocol;
mod replies;
mod results;
pub mod submit;
pub mod transaction;
mod view;
pub mod wire;

pub use client::{Client, is_of_endpoints};
pub use diagnostics::Raised;
pub use network::{KNOWN, Known, account, asset, contract, known, network_id};
pub use pace::LedgerPace;
pub use peer::ClientConfig;
pub use protocol::{Newer, PROTOCOL};
pub use replies::{
    Entry, Event, EventPage, FeeStats, Health, Landed, Ledger, Lookup, Percentile, Percentiles, Refusal,
    Simulated, Simulation,
};
pub use results::{Failure, Kind};
/// SDF's types of everything on the network.
pub use stellar_xdr as xdr;
pub use transaction::{Action, Signers, account_of};
pub use view::{Entries, EventQuery, View};
