//! The virtual machine: a call is simulated on a snapshot, or carried out on the ledger within its declared resources.

use std::collections::BTreeSet;
use std::rc::Rc;

use soroban_env_host::budget::{AsBudget, Budget};
use soroban_env_host::e2e_invoke::{
    self, LedgerEntryChange, RecordingInvocationAuthMode, TtlLedgerEntryMeta, entry_size_for_rent,
    extract_rent_changes,
};
use soroban_env_host::fees::{LedgerEntryRentChange, compute_rent_fee};
use soroban_env_host::ledger_info::get_key_durability;
use soroban_env_host::storage::SnapshotSource;
use soroban_env_host::{CompilationContext, ErrorHandler, HostError, LedgerInfo, ModuleCache};
use soroban_simulation::simulation::{
    InvokeHostFunctionSimulationResult, RestoreOpSimulationResult, SimulationAdjustmentConfig,
    simulate_extend_ttl_op, simulate_invoke_host_function_op, simulate_restore_op,
};
use soroban_simulation::{AutoRestoringSnapshotSource, NetworkConfig};
use stellar_xdr::{
    AccountId, ContractDataDurability, ContractEvent, DiagnosticEvent, HostFunction,
    InvokeHostFunctionResult, LedgerEntry, LedgerEntryData, LedgerKey, Limits, ReadXdr, ScErrorCode,
    ScErrorType, ScVal, SorobanAuthorizationEntry, SorobanResources, SorobanTransactionData, WriteXdr,
};

use super::entries::{Base, Entries, is_live};
use super::{costs, settings};
use crate::{Error, Result};

/// The protocol of the ledger: the only one that this host knows.
pub(crate) const PROTOCOL: u32 = soroban_env_host::meta::INTERFACE_VERSION.protocol;

/// The machine: its settings and the contracts it has compiled.
pub(crate) struct Machine {
    pub(crate) config: NetworkConfig,
    pub(crate) network_id: [u8; 32],
    modules: ModuleCache,
}

/// What compiling needs: a budget without limits, since a stored contract was paid for at its upload.
#[derive(Clone)]
struct Compiler(Budget);

impl AsBudget for Compiler {
    fn as_budget(&self) -> &Budget {
        &self.0
    }
}

impl ErrorHandler for Compiler {
    fn map_err<T, E>(&self, result: std::result::Result<T, E>) -> std::result::Result<T, HostError>
    where
        soroban_env_host::Error: From<E>,
        E: std::fmt::Debug,
    {
        result.map_err(HostError::from)
    }

    fn error(&self, error: soroban_env_host::Error, _: &str, _: &[soroban_env_host::Val]) -> HostError {
        HostError::from(error)
    }
}

impl CompilationContext for Compiler {}

fn compiler() -> Result<Compiler> {
    Ok(Compiler(Budget::try_from_configs(u64::MAX, u64::MAX, costs::cpu()?, costs::memory()?)?))
}

/// A call to carry out, with what its transaction declares.
pub(crate) struct Call<'a> {
    pub(crate) function: &'a HostFunction,
    pub(crate) auth: &'a [SorobanAuthorizationEntry],
    pub(crate) source: &'a AccountId,
    pub(crate) data: &'a SorobanTransactionData,
    pub(crate) seed: [u8; 32],
}

/// A call to try out.
pub(crate) struct Trial<'a> {
    pub(crate) function: HostFunction,
    pub(crate) auth: RecordingInvocationAuthMode,
    pub(crate) source: &'a AccountId,
    pub(crate) seed: [u8; 32],
}

/// What a call that succeeded leaves, beside the entries.
pub(crate) struct Success {
    pub(crate) value: ScVal,
    pub(crate) events: Vec<ContractEvent>,
    /// Bytes of events and return value, which are paid for.
    pub(crate) output_bytes: u32,
    /// Rent for entries made, grown or extended, in stroops.
    pub(crate) rent_fee: i64,
}

/// How a call ended: in order, or with the operation's own result code.
pub(crate) type Outcome = std::result::Result<Success, InvokeHostFunctionResult>;

