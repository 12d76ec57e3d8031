//! Stellar as the outbox asks it: what its sequence numbers, ledgers and time bounds say of an envelope.

use super::polls::only;
use super::prepare::{Priced, StellarNetwork, read_sequence};
use super::{Intent, Settled, Stellar};
use crate::Client;
use crate::diagnostics::Raised;
use crate::replies::{Lookup, Sent};
use crate::results::{Kind, failure};
use crate::transaction::{Signers, sign};
use base::{Code, Error, Result};
use outbox::{Block, Network, Past, Prepared, Refused, Signed, Validity};

type Envelope = outbox::Envelope<Stellar>;
type Fate = outbox::Fate<Stellar>;

impl StellarNetwork {
    /// Whether another transaction used the envelope's sequence number: the account has moved on, and a server that
    /// knows the ledger in which it did does not know the envelope.
    async fn is_superseded(&self, envelope: &Envelope) -> bool {
        let Some((ledger, sequence)) = self.last_used(envelope).await else { return false };
        if sequence < envelope.stored.number {
            return false;
        }
        let lookup = self.polls.lookup(&envelope.hash).await;
        lookup.is_ok_and(|lookup| lookup.found.is_none() && lookup.latest.sequence >= ledger)
    }

    /// The sequence number that the envelope's account used last, and as of which ledger.
    async fn last_used(&self, envelope: &Envelope) -> Option<(u32, u64)> {
        let source = &envelope.stored.source;
        let read = self.client.known(async |view| read_sequence(view, source).await).await;
        let (ledger, sequence) = read.ok()?;
        Some((ledger, u64::try_from(sequence?).ok()?))
    }
}

impl Network for StellarNetwork {
    type Chain = Stellar;
    type Draft = Box<Priced>;

    fn newest(&self) -> Option<Block> {
        let seen = self.client.seen()?;
        Some(Block { number: u64::from(seen.sequence), time: seen.close_time })
    }

    async fn open(&mut self, intents: &[&Intent], past: Past) -> Result<()> {
        self.usual = past;
        self.read(intents.iter().map(|intent| &intent.source)).await
    }

    async fn prepare(&self, intent: &Intent, attempt: u32, than: Option<&str>) -> Result<Prepared<Self>> {
        self.compose(intent, attempt, than).await
    }

    fn sign(&self, intent: &Intent, draft: Box<Priced>, signers: &dyn Signers) -> Result<Signed> {
        let Priced { transaction, max_fee, .. } = *draft;
        let payer = self.payer(&intent.source);
        sign(transaction, &intent.action, max_fee, payer, self.client.network_id(), signers)
    }

    async fn send(&self, envelope: &Envelope, tried: impl Fn(&str)) -> Result<outbox::Sent<Stellar>> {
        let sent = self.client.known(async |view| {
            tried(view.endpoint());
            view.send(&envelope.text, &envelope.hash).await
        });
        Ok(match sent.await? {
            Sent::Pending | Sent::Duplicate => outbox::Sent::Taken,
            Sent::TryAgainLater => outbox::Sent::Later,
            Sent::Refused(result) => {
                let failure = failure(&result);
                let kind = match failure.kind {
                    Kind::BadSequence => Refused::Number,
                    Kind::TooEarly => Refused::Early,
                    _ => Refused::Final,
                };
                outbox::Sent::Refused(kind, failure.into())
            }
        })
    }

    async fn look(&self, envelope: &Envelope, refused: bool) -> Result<Option<Fate>> {
        let lookup = self.polls.lookup(&envelope.hash).await?;
        if let Some(landed) = lookup.found {
            return Ok(Some(Fate::Landed(Box::new(landed.into()))));
        }
        let validity = validity(envelope)?;
        let reaches_back = lookup.oldest.close_time <= validity.from;
        if lookup.latest.close_time > validity.until {
            if reaches_back {
                return Ok(Some(Fate::Expired));
            }
            // Past the number, it can never land, or has landed; below it, it did neither.
            if envelope.told
                && let Some((_, sequence)) = self.last_used(envelope).await
            {
                let is_unused = sequence < envelope.stored.number;
                return Ok(Some(if is_unused { Fate::Expired } else { Fate::Forgotten }));
            }
            return Err(self.out_of_sight());
        }
        let is_superseded = refused && reaches_back && self.is_superseded(envelope).await;
        let words = "another transaction used its sequence number";
        Ok(is_superseded.then(|| Fate::Superseded(words.to_owned())))
    }

