//! The chain: transactions wait in a queue, a ledger closes over them, and what happened is kept.

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest, Sha256};
use stellar_xdr::{
    AccountId, Hash, LedgerHeader, LedgerHeaderExt, Limits, StellarValue, StellarValueExt, TimePoint,
    TransactionEnvelope, TransactionResult, TransactionResultPair, TransactionResultSet, VecM, WriteXdr,
};

use super::account;
use super::apply::{self, Executed, Run};
use super::entries::{Base, Entries};
use super::host::{Machine, PROTOCOL};
use super::settings::{self, BASE_FEE, BASE_RESERVE};
use super::transaction::{At, Parsed};
use crate::{Error, Result};

/// Ledgers back that a stale answer can reach.
const KEPT_VIEWS: usize = 64;
/// Ledgers between two searches for expired temporary entries.
const EVICTION_PERIOD: u32 = 4_096;
/// All lumens there are, in stroops.
const TOTAL_COINS: i64 = 1_000_000_000_000_000_000;

/// A closed ledger.
#[derive(Clone, Debug)]
pub(crate) struct Closed {
    pub(crate) sequence: u32,
    /// Close time in seconds.
    pub(crate) time: u64,
    pub(crate) hash: Hash,
    pub(crate) header: LedgerHeader,
    /// Where its transactions are in [`Chain::records`].
    pub(crate) records: std::ops::Range<usize>,
}

/// A transaction in a closed ledger.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) parsed: Parsed,
    pub(crate) executed: Executed,
    pub(crate) ledger: u32,
    /// Close time in seconds.
    pub(crate) time: u64,
    /// Place in the ledger, from 1.
    pub(crate) order: u32,
    /// What was paid to be included, for each operation, in stroops.
    pub(crate) inclusion_fee: i64,
}

/// What became of a submission.
#[derive(Debug)]
pub(crate) enum Submission {
    /// It waits for the next ledger.
    Pending,
    /// It was waiting already.
    Duplicate,
    /// The account has another one waiting.
    TryAgainLater,
    /// It cannot enter a ledger.
    Refused(Box<TransactionResult>),
}

/// The state as it was after a ledger; cheap to clone and to keep.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) sequence: u32,
    /// Close time in seconds.
    pub(crate) time: u64,
    pub(crate) base: Base,
}

/// The chain and its history. A clone goes its own way from where it was made.
#[derive(Clone)]
pub(crate) struct Chain {
    pub(crate) passphrase: String,
    pub(crate) network_id: [u8; 32],
    pub(crate) machine: std::sync::Arc<Machine>,
    base: Base,
    ledgers: Vec<Closed>,
    records: Vec<Record>,
    by_hash: BTreeMap<[u8; 32], usize>,
    queue: Vec<Parsed>,
    views: VecDeque<View>,
    draws: u64,
    /// Seconds that a ledger takes when nothing else is said.
    pub(crate) ledger_seconds: u64,
    /// What inclusion costs an operation now, in stroops: the network's least, or more while it is said to be busy.
    pub(crate) base_fee: i64,
}

impl Chain {
    /// A chain whose first ledger has this number and close time, with the root account holding all lumens.
    pub(crate) fn new(
        passphrase: &str,
        sequence: u32,
        time: u64,
        ledger_seconds: u64,
        root: &AccountId,
    ) -> Result<Self> {
        let network_id: [u8; 32] = Sha256::digest(passphrase).into();
        let mut entries = Entries::new(Base::default(), sequence);
        for entry in settings::entries()? {
            entries.put(entry, None);
        }
        account::store(&mut entries, account::fresh(root, TOTAL_COINS, 0));
        let base = entries.base().clone();
        let machine = std::sync::Arc::new(Machine::new(&base, network_id)?);
        let mut chain = Self {
            passphrase: passphrase.to_owned(),
            network_id,
            machine,
            base,
            ledgers: Vec::new(),
            records: Vec::new(),
            by_hash: BTreeMap::new(),
            queue: Vec::new(),
            views: VecDeque::new(),
            draws: 0,
            ledger_seconds,
            base_fee: i64::from(BASE_FEE),
        };
        chain.seal(sequence, time, 0..0, &[])?;
        Ok(chain)
    }

    /// The newest ledger.
    pub(crate) fn latest(&self) -> Result<&Closed> {
        self.ledgers.last().ok_or_else(|| Error::new("the chain has no ledger"))
    }

