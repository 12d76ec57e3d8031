//! A transaction as it comes in: its parts, its fees, and whether it may enter a ledger.

use stellar_xdr::{
    AccountEntry, AccountId, DecoratedSignature, FeeBumpTransaction, FeeBumpTransactionInnerTx, Hash,
    InnerTransactionResult, InnerTransactionResultExt, InnerTransactionResultPair,
    InnerTransactionResultResult, LedgerKey, Limits, OperationBody, OperationResult, Preconditions,
    SorobanTransactionData, Transaction, TransactionEnvelope, TransactionExt, TransactionResult,
    TransactionResultExt, TransactionResultResult, VecM, WriteXdr,
};

use soroban_env_host::fees::{TransactionResources, compute_transaction_resource_fee};
use soroban_env_host::ledger_info::get_key_durability;

use super::entries::Entries;
use super::host::{Machine, archived_indices, within_limits};
use super::settings::TX_MAX_SIZE_BYTES;
use super::signatures::{Level, Signatures, level};
use super::{account, operations};
use crate::{Error, Result};

/// A transaction, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) envelope: TransactionEnvelope,
    /// The hash it is known by: of the outer transaction when the fee is bumped.
    pub(crate) hash: [u8; 32],
    pub(crate) inner_hash: [u8; 32],
    pub(crate) inner: Transaction,
    inner_signatures: Vec<DecoratedSignature>,
    bump: Option<(FeeBumpTransaction, Vec<DecoratedSignature>)>,
    size: u32,
    /// What inclusion cost an operation when it came in, in stroops.
    pub(crate) base_fee: i64,
}

/// The ledger that a transaction is judged for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) sequence: u32,
    /// Close time in seconds.
    pub(crate) time: u64,
}

/// Why a transaction is refused, before it is wrapped for a fee-bump.
type Refusal = TransactionResultResult;

impl Parsed {
    /// Takes an envelope apart; only the current kinds are known.
    pub(crate) fn new(envelope: TransactionEnvelope, network_id: [u8; 32], base_fee: i64) -> Result<Self> {
        let size = u32::try_from(envelope.to_xdr(Limits::none())?.len()).unwrap_or(u32::MAX);
        let hash = envelope.hash(network_id)?;
        let (inner, signatures, bump) = match &envelope {
            TransactionEnvelope::Tx(inner) => (inner.clone(), inner.signatures.to_vec(), None),
            TransactionEnvelope::TxFeeBump(outer) => {
                let FeeBumpTransactionInnerTx::Tx(inner) = &outer.tx.inner_tx;
                let bump = Some((outer.tx.clone(), outer.signatures.to_vec()));
                (inner.clone(), inner.signatures.to_vec(), bump)
            }
            TransactionEnvelope::TxV0(_) => return Err(Error::new("envelopes of version 0 are not taken")),
        };
        let inner_hash = inner.tx.hash(network_id)?;
        Ok(Self {
            envelope,
            hash,
            inner_hash,
            inner: inner.tx,
            inner_signatures: signatures,
            bump,
            size,
            base_fee,
        })
    }

    /// The account whose sequence number is used.
    pub(crate) fn source(&self) -> AccountId {
        self.inner.source_account.clone().account_id()
    }

    /// The account that pays the fee.
    pub(crate) fn fee_source(&self) -> AccountId {
        match &self.bump {
            Some((bump, _)) => bump.fee_source.clone().account_id(),
            None => self.source(),
        }
    }

    /// The account that an operation acts for.
    pub(crate) fn operation_source(&self, operation: &stellar_xdr::Operation) -> AccountId {
        operation.source_account.clone().map_or_else(|| self.source(), stellar_xdr::MuxedAccount::account_id)
    }

    pub(crate) fn is_bumped(&self) -> bool {
        self.bump.is_some()
    }

    /// What the transaction declares for its contract call; none for a classic one.
    pub(crate) fn soroban(&self) -> Option<&SorobanTransactionData> {
        match &self.inner.ext {
            TransactionExt::V1(data) => Some(data),
            TransactionExt::V0 => None,
        }
    }

    fn is_contract(&self) -> bool {
        self.inner.operations.iter().any(|operation| {
            matches!(
                operation.body,
                OperationBody::InvokeHostFunction(_)
                    | OperationBody::ExtendFootprintTtl(_)
                    | OperationBody::RestoreFootprint(_)
            )
        })
    }

