//! Every setting there is: key, type, default, environment names, and what it means.

/// Parts of the fees paid lately, as `getFeeStats` names them.
const FEE_PERCENTILES: &[&str] = &["p50", "p60", "p70", "p80", "p90", "p95", "p99", "max"];

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
    /// A span of time with its unit, of so many seconds at least; `off` may stand there instead where that is true.
    Duration(u64, bool),
    /// An EVM address.
    Address,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A SHA-256 in hex.
    Digest,
    /// Any text.
    Text,
    /// A list of `URL` or `NAME=URL`; secret.
    Endpoints,
    /// A list of Stellar accounts.
    Accounts,
    /// A command line for the shell; secret, because people write secrets into them.
    Command,
    /// The channels of notifications, as TOML; in the config file a table for each. Secret.
    Channels,
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
        matches!(self.kind, Kind::Endpoints | Kind::Command | Kind::Channels)
    }

    /// Values that are lists: an array in the config file, joined by commas elsewhere.
    pub const fn is_list(&self) -> bool {
        matches!(self.kind, Kind::Endpoints | Kind::Accounts)
    }
}

/// What the words of the table stand for, and a default that may be left out.
macro_rules! part {
    (key) => {
        true
    };
    (fixed) => {
        false
    };
    () => {
        None
    };
    ($value:literal) => {
        Some($value)
    };
}

/// The table of the settings: what may be set at run time is a `key`, all else is `fixed`; then its name, the older names in
/// the environment, its form, its default and its help.
macro_rules! settings {
    ($($runtime:tt $name:literal $([$($legacy:literal),+])?: $kind:ident $(($($bound:expr),+))? $(= $default:literal)?, $help:literal;)+) => {
        /// All settings, in the order in which they are shown.
        pub const KEYS: &[Key] = &[$(Key {
            name: $name,
            kind: Kind::$kind $(($($bound),+))?,
            default: part!($($default)?),
            legacy: &[$($($legacy),+)?],
            runtime: part!($runtime),
            help: $help,
        },)+];
    };
}

