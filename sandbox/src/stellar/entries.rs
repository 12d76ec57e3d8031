//! The ledger's entries in memory: a shared map beneath a stack of layers that are committed or thrown away.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use soroban_env_host::HostError;
use soroban_env_host::ledger_info::get_key_durability;
use soroban_env_host::storage::{EntryWithLiveUntil, SnapshotSource};
use stellar_xdr::{
    ContractDataDurability, Hash, LedgerEntry, LedgerEntryChange, LedgerEntryChanges, LedgerEntryData,
    LedgerEntryExt, LedgerKey, LedgerKeyTtl, Limits, TtlEntry, VecM, WriteXdr,
};

use crate::Result;

/// An entry and the last ledger it is live in, which only contract data and code have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slot {
    pub(crate) entry: Arc<LedgerEntry>,
    pub(crate) live_until: Option<u32>,
}

/// All entries after some ledger; a clone shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Base(Arc<BTreeMap<Arc<LedgerKey>, Slot>>);

impl Base {
    /// The entry as stored, expired or not.
    pub(crate) fn get(&self, key: &LedgerKey) -> Option<&Slot> {
        self.0.get(key)
    }

    /// Removes the temporary entries that no ledger from `sequence` on can see.
    pub(crate) fn evict(&mut self, sequence: u32) {
        let is_dead = |key: &LedgerKey, slot: &Slot| {
            get_key_durability(key) == Some(ContractDataDurability::Temporary)
                && slot.live_until.is_some_and(|last| last < sequence)
        };
        if self.0.iter().any(|(key, slot)| is_dead(key, slot)) {
            Arc::make_mut(&mut self.0).retain(|key, slot| !is_dead(key, slot));
        }
    }
}

impl SnapshotSource for Base {
    fn get(&self, key: &Rc<LedgerKey>) -> std::result::Result<Option<EntryWithLiveUntil>, HostError> {
        Ok(self.0.get(key.as_ref()).map(|slot| (Rc::new(slot.entry.as_ref().clone()), slot.live_until)))
    }
}

/// Whether an entry can be seen in this ledger.
pub(crate) fn is_live(slot: &Slot, sequence: u32) -> bool {
    slot.live_until.is_none_or(|last| last >= sequence)
}

/// The entries while they change: what is written goes to the topmost layer.
#[derive(Debug)]
pub(crate) struct Entries {
    base: Base,
    layers: Vec<BTreeMap<Arc<LedgerKey>, Option<Slot>>>,
    /// The ledger that is being made: stamped on what is written.
    pub(crate) sequence: u32,
}

impl Entries {
    pub(crate) fn new(base: Base, sequence: u32) -> Self {
        Self { base, layers: Vec::new(), sequence }
    }

    /// The entries beneath all layers.
    pub(crate) fn base(&self) -> &Base {
        &self.base
    }

    pub(crate) fn get(&self, key: &LedgerKey) -> Option<&Slot> {
        self.get_below(key, self.layers.len())
    }

    fn get_below(&self, key: &LedgerKey, depth: usize) -> Option<&Slot> {
        for layer in self.layers.iter().take(depth).rev() {
            if let Some(slot) = layer.get(key) {
                return slot.as_ref();
            }
        }
        self.base.get(key)
    }

    fn set(&mut self, key: Arc<LedgerKey>, slot: Option<Slot>) {
        match (self.layers.last_mut(), slot) {
            (Some(layer), slot) => drop(layer.insert(key, slot)),
            (None, Some(slot)) => drop(Arc::make_mut(&mut self.base.0).insert(key, slot)),
            (None, None) => drop(Arc::make_mut(&mut self.base.0).remove(&key)),
        }
    }

    /// Writes an entry under its own key.
    pub(crate) fn put(&mut self, mut entry: LedgerEntry, live_until: Option<u32>) {
        entry.last_modified_ledger_seq = self.sequence;
        let key = Arc::new(entry.to_key());
        self.set(key, Some(Slot { entry: Arc::new(entry), live_until }));
    }

