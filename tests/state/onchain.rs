//! A node, and pools on it as a sync would have stored them.

use alloy::primitives::{Address, Bytes};
use base::amount::Base;
use base::{Endpoint, Result};
use evm::{Chain, ChainConfig};
use poolctl_testkit::{Node, NodeKind, NodeOptions};
use rusqlite::params;
use state::Tx;
use tokio::runtime::Runtime;
use vault::pool::{Asset, Holdings, Movement, put_asset};

pub const MEMBERS: usize = 4;
/// Blocks in which shares move, before the first cycle.
pub const HISTORY: u64 = 40;

/// A pool: its weight, whether it is paused, and what moves in it: block, from, to, amount.
#[derive(Debug, Clone)]
pub struct PoolPlan {
    pub ppm: u32,
    pub paused: bool,
    pub moves: Vec<(u64, usize, usize, Base)>,
}

/// One node for all cases; each case begins at its head.
pub struct Net {
    pub node: Node,
    pub chain: Chain,
    pub runtime: Runtime,
}

pub const ASSET: Address = Address::repeat_byte(0xaa);

pub fn pool_address(i: usize) -> Address {
    Address::with_last_byte(u8::try_from(i).unwrap() + 0xb0)
}

pub fn member_address(i: usize) -> Address {
    Address::with_last_byte(u8::try_from(i).unwrap() + 0xd0)
}

impl Net {
    pub fn start() -> anyhow::Result<Self> {
        let node = Node::start(NodeKind::Sandbox, &NodeOptions::default())?;
        let endpoints = Endpoint::parse_list(&[format!("node={}", node.url())])?;
        let chain = Chain::new(ChainConfig::new("sandbox", 31_337, endpoints))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { node, chain, runtime })
    }
}

/// The code of a vault that knows its `totalSupply()` and what `balanceOf` each member was after each block, and answers
/// everything else with whether it is paused.
pub fn vault(past: &Past, paused: bool) -> Bytes {
    let mut code = alloy::hex!("5f3560e01c 8063 18160ddd 14 610022 57 63 70a08231 14 61004a 57").to_vec();
    code.extend([0x60, u8::from(paused)]);
    code.extend(alloy::hex!("5f52 60205ff3 5b7f"));
    code.extend(past.supply.to_be_bytes::<32>());
    code.extend(alloy::hex!("5f52 60205ff3 5b5f"));
    let mut held = Holdings::default();
    for movement in &past.transfers {
        held.apply(movement).unwrap();
        for member in movement.from.into_iter().chain(movement.to) {
            let last_byte = member_address(usize::try_from(member - 1).unwrap())[19];
            // Where this is the member and the block not earlier, the balance; else what was found before.
            code.extend(alloy::hex!("600435 60ff16 60"));
            code.push(last_byte);
            code.extend(alloy::hex!("14 63"));
            code.extend(u32::try_from(movement.block).unwrap().to_be_bytes());
            code.extend(alloy::hex!("43101516 80 7f"));
            code.extend(held.of(member).to_be_bytes::<32>());
            code.extend(alloy::hex!("02 91 90 15 02 01"));
        }
    }
    code.extend(alloy::hex!("5f52 60205ff3"));
    code.into()
}

/// What happened in a pool: its transfers, who holds what in the end, and how much that is.
pub struct Past {
    pub transfers: Vec<Movement>,
    pub held: Holdings,
    pub supply: Base,
}

impl PoolPlan {
    pub fn past(&self, first: u64) -> Past {
        let mut past = Past { transfers: Vec::new(), held: Holdings::default(), supply: Base::ZERO };
        let mut moves = self.moves.clone();
        moves.sort_by_key(|m| m.0);
        for (block, from, to, shares) in moves {
            let member = |who: usize| (who > 0).then(|| i64::try_from(who).unwrap());
            let (from, to) = (member(from), member(to));
            let shares = from.map_or(shares, |from| past.held.of(from).min(shares));
            let minted = if from.is_none() { shares } else { Base::ZERO };
            // No token has more than 2^256-1 in all.
            if from.is_none() && to.is_none() || past.supply.checked_add(minted).is_none() {
                continue;
            }
            let movement = Movement { block: first + block, from, to, shares };
            past.held.apply(&movement).unwrap();
            past.supply += minted;
            past.supply -= if to.is_none() { shares } else { Base::ZERO };
            past.transfers.push(movement);
        }
        past
    }
}

/// What a sync would have stored: members, pools at the head, their transfers and holders.
pub fn store(tx: &Tx<'_>, net: &Net, pools: &[PoolPlan], first: u64) -> Result<()> {
    let head = first + HISTORY - 1;
    let hash = net.node.block_hash(head).unwrap().to_string();
    put_asset(tx.conn(), &Asset { address: ASSET, symbol: "R".into(), decimals: 18 })?;
    for i in 0..MEMBERS {
        tx.conn().execute(
            "INSERT INTO members (address, added_at) VALUES (?1, 1)",
            [member_address(i).to_string()],
        )?;
    }
    for (i, pool) in pools.iter().enumerate() {
        let id = i64::try_from(i).unwrap() + 1;
        let Past { transfers, held, supply } = pool.past(first);
        tx.conn().execute(
            "INSERT INTO pools (id, name, address, abi, asset, share_symbol, share_decimals, deploy_block,
                 max_rate_drop_ppm, added_at, cursor_block, cursor_hash, synced_block)
             VALUES (?1, ?2, ?3, 'erc4626', ?4, 'S', 18, ?5, 0, 1, ?6, ?7, ?6)",
            params![id, format!("p{i}"), pool_address(i).to_string(), ASSET.to_string(), first, head, hash],
        )?;
        tx.conn().execute(
            "INSERT INTO pool_snapshots (pool_id, block_number, block_hash, block_timestamp, endpoint, synced_at,
                 total_assets, total_shares, rate_e18) VALUES (?1, ?2, ?3, 1, 'node', 1, ?4, ?4, '1')",
            params![id, head, hash, supply.to_string()],
        )?;
        for (line, m) in transfers.iter().enumerate() {
            let mut log = [0; 32];
            log[..16].copy_from_slice(&((line * 8 + i) as u128).to_be_bytes());
            tx.conn().execute(
                "INSERT INTO share_transfers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![id, m.block, line, log, m.from, m.to, m.shares.to_string()],
            )?;
        }
        for (member, shares) in held.iter() {
            tx.conn().execute(
                "INSERT INTO user_pool_shares (pool_id, member_id, shares) VALUES (?1, ?2, ?3)",
                params![id, member, shares.to_string()],
            )?;
        }
    }
    Ok(())
}