    async fn look_everywhere(&self, envelope: &Envelope) -> Result<Option<Fate>> {
        let lookup = everywhere(&self.client, &envelope.hash).await?;
        let validity = validity(envelope)?;
        Ok(match lookup.found {
            Some(landed) => Some(Fate::Landed(Box::new(landed.into()))),
            None if lookup.latest.close_time <= validity.until => None,
            None if lookup.oldest.close_time <= validity.from => Some(Fate::Expired),
            None => Some(Fate::Forgotten),
        })
    }

    fn out_of_sight(&self) -> Error {
        Error::new(Code::Behind, "the endpoint does not keep ledgers from before the transaction was signed")
            .hint("put an endpoint with a longer history first in stellar.rpc_urls")
    }

    async fn attend(&self) {
        self.polls.run(&self.client).await;
    }

    fn learn(&self, envelope: &Envelope, fate: &Fate) {
        let source = &envelope.stored.source;
        match (fate, i64::try_from(envelope.stored.number)) {
            (Fate::Landed(_), Ok(sequence)) => self.used(source, sequence),
            _ => self.forget(source),
        }
        if let Fate::Refused(reason) = fate
            && reason.why.is(Kind::InclusionFee)
        {
            self.forget_fees();
        }
    }

    fn again(&self, fate: &Fate) -> Option<String> {
        match fate {
            Fate::Landed(landed) => {
                let reason = landed.failure.as_ref()?;
                let why = reason.why.failure.as_ref()?;
                let is_limit = reason.why.raised.as_ref().is_none_or(Raised::is_limit);
                let helps = why.kind == Kind::Resources || why.kind == Kind::Trapped && is_limit;
                helps.then(|| why.words.clone())
            }
            Fate::Refused(reason) => {
                let helps = reason.why.is(Kind::Resources) || reason.why.is(Kind::InclusionFee);
                helps.then(|| reason.words.clone())
            }
            Fate::Superseded(words) => Some(words.clone()),
            Fate::Expired | Fate::Forgotten => None,
        }
    }

    /// Whether it was the cap that kept the transaction out.
    fn complaint(&self, intent: &Intent, settled: &Settled) -> Option<Error> {
        let cap = self.options.max_inclusion_fee;
        settled.reason.as_ref()?.why.is(Kind::InclusionFee).then(|| {
            let why = format!(
                "operation \"{}\": inclusion costs more than the {cap} stroops that may be offered",
                intent.key
            );
            Error::new(Code::FeeCapped, why)
                .hint("try again when the network is less busy, or raise stellar.max_inclusion_fee")
        })
    }
}

/// What an endpoint says that has the transaction; where none has, the one that remembers most.
async fn everywhere(client: &Client, hash: &str) -> Result<Lookup> {
    let hashes = [hash.to_owned()];
    let asked = client.each(async |view| only(view.transactions(&hashes).await?));
    let (mut absent, mut failed): (Option<Lookup>, Option<Error>) = (None, None);
    for answer in asked.await {
        match answer {
            Ok(lookup) if lookup.found.is_some() => return Ok(lookup),
            Ok(lookup) => {
                let remembers = |one: &Lookup| one.oldest.close_time;
                if absent.as_ref().is_none_or(|before| remembers(&lookup) < remembers(before)) {
                    absent = Some(lookup);
                }
            }
            Err(error) => failed = Some(error),
        }
    }
    let failed = || failed.unwrap_or_else(|| Error::new(Code::BadReply, "getTransaction: no answer"));
    absent.ok_or_else(|| failed().context("nobody could be asked what became of it"))
}

fn validity(envelope: &Envelope) -> Result<Validity> {
    envelope.stored.validity.ok_or_else(|| Error::new(Code::Bug, "a transaction without time bounds"))
}
