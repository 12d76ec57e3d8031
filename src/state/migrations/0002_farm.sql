-- Step 2: what the farm needs at hand, so that no command looks through years of blocks. Frozen: later changes are later
-- steps.

-- Plants whose stake is neither back nor lost: one row from the plant to the harvest or the loss. Amounts in stroops.
CREATE TABLE IF NOT EXISTS open_pails (
    block_index    INTEGER NOT NULL CHECK (block_index >= 0),
    farmer_id      TEXT NOT NULL REFERENCES farmers (id),
    stake          TEXT NOT NULL CHECK (stake = '0' OR (stake GLOB '[1-9]*' AND stake NOT GLOB '*[^0-9]*')),
    -- ledger of the plant, and when that ledger closed; NULL = planted by another than poolctl
    planted_ledger INTEGER NOT NULL CHECK (planted_ledger >= 0),
    planted_time   INTEGER,
    -- ledger time from which a plant rolls the block over
    due_time       INTEGER NOT NULL,
    -- the best work that is confirmed
    gap            INTEGER CHECK (gap > 0),
    zeros          INTEGER CHECK (zeros BETWEEN 0 AND 64),
    -- what the harvest would pay by the figures of the last look
    forecast       TEXT CHECK (forecast = '0' OR (forecast GLOB '[1-9]*' AND forecast NOT GLOB '*[^0-9]*')),
    -- last ledger of the pail's entry, as of the last look
    live_until     INTEGER,
    -- why no harvest is tried any more until the operator has looked
    held           TEXT,
    PRIMARY KEY (block_index, farmer_id),
    CHECK ((gap IS NULL) = (zeros IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS open_pails_by_farmer ON open_pails (farmer_id, block_index);

-- What holds now and should not: a pail that is about to expire, a pail that is held.
CREATE TABLE IF NOT EXISTS farm_alerts (
    id         INTEGER NOT NULL PRIMARY KEY,
    subject    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    message    TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    count      INTEGER NOT NULL CHECK (count >= 1),
    closed_at  INTEGER
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS farm_alerts_open ON farm_alerts (subject, kind) WHERE closed_at IS NULL;
CREATE INDEX IF NOT EXISTS farm_alerts_by_subject ON farm_alerts (subject, id);

-- Mints that somebody else's harvest paid to a farmer of ours: each stands for one pail.
CREATE TABLE IF NOT EXISTS foreign_mints (
    event_id    TEXT NOT NULL PRIMARY KEY,
    farmer_id   TEXT NOT NULL REFERENCES farmers (id),
    block_index INTEGER NOT NULL,
    UNIQUE (farmer_id, block_index)
) STRICT, WITHOUT ROWID;

-- The same reason for the same farmer in the same block is told once.
CREATE UNIQUE INDEX IF NOT EXISTS plantings_told ON plantings (farmer_id, block_index, reason) WHERE outcome = 'failed';
CREATE UNIQUE INDEX IF NOT EXISTS harvests_told ON harvests (farmer_id, block_index, reason) WHERE outcome = 'failed';
