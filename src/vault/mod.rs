//! EVM vault pools: what a pool is, what it holds, what its prices and limits are, and what it pays.
//!
//! From the ground up: pool, feed, risk, then sync and oracle, which open breakers, then deposit, withdrawal and reward.

/// Gives enums of strum their words.
macro_rules! words {
    ($($name:ident),+) => {$(
        impl $name {
            /// The stable word: in the state, in JSON and on the command line.
            pub fn as_str(self) -> &'static str {
                self.into()
            }
        }
    )+};
}
pub(crate) use words;

pub mod deposit;
pub mod feed;
pub mod oracle;
pub mod pool;
pub mod reward;
pub mod risk;
pub mod sync;
pub mod withdrawal;
