//! `poolctl pool …`: the pools there are, and what a member has in one.

use crate::app::App;
use crate::at::AtFlag;
use crate::options::DryRun;
use crate::session::Session;
use crate::views::{PoolView, age, limit, or_dash, percent, ppm, yes_no};
use clap::{Args, Subcommand};
use poolctl::amount::{self, Base, E18, Quantity};
use poolctl::clock;
use poolctl::config::value::address;
use poolctl::output::{Code, Contract, Error, Outcome, Page, Present, Result, Table, forms, spark};
use poolctl::pool::abi::Abi;
use poolctl::pool::{self, AddPool, ViewStamp};
use schemars::JsonSchema;
use serde::Serialize;

/// What the commands write.
pub const CONTRACTS: &[Contract] = &[
    Contract::of::<AddOutput>("pool add"),
    Contract::of::<ListOutput>("pool list"),
    Contract::of::<ShowOutput>("pool show"),
    Contract::of::<PositionOutput>("pool position"),
];

/// Add, list and show pools, and members' positions in them
#[derive(Debug, Subcommand)]
#[command(before_help = "Example: poolctl pool list")]
pub enum Command {
    Add(Add),
    List(List),
    Show(Show),
    Position(Position),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// What the command says.
    pub fn run(self, session: &Session) -> Result<Outcome> {
        match self {
            Self::Add(command) => command.run(session),
            Self::List(List {}) => List::run(session),
            Self::Show(command) => command.run(session),
            Self::Position(command) => command.run(session),
        }
    }
}

/// Add a pool, after looking at its contract
///
/// The contract must answer like its ABI profile says. Adding the same pool again changes nothing.
#[derive(Debug, Args)]
#[expect(clippy::doc_markdown, reason = "clap shows these lines as they stand")]
#[command(before_help = "Example: poolctl pool add main 0x83F20F44975D03b1b09e64809B757c47f942BEeA")]
pub struct Add {
    /// A name of your own
    name: String,
    /// The vault's address
    address: String,
    /// What the contract answers to: erc4626
    #[arg(long, value_name = "PROFILE", default_value = "erc4626")]
    abi: String,
    /// Block of its creation; found by bisection where not given, which needs an archive node
    #[arg(long, value_name = "BLOCK", allow_negative_numbers = true)]
    deploy_block: Option<u64>,
    /// Fall of the exchange rate between syncs that raises an alert, 0 to 1 [default: risk.max_rate_drop]
    #[arg(long, value_name = "RATIO", allow_negative_numbers = true)]
    max_rate_drop: Option<String>,
    /// First block that earns rewards
    #[arg(long, value_name = "BLOCK", allow_negative_numbers = true)]
    reward_genesis_block: Option<u64>,
    #[command(flatten)]
    at: AtFlag,
    #[command(flatten)]
    dry: DryRun,
}

/// The pool that was added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AddOutput {
    /// False where it stood there before.
    pub added: bool,
    /// The pool.
    pub pool: PoolView,
    /// Block of its creation.
    pub deploy_block: u64,
    /// Whose view of the contract; null where it stood there before.
    pub checked_at: Option<ViewStamp>,
}

impl Add {
    fn run(self, session: &Session) -> Result<Outcome> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.name.is_empty() || self.name.starts_with("0x") || !self.name.chars().all(fits) {
            return Err(Error::new(Code::InvalidValue, format!("NAME: \"{}\" is no pool name", self.name))
                .hint("a name has only letters, digits, -, _ and ., and does not look like an address"));
        }
        let pool_address = address("ADDRESS", &self.address)?;
        let abi = Abi::parse(&self.abi)?;
        let drop = self.max_rate_drop.as_deref().map(|text| amount::parse_weight("--max-rate-drop", text));
        let drop = drop.transpose()?;
        let app = App::open(session)?;
        let at = self.at.or(&app.config)?;
        let ask = AddPool {
            name: self.name,
            address: pool_address,
            abi,
            deploy_block: self.deploy_block,
            max_rate_drop_ppm: drop,
            default_rate_drop_ppm: app.config.ratio_ppm("risk.max_rate_drop")?,
            reward_genesis: self.reward_genesis_block,
        };
        let output = app.write_on_chain(self.dry.dry_run, async |work, chain| {
            let added = pool::add(work, chain, &ask, at)
                .await
                .map_err(|e| e.context(format!("cannot add pool \"{}\"", ask.name)))?;
            Ok(AddOutput {
                added: added.new,
                pool: PoolView::of(work.state.conn(), &added.pool, work.state.run().clock.now())?,
                deploy_block: added.pool.deploy_block,
                checked_at: added.view,
            })
        })?;
        Outcome::of(&output)
    }
}

