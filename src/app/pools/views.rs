//! Output structs and words that several commands share.

use base::amount::{Base, Quantity};
use base::{Result, clock, forms};
use evm::ViewStamp;
use schemars::JsonSchema;
use serde::Serialize;
use vault::pool::abi::MaxDeposit;
use vault::pool::{self, Asset, Pool, Snapshot};

/// A token.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AssetView {
    /// Its address.
    #[schemars(with = "forms::EvmAddress")]
    pub address: String,
    /// `symbol()`.
    pub symbol: String,
    /// `decimals()`.
    pub decimals: u8,
}

impl From<&Asset> for AssetView {
    fn from(asset: &Asset) -> Self {
        Self { address: asset.address.to_string(), symbol: asset.symbol.clone(), decimals: asset.decimals }
    }
}

/// A pool with the figures of its last sync.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PoolView {
    /// The operator's name for it.
    pub name: String,
    /// The vault or pool contract.
    #[schemars(with = "forms::EvmAddress")]
    pub address: String,
    /// ABI profile.
    pub abi: &'static str,
    /// What is deposited.
    pub asset: AssetView,
    /// TVL.
    pub total_assets: Option<Quantity>,
    /// Shares.
    pub total_shares: Option<Quantity>,
    /// Assets per share.
    pub exchange_rate: Option<Quantity>,
    /// Whether it is paused; null where it cannot be, or before the first sync.
    pub paused: Option<bool>,
    /// Smallest deposit; null = any.
    pub min_deposit: Option<Quantity>,
    /// Largest deposit; null = unlimited, unless it is among the unknown limits.
    pub max_deposit: Option<Quantity>,
    /// Limits that the contract has by its profile and did not return at the last sync: `max_deposit`.
    pub unknown_limits: Vec<&'static str>,
    /// Seconds between a deposit and the first withdrawal; null where the contract knows no such thing.
    pub cooldown_sec: Option<u64>,
    /// Whose view the figures are; null before the first sync.
    pub view: Option<ViewStamp>,
    /// When they were read, RFC 3339.
    #[schemars(with = "Option<forms::Time>")]
    pub synced_at: Option<String>,
    /// How long ago.
    pub age_sec: Option<u64>,
    /// Since when it is retired, RFC 3339; null while it is in use.
    #[schemars(with = "Option<forms::Time>")]
    pub retired_at: Option<String>,
}

impl PoolView {
    /// From the state.
    pub fn of(conn: &rusqlite::Connection, pool: &Pool, now: i64) -> Result<Self> {
        Ok(Self::new(pool, pool::snapshot(conn, pool)?.as_ref(), now))
    }

    /// From the figures of its last sync.
    pub fn new(pool: &Pool, snapshot: Option<&Snapshot>, now: i64) -> Self {
        let s = snapshot;
        let unknown = s.is_some_and(|s| matches!(s.max_deposit, MaxDeposit::Unknown(_)));
        Self {
            name: pool.name.clone(),
            address: pool.address.to_string(),
            abi: pool.abi.as_str(),
            asset: AssetView::from(&pool.asset),
            total_assets: s.map(|s| pool.asset.quantity(s.total_assets)),
            total_shares: s.map(|s| pool.shares(s.total_shares)),
            exchange_rate: s.map(|s| Quantity::new(s.rate_e18, 18, "")),
            paused: s.and_then(|s| s.paused),
            min_deposit: s.and_then(|s| s.min_deposit).map(|min| pool.asset.quantity(min)),
            max_deposit: s.and_then(|s| s.max_deposit.amount()).map(|max| pool.asset.quantity(max)),
            unknown_limits: unknown.then_some("max_deposit").into_iter().collect(),
            cooldown_sec: s.and_then(|s| s.cooldown_sec),
            view: s.map(stamp),
            synced_at: s.map(|s| clock::rfc3339(s.synced_at)),
            age_sec: s.map(|s| age(s.synced_at, now)),
            retired_at: pool.retired_at.map(clock::rfc3339),
        }
    }

    /// "synced 3m 12s ago", or that it never was.
    pub fn freshness(&self) -> String {
        self.age_sec
            .map_or_else(|| "never synced".to_owned(), |age| format!("synced {} ago", clock::span(age)))
    }
}

/// Block and endpoint of a snapshot.
pub fn stamp(snapshot: &Snapshot) -> ViewStamp {
    ViewStamp::new(snapshot.block, &snapshot.endpoint)
}

/// Seconds between two times, at least 0.
pub fn age(then: i64, now: i64) -> u64 {
    u64::try_from(now - then).unwrap_or(0)
}

/// Millionths as a decimal: `0.250000`.
pub fn ppm(value: u32) -> String {
    base::amount::to_units(Base::from(value), base::amount::PPM)
}