impl Machine {
    /// A machine for the network with this id, whose settings are in `base`.
    pub(crate) fn new(base: &Base, network_id: [u8; 32]) -> Result<Self> {
        let config =
            NetworkConfig::load_from_snapshot(base).map_err(|error| Error::new(error.to_string()))?;
        Ok(Self { config, network_id, modules: ModuleCache::new(&compiler()?)? })
    }

    /// What a contract sees of a ledger with this number and close time.
    pub(crate) fn ledger_info(&self, sequence: u32, timestamp: u64) -> LedgerInfo {
        let mut info = LedgerInfo {
            protocol_version: PROTOCOL,
            sequence_number: sequence,
            timestamp,
            network_id: self.network_id,
            base_reserve: settings::BASE_RESERVE,
            ..LedgerInfo::default()
        };
        self.config.fill_config_fields_in_ledger_info(&mut info);
        info
    }

    /// A budget for helper work that nobody pays for.
    fn free_budget() -> Result<Budget> {
        Ok(compiler()?.0)
    }

    /// Carries a call out on the topmost layer of `entries`, which is to be thrown away when the call fails.
    pub(crate) fn invoke(
        &self,
        entries: &mut Entries,
        info: &LedgerInfo,
        call: &Call<'_>,
        diagnostics: &mut Vec<DiagnosticEvent>,
    ) -> Result<Outcome> {
        let resources = &call.data.resources;
        let archived = archived_indices(call.data);
        let footprint = &resources.footprint;
        let read_only = footprint.read_only.iter().map(|key| (None, key));
        let read_write = footprint.read_write.iter().enumerate().map(|(index, key)| (Some(index), key));
        let restored_until = info
            .min_live_until_ledger_checked(ContractDataDurability::Persistent)
            .ok_or_else(|| Error::new("ledger number overflows"))?;

        let mut inputs = Vec::new();
        let mut disk_read_bytes = 0_usize;
        for (index, key) in read_only.chain(read_write) {
            let Some(slot) = entries.get(key) else {
                inputs.push((None, None));
                continue;
            };
            let bytes = slot.entry.to_xdr(Limits::none())?;
            let mut live_until = slot.live_until;
            if is_live(slot, info.sequence_number) {
                if live_until.is_none() {
                    disk_read_bytes += bytes.len();
                }
            } else if get_key_durability(key) == Some(ContractDataDurability::Temporary) {
                inputs.push((None, None));
                continue;
            } else {
                let is_listed = index
                    .and_then(|index| u32::try_from(index).ok())
                    .is_some_and(|index| archived.contains(&index));
                if !is_listed {
                    return Ok(Err(InvokeHostFunctionResult::EntryArchived));
                }
                live_until = Some(restored_until);
                disk_read_bytes += bytes.len();
            }
            let meta = match live_until {
                Some(live_until_ledger) => Some(TtlLedgerEntryMeta {
                    live_until_ledger,
                    entry_size_for_rent: rent_size(&slot.entry, bytes.len())?,
                }),
                None => None,
            };
            inputs.push((Some(bytes), meta));
        }
        if disk_read_bytes > usize::try_from(resources.disk_read_bytes).unwrap_or(usize::MAX) {
            return Ok(Err(InvokeHostFunctionResult::ResourceLimitExceeded));
        }

        let budget = Budget::try_from_configs(
            u64::from(resources.instructions),
            u64::from(self.config.tx_memory_limit),
            self.config.cpu_cost_params.clone(),
            self.config.memory_cost_params.clone(),
        )?;
        let auth: Vec<Vec<u8>> = call
            .auth
            .iter()
            .map(|entry| entry.to_xdr(Limits::none()))
            .collect::<std::result::Result<_, _>>()?;
        let ran = e2e_invoke::invoke_host_function(
            &budget,
            true,
            call.function.to_xdr(Limits::none())?,
            resources.to_xdr(Limits::none())?,
            &archived.iter().copied().collect::<Vec<_>>(),
            call.source.to_xdr(Limits::none())?,
            auth.into_iter(),
            info.clone(),
            inputs.into_iter(),
            call.seed.to_vec(),
            diagnostics,
            None,
            Some(self.modules.clone()),
        );
        let (encoded, changes, encoded_events) = match ran {
            Ok(ran) => (ran.encoded_invoke_result, ran.ledger_changes, ran.encoded_contract_events),
            Err(error) => (Err(error), Vec::new(), Vec::new()),
        };
        let encoded = match encoded {
            Ok(encoded) => encoded,
            Err(error) => return Ok(Err(failure(&error))),
        };

        let written: usize =
            changes.iter().filter_map(|change| change.encoded_new_value.as_ref()).map(Vec::len).sum();
        let output: usize = encoded.len() + encoded_events.iter().map(Vec::len).sum::<usize>();
        let output_bytes = u32::try_from(output).unwrap_or(u32::MAX);
        if u32::try_from(written).unwrap_or(u32::MAX) > resources.write_bytes
            || output_bytes > settings::TX_MAX_EVENTS_BYTES
        {
            return Ok(Err(InvokeHostFunctionResult::ResourceLimitExceeded));
        }
        let rent_fee = self.rent_fee(&extract_rent_changes(&changes), info.sequence_number);
        for change in changes {
            self.write(entries, change)?;
        }
        let value = ScVal::from_xdr(encoded, Limits::none())?;
        let events = encoded_events
            .into_iter()
            .map(|event| ContractEvent::from_xdr(event, Limits::none()))
            .collect::<std::result::Result<_, _>>()?;
        Ok(Ok(Success { value, events, output_bytes, rent_fee }))
    }

