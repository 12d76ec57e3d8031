-- Step 4: what `state prune` takes out is declared, and only that may go. Frozen: later changes are later steps.

-- Runs of audit events that were pruned: prev_hash is the hash before the first, hash that of the last. The event that
-- declares them carries their digest, and their ledger entries as a balance brought forward; see src/state/pruned.rs.
CREATE TABLE IF NOT EXISTS pruned_events (
    first_id  INTEGER NOT NULL PRIMARY KEY CHECK (first_id >= 1),
    last_id   INTEGER NOT NULL CHECK (last_id >= first_id),
    prev_hash TEXT NOT NULL,
    hash      TEXT NOT NULL,
    event_id  INTEGER NOT NULL REFERENCES events (id) CHECK (event_id > last_id)
) STRICT;
CREATE INDEX IF NOT EXISTS pruned_events_by_event ON pruned_events (event_id, first_id);
DROP TRIGGER IF EXISTS pruned_events_no_update;
CREATE TRIGGER pruned_events_no_update BEFORE UPDATE ON pruned_events
BEGIN SELECT RAISE(ABORT, 'pruned_events is append-only'); END;
DROP TRIGGER IF EXISTS pruned_events_no_delete;
CREATE TRIGGER pruned_events_no_delete BEFORE DELETE ON pruned_events
BEGIN SELECT RAISE(ABORT, 'pruned_events is append-only'); END;

DROP TRIGGER IF EXISTS events_no_delete;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
WHEN coalesce((SELECT last_id FROM pruned_events WHERE first_id <= old.id ORDER BY first_id DESC LIMIT 1), 0) < old.id
BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;
DROP TRIGGER IF EXISTS ledger_entries_no_delete;
CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries
WHEN coalesce((SELECT last_id FROM pruned_events WHERE first_id <= old.event_id ORDER BY first_id DESC LIMIT 1), 0)
    < old.event_id
BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;

-- An operation may go when nothing refers to it any more.
CREATE INDEX IF NOT EXISTS plantings_by_operation ON plantings (operation_id) WHERE operation_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS works_by_operation ON works (operation_id) WHERE operation_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS harvests_by_operation ON harvests (operation_id) WHERE operation_id IS NOT NULL;
