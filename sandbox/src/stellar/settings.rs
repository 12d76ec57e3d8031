//! The settings of the embedded network: limits, prices and lives of entries, as a real network had them in 2026.

use stellar_xdr::{
    ConfigSettingContractBandwidthV0, ConfigSettingContractComputeV0, ConfigSettingContractEventsV0,
    ConfigSettingContractExecutionLanesV0, ConfigSettingContractHistoricalDataV0,
    ConfigSettingContractLedgerCostExtV0, ConfigSettingContractLedgerCostV0,
    ConfigSettingContractParallelComputeV0, ConfigSettingEntry, ConfigSettingScpTiming, LedgerEntry,
    LedgerEntryData, LedgerEntryExt, StateArchivalSettings, VecM,
};

use super::costs;
use crate::Result;

/// Reserve of one entry, in stroops.
pub(crate) const BASE_RESERVE: u32 = 5_000_000;
/// Least inclusion fee of an operation, in stroops.
pub(crate) const BASE_FEE: u32 = 100;
/// Shortest life of a temporary entry, in ledgers: a day, as on the main network (the test network has 720).
pub(crate) const MIN_TEMPORARY_TTL: u32 = 17_280;
/// Shortest life of a persistent entry, in ledgers: a week.
pub(crate) const MIN_PERSISTENT_TTL: u32 = 120_960;
/// Longest life that an entry can be given, in ledgers: half a year.
pub(crate) const MAX_ENTRY_TTL: u32 = 3_110_400;
/// Most bytes that a transaction may write.
pub(crate) const TX_MAX_WRITE_BYTES: u32 = 132_096;
/// Most bytes of classic and restored entries that a transaction may read.
pub(crate) const TX_MAX_DISK_READ_BYTES: u32 = 200_000;
/// Most classic and restored entries that a transaction may read.
pub(crate) const TX_MAX_DISK_READ_ENTRIES: u32 = 200;
/// Most entries that a transaction may write.
pub(crate) const TX_MAX_WRITE_ENTRIES: u32 = 200;
/// Most keys in a footprint.
pub(crate) const TX_MAX_FOOTPRINT_ENTRIES: u32 = 400;
/// Most bytes of a transaction's envelope.
pub(crate) const TX_MAX_SIZE_BYTES: u32 = 132_096;
/// Most bytes of events and return value.
pub(crate) const TX_MAX_EVENTS_BYTES: u32 = 16_384;
/// Most processor instructions of a transaction.
pub(crate) const TX_MAX_INSTRUCTIONS: i64 = 400_000_000;
/// Memory of a transaction, in bytes.
pub(crate) const TX_MEMORY_LIMIT: u32 = 41_943_040;
/// Most bytes of a data entry.
pub(crate) const DATA_ENTRY_SIZE_BYTES: u32 = 65_536;

/// Live Soroban state that rent is priced at, in bytes; with the prices below, about what the main network charged.
const STATE_SIZE_BYTES: u64 = 3_200_000_000;

/// The settings as ledger entries.
pub(crate) fn entries() -> Result<Vec<LedgerEntry>> {
    let settings = [
        ConfigSettingEntry::ContractMaxSizeBytes(131_072),
        ConfigSettingEntry::ContractComputeV0(ConfigSettingContractComputeV0 {
            ledger_max_instructions: 580_000_000,
            tx_max_instructions: TX_MAX_INSTRUCTIONS,
            fee_rate_per_instructions_increment: 7,
            tx_memory_limit: TX_MEMORY_LIMIT,
        }),
        ConfigSettingEntry::ContractLedgerCostV0(ConfigSettingContractLedgerCostV0 {
            ledger_max_disk_read_entries: 1_000,
            ledger_max_disk_read_bytes: 400_000,
            ledger_max_write_ledger_entries: 1_000,
            ledger_max_write_bytes: 286_720,
            tx_max_disk_read_entries: TX_MAX_DISK_READ_ENTRIES,
            tx_max_disk_read_bytes: TX_MAX_DISK_READ_BYTES,
            tx_max_write_ledger_entries: TX_MAX_WRITE_ENTRIES,
            tx_max_write_bytes: TX_MAX_WRITE_BYTES,
            fee_disk_read_ledger_entry: 1_563,
            fee_write_ledger_entry: 2_500,
            fee_disk_read1_kb: 447,
            soroban_state_target_size_bytes: 4_000_000_000,
            rent_fee1_kb_soroban_state_size_low: -17_000,
            rent_fee1_kb_soroban_state_size_high: 10_000,
            soroban_state_rent_fee_growth_factor: 5_000,
        }),
        ConfigSettingEntry::ContractHistoricalDataV0(ConfigSettingContractHistoricalDataV0 {
            fee_historical1_kb: 4_059,
        }),
        ConfigSettingEntry::ContractEventsV0(ConfigSettingContractEventsV0 {
            tx_max_contract_events_size_bytes: TX_MAX_EVENTS_BYTES,
            fee_contract_events1_kb: 5_000,
        }),
        ConfigSettingEntry::ContractBandwidthV0(ConfigSettingContractBandwidthV0 {
            ledger_max_txs_size_bytes: 266_240,
            tx_max_size_bytes: TX_MAX_SIZE_BYTES,
            fee_tx_size1_kb: 406,
        }),
        ConfigSettingEntry::ContractCostParamsCpuInstructions(costs::cpu()?),
        ConfigSettingEntry::ContractCostParamsMemoryBytes(costs::memory()?),
        ConfigSettingEntry::ContractDataKeySizeBytes(250),
        ConfigSettingEntry::ContractDataEntrySizeBytes(DATA_ENTRY_SIZE_BYTES),
        ConfigSettingEntry::StateArchival(StateArchivalSettings {
            max_entry_ttl: MAX_ENTRY_TTL,
            min_temporary_ttl: MIN_TEMPORARY_TTL,
            min_persistent_ttl: MIN_PERSISTENT_TTL,
            persistent_rent_rate_denominator: 1_215,
            temp_rent_rate_denominator: 2_430,
            max_entries_to_archive: 1_000,
            live_soroban_state_size_window_sample_size: 30,
            live_soroban_state_size_window_sample_period: 64,
            eviction_scan_size: 500_000,
            starting_eviction_scan_level: 7,
        }),
        ConfigSettingEntry::ContractExecutionLanes(ConfigSettingContractExecutionLanesV0 {
            ledger_max_tx_count: 2_000,
        }),
        ConfigSettingEntry::LiveSorobanStateSizeWindow(VecM::try_from(vec![STATE_SIZE_BYTES; 30])?),
        ConfigSettingEntry::ContractParallelComputeV0(ConfigSettingContractParallelComputeV0 {
            ledger_max_dependent_tx_clusters: 2,
        }),
        ConfigSettingEntry::ContractLedgerCostExtV0(ConfigSettingContractLedgerCostExtV0 {
            tx_max_footprint_entries: TX_MAX_FOOTPRINT_ENTRIES,
            fee_write1_kb: 875,
        }),
        ConfigSettingEntry::ScpTiming(ConfigSettingScpTiming {
            ledger_target_close_time_milliseconds: 5_000,
            nomination_timeout_initial_milliseconds: 1_000,
            nomination_timeout_increment_milliseconds: 1_000,
            ballot_timeout_initial_milliseconds: 1_000,
            ballot_timeout_increment_milliseconds: 1_000,
        }),
    ];
    let entry = |setting| LedgerEntry {
        last_modified_ledger_seq: 1,
        data: LedgerEntryData::ConfigSetting(setting),
        ext: LedgerEntryExt::V0,
    };
    Ok(settings.into_iter().map(entry).collect())
}