    /// Writes one change of the host to the ledger, and compiles code that is new.
    pub(crate) fn write(&self, entries: &mut Entries, change: LedgerEntryChange) -> Result<()> {
        let key = LedgerKey::from_xdr(change.encoded_key, Limits::none())?;
        let live_until = change.ttl_change.map(|ttl| ttl.new_live_until_ledger);
        match change.encoded_new_value {
            Some(value) => {
                let entry = LedgerEntry::from_xdr(value, Limits::none())?;
                // An expired temporary entry is as good as absent: the same value over it is a new entry.
                let is_persistent = get_key_durability(&key) != Some(ContractDataDurability::Temporary);
                let slot = entries.get(&key).filter(|slot| is_persistent || is_live(slot, entries.sequence));
                let old = slot.map(|slot| slot.entry.as_ref());
                // The host hands back every entry of the footprint that may be written, changed or not.
                let is_changed = old.is_none_or(|old| old.data != entry.data || old.ext != entry.ext);
                if is_changed || slot.is_some_and(|slot| slot.live_until != live_until) {
                    self.compile(&entry)?;
                    if is_changed {
                        entries.put(entry, live_until);
                    } else if let Some(live_until) = live_until {
                        entries.extend(&key, live_until);
                    }
                }
            }
            None if change.read_only => {
                let old = entries.get(&key).and_then(|slot| slot.live_until);
                if let (Some(old), Some(new)) = (old, live_until)
                    && new > old
                {
                    entries.extend(&key, new);
                }
            }
            None => {
                if entries.get(&key).is_some() {
                    entries.remove(&key);
                }
            }
        }
        Ok(())
    }

    fn compile(&self, entry: &LedgerEntry) -> Result<()> {
        if let LedgerEntryData::ContractCode(code) = &entry.data
            && !self.modules.contains_module(&code.hash)?
        {
            self.modules.parse_and_cache_module_simple(&compiler()?, PROTOCOL, &code.code)?;
        }
        Ok(())
    }

    /// Rent in stroops of entries that grow or live longer.
    pub(crate) fn rent_fee(&self, changes: &[LedgerEntryRentChange], sequence: u32) -> i64 {
        compute_rent_fee(changes, &self.config.rent_fee_configuration, sequence)
    }

