//! One function that a profile requires, asked within a batch.

use alloy::primitives::Address;
use alloy::sol_types::SolCall;
use evm::{Batch, BatchReply, CallError, Handle};

/// A function that a profile requires, asked within a batch.
pub(super) struct Question {
    pub(super) signature: &'static str,
    /// Whether the function answered in its own form.
    pub(super) read: Box<Read<()>>,
}

/// What a function answered.
pub(super) type Read<T> = dyn Fn(&BatchReply) -> Result<T, CallError>;

/// Asks for one function.
pub(super) fn question<C: SolCall + 'static>(batch: &mut Batch<'_>, to: Address, call: &C) -> Question {
    let handle: Handle<C> = batch.add(to, call);
    Question { signature: C::SIGNATURE, read: Box::new(move |reply| reply.get(handle).map(drop)) }
}
