//! One moment of the farm, from one endpoint: the ledger, the farm, the current block, and what farmers have in it.

use super::site::{Site, no_farm};
use super::wallet::{self, Wallet};
use super::{Who, asset};
use crate::contract::fields::bad;
use crate::contract::model::Moment;
use crate::contract::{Block, Entry, Farm, LIFE, Pail, decode_block, decode_farm, decode_pail, index};
use crate::schedule;
use base::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use stellar::Entries;
use stellar::xdr::{Asset, ContractExecutable, LedgerEntryData, LedgerKey, ScContractInstance, ScVal};

/// How often the farm is looked at before what contradicts itself is the endpoint's fault: once without a guess of the
/// block, once with it, and once more for a roll-over in between.
const LOOKS: usize = 3;

/// A temporary entry, with the last ledger in which it lives; one answer is believed for a day at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Living<T> {
    /// The entry.
    pub entry: T,
    /// `liveUntilLedgerSeq`.
    pub live_until: Option<u32>,
}

/// What a farmer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose.
    pub who: Who,
    /// The pail in the current block.
    pub pail: Option<Living<Pail>>,
    /// The account; `None` where it does not exist, or was not asked for.
    pub wallet: Option<Wallet>,
}

/// What to read beside the farm itself.
#[derive(Debug, Clone, Default)]
pub struct Ask<'a> {
    /// Farmers whose pails in the current block are read.
    pub who: &'a [Who],
    /// Their accounts and trustlines too.
    pub wallets: bool,
    /// The newest block that was believed in, and so probably the current one or the one before: where it is, a request is
    /// saved; and what the endpoint says of the current one is held against it.
    pub guess: Option<u32>,
}

/// The farm at one ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The endpoint's name.
    pub endpoint: String,
    /// The ledger and its close time.
    pub at: Moment,
    /// The contract's instance.
    pub farm: Farm,
    /// The hash of the contract's code, lower-case hex; `None` where it has none of its own.
    pub code: Option<String>,
    /// Block `farm.index`; `None` where its entry is not there.
    pub block: Option<Living<Block>>,
    /// The farmers that were asked for, in that order.
    pub farmers: Vec<Standing>,
}

impl View {
    /// The current block without its life time.
    pub fn current(&self) -> Option<&Block> {
        self.block.as_ref().map(|living| &living.entry)
    }

    /// When work of the current block must be in, in seconds of ledger time; `None` where its entry is not there.
    pub fn due(&self) -> Option<u64> {
        self.farm.due().filter(|_| self.block.is_some())
    }

    /// The last second in which work for the current block can get in; `None` where it is too late.
    pub fn work_until(&self) -> Option<u64> {
        schedule::work_until(self.due()?, self.at.time)
    }

    /// Whether a pail of those that were asked for is not worked, and it is too late for that.
    pub fn is_too_late(&self) -> bool {
        let is_missed = |standing: &Standing| standing.pail.as_ref().is_some_and(|pail| !pail.entry.worked());
        self.work_until().is_none() && self.farmers.iter().any(is_missed)
    }

    /// The contract of KALE.
    pub fn asset_contract(&self) -> Result<&stellar_xdr::ContractId> {
        self.farm.asset.as_ref().ok_or_else(|| bad("the farm's instance", "it names no asset"))
    }

    /// Reads the farm: two HTTP requests where the guess is right and no accounts are asked for.
    /// `not_a_contract` where there is no farm; `bad_reply` where the blocks contradict its number.
    pub async fn read(site: &Site, ask: &Ask<'_>) -> Result<Self> {
        site.client.view(async |view| Self::once(site, view, ask).await).await
    }

