-- Step 5: what is paid follows from the chain and the history of settings; what is believed rests on evidence.

-- Rewards: a budget for each epoch before any pool is paid, and whether a pool was paused by the chain at the epoch's end.
-- What an epoch was shared out by stays as it was.
CREATE TRIGGER IF NOT EXISTS pool_reward_weights_no_update BEFORE UPDATE ON pool_reward_weights
WHEN EXISTS (SELECT 1 FROM reward_emissions WHERE start_block >= min(old.effective_block, new.effective_block))
BEGIN SELECT RAISE(ABORT, 'a weight that an epoch was shared out by is immutable'); END;
CREATE TRIGGER IF NOT EXISTS pool_reward_weights_no_delete BEFORE DELETE ON pool_reward_weights
WHEN EXISTS (SELECT 1 FROM reward_emissions WHERE start_block >= old.effective_block)
BEGIN SELECT RAISE(ABORT, 'a weight that an epoch was shared out by is immutable'); END;
CREATE TRIGGER IF NOT EXISTS reward_schedule_no_update BEFORE UPDATE ON reward_schedule
BEGIN SELECT RAISE(ABORT, 'terms are announced and withdrawn, not changed'); END;
CREATE TRIGGER IF NOT EXISTS reward_schedule_no_delete BEFORE DELETE ON reward_schedule
WHEN EXISTS (SELECT 1 FROM reward_emissions WHERE start_block >= old.from_block)
BEGIN SELECT RAISE(ABORT, 'terms that an epoch was emitted by are immutable'); END;
CREATE TRIGGER IF NOT EXISTS reward_emissions_no_update BEFORE UPDATE ON reward_emissions
BEGIN SELECT RAISE(ABORT, 'an emission is immutable'); END;
CREATE TRIGGER IF NOT EXISTS reward_emissions_no_delete BEFORE DELETE ON reward_emissions
BEGIN SELECT RAISE(ABORT, 'an emission is immutable'); END;
CREATE INDEX IF NOT EXISTS pool_reward_epochs_by_hand ON pool_reward_epochs (pool_id, start_block, end_block) WHERE origin = 'manual';

-- What was emitted and paid before stands. The emission that begins at this block takes in whatever was left of those
-- before; epochs up to this one were carried or paid by whether the pool was paused when the cycle ran.
INSERT OR IGNORE INTO meta
SELECT 'reward_order_from_block', CAST(max(end_block) AS TEXT) FROM reward_emissions HAVING count(*) > 0;
INSERT OR IGNORE INTO meta
SELECT 'reward_pause_from_epoch', CAST(max(id) AS TEXT) FROM pool_reward_epochs WHERE status = 'distributed' HAVING count(*) > 0;

-- Epochs whose unclaimed rewards were handed to a Merkle tree, to be paid by a contract: they cannot be claimed here any
-- more. The event moved their sum in the ledger.
CREATE TABLE IF NOT EXISTS reward_exports (
    epoch_id    INTEGER NOT NULL PRIMARY KEY REFERENCES pool_reward_epochs (id),
    root        TEXT NOT NULL,
    rewards     INTEGER NOT NULL CHECK (rewards >= 1),
    total       TEXT NOT NULL CHECK (total GLOB '[1-9]*' AND total NOT GLOB '*[^0-9]*'),
    exported_at INTEGER NOT NULL,
    event_id    INTEGER NOT NULL REFERENCES events (id)
) STRICT;
CREATE INDEX IF NOT EXISTS reward_exports_by_event ON reward_exports (event_id);
CREATE TRIGGER IF NOT EXISTS reward_exports_no_update BEFORE UPDATE ON reward_exports
BEGIN SELECT RAISE(ABORT, 'an export to a Merkle tree is immutable'); END;
CREATE TRIGGER IF NOT EXISTS reward_exports_no_delete BEFORE DELETE ON reward_exports
BEGIN SELECT RAISE(ABORT, 'an export to a Merkle tree is immutable'); END;
CREATE TRIGGER IF NOT EXISTS pool_rewards_exported BEFORE UPDATE ON pool_rewards
WHEN EXISTS (SELECT 1 FROM reward_exports WHERE epoch_id = old.epoch_id)
BEGIN SELECT RAISE(ABORT, 'a reward in a Merkle tree can only be claimed on chain'); END;