    /// Everything that is offered as fee, in stroops.
    fn offered(&self) -> i64 {
        self.bump.as_ref().map_or_else(|| i64::from(self.inner.fee), |(bump, _)| bump.fee)
    }

    /// The fee for resources that is declared, in stroops.
    pub(crate) fn resource_fee(&self) -> i64 {
        self.soroban().map_or(0, |data| data.resource_fee)
    }

    /// Operations that the inclusion fee is for; bumping a fee counts as one.
    fn fee_units(&self) -> i64 {
        let operations = i64::try_from(self.inner.operations.len()).unwrap_or(i64::MAX).max(1);
        operations.saturating_add(i64::from(self.is_bumped()))
    }

    /// The inclusion fee charged, in stroops.
    pub(crate) fn inclusion_fee(&self) -> i64 {
        self.fee_units().saturating_mul(self.base_fee)
    }

    /// What is taken at first, in stroops; a part of the resource fee may come back.
    pub(crate) fn charge(&self) -> i64 {
        self.resource_fee().saturating_add(self.inclusion_fee()).min(self.offered())
    }

    /// The part of the resource fee that is used up whatever happens, in stroops.
    pub(crate) fn non_refundable(&self, machine: &Machine) -> i64 {
        let Some(data) = self.soroban() else { return 0 };
        let resources = &data.resources;
        let (read_only, read_write) = (&resources.footprint.read_only, &resources.footprint.read_write);
        let is_disk = |key: &&LedgerKey| get_key_durability(key).is_none();
        let disk =
            read_only.iter().chain(read_write.iter()).filter(is_disk).count() + archived_indices(data).len();
        let declared = TransactionResources {
            instructions: resources.instructions,
            disk_read_entries: u32::try_from(disk).unwrap_or(u32::MAX),
            write_entries: u32::try_from(read_write.len()).unwrap_or(u32::MAX),
            disk_read_bytes: resources.disk_read_bytes,
            write_bytes: resources.write_bytes,
            contract_events_size_bytes: 0,
            transaction_size_bytes: self.size,
        };
        compute_transaction_resource_fee(&declared, &machine.config.fee_configuration).0
    }

    /// The result for a refusal, in its wrapping.
    pub(crate) fn refused(&self, refusal: Refusal, fee_charged: i64) -> TransactionResult {
        let result = match &self.bump {
            // What is wrong with the outer transaction is not wrapped; `check` says it without operations' results.
            Some(_) => self.wrap(refusal),
            None => refusal,
        };
        TransactionResult { fee_charged, result, ext: TransactionResultExt::V0 }
    }

    /// The inner result in the form that a fee-bump reports it; the other way round when there is no bump.
    pub(crate) fn wrap(&self, inner: TransactionResultResult) -> TransactionResultResult {
        if self.bump.is_none() {
            return inner;
        }
        let is_success = matches!(inner, TransactionResultResult::TxSuccess(_));
        let pair = InnerTransactionResultPair {
            transaction_hash: Hash(self.inner_hash),
            result: InnerTransactionResult {
                fee_charged: 0,
                result: inner_result(inner),
                ext: InnerTransactionResultExt::V0,
            },
        };
        if is_success {
            TransactionResultResult::TxFeeBumpInnerSuccess(pair)
        } else {
            TransactionResultResult::TxFeeBumpInnerFailed(pair)
        }
    }

    /// Whether the transaction may enter the ledger; the error is the result that says why not.
    pub(crate) fn check(
        &self,
        entries: &Entries,
        machine: &Machine,
        at: At,
    ) -> std::result::Result<(), TransactionResult> {
        if let Some((_, signatures)) = &self.bump {
            let outer = |refusal| TransactionResult {
                fee_charged: self.charge(),
                result: refusal,
                ext: TransactionResultExt::V0,
            };
            self.check_bump(entries, signatures).map_err(outer)?;
        }
        self.check_inner(entries, machine, at).map_err(|refusal| {
            let charged = if refusal == Refusal::TxInsufficientFee {
                self.resource_fee().saturating_add(self.inclusion_fee())
            } else {
                self.charge()
            };
            self.refused(refusal, charged)
        })
    }

