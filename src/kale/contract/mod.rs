//! What the KALE contract stores: its ledger keys, and its entries decoded strictly.
//!
//! Source: the contract's public source (`types.rs`). Field names and their order are the contract's.

pub mod address;
pub mod call;
pub mod events;
pub mod fault;
pub mod fields;
pub mod forecast;
pub mod index;
pub mod model;
pub mod reward;

use self::fields::{Fields, bad, kind};
use base::amount::Base;
use base::{Code, Error, Result};
use grind::Job;
use stellar_xdr::{
    AccountId, ContractDataDurability, ContractDataEntry, ContractId, Hash, LedgerEntryData, LedgerKey,
    LedgerKeyContractData, PublicKey, ScAddress, ScSymbol, ScVal, ScVec, Uint256,
};

/// Decimals of KALE: its unit is the stroop, 10^-7.
pub const DECIMALS: u8 = 7;

/// Seconds of ledger time after which a plant rolls the block over.
pub const BLOCK_SECONDS: u64 = 300;

/// Ledgers that a pail lives at least: the network's minimum for temporary entries, a day. An extension of ours lets entries live
/// for as long from then on.
pub const LIFE: u32 = 17_280;

/// An amount of the contract, which is never negative, in base units.
pub fn base(amount: i128) -> Result<Base> {
    u128::try_from(amount)
        .map(Base::from)
        .map_err(|_| Error::new(Code::BadReply, format!("the contract shows an amount of {amount} stroops")))
}

/// A block: ranges and entropy frozen from what the block before it saw, totals of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Goes into the hash of this block's work.
    pub entropy: [u8; 32],
    /// Largest gap seen, in ledgers.
    pub max_gap: u32,
    /// Largest stake seen, in stroops; `i128::MIN` where none was, in the farm's open block alone.
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
    /// Stroops that are planted and not worked.
    pub staked_total: i128,
    /// When it began, in seconds of ledger time. That of the farm's open block is the clock: see [`Farm::due`].
    pub timestamp: u64,
}

const BLOCK_FIELDS: &[&str] = &[
    "entropy",
    "max_gap",
    "max_stake",
    "max_zeros",
    "min_gap",
    "min_stake",
    "min_zeros",
    "normalized_total",
    "staked_total",
    "timestamp",
];

impl Block {
    /// Reads a block; `what` names it in errors.
    pub fn decode(what: &str, value: &ScVal) -> Result<Self> {
        Self::read(what, value, false)
    }

    /// The farm's `open` block is as the contract sets it up until a plant has seen it.
    fn read(what: &str, value: &ScVal, open: bool) -> Result<Self> {
        let fields = Fields::of(what, value, BLOCK_FIELDS)?;
        let unseen = open && fields.i128("max_stake")? == i128::MIN && fields.i128("min_stake")? == i128::MAX;
        let max_stake = if unseen { i128::MIN } else { fields.amount("max_stake")? };
        Ok(Self {
            entropy: fields.bytes32("entropy")?,
            max_gap: fields.u32("max_gap")?,
            max_stake,
            max_zeros: fields.u32("max_zeros")?,
            min_gap: fields.u32("min_gap")?,
            min_stake: fields.amount("min_stake")?,
            min_zeros: fields.u32("min_zeros")?,
            normalized_total: fields.amount("normalized_total")?,
            staked_total: fields.amount("staked_total")?,
            timestamp: fields.u64("timestamp")?,
        })
    }

    /// What is ground for a farmer in block `index`, of which this is the own entry, not the farm's open one: for the last
    /// 32 bytes of the address' XDR, the raw key of `G…`, the hash of `C…`. `None` for an address that cannot plant.
    pub const fn job(&self, index: u32, farmer: &ScAddress) -> Option<Job> {
        let farmer = match farmer {
            ScAddress::Account(AccountId(PublicKey::PublicKeyTypeEd25519(Uint256(key)))) => *key,
            ScAddress::Contract(ContractId(Hash(id))) => *id,
            _ => return None,
        };
        Some(Job { index, entropy: self.entropy, farmer })
    }
}

