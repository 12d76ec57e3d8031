//! What the farm stores and the errors it gives; names and order of the fields are the network's.

use soroban_sdk::{
    contracterror, contracttype, panic_with_error, Address, BytesN, Env, IntoVal, Map, Symbol, TryFromVal,
    Val,
};

/// Storage keys: the first five in the instance, `Block` and `Pail` as temporary entries.
#[contracttype]
#[derive(Clone)]
pub enum Key {
    /// The administrator.
    Homesteader,
    /// The token's contract.
    HomesteadAsset,
    /// Number of the current block (u32).
    FarmIndex,
    /// What has been seen in the current block, for the next one.
    FarmBlock,
    /// Whether planting is stopped.
    FarmPaused,
    /// A block, by its number.
    Block(u32),
    /// A farmer's plant in a block.
    Pail(Address, u32),
}

/// A block: ranges and entropy frozen from the block before it, totals of its own.
#[contracttype]
#[derive(Clone)]
pub struct Block {
    /// Hash that this block's work must include.
    pub entropy: BytesN<32>,
    /// Largest gap seen, in ledgers.
    pub max_gap: u32,
    /// Largest stake seen, in stroops.
    pub max_stake: i128,
    /// Most zeros seen.
    pub max_zeros: u32,
    /// Smallest gap seen, in ledgers.
    pub min_gap: u32,
    /// Smallest stake seen, in stroops.
    pub min_stake: i128,
    /// Fewest zeros seen.
    pub min_zeros: u32,
    /// Sum of all contributions.
    pub normalized_total: i128,
    /// Stroops planted and not worked.
    pub staked_total: i128,
    /// When the block began, ledger time in seconds.
    pub timestamp: u64,
}

impl Block {
    /// A block that has seen nothing: each minimum the largest number there is, each maximum the smallest.
    pub fn unseen(env: &Env) -> Self {
        Self {
            entropy: BytesN::from_array(env, &[0; 32]),
            max_gap: u32::MIN,
            max_stake: i128::MIN,
            max_zeros: u32::MIN,
            min_gap: u32::MAX,
            min_stake: i128::MAX,
            min_zeros: u32::MAX,
            normalized_total: 0,
            staked_total: 0,
            timestamp: env.ledger().timestamp(),
        }
    }

    /// The block that begins now from what this one has seen; a stake, gap or zeros never seen becomes 0.
    pub fn frozen(&self, env: &Env) -> Self {
        let mut block = self.clone();
        for least in [&mut block.min_gap, &mut block.min_zeros] {
            if *least == u32::MAX {
                *least = 0;
            }
        }
        if block.min_stake == i128::MAX {
            block.min_stake = 0;
        }
        if block.max_stake == i128::MIN {
            block.max_stake = 0;
        }
        block.normalized_total = 0;
        block.staked_total = 0;
        block.timestamp = env.ledger().timestamp();
        block
    }

    /// The block in the form that it is stored in.
    pub fn into_map(self, env: &Env) -> Map<Symbol, Val> {
        let stored: Val = self.into_val(env);
        match Map::try_from_val(env, &stored) {
            Ok(map) => map,
            Err(_) => panic_with_error!(env, Error::BlockInvalid),
        }
    }

    /// Widens the stake range: at the plant, whether or not work follows.
    pub fn see_stake(&mut self, stake: i128) {
        self.min_stake = self.min_stake.min(stake);
        self.max_stake = self.max_stake.max(stake);
    }

    /// Widens the ranges of gap and zeros: at each accepted work.
    pub fn see_work(&mut self, gap: u32, zeros: u32) {
        self.min_gap = self.min_gap.min(gap);
        self.max_gap = self.max_gap.max(gap);
        self.min_zeros = self.min_zeros.min(zeros);
        self.max_zeros = self.max_zeros.max(zeros);
    }

    /// Whether no minimum lies above its maximum.
    pub fn has_valid_ranges(&self) -> bool {
        self.min_gap <= self.max_gap && self.min_stake <= self.max_stake && self.min_zeros <= self.max_zeros
    }
}

/// A farmer's plant in one block; worked once `zeros` is there.
#[contracttype]
#[derive(Clone)]
pub struct Pail {
    /// Ledgers between plant and work.
    pub gap: Option<u32>,
    /// Ledger of the plant.
    pub sequence: u32,
    /// Stroops staked.
    pub stake: i128,
    /// Leading zero hex digits of the work.
    pub zeros: Option<u32>,
}

/// Errors of the farm; the codes are the network's.
#[contracterror]
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[repr(u32)]
pub enum Error {
    HomesteadExists = 1,
    HomesteadMissing = 2,
    FarmBlockMissing = 3,
    FarmPaused = 4,
    FarmNotPaused = 5,
    PlantAmountTooLow = 6,
    ZeroCountTooLow = 7,
    PailExists = 8,
    PailMissing = 9,
    WorkMissing = 10,
    BlockMissing = 11,
    BlockInvalid = 12,
    HashInvalid = 13,
    HarvestNotReady = 14,
    GapCountTooLow = 15,
}