    /// Simulates a call: on the snapshot as if archived entries were restored, with the restoring as a second result;
    /// or, with `auto_restore`, so that the call itself restores them.
    pub(crate) fn simulate(
        &self,
        base: &Base,
        info: &LedgerInfo,
        trial: Trial<'_>,
        auto_restore: bool,
    ) -> Result<(InvokeHostFunctionSimulationResult, Option<RestoreOpSimulationResult>)> {
        let adjust = SimulationAdjustmentConfig::default_adjustment();
        let fail = |error: &dyn std::fmt::Display| Error::new(error.to_string());
        let stored = Rc::new(base.clone());
        let restoring =
            Rc::new(AutoRestoringSnapshotSource::new(stored.clone(), info).map_err(|error| fail(&error))?);
        let snapshot: Rc<dyn SnapshotSource> = if auto_restore { stored } else { restoring.clone() };
        let Trial { function, auth, source, seed } = trial;
        let simulated = simulate_invoke_host_function_op(
            snapshot,
            &self.config,
            &adjust,
            info,
            function,
            auth,
            source,
            seed,
            true,
        )
        .map_err(|error| fail(&error))?;
        let restore = if simulated.invoke_result.is_ok() {
            restoring.simulate_restore_keys_op(&self.config, &adjust, info).map_err(|error| fail(&error))?
        } else {
            None
        };
        Ok((simulated, restore))
    }

    /// Simulates the extension of entries' lives to `extend_to` ledgers from now.
    pub(crate) fn simulate_extend(
        &self,
        base: &Base,
        info: &LedgerInfo,
        keys: &[LedgerKey],
        extend_to: u32,
    ) -> Result<SorobanTransactionData> {
        let adjust = SimulationAdjustmentConfig::default_adjustment();
        simulate_extend_ttl_op(base, &self.config, &adjust, info, keys, extend_to)
            .map(|simulated| simulated.transaction_data)
            .map_err(|error| Error::new(error.to_string()))
    }

    /// Simulates the restoring of archived entries.
    pub(crate) fn simulate_restore(
        &self,
        base: &Base,
        info: &LedgerInfo,
        keys: &[LedgerKey],
    ) -> Result<SorobanTransactionData> {
        let adjust = SimulationAdjustmentConfig::default_adjustment();
        simulate_restore_op(base, &self.config, &adjust, info, keys)
            .map(|simulated| simulated.transaction_data)
            .map_err(|error| Error::new(error.to_string()))
    }
}

/// Which read-write keys the transaction says are archived, to be restored as it runs.
pub(crate) fn archived_indices(data: &SorobanTransactionData) -> BTreeSet<u32> {
    match &data.ext {
        stellar_xdr::SorobanTransactionDataExt::V0 => BTreeSet::new(),
        stellar_xdr::SorobanTransactionDataExt::V1(ext) => {
            ext.archived_soroban_entries.iter().copied().collect()
        }
    }
}

/// Size of an entry that rent is paid for: its XDR, and for code the memory it takes when compiled.
pub(crate) fn rent_size(entry: &LedgerEntry, xdr_bytes: usize) -> Result<u32> {
    let bytes = u32::try_from(xdr_bytes).unwrap_or(u32::MAX);
    Ok(entry_size_for_rent(&Machine::free_budget()?, entry, bytes)?)
}

/// The operation's result for an error of the host: over its limits, or trapped.
fn failure(error: &HostError) -> InvokeHostFunctionResult {
    let over_budget =
        error.error.is_type(ScErrorType::Budget) && error.error.is_code(ScErrorCode::ExceededLimit);
    if over_budget {
        InvokeHostFunctionResult::ResourceLimitExceeded
    } else {
        InvokeHostFunctionResult::Trapped
    }
}

/// Whether a resource set is within what the network allows one transaction.
pub(crate) fn within_limits(data: &SorobanTransactionData) -> bool {
    let resources: &SorobanResources = &data.resources;
    let (read_only, read_write) = (&resources.footprint.read_only, &resources.footprint.read_write);
    let is_disk = |key: &&LedgerKey| get_key_durability(key).is_none();
    let disk =
        read_only.iter().chain(read_write.iter()).filter(is_disk).count() + archived_indices(data).len();
    let at_most = |count: usize, limit: u32| u32::try_from(count).is_ok_and(|count| count <= limit);
    i64::from(resources.instructions) <= settings::TX_MAX_INSTRUCTIONS
        && resources.disk_read_bytes <= settings::TX_MAX_DISK_READ_BYTES
        && resources.write_bytes <= settings::TX_MAX_WRITE_BYTES
        && at_most(disk, settings::TX_MAX_DISK_READ_ENTRIES)
        && at_most(read_write.len(), settings::TX_MAX_WRITE_ENTRIES)
        && at_most(read_only.len() + read_write.len(), settings::TX_MAX_FOOTPRINT_ENTRIES)
}