    fn check_bump(
        &self,
        entries: &Entries,
        signatures: &[DecoratedSignature],
    ) -> std::result::Result<(), Refusal> {
        let inclusion = self.offered().saturating_sub(self.resource_fee());
        let inner_inclusion = i64::from(self.inner.fee).saturating_sub(self.resource_fee());
        let units = self.fee_units();
        // The bid per operation must not fall below the inner one's.
        let bid = i128::from(inclusion) * i128::from(units - 1);
        if inclusion < self.inclusion_fee() || bid < i128::from(inner_inclusion) * i128::from(units) {
            return Err(Refusal::TxInsufficientFee);
        }
        let Some(payer) = account::load(entries, &self.fee_source()) else {
            return Err(Refusal::TxNoAccount);
        };
        let mut signatures = Signatures::new(self.hash, signatures);
        if !signatures.authorise(&payer, Level::Low) {
            return Err(Refusal::TxBadAuth);
        }
        if account::spendable(&payer) < self.charge() {
            return Err(Refusal::TxInsufficientBalance);
        }
        if signatures.all_used() { Ok(()) } else { Err(Refusal::TxBadAuthExtra) }
    }

    fn check_inner(&self, entries: &Entries, machine: &Machine, at: At) -> std::result::Result<(), Refusal> {
        if self.inner.operations.is_empty() {
            return Err(Refusal::TxMissingOperation);
        }
        self.check_contract(machine)?;
        check_time(&self.inner.cond, at)?;
        if self.bump.is_none() {
            let inclusion = self.offered().saturating_sub(self.resource_fee());
            if inclusion < self.inclusion_fee() {
                return Err(Refusal::TxInsufficientFee);
            }
        }
        let Some(source) = account::load(entries, &self.source()) else { return Err(Refusal::TxNoAccount) };
        self.check_sequence(&source)?;
        let mut signatures = Signatures::new(self.inner_hash, &self.inner_signatures);
        self.check_extra(&source, &mut signatures, at)?;
        if !signatures.authorise(&source, Level::Low) {
            return Err(Refusal::TxBadAuth);
        }
        if self.bump.is_none() && account::spendable(&source) < self.charge() {
            return Err(Refusal::TxInsufficientBalance);
        }
        let results = self.check_operations(entries, &mut signatures);
        if results.iter().any(|result| !operations::succeeded(result)) {
            return Err(Refusal::TxFailed(VecM::try_from(results).unwrap_or_default()));
        }
        if signatures.all_used() { Ok(()) } else { Err(Refusal::TxBadAuthExtra) }
    }

    /// One result an operation: in order, wrong in itself, or without the signatures it needs.
    fn check_operations(&self, entries: &Entries, signatures: &mut Signatures<'_>) -> Vec<OperationResult> {
        let judge = |operation: &stellar_xdr::Operation| {
            let source = self.operation_source(operation);
            let is_signed = match account::load(entries, &source) {
                Some(account) => signatures.authorise(&account, level(&operation.body)),
                // An account that an operation before this one makes: its own key must have signed.
                None if operation.source_account.is_some() => signatures.authorise_absent(&source),
                None => return OperationResult::OpNoAccount,
            };
            if !is_signed {
                return OperationResult::OpBadAuth;
            }
            operations::check(&source, &operation.body).unwrap_or_else(|| operations::ready(&operation.body))
        };
        self.inner.operations.iter().map(judge).collect()
    }

    /// The signatures of all operations, checked again when the transaction runs.
    pub(crate) fn recheck_operations(&self, entries: &Entries) -> Vec<OperationResult> {
        self.check_operations(entries, &mut Signatures::new(self.inner_hash, &self.inner_signatures))
    }

    fn check_contract(&self, machine: &Machine) -> std::result::Result<(), Refusal> {
        let Some(data) = self.soroban() else {
            return if self.is_contract() { Err(Refusal::TxSorobanInvalid) } else { Ok(()) };
        };
        if !self.is_contract() || self.inner.operations.len() != 1 {
            return Err(Refusal::TxMalformed);
        }
        let footprint = &data.resources.footprint;
        let mut keys: Vec<&LedgerKey> =
            footprint.read_only.iter().chain(footprint.read_write.iter()).collect();
        let count = keys.len();
        keys.sort();
        keys.dedup();
        let is_payable =
            data.resource_fee >= self.non_refundable(machine) && data.resource_fee <= self.offered();
        let archived_exist = archived_indices(data)
            .iter()
            .all(|index| usize::try_from(*index).is_ok_and(|index| index < footprint.read_write.len()));
        let shape = match self.inner.operations.first().map(|operation| &operation.body) {
            Some(OperationBody::ExtendFootprintTtl(_)) => footprint.read_write.is_empty(),
            Some(OperationBody::RestoreFootprint(_)) => footprint.read_only.is_empty(),
            _ => true,
        };
        let is_valid = is_payable
            && archived_exist
            && shape
            && keys.len() == count
            && within_limits(data)
            && self.size <= TX_MAX_SIZE_BYTES;
        if is_valid { Ok(()) } else { Err(Refusal::TxSorobanInvalid) }
    }

