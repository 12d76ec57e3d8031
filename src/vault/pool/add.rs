//! Adding a pool: the contract is looked at before anything is believed or written.

use super::abi::sol::{IERC20, IERC4626};
use super::abi::{self, Abi};
use super::contract::{self, Answered};
use super::known::Contract;
use super::store::{self, Pool};
use super::token::{Asset, put_asset, sane_decimals, symbol_of, token};
use alloy::primitives::Address;
use base::{Code, Error, Result, say};
use evm::{At, CallError, Chain, PinnedView, ViewStamp};
use rusqlite::{Connection, params};
use serde_json::json;
use state::columns::db_block;
use state::{WriteContext, rows};

/// What the operator asks for.
#[derive(Debug, Clone)]
pub struct AddPool {
    /// A name for it.
    pub name: String,
    /// The vault or pool contract.
    pub address: Address,
    /// Its ABI profile; `None` = it is found out.
    pub abi: Option<Abi>,
    /// What is deposited: needed where the contract does not say, and compared where it does.
    pub asset: Option<Address>,
    /// Block of its creation; looked for where it is not given.
    pub deploy_block: Option<u64>,
    /// Fall of the rate that is an alert, in millionths, if the operator names one.
    pub max_rate_drop_ppm: Option<u32>,
    /// The same where none is named.
    pub default_rate_drop_ppm: u32,
    /// First epoch start for rewards.
    pub reward_genesis: Option<u64>,
    /// What its asset is called, if the operator says so.
    pub symbol: Option<String>,
}

impl AddPool {
    fn rate_drop_ppm(&self) -> u32 {
        self.max_rate_drop_ppm.unwrap_or(self.default_rate_drop_ppm)
    }

    /// Whether a pool that is there is what is asked for; what is not named may be anything.
    fn is(&self, pool: &Pool) -> bool {
        self.name == pool.name
            && self.address == pool.address
            && self.abi.is_none_or(|abi| abi == pool.abi)
            && self.asset.is_none_or(|asset| asset == pool.asset.address)
            && self.deploy_block.is_none_or(|block| block == pool.deploy_block)
            && self.max_rate_drop_ppm.is_none_or(|ppm| ppm == pool.max_rate_drop_ppm)
            && self.reward_genesis.is_none_or(|block| Some(block) == pool.reward_genesis)
            && self.symbol.as_ref().is_none_or(|symbol| *symbol == pool.asset.symbol)
    }
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Added {
    /// The pool as it now stands in the state.
    pub pool: Pool,
    /// False where it stood there before.
    pub new: bool,
    /// Whose view of the contract.
    pub view: Option<ViewStamp>,
    /// The risk engine that the contract names, where it was looked at.
    pub risk_engine: Option<Address>,
}

/// Looks at the contract and adds it; adding the same again changes nothing.
pub async fn add(work: &mut WriteContext<'_>, chain: &Chain, ask: &AddPool, at: At) -> Result<Added> {
    let already = |pool| Added { pool, new: false, view: None, risk_engine: None };
    if let Some(pool) = known(work.state.conn(), ask)? {
        return Ok(already(pool));
    }
    let seen = chain.view(at, async |view| look(view, ask).await).await?;
    let Seen { abi, asset, share, contract, deploy_block, view, risk_engine } = seen;
    work.state.write(work.permit, |tx| {
        if let Some(pool) = known(tx.conn(), ask)? {
            // Another run was faster.
            return Ok(already(pool));
        }
        put_asset(tx.conn(), &asset)?;
        if ask.symbol.is_some() {
            rows::run(
                tx.conn(),
                "UPDATE assets SET symbol = ?2 WHERE address = ?1",
                params![asset.address.to_string(), asset.symbol],
            )?;
        }
        tx.conn().execute(
            "INSERT INTO pools (name, address, abi, asset, share_symbol, share_decimals, deploy_block,
                 max_rate_drop_ppm, added_at, reward_genesis_block)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                ask.name,
                ask.address.to_string(),
                abi.as_str(),
                asset.address.to_string(),
                share.symbol,
                share.decimals,
                db_block(deploy_block)?,
                ask.rate_drop_ppm(),
                tx.now(),
                ask.reward_genesis.map(db_block).transpose()?,
            ],
        )?;
        let id = tx.conn().last_insert_rowid();
        contract::put(tx, id, &contract, view.number)?;
        let pool = store::by_id(tx.conn(), id)?;
        tx.event(
            "pool.added",
            &ask.name,
            &json!({ "address": ask.address.to_string(), "abi": abi.as_str(), "asset": asset.address.to_string(),
                     "symbol": asset.symbol, "deploy_block": deploy_block, "view": view }),
        )?;
        Ok(Added { pool, new: true, view: Some(view), risk_engine })
    })
}

/// The same pool if it is there; another one of that name or address is a conflict.
fn known(conn: &Connection, ask: &AddPool) -> Result<Option<Pool>> {
    let sql = "SELECT id FROM pools WHERE name = ?1 OR address = ?2 ORDER BY name = ?1 DESC";
    let taken: Option<i64> = rows::value(conn, sql, params![ask.name, ask.address.to_string()])?;
    let Some(taken) = taken else { return Ok(None) };
    let pool = store::by_id(conn, taken)?;
    if pool.address == ask.address && pool.retired_at.is_some() {
        let why = format!("{} is pool \"{}\", which is retired", pool.address, pool.name);
        let hint = say("take it back with: ").run("pool retire").of(&pool.name).with("undo");
        return Err(Error::new(Code::Conflict, why).hint(hint));
    }
    if ask.is(&pool) {
        return Ok(Some(pool));
    }
    let why = if pool.name == ask.name && pool.address == ask.address {
        format!("pool \"{}\" exists already, with other settings", pool.name)
    } else if pool.name == ask.name {
        format!("the name \"{}\" is taken by the pool at {}", ask.name, pool.address)
    } else {
        format!("{} exists already as pool \"{}\"", ask.address, pool.name)
    };
    let hint = say("see it with: ").run("pool show").of(&pool.name);
    let hint = hint.say("; change it with: ").run("pool set").say(" or ").run("pool rename");
    Err(Error::new(Code::Conflict, why).hint(hint))
}

