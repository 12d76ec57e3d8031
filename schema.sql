-- The whole state of poolctl, as of user_version 6: the first step of src/state/file/steps.rs.
--
-- Conventions
--   amounts     canonical decimal TEXT of base units (no sign, no leading zero, at most 2^256-1),
--               so that an auditor can read the file with any SQLite tool; NULL limit = unlimited
--   *_ppm       millionths; *_e18 = fixed point with 18 decimals
--   *_at        seconds since 1970-01-01 UTC; events.at is RFC 3339
--   addresses   EVM: EIP-55 TEXT; Stellar: strkey TEXT. Hashes: lower-case hex TEXT with 0x (EVM) or without
--               (Stellar); in share_transfers a BLOB, because there are millions of them

-- Facts about the file itself: network pins, data_version, audit_head, reward origin, the last loss that was notified.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Settings made at run time with `config set`, below the profile and above the default.
CREATE TABLE system_config (
    key    TEXT NOT NULL PRIMARY KEY,
    value  TEXT NOT NULL,
    set_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The audit log. hash = sha256(prev_hash || the row's other fields); see src/state/events.rs.
CREATE TABLE events (
    id        INTEGER NOT NULL PRIMARY KEY,
    at        TEXT NOT NULL,
    run_id    TEXT NOT NULL,
    actor     TEXT NOT NULL,
    kind      TEXT NOT NULL,
    subject   TEXT NOT NULL,
    payload   TEXT NOT NULL CHECK (json_valid(payload)),
    prev_hash TEXT NOT NULL,
    hash      TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_kind ON events (kind, id);
CREATE INDEX events_by_subject ON events (subject, id);
CREATE INDEX events_by_run ON events (run_id, id);
CREATE INDEX events_by_time ON events (at, id);
CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
WHEN coalesce((SELECT last_id FROM pruned_events WHERE first_id <= old.id ORDER BY first_id DESC LIMIT 1), 0) < old.id
BEGIN SELECT RAISE(ABORT, 'events is append-only'); END;
-- Runs of audit events that were pruned: prev_hash is the hash before the first, hash that of the last. The event that
-- declares them carries their digest, and their ledger entries as a balance brought forward; see src/state/pruned.rs.
CREATE TABLE pruned_events (
    first_id  INTEGER NOT NULL PRIMARY KEY CHECK (first_id >= 1),
    last_id   INTEGER NOT NULL CHECK (last_id >= first_id),
    prev_hash TEXT NOT NULL,
    hash      TEXT NOT NULL,
    event_id  INTEGER NOT NULL REFERENCES events (id) CHECK (event_id > last_id)
) STRICT;
CREATE INDEX pruned_events_by_event ON pruned_events (event_id, first_id);
CREATE TRIGGER pruned_events_no_update BEFORE UPDATE ON pruned_events
BEGIN SELECT RAISE(ABORT, 'pruned_events is append-only'); END;
CREATE TRIGGER pruned_events_no_delete BEFORE DELETE ON pruned_events
BEGIN SELECT RAISE(ABORT, 'pruned_events is append-only'); END;

-- Double entry. A ledger transaction is named by the audit event that explains it.
CREATE TABLE ledger_accounts (
    id         INTEGER NOT NULL PRIMARY KEY,
    owner_kind TEXT NOT NULL CHECK (owner_kind IN ('member', 'pool', 'farmer', 'pooler', 'operator', 'chain')),
    owner      TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    asset      TEXT NOT NULL,
    -- sources of money (an emission, a chain) go below zero; holdings never do
    overdraft  INTEGER NOT NULL CHECK (overdraft IN (0, 1)),
    balance    TEXT NOT NULL DEFAULT '0'
        CHECK (balance = '0' OR (ltrim(balance, '-') GLOB '[1-9]*' AND substr(balance, 2) NOT GLOB '*[^0-9]*')),
    UNIQUE (owner_kind, owner, purpose, asset),
    CHECK (overdraft = 1 OR balance NOT GLOB '-*')
) STRICT;
CREATE TABLE ledger_entries (
    event_id   INTEGER NOT NULL REFERENCES events (id),
    line       INTEGER NOT NULL CHECK (line >= 0),
    account_id INTEGER NOT NULL REFERENCES ledger_accounts (id),
    amount     TEXT NOT NULL
        CHECK (ltrim(amount, '-') GLOB '[1-9]*' AND substr(amount, 2) NOT GLOB '*[^0-9]*'),
    PRIMARY KEY (event_id, line)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_entries_by_account ON ledger_entries (account_id, event_id);
CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;
CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries
WHEN coalesce((SELECT last_id FROM pruned_events WHERE first_id <= old.event_id ORDER BY first_id DESC LIMIT 1), 0)
    < old.event_id
BEGIN SELECT RAISE(ABORT, 'ledger_entries is append-only'); END;

-- The outbox: one row per intended on-chain action, keyed so that it can be intended only once.
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
-- Each signed envelope of an operation, stored before its first send. A newer attempt is signed only
-- after the older one can no longer land. Without valid_until it may land until its number (nonce) is used.
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

-- When each scheduled command last ran: a note for monitors, no fact of the audit log.
CREATE TABLE runs (
    command          TEXT NOT NULL PRIMARY KEY,
    last_run_at      INTEGER NOT NULL,
    exit_code        INTEGER NOT NULL CHECK (exit_code BETWEEN 0 AND 255),
    -- exit code 0
    last_success_at  INTEGER,
    -- exit code 0, or 5: whatever it found, it has looked at everything
    last_complete_at INTEGER
) STRICT, WITHOUT ROWID;

-- What the channels were told of and holds still, with the gravest that was said of it. A note, no fact of the audit log.
CREATE TABLE notified (
    area     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    kind     TEXT NOT NULL,
    topic    TEXT NOT NULL,
    severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    since_at INTEGER NOT NULL,
    PRIMARY KEY (area, subject, kind)
) STRICT, WITHOUT ROWID;
-- Notifications: those that wait (done_at is NULL), and what became of the last ones. The key goes with each try, so that
-- whoever gets one twice can tell. None holds a secret.
CREATE TABLE notifications (
    id         INTEGER NOT NULL PRIMARY KEY,
    key        TEXT NOT NULL UNIQUE,
    channel    TEXT NOT NULL,
    content    TEXT NOT NULL CHECK (json_valid(content)),
    created_at INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_at    INTEGER NOT NULL,
    done_at    INTEGER,
    sent       INTEGER NOT NULL DEFAULT 0 CHECK (sent IN (0, 1)),
    error      TEXT,
    CHECK (sent = 0 OR done_at IS NOT NULL)
) STRICT;
CREATE INDEX notifications_waiting ON notifications (channel, next_at) WHERE done_at IS NULL;
CREATE INDEX notifications_ended ON notifications (channel, done_at) WHERE done_at IS NOT NULL;
CREATE INDEX notifications_by_end ON notifications (done_at);

-- ---------------------------------------------------------------- EVM pools

-- Block tags that the chain has shown once: from then on it has them, whatever an endpoint says.
CREATE TABLE evm_tags (
    tag     TEXT NOT NULL PRIMARY KEY CHECK (tag IN ('finalized', 'safe')),
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Endpoints that refused wide log queries, with the width in blocks that they answered.
CREATE TABLE evm_endpoints (
    name       TEXT NOT NULL PRIMARY KEY,
    log_blocks INTEGER NOT NULL CHECK (log_blocks >= 1)
) STRICT, WITHOUT ROWID;

-- ERC-20 tokens seen, with the decimals that the chain gave.
CREATE TABLE assets (
    address  TEXT NOT NULL PRIMARY KEY,
    symbol   TEXT NOT NULL,
    decimals INTEGER NOT NULL CHECK (decimals BETWEEN 0 AND 77)
) STRICT, WITHOUT ROWID;

CREATE TABLE pools (
    id                   INTEGER NOT NULL PRIMARY KEY,
    name                 TEXT NOT NULL UNIQUE,
    address              TEXT NOT NULL UNIQUE,
    abi                  TEXT NOT NULL CHECK (abi IN ('erc4626', 'legacy', 'viddhana')),
    asset                TEXT NOT NULL REFERENCES assets (address),
    share_symbol         TEXT NOT NULL,
    share_decimals       INTEGER NOT NULL CHECK (share_decimals BETWEEN 0 AND 77),
    deploy_block         INTEGER NOT NULL CHECK (deploy_block >= 0),
    max_rate_drop_ppm    INTEGER NOT NULL CHECK (max_rate_drop_ppm BETWEEN 0 AND 1000000),
    added_at             INTEGER NOT NULL,
    -- rewards: first epoch start, next epoch start, amount carried to the next epoch
    reward_genesis_block INTEGER CHECK (reward_genesis_block >= 0),
    reward_cursor_block  INTEGER CHECK (reward_cursor_block >= reward_genesis_block),
    reward_carry         TEXT NOT NULL DEFAULT '0'
        CHECK (reward_carry = '0' OR (reward_carry GLOB '[1-9]*' AND reward_carry NOT GLOB '*[^0-9]*')),
    -- share_transfers are replayed through this block
    cursor_block         INTEGER,
    cursor_hash          TEXT,
    -- the last accepted sync; its figures are the pool_snapshots row of that block
    synced_block         INTEGER,
    -- how often stored transfers were taken back or replaced: what was worked out from them before does not hold
    rewrites             INTEGER NOT NULL DEFAULT 0 CHECK (rewrites >= 0),
    -- since when the operator has no more to do with it: it is neither synced nor checked nor paid, and its records stay
    retired_at           INTEGER,
    CHECK ((cursor_block IS NULL) = (cursor_hash IS NULL))
) STRICT;
CREATE INDEX pools_by_asset ON pools (asset);

-- What a pool's contract is: the hash of its code, the implementation behind a proxy (EIP-1967), what its asset's decimals()
-- says (NULL = nothing), whether it answers paused(). While something else is found, nothing is paid, until the operator
-- accepts it. Rates of syncs before rates_from_block were in other units.
CREATE TABLE pool_contracts (
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

-- One row per accepted sync: the history, and the checkpoints that a reorg rolls back to.
CREATE TABLE pool_snapshots (
    pool_id         INTEGER NOT NULL REFERENCES pools (id),
    block_number    INTEGER NOT NULL,
    block_hash      TEXT NOT NULL,
    block_timestamp INTEGER NOT NULL,
    endpoint        TEXT NOT NULL,
    synced_at       INTEGER NOT NULL,
    total_assets    TEXT NOT NULL
        CHECK (total_assets = '0' OR (total_assets GLOB '[1-9]*' AND total_assets NOT GLOB '*[^0-9]*')),
    total_shares    TEXT NOT NULL
        CHECK (total_shares = '0' OR (total_shares GLOB '[1-9]*' AND total_shares NOT GLOB '*[^0-9]*')),
    rate_e18        TEXT NOT NULL CHECK (rate_e18 = '0' OR (rate_e18 GLOB '[1-9]*' AND rate_e18 NOT GLOB '*[^0-9]*')),
    paused          INTEGER CHECK (paused IN (0, 1)),
    min_deposit     TEXT CHECK (min_deposit = '0' OR (min_deposit GLOB '[1-9]*' AND min_deposit NOT GLOB '*[^0-9]*')),
    max_deposit     TEXT CHECK (max_deposit = '0' OR (max_deposit GLOB '[1-9]*' AND max_deposit NOT GLOB '*[^0-9]*')),
    cooldown_sec    INTEGER,
    PRIMARY KEY (pool_id, block_number)
) STRICT, WITHOUT ROWID;

-- An address that holds shares, or that the operator named; its balances are ledger accounts.
CREATE TABLE members (
    id       INTEGER NOT NULL PRIMARY KEY,
    address  TEXT NOT NULL UNIQUE,
    name     TEXT UNIQUE,
    added_at INTEGER NOT NULL
) STRICT;

-- Shares per member at the pool's cursor_block: the running sum of share_transfers.
CREATE TABLE user_pool_shares (
    pool_id            INTEGER NOT NULL REFERENCES pools (id),
    member_id          INTEGER NOT NULL REFERENCES members (id),
    shares             TEXT NOT NULL
        CHECK (shares = '0' OR (shares GLOB '[1-9]*' AND shares NOT GLOB '*[^0-9]*')),
    last_deposit_block INTEGER,
    last_deposit_at    INTEGER,
    PRIMARY KEY (pool_id, member_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_pool_shares_by_member ON user_pool_shares (member_id, pool_id);
CREATE INDEX user_pool_shares_undated ON user_pool_shares (pool_id, last_deposit_block)
    WHERE last_deposit_block IS NOT NULL AND last_deposit_at IS NULL;

-- Replayed ERC-20 Transfer logs of the share tokens. Mint: from_member NULL; burn: to_member NULL.
CREATE TABLE share_transfers (
    pool_id      INTEGER NOT NULL REFERENCES pools (id),
    block_number INTEGER NOT NULL,
    log_index    INTEGER NOT NULL,
    tx_hash      BLOB NOT NULL CHECK (length(tx_hash) = 32),
    from_member  INTEGER REFERENCES members (id),
    to_member    INTEGER REFERENCES members (id),
    shares       TEXT NOT NULL CHECK (shares = '0' OR (shares GLOB '[1-9]*' AND shares NOT GLOB '*[^0-9]*')),
    PRIMARY KEY (pool_id, block_number, log_index)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX share_transfers_by_log ON share_transfers (tx_hash, log_index);

CREATE TABLE pool_withdrawals (
    id              INTEGER NOT NULL PRIMARY KEY,
    pool_id         INTEGER NOT NULL REFERENCES pools (id),
    member_id       INTEGER NOT NULL REFERENCES members (id),
    shares          TEXT NOT NULL CHECK (shares GLOB '[1-9]*' AND shares NOT GLOB '*[^0-9]*'),
    assets          TEXT NOT NULL CHECK (assets = '0' OR (assets GLOB '[1-9]*' AND assets NOT GLOB '*[^0-9]*')),
    status          TEXT NOT NULL CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    idempotency_key TEXT UNIQUE,
    requested_at    INTEGER NOT NULL,
    processing_at   INTEGER,
    ended_at        INTEGER,
    tx_hash         TEXT UNIQUE,
    verified        INTEGER CHECK (verified IN (0, 1)),
    error           TEXT,
    CHECK ((status IN ('completed', 'failed')) = (ended_at IS NOT NULL))
) STRICT;
CREATE INDEX pool_withdrawals_by_pool ON pool_withdrawals (pool_id, requested_at);
CREATE INDEX pool_withdrawals_by_member ON pool_withdrawals (member_id, requested_at);

-- ---------------------------------------------------------------- rewards

-- Weight of a pool from an epoch start on.
CREATE TABLE pool_reward_weights (
    pool_id         INTEGER NOT NULL REFERENCES pools (id),
    effective_block INTEGER NOT NULL CHECK (effective_block >= 0),
    weight_ppm      INTEGER NOT NULL CHECK (weight_ppm BETWEEN 0 AND 1000000),
    set_at          INTEGER NOT NULL,
    PRIMARY KEY (pool_id, effective_block)
) STRICT, WITHOUT ROWID;

-- Terms of emission from an epoch start on, frozen so that a pool that lags is paid by the terms of its day.
CREATE TABLE reward_schedule (
    from_block   INTEGER NOT NULL PRIMARY KEY CHECK (from_block >= 0),
    epoch_blocks INTEGER NOT NULL CHECK (epoch_blocks >= 1),
    block_reward TEXT NOT NULL
        CHECK (block_reward = '0' OR (block_reward GLOB '[1-9]*' AND block_reward NOT GLOB '*[^0-9]*')),
    asset        TEXT NOT NULL REFERENCES assets (address),
    basis        TEXT NOT NULL CHECK (basis IN ('time-weighted', 'snapshot')),
    set_at       INTEGER NOT NULL
) STRICT;

-- Emission of one epoch over all pools: emission + carry_in = Σ pool parts + carry_out.
CREATE TABLE reward_emissions (
    start_block INTEGER NOT NULL PRIMARY KEY,
    end_block   INTEGER NOT NULL CHECK (end_block > start_block),
    emission    TEXT NOT NULL CHECK (emission = '0' OR (emission GLOB '[1-9]*' AND emission NOT GLOB '*[^0-9]*')),
    carry_in    TEXT NOT NULL CHECK (carry_in = '0' OR (carry_in GLOB '[1-9]*' AND carry_in NOT GLOB '*[^0-9]*')),
    carry_out   TEXT NOT NULL CHECK (carry_out = '0' OR (carry_out GLOB '[1-9]*' AND carry_out NOT GLOB '*[^0-9]*')),
    created_at  INTEGER NOT NULL
) STRICT;

-- What an epoch was shared out by stays as it was.
CREATE TRIGGER pool_reward_weights_no_update BEFORE UPDATE ON pool_reward_weights
WHEN EXISTS (SELECT 1 FROM reward_emissions WHERE start_block >= min(old.effective_block, new.effective_block))
BEGIN SELECT RAISE(ABORT, 'a weight that an epoch was shared out by is immutable'); END;
CREATE TRIGGER pool_reward_weights_no_delete BEFORE DELETE ON pool_reward_weights
WHEN EXISTS (SELECT 1 FROM reward_emissions WHERE start_block >= old.effective_block)
BEGIN SELECT RAISE(ABORT, 'a weight that an epoch was shared out by is immutable'); END;
CREATE TRIGGER reward_schedule_no_update BEFORE UPDATE ON reward_schedule
BEGIN SELECT RAISE(ABORT, 'terms are announced and withdrawn, not changed'); END;
CREATE TRIGGER reward_schedule_no_delete BEFORE DELETE ON reward_schedule
WHEN EXISTS (SELECT 1 FROM reward_emissions WHERE start_block >= old.from_block)
BEGIN SELECT RAISE(ABORT, 'terms that an epoch was emitted by are immutable'); END;
CREATE TRIGGER reward_emissions_no_update BEFORE UPDATE ON reward_emissions
BEGIN SELECT RAISE(ABORT, 'an emission is immutable'); END;
CREATE TRIGGER reward_emissions_no_delete BEFORE DELETE ON reward_emissions
BEGIN SELECT RAISE(ABORT, 'an emission is immutable'); END;

-- One pool's epoch [start_block, end_block): part + carry_in = distributed + carry_out.
CREATE TABLE pool_reward_epochs (
    id             INTEGER NOT NULL PRIMARY KEY,
    pool_id        INTEGER NOT NULL REFERENCES pools (id),
    start_block    INTEGER NOT NULL CHECK (start_block >= 0),
    end_block      INTEGER NOT NULL CHECK (end_block > start_block),
    -- hash of the epoch's last block, so that a reorg below a paid block is seen
    last_hash      TEXT,
    origin         TEXT NOT NULL CHECK (origin IN ('cycle', 'manual')),
    basis          TEXT NOT NULL CHECK (basis IN ('time-weighted', 'snapshot')),
    asset          TEXT NOT NULL REFERENCES assets (address),
    weight_ppm     INTEGER,
    weight_sum_ppm INTEGER,
    part           TEXT NOT NULL CHECK (part = '0' OR (part GLOB '[1-9]*' AND part NOT GLOB '*[^0-9]*')),
    carry_in       TEXT NOT NULL DEFAULT '0'
        CHECK (carry_in = '0' OR (carry_in GLOB '[1-9]*' AND carry_in NOT GLOB '*[^0-9]*')),
    distributed    TEXT NOT NULL DEFAULT '0'
        CHECK (distributed = '0' OR (distributed GLOB '[1-9]*' AND distributed NOT GLOB '*[^0-9]*')),
    carry_out      TEXT NOT NULL DEFAULT '0'
        CHECK (carry_out = '0' OR (carry_out GLOB '[1-9]*' AND carry_out NOT GLOB '*[^0-9]*')),
    carry_reason   TEXT CHECK (carry_reason IN ('no_holders', 'pool_paused', 'zero_weight')),
    holders        INTEGER NOT NULL DEFAULT 0,
    status         TEXT NOT NULL CHECK (status IN ('created', 'distributed')),
    created_at     INTEGER NOT NULL,
    distributed_at INTEGER,
    UNIQUE (pool_id, start_block),
    CHECK ((status = 'distributed') = (distributed_at IS NOT NULL)),
    CHECK ((carry_out = '0') OR (carry_reason IS NOT NULL))
) STRICT;
CREATE INDEX pool_reward_epochs_by_start ON pool_reward_epochs (start_block, pool_id);
CREATE INDEX pool_reward_epochs_by_hand ON pool_reward_epochs (pool_id, start_block, end_block) WHERE origin = 'manual';
CREATE TRIGGER pool_reward_epochs_immutable BEFORE UPDATE ON pool_reward_epochs WHEN old.status = 'distributed'
BEGIN SELECT RAISE(ABORT, 'a distributed epoch is immutable'); END;
CREATE TRIGGER pool_reward_epochs_no_delete BEFORE DELETE ON pool_reward_epochs WHEN old.status = 'distributed'
BEGIN SELECT RAISE(ABORT, 'a distributed epoch is immutable'); END;

CREATE TABLE pool_rewards (
    epoch_id   INTEGER NOT NULL REFERENCES pool_reward_epochs (id),
    member_id  INTEGER NOT NULL REFERENCES members (id),
    amount     TEXT NOT NULL CHECK (amount GLOB '[1-9]*' AND amount NOT GLOB '*[^0-9]*'),
    claimed_at INTEGER,
    claim_id   INTEGER REFERENCES events (id),
    PRIMARY KEY (epoch_id, member_id),
    CHECK ((claimed_at IS NULL) = (claim_id IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX pool_rewards_by_member ON pool_rewards (member_id, epoch_id);
CREATE INDEX pool_rewards_by_claim ON pool_rewards (claim_id) WHERE claim_id IS NOT NULL;
CREATE TRIGGER pool_rewards_immutable BEFORE UPDATE ON pool_rewards
WHEN old.claimed_at IS NOT NULL OR new.amount IS NOT old.amount
    OR new.epoch_id IS NOT old.epoch_id OR new.member_id IS NOT old.member_id
BEGIN SELECT RAISE(ABORT, 'a reward can only be claimed, and only once'); END;
CREATE TRIGGER pool_rewards_no_delete BEFORE DELETE ON pool_rewards
BEGIN SELECT RAISE(ABORT, 'a reward can only be claimed, and only once'); END;

-- Epochs whose unclaimed rewards were handed to a Merkle tree, to be paid by a contract: they cannot be claimed here any
-- more. The event moved their sum in the ledger.
CREATE TABLE reward_exports (
    epoch_id    INTEGER NOT NULL PRIMARY KEY REFERENCES pool_reward_epochs (id),
    root        TEXT NOT NULL,
    rewards     INTEGER NOT NULL CHECK (rewards >= 1),
    total       TEXT NOT NULL CHECK (total GLOB '[1-9]*' AND total NOT GLOB '*[^0-9]*'),
    exported_at INTEGER NOT NULL,
    event_id    INTEGER NOT NULL REFERENCES events (id)
) STRICT;
CREATE INDEX reward_exports_by_event ON reward_exports (event_id);
CREATE TRIGGER reward_exports_no_update BEFORE UPDATE ON reward_exports
BEGIN SELECT RAISE(ABORT, 'an export to a Merkle tree is immutable'); END;
CREATE TRIGGER reward_exports_no_delete BEFORE DELETE ON reward_exports
BEGIN SELECT RAISE(ABORT, 'an export to a Merkle tree is immutable'); END;
CREATE TRIGGER pool_rewards_exported BEFORE UPDATE ON pool_rewards
WHEN EXISTS (SELECT 1 FROM reward_exports WHERE epoch_id = old.epoch_id)
BEGIN SELECT RAISE(ABORT, 'a reward in a Merkle tree can only be claimed on chain'); END;

-- ---------------------------------------------------------------- oracles and risk

CREATE TABLE oracle_feeds (
    id                INTEGER NOT NULL PRIMARY KEY,
    name              TEXT NOT NULL UNIQUE,
    asset             TEXT NOT NULL,
    kind              TEXT NOT NULL CHECK (kind IN ('chainlink', 'adapter', 'fixed')),
    address           TEXT,
    fixed_price_e18   TEXT CHECK (fixed_price_e18 GLOB '[1-9]*' AND fixed_price_e18 NOT GLOB '*[^0-9]*'),
    max_staleness_sec INTEGER NOT NULL CHECK (max_staleness_sec >= 1),
    min_e18           TEXT CHECK (min_e18 = '0' OR (min_e18 GLOB '[1-9]*' AND min_e18 NOT GLOB '*[^0-9]*')),
    max_e18           TEXT CHECK (max_e18 = '0' OR (max_e18 GLOB '[1-9]*' AND max_e18 NOT GLOB '*[^0-9]*')),
    max_deviation_ppm INTEGER CHECK (max_deviation_ppm >= 0),
    description       TEXT,
    failure_streak    INTEGER NOT NULL DEFAULT 0 CHECK (failure_streak >= 0),
    checked_at        INTEGER,
    -- since when it is asked as it is: added, put back, or given another source
    added_at          INTEGER NOT NULL,
    -- time of the block that it answered at last, whatever became of the answer: older answers change nothing
    answered_at       INTEGER,
    -- since when it is not asked any more, and prices nothing; its last price stays
    removed_at        INTEGER,
    CHECK ((kind = 'fixed') = (fixed_price_e18 IS NOT NULL)),
    CHECK ((kind = 'fixed') = (address IS NULL))
) STRICT;
CREATE INDEX oracle_feeds_by_asset ON oracle_feeds (asset);

-- The last accepted quote of each source. A refused quote never gets here.
CREATE TABLE oracle_price_cache (
    asset        TEXT NOT NULL,
    feed_id      INTEGER NOT NULL REFERENCES oracle_feeds (id),
    price_e18    TEXT NOT NULL CHECK (price_e18 GLOB '[1-9]*' AND price_e18 NOT GLOB '*[^0-9]*'),
    round_id     TEXT,
    updated_at   INTEGER NOT NULL,
    block_number INTEGER NOT NULL,
    block_hash   TEXT NOT NULL,
    block_at     INTEGER NOT NULL,
    endpoint     TEXT NOT NULL,
    fetched_at   INTEGER NOT NULL,
    PRIMARY KEY (asset, feed_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE oracle_alerts (
    id         INTEGER NOT NULL PRIMARY KEY,
    feed_id    INTEGER NOT NULL REFERENCES oracle_feeds (id),
    kind       TEXT NOT NULL,
    message    TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    count      INTEGER NOT NULL CHECK (count >= 1),
    closed_at  INTEGER
) STRICT;
CREATE UNIQUE INDEX oracle_alerts_open ON oracle_alerts (feed_id, kind) WHERE closed_at IS NULL;
CREATE INDEX oracle_alerts_by_feed ON oracle_alerts (feed_id, id);

CREATE TABLE pool_risk_parameters (
    pool_id                  INTEGER NOT NULL PRIMARY KEY REFERENCES pools (id),
    engine                   TEXT NOT NULL CHECK (engine IN ('local', 'viddhana', 'legacy')),
    engine_address           TEXT,
    -- limits in base units of the pool's asset; NULL = unlimited
    max_tvl                  TEXT CHECK (max_tvl = '0' OR (max_tvl GLOB '[1-9]*' AND max_tvl NOT GLOB '*[^0-9]*')),
    max_user_deposit         TEXT
        CHECK (max_user_deposit = '0' OR (max_user_deposit GLOB '[1-9]*' AND max_user_deposit NOT GLOB '*[^0-9]*')),
    daily_withdrawal_cap     TEXT
        CHECK (daily_withdrawal_cap = '0' OR (daily_withdrawal_cap GLOB '[1-9]*' AND daily_withdrawal_cap NOT GLOB '*[^0-9]*')),
    user_daily_cap           TEXT
        CHECK (user_daily_cap = '0' OR (user_daily_cap GLOB '[1-9]*' AND user_daily_cap NOT GLOB '*[^0-9]*')),
    window                   TEXT NOT NULL CHECK (window IN ('utc-day', 'rolling-24h')),
    breaker_threshold_ppm    INTEGER CHECK (breaker_threshold_ppm BETWEEN 0 AND 1000000),
    deposits_enabled         INTEGER NOT NULL CHECK (deposits_enabled IN (0, 1)),
    withdrawals_enabled      INTEGER NOT NULL CHECK (withdrawals_enabled IN (0, 1)),
    engine_breaker           INTEGER NOT NULL CHECK (engine_breaker IN (0, 1)),
    engine_breaker_reason    TEXT,
    engine_emergency         INTEGER NOT NULL CHECK (engine_emergency IN (0, 1)),
    local_pause_reason       TEXT,
    local_paused_at          INTEGER,
    -- when the values were last confirmed; NULL = never (an engine that was never read)
    block_number             INTEGER,
    block_hash               TEXT,
    endpoint                 TEXT,
    refreshed_at             INTEGER,
    CHECK ((engine = 'local') = (engine_address IS NULL)),
    CHECK ((local_paused_at IS NULL) = (local_pause_reason IS NULL))
) STRICT;

CREATE TABLE circuit_breaker_status (
    pool_id      INTEGER NOT NULL PRIMARY KEY REFERENCES pools (id),
    active       INTEGER NOT NULL CHECK (active IN (0, 1)),
    rule         TEXT NOT NULL,
    reason       TEXT NOT NULL,
    triggered_at INTEGER NOT NULL,
    reset_at     INTEGER,
    reset_reason TEXT
) STRICT;

CREATE TABLE risk_violations (
    id         INTEGER NOT NULL PRIMARY KEY,
    pool_id    INTEGER NOT NULL REFERENCES pools (id),
    rule       TEXT NOT NULL,
    message    TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    count      INTEGER NOT NULL CHECK (count >= 1),
    closed_at  INTEGER
) STRICT;
CREATE UNIQUE INDEX risk_violations_open ON risk_violations (pool_id, rule) WHERE closed_at IS NULL;
CREATE INDEX risk_violations_by_pool ON risk_violations (pool_id, id);

-- ---------------------------------------------------------------- KALE on Stellar

CREATE TABLE poolers (
    id               TEXT NOT NULL PRIMARY KEY,
    name             TEXT NOT NULL UNIQUE,
    capacity         INTEGER NOT NULL CHECK (capacity >= 0),
    reward_split_ppm INTEGER NOT NULL CHECK (reward_split_ppm BETWEEN 0 AND 1000000),
    platform_fee_ppm INTEGER NOT NULL CHECK (platform_fee_ppm BETWEEN 0 AND 1000000),
    added_at         INTEGER NOT NULL,
    last_seen_at     INTEGER,
    CHECK (reward_split_ppm + platform_fee_ppm <= 1000000)
) STRICT, WITHOUT ROWID;

CREATE TABLE farmers (
    id                   TEXT NOT NULL PRIMARY KEY,
    address              TEXT NOT NULL UNIQUE,
    pooler_id            TEXT NOT NULL REFERENCES poolers (id),
    status               TEXT NOT NULL
        CHECK (status IN ('wallet_created', 'funded', 'active', 'leaving', 'departed')),
    stake_percentage_ppm INTEGER NOT NULL CHECK (stake_percentage_ppm BETWEEN 0 AND 1000000),
    payout_address       TEXT,
    added_at             INTEGER NOT NULL,
    status_at            INTEGER NOT NULL,
    -- the operator's name for it
    name                 TEXT UNIQUE
) STRICT, WITHOUT ROWID;
CREATE INDEX farmers_by_pooler ON farmers (pooler_id, status);

-- One row per attempt; an action succeeds at most once per farmer and block. Amounts in stroops.
CREATE TABLE plantings (
    id           INTEGER NOT NULL PRIMARY KEY,
    farmer_id    TEXT NOT NULL REFERENCES farmers (id),
    block_index  INTEGER NOT NULL CHECK (block_index >= 0),
    outcome      TEXT NOT NULL CHECK (outcome IN ('planted', 'failed')),
    stake        TEXT NOT NULL CHECK (stake = '0' OR (stake GLOB '[1-9]*' AND stake NOT GLOB '*[^0-9]*')),
    operation_id INTEGER REFERENCES operations (id),
    ledger       INTEGER,
    reason       TEXT,
    at           INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX plantings_once ON plantings (farmer_id, block_index) WHERE outcome = 'planted';
-- The same reason for the same farmer in the same block is told once.
CREATE UNIQUE INDEX plantings_told ON plantings (farmer_id, block_index, reason) WHERE outcome = 'failed';
CREATE INDEX plantings_by_block ON plantings (block_index, farmer_id);
CREATE INDEX plantings_by_operation ON plantings (operation_id) WHERE operation_id IS NOT NULL;
CREATE TABLE works (
    id           INTEGER NOT NULL PRIMARY KEY,
    farmer_id    TEXT NOT NULL REFERENCES farmers (id),
    block_index  INTEGER NOT NULL CHECK (block_index >= 0),
    outcome      TEXT NOT NULL CHECK (outcome IN ('worked', 'improved', 'failed')),
    nonce        TEXT NOT NULL CHECK (nonce = '0' OR (nonce GLOB '[1-9]*' AND nonce NOT GLOB '*[^0-9]*')),
    hash         TEXT NOT NULL,
    zeros        INTEGER NOT NULL CHECK (zeros BETWEEN 0 AND 64),
    gap          INTEGER,
    operation_id INTEGER REFERENCES operations (id),
    ledger       INTEGER,
    reason       TEXT,
    at           INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX works_once ON works (farmer_id, block_index, zeros) WHERE outcome <> 'failed';
CREATE INDEX works_by_block ON works (block_index, farmer_id);
CREATE INDEX works_by_operation ON works (operation_id) WHERE operation_id IS NOT NULL;
CREATE TABLE harvests (
    id           INTEGER NOT NULL PRIMARY KEY,
    farmer_id    TEXT NOT NULL REFERENCES farmers (id),
    block_index  INTEGER NOT NULL CHECK (block_index >= 0),
    outcome      TEXT NOT NULL CHECK (outcome IN ('harvested', 'harvested_elsewhere', 'lost', 'failed')),
    stake        TEXT NOT NULL CHECK (stake = '0' OR (stake GLOB '[1-9]*' AND stake NOT GLOB '*[^0-9]*')),
    reward       TEXT NOT NULL CHECK (reward = '0' OR (reward GLOB '[1-9]*' AND reward NOT GLOB '*[^0-9]*')),
    forecast     TEXT CHECK (forecast = '0' OR (forecast GLOB '[1-9]*' AND forecast NOT GLOB '*[^0-9]*')),
    operation_id INTEGER REFERENCES operations (id),
    ledger       INTEGER,
    reason       TEXT,
    at           INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX harvests_once ON harvests (farmer_id, block_index) WHERE outcome <> 'failed';
CREATE UNIQUE INDEX harvests_told ON harvests (farmer_id, block_index, reason) WHERE outcome = 'failed';
CREATE INDEX harvests_by_block ON harvests (block_index, farmer_id);
CREATE INDEX harvests_lost ON harvests (at) WHERE outcome = 'lost';
CREATE INDEX harvests_by_operation ON harvests (operation_id) WHERE operation_id IS NOT NULL;

-- What a pooler's farmers did in one block, in counts and stroops.
CREATE TABLE block_operations (
    pooler_id   TEXT NOT NULL REFERENCES poolers (id),
    block_index INTEGER NOT NULL,
    planted     INTEGER NOT NULL DEFAULT 0,
    worked      INTEGER NOT NULL DEFAULT 0,
    harvested   INTEGER NOT NULL DEFAULT 0,
    staked      TEXT NOT NULL DEFAULT '0' CHECK (staked = '0' OR (staked GLOB '[1-9]*' AND staked NOT GLOB '*[^0-9]*')),
    rewarded    TEXT NOT NULL DEFAULT '0'
        CHECK (rewarded = '0' OR (rewarded GLOB '[1-9]*' AND rewarded NOT GLOB '*[^0-9]*')),
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (pooler_id, block_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE pooler_compensations (
    id          INTEGER NOT NULL PRIMARY KEY,
    pooler_id   TEXT NOT NULL REFERENCES poolers (id),
    farmer_id   TEXT NOT NULL REFERENCES farmers (id),
    block_index INTEGER NOT NULL,
    fault       TEXT NOT NULL CHECK (fault IN ('pooler', 'operator')),
    amount      TEXT NOT NULL CHECK (amount = '0' OR (amount GLOB '[1-9]*' AND amount NOT GLOB '*[^0-9]*')),
    reason      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    UNIQUE (farmer_id, block_index)
) STRICT;
CREATE INDEX pooler_compensations_by_pooler ON pooler_compensations (pooler_id, block_index);

-- The best nonce found so far, so that a killed search resumes where it was. Others put theirs here for the run that is at work.
CREATE TABLE nonces (
    farmer_id   TEXT NOT NULL REFERENCES farmers (id),
    block_index INTEGER NOT NULL,
    entropy     TEXT NOT NULL,
    next_nonce  TEXT NOT NULL CHECK (next_nonce = '0' OR (next_nonce GLOB '[1-9]*' AND next_nonce NOT GLOB '*[^0-9]*')),
    best_nonce  TEXT CHECK (best_nonce = '0' OR (best_nonce GLOB '[1-9]*' AND best_nonce NOT GLOB '*[^0-9]*')),
    best_hash   TEXT,
    best_zeros  INTEGER,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (farmer_id, block_index, entropy)
) STRICT, WITHOUT ROWID;

-- Plants whose stake is neither back nor lost: one row from the plant to the harvest or the loss. Amounts in stroops.
CREATE TABLE open_pails (
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
    -- when a run first saw that the block had ended without work: the stake will be lost
    missed_at      INTEGER,
    PRIMARY KEY (block_index, farmer_id),
    CHECK ((gap IS NULL) = (zeros IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX open_pails_by_farmer ON open_pails (farmer_id, block_index);

-- What holds now and should not: a pail that is about to expire, one that is held, a stake that will be lost.
CREATE TABLE farm_alerts (
    id         INTEGER NOT NULL PRIMARY KEY,
    subject    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    message    TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    count      INTEGER NOT NULL CHECK (count >= 1),
    closed_at  INTEGER
) STRICT;
CREATE UNIQUE INDEX farm_alerts_open ON farm_alerts (subject, kind) WHERE closed_at IS NULL;
CREATE INDEX farm_alerts_by_subject ON farm_alerts (subject, id);

-- Mints that somebody else's harvest paid to a farmer of ours: each stands for one pail.
CREATE TABLE foreign_mints (
    event_id    TEXT NOT NULL PRIMARY KEY,
    farmer_id   TEXT NOT NULL REFERENCES farmers (id),
    block_index INTEGER NOT NULL,
    UNIQUE (farmer_id, block_index)
) STRICT, WITHOUT ROWID;

-- What each farmer's account held when state and chain were last compared: what is booked since must explain what it holds now.
CREATE TABLE farm_baselines (
    farmer_id   TEXT NOT NULL PRIMARY KEY REFERENCES farmers (id),
    ledger      INTEGER NOT NULL CHECK (ledger >= 0),
    block_index INTEGER NOT NULL CHECK (block_index >= 0),
    held        TEXT NOT NULL CHECK (held = '0' OR (held GLOB '[1-9]*' AND held NOT GLOB '*[^0-9]*')),
    -- how often what it holds since was not explained: an owner's own payment, or a mint that was left out
    looks       INTEGER NOT NULL CHECK (looks >= 0),
    at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a farmer is farmed by, where that is not the default for all (NULL, or no row). Stakes in stroops.
CREATE TABLE farmer_strategies (
    farmer_id    TEXT NOT NULL PRIMARY KEY REFERENCES farmers (id),
    target_zeros INTEGER CHECK (target_zeros BETWEEN 1 AND 16),
    min_work_sec INTEGER CHECK (min_work_sec BETWEEN 0 AND 299),
    harvest_only INTEGER CHECK (harvest_only IN (0, 1)),
    min_stake    TEXT CHECK (min_stake = '0' OR (min_stake GLOB '[1-9]*' AND min_stake NOT GLOB '*[^0-9]*')),
    max_stake    TEXT CHECK (max_stake = '0' OR (max_stake GLOB '[1-9]*' AND max_stake NOT GLOB '*[^0-9]*'))
) STRICT, WITHOUT ROWID;

-- Who may use the server. A token itself is shown once and stored nowhere.
CREATE TABLE tokens (
    id         TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 8),
    name       TEXT UNIQUE,
    role       TEXT NOT NULL CHECK (role IN ('operator', 'reader', 'pooler', 'farmer', 'member', 'miner')),
    -- whose: id of a pooler or farmer, address of a member, name of a miner
    subject    TEXT,
    -- SHA-256 of the token, hex
    hash       TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    -- to the minute; no fact of the audit log
    used_at    INTEGER,
    CHECK ((subject IS NULL) = (role IN ('operator', 'reader')))
) STRICT, WITHOUT ROWID;

-- What a request with an Idempotency-Key was answered: NULL while it is at work.
CREATE TABLE answers (
    token_id TEXT NOT NULL REFERENCES tokens (id),
    key      TEXT NOT NULL,
    -- SHA-256 of route and body, hex
    request  TEXT NOT NULL CHECK (length(request) = 64),
    -- the run that works on it, or did
    run_id   TEXT NOT NULL,
    status   INTEGER CHECK (status BETWEEN 200 AND 599),
    body     TEXT,
    at       INTEGER NOT NULL,
    PRIMARY KEY (token_id, key),
    CHECK ((status IS NULL) = (body IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX answers_by_age ON answers (at);
