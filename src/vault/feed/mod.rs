//! What prices are read from: feeds, how each kind is asked, and the rules for accepting a quote.

mod feeds;
pub mod quote;
pub mod source;

pub(crate) use feeds::by_id;
pub use feeds::{AddFeed, Feed, add, all, asset_name, examine, find, of_asset, of_pool};
pub use source::Source;
