//! A farm on a ledger whose number and time are set for each call, for tests of the contract alone.
#![allow(clippy::unwrap_used, clippy::panic)] // Test code, helpers included.

use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;
use sha3::{Digest, Keccak256};
use soroban_env_host::LedgerInfo;
use soroban_env_host::budget::Budget;
use soroban_env_host::e2e_invoke::{RecordingInvocationAuthMode, invoke_host_function_in_recording_mode};
use stellar_xdr::{
    AccountId, BytesM, ChangeTrustAsset, ChangeTrustOp, ContractDataDurability, ContractDataEntry,
    ContractId, ExtensionPoint, Int128Parts, LedgerEntry, LedgerEntryData, LedgerEntryExt, LedgerKey,
    LedgerKeyContractData, Limits, ScAddress, ScMap, ScMapEntry, ScSymbol, ScVal, ScVec, VecM, WriteXdr,
};

use super::account::Sponsors;
use super::chain::Chain;
use super::entries::Entries;
use super::farm::{self, FARM_WASM};
use super::host::Machine;
use super::keys::{account_id, signing_key};
use super::rpc::hex;
use super::{assets, control, costs};

/// A farm on a ledger whose number and time are set for each call, where anybody's authorisation is taken as given.
pub(crate) struct Bench {
    entries: Entries,
    pub(crate) machine: Arc<Machine>,
    source: AccountId,
    pub(crate) farm: ContractId,
    token: ContractId,
    seeds: u64,
}

impl Bench {
    /// A farm deployed at `time`; each farmer holds this many stroops of its token.
    pub(crate) fn new(time: u64, farmers: &[&str], funds: i64) -> Self {
        let root = account_id(&signing_key("vectors"));
        // Setting up takes ledgers that take no time, so that the constructor sees the time that is asked for.
        let mut chain = Chain::new("vectors", 900, time, 0, &root).unwrap();
        let deployed = farm::deploy_unlocked(&mut chain, FARM_WASM).unwrap();
        let asset = deployed.asset_xdr().unwrap();
        let stellar_xdr::Asset::CreditAlphanum4(credit) = asset else { panic!("{asset:?}") };
        let op = ChangeTrustOp { line: ChangeTrustAsset::CreditAlphanum4(credit), limit: i64::MAX };
        for farmer in farmers.iter().filter(|farmer| farmer.starts_with('G')) {
            control::fund(&mut chain, farmer, 10_000_000_000).unwrap();
            let id: AccountId = farmer.parse().unwrap();
            chain.edit(|entries| assets::change_trust(entries, &Sponsors::new(), &id, &op)).unwrap();
        }
        let mut bench = Self {
            entries: Entries::new(chain.view(0).unwrap().base, 950),
            machine: Arc::clone(&chain.machine),
            source: deployed.issuer.address.parse().unwrap(),
            farm: deployed.contract.parse().unwrap(),
            token: deployed.asset_contract.parse().unwrap(),
            seeds: 0,
        };
        let info = bench.machine.ledger_info(950, time);
        let token = bench.token.clone();
        for farmer in farmers {
            let to = ScVal::Address(farmer.parse().unwrap());
            bench.call(&info, &token, "mint", vec![to, i128_val(&funds.to_string())]).unwrap();
        }
        let admin = ScVal::Address(ScAddress::Contract(bench.farm.clone()));
        bench.call(&info, &token, "set_admin", vec![admin]).unwrap();
        bench
    }

    /// Calls the farm at a ledger and a time.
    pub(crate) fn farm_call(
        &mut self,
        at: (u32, u64),
        function: &str,
        args: Vec<ScVal>,
    ) -> Result<ScVal, u32> {
        let info = self.machine.ledger_info(at.0, at.1);
        let farm = self.farm.clone();
        self.call(&info, &farm, function, args)
    }

    /// Writes a temporary entry of the farm as if the contract had.
    pub(crate) fn put_temporary(&mut self, key: Vec<ScVal>, val: ScVal) {
        let data = LedgerEntryData::ContractData(ContractDataEntry {
            ext: ExtensionPoint::V0,
            contract: ScAddress::Contract(self.farm.clone()),
            key: sc_vec(key),
            durability: ContractDataDurability::Temporary,
            val,
        });
        let entry = LedgerEntry { last_modified_ledger_seq: 0, data, ext: LedgerEntryExt::V0 };
        self.entries.put(entry, Some(u32::MAX));
    }

    pub(crate) fn remove_temporary(&mut self, key: Vec<ScVal>) {
        let contract = ScAddress::Contract(self.farm.clone());
        let durability = ContractDataDurability::Temporary;
        let key = LedgerKey::ContractData(LedgerKeyContractData { contract, key: sc_vec(key), durability });
        self.entries.remove(&key);
    }

    /// Writes a value of the farm's instance as if the contract had.
    pub(crate) fn put_instance(&mut self, name: &str, val: ScVal) {
        let contract = ScAddress::Contract(self.farm.clone());
        let durability = ContractDataDurability::Persistent;
        let key = LedgerKey::ContractData(LedgerKeyContractData {
            contract,
            key: ScVal::LedgerKeyContractInstance,
            durability,
        });
        let slot = self.entries.get(&key).unwrap().clone();
        let mut entry = slot.entry.as_ref().clone();
        let LedgerEntryData::ContractData(data) = &mut entry.data else { panic!("{entry:?}") };
        let ScVal::ContractInstance(instance) = &mut data.val else { panic!("{data:?}") };
        let mut items = instance.storage.clone().unwrap().0.to_vec();
        let key = sc_vec(vec![symbol(name)]);
        items.retain(|item| item.key != key);
        items.push(ScMapEntry { key, val });
        items.sort();
        instance.storage = Some(ScMap(items.try_into().unwrap()));
        self.entries.put(entry, slot.live_until);
    }

