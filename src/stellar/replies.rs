//! What Stellar RPC answers, decoded.

use super::diagnostics::Raised;
use super::protocol::Newer;
use super::xdr::{
    ContractEvent, LedgerEntryData, ScVal, SorobanAuthorizationEntry, SorobanTransactionData,
    TransactionResult,
};
use grind::job::Number;
use grind::json::Object;
use serde::{Deserialize, Deserializer, Serialize};

/// A closed ledger: what a figure was read at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// Its number.
    pub sequence: u32,
    /// When it closed, in seconds since 1970, by the network's own clock.
    pub close_time: u64,
}

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it holds.
    pub data: LedgerEntryData,
    /// The last ledger that changed it.
    pub last_modified: u32,
    /// The last ledger in which it lives; contract data and code only.
    pub live_until: Option<u32>,
}

/// The health of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `healthy`, or the server's own word.
    pub status: String,
    /// Its newest ledger.
    pub latest_ledger: u32,
    /// The oldest ledger that it can tell of.
    pub oldest_ledger: u32,
    /// How many ledgers it keeps.
    #[serde(rename = "ledgerRetentionWindow")]
    pub retention: u32,
}

/// What inclusion cost lately, in stroops for each operation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeeStats {
    /// Of contract calls.
    #[serde(rename = "sorobanInclusionFee", deserialize_with = "object")]
    pub soroban: Percentiles,
    /// Of classic transactions.
    #[serde(rename = "inclusionFee", deserialize_with = "object")]
    pub classic: Percentiles,
    /// Its newest ledger.
    pub latest_ledger: u32,
}

fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    Object::deserialize(from).map(|Object(read)| read)
}

/// A distribution of fees, in stroops.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Percentiles {
    p50: Number,
    p60: Number,
    p70: Number,
    p80: Number,
    p90: Number,
    p95: Number,
    p99: Number,
    max: Number,
}

/// Which part of the fees paid lately a bid should reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum Percentile {
    /// Half of them.
    P50,
    /// 60 %.
    P60,
    /// 70 %.
    P70,
    /// 80 %.
    P80,
    /// 90 %.
    #[default]
    P90,
    /// 95 %.
    P95,
    /// 99 %.
    P99,
    /// All of them.
    Max,
}

impl Percentiles {
    /// Stroops for each operation.
    pub fn at(&self, percentile: Percentile) -> u64 {
        let Number(stroops) = match percentile {
            Percentile::P50 => self.p50,
            Percentile::P60 => self.p60,
            Percentile::P70 => self.p70,
            Percentile::P80 => self.p80,
            Percentile::P90 => self.p90,
            Percentile::P95 => self.p95,
            Percentile::P99 => self.p99,
            Percentile::Max => self.max,
        };
        stroops
    }
}

/// A transaction tried on the newest ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation {
    /// The ledger it was tried on.
    pub ledger: u32,
    /// What came of it.
    pub outcome: Result<Simulated, Refusal>,
}

/// What a transaction that would succeed needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulated {
    /// Footprint, resources and the resource fee in stroops, without any margin.
    pub data: SorobanTransactionData,
    /// Authorisations of the call.
    pub auth: Vec<SorobanAuthorizationEntry>,
    /// What the call would return; none for operations on entries' lives.
    pub value: Option<ScVal>,
    /// Entries that must be restored first: footprint, resources and fee of the transaction that does it.
    pub restore: Option<SorobanTransactionData>,
}

/// Why a simulation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The server's words, cut.
    pub words: String,
    /// The error, by the diagnostic events.
    pub raised: Option<Raised>,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It waits for a ledger.
    Pending,
    /// It was waiting already.
    Duplicate,
    /// The server does not take it now.
    TryAgainLater,
    /// It cannot enter a ledger.
    Refused(Box<TransactionResult>),
}

/// What an endpoint knows of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Its newest ledger.
    pub latest: Ledger,
    /// The oldest ledger that it can tell of.
    pub oldest: Ledger,
    /// The transaction, if it is in one of these ledgers.
    pub found: Option<Landed>,
}

/// A transaction in a closed ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed {
    /// Where.
    pub ledger: Ledger,
    /// Whether it succeeded.
    pub succeeded: bool,
    /// Its result; `fee_charged` in stroops.
    pub result: TransactionResult,
    /// What its contract call returned.
    pub value: Option<ScVal>,
    /// Events of contracts and assets, in order.
    pub events: Vec<ContractEvent>,
    /// Contract data that it took away, as it was before.
    pub removed: Vec<LedgerEntryData>,
    /// The error of a failed call.
    pub raised: Option<Raised>,
    /// What it changed and returned is in a form of this protocol, which cannot be read here: there is no `value` and nothing is
    /// `removed`, whatever it did.
    pub newer: Option<Newer>,
}

/// One event of a contract, in a closed ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Place in the chain's order of events; unique.
    pub id: String,
    /// Its ledger's number.
    pub ledger: u32,
    /// Hash of its transaction, lower-case hex.
    pub tx_hash: String,
    /// Which contract, `C…`.
    pub contract: String,
    /// What kind of event, and of what.
    pub topics: Vec<ScVal>,
    /// Its particulars.
    pub value: ScVal,
}

/// Some events, in order, and where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// Where the next page begins.
    pub cursor: String,
    /// The endpoint's newest ledger.
    pub latest_ledger: u32,
    /// The oldest ledger that it can tell of.
    pub oldest_ledger: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_have_their_words() {
        for word in ["p50", "p60", "p70", "p80", "p90", "p95", "p99", "max"] {
            assert!(word.parse::<Percentile>().is_ok(), "{word}");
        }
        assert_eq!("p90".parse(), Ok(Percentile::default()));
        assert!("p91".parse::<Percentile>().is_err());
    }
}
