-- Step 5: what is believed only on evidence. Not released yet: until then it changes in place.

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