    /// The oldest ledger.
    pub(crate) fn oldest(&self) -> Result<&Closed> {
        self.ledgers.first().ok_or_else(|| Error::new("the chain has no ledger"))
    }

    /// A ledger by its number.
    pub(crate) fn ledger(&self, sequence: u32) -> Option<&Closed> {
        let first = self.ledgers.first()?.sequence;
        self.ledgers.get(usize::try_from(sequence.checked_sub(first)?).ok()?)
    }

    /// The transactions of a closed ledger, in their order.
    pub(crate) fn records_of(&self, ledger: &Closed) -> &[Record] {
        self.records.get(ledger.records.clone()).unwrap_or_default()
    }

    /// A transaction by its hash, or by the hash inside its fee-bump.
    pub(crate) fn record(&self, hash: &[u8; 32]) -> Option<&Record> {
        self.records.get(*self.by_hash.get(hash)?)
    }

    /// The state after the newest ledger, or after one this many ledgers back, as far as they are kept.
    pub(crate) fn view(&self, back: u32) -> Result<View> {
        let back = usize::try_from(back).unwrap_or(usize::MAX).min(self.views.len());
        if let Some(view) = self.views.len().checked_sub(back).and_then(|place| self.views.get(place)) {
            return Ok(view.clone());
        }
        let latest = self.latest()?;
        Ok(View { sequence: latest.sequence, time: latest.time, base: self.base.clone() })
    }

    /// A fresh random seed. It must never repeat: the nonces of recorded authorisations come from it.
    pub(crate) fn draw_seed(&mut self) -> [u8; 32] {
        self.draws += 1;
        let mut hasher = Sha256::new();
        hasher.update(self.network_id);
        hasher.update(self.draws.to_be_bytes());
        hasher.finalize().into()
    }

    /// Changes entries outside of any ledger, as a benefactor of the sandbox does.
    pub(crate) fn edit<T>(&mut self, change: impl FnOnce(&mut Entries) -> T) -> Result<T> {
        let sequence = self.latest()?.sequence;
        let mut entries = Entries::new(self.base.clone(), sequence);
        let result = change(&mut entries);
        self.base = entries.base().clone();
        Ok(result)
    }

    /// Transactions that wait for the next ledger.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Takes a transaction into the queue, or says why not.
    pub(crate) fn submit(&mut self, envelope: TransactionEnvelope) -> Result<([u8; 32], Submission)> {
        let parsed = Parsed::new(envelope, self.network_id, self.base_fee)?;
        let hash = parsed.hash;
        if self.queue.iter().any(|waiting| waiting.hash == hash) {
            return Ok((hash, Submission::Duplicate));
        }
        let source = parsed.source();
        if self.queue.iter().any(|waiting| waiting.source() == source) {
            return Ok((hash, Submission::TryAgainLater));
        }
        let latest = self.latest()?;
        let at = At { sequence: latest.sequence.saturating_add(1), time: latest.time };
        let entries = Entries::new(self.base.clone(), at.sequence);
        if let Err(refusal) = parsed.check(&entries, &self.machine, at) {
            return Ok((hash, Submission::Refused(Box::new(refusal))));
        }
        self.queue.push(parsed);
        Ok((hash, Submission::Pending))
    }

