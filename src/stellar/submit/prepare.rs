//! From an intent to a transaction ready for its signatures: the account's sequence number, the simulation, the fee; and what a
//! dry run shows of that.

use super::polls::Polls;
use super::{Intent, RESTORE, Reason, Settled, SubmitOptions, Why, resources};
use crate::replies::{FeeStats, Refusal, Simulated};
use crate::transaction::{Action, assemble, draft, price, unsigned};
use crate::xdr::{
    AccountId, LedgerEntryData, LedgerKey, LedgerKeyAccount, ScVal, SorobanTransactionData, Transaction,
};
use crate::{Client, View, is_of_endpoints};
use base::{Code, Error, Result};
use futures_util::future::try_join;
use futures_util::stream::{StreamExt, iter};
use outbox::{Past, Validity};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// How much earlier than the newest ledger a transaction becomes valid, in seconds: a server that is a ledger or two
/// behind must not refuse it. It also says from when on an endpoint must know the past to tell that it never landed.
const BACKDATE: u64 = 10;
/// The network's least fee for an operation, in stroops.
const LEAST_FEE: u64 = 100;

/// The network, with the terms on which transactions are offered, and what is known of it while they are.
pub struct StellarNetwork {
    pub(super) client: Client,
    pub(super) options: SubmitOptions,
    /// What calls have cost before, in stroops.
    pub(super) usual: Past,
    fees: RefCell<Option<FeeStats>>,
    /// The last sequence number used by each account; none where the account does not exist.
    sequences: RefCell<BTreeMap<AccountId, Option<i64>>>,
    pub(super) polls: Polls,
}

/// A transaction ready for its signatures.
pub struct Priced {
    pub(super) transaction: Transaction,
    /// The most that it can cost, in stroops.
    pub(super) max_fee: i64,
    /// What its contract call would return.
    pub(super) value: Option<ScVal>,
}

type Prepared = outbox::Prepared<StellarNetwork>;

impl StellarNetwork {
    /// Of this client, on these terms.
    pub fn new(client: &Client, options: SubmitOptions) -> Self {
        Self {
            client: client.clone(),
            options,
            usual: Past::new(),
            fees: RefCell::default(),
            sequences: RefCell::default(),
            polls: Polls::default(),
        }
    }

    /// Reads the newest ledger, the fees and all accounts at once.
    pub(super) async fn read(&self, sources: impl Iterator<Item = &AccountId> + Clone) -> Result<()> {
        self.client
            .view(async |view| {
                let keys = sources.clone().map(account_key);
                let (entries, fees) = try_join(view.entries(keys), view.fee_stats()).await?;
                let mut sequences = self.sequences.borrow_mut();
                for source in sources.clone() {
                    let found = entries.get(&account_key(source)).and_then(|e| sequence_of(&e.data));
                    sequences.insert(source.clone(), found);
                }
                *self.fees.borrow_mut() = Some(fees);
                Ok(())
            })
            .await
    }

    /// The account's sequence number is not what it was.
    pub(super) fn forget(&self, account: &AccountId) {
        self.sequences.borrow_mut().remove(account);
    }

    /// The account's last sequence number is this one now.
    pub(super) fn used(&self, account: &AccountId, sequence: i64) {
        self.sequences.borrow_mut().insert(account.clone(), Some(sequence));
    }

    /// Fees are not what they were.
    pub(super) fn forget_fees(&self) {
        *self.fees.borrow_mut() = None;
    }

    /// What is offered for each operation, in stroops, and whether the cap kept it below what others pay.
    fn inclusion(&self, is_contract: bool) -> Option<(u32, bool)> {
        let fees = self.fees.borrow();
        let fees = fees.as_ref()?;
        let paid = if is_contract { &fees.soroban } else { &fees.classic };
        let wanted = paid.at(self.options.percentile).max(LEAST_FEE);
        let cap = u64::from(self.options.max_inclusion_fee);
        Some((u32::try_from(wanted.min(cap)).unwrap_or(u32::MAX), wanted > cap))
    }

