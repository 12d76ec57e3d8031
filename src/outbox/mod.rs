//! The outbox: every transaction of the product takes effect once, or not at all, and is recorded.
//!
//! An operation is planned → signed → sent → confirmed, failed or expired. An envelope and its hash are committed before
//! it is sent for the first time, and a newer one is signed only when the older one can no longer land. What follows from
//! an operation is recorded in the same write that ends it. [`life`] is that, from the first line to the last; [`desk`]
//! leads many lives at once. Neither knows a chain: what they ask of one stands in [`Network`].

mod by_hand;
mod chain;
mod commits;
mod desk;
mod intent;
mod life;
mod network;
mod rows;

pub use by_hand::{GivenUp, Outlook, give_up, look, may_give_up};
pub use chain::{Block, Chain, Effect, Signed, Stored, Validity};
pub use desk::{Desk, Mine, all, settle_open, submit, under_way};
pub use intent::{Intent, NothingMore, Reason, Recorder, Settled, Status, Submitted};
pub use life::Pace;
pub use network::{Envelope, Fate, Landed, Network, Past, Prepared, Refused, Sent};
pub use rows::{
    Attempt, AttemptOutcome, Operation, OperationState, attempts, end, end_attempt, find, offers, open,
    open_on, open_since, plan, sent, signed, spent_by,
};
