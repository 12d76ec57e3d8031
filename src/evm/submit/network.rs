//! An EVM chain as the outbox asks it: a transaction has no end to its validity; its nonce says what became of it.

use super::transaction::{Draft, Effect, Evm, Intent, Signers};
use crate::chain::Chain;
use crate::config::At;
use crate::fault::Fault as ReadFault;
use crate::view::{Mined, PinnedView};
use alloy::primitives::{B256, U256};
use base::{Code, Error, Result};
use outbox::{Block, Landed, Network, Past, Prepared, Reason, Sent, Settled, Signed, Stored};
use std::cell::Cell;

type Envelope = outbox::Envelope<Evm>;
type Fate = outbox::Fate<Evm>;

/// The terms on which transactions are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubmitOptions {
    /// What became of a transaction is believed as of this block.
    pub at: At,
    /// The most that is offered for a unit of gas, in wei.
    pub max_fee_per_gas: u128,
    /// Added to the gas that a trial took, in percent.
    pub gas_margin: u32,
}

/// The chain, with the terms on which transactions are offered.
pub struct EvmNetwork {
    chain: Chain,
    options: SubmitOptions,
    newest: Cell<Option<Block>>,
}

impl EvmNetwork {
    /// Of this chain, on these terms.
    pub fn new(chain: &Chain, options: SubmitOptions) -> Self {
        Self { chain: chain.clone(), options, newest: Cell::new(None) }
    }

    async fn view<T>(&self, at: At, mut body: impl AsyncFnMut(&PinnedView) -> Result<T>) -> Result<T> {
        // A nonce from an endpoint that lags is one that was used.
        let known = match at {
            At::Latest => self.newest.get().map_or(0, |newest| newest.number),
            _ => 0,
        };
        self.chain
            .view_above(at, known, async |view| {
                let seen = Block { number: view.block().number, time: view.block().timestamp };
                if self.newest.get().is_none_or(|newest| newest.number < seen.number) {
                    self.newest.set(Some(seen));
                }
                body(view).await
            })
            .await
    }

    async fn compose(&self, view: &PinnedView, intent: &Intent) -> Result<Prepared<Self>> {
        let refused = |words: String| Prepared::Refused(Box::new(Settled::refused(Reason::of(words))));
        let now = view.block().timestamp;
        if let Some(until) = intent.valid_until.filter(|until| *until <= now) {
            return Ok(Prepared::Refused(Box::new(Settled::too_late(until, now))));
        }
        let (source, action) = (intent.source, &intent.action);
        let (nonce, balance) = (view.nonce(source).await?, view.balance(source).await?);
        let poor = |needs: U256| refused(format!("{source} has {balance} wei, and may need {needs}"));
        if balance < action.value {
            return Ok(poor(action.value));
        }
        let gas = match view.try_out(source, action).await? {
            Ok(gas) => gas.saturating_add(gas.saturating_mul(u64::from(self.options.gas_margin)) / 100),
            Err(why) => return Ok(refused(format!("the simulation fails: {why}"))),
        };
        let (price, tip) = view.prices().await?;
        let cap = U256::from(self.options.max_fee_per_gas);
        if price > cap {
            let why = format!(
                "operation \"{}\": a unit of gas costs {price} wei, more than the {cap} that may be offered",
                intent.key
            );
            return Err(Error::new(Code::FeeCapped, why).hint("try again when the chain is less busy"));
        }
        // Twice the price of now covers six full blocks in a row (EIP-1559).
        let most = price.saturating_mul(U256::from(2)).min(cap);
        let draft =
            Draft::new(action, view.chain_id(), nonce, gas, most.saturating_to(), tip.saturating_to());
        let needs = action.value.saturating_add(U256::from(draft.max_fee()));
        let ready = Prepared::Ready { draft, endpoint: view.endpoint().to_owned() };
        Ok(if balance < needs { poor(needs) } else { ready })
    }

