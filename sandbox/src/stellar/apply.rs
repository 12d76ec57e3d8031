//! Carrying a transaction out: the sequence number, the operations, the refund, and the record of what changed.

use sha2::{Digest, Sha256};
use soroban_env_host::fees::{TransactionResources, compute_transaction_resource_fee};
use stellar_xdr::{
    AccountId, ContractEvent, DiagnosticEvent, ExtendFootprintTtlResult, ExtensionPoint, Hash,
    InvokeHostFunctionResult, InvokeHostFunctionSuccessPreImage, LedgerEntryChanges, Limits, OperationBody,
    OperationMetaV2, OperationResult, OperationResultTr, RestoreFootprintResult, ScVal,
    SorobanTransactionData, SorobanTransactionMetaExt, SorobanTransactionMetaExtV1, SorobanTransactionMetaV2,
    TransactionMeta, TransactionMetaV4, TransactionResult, TransactionResultExt, TransactionResultResult,
    VecM, WriteXdr,
};

use super::account::{self, Sponsors};
use super::entries::Entries;
use super::host::{Call, Machine};
use super::transaction::{At, Parsed};
use super::{footprint, operations};
use crate::Result;

/// What a transaction that was carried out leaves.
#[derive(Clone, Debug)]
pub(crate) struct Executed {
    pub(crate) result: TransactionResult,
    pub(crate) meta: TransactionMeta,
    /// Changes by the fee being taken, before any transaction of the ledger runs.
    pub(crate) fee_changes: LedgerEntryChanges,
    /// Changes by the refund, after all of them have run.
    pub(crate) refund_changes: LedgerEntryChanges,
    pub(crate) is_success: bool,
}

impl Executed {
    /// The record of a transaction that the sandbox could not carry out: its fee is gone, nothing else changed.
    pub(crate) fn internal_error(parsed: &Parsed) -> Self {
        Self {
            result: TransactionResult {
                fee_charged: parsed.charge(),
                result: parsed.wrap(TransactionResultResult::TxInternalError),
                ext: TransactionResultExt::V0,
            },
            meta: TransactionMeta::V4(TransactionMetaV4 {
                ext: ExtensionPoint::V0,
                tx_changes_before: LedgerEntryChanges::default(),
                operations: VecM::default(),
                tx_changes_after: LedgerEntryChanges::default(),
                soroban_meta: None,
                events: VecM::default(),
                diagnostic_events: VecM::default(),
            }),
            fee_changes: LedgerEntryChanges::default(),
            refund_changes: LedgerEntryChanges::default(),
            is_success: false,
        }
    }
}

/// Takes the fee; the changes that makes.
pub(crate) fn take_fee(entries: &mut Entries, parsed: &Parsed) -> Result<LedgerEntryChanges> {
    entries.begin();
    account::add_balance(entries, &parsed.fee_source(), -parsed.charge());
    let changes = entries.changes()?;
    entries.commit();
    Ok(changes)
}

/// The contract part of a transaction as it runs: what is left for rent and events, and what came out.
#[derive(Default)]
struct Contract {
    non_refundable: i64,
    refundable: i64,
    rent: i64,
    used: i64,
    value: Option<ScVal>,
}

