//! The KALE farm: what its contract stores and takes, what work earns, and the farmers that do it.

pub mod accounting;
pub mod address;
mod adopt;
pub mod alerts;
pub mod asset;
pub mod call;
pub mod contract;
pub mod elsewhere;
pub mod enrol;
pub mod events;
pub mod expiry;
pub mod farmers;
pub mod fault;
pub mod fees;
mod fields;
pub mod forecast;
pub mod funding;
pub mod harvest;
pub mod hash;
pub mod index;
mod keyring;
pub mod loss;
pub mod model;
pub mod nonces;
pub mod outlook;
pub mod patience;
pub mod plan;
pub mod plant;
pub mod poolers;
pub mod purse;
pub mod reason;
pub mod reconcile;
pub mod record;
pub mod reward;
pub mod rows;
pub mod run;
pub mod schedule;
pub mod settings;
pub mod site;
pub mod sponsor;
pub mod status;
<<<<<<< HEAD
pub mod strategy;
=======
pub mod submitter;
>>>>>>> w-payer
pub mod terms;
pub mod trust;
pub mod view;
pub mod wallet;
pub mod work;

pub use contract::{Block, Entry, Farm, Pail};
pub use farmers::Farmer;
pub use fault::Fault;
pub use poolers::Pooler;
pub use status::Status;
pub use terms::Terms;
