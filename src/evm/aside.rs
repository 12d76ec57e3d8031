//! Beside a view: the same block at another endpoint, for a second opinion.

use super::chain::Chain;
use super::fault::Fault;
use super::peer::Patience;
use super::pin::{by_number, header};
use super::view::PinnedView;
use super::wire::{self, BY_NUMBER};
use net::jsonrpc::Call;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl PinnedView {
    /// Tells the operator of something that was made good.
    pub fn warn(&self, text: String) {
        Chain::of(Arc::clone(&self.chain)).warn(text);
    }

    /// The same block at the `turn`-th (from 0) of the other endpoints, or at the next one after it that serves that block;
    /// none where there is none. What fails there is no fault of this view.
    pub async fn elsewhere(&self, turn: usize) -> Option<Self> {
        let peers = &self.chain.peers;
        let own = peers.iter().position(|peer| Arc::ptr_eq(peer, &self.peer))?;
        let others = peers.iter().skip(own + 1).chain(peers.iter().take(own));
        let others: Vec<_> = others.filter(|peer| !peer.is_resting()).skip(turn).collect();
        for peer in others {
            let other = Self::new(Arc::clone(&self.chain), Arc::clone(peer), self.pin);
            match other.has_pin().await {
                Ok(()) => return Some(other),
                Err(why) => {
                    self.warn(format!("endpoint {:?} gave no second opinion: {why}", peer.name()));
                    peer.rest();
                }
            }
        }
        None
    }

    /// Whether the endpoint is on the pinned chain and has the view's block; asked once, since another will do.
    async fn has_pin(&self) -> Result<(), String> {
        let pin = self.pin.block;
        let check = !self.peer.checked.load(Ordering::Relaxed);
        let mut calls =
            vec![Call::new("eth_getBlockByHash", json!([pin.hash, false])), by_number(wire::hex(pin.number))];
        calls.extend(check.then(|| Call::new("eth_chainId", json!([]))));
        let words = |fault: Fault| fault.cleaned(self.peer.redactor()).words();
        let mut answers = self.peer.ask(&calls, Patience::Once).await.map_err(words)?.into_iter();
        let by_hash = header("eth_getBlockByHash", answers.next()).map_err(words)?;
        let canonical = header(BY_NUMBER, answers.next()).map_err(words)?;
        if check {
            Chain::of(Arc::clone(&self.chain))
                .check_chain(&self.peer, answers.next())
                .map_err(String::from)?;
        }
        match (by_hash, canonical) {
            (Some(a), Some(b)) if a.hash == pin.hash && b.hash == pin.hash => Ok(()),
            _ => Err(Fault::UnknownBlock { number: pin.number }.words()),
        }
    }
}