impl Present for AddOutput {
    fn present(&self, page: &mut Page) {
        if !self.added {
            page.line(format!("pool \"{}\" is there already", self.pool.name));
            return;
        }
        page.line(format!("added pool \"{}\"", self.pool.name));
        let mut pairs = vec![
            ("address", self.pool.address.clone()),
            ("asset", format!("{} ({} decimals)", self.pool.asset.symbol, self.pool.asset.decimals)),
            ("deployed", format!("block {}", self.deploy_block)),
        ];
        pairs.extend(self.checked_at.as_ref().map(|view| ("checked at", view.to_string())));
        page.pairs(pairs);
    }
}

/// List the pools with the figures of their last sync
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool list --json | jq '.data.pools[].name'")]
pub struct List {}

/// The pools.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// By age in the state.
    pub pools: Vec<PoolView>,
}

impl List {
    fn run(session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let now = session.run.clock.now();
        let look = state.look()?;
        let (pools, snapshots) = (pool::list(look.conn())?, pool::snapshots(look.conn())?);
        let pools = pools.iter().map(|pool| PoolView::new(pool, snapshots.get(&pool.id), now)).collect();
        Outcome::of(&ListOutput { pools })
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        if self.pools.is_empty() {
            page.line("no pools; add one with: poolctl pool add NAME ADDRESS");
            return;
        }
        let mut table = Table::new(&["POOL", ">TVL", ">SHARES", ">RATE", "PAUSED", ">BLOCK", "SYNCED"]);
        for pool in &self.pools {
            table.row([
                pool.name.clone(),
                or_dash(pool.total_assets.as_ref()),
                or_dash(pool.total_shares.as_ref()),
                or_dash(pool.exchange_rate.as_ref()),
                yes_no(pool.paused),
                pool.view.as_ref().map(|view| view.number.to_string()).unwrap_or_default(),
                pool.age_sec.map_or_else(|| "never".into(), |age| format!("{} ago", clock::span(age))),
            ]);
        }
        page.table(table);
    }
}

/// Syncs that `pool show` draws.
const DRAWN: u32 = 60;

/// Show a pool: its contract, the figures of its last sync and the course of the last 60, its rewards
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool show main")]
pub struct Show {
    /// Name or address
    pool: String,
}

/// A pool, whole.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShowOutput {
    /// The figures of the last sync.
    #[serde(flatten)]
    pub pool: PoolView,
    /// Symbol of the share token.
    pub share_symbol: String,
    /// Block of its creation.
    pub deploy_block: u64,
    /// Transfers are replayed through this block.
    pub transfers_through: Option<u64>,
    /// Members with shares.
    pub holders: u64,
    /// Fall of the rate that is an alert.
    #[schemars(with = "forms::Decimal")]
    pub max_rate_drop: String,
    /// First block that earns rewards, once known.
    pub reward_genesis_block: Option<u64>,
    /// Start of the next epoch to be paid, once known.
    pub reward_next_block: Option<u64>,
    /// TVL and rate at the last syncs, the oldest first.
    pub history: Vec<SyncPoint>,
}

/// TVL and rate at one sync.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SyncPoint {
    /// Block height.
    pub block: u64,
    /// TVL.
    pub total_assets: Quantity,
    /// Assets per share.
    pub exchange_rate: Quantity,
}

impl Show {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let found = pool::find(state.conn(), &self.pool)?;
        Outcome::of(&ShowOutput {
            pool: PoolView::of(state.conn(), &found, session.run.clock.now())?,
            share_symbol: found.share_symbol.clone(),
            deploy_block: found.deploy_block,
            transfers_through: found.cursor.map(|(block, _)| block),
            holders: pool::holder_count(state.conn(), &found)?,
            max_rate_drop: ppm(found.max_rate_drop_ppm),
            reward_genesis_block: found.reward_genesis,
            reward_next_block: found.reward_cursor,
            history: pool::history(state.conn(), &found, DRAWN)?
                .into_iter()
                .map(|point| SyncPoint {
                    block: point.block,
                    total_assets: found.asset.quantity(point.total_assets),
                    exchange_rate: Quantity::new(point.rate_e18, E18, ""),
                })
                .collect(),
        })
    }
}

impl ShowOutput {
    /// How one of the figures went, with its lowest and highest; empty where there is no course yet.
    fn course(&self, figure: fn(&SyncPoint) -> &Quantity) -> String {
        let values: Vec<Base> = self.history.iter().map(|point| figure(point).base).collect();
        let (Some((low, high)), Some(first)) = (spark::range(values.iter().copied()), self.history.first())
        else {
            return String::new();
        };
        if values.len() < 2 {
            return String::new();
        }
        let shown = |base| amount::to_people(base, figure(first).decimals);
        let scale =
            if low == high { "unchanged".to_owned() } else { format!("{} to {}", shown(low), shown(high)) };
        format!("{}  {scale}, {} syncs", spark::line(&values), values.len())
    }
}

