//! Withdrawals: validated and reserved when asked for, completed by what the chain shows, or failed.
//!
//! `pending → processing → completed | failed`. Shares stay reserved until a withdrawal has failed, or its movement
//! of shares is among the replayed transfers, from when on the member no longer has them.

mod complete;
mod evidence;
mod fail;
mod request;
mod rules;
mod sound;
mod store;

pub use complete::{Completed, complete};
pub use evidence::Evidence;
pub use fail::{Failed, fail};
pub use request::{Ask, Request, Requested, Validation, earlier, request, validate, verdict};
pub use sound::withdrawals_have_evidence;
pub use store::{Filter, Status, Withdrawal, count, find, list, open, reserved};

/// The subject of a withdrawal's events: `withdrawal 7`.
pub fn subject(id: i64) -> String {
    format!("withdrawal {id}")
}
