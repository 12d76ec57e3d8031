//! The farm contract of the sandbox: a block every five minutes; farmers plant a stake, work a hash, harvest a reward.
//!
//! Written for this project to the public rules of the KALE farm, with the same functions, storage and error codes, so
//! that a client cannot tell the two apart. The asset contract's administrator must be this contract, since a harvest mints.
#![no_std]

mod hash;
mod reward;
mod types;

use soroban_sdk::{
    auth::{Context, CustomAccountInterface},
    contract, contractimpl,
    crypto::Hash,
    panic_with_error, token, vec, Address, BytesN, Env, IntoVal, Map, Symbol, TryFromVal, Val, Vec,
};

use types::{Block, Error, Key, Pail};

/// Shortest life of a block before a plant may roll it over, in seconds of ledger time.
const BLOCK_SECONDS: u64 = 300;

/// Ledgers of a week. A call makes the contract live as long as an entry can, once more than these are gone of that.
const WEEK_LEDGERS: u32 = 120_960;

/// The contract type; its state is all in storage.
#[contract]
pub struct Farm;

#[contractimpl]
impl Farm {
    /// Sets the administrator (`homesteader`, who must sign) and the token that is burnt and minted; the clock of the first
    /// block starts now.
    pub fn __constructor(env: Env, homesteader: Address, asset: Address) {
        homesteader.require_auth();
        let store = env.storage().instance();
        if store.has(&Key::Homesteader) {
            panic_with_error!(&env, Error::HomesteadExists);
        }
        store.set(&Key::Homesteader, &homesteader);
        store.set(&Key::HomesteadAsset, &asset);
        store.set(&Key::FarmBlock, &Block::unseen(&env));
        live_on(&env);
    }

    /// Replaces the code; the administrator only.
    pub fn upgrade(env: Env, hash: BytesN<32>) {
        homesteader(&env).require_auth();
        env.deployer().update_current_contract_wasm(hash);
        live_on(&env);
    }

    /// Stops planting; the administrator only. The contract's life is not made longer.
    pub fn pause(env: Env) {
        homesteader(&env).require_auth();
        if is_paused(&env) {
            panic_with_error!(&env, Error::FarmPaused);
        }
        env.storage().instance().set(&Key::FarmPaused, &true);
    }

    /// Allows planting again; the administrator only.
    pub fn unpause(env: Env) {
        homesteader(&env).require_auth();
        if !is_paused(&env) {
            panic_with_error!(&env, Error::FarmNotPaused);
        }
        env.storage().instance().set(&Key::FarmPaused, &false);
        live_on(&env);
    }

    /// Removes a block entry; the administrator only.
    pub fn remove_block(env: Env, index: u32) {
        homesteader(&env).require_auth();
        env.storage().temporary().remove(&Key::Block(index));
    }

    /// Stakes `amount` stroops (burnt until the harvest) in the current block, rolling the block over when it is due.
    pub fn plant(env: Env, farmer: Address, amount: i128) {
        farmer.require_auth();
        if amount < 0 {
            panic_with_error!(&env, Error::PlantAmountTooLow);
        }
        if is_paused(&env) {
            panic_with_error!(&env, Error::FarmPaused);
        }
        let asset = asset(&env);
        let mut index = farm_index(&env);
        let mut open = farm_block(&env);
        // The block stays the map that it is stored as, whichever way it comes: taken apart, a stored one would make its
        // plant dearer than the one that rolls the block over, and all but the first of those simulated before the roll
        // would run out of their instructions.
        let block: Map<Symbol, Val> = if env.ledger().timestamp() >= open.timestamp + BLOCK_SECONDS {
            let block = open.frozen(&env).into_map(&env);
            open = Block::unseen(&env);
            bump(&env, &mut index);
            block
        } else if let Some(block) = env.storage().temporary().get(&Key::Block(index)) {
            block
        } else {
            // Absent at 0 is the genesis block; absent later is gone, and its number is not used again. The clock goes on.
            if index > 0 {
                bump(&env, &mut index);
            }
            open.frozen(&env).into_map(&env)
        };

        let pail_key = Key::Pail(farmer.clone(), index);
        if env.storage().temporary().has(&pail_key) {
            panic_with_error!(&env, Error::PailExists);
        }
        open.see_stake(amount);
        let block = planted(&env, block, amount);
        let pail = Pail { sequence: env.ledger().sequence(), gap: None, stake: amount, zeros: None };

        if amount > 0 {
            token::TokenClient::new(&env, &asset).burn(&farmer, &amount);
        }
        let temporary = env.storage().temporary();
        temporary.set(&pail_key, &pail);
        temporary.set(&Key::Block(index), &block);
        env.storage().instance().set(&Key::FarmBlock, &open);
        live_on(&env);
    }