impl Present for ShowOutput {
    fn present(&self, page: &mut Page) {
        let p = &self.pool;
        let block =
            |block: Option<u64>| block.map_or_else(|| "–".to_owned(), |block| format!("block {block}"));
        let drop = amount::parse_weight("max_rate_drop", &self.max_rate_drop).unwrap_or_default();
        let mut pairs = vec![
            ("pool", p.name.clone()),
            ("address", p.address.clone()),
            ("kind", format!("{} vault of {} ({})", p.abi, p.asset.symbol, p.asset.address)),
            ("deployed", format!("block {}", self.deploy_block)),
            ("TVL", or_dash(p.total_assets.as_ref())),
            ("shares", or_dash(p.total_shares.as_ref())),
            ("", self.course(|point| &point.total_assets)),
            ("rate", or_dash(p.exchange_rate.as_ref())),
            ("", self.course(|point| &point.exchange_rate)),
            ("holders", self.holders.to_string()),
            ("paused", yes_no(p.paused)),
            ("max deposit", if p.view.is_some() { limit(p.max_deposit.as_ref()) } else { String::new() }),
            ("rate alert", format!("falls by more than {}", percent(drop))),
            ("rewards from", block(self.reward_genesis_block)),
            ("next epoch", block(self.reward_next_block)),
        ];
        pairs.push((
            "figures",
            p.view.as_ref().map_or_else(|| p.freshness(), |v| format!("{v}, {}", p.freshness())),
        ));
        // A course goes with the figure above it, where there is one.
        pairs.retain(|(name, value)| !(name.is_empty() && value.is_empty()));
        for (_, value) in &mut pairs {
            if value.is_empty() {
                "–".clone_into(value);
            }
        }
        page.pairs(pairs);
    }
}

/// Show what a member has in a pool: shares, their worth, rewards
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pool position alice main")]
pub struct Position {
    /// Name or address of the member
    member: String,
    /// Name or address of the pool
    pool: String,
}

/// A member's position, as the state knows it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PositionOutput {
    /// The member's address.
    pub member: String,
    /// The member's name, if it has one.
    pub member_name: Option<String>,
    /// The pool.
    pub pool: String,
    /// Shares.
    pub shares: Quantity,
    /// Their worth, rounded down; null before the first sync.
    pub underlying: Option<Quantity>,
    /// Rewards not yet claimed, one amount per reward token.
    pub unclaimed: Vec<Reward>,
    /// Rewards claimed so far.
    pub claimed: Vec<Reward>,
    /// Time of the last deposit, RFC 3339.
    #[schemars(with = "Option<forms::Time>")]
    pub last_deposit: Option<String>,
    /// Block of the last deposit.
    pub last_deposit_block: Option<u64>,
    /// Whose view; null before the first sync.
    pub view: Option<ViewStamp>,
    /// How long ago that was read.
    pub age_sec: Option<u64>,
}

/// A reward in one token.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Reward {
    /// The token's symbol.
    pub symbol: String,
    /// The amount.
    pub amount: Quantity,
}

fn rewards(amounts: Vec<Quantity>) -> Vec<Reward> {
    amounts.into_iter().map(|amount| Reward { symbol: amount.symbol.clone(), amount }).collect()
}

impl Position {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let state = app.read()?;
        let found = pool::find(state.conn(), &self.pool)?;
        let member = pool::find_member(state.conn(), &self.member)?;
        let position = pool::position(state.conn(), &found, &member)?;
        let now = session.run.clock.now();
        Outcome::of(&PositionOutput {
            member: member.address.to_string(),
            member_name: member.name,
            pool: found.name.clone(),
            shares: found.shares(position.shares),
            underlying: position.underlying.map(|assets| found.asset.quantity(assets)),
            unclaimed: rewards(position.unclaimed),
            claimed: rewards(position.claimed),
            last_deposit: position.last_deposit_at.map(clock::rfc3339),
            last_deposit_block: position.last_deposit_block,
            age_sec: position.snapshot.as_ref().map(|s| age(s.synced_at, now)),
            view: position.snapshot.as_ref().map(crate::views::stamp),
        })
    }
}

impl Present for PositionOutput {
    fn present(&self, page: &mut Page) {
        let sum = |rewards: &[Reward]| {
            let all: Vec<String> = rewards.iter().map(|r| r.amount.to_string()).collect();
            if all.is_empty() { "0".to_owned() } else { all.join(", ") }
        };
        let name = self.member_name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
        page.pairs([
            ("member", format!("{name}{}", self.member)),
            ("pool", self.pool.clone()),
            ("shares", self.shares.to_string()),
            ("worth", self.underlying.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string)),
            ("unclaimed", sum(&self.unclaimed)),
            ("claimed", sum(&self.claimed)),
            ("last deposit", self.last_deposit.clone().unwrap_or_else(|| "–".to_owned())),
            (
                "figures",
                match (&self.view, self.age_sec) {
                    (Some(view), Some(age)) => format!("{view}, synced {} ago", clock::span(age)),
                    _ => "never synced".to_owned(),
                },
            ),
        ]);
    }
}
