//! What every face needs: settings in force, the state to read or write, the networks, consent and keys; and the public
//! documents, with the calls that make them. A face lends what it alone has, as a [`Host`]; nothing here prints, exits, or
//! reads arguments or the environment.

pub mod api;
mod context;
pub mod farming;
pub mod paging;
pub mod pools;
pub mod schedule;
pub mod state;
pub mod watching;

pub use context::call::Call;
pub use context::document::Document;
pub use context::host::{Host, Secret};
pub use context::{
    App, conceal, edit_keys, failures, farm_contract, one_line, open_keys, passphrase_of, private_text,
};