    /// Who pays for this source's transactions, if not itself.
    pub(super) fn payer(&self, source: &AccountId) -> Option<&AccountId> {
        self.options.payer.as_ref().filter(|payer| *payer != source && !self.options.own.contains(source))
    }

    /// As [`outbox::Network::prepare`].
    pub(super) async fn compose(
        &self,
        intent: &Intent,
        attempt: u32,
        than: Option<&str>,
    ) -> Result<Prepared> {
        let dear = Cell::new(0);
        if let Some(than) = than {
            let other = async |view: &View| self.compose_at(view, intent, attempt, &dear).await;
            match self.client.elsewhere(than, other).await {
                Some(Err(e)) if is_of_endpoints(e.code()) => {}
                Some(prepared) => return prepared,
                None => {}
            }
        }
        self.client.known(async |view| self.compose_at(view, intent, attempt, &dear).await).await
    }

    /// `dear` counts the endpoints that asked for far more than usual.
    async fn compose_at(
        &self,
        view: &View,
        intent: &Intent,
        attempt: u32,
        dear: &Cell<usize>,
    ) -> Result<Prepared> {
        let Some(sequence) = self.sequence(view, &intent.source).await? else {
            let words = format!("the account {} does not exist", intent.source);
            return Ok(Prepared::Refused(Box::new(Settled::refused(Reason::of(words)))));
        };
        let now = self.client.seen().unwrap_or(view.ledger()).close_time;
        let until = now.saturating_add(self.options.valid_sec).min(intent.valid_until.unwrap_or(u64::MAX));
        if until <= now {
            return Ok(Prepared::Refused(Box::new(Settled::too_late(until, now))));
        }
        let validity = Validity { from: now.saturating_sub(BACKDATE + u64::from(attempt)), until };
        let mut transaction = draft(&intent.action, &intent.source, sequence + 1, validity)?;
        let mut value = None;
        if intent.action.is_contract() {
            match self.try_out(view, &intent.action, &transaction).await? {
                Err(refusal) => {
                    let words = format!("the simulation fails: {}", refusal.words);
                    let reason = Reason { words, why: Why { raised: refusal.raised, failure: None } };
                    return Ok(Prepared::Refused(Box::new(Settled::refused(reason))));
                }
                Ok(Simulated { restore: Some(data), .. }) => return Ok(self.restore(intent, data)),
                Ok(Simulated { value: None, .. }) if matches!(intent.action, Action::Invoke { .. }) => {
                    let why = "simulateTransaction: a call that succeeds without returning anything";
                    return Err(Error::new(Code::BadReply, why));
                }
                Ok(found) => {
                    transaction = assemble(transaction, &found, self.options.resource_margin)?;
                    if let Some(error) = resources::check(intent, &transaction, &self.options, &self.usual)? {
                        dear.set(dear.get() + 1);
                        if dear.get() < self.client.endpoints() {
                            return Err(error);
                        }
                        self.client.warn(format!("{}: nobody asks for less", error.message()));
                    }
                    value = found.value;
                }
            }
        }
        if self.fees.borrow().is_none() {
            let fees = view.fee_stats().await?;
            *self.fees.borrow_mut() = Some(fees);
        }
        let (inclusion, capped) = self.inclusion(intent.action.is_contract()).unwrap_or_default();
        if capped {
            self.client.warn(format!(
                "fee_capped: inclusion costs more than stellar.max_inclusion_fee allows to offer; {inclusion} stroops are offered"
            ));
        }
        let max_fee = price(&mut transaction, inclusion, self.payer(&intent.source).is_some())?;
        let endpoint = view.endpoint().to_owned();
        Ok(Prepared::Ready { draft: Box::new(Priced { transaction, max_fee, value }), endpoint })
    }