    pub(crate) fn call(
        &mut self,
        info: &LedgerInfo,
        contract: &ContractId,
        function: &str,
        args: Vec<ScVal>,
    ) -> Result<ScVal, u32> {
        self.seeds += 1;
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seeds.to_be_bytes());
        let budget =
            Budget::try_from_configs(u64::MAX, u64::MAX, costs::cpu().unwrap(), costs::memory().unwrap())
                .unwrap();
        let ran = invoke_host_function_in_recording_mode(
            &budget,
            false,
            &farm::invocation(contract, function, args).unwrap(),
            &self.source,
            RecordingInvocationAuthMode::recording(true, false),
            info.clone(),
            Rc::new(self.entries.base().clone()),
            seed,
            &mut Vec::new(),
        )
        .unwrap();
        match ran.invoke_result {
            Ok(value) => {
                self.entries.sequence = info.sequence_number;
                for change in ran.ledger_changes {
                    self.machine.write(&mut self.entries, change).unwrap();
                }
                Ok(value)
            }
            Err(error) => {
                assert!(error.error.is_type(stellar_xdr::ScErrorType::Contract), "{function}: {error:?}");
                Err(error.error.get_code())
            }
        }
    }

    pub(crate) fn temporary(&self, key: Vec<ScVal>) -> Option<ScVal> {
        self.data(sc_vec(key), ContractDataDurability::Temporary)
    }

    pub(crate) fn data(&self, key: ScVal, durability: ContractDataDurability) -> Option<ScVal> {
        let contract = ScAddress::Contract(self.farm.clone());
        let key = LedgerKey::ContractData(LedgerKeyContractData { contract, key, durability });
        match &self.entries.get(&key)?.entry.data {
            LedgerEntryData::ContractData(data) => Some(data.val.clone()),
            _ => None,
        }
    }

    pub(crate) fn instance(&self, name: &str) -> Option<ScVal> {
        let instance = self.data(ScVal::LedgerKeyContractInstance, ContractDataDurability::Persistent)?;
        let ScVal::ContractInstance(instance) = instance else { return None };
        let map = instance.storage?;
        let key = sc_vec(vec![symbol(name)]);
        map.iter().find(|item| item.key == key).map(|item| item.val.clone())
    }
}

pub(crate) fn symbol(text: &str) -> ScVal {
    ScVal::Symbol(ScSymbol(text.try_into().unwrap()))
}

pub(crate) fn sc_vec(values: Vec<ScVal>) -> ScVal {
    ScVal::Vec(Some(ScVec(VecM::try_from(values).unwrap())))
}

pub(crate) fn i128_val(text: &str) -> ScVal {
    let value: i128 = text.parse().unwrap();
    ScVal::I128(Int128Parts {
        hi: i64::try_from(value >> 64).unwrap(),
        lo: u64::try_from(value & i128::from(u64::MAX)).unwrap(),
    })
}

/// A struct of the contract: its fields in the order of their names.
pub(crate) fn sc_map(mut fields: Vec<(&str, ScVal)>) -> ScVal {
    fields.sort_by_key(|field| field.0);
    let items: Vec<_> = fields.into_iter().map(|(name, val)| ScMapEntry { key: symbol(name), val }).collect();
    ScVal::Map(Some(ScMap(items.try_into().unwrap())))
}

/// A value in the form that the vectors have it in.
pub(crate) fn plain(value: &ScVal) -> Value {
    match value {
        ScVal::Void => Value::Null,
        ScVal::U32(value) => Value::from(*value),
        ScVal::U64(value) => Value::from(*value),
        ScVal::I128(parts) => Value::from(i128::from(parts).to_string()),
        ScVal::Bytes(bytes) => Value::from(hex(bytes.as_slice())),
        ScVal::Map(Some(ScMap(items))) => {
            let field = |key: &ScVal| match key {
                ScVal::Symbol(name) => name.to_string(),
                other => panic!("key {other:?}"),
            };
            Value::Object(items.iter().map(|item| (field(&item.key), plain(&item.val))).collect())
        }
        other => panic!("value {other:?}"),
    }
}

/// The hash of a nonce, over the current block's entropy.
pub(crate) fn work_hash(bench: &Bench, nonce: u64, farmer: &ScVal) -> BytesM {
    let index = bench.instance("FarmIndex").unwrap_or(ScVal::U32(0));
    let entropy = bench.temporary(vec![symbol("Block"), index.clone()]).map_or_else(
        || vec![0; 32],
        |block| match block {
            ScVal::Map(Some(items)) => {
                match &items.iter().find(|item| item.key == symbol("entropy")).unwrap().val {
                    ScVal::Bytes(bytes) => bytes.to_vec(),
                    other => panic!("{other:?}"),
                }
            }
            other => panic!("{other:?}"),
        },
    );
    let ScVal::U32(index) = index else { panic!("{index:?}") };
    let farmer = farmer.to_xdr(Limits::none()).unwrap();
    let message =
        [&index.to_be_bytes(), &nonce.to_be_bytes()[..], &entropy, &farmer[farmer.len() - 32..]].concat();
    Keccak256::digest(message).to_vec().try_into().unwrap()
}
