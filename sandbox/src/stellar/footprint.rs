//! The operations on entries' lives: extending them and restoring archived entries, with the rent that costs.

use soroban_env_host::LedgerInfo;
use soroban_env_host::fees::LedgerEntryRentChange;
use soroban_env_host::ledger_info::get_key_durability;
use stellar_xdr::{
    ContractDataDurability, ExtendFootprintTtlResult, LedgerKey, Limits, RestoreFootprintResult,
    SorobanTransactionData, WriteXdr,
};

use super::entries::{Entries, is_live};
use super::host::{Machine, rent_size};
use crate::{Error, Result};

/// Extends the lives of the read-only keys to `extend_to` ledgers from now; returns the rent in stroops.
pub(crate) fn extend(
    machine: &Machine,
    entries: &mut Entries,
    info: &LedgerInfo,
    data: &SorobanTransactionData,
    extend_to: u32,
) -> Result<(ExtendFootprintTtlResult, i64)> {
    let live_until =
        info.sequence_number.checked_add(extend_to).ok_or_else(|| Error::new("ledger number overflows"))?;
    let mut changes = Vec::new();
    for key in &data.resources.footprint.read_only {
        let Some(durability) = get_key_durability(key) else {
            return Ok((ExtendFootprintTtlResult::Malformed, 0));
        };
        let Some(slot) = entries.get(key) else { continue };
        let Some(old) = slot.live_until else { continue };
        if !is_live(slot, info.sequence_number) || old >= live_until {
            continue;
        }
        let size = rent_size(&slot.entry, slot.entry.to_xdr(Limits::none())?.len())?;
        changes.push(LedgerEntryRentChange {
            is_persistent: durability == ContractDataDurability::Persistent,
            is_code_entry: matches!(key, LedgerKey::ContractCode(_)),
            old_size_bytes: size,
            new_size_bytes: size,
            old_live_until_ledger: old,
            new_live_until_ledger: live_until,
        });
        entries.extend(key, live_until);
    }
    Ok((ExtendFootprintTtlResult::Success, machine.rent_fee(&changes, info.sequence_number)))
}

/// Restores the archived entries among the read-write keys; returns the rent in stroops.
pub(crate) fn restore(
    machine: &Machine,
    entries: &mut Entries,
    info: &LedgerInfo,
    data: &SorobanTransactionData,
) -> Result<(RestoreFootprintResult, i64)> {
    let live_until = info
        .min_live_until_ledger_checked(ContractDataDurability::Persistent)
        .ok_or_else(|| Error::new("ledger number overflows"))?;
    let mut changes = Vec::new();
    let mut bytes = 0_usize;
    for key in &data.resources.footprint.read_write {
        if get_key_durability(key) != Some(ContractDataDurability::Persistent) {
            return Ok((RestoreFootprintResult::Malformed, 0));
        }
        let Some(slot) = entries.get(key) else { continue };
        if is_live(slot, info.sequence_number) {
            continue;
        }
        let length = slot.entry.to_xdr(Limits::none())?.len();
        bytes = bytes.saturating_add(length);
        let declared = data.resources.disk_read_bytes.min(data.resources.write_bytes);
        if bytes > usize::try_from(declared).unwrap_or(usize::MAX) {
            return Ok((RestoreFootprintResult::ResourceLimitExceeded, 0));
        }
        changes.push(LedgerEntryRentChange {
            is_persistent: true,
            is_code_entry: matches!(key, LedgerKey::ContractCode(_)),
            old_size_bytes: 0,
            new_size_bytes: rent_size(&slot.entry, length)?,
            old_live_until_ledger: 0,
            new_live_until_ledger: live_until,
        });
        entries.extend(key, live_until);
    }
    Ok((RestoreFootprintResult::Success, machine.rent_fee(&changes, info.sequence_number)))
}