    /// Closes a ledger over the queue, this many seconds after the last. A transaction that has become invalid while
    /// it waited is dropped without a trace, as on the network.
    pub(crate) fn close(&mut self, seconds: u64) -> Result<u32> {
        let latest = self.latest()?;
        let sequence = latest.sequence.checked_add(1).ok_or_else(|| Error::new("ledger number overflows"))?;
        let at = At { sequence, time: latest.time.saturating_add(seconds) };
        let view = View { sequence: latest.sequence, time: latest.time, base: self.base.clone() };

        let mut entries = Entries::new(self.base.clone(), sequence);
        let mut accepted = Vec::new();
        for parsed in std::mem::take(&mut self.queue) {
            if parsed.check(&entries, &self.machine, at).is_ok() {
                let fee_changes = apply::take_fee(&mut entries, &parsed)?;
                accepted.push((parsed, fee_changes));
            }
        }
        let mut pairs = Vec::new();
        let mut records = Vec::new();
        for (order, (parsed, fee_changes)) in (1..).zip(accepted) {
            let seed = self.draw_seed();
            // A failure of the sandbox itself must not take the whole ledger with it.
            entries.begin();
            let ran = Run::new(&mut entries, &self.machine, at, &parsed, seed).finish();
            let mut executed = if let Ok(executed) = ran {
                entries.commit();
                executed
            } else {
                entries.rollback_to(0);
                Executed::internal_error(&parsed)
            };
            executed.fee_changes = fee_changes;
            pairs.push(TransactionResultPair {
                transaction_hash: Hash(parsed.hash),
                result: executed.result.clone(),
            });
            let inclusion_fee = parsed.base_fee;
            records.push(Record { parsed, executed, ledger: sequence, time: at.time, order, inclusion_fee });
        }
        self.base = entries.base().clone();
        drop(entries);
        self.views.push_back(view);
        if self.views.len() > KEPT_VIEWS {
            self.views.pop_front();
        }
        if sequence.is_multiple_of(EVICTION_PERIOD) {
            self.base.evict(sequence);
        }
        let first = self.records.len();
        for record in records {
            let place = self.records.len();
            self.by_hash.insert(record.parsed.inner_hash, place);
            self.by_hash.insert(record.parsed.hash, place);
            self.records.push(record);
        }
        self.seal(sequence, at.time, first..self.records.len(), &pairs)?;
        Ok(sequence)
    }

    /// Makes the header of a ledger and appends it.
    fn seal(
        &mut self,
        sequence: u32,
        time: u64,
        records: std::ops::Range<usize>,
        pairs: &[TransactionResultPair],
    ) -> Result<()> {
        let results = TransactionResultSet { results: VecM::try_from(pairs.to_vec())? };
        let hashes: Vec<u8> = pairs.iter().flat_map(|pair| pair.transaction_hash.0).collect();
        let previous = self.ledgers.last();
        let mut state = Sha256::new();
        // Stands for the hash of all entries, which the sandbox has no bucket list to take.
        state.update(previous.map_or([0; 32], |ledger| ledger.header.bucket_list_hash.0));
        state.update(&hashes);
        let fees: i64 = pairs.iter().map(|pair| pair.result.fee_charged).fold(0, i64::saturating_add);
        let header = LedgerHeader {
            ledger_version: PROTOCOL,
            previous_ledger_hash: previous.map_or(Hash([0; 32]), |ledger| ledger.hash.clone()),
            scp_value: StellarValue {
                tx_set_hash: Hash(Sha256::digest(&hashes).into()),
                close_time: TimePoint(time),
                upgrades: VecM::default(),
                ext: StellarValueExt::Basic,
            },
            tx_set_result_hash: Hash(Sha256::digest(results.to_xdr(Limits::none())?).into()),
            bucket_list_hash: Hash(state.finalize().into()),
            ledger_seq: sequence,
            total_coins: TOTAL_COINS,
            fee_pool: previous.map_or(0, |ledger| ledger.header.fee_pool).saturating_add(fees),
            inflation_seq: 0,
            id_pool: 0,
            base_fee: BASE_FEE,
            base_reserve: BASE_RESERVE,
            max_tx_set_size: 2_000,
            skip_list: [Hash([0; 32]), Hash([0; 32]), Hash([0; 32]), Hash([0; 32])],
            ext: LedgerHeaderExt::V0,
        };
        let hash = Hash(Sha256::digest(header.to_xdr(Limits::none())?).into());
        self.ledgers.push(Closed { sequence, time, hash, header, records });
        Ok(())
    }

    /// Inclusion fees paid in the last ledgers, in stroops: of contract calls, and of classic transactions; with the
    /// number of ledgers looked at, and what inclusion costs now.
    pub(crate) fn recent_fees(&self, ledgers: usize, until: u32) -> (Vec<i64>, Vec<i64>, usize, i64) {
        let (mut contract, mut classic, mut seen) = (Vec::new(), Vec::new(), 0);
        for ledger in self.ledgers.iter().rev().filter(|ledger| ledger.sequence <= until).take(ledgers) {
            seen += 1;
            for record in self.records_of(ledger) {
                let fees = if record.parsed.soroban().is_some() { &mut contract } else { &mut classic };
                fees.push(record.inclusion_fee);
            }
        }
        (contract, classic, seen, self.base_fee)
    }
}