-- What runs learn of the chain and its endpoints.
-- Block tags that the chain has shown once: from then on it has them, whatever an endpoint says.
CREATE TABLE IF NOT EXISTS evm_tags (
    tag     TEXT NOT NULL PRIMARY KEY CHECK (tag IN ('finalized', 'safe')),
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Endpoints that refused wide log queries, with the width in blocks that they answered.
CREATE TABLE IF NOT EXISTS evm_endpoints (
    name       TEXT NOT NULL PRIMARY KEY,
    log_blocks INTEGER NOT NULL CHECK (log_blocks >= 1)
) STRICT, WITHOUT ROWID;

-- What a pool's contract is: the hash of its code, the implementation behind a proxy (EIP-1967), what its asset's decimals()
-- says (NULL = nothing), whether it answers paused(). While something else is found, nothing is paid, until the operator
-- accepts it. Rates of syncs before rates_from_block were in other units.
CREATE TABLE IF NOT EXISTS pool_contracts (
    pool_id              INTEGER NOT NULL PRIMARY KEY REFERENCES pools (id),
    code_hash            TEXT NOT NULL,
    implementation       TEXT,
    asset_decimals       INTEGER CHECK (asset_decimals BETWEEN 0 AND 255),
    can_pause            INTEGER NOT NULL CHECK (can_pause IN (0, 1)),
    from_block           INTEGER NOT NULL CHECK (from_block >= 0),
    found_code_hash      TEXT,
    found_implementation TEXT,
    found_asset_decimals INTEGER CHECK (found_asset_decimals BETWEEN 0 AND 255),
    found_can_pause      INTEGER CHECK (found_can_pause IN (0, 1)),
    found_block          INTEGER CHECK (found_block >= 0),
    rates_from_block     INTEGER CHECK (rates_from_block >= 0),
    CHECK ((found_block IS NULL) = (found_code_hash IS NULL) AND (found_block IS NULL) = (found_can_pause IS NULL))
) STRICT;

-- What each farmer's account held when state and chain were last compared: what is booked since must explain what it holds now.
CREATE TABLE IF NOT EXISTS farm_baselines (
    farmer_id   TEXT NOT NULL PRIMARY KEY REFERENCES farmers (id),
    ledger      INTEGER NOT NULL CHECK (ledger >= 0),
    block_index INTEGER NOT NULL CHECK (block_index >= 0),
    held        TEXT NOT NULL CHECK (held = '0' OR (held GLOB '[1-9]*' AND held NOT GLOB '*[^0-9]*')),
    -- how often what it holds since was not explained: an owner's own payment, or a mint that was left out
    looks       INTEGER NOT NULL CHECK (looks >= 0),
    at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a farmer is farmed by, where that is not the default for all (NULL, or no row). Stakes in stroops.
CREATE TABLE IF NOT EXISTS farmer_strategies (
    farmer_id    TEXT NOT NULL PRIMARY KEY REFERENCES farmers (id),
    target_zeros INTEGER CHECK (target_zeros BETWEEN 1 AND 16),
    min_work_sec INTEGER CHECK (min_work_sec BETWEEN 0 AND 299),
    harvest_only INTEGER CHECK (harvest_only IN (0, 1)),
    min_stake    TEXT CHECK (min_stake = '0' OR (min_stake GLOB '[1-9]*' AND min_stake NOT GLOB '*[^0-9]*')),
    max_stake    TEXT CHECK (max_stake = '0' OR (max_stake GLOB '[1-9]*' AND max_stake NOT GLOB '*[^0-9]*'))
) STRICT, WITHOUT ROWID;

-- Which chain an operation is for: until now there was one. Envelopes of others may be valid without end.
PRAGMA defer_foreign_keys = ON;
CREATE TABLE operations_before AS
SELECT id, key, kind, subject, state, plan, planned_at, settled_at, recorded_at, error FROM operations;
CREATE TABLE operation_attempts_before AS SELECT * FROM operation_attempts;
DROP TABLE operation_attempts;
DROP TABLE operations;
CREATE TABLE operations (
    id          INTEGER NOT NULL PRIMARY KEY,
    key         TEXT NOT NULL UNIQUE,
    kind        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    state       TEXT NOT NULL
        CHECK (state IN ('planned', 'signed', 'sent', 'confirmed', 'failed', 'expired', 'recorded')),
    plan        TEXT NOT NULL CHECK (json_valid(plan)),
    planned_at  INTEGER NOT NULL,
    settled_at  INTEGER,
    recorded_at INTEGER,
    error       TEXT,
    network     TEXT NOT NULL
) STRICT;
CREATE INDEX operations_open ON operations (id) WHERE state IN ('planned', 'signed', 'sent', 'confirmed');
CREATE TABLE operation_attempts (
    operation_id INTEGER NOT NULL REFERENCES operations (id),
    attempt      INTEGER NOT NULL CHECK (attempt >= 1),
    hash         TEXT NOT NULL UNIQUE,
    envelope     TEXT NOT NULL,
    valid_until  INTEGER,
    max_fee      TEXT NOT NULL CHECK (max_fee = '0' OR (max_fee GLOB '[1-9]*' AND max_fee NOT GLOB '*[^0-9]*')),
    endpoint     TEXT,
    signed_at    INTEGER NOT NULL,
    sent_at      INTEGER,
    sends        INTEGER NOT NULL DEFAULT 0,
    outcome      TEXT CHECK (outcome IN ('confirmed', 'failed', 'expired')),
    error        TEXT,
    PRIMARY KEY (operation_id, attempt)
) STRICT, WITHOUT ROWID;
INSERT INTO operations
SELECT id, key, kind, subject, state, plan, planned_at, settled_at, recorded_at, error, 'stellar' FROM operations_before;
INSERT INTO operation_attempts SELECT * FROM operation_attempts_before;
DROP TABLE operation_attempts_before;
DROP TABLE operations_before;