    /// The further conditions: how long the sequence number has rested, and signers beside the account's.
    fn check_extra(
        &self,
        source: &AccountEntry,
        signatures: &mut Signatures<'_>,
        at: At,
    ) -> std::result::Result<(), Refusal> {
        let Preconditions::V2(cond) = &self.inner.cond else { return Ok(()) };
        let (ledger, time) = account::sequence_used(source);
        let rested = u64::from(at.sequence.saturating_sub(ledger)) >= u64::from(cond.min_seq_ledger_gap)
            && at.time.saturating_sub(time) >= cond.min_seq_age.0;
        if !rested {
            return Err(Refusal::TxBadMinSeqAgeOrGap);
        }
        let are_signed = cond.extra_signers.iter().all(|signer| signatures.authorise_signer(signer));
        if are_signed { Ok(()) } else { Err(Refusal::TxBadAuth) }
    }

    /// Whether the sequence number is the account's next.
    pub(crate) fn check_sequence(&self, source: &AccountEntry) -> std::result::Result<(), Refusal> {
        let wanted = self.inner.seq_num.0;
        let held = source.seq_num.0;
        let least = match &self.inner.cond {
            Preconditions::V2(cond) => cond.min_seq_num.as_ref().map(|number| number.0),
            Preconditions::None | Preconditions::Time(_) => None,
        };
        let is_next = match least {
            Some(least) => least <= held && held < wanted,
            None => held.checked_add(1) == Some(wanted),
        };
        if is_next { Ok(()) } else { Err(Refusal::TxBadSeq) }
    }
}

fn check_time(cond: &Preconditions, at: At) -> std::result::Result<(), Refusal> {
    let (times, ledgers) = match cond {
        Preconditions::None => return Ok(()),
        Preconditions::Time(times) => (Some(times), None),
        Preconditions::V2(cond) => (cond.time_bounds.as_ref(), cond.ledger_bounds.as_ref()),
    };
    if let Some(times) = times {
        if times.min_time.0 > at.time {
            return Err(Refusal::TxTooEarly);
        }
        if times.max_time.0 != 0 && times.max_time.0 < at.time {
            return Err(Refusal::TxTooLate);
        }
    }
    if let Some(ledgers) = ledgers {
        if ledgers.min_ledger > at.sequence {
            return Err(Refusal::TxTooEarly);
        }
        if ledgers.max_ledger != 0 && ledgers.max_ledger <= at.sequence {
            return Err(Refusal::TxTooLate);
        }
    }
    Ok(())
}

fn inner_result(result: TransactionResultResult) -> InnerTransactionResultResult {
    use InnerTransactionResultResult as Inner;
    match result {
        Refusal::TxSuccess(results) => Inner::TxSuccess(results),
        Refusal::TxFailed(results) => Inner::TxFailed(results),
        Refusal::TxTooEarly => Inner::TxTooEarly,
        Refusal::TxTooLate => Inner::TxTooLate,
        Refusal::TxMissingOperation => Inner::TxMissingOperation,
        Refusal::TxBadSeq => Inner::TxBadSeq,
        Refusal::TxBadAuth => Inner::TxBadAuth,
        Refusal::TxInsufficientBalance => Inner::TxInsufficientBalance,
        Refusal::TxNoAccount => Inner::TxNoAccount,
        Refusal::TxInsufficientFee => Inner::TxInsufficientFee,
        Refusal::TxBadAuthExtra => Inner::TxBadAuthExtra,
        Refusal::TxNotSupported => Inner::TxNotSupported,
        Refusal::TxBadSponsorship => Inner::TxBadSponsorship,
        Refusal::TxBadMinSeqAgeOrGap => Inner::TxBadMinSeqAgeOrGap,
        Refusal::TxMalformed => Inner::TxMalformed,
        Refusal::TxSorobanInvalid => Inner::TxSorobanInvalid,
        Refusal::TxFrozenKeyAccessed => Inner::TxFrozenKeyAccessed,
        Refusal::TxInternalError | Refusal::TxFeeBumpInnerSuccess(_) | Refusal::TxFeeBumpInnerFailed(_) => {
            Inner::TxInternalError
        }
    }
}