    /// As [`View::read`], on an endpoint that is open already.
    pub async fn once(site: &Site, view: &stellar::View, ask: &Ask<'_>) -> Result<Self> {
        let instance = Entry::Instance.key(&site.farm)?;
        let mut wanted = ask.guess.map(|guess| guess..=guess.saturating_add(1));
        let mut looks = 0;
        let (farm, code, mut entries) = loop {
            let mut keys = vec![instance.clone()];
            if let Some(wanted) = &wanted {
                keys.extend(keys_around(site, ask, wanted)?);
            }
            let entries = view.entries(keys).await?;
            // What was there once is not gone because one answer leaves it out.
            let missing = || match ask.guess {
                Some(_) => bad("the farm's instance", "it is missing, and it was there before"),
                None => no_farm(site),
            };
            let found = &entries.get(&instance).ok_or_else(missing)?.data;
            let (farm, code) = (decode_farm(&site.farm, found)?, code_of(found));
            let covered = wanted.is_some_and(|wanted| wanted.contains(&farm.index));
            looks += 1;
            let last = looks == LOOKS;
            if covered {
                match self::contradiction(site, &farm, &entries, ask.guess, view.ledger().close_time)? {
                    None => break (farm, code, entries),
                    Some(why) if last => {
                        return Err(bad("the farm's instance", format!("FarmIndex {}: {why}", farm.index)));
                    }
                    // What was read in parts may be from before and after a roll-over.
                    Some(_) => {}
                }
            } else if last {
                let why = format!("FarmIndex is {} now, and changes at every look", farm.index);
                return Err(bad("the farm's instance", why));
            }
            wanted = Some(farm.index..=farm.index);
        };
        let mut trust = None;
        if ask.wallets {
            let contract =
                farm.asset.as_ref().ok_or_else(|| bad("the farm's instance", "it names no asset"))?;
            let asset = asset::of(site, view, contract).await?;
            let wallets = ask.who.iter().flat_map(|who| wallet::keys(&who.account, &asset));
            entries.found.append(&mut view.entries(wallets).await?.found);
            trust = Some(asset);
        }
        let ledger = view.ledger();
        let block = living(&entries, &Entry::Block(farm.index).key(&site.farm)?, |data| {
            decode_block(&site.farm, farm.index, data)
        })?;
        let standing = |who: &Who| standing(site, &entries, who, farm.index, trust.as_ref());
        Ok(Self {
            endpoint: view.endpoint().to_owned(),
            at: Moment { ledger: ledger.sequence, time: ledger.close_time },
            block,
            farmers: ask.who.iter().map(standing).collect::<Result<_>>()?,
            farm,
            code,
        })
    }
}

/// The hash of the code that an instance runs.
fn code_of(instance: &LedgerEntryData) -> Option<String> {
    let LedgerEntryData::ContractData(entry) = instance else { return None };
    match &entry.val {
        ScVal::ContractInstance(ScContractInstance {
            executable: ContractExecutable::Wasm(hash), ..
        }) => Some(hash.to_string()),
        _ => None,
    }
}

/// The pails of the blocks that may be the current one, and the blocks that tell which it is.
fn keys_around(site: &Site, ask: &Ask<'_>, wanted: &RangeInclusive<u32>) -> Result<Vec<LedgerKey>> {
    let pails = wanted
        .clone()
        .flat_map(|index| ask.who.iter().map(move |who| Entry::Pail(who.contract_address(), index)));
    let blocks: BTreeSet<u32> = wanted.clone().flat_map(|index| index::witnesses(index, ask.guess)).collect();
    blocks.into_iter().map(Entry::Block).chain(pails).map(|entry| entry.key(&site.farm)).collect()
}

/// What among the blocks contradicts the farm's number; see [`index::contradiction`].
fn contradiction(
    site: &Site,
    farm: &Farm,
    entries: &Entries,
    known: Option<u32>,
    time: u64,
) -> Result<Option<String>> {
    let mut blocks = BTreeMap::new();
    for index in index::witnesses(farm.index, known) {
        let key = Entry::Block(index).key(&site.farm)?;
        if let Some(found) = entries.get(&key) {
            blocks.insert(index, decode_block(&site.farm, index, &found.data)?);
        }
    }
    Ok(index::contradiction(farm, &blocks, known, time))
}

fn standing(
    site: &Site,
    entries: &Entries,
    who: &Who,
    index: u32,
    asset: Option<&Asset>,
) -> Result<Standing> {
    let address = who.contract_address();
    let key = Entry::Pail(address.clone(), index).key(&site.farm)?;
    let pail = living(entries, &key, |data| decode_pail(&site.farm, &address, index, data))?;
    let wallet = asset.map(|asset| wallet::decode(entries, &who.account, asset)).transpose()?.flatten();
    Ok(Standing { who: who.clone(), pail, wallet })
}

/// An entry that is there, decoded, with its life time.
pub fn living<T>(
    entries: &Entries,
    key: &LedgerKey,
    decode: impl FnOnce(&stellar_xdr::LedgerEntryData) -> Result<T>,
) -> Result<Option<Living<T>>> {
    entries
        .get(key)
        .map(|found| {
            // Longer lives are of others' making: a look a day later is to bear them out, so that no answer keeps a pail
            // that is gone open for half a year.
            let most = entries.ledger.saturating_add(LIFE);
            let live_until = found.live_until.map(|until| until.min(most));
            Ok(Living { entry: decode(&found.data)?, live_until })
        })
        .transpose()
}
