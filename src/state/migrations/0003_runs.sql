-- Step 3: when each scheduled command last ran, since a run that had nothing to do leaves no other trace. Frozen: later
-- changes are later steps.

CREATE TABLE IF NOT EXISTS runs (
    command          TEXT NOT NULL PRIMARY KEY,
    last_run_at      INTEGER NOT NULL,
    exit_code        INTEGER NOT NULL CHECK (exit_code BETWEEN 0 AND 255),
    -- exit code 0
    last_success_at  INTEGER,
    -- exit code 0, or 5: whatever it found, it has looked at everything
    last_complete_at INTEGER
) STRICT, WITHOUT ROWID;