/// One transaction as it runs, its fee taken already.
pub(crate) struct Run<'a> {
    entries: &'a mut Entries,
    machine: &'a Machine,
    at: At,
    parsed: &'a Parsed,
    seed: [u8; 32],
    contract: Contract,
    diagnostics: Vec<DiagnosticEvent>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        entries: &'a mut Entries,
        machine: &'a Machine,
        at: At,
        parsed: &'a Parsed,
        seed: [u8; 32],
    ) -> Self {
        let mut contract = Contract::default();
        if parsed.soroban().is_some() {
            contract.non_refundable = parsed.non_refundable(machine);
            contract.refundable = parsed.resource_fee().saturating_sub(contract.non_refundable);
        }
        Self { entries, machine, at, parsed, seed, contract, diagnostics: Vec::new() }
    }

    /// Runs the transaction. An error is one of the sandbox itself, and leaves layers open.
    pub(crate) fn finish(mut self) -> Result<Executed> {
        self.entries.begin();
        let refusal = self.use_sequence();
        let before = self.entries.changes()?;
        self.entries.commit();

        let (outcome, metas) = match refusal {
            Some(refusal) => (refusal, Vec::new()),
            None => self.operations()?,
        };
        let is_success = matches!(outcome, TransactionResultResult::TxSuccess(_));
        let Self { entries, parsed, mut contract, diagnostics, .. } = self;
        if !is_success {
            contract.used = 0;
            contract.rent = 0;
            contract.value = None;
        }

        entries.begin();
        let refund = contract.refundable.saturating_sub(contract.used).max(0);
        if refund > 0 {
            account::add_balance(entries, &parsed.fee_source(), refund);
        }
        let refund_changes = entries.changes()?;
        entries.commit();

        let soroban_meta = parsed.soroban().map(|_| SorobanTransactionMetaV2 {
            ext: SorobanTransactionMetaExt::V1(SorobanTransactionMetaExtV1 {
                ext: ExtensionPoint::V0,
                total_non_refundable_resource_fee_charged: contract.non_refundable,
                total_refundable_resource_fee_charged: contract.used,
                rent_fee_charged: contract.rent,
            }),
            return_value: contract.value,
        });
        let meta = TransactionMeta::V4(TransactionMetaV4 {
            ext: ExtensionPoint::V0,
            tx_changes_before: before,
            operations: VecM::try_from(metas)?,
            tx_changes_after: LedgerEntryChanges::default(),
            soroban_meta,
            events: VecM::default(),
            diagnostic_events: VecM::try_from(diagnostics)?,
        });
        let result = TransactionResult {
            fee_charged: parsed.charge().saturating_sub(refund),
            result: parsed.wrap(outcome),
            ext: TransactionResultExt::V0,
        };
        Ok(Executed { result, meta, fee_changes: LedgerEntryChanges::default(), refund_changes, is_success })
    }

    /// Uses the sequence number up, which stays used whatever follows; or says why it cannot be.
    fn use_sequence(&mut self) -> Option<TransactionResultResult> {
        let Some(mut source) = account::load(self.entries, &self.parsed.source()) else {
            return Some(TransactionResultResult::TxNoAccount);
        };
        let refusal = self.parsed.check_sequence(&source).err();
        if refusal.is_none() {
            source.seq_num = self.parsed.inner.seq_num.clone();
            account::touch_sequence(&mut source, self.at.sequence, self.at.time);
            account::store(self.entries, source);
        }
        refusal
    }

    /// Runs all operations, in a layer that is kept only when every one of them succeeds.
    fn operations(&mut self) -> Result<(TransactionResultResult, Vec<OperationMetaV2>)> {
        let mut results = self.parsed.recheck_operations(self.entries);
        if results.iter().any(|result| !operations::succeeded(result)) {
            return Ok((TransactionResultResult::TxFailed(VecM::try_from(results)?), Vec::new()));
        }
        results.clear();
        let mut metas = Vec::new();
        let mut sponsors = Sponsors::new();
        self.entries.begin();
        for operation in &self.parsed.inner.operations {
            let source = self.parsed.operation_source(operation);
            self.entries.begin();
            let (result, events) = if account::load(self.entries, &source).is_none() {
                (OperationResult::OpNoAccount, Vec::new())
            } else if let Some(data) = self.parsed.soroban() {
                self.contract_operation(&source, &operation.body, data)?
            } else {
                let network_id = self.machine.network_id;
                operations::apply(self.entries, &mut sponsors, network_id, &source, &operation.body)?
            };
            if operations::succeeded(&result) {
                let changes = self.entries.changes()?;
                self.entries.commit();
                metas.push(OperationMetaV2 {
                    ext: ExtensionPoint::V0,
                    changes,
                    events: VecM::try_from(events)?,
                });
            } else {
                self.entries.rollback();
            }
            results.push(result);
        }
        let outcome = if results.iter().any(|result| !operations::succeeded(result)) {
            TransactionResultResult::TxFailed(VecM::try_from(results)?)
        } else if sponsors.is_empty() {
            self.entries.commit();
            return Ok((TransactionResultResult::TxSuccess(VecM::try_from(results)?), metas));
        } else {
            TransactionResultResult::TxBadSponsorship
        };
        self.entries.rollback();
        Ok((outcome, Vec::new()))
    }

    /// Runs the one operation of a contract transaction.
    fn contract_operation(
        &mut self,
        source: &AccountId,
        body: &OperationBody,
        data: &SorobanTransactionData,
    ) -> Result<(OperationResult, Vec<ContractEvent>)> {
        let info = self.machine.ledger_info(self.at.sequence, self.at.time);
        let mut events = Vec::new();
        let result = match body {
            OperationBody::InvokeHostFunction(op) => {
                let (function, auth, seed) = (&op.host_function, op.auth.as_slice(), self.seed);
                let call = Call { function, auth, source, data, seed };
                let ran = self.machine.invoke(self.entries, &info, &call, &mut self.diagnostics)?;
                let result = match ran {
                    Err(failure) => failure,
                    Ok(success) if self.spend(success.rent_fee, success.output_bytes) => {
                        let image = InvokeHostFunctionSuccessPreImage {
                            return_value: success.value.clone(),
                            events: VecM::try_from(success.events.clone())?,
                        };
                        self.contract.value = Some(success.value);
                        events = success.events;
                        let hash = Sha256::digest(image.to_xdr(Limits::none())?);
                        InvokeHostFunctionResult::Success(Hash(hash.into()))
                    }
                    Ok(_) => InvokeHostFunctionResult::InsufficientRefundableFee,
                };
                OperationResultTr::InvokeHostFunction(result)
            }
            OperationBody::ExtendFootprintTtl(op) => {
                let (mut result, rent) =
                    footprint::extend(self.machine, self.entries, &info, data, op.extend_to)?;
                if result == ExtendFootprintTtlResult::Success && !self.spend(rent, 0) {
                    result = ExtendFootprintTtlResult::InsufficientRefundableFee;
                }
                OperationResultTr::ExtendFootprintTtl(result)
            }
            OperationBody::RestoreFootprint(_) => {
                let (mut result, rent) = footprint::restore(self.machine, self.entries, &info, data)?;
                if result == RestoreFootprintResult::Success && !self.spend(rent, 0) {
                    result = RestoreFootprintResult::InsufficientRefundableFee;
                }
                OperationResultTr::RestoreFootprint(result)
            }
            _ => return Ok((OperationResult::OpNotSupported, events)),
        };
        Ok((OperationResult::OpInner(result), events))
    }

    /// Takes rent and the fee for events from the refundable part; false when that is too small.
    fn spend(&mut self, rent: i64, output_bytes: u32) -> bool {
        let output = TransactionResources {
            instructions: 0,
            disk_read_entries: 0,
            write_entries: 0,
            disk_read_bytes: 0,
            write_bytes: 0,
            contract_events_size_bytes: output_bytes,
            transaction_size_bytes: 0,
        };
        let (_, events) = compute_transaction_resource_fee(&output, &self.machine.config.fee_configuration);
        self.contract.rent = rent;
        self.contract.used = rent.saturating_add(events);
        self.contract.used <= self.contract.refundable
    }
}