    /// Changes only how long an entry lives.
    pub(crate) fn extend(&mut self, key: &LedgerKey, live_until: u32) {
        if let Some(slot) = self.get(key) {
            let slot = Slot { entry: Arc::clone(&slot.entry), live_until: Some(live_until) };
            self.set(Arc::new(key.clone()), Some(slot));
        }
    }

    pub(crate) fn remove(&mut self, key: &LedgerKey) {
        self.set(Arc::new(key.clone()), None);
    }

    /// Opens a layer.
    pub(crate) fn begin(&mut self) {
        self.layers.push(BTreeMap::new());
    }

    /// Throws the topmost layer away.
    pub(crate) fn rollback(&mut self) {
        self.layers.pop();
    }

    /// Throws all layers above this many away.
    pub(crate) fn rollback_to(&mut self, depth: usize) {
        self.layers.truncate(depth);
    }

    /// Moves the topmost layer's writes to the one below.
    pub(crate) fn commit(&mut self) {
        for (key, slot) in self.layers.pop().unwrap_or_default() {
            self.set(key, slot);
        }
    }

    /// What the topmost layer changes, in the form of a transaction's meta, entries' lives included.
    pub(crate) fn changes(&self) -> Result<LedgerEntryChanges> {
        let mut changes = Vec::new();
        let Some((layer, depth)) = self.layers.last().zip(self.layers.len().checked_sub(1)) else {
            return Ok(LedgerEntryChanges::default());
        };
        for (key, after) in layer {
            let before = self.get_below(key, depth);
            let as_entry = |slot: &Slot| slot.entry.as_ref().clone();
            let restored = match (before, after) {
                (Some(old), Some(new)) => {
                    !is_live(old, self.sequence)
                        && new.live_until > old.live_until
                        && get_key_durability(key) == Some(ContractDataDurability::Persistent)
                }
                _ => false,
            };
            // An expired temporary entry is as good as absent: writing it anew creates it.
            let before = before.filter(|slot| restored || is_live(slot, self.sequence));
            if before.map(|slot| &slot.entry) != after.as_ref().map(|slot| &slot.entry) || restored {
                describe(
                    &mut changes,
                    before.map(as_entry),
                    after.as_ref().map(as_entry),
                    key.as_ref().clone(),
                    restored,
                );
            }
            let lives =
                (before.and_then(|slot| slot.live_until), after.as_ref().and_then(|slot| slot.live_until));
            if lives.0 != lives.1 {
                let hash = key_hash(key)?;
                let entry = |live_until: u32| ttl_entry(hash.clone(), live_until, self.sequence);
                let key = LedgerKey::Ttl(LedgerKeyTtl { key_hash: hash.clone() });
                describe(&mut changes, lives.0.map(entry), lives.1.map(entry), key, restored);
            }
        }
        Ok(LedgerEntryChanges(VecM::try_from(changes)?))
    }
}

fn describe(
    changes: &mut Vec<LedgerEntryChange>,
    before: Option<LedgerEntry>,
    after: Option<LedgerEntry>,
    key: LedgerKey,
    restored: bool,
) {
    match (before, after) {
        (Some(_), Some(after)) if restored => changes.push(LedgerEntryChange::Restored(after)),
        (Some(before), Some(after)) => {
            changes.extend([LedgerEntryChange::State(before), LedgerEntryChange::Updated(after)]);
        }
        (Some(before), None) => {
            changes.extend([LedgerEntryChange::State(before), LedgerEntryChange::Removed(key)]);
        }
        (None, Some(after)) => changes.push(LedgerEntryChange::Created(after)),
        (None, None) => {}
    }
}

/// SHA-256 of a key's XDR, under which the network keeps how long the entry lives.
pub(crate) fn key_hash(key: &LedgerKey) -> Result<Hash> {
    Ok(Hash(Sha256::digest(key.to_xdr(Limits::none())?).into()))
}

/// The entry that says how long another one lives.
pub(crate) fn ttl_entry(key_hash: Hash, live_until: u32, sequence: u32) -> LedgerEntry {
    LedgerEntry {
        last_modified_ledger_seq: sequence,
        data: LedgerEntryData::Ttl(TtlEntry { key_hash, live_until_ledger_seq: live_until }),
        ext: LedgerEntryExt::V0,
    }
}
