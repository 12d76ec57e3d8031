//! Every setting there is: key, type, default, environment names, and what it means.

/// The form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whole number within bounds, both allowed.
    Number(u64, u64),
    /// `true` or `false`.
    Bool,
    /// Plain decimal in whole units.
    Decimal,
    /// A decimal from 0 to 1 with at most six decimals.
    Ratio,
    /// An EVM address.
    Address,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
    /// A list of `URL` or `NAME=URL`; secret.
    Endpoints,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Dotted name, as in the config file.
    pub name: &'static str,
    /// Form of its value.
    pub kind: Kind,
    /// Default, as it would stand in the config file; `None` = not set.
    pub default: Option<&'static str>,
    /// Environment names of the earlier services, strongest first; `POOLCTL_…` always comes before them.
    pub legacy: &'static [&'static str],
    /// May be set at run time with `config set`.
    pub runtime: bool,
    /// One line of help.
    pub help: &'static str,
}

impl Key {
    /// Its own environment name: `POOLCTL_EVM_CHAIN_ID`.
    pub fn env(&self) -> String {
        format!("POOLCTL_{}", self.name.to_ascii_uppercase().replace('.', "_"))
    }

    /// Values that must never be shown.
    pub const fn secret(&self) -> bool {
        matches!(self.kind, Kind::Endpoints)
    }
}

const fn key(name: &'static str, kind: Kind, default: Option<&'static str>, help: &'static str) -> Key {
    Key { name, kind, default, legacy: &[], runtime: true, help }
}

const fn fixed(name: &'static str, kind: Kind, default: Option<&'static str>, help: &'static str) -> Key {
    Key { name, kind, default, legacy: &[], runtime: false, help }
}

const fn also(mut key: Key, legacy: &'static [&'static str]) -> Key {
    key.legacy = legacy;
    key
}

/// All settings, in the order in which they are shown.
pub const KEYS: &[Key] = &[
    also(
        fixed("state.path", Kind::Text, None, "the state file; default: the platform's data folder"),
        &["POOLCTL_STATE"],
    ),
    fixed(
        "guard.confirm",
        Kind::Bool,
        None,
        "ask (or need --yes) before value moves; default: not on testnet and sandbox",
    ),
    fixed("evm.chain_id", Kind::Number(1, u64::MAX), None, "the EVM chain this profile is pinned to"),
    also(
        fixed(
            "evm.rpc_urls",
            Kind::Endpoints,
            None,
            "EVM endpoints in order of preference, each URL or NAME=URL",
        ),
        &["RPC_URLS", "RPC_URL"],
    ),
    key(
        "evm.at",
        Kind::Choice(&["finalized", "safe", "latest"]),
        Some("safe"),
        "the block that a command reads at",
    ),
    key(
        "evm.confirmations",
        Kind::Number(0, 100_000),
        Some("12"),
        "stands for safe and finalized on chains without these tags",
    ),
    key("evm.timeout_sec", Kind::Number(1, 600), Some("20"), "time that one request may take"),
    key("evm.attempts", Kind::Number(1, 20), Some("4"), "tries per endpoint before the next one takes over"),
    key(
        "evm.retry_base_ms",
        Kind::Number(1, 60_000),
        Some("250"),
        "first pause between tries; doubles, with jitter",
    ),
    key("evm.multicall", Kind::Address, Some("0xcA11bde05977b3631167028862bE2a173976CA11"), "Multicall3"),
    key(
        "evm.log_blocks",
        Kind::Number(1, 1_000_000),
        Some("10000"),
        "most blocks asked for in one log query",
    ),
    also(
        key("reward.epoch_blocks", Kind::Number(1, 10_000_000), Some("100"), "blocks in a reward epoch"),
        &["POOL_REWARD_EPOCH_BLOCKS"],
    ),
    also(
        key(
            "reward.block_reward",
            Kind::Decimal,
            Some("2"),
            "emission per block, in whole units of reward.asset",
        ),
        &["BLOCK_REWARD"],
    ),
    also(
        key("reward.block_time_sec", Kind::Number(1, 86_400), Some("5"), "seconds per block, for APR"),
        &["BLOCK_TIME_SEC"],
    ),
    key("reward.asset", Kind::Address, None, "the token in which rewards are counted"),
    key(
        "reward.basis",
        Kind::Choice(&["time-weighted", "snapshot"]),
        Some("time-weighted"),
        "what a holder's part is measured by",
    ),
    also(
        key(
            "oracle.max_staleness_sec",
            Kind::Number(1, 31_536_000),
            Some("3600"),
            "oldest accepted quote of a feed without its own heartbeat",
        ),
        &["ORACLE_MAX_STALENESS_SEC"],
    ),
    also(
        key(
            "oracle.cache_ttl_sec",
            Kind::Number(0, 31_536_000),
            Some("300"),
            "how long oracle get serves a cached price",
        ),
        &["ORACLE_CACHE_TTL_SEC"],
    ),
    also(
        key(
            "risk.check_interval_min",
            Kind::Number(1, 10_080),
            Some("5"),
            "age after which a risk check is overdue",
        ),
        &["POOL_RISK_CHECK_INTERVAL_MIN"],
    ),
    key(
        "risk.max_age_sec",
        Kind::Number(1, 31_536_000),
        Some("3600"),
        "oldest risk parameters that still allow anything",
    ),
    key(
        "risk.max_rate_drop",
        Kind::Ratio,
        Some("0.005"),
        "fall of the exchange rate between two syncs that is an alert, for pools without their own",
    ),
    key(
        "risk.failure_streak",
        Kind::Number(1, 1_000),
        Some("3"),
        "refused quotes in a row that count as an oracle failure",
    ),
    also(
        fixed(
            "stellar.network",
            Kind::Choice(&["mainnet", "testnet", "sandbox"]),
            None,
            "the Stellar network; default: by profile",
        ),
        &["STELLAR_NETWORK"],
    ),
    also(
        fixed(
            "stellar.rpc_urls",
            Kind::Endpoints,
            None,
            "Stellar RPC endpoints in order of preference, each URL or NAME=URL",
        ),
        &["STELLAR_RPC_URL"],
    ),
    also(
        fixed("kale.contract_id", Kind::Text, None, "the KALE farm contract; default: the network's"),
        &["KALE_CONTRACT_ID"],
    ),
    also(
        key(
            "log.level",
            Kind::Choice(&["off", "error", "warn", "info", "debug", "trace"]),
            Some("info"),
            "what is logged to stderr",
        ),
        &["LOG_LEVEL"],
    ),
];

/// Finds a setting by its dotted name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The known name that is nearest to a misspelt one, if it is near at all.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
