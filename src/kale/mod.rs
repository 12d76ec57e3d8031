//! The KALE farm: what its contract stores and takes, what work earns, and the farmers that do it.
//!
//! From the ground up: `contract` (pure: entries, calls, formulas) and `strategy` (pure), `chain` (what is to be seen),
//! `farmers`, `record` (what was tried and what came of it), `fees` (who can pay), `farming` (what a run has at hand, and how
//! it sends), then what an operator does with it: `funding`, `plant`, `work`, `harvest`, `reconcile`, and all of it in `run`.
//! A folder uses those before it and none behind it; the names below are the room's door.

pub mod alerts;
pub mod chain;
pub mod contract;
pub mod farmers;
pub mod farming;
pub mod fees;
pub mod funding;
pub mod harvest;
pub mod plant;
pub mod reconcile;
pub mod record;
pub mod run;
pub mod schedule;
pub mod settings;
pub mod strategy;
pub mod work;

pub use chain::{Who, asset, site, view, wallet};
pub use contract::fault::Fault;
pub use contract::{Block, Entry, Farm, Pail};
pub use contract::{address, call, events, fault, forecast, index, model, reward};
pub use farmers::poolers::Pooler;
pub use farmers::reward_split::RewardSplit;
pub use farmers::status::Status;
pub use farmers::{Farmer, enrol, poolers, reward_split, status};
pub use farming::question;
pub use fees::{purse, sponsor};
pub use funding::trust;
pub use harvest::{elsewhere, expiry};
pub use record::{accounting, loss, plan, profit, reason, rows};
pub use run::outlook;
pub use work::nonces;