    /// Submits work for a pail of the current block; returns the gap in ledgers since its plant. Anyone may send it.
    pub fn work(env: Env, farmer: Address, hash: BytesN<32>, nonce: u64) -> u32 {
        let index = farm_index(&env);
        let mut open = farm_block(&env);
        let temporary = env.storage().temporary();
        let block_key = Key::Block(index);
        let mut block: Block = match temporary.get(&block_key) {
            Some(block) => block,
            None => panic_with_error!(&env, Error::BlockMissing),
        };
        let pail_key = Key::Pail(farmer.clone(), index);
        let mut pail: Pail = match temporary.get(&pail_key) {
            Some(pail) => pail,
            None => panic_with_error!(&env, Error::PailMissing),
        };
        let gap = env.ledger().sequence().saturating_sub(pail.sequence);
        if gap == 0 {
            panic_with_error!(&env, Error::GapCountTooLow);
        }
        if hash != hash::block_hash(&env, index, nonce, &block.entropy, &farmer) {
            panic_with_error!(&env, Error::HashInvalid);
        }
        let zeros = hash::leading_zeros(&hash);

        block.normalized_total += reward::contribution(&env, &block, gap, pail.stake, zeros);
        match pail.zeros {
            Some(worked) if zeros <= worked => panic_with_error!(&env, Error::ZeroCountTooLow),
            // The contribution taken off is the old zeros' at the new gap, as the network's contract has it.
            Some(worked) => {
                block.normalized_total -= reward::contribution(&env, &block, gap, pail.stake, worked)
            }
            None => block.staked_total -= pail.stake,
        }
        open.see_work(gap, zeros);
        open.entropy = hash;
        pail.gap = Some(gap);
        pail.zeros = Some(zeros);

        temporary.set(&pail_key, &pail);
        temporary.set(&block_key, &block);
        env.storage().instance().set(&Key::FarmBlock, &open);
        live_on(&env);
        gap
    }

    /// Mints stake and reward of a worked pail of an earlier block; returns the reward alone. Anyone may send it.
    pub fn harvest(env: Env, farmer: Address, index: u32) -> i128 {
        let asset = asset(&env);
        let temporary = env.storage().temporary();
        let block: Block = match temporary.get(&Key::Block(index)) {
            Some(block) => block,
            None => panic_with_error!(&env, Error::BlockMissing),
        };
        let pail_key = Key::Pail(farmer.clone(), index);
        let pail: Pail = match temporary.get(&pail_key) {
            Some(pail) => pail,
            None => panic_with_error!(&env, Error::PailMissing),
        };
        if index >= farm_index(&env) {
            panic_with_error!(&env, Error::HarvestNotReady);
        }
        let (Some(gap), Some(zeros)) = (pail.gap, pail.zeros) else {
            panic_with_error!(&env, Error::WorkMissing)
        };
        let reward = reward::reward(&env, &block, index, gap, pail.stake, zeros);
        let minted = reward + pail.stake;
        if minted > 0 {
            token::StellarAssetClient::new(&env, &asset).mint(&farmer, &minted);
        }
        temporary.remove(&pail_key);
        live_on(&env);
        reward
    }
}

#[contractimpl]
impl CustomAccountInterface for Farm {
    type Error = Error;
    type Signature = Option<Vec<Val>>;

    /// What the farm is to sign, its administrator signs: the payload, whatever the call.
    #[allow(non_snake_case)]
    fn __check_auth(
        env: Env,
        payload: Hash<32>,
        _signature: Option<Vec<Val>>,
        _contexts: Vec<Context>,
    ) -> Result<(), Error> {
        homesteader(&env).require_auth_for_args(vec![&env, payload.to_val()]);
        Ok(())
    }
}

/// Makes contract and code live as long as an entry can, where a week of that is gone; whoever calls pays.
fn live_on(env: &Env) {
    let most = env.storage().max_ttl();
    env.storage().instance().extend_ttl(most.saturating_sub(WEEK_LEDGERS), most);
}

/// Goes on to the next block. The number is stored from the first time on; until then it is 0.
fn bump(env: &Env, index: &mut u32) {
    *index += 1;
    env.storage().instance().set(&Key::FarmIndex, &*index);
}

/// A block with this much more staked.
fn planted(env: &Env, mut block: Map<Symbol, Val>, amount: i128) -> Map<Symbol, Val> {
    let field = Symbol::new(env, "staked_total");
    let staked = block.get(field.clone()).and_then(|staked| i128::try_from_val(env, &staked).ok());
    match staked {
        Some(staked) => block.set(field, (staked + amount).into_val(env)),
        None => panic_with_error!(env, Error::BlockInvalid),
    }
    block
}

fn homesteader(env: &Env) -> Address {
    match env.storage().instance().get(&Key::Homesteader) {
        Some(homesteader) => homesteader,
        None => panic_with_error!(env, Error::HomesteadMissing),
    }
}

fn asset(env: &Env) -> Address {
    match env.storage().instance().get(&Key::HomesteadAsset) {
        Some(asset) => asset,
        None => panic_with_error!(env, Error::HomesteadMissing),
    }
}

fn farm_block(env: &Env) -> Block {
    match env.storage().instance().get(&Key::FarmBlock) {
        Some(block) => block,
        None => panic_with_error!(env, Error::FarmBlockMissing),
    }
}

fn farm_index(env: &Env) -> u32 {
    env.storage().instance().get(&Key::FarmIndex).unwrap_or(0)
}

fn is_paused(env: &Env) -> bool {
    env.storage().instance().get(&Key::FarmPaused).unwrap_or(false)
}