settings! {
    fixed "state.path" ["POOLCTL_STATE"]: Text, "the state file; default: the platform's data folder";
    fixed "guard.confirm": Bool,
        "ask, or need consent, before value moves; default: not on testnet and sandbox";
    fixed "evm.chain_id": Number(1, u64::MAX), "the EVM chain this profile is pinned to";
    fixed "evm.rpc_urls" ["RPC_URLS", "RPC_URL"]: Endpoints,
        "EVM endpoints in order of preference, each URL or NAME=URL";
    key "evm.at": Choice(&["finalized", "safe", "latest"]) = "safe", "the block that a command reads at";
    key "evm.confirmations": Number(0, 100_000) = "12",
        "stands for safe and finalized on chains without these tags";
    key "evm.bloom_blocks": Number(0, 100_000) = "1280",
        "newest blocks of what is read whose headers are fetched, to hold their blooms against the logs that came";
    key "evm.overlap_blocks": Number(0, 10_000) = "64",
        "blocks before a pool's cursor that each sync reads again, at another endpoint where there is one";
    key "evm.max_head_age_sec": Number(1, 4_000_000_000) = "120",
        "age of an endpoint's newest block above which doctor calls it out of date";
    key "evm.timeout_sec": Number(1, 600) = "20", "time that one request may take";
    key "evm.attempts": Number(1, 20) = "4", "tries per endpoint before the next one takes over";
    key "evm.retry_base_ms": Number(1, 60_000) = "250", "first pause between tries; doubles, with jitter";
    key "evm.multicall": Address = "0xcA11bde05977b3631167028862bE2a173976CA11", "Multicall3";
    key "evm.log_blocks": Number(1, 1_000_000) = "10000", "most blocks asked for in one log query";
    key "reward.epoch_blocks" ["POOL_REWARD_EPOCH_BLOCKS"]: Number(1, 10_000_000) = "100",
        "blocks in a reward epoch";
    key "reward.block_reward" ["BLOCK_REWARD"]: Decimal = "2",
        "emission per block, in whole units of reward.asset";
    key "reward.block_time_sec" ["BLOCK_TIME_SEC"]: Number(1, 86_400) = "5", "seconds per block, for APR";
    key "reward.asset": Address, "the token in which rewards are counted";
    key "reward.basis": Choice(&["time-weighted", "snapshot"]) = "time-weighted",
        "what a holder's part is measured by";
    key "reward.check_holders": Number(1, 10_000_000) = "20000",
        "holders whose balances are compared before an epoch is paid; of more, a random sample";
    key "oracle.max_staleness_sec" ["ORACLE_MAX_STALENESS_SEC"]: Number(1, 31_536_000) = "3600",
        "oldest accepted quote of a feed without its own heartbeat";
    key "oracle.cache_ttl_sec" ["ORACLE_CACHE_TTL_SEC"]: Number(0, 31_536_000) = "300",
        "how long oracle get serves a cached price";
    key "oracle.max_spread": Ratio = "0.05",
        "largest distance between an asset's feeds in oracle aggregate, as a part of their median";
    key "oracle.sequencer_feed": Address,
        "an L2 chain's sequencer uptime feed; while it is down or in grace every quote is refused";
    key "oracle.sequencer_grace_sec": Number(0, 604_800) = "3600",
        "how long after the sequencer came up again quotes are refused still";
    key "risk.check_interval_min" ["POOL_RISK_CHECK_INTERVAL_MIN"]: Number(1, 10_080) = "5",
        "age after which a risk check is overdue";
    key "risk.max_age_sec": Number(1, 31_536_000) = "3600",
        "oldest risk parameters that still allow anything";
    key "risk.max_rate_drop": Ratio = "0.005",
        "fall of the exchange rate between two syncs that is an alert, for pools without their own";
    key "risk.failure_streak": Number(1, 1_000) = "3",
        "refused quotes in a row that count as an oracle failure";
    fixed "stellar.network" ["STELLAR_NETWORK"]: Choice(&["mainnet", "testnet", "sandbox"]),
        "the Stellar network; default: by profile";
    fixed "stellar.rpc_urls" ["STELLAR_RPC_URL"]: Endpoints,
        "Stellar RPC endpoints in order of preference, each URL or NAME=URL";
    key "stellar.max_head_age_sec": Number(1, 4_000_000_000) = "60",
        "age of an endpoint's newest ledger above which doctor calls it out of date";
    key "stellar.timeout_sec": Number(1, 600) = "20", "time that one request may take";
    key "stellar.attempts": Number(1, 20) = "4", "tries per endpoint before the next one takes over";
    key "stellar.retry_base_ms": Number(1, 60_000) = "250", "first pause between tries; doubles, with jitter";
    key "stellar.poll_ms": Number(10, 60_000) = "1000",
        "pause between two looks at what became of a transaction";
    key "stellar.tx_valid_sec": Number(10, 3_600) = "120", "how long a transaction is valid, in ledger time";
    key "stellar.fee_percentile": Choice(FEE_PERCENTILES) = "p90",
        "which part of the fees paid lately is offered for inclusion";
    key "stellar.max_inclusion_fee": Number(100, 100_000_000) = "1000000",
        "most stroops offered for the inclusion of one operation";
    key "stellar.resource_margin": Number(0, 300) = "15", "percent added to the resource fee of a simulation";
    fixed "kale.contract_id" ["KALE_CONTRACT_ID"]: Text, "the KALE farm contract; default: the network's";
    key "kale.wasm_hash": Digest,
        "the code of the farm contract that is accepted; default: the one that was seen first";
    key "kale.cap_stake": Bool = "true", "stake no more than the largest stake that counts in the block";
    key "kale.min_lumens": Decimal = "1",
        "lumens above the reserve that a farmer needs, where no sponsor pays its fees";
    key "kale.max_resource_fee": Decimal = "10",
        "most lumens that the resources of one contract call may cost; nothing above it is signed";
    key "kale.submitter": Accounts,
        "accounts that send work and harvests for all farmers, one call a ledger each; default: each farmer its own";
    key "kale.parallel": Number(1, 100) = "10", "transactions under way at once";
    key "kale.plant_cutoff_sec": Number(1, 299) = "60",
        "no plant begins in the last seconds of a block; the next one is waited for";
    key "kale.work_margin_sec": Number(1, 299) = "20",
        "seconds before a block may roll over at which work is submitted";
    key "kale.work_policy": Choice(&["late", "early", "insured"]) = "late",
        "when work is submitted: near the deadline, as soon as it will do, or both";
    key "kale.early_sec": Number(0, 299) = "30", "how long work policy early grinds at most";
    key "kale.harvest_delay_sec": Number(0, 86_400) = "60", "how long after the roll-over farm run harvests";
    key "kale.harvest_alarm_sec": Number(1, 1_000_000) = "10800",
        "a pail that expires within this time is an alert";
    key "strategy.target_zeros": Number(1, 16),
        "zeros that are enough, never more than count in the block; default: as many as count, 6 where that is not known";
    key "strategy.min_work_sec": Number(0, 299) = "0",
        "first seconds of a block in which no work is submitted, except at its deadline";
    key "strategy.harvest_only": Bool = "false", "plant nothing; pails are worked and harvested";
    key "strategy.min_stake": Decimal,
        "least KALE that a farmer stakes in a block; nothing where it has less";
    key "strategy.max_stake": Decimal,
        "most KALE that a farmer stakes in a block, above the least; default: as far as it counts";
    fixed "strategy.command": Command,
        "a program that is asked before each block, JSON in, JSON out; run without a shell; without its answer nothing is planted";
    key "strategy.timeout_sec": Number(1, 120) = "10", "how long strategy.command may take";
    key "health.sync_max_age_min": Number(1, 100_000) = "15",
        "age after which the sync of a pool is overdue in health";
    key "health.cycle_max_age_min": Number(1, 1_000_000) = "180",
        "age after which a reward cycle is overdue in health";
    key "health.oracle_max_age_min": Number(1, 100_000) = "15",
        "age after which the check of a feed is overdue in health";
    key "health.plant_max_age_min": Number(1, 100_000) = "20",
        "age after which the last plant of a pooler is too old for health";
    key "health.work_max_age_min": Number(1, 100_000) = "20", "the same for its last work";
    key "health.harvest_max_age_min": Number(1, 100_000) = "30", "the same for its last harvest";
    key "health.operation_max_age_min": Number(1, 100_000) = "10",
        "age after which a transaction that is not settled is a finding of health";
    fixed "notify.channels": Channels,
        "where notifications go: a table for each channel; it may name files or commands that hold its secrets";
    key "notify.timeout_sec": Number(1, 120) = "10", "time that one notification may take to be sent";
    key "notify.attempts": Number(1, 100) = "12", "tries after which a notification is given up";
    key "notify.retry_base_sec": Number(1, 3_600) = "30",
        "first pause before a notification is tried again; doubles, up to an hour";
    key "schedule.sync": Duration(1, true) = "5m", "how often run syncs the pools, or off";
    key "schedule.oracle": Duration(1, true) = "5m", "how often run checks the feeds, or off";
    key "schedule.risk": Duration(1, true) = "5m", "how often run checks the risk limits, or off";
    key "schedule.cycle": Duration(1, true),
        "how often run pays rewards, or off; default: once an epoch, by reward.block_time_sec";
    key "schedule.farm": Duration(1, true) = "1m", "how often run does what is due at the farm, or off";
    key "schedule.metrics": Duration(1, true) = "1m", "how often run writes the metrics file, or off";
    key "schedule.backup": Duration(1, true) = "1d", "how often run backs up the state, or off";
    key "schedule.prune": Duration(1, true) = "1d", "how often run moves old rows into an archive, or off";
    key "schedule.timeout": Duration(1, false) = "30m",
        "how long a part of the schedule may take before it is ended";
    fixed "schedule.metrics_file": Text, "the file that run writes metrics to; without it there are none";
    fixed "schedule.backup_folder": Text, "the folder that run puts backups into; without it there are none";
    key "schedule.backup_keep": Number(1, 100_000) = "30", "newest backups of the profile that stay in that folder";
    key "schedule.prune_older_than": Duration(86_400, false) = "90d", "age above which run prunes rows";
    fixed "keys.path": Text, "the key store; default: beside the state file, ending in .keys.age";
    fixed "keys.identity_file": Text,
        "age identities that lock and unlock the key store without a passphrase, for cron";
    fixed "keys.passphrase_file": Text,
        "a file, readable by its owner alone, with the passphrase of the key store";
    fixed "keys.passphrase_command": Command, "a shell command that prints the passphrase of the key store";
    key "log.level" ["LOG_LEVEL"]: Choice(&["off", "error", "warn", "info", "debug", "trace"]) = "info",
        "what is logged to stderr";
}

