//! EVM transport: endpoints with a pinned chain, one consistent view per command, multicall, log replay, reorgs.
//!
//! Nothing here knows of pools or members. [`Chain::view`] is the only way to read: it picks a block once and
//! hands out a [`PinnedView`] whose every read is by that block's hash, on one endpoint. The outbox sends, through
//! [`EvmNetwork`].

mod account;
pub mod batch;
mod bloom;
mod chain;
mod config;
pub mod fault;
mod learned;
mod logs;
mod open;
mod past;
mod peer;
mod range;
mod stamp;
mod submit;
mod view;
pub mod wire;

pub use account::Fact;
pub use batch::{Batch, BatchReply, CallError, CallFault, Handle};
pub use chain::Chain;
pub use config::{At, ChainConfig, ChosenBy, LogLimits, MULTICALL3};
pub use fault::is_silence;
pub use learned::{Learned, learn, learned};
pub use logs::{LogRange, common_ancestor, logs_of, replay, replay_narrow};
pub use stamp::ViewStamp;
pub use submit::{Action, Effect, Evm, EvmNetwork, Intent, Signers, SubmitOptions};
pub use view::{Mined, PinnedView};
pub use wire::{BlockRef, EventLog, Receipt};
