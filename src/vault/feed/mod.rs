//! What prices are read from: feeds, how each kind is asked, and the rules for accepting a quote.

mod feeds;
pub mod quote;
pub mod source;

pub(crate) use feeds::by_id;
pub use feeds::{
    AddFeed, Feed, SetFeed, add, all, asset_name, every, examine, find, find_active, of_asset, remove, set,
};
pub use source::Source;