/// A farmer's plant in one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pail {
    /// Ledgers from plant to work; `None` before the first work.
    pub gap: Option<u32>,
    /// Ledger of the plant.
    pub sequence: u32,
    /// Stroops staked.
    pub stake: i128,
    /// Zeros of the best work. Zero zeros is work; `None` is none.
    pub zeros: Option<u32>,
}

impl Pail {
    /// Reads a pail; `what` names it in errors.
    pub fn decode(what: &str, value: &ScVal) -> Result<Self> {
        let fields = Fields::of(what, value, &["gap", "sequence", "stake", "zeros"])?;
        let pail = Self {
            gap: fields.optional_u32("gap")?,
            sequence: fields.u32("sequence")?,
            stake: fields.amount("stake")?,
            zeros: fields.optional_u32("zeros")?,
        };
        if pail.gap.is_some() == pail.zeros.is_some() {
            Ok(pail)
        } else {
            Err(bad(what, "the fields \"gap\" and \"zeros\" contradict each other: one is set, one is not"))
        }
    }

    /// Whether it earns anything: zeros are there, be it zero of them.
    pub const fn worked(&self) -> bool {
        self.zeros.is_some()
    }
}

/// The contract's instance entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farm {
    /// Number of the current block. The contract stores none before it goes on to block 1.
    pub index: u32,
    /// What the current block sees, for the next one. Its entropy and ranges still change: work is for the entropy of
    /// the current block's own entry. `None` = the contract was never set up (every plant and work is error 3).
    pub open: Option<Block>,
    /// Planting is stopped.
    pub paused: bool,
    /// The asset contract of KALE; `None` as `open`.
    pub asset: Option<ContractId>,
}

impl Farm {
    /// Reads the instance's value. Entries that are not the farm's are passed over.
    pub fn decode(value: &ScVal) -> Result<Self> {
        let what = "the farm's instance";
        let ScVal::ContractInstance(instance) = value else {
            return Err(bad(what, format!("expected a contract instance, found {}", kind(value))));
        };
        let mut farm = Self { index: 0, open: None, paused: false, asset: None };
        for entry in instance.storage.iter().flat_map(|storage| storage.iter()) {
            let wrong = |name: &str, expected: &str| {
                bad(what, format!("the field \"{name}\" should be {expected}, found {}", kind(&entry.val)))
            };
            match (variant(&entry.key).as_deref(), &entry.val) {
                (Some("FarmIndex"), ScVal::U32(index)) => farm.index = *index,
                (Some(name @ "FarmIndex"), _) => return Err(wrong(name, "a u32")),
                (Some("FarmPaused"), ScVal::Bool(paused)) => farm.paused = *paused,
                (Some(name @ "FarmPaused"), _) => return Err(wrong(name, "a bool")),
                (Some("FarmBlock"), block) => farm.open = Some(Block::read("FarmBlock", block, true)?),
                (Some("HomesteadAsset"), ScVal::Address(ScAddress::Contract(id))) => {
                    farm.asset = Some(id.clone());
                }
                (Some(name @ "HomesteadAsset"), _) => return Err(wrong(name, "a contract address")),
                _ => {}
            }
        }
        Ok(farm)
    }

    /// When a plant rolls the current block over, in seconds of ledger time: by the clock of the open block, which begins
    /// with the roll-over before. The first block, and one that takes the place of a block that is gone, have entries that
    /// begin later than that clock. `None` = the contract was never set up.
    pub fn due(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.timestamp.saturating_add(BLOCK_SECONDS))
    }
}

/// The name of a storage key without arguments: `Vec[Symbol]`.
fn variant(key: &ScVal) -> Option<String> {
    match key {
        ScVal::Vec(Some(parts)) => match parts.as_slice() {
            [ScVal::Symbol(name)] => Some(name.to_utf8_string_lossy()),
            _ => None,
        },
        _ => None,
    }
}

/// A storage entry of the farm that is read from the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The instance, persistent.
    Instance,
    /// A block by its number, temporary.
    Block(u32),
    /// A farmer's pail in a block, temporary.
    Pail(ScAddress, u32),
}

