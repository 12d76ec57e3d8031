//! `poolctl pooler …`: who works for the farmers.

use crate::shell::prelude::*;
use app::farming::pooler::{AddOutput, ListOutput, PoolerView, SetOutput};
use base::amount::parse_weight;
use kale::RewardSplit;
use kale::poolers::{self, SetPooler};

commands! {
    /// Add, change and list poolers: who works for a group of farmers, and how rewards are split
    #[command(before_help = "Example: poolctl pooler list")]
    Command {
        Add(Add) = "pooler add": AddOutput = api::post("/poolers", api::OPERATOR).made();
        Set(Set) = "pooler set": SetOutput = api::post("/poolers/{pooler}", api::OPERATOR);
        List(List) = "pooler list": ListOutput = api::get("/poolers", api::READER);
    }
}

/// Add a pooler
///
/// Of each reward the pooler gets its split, the operator the platform fee, and the farmer the rest. A stake returns to
/// its farmer whole.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pooler add north --reward-split 0.2 --platform-fee 0.05")]
pub struct Add {
    /// A name for it
    name: String,
    /// Most farmers that it takes
    #[arg(long, default_value_t = 100)]
    capacity: u32,
    /// The pooler's part of each reward, 0 to 1
    #[arg(long, value_name = "RATIO", default_value = "0")]
    reward_split: String,
    /// The operator's part of each reward, 0 to 1
    #[arg(long, value_name = "RATIO", default_value = "0")]
    platform_fee: String,
    #[command(flatten)]
    dry: DryRun,
}

impl Add {
    fn run(self, session: &Session) -> Result<Outcome> {
        state::check_name("NAME", &self.name)?;
        let split = parse_weight("reward-split", &self.reward_split)?;
        let fee = parse_weight("platform-fee", &self.platform_fee)?;
        let terms = RewardSplit::new(split, fee)?;
        let app = App::open(session)?;
        let (pooler, changed) = app.write(self.dry.dry_run, |work| {
            work.state.write(work.permit, |tx| poolers::add(tx, &self.name, self.capacity, terms))
        })?;
        Ok(Outcome::of(AddOutput { changed, pooler: pooler.into() }))
    }
}

/// A pooler with its terms, behind `what` was done.
fn show(pooler: &PoolerView, what: &str, page: &mut Page) {
    let PoolerView { id, name, capacity, reward_split, platform_fee, .. } = pooler;
    page.line(format!("{what} \"{name}\"")).pairs([
        ("id", id.as_str()),
        ("capacity", &counted(capacity, "farmer")),
        ("reward split", reward_split),
        ("platform fee", platform_fee),
    ]);
}

impl Present for AddOutput {
    fn present(&self, page: &mut Page) {
        show(&self.pooler, if self.changed { "added pooler" } else { "exists already: pooler" }, page);
    }
}

/// Change a pooler: its name, how many farmers it takes, or, before any farmer joins, its terms
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl pooler set north --capacity 250",
    override_usage = "poolctl pooler set [OPTIONS] <POOLER>"
)]
#[group(required = true, multiple = true, args = ["name", "capacity", "reward_split", "platform_fee"])]
pub struct Set {
    /// Its name or id
    pooler: String,
    /// Another name for it
    #[arg(long)]
    name: Option<String>,
    /// Most farmers that it takes
    #[arg(long)]
    capacity: Option<u32>,
    /// The pooler's part of each reward, 0 to 1
    #[arg(long, value_name = "RATIO")]
    reward_split: Option<String>,
    /// The operator's part of each reward, 0 to 1
    #[arg(long, value_name = "RATIO")]
    platform_fee: Option<String>,
    #[command(flatten)]
    dry: DryRun,
}

impl Set {
    fn run(self, session: &Session) -> Result<Outcome> {
        self.name.as_deref().map_or(Ok(()), |name| state::check_name("name", name))?;
        let part = |flag: &str, text: &Option<String>| {
            text.as_deref().map(|text| parse_weight(flag, text)).transpose()
        };
        let change = SetPooler {
            capacity: self.capacity,
            reward_split_ppm: part("reward-split", &self.reward_split)?,
            platform_fee_ppm: part("platform-fee", &self.platform_fee)?,
            name: self.name,
        };
        let app = App::open(session)?;
        let (pooler, changed) = app.write(self.dry.dry_run, |work| {
            work.state.write(work.permit, |tx| poolers::set(tx, &self.pooler, &change))
        })?;
        Ok(Outcome::of(SetOutput { changed, pooler: pooler.into() }))
    }
}

impl Present for SetOutput {
    fn present(&self, page: &mut Page) {
        show(&self.pooler, if self.changed { "changed pooler" } else { "nothing to change: pooler" }, page);
    }
}

/// List poolers, with their reward split and how full they are
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl pooler list")]
pub struct List {
    #[command(flatten)]
    paging: Paging,
}

impl List {
    fn run(self, session: &Session) -> Result<Outcome> {
        let app = App::open(session)?;
        let poolers = poolers::list(app.read()?.conn())?;
        let (poolers, end) = self.paging.window().of_whole(poolers, |pooler| pooler.id.clone())?;
        let output = ListOutput { poolers: poolers.into_iter().map(PoolerView::from).collect(), end };
        Outcome::list(output, |output| (&output.poolers, &output.end), self.paging.csv)
    }
}

impl Present for ListOutput {
    fn present(&self, page: &mut Page) {
        if self.poolers.is_empty() {
            page.line("no poolers; add one with: poolctl pooler add NAME");
            return;
        }
        let heads = ["NAME", ">FARMERS", ">CAPACITY", ">REWARD SPLIT", ">PLATFORM FEE", "LAST SEEN"];
        page.rows(heads, &self.poolers, |one| {
            let PoolerView { name, farmers, capacity, reward_split, platform_fee, last_seen_at, .. } = one;
            cells![name, farmers, capacity, reward_split, platform_fee, last_seen_at]
        });
    }
}
