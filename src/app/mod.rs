//! What every face needs: settings in force, the state to read or write, the networks, consent and keys; and the public
//! documents, with the calls that make them. A face lends what it alone has, as a [`Host`]; nothing here prints, exits, or
//! reads arguments or the environment.

mod call;
mod context;
mod document;
mod host;

pub mod alerts;
pub mod block;
pub mod doctor;
pub mod failures;
pub mod farmer;
pub mod farming;
pub mod harvest;
pub mod health;
pub mod info;
pub mod member;
pub mod metrics;
pub mod operations;
pub mod oracle;
pub mod plant;
pub mod pool;
pub mod pooler;
pub mod reconcile;
pub mod report;
pub mod reward;
pub mod risk;
pub mod state;
pub mod sync;
pub mod version;
pub mod views;
pub mod withdrawal;
pub mod work;

pub use call::Call;
pub use context::{App, conceal, edit_keys, farm_contract, open_keys, passphrase_of};
pub use document::Document;
pub use host::{Host, Secret};