/// Finds a setting by its dotted name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Names in the environment that hold secrets, or say where some are.
pub fn secret_env() -> impl Iterator<Item = String> {
    let names = |key: &'static Key| {
        std::iter::once(key.env()).chain(key.legacy.iter().map(|name| (*name).to_owned()))
    };
    let others = ["POOLCTL_PASSPHRASE", "CREDENTIALS_DIRECTORY"].map(str::to_owned);
    KEYS.iter().filter(|key| key.secret()).flat_map(names).chain(others)
}

/// The known name that is nearest to a misspelt one, if it is near at all; the one that begins so, where only one does.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    // Of a single letter nothing is meant yet.
    let mut begun = known.clone().filter(|candidate| name.len() > 1 && candidate.starts_with(name));
    if let (Some(one), None) = (begun.next(), begun.next()) {
        return Some(one);
    }
    let most = |candidate: &str| 2.max(candidate.len() / 3);
    let length = name.chars().count();
    known
        // No farther than their lengths differ: a name may be a megabyte, and the way there takes the product of both.
        .filter(|candidate| length.abs_diff(candidate.chars().count()) <= most(candidate))
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        // Where every letter is another one, nothing is near.
        .filter(|(distance, candidate)| {
            *distance <= most(candidate) && *distance < length.max(candidate.chars().count())
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_named_and_nothing_else() {
        for (name, known, want) in [
            ("al", vec!["m1", "alice"], Some("alice")),
            ("al", vec!["alice", "alma"], Some("alma")),
            ("alise", vec!["alice", "alma"], Some("alice")),
            ("GB", vec!["f1", "f2"], None),
            ("G", vec!["f1"], None),
            ("f3", vec!["f1"], Some("f1")),
            ("alice", vec![], None),
        ] {
            assert_eq!(nearest(name, known.iter().copied()), want, "{name} of {known:?}");
        }
    }
}
