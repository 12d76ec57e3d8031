//! What the outbox asks of a chain, and what it is told of an envelope.

use super::chain::{Block, Chain, Signed, Stored};
use super::intent::{Intent, Reason, Recorder, Settled, Status};
use super::rows::{Attempt, Operation};
use base::{Error, Result};
use std::collections::BTreeMap;

/// An envelope of an operation.
#[derive(Debug)]
pub struct Envelope<C: Chain> {
    /// Its operation's row.
    pub id: i64,
    /// Its operation's key, for messages.
    pub key: String,
    /// Its number within the operation, from 1.
    pub attempt: u32,
    /// Lower-case hex.
    pub hash: String,
    /// As it is sent.
    pub text: String,
    /// What is in it.
    pub stored: Stored<C::Account>,
    /// Whether nobody can have sent it before.
    pub fresh: bool,
    /// Whether the chain tells what it did; see [`Recorder::is_told_by_the_chain`].
    pub told: bool,
}

impl<C: Chain> Envelope<C> {
    /// One that may have been sent before.
    pub(super) fn again(operation: &Operation, last: Attempt, recorder: &dyn Recorder<C>) -> Result<Self> {
        let Attempt { attempt, hash, envelope: text, .. } = last;
        let told = C::AHEAD == Some(operation.kind.as_str()) || recorder.is_told_by_the_chain(operation);
        let (id, key, stored) = (operation.id, operation.key.clone(), C::stored(&text)?);
        Ok(Self { id, key, attempt, hash, text, stored, fresh: false, told })
    }
}

/// What became of preparing.
pub enum Prepared<N: Network + ?Sized> {
    /// Ready for its signatures.
    Ready {
        /// Not signed yet.
        draft: N::Draft,
        /// The endpoint that it was prepared at.
        endpoint: String,
    },
    /// This must be done first, since the chain says so.
    First {
        /// What.
        intent: Box<Intent<N::Chain>>,
        /// What is said where that fails.
        failed: String,
        /// What is said where the chain wants it once more.
        again: &'static str,
    },
    /// It is not worth sending.
    Refused(Box<Settled<N::Chain>>),
}

/// What an endpoint said of an envelope that it was sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent<C: Chain> {
    /// It has it.
    Taken,
    /// It has no room for it just now.
    Later,
    /// It does not take it.
    Refused(Refused, Reason<C>),
}

/// What follows from a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Its number is not the account's next: it is in a block, another is, or the endpoint is behind.
    Number,
    /// Its time has not come yet, for an endpoint that is behind.
    Early,
    /// The endpoint would refuse it again.
    Final,
}

/// What became of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate<C: Chain> {
    /// It is in a block, with success or without.
    Landed(Box<Landed<C>>),
    /// The network did not take it, and nobody else has it.
    Refused(Reason<C>),
    /// Another transaction used its number, so that it can never land; in words.
    Superseded(String),
    /// Its time is over, and it is in no block.
    Expired,
    /// Its time is over, its number is used, and no endpoint remembers by what: the chain shows what it did, if it did.
    Forgotten,
}

impl<C: Chain> Fate<C> {
    /// What an envelope's fate means for its operation.
    pub(super) fn settled(self, envelope: &Envelope<C>) -> Settled<C> {
        let expired = |words: &str| Settled::without_effect(Status::Expired, Reason::of(words));
        let settled = match self {
            Self::Landed(landed) => {
                let status = if landed.failure.is_none() { Status::Confirmed } else { Status::Failed };
                Settled::ended(status, landed.effect, landed.failure)
            }
            Self::Refused(why) => {
                let reason = Reason { words: format!("refused: {}", why.words), ..why };
                Settled::without_effect(Status::Failed, reason)
            }
            Self::Superseded(words) => expired(&words),
            Self::Forgotten => expired(
                "its time ran out, and the ledgers that it was valid in are forgotten: what it did, if anything, is read from \
                 the chain",
            ),
            Self::Expired => expired("its time ran out, and it is in no ledger"),
        };
        let source = Some(envelope.stored.source.clone());
        let (hash, payer) = (Some(envelope.hash.clone()), envelope.stored.payer.clone());
        Settled { hash, sender: source.clone(), source, payer, ..settled }
    }
}

/// A transaction in a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed<C: Chain> {
    /// What the block says of it.
    pub effect: C::Effect,
    /// Why it failed; `None` = it succeeded.
    pub failure: Option<Reason<C>>,
}

/// The most that the envelopes of a kind could cost lately, by the kind.
pub type Past = BTreeMap<&'static str, u128>;

/// A chain that transactions are sent to, with the terms on which they are offered.
///
/// Of what it is asked, only [`Network::send`] has an effect. An answer that it could not get is an error, never
/// an absence: whatever says that an envelope never lands must follow from the chain.
#[expect(async_fn_in_trait, reason = "all of it runs on one thread")]
pub trait Network {
    /// Its types.
    type Chain: Chain;
    /// A transaction ready for its signatures.
    type Draft;

    /// The newest block that is believed in. Time is the chain's, never the machine's.
    fn newest(&self) -> Option<Block>;

    /// Begins with these intents: reads what they need in common.
    async fn open(&mut self, intents: &[&Intent<Self::Chain>], past: Past) -> Result<()>;

    /// Makes the transaction and tries it, without signing anything. No two attempts at an intent are the same bytes, so that
    /// each has a hash of its own. What was prepared at the endpoint `than` did not hold: another one is asked, where there
    /// is one that serves.
    async fn prepare(
        &self,
        intent: &Intent<Self::Chain>,
        attempt: u32,
        than: Option<&str>,
    ) -> Result<Prepared<Self>>;

    /// Signs.
    fn sign(
        &self,
        intent: &Intent<Self::Chain>,
        draft: Self::Draft,
        signers: &<Self::Chain as Chain>::Signers,
    ) -> Result<Signed>;

    /// Sends an envelope. A failing endpoint hands over to the next one, which gets the same bytes; `tried` hears of each
    /// before it has them. After an error any of them may have it all the same.
    async fn send(&self, envelope: &Envelope<Self::Chain>, tried: impl Fn(&str))
    -> Result<Sent<Self::Chain>>;

    /// What became of an envelope, if that can be told; `None` = it may still land. `refused` says whether an endpoint refused
    /// its number, so that this is worth a closer look.
    async fn look(
        &self,
        envelope: &Envelope<Self::Chain>,
        refused: bool,
    ) -> Result<Option<Fate<Self::Chain>>>;

    /// The same from every endpoint where the chain forgets (by default from one), for an operator who is to decide: one that
    /// has it in a block is believed. `Forgotten` = it can never land any more, and nobody remembers what became of it.
    async fn look_everywhere(&self, envelope: &Envelope<Self::Chain>) -> Result<Option<Fate<Self::Chain>>> {
        self.look(envelope, false).await
    }

    /// The endpoints know too little of the past to tell what became of an envelope.
    fn out_of_sight(&self) -> Error;

    /// Does, until dropped, what looking needs done beside it.
    async fn attend(&self) {
        std::future::pending::<()>().await;
    }

    /// Hears what became of an envelope: what it says of the account and of the fees.
    fn learn(&self, _envelope: &Envelope<Self::Chain>, _fate: &Fate<Self::Chain>) {}

    /// Why a new attempt may overcome what became of the one before, for a person; `None` = it would not.
    fn again(&self, fate: &Fate<Self::Chain>) -> Option<String>;

    /// What more is to be said of an operation that ended without effect.
    fn complaint(&self, _intent: &Intent<Self::Chain>, _settled: &Settled<Self::Chain>) -> Option<Error> {
        None
    }
}