    async fn look_at(&self, view: &PinnedView, envelope: &Envelope) -> Result<Option<Fate>> {
        let Stored { source, number, .. } = envelope.stored;
        let hash: B256 = envelope.hash.parse().map_err(|_| {
            Error::new(Code::StateCorrupt, format!("operation \"{}\": a hash cannot be read", envelope.key))
        })?;
        // Breaks the view, so that the next endpoint is asked.
        let contradicts = |why: &str| {
            let why = format!("transaction {hash}: {why}");
            view.fail(ReadFault::Bad { method: "eth_getTransactionReceipt", why })
        };
        // First the nonce: where that is used, and not by this one, it never will be.
        let is_used = view.nonce(source).await? > number;
        match view.receipt(hash).await? {
            Mined::Included(receipt) => {
                let canonical = view.is_canonical(receipt.block_number, receipt.block_hash).await?;
                if receipt.from != source || !is_used || !canonical {
                    return Err(contradicts("its receipt is not of this chain or this account"));
                }
                let reverted = |seen: &Mined| matches!(seen, Mined::Included(second) if !second.succeeded);
                if !receipt.succeeded
                    && let Some(why) = doubted(view, hash, reverted).await
                {
                    return Err(contradicts(&format!("it is said to be reverted, and {why}")));
                }
                let failure = (!receipt.succeeded).then(|| Reason::of("it was reverted"));
                let fee = receipt.cost.ok_or_else(|| contradicts("its receipt does not say what it cost"))?;
                let effect = Effect { receipt: Some(receipt), fee };
                Ok(Some(Fate::Landed(Box::new(Landed { effect, failure }))))
            }
            Mined::Later { .. } if is_used => {
                Err(contradicts("its nonce is used, and it is in a later block"))
            }
            Mined::Unknown if is_used => {
                let other = view.used_by(source, number).await?;
                if other == hash {
                    return Err(contradicts("its block has it, and it has no receipt"));
                }
                match doubted(view, hash, |seen| *seen == Mined::Unknown).await {
                    Some(why) => Err(contradicts(&format!("it is said to be in no block, and {why}"))),
                    None => {
                        Ok(Some(Fate::Superseded(format!("transaction {other} used its nonce {number}"))))
                    }
                }
            }
            Mined::Unknown | Mined::Later { .. } => Ok(None),
        }
    }
}

/// Why it is not to be believed that it ended without effect, if so: another endpoint must say so too, where there is one.
/// It may be wanted again, and would be paid again where it had an effect. (Of an effect one receipt in a block of the chain
/// is enough: an endpoint that lags must not keep it open.)
async fn doubted(view: &PinnedView, hash: B256, is_it: impl Fn(&Mined) -> bool) -> Option<&'static str> {
    match view.elsewhere(0).await {
        Some(second) => match second.receipt(hash).await {
            Ok(seen) if is_it(&seen) => None,
            Ok(_) => Some("another endpoint says otherwise"),
            // No word of another's: this one is left, so that the next pair is asked.
            Err(_) => Some("the other endpoint could not tell"),
        },
        None if view.is_alone() => None,
        None => Some("no other endpoint could be asked; take those that are gone out of evm.rpc_urls"),
    }
}

impl Network for EvmNetwork {
    type Chain = Evm;
    type Draft = Draft;

    fn newest(&self) -> Option<Block> {
        self.newest.get()
    }

    async fn open(&mut self, _intents: &[&Intent], _past: Past) -> Result<()> {
        self.view(At::Latest, async |_| Ok(())).await
    }

    // The nonce makes attempts differ: the one before has ended, so its nonce is used.
    async fn prepare(&self, intent: &Intent, _attempt: u32, _than: Option<&str>) -> Result<Prepared<Self>> {
        self.view(At::Latest, async |view| self.compose(view, intent).await).await
    }

    fn sign(&self, intent: &Intent, draft: Draft, signers: &dyn Signers) -> Result<Signed> {
        draft.sign(intent.source, signers)
    }

    async fn send(&self, envelope: &Envelope, tried: impl Fn(&str)) -> Result<Sent<Evm>> {
        self.view(At::Latest, async |view| {
            tried(view.endpoint());
            view.hand_in(&envelope.text, &envelope.hash).await
        })
        .await
    }

    async fn look(&self, envelope: &Envelope, _refused: bool) -> Result<Option<Fate>> {
        self.view(self.options.at, async |view| self.look_at(view, envelope).await).await
    }

    fn out_of_sight(&self) -> Error {
        Error::new(Code::Behind, "no endpoint keeps the blocks from when the transaction was signed")
            .hint("put an archive endpoint first in evm.rpc_urls")
    }

    // Whoever used its nonce may have meant the same payment: a person decides whether it is wanted again.
    fn again(&self, _fate: &Fate) -> Option<String> {
        None
    }
}