    /// Archived entries must be restored first, as an operation of its own.
    fn restore(&self, intent: &Intent, data: SorobanTransactionData) -> Prepared {
        let ledger = self.client.seen().map_or(0, |ledger| ledger.sequence);
        let key = format!("{RESTORE}:{ledger}:{}", intent.key);
        let plan = serde_json::json!({ "for": intent.key });
        let first = Intent { key, kind: RESTORE, plan, action: Action::Restore { data }, ..intent.clone() };
        Prepared::First {
            intent: Box::new(first),
            failed: format!("archived entries for \"{}\" cannot be restored", intent.key),
            again: "entries that it needs are archived, though they were just restored",
        }
    }

    async fn try_out(
        &self,
        view: &View,
        action: &Action,
        transaction: &Transaction,
    ) -> Result<Result<Simulated, Refusal>> {
        if let Action::Restore { data } = action {
            // A simulation has just said what it takes.
            let (data, auth) = (data.clone(), Vec::new());
            return Ok(Ok(Simulated { data, auth, value: None, restore: None }));
        }
        Ok(view.simulate(&unsigned(transaction.clone())).await?.outcome)
    }

    async fn sequence(&self, view: &View, account: &AccountId) -> Result<Option<i64>> {
        if let Some(known) = self.sequences.borrow().get(account) {
            return Ok(*known);
        }
        let (_, found) = read_sequence(view, account).await?;
        self.sequences.borrow_mut().insert(account.clone(), found);
        Ok(found)
    }
}

/// An intent as it would go now: what a dry run shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// The most that it would cost, in stroops; not known while archived entries keep it from being tried.
    pub max_fee: Option<i64>,
    /// What its contract call would return.
    pub value: Option<ScVal>,
    /// Archived entries would be restored first, for this much in stroops beside.
    pub restore_fee: Option<i64>,
}

/// Simulates the intents without signing, sending or writing anything.
///
/// # Errors
/// Of the whole: no endpoint serves. Of one: `transaction_failed` where the simulation fails.
pub async fn rehearse(
    client: &Client,
    options: &SubmitOptions,
    intents: &[Intent],
) -> Result<Vec<Result<Rehearsal>>> {
    let network = StellarNetwork::new(client, options.clone());
    network.read(intents.iter().map(|intent| &intent.source)).await?;
    let rehearsals = iter(intents).map(|intent| rehearse_one(&network, intent));
    Ok(rehearsals.buffered(options.pace.parallel.max(1)).collect().await)
}

async fn rehearse_one(network: &StellarNetwork, intent: &Intent) -> Result<Rehearsal> {
    match network.compose(intent, 1, None).await? {
        Prepared::Ready { draft, .. } => {
            Ok(Rehearsal { max_fee: Some(draft.max_fee), value: draft.value, restore_fee: None })
        }
        Prepared::First { intent: first, .. } => Ok(match first.action {
            Action::Restore { data } => {
                Rehearsal { restore_fee: Some(data.resource_fee), ..Rehearsal::default() }
            }
            _ => Rehearsal::default(),
        }),
        Prepared::Refused(settled) => {
            let reason = settled.reason.unwrap_or_else(|| Reason::of("no reason is known"));
            Err(reason.to_error(&format!("operation \"{}\"", intent.key)))
        }
    }
}

/// An account's last sequence number, none where it does not exist; and as of which ledger.
pub(super) async fn read_sequence(view: &View, account: &AccountId) -> Result<(u32, Option<i64>)> {
    let key = account_key(account);
    let entries = view.entries([key.clone()]).await?;
    Ok((entries.ledger, entries.get(&key).and_then(|entry| sequence_of(&entry.data))))
}

fn sequence_of(entry: &LedgerEntryData) -> Option<i64> {
    match entry {
        LedgerEntryData::Account(account) => Some(account.seq_num.0),
        _ => None,
    }
}

fn account_key(account: &AccountId) -> LedgerKey {
    LedgerKey::Account(LedgerKeyAccount { account_id: account.clone() })
}
