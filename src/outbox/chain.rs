//! A chain's types, and what its envelopes and blocks have in common with those of others.

use base::{Code, Error, Result, say};
use serde_json::Value;
use std::fmt::{Debug, Display};

/// A chain's types, and how its stored envelopes are read.
pub trait Chain: Debug + Copy + Default + Eq + 'static {
    /// What its operations are marked with in the state.
    const NAME: &'static str;
    /// The kind of operations that the chain itself wants ahead of others: nothing more is recorded of one, and doing one
    /// twice is harmless.
    const AHEAD: Option<&'static str> = None;
    /// Who sends; each account numbers its transactions.
    type Account: Clone + Debug + Display + Ord;
    /// What is to be done.
    type Action: Clone + Debug + PartialEq;
    /// What a block says of a transaction in it.
    type Effect: Effect;
    /// The chain's own account of a failure.
    type Why: Clone + Debug + Default + Eq;
    /// Who signs, on the chain's curve.
    type Signers: ?Sized;

    /// The error of a failure, with the details that the chain's own account of it gives.
    fn detailed(error: Error, _why: &Self::Why) -> Error {
        error
    }

    /// Reads an envelope; `None` for anything but what the chain's [`super::Network::sign`] makes.
    fn read(envelope: &str) -> Option<Stored<Self::Account>>;

    /// Reads a stored envelope back.
    ///
    /// # Errors
    /// `state_corrupt` for one that cannot be read.
    fn stored(envelope: &str) -> Result<Stored<Self::Account>> {
        Self::read(envelope).ok_or_else(|| {
            Error::new(Code::StateCorrupt, "a stored envelope cannot be read")
                .hint(say("run: ").run("state check").say("; restore the newest backup: ").backup())
        })
    }
}

/// What a block says of a transaction in it; the default is that of one that is in none.
pub trait Effect: Clone + Debug + Default + Eq {
    /// What the audit log says of it: where it is, and its `fee` as digits in the chain's smallest unit.
    fn facts(&self) -> Vec<(&'static str, Value)>;
}

/// When a transaction is valid, in seconds of the chain's time; both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// No block that closed earlier can hold it.
    pub from: u64,
    /// No block that closed later can hold it.
    pub until: u64,
}

/// A signed envelope, as it is stored and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// As text.
    pub envelope: String,
    /// Lower-case hex.
    pub hash: String,
    /// The most that it can cost, in the chain's smallest unit.
    pub max_fee: u128,
    /// When it is valid; `None` = until its number is used.
    pub validity: Option<Validity>,
}

/// What must be known of a stored envelope to settle it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<A> {
    /// The account whose number it uses.
    pub source: A,
    /// Which number: of an account's transactions with the same number at most one lands.
    pub number: u64,
    /// When it is valid; `None` = until its number is used.
    pub validity: Option<Validity>,
    /// Who pays the fee, where that is another account.
    pub payer: Option<A>,
}

/// A closed block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Its height.
    pub number: u64,
    /// Its time in seconds since 1970.
    pub time: u64,
}