/// What the chain says of a contract that is to be added.
struct Seen {
    abi: Abi,
    asset: Asset,
    share: Asset,
    contract: Contract,
    deploy_block: u64,
    view: ViewStamp,
    risk_engine: Option<Address>,
}

async fn look(view: &PinnedView, ask: &AddPool) -> Result<Seen> {
    let block = view.block();
    if view.code(ask.address).await?.is_empty() {
        let why = format!("there is no contract at {} at block {}", ask.address, block.number);
        return Err(Error::new(Code::NotAContract, why)
            .hint("check the address and that the profile is the pool's network")
            .detail("address", ask.address.to_string()));
    }
    let abi = match ask.abi {
        Some(abi) => abi,
        None => abi::detect(view, ask.address).await?,
    };
    let it = |e: CallError| {
        let why = format!("{} does not answer like a pool of profile {}; try ", ask.address, abi.as_str());
        e.into_error(abi.noun()).hint(say(why).with("abi").of("auto"))
    };
    let mut batch = view.batch();
    let asset = batch.add(ask.address, &IERC4626::assetCall {});
    let symbol = batch.add(ask.address, &IERC20::symbolCall {});
    let decimals = batch.add(ask.address, &IERC20::decimalsCall {});
    let reply = batch.send().await?;
    let said = match abi {
        Abi::Erc4626 | Abi::Viddhana => Some(reply.get(asset).map_err(it)?),
        Abi::Legacy => reply.get_optional(asset).map_err(it)?,
    };
    let share = Asset {
        address: ask.address,
        symbol: symbol_of(&reply, symbol)?.unwrap_or_else(|| ask.name.clone()),
        decimals: sane_decimals(ask.address, reply.get(decimals).map_err(it)?)?,
    };
    let mut asset = token(view, agreed_asset(ask, said)?).await?;
    asset.symbol = ask.symbol.clone().unwrap_or(asset.symbol);
    let deploy_block = deploy_block(view, ask).await?;
    let shares = (share.symbol.as_str(), share.decimals);
    let pool = Pool::new(&ask.name, ask.address, abi, asset.clone(), shares, deploy_block);
    // What a sync will ask must be answered now, while the operator is looking.
    let mut batch = view.batch();
    let asked = abi::ask(&mut batch, &pool)?;
    let asked_contract = contract::ask(&mut batch, &pool);
    let reply = batch.send().await?;
    let paused = asked.read(&reply, &pool)?.paused;
    let (pools, answered) = (std::slice::from_ref(&pool), [Answered::Pause(paused.is_some())]);
    let read = contract::read(view, &reply, pools, &[asked_contract], &answered).await?;
    let unread = read.failed.into_values().next();
    let (_, contract) = read.found.into_iter().next().ok_or_else(|| {
        unread.unwrap_or_else(|| Error::new(Code::Bug, "a contract was asked and not read"))
    })?;
    let risk_engine = abi::risk_engine(view, abi, ask.address).await?;
    let view = ViewStamp::of(view);
    Ok(Seen { abi, asset, share, contract, deploy_block, view, risk_engine })
}

/// The asset that the contract says, or else the operator; both must agree where both speak.
fn agreed_asset(ask: &AddPool, said: Option<Address>) -> Result<Address> {
    match (said, ask.asset) {
        (Some(said), Some(named)) if said != named => {
            let why = format!("{} says that its asset is {said}, not {named}", ask.address);
            Err(Error::field(Code::InvalidValue, "asset", why)
                .hint("leave it out, or check the pool's address"))
        }
        (Some(asset), _) | (None, Some(asset)) => Ok(asset),
        (None, None) => {
            let why = format!("{} is a legacy pool that does not say what its asset is", ask.address);
            Err(Error::new(Code::Usage, why).hint(say("name it: ").with("asset").of("ADDRESS")))
        }
    }
}

/// The block in which the contract came to be: given and checked, or found by bisection over old state.
async fn deploy_block(view: &PinnedView, ask: &AddPool) -> Result<u64> {
    let needs_archive = |e: Error| {
        let hint = say("the endpoint must keep old state to find the deploy block; or give it: ");
        e.hint(hint.with("deploy-block").of("N"))
    };
    let wrong = |why: String| Error::field(Code::InvalidValue, "deploy-block", why);
    if let Some(given) = ask.deploy_block {
        if given > view.block().number {
            return Err(wrong(format!("block {given} is after block {}", view.block().number)));
        }
        if given > 0 && !view.code_at(ask.address, given - 1).await.map_err(needs_archive)?.is_empty() {
            return Err(wrong(format!("{} had code before block {given} already", ask.address))
                .hint("transfers before that block would be missed; leave it out to have it found"));
        }
        return Ok(given);
    }
    let (mut without, mut with) = (None, view.block().number);
    loop {
        let low = without.map_or(0, |block: u64| block + 1);
        if low >= with {
            return Ok(with);
        }
        let middle = low + (with - low) / 2;
        if view.code_at(ask.address, middle).await.map_err(needs_archive)?.is_empty() {
            without = Some(middle);
        } else {
            with = middle;
        }
    }
}
