//! EVM vault pools: what they are, who holds them, and what their contracts say.

pub mod abi;
mod add;
mod change;
pub mod contract;
pub mod holders;
pub mod holdings;
pub mod known;
mod members;
mod rate;
mod store;
mod token;

pub use add::{AddPool, Added, add};
pub use change::{SetPool, rename, set};
pub use holders::{Deposit, each_movement, holders_match, holding, holdings_before, opening_matched};
pub use holdings::{Holdings, MemberId, Movement};
pub use members::{
    AVAILABLE, Holder, Member, add_member, find_member, holders as holders_by_size, list_members,
    member_count, member_pools, rename_member,
};
pub use rate::underlying;
pub use store::{
    HistoryPoint, Pool, Snapshot, Stand, active, again, by_id, find, find_active, history, holder_count,
    is_retired, list, newest, newest_known, rate_before, rewarded, select, snapshot, snapshots, stand,
};
pub use token::{Asset, asset, put_asset, token};
