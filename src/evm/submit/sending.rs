//! What sending asks of an endpoint: an account's nonce and who used it, prices, a trial, and the sending itself.

use super::transaction::{Action, Evm};
use crate::batch::{CallFault, outcome};
use crate::fault::{Fault, Sort, sort};
use crate::view::PinnedView;
use crate::wire::{self, BY_NUMBER};
use alloy::primitives::{Address, B256, U256};
use base::Result;
use net::asker::Patience;
use net::jsonrpc::{Call, RpcError};
use outbox::{Reason, Refused, Sent};
use serde_json::{Value, json};

const COUNT: &str = "eth_getTransactionCount";
const SEND: &str = "eth_sendRawTransaction";
/// The method does not exist (JSON-RPC 2.0), or is not supported (EIP-1474).
const NO_METHOD: [i64; 2] = [-32601, -32004];

impl PinnedView {
    /// The next nonce of an account as of the view's block: how many it has used.
    pub async fn nonce(&self, account: Address) -> Result<u64> {
        self.read_one(Call::new(COUNT, json!([account, wire::pinned(self.block().hash)])), wire::count).await
    }

    async fn nonce_at(&self, account: Address, number: u64) -> Result<u64> {
        self.not_above(number)?;
        self.read_pinned(Call::new(COUNT, json!([account, wire::hex(number)])), wire::count).await
    }

    /// Which transaction used a nonce that is used as of the view's block. That none is found with another hash is no proof; the
    /// one that is found is.
    pub async fn used_by(&self, account: Address, nonce: u64) -> Result<B256> {
        // It is used after `high`, and not after `low`: steps back that double, then halves.
        let (mut high, mut step) = (self.block().number, 1_u64);
        let mut low = loop {
            let below = high.saturating_sub(step);
            if self.nonce_at(account, below).await? <= nonce {
                break below;
            }
            if below == 0 {
                let why = format!("the account's nonce was above {nonce} before the first transaction");
                return Err(self.fail(Fault::Bad { method: COUNT, why }));
            }
            (high, step) = (below, step.saturating_mul(2));
        };
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let used = self.nonce_at(account, middle).await? > nonce;
            *(if used { &mut high } else { &mut low }) = middle;
        }
        let block = Call::new(BY_NUMBER, json!([wire::hex(high), true]));
        let sent = self.read_pinned(block, wire::senders).await?;
        let found = sent.into_iter().find(|(from, count, _)| (*from, *count) == (account, nonce));
        found.map(|(.., hash)| hash).ok_or_else(|| {
            let why = format!("block {high} used nonce {nonce} of {account}, and has no transaction with it");
            self.fail(Fault::Bad { method: BY_NUMBER, why })
        })
    }

    /// What a unit of gas costs now, and what of that goes to the block's producer, in wei.
    pub(super) async fn prices(&self) -> Result<(U256, U256)> {
        let price = self.read_one(Call::new("eth_gasPrice", json!([])), wire::quantity).await?;
        let tip = self.read_one(Call::new("eth_maxPriorityFeePerGas", json!([])), wire::quantity).await?;
        Ok((price, tip))
    }

    /// Tries an action at the view's block: the gas that it takes, or why it would fail.
    pub(super) async fn try_out(
        &self,
        from: Address,
        action: &Action,
    ) -> Result<std::result::Result<u64, String>> {
        let request = json!({ "from": from, "to": action.to, "value": action.value, "data": action.input });
        let params = |request: Value| json!([request, wire::pinned(self.block().hash)]);
        let call = Call::new("eth_call", params(request.clone()));
        let answer = self.ask(&[call]).await?.into_iter().next();
        let missing = || self.fail(Fault::Bad { method: "eth_call", why: "no answer".to_owned() });
        if let Err(fault) = outcome(self, answer.ok_or_else(missing)?).await? {
            return Ok(Err(match fault {
                CallFault::Reverted { reason: Some(reason), .. } => format!("reverted: {reason}"),
                CallFault::Exhausted(words) => words,
                _ => "reverted without a reason".to_owned(),
            }));
        }
        Ok(Ok(self.read_one(Call::new("eth_estimateGas", params(request)), wire::count).await?))
    }

    /// Hands a signed transaction to the endpoint, once. After an error it may have it all the same.
    pub(super) async fn hand_in(&self, envelope: &str, hash: &str) -> Result<Sent<Evm>> {
        let call = Call::new(SEND, json!([envelope]));
        let answer = match self.try_ask(&[call], Patience::Once).await? {
            Ok(answers) => answers.into_iter().next(),
            Err(Fault::Rpc { error, .. }) => Some(Err(error)),
            Err(fault) => return Err(self.fail(fault)),
        };
        match answer {
            Some(Err(error)) => handed(&error)
                .ok_or_else(|| self.fail(Fault::Rpc { method: SEND, sort: sort(SEND, &error), error })),
            answer => match self.value(SEND, answer, wire::hash).await? {
                found if format!("{found:x}") == hash => Ok(Sent::Taken),
                _ => Err(self.fail(Fault::Bad { method: SEND, why: "another hash than its own".to_owned() })),
            },
        }
    }
}

/// What a refusal says, in the words of geth, erigon, reth, Nethermind, Besu and anvil; `None` where it says nothing of the
/// transaction.
fn handed(error: &RpcError) -> Option<Sent<Evm>> {
    let text = error.message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["already known", "alreadyknown", "already imported"]) || text.starts_with("known transaction") {
        return Some(Sent::Taken);
    }
    let kind = if has(&["nonce too low", "nonce is too low", "oldnonce", "nonce has already been used"]) {
        Refused::Number
    } else if NO_METHOD.contains(&error.code)
        || has(&["pool is full"])
        || matches!(sort(SEND, error), Sort::RateLimited | Sort::Transient)
    {
        // It says nothing of the transaction: another endpoint is asked.
        return None;
    } else {
        Refused::Final
    };
    Some(Sent::Refused(kind, Reason::of(error.message.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_they_are_about() {
        let said = |message: &str| {
            handed(&RpcError { code: -32000, message: message.to_owned(), ..RpcError::default() })
        };
        let sent = |kind, words: &str| Some(Sent::Refused(kind, Reason::of(words)));
        for known in
            ["already known", "transaction already imported", "known transaction: 0xaa", "AlreadyKnown"]
        {
            assert_eq!(said(known), Some(Sent::Taken), "{known}");
        }
        for used in ["nonce too low: next nonce 5, tx nonce 4", "nonce is too low", "OldNonce"] {
            assert_eq!(said(used), sent(Refused::Number, used), "{used}");
        }
        for refused in ["insufficient funds for gas * price + value", "replacement transaction underpriced"] {
            assert_eq!(said(refused), sent(Refused::Final, refused), "{refused}");
        }
        for passing in ["too many requests", "we are over capacity, please come back", "txpool is full"] {
            assert_eq!(said(passing), None, "{passing}");
        }
        for code in NO_METHOD {
            let message = "the method does not exist".to_owned();
            assert_eq!(handed(&RpcError { code, message, ..RpcError::default() }), None, "{code}");
        }
    }
}
