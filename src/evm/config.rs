//! What a profile says about its chain, and which of its blocks a view stands on.

use super::Learned;
use alloy::primitives::{Address, address};
use base::{Code, Endpoint, Error, Result};
use net::{HttpLimits, RetryPolicy};
use std::fmt;
use std::str::FromStr;

/// Multicall3 where nearly every chain has it, <https://github.com/mds1/multicall3>.
pub const MULTICALL3: Address = address!("0xcA11bde05977b3631167028862bE2a173976CA11");

/// Which block a view is to stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum At {
    /// The chain's last final block.
    Finalized,
    /// The chain's last safe block.
    #[default]
    Safe,
    /// The newest block, which a reorg may take away.
    Latest,
    /// A block by its height.
    Number(u64),
}

impl FromStr for At {
    type Err = Error;

    /// Reads `finalized`, `safe`, `latest` or a height in decimal digits. Errors: `invalid_value`.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "finalized" => Some(Self::Finalized),
            "safe" => Some(Self::Safe),
            "latest" => Some(Self::Latest),
            _ => grind::json::digits(text).map(Self::Number),
        }
        .ok_or_else(|| {
            Error::new(Code::InvalidValue, format!("invalid block: {text:?}"))
                .hint("write finalized, safe, latest or a block number")
        })
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finalized => f.write_str("finalized"),
            Self::Safe => f.write_str("safe"),
            Self::Latest => f.write_str("latest"),
            Self::Number(n) => write!(f, "{n}"),
        }
    }
}

/// By what a block was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChosenBy {
    /// The chain's own tag, or the height that was asked for.
    Chain,
    /// The chain has no such tag: so many blocks below the newest one.
    Confirmations(u64),
}

impl ChosenBy {
    /// The tag's name, or what stands in for it: `head-64`.
    pub(super) fn words(self, tag: &str) -> String {
        match self {
            Self::Chain => tag.to_owned(),
            Self::Confirmations(below) => format!("head-{below}"),
        }
    }
}

/// How wide log queries are, in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// Width of the first query.
    pub start: u64,
    /// Width that queries grow to.
    pub most: u64,
    /// How many of the last blocks read are held against their headers' blooms: their headers are fetched.
    pub blooms: u64,
}

/// What a profile says about its chain.
#[derive(Debug, Clone)]
pub struct ChainConfig {
    /// The profile's name, for errors.
    pub profile: String,
    /// The pinned chain id (EIP-155).
    pub chain_id: u64,
    /// Endpoints, the preferred one first.
    pub endpoints: Vec<Endpoint>,
    /// Limits on each HTTP exchange.
    pub http: HttpLimits,
    /// How one endpoint is asked again.
    pub retry: RetryPolicy,
    /// Blocks below the newest one that stand in for a missing `safe` or `finalized` tag.
    pub confirmations: u64,
    /// Where Multicall3 is looked for.
    pub multicall: Address,
    /// Calls per multicall.
    pub multicall_chunk: usize,
    /// Calls per JSON-RPC batch; 1 = no batches.
    pub batch: usize,
    /// Width of log queries.
    pub logs: LogLimits,
    /// What earlier runs learned.
    pub learned: Learned,
}

impl ChainConfig {
    /// The defaults for a profile's chain.
    pub fn new(profile: impl Into<String>, chain_id: u64, endpoints: Vec<Endpoint>) -> Self {
        Self {
            profile: profile.into(),
            chain_id,
            endpoints,
            http: HttpLimits::default(),
            retry: RetryPolicy::default(),
            confirmations: 64,
            multicall: MULTICALL3,
            multicall_chunk: 1_000,
            batch: 500,
            logs: LogLimits { start: 2_000, most: 50_000, blooms: 1_280 },
            learned: Learned::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_at_takes() {
        for (text, want) in [
            ("finalized", At::Finalized),
            ("safe", At::Safe),
            ("latest", At::Latest),
            ("0", At::Number(0)),
            ("18446744073709551615", At::Number(u64::MAX)),
        ] {
            assert_eq!(text.parse::<At>().ok(), Some(want), "{text:?}");
            assert_eq!(want.to_string(), text);
        }
        for bad in ["18446744073709551616", "", "+1", "-1", "0x10", "Latest", "pending", "1 "] {
            assert!(bad.parse::<At>().is_err(), "{bad:?}");
        }
    }
}
