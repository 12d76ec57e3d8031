//! How a view begins at an endpoint: whether it is on the pinned chain, and which block it has.

use super::config::{At, ChainConfig, ChosenBy};
use super::fault::{Fault, speaks_of_a_tag};
use super::peer::{Inner, Peer, Pin, by_number, header, is_there, looks, value};
use super::view::PinnedView;
use super::wire::{self, BY_NUMBER, BlockRef};
use base::{Code, Error, say};
use net::asker::Patience;
use net::jsonrpc::{Answer, Call};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl PinnedView {
    /// Tells the operator of something that was made good.
    pub fn warn(&self, text: String) {
        self.chain.warnings.add(text);
    }

    /// Whether there is no other endpoint.
    pub(super) fn is_alone(&self) -> bool {
        self.chain.peers.len() < 2
    }

    /// The same block at the `turn`-th (from 0) of the other endpoints, or at the next one after it that serves that block;
    /// none where there is none. What fails there is no fault of this view.
    pub async fn elsewhere(&self, turn: usize) -> Option<Self> {
        let peers = &self.chain.peers;
        let own = peers.iter().position(|peer| Arc::ptr_eq(peer, &self.peer))?;
        let others = peers.iter().skip(own + 1).chain(peers.iter().take(own));
        let others: Vec<_> = others.filter(|peer| !peer.asker.is_resting()).skip(turn).collect();
        for peer in others {
            // Asked once, since another will do.
            match self.chain.open(peer, self.pin.at, Some(self.pin), Patience::Once).await {
                Ok(pin) => return Some(Self::new(Arc::clone(&self.chain), Arc::clone(peer), pin)),
                Err(fault) => {
                    let (code, name) = (fault.code(), peer.name());
                    let why = fault.cleaned(peer.asker.redactor()).words();
                    let told = format!("endpoint {name:?} gave no second opinion: {why}");
                    self.chain.warnings.failed(name, code, told);
                    peer.asker.rest();
                }
            }
        }
        None
    }
}

impl Inner {
    /// Checks the endpoint against the pin and finds the block, in one HTTP request where the server takes batches.
    pub async fn open(
        &self,
        peer: &Peer,
        at: At,
        pin: Option<Pin>,
        patience: Patience,
    ) -> Result<Pin, Fault> {
        let check = !peer.checked.load(Ordering::Relaxed);
        let mut calls = Vec::with_capacity(4);
        if check {
            calls.push(Call::new("eth_chainId", json!([])));
        }
        if let Some(pin) = pin {
            calls.extend(looks(pin.block));
        } else {
            let own = match at {
                At::Safe => Some("safe".into()),
                At::Number(n) => Some(wire::hex(n)),
                At::Finalized | At::Latest => None,
            };
            calls.extend(own.into_iter().chain(["finalized".into(), "latest".into()]).map(by_number));
        }
        let mut answers = peer.asker.ask(&calls, patience).await?.into_iter();
        if check {
            self.check_chain(peer, answers.next())?;
        }
        match pin {
            Some(pin) if is_there(pin.block, &mut answers)? => Ok(pin),
            Some(pin) => Err(Fault::UnknownBlock { number: pin.block.number }),
            None => self.choose(peer, at, answers).await,
        }
    }

    fn check_chain(&self, peer: &Peer, answer: Option<Answer>) -> Result<(), Fault> {
        let id = value("eth_chainId", answer, wire::quantity)?;
        let ChainConfig { chain_id, profile, .. } = &self.config;
        if id != *chain_id {
            let why =
                format!("endpoint {:?} is on chain {id}, profile {profile:?} pins {chain_id}", peer.name());
            return Err(Fault::Final(
                Error::new(Code::WrongNetwork, why)
                    .hint(say("correct evm.rpc_urls of the profile, or choose another ").with("profile"))
                    .detail("endpoint", peer.name())
                    .detail("endpoint_chain_id", id.to_string())
                    .detail("pinned_chain_id", chain_id.to_string()),
            ));
        }
        peer.checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn choose(
        &self,
        peer: &Peer,
        at: At,
        mut answers: impl Iterator<Item = Answer>,
    ) -> Result<Pin, Fault> {
        let own = if matches!(at, At::Safe | At::Number(_)) { answers.next() } else { None };
        let finalized = self.tagged("finalized", answers.next())?;
        let latest = header(answers.next())?.ok_or_else(|| Fault::bad(BY_NUMBER, "no latest block"))?;
        let block = match at {
            At::Latest => Some(latest),
            At::Finalized => finalized,
            At::Safe => self.tagged("safe", own)?,
            At::Number(number) if number > latest.number => {
                return Err(Fault::NoBlock { number, latest: latest.number });
            }
            At::Number(number) => match header(own)? {
                Some(block) if block.number == number => Some(block),
                _ => return Err(Fault::UnknownBlock { number }),
            },
        };
        let confirmations = self.config.confirmations;
        let by = |found: Option<BlockRef>| {
            found.map_or(ChosenBy::Confirmations(confirmations), |_| ChosenBy::Chain)
        };
        let (chosen, finality_by) = (by(block), by(finalized));
        // Only a chain without the tags costs this second request.
        let counted = if block.is_none() || finalized.is_none() {
            let number = latest.number.saturating_sub(confirmations);
            let got =
                peer.asker.ask(&[by_number(wire::hex(number))], Patience::Retry).await?.into_iter().next();
            let found = header(got)?.filter(|found| found.number == number);
            found.ok_or(Fault::UnknownBlock { number })?
        } else {
            latest
        };
        let (block, last) = (block.unwrap_or(counted), finalized.unwrap_or(counted));
        let finality = if last.number < block.number { last } else { block };
        Ok(Pin { at, block, chosen, finality, finality_by })
    }

    /// The header of a tag. None where the chain was never seen to have it, and no endpoint says that it has; on a
    /// chain that has shown it once, its absence is the endpoint's fault, as is any failure anywhere.
    fn tagged(&self, tag: &'static str, answer: Option<Answer>) -> Result<Option<BlockRef>, Fault> {
        let (words, absent) = match answer {
            Some(Err(error)) => (error.to_string(), speaks_of_a_tag(&error)),
            answer => match header(answer)? {
                Some(block) => {
                    self.tags().insert(tag.to_owned());
                    return Ok(Some(block));
                }
                None => ("null".to_owned(), true),
            },
        };
        let absent = absent && !self.tags().contains(tag);
        if absent && self.counts.load(Ordering::Relaxed) {
            return Ok(None);
        }
        Err(Fault::NoTag { tag, words, absent })
    }
}