impl Entry {
    /// Its key in the ledger.
    pub fn key(&self, farm: &ContractId) -> Result<LedgerKey> {
        let (key, durability) = match self {
            Self::Instance => (ScVal::LedgerKeyContractInstance, ContractDataDurability::Persistent),
            Self::Block(index) => {
                (storage_key("Block", [ScVal::U32(*index)])?, ContractDataDurability::Temporary)
            }
            Self::Pail(farmer, index) => {
                let parts = [ScVal::Address(farmer.clone()), ScVal::U32(*index)];
                (storage_key("Pail", parts)?, ContractDataDurability::Temporary)
            }
        };
        let contract = ScAddress::Contract(farm.clone());
        Ok(LedgerKey::ContractData(LedgerKeyContractData { contract, key, durability }))
    }

    /// The value of this entry in what a server returned for its key. `bad_reply` where it is another entry.
    pub fn value<'a>(&self, farm: &ContractId, data: &'a LedgerEntryData) -> Result<&'a ScVal> {
        let LedgerEntryData::ContractData(found) = data else {
            return Err(bad(&self.shown(), format!("expected contract data, found {}", data.name())));
        };
        let ContractDataEntry { contract, key, durability, val, .. } = found;
        let returned =
            LedgerKeyContractData { contract: contract.clone(), key: key.clone(), durability: *durability };
        if LedgerKey::ContractData(returned) == self.key(farm)? {
            Ok(val)
        } else {
            Err(bad(&self.shown(), "the server returned another entry than was asked for"))
        }
    }

    /// How errors call it.
    pub fn shown(&self) -> String {
        match self {
            Self::Instance => "the farm's instance".into(),
            Self::Block(index) => format!("Block({index})"),
            Self::Pail(farmer, index) => format!("Pail({farmer}, {index})"),
        }
    }
}

/// The farm's instance in a ledger entry.
pub fn decode_farm(farm: &ContractId, data: &LedgerEntryData) -> Result<Farm> {
    Farm::decode(Entry::Instance.value(farm, data)?)
}

/// A block in a ledger entry.
pub fn decode_block(farm: &ContractId, index: u32, data: &LedgerEntryData) -> Result<Block> {
    let entry = Entry::Block(index);
    Block::decode(&entry.shown(), entry.value(farm, data)?)
}

/// A pail in a ledger entry.
pub fn decode_pail(
    farm: &ContractId,
    farmer: &ScAddress,
    index: u32,
    data: &LedgerEntryData,
) -> Result<Pail> {
    let entry = Entry::Pail(farmer.clone(), index);
    Pail::decode(&entry.shown(), entry.value(farm, data)?)
}

/// The pail of this farmer that an entry is, with its block; `None` where it is anything else.
pub fn pail_of(farm: &ContractId, farmer: &ScAddress, data: &LedgerEntryData) -> Option<(u32, Pail)> {
    let LedgerEntryData::ContractData(entry) = data else { return None };
    let ScVal::Vec(Some(parts)) = &entry.key else { return None };
    let [_, _, ScVal::U32(index)] = parts.as_slice() else { return None };
    // Whose, and of which contract, is compared by the key.
    let key = Entry::Pail(farmer.clone(), *index).key(farm).ok()?;
    (data.to_key() == key)
        .then(|| decode_pail(farm, farmer, *index, data).ok())
        .flatten()
        .map(|pail| (*index, pail))
}

/// A storage key with arguments: `Vec[Symbol, …]`.
fn storage_key<const N: usize>(name: &str, arguments: [ScVal; N]) -> Result<ScVal> {
    let mut parts = vec![ScVal::Symbol(symbol(name)?)];
    parts.extend(arguments);
    Ok(ScVal::Vec(Some(ScVec(parts.try_into().map_err(too_long)?))))
}

/// A symbol of our own.
pub(crate) fn symbol(name: &str) -> Result<ScSymbol> {
    Ok(ScSymbol(name.try_into().map_err(too_long)?))
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err wants")]
pub(super) fn too_long(e: stellar_xdr::Error) -> Error {
    Error::new(Code::Bug, format!("a value does not fit XDR: {e}"))
}
