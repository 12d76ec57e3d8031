//! Which classic asset KALE is: what a trustline is for. Known for the public networks; elsewhere the asset's contract says.

use super::site::{Site, no_farm};
use crate::contract::fields::bad;
use crate::contract::{Entry, decode_farm};
use base::Result;
use sha2::{Digest, Sha256};
use stellar::xdr::{
    Asset, ContractDataDurability, ContractId, ContractIdPreimage, Hash, HashIdPreimage,
    HashIdPreimageContractId, LedgerEntryData, LedgerKey, LedgerKeyContractData, Limits, ScAddress, ScVal,
    WriteXdr,
};
use stellar::{View, asset};

/// The classic asset that the farm pays in. `not_a_contract` where there is no farm.
pub async fn of_farm(site: &Site, view: &View) -> Result<Asset> {
    let key = Entry::Instance.key(&site.farm)?;
    let entries = view.entries([key.clone()]).await?;
    let found = entries.get(&key).ok_or_else(|| no_farm(site))?;
    let contract = decode_farm(&site.farm, &found.data)?.asset;
    of(site, view, &contract.ok_or_else(|| bad("the farm's instance", "it names no asset"))?).await
}

/// An asset as people write it: `CODE:ISSUER`, or `native`.
pub fn text(asset: &Asset) -> String {
    match asset {
        Asset::Native => "native".to_owned(),
        Asset::CreditAlphanum4(asset) => format!("{}:{}", asset.asset_code, asset.issuer),
        Asset::CreditAlphanum12(asset) => format!("{}:{}", asset.asset_code, asset.issuer),
    }
}

/// The classic asset behind the asset contract `contract` that the farm names.
/// `bad_reply` where the contract is none of an asset, or of another than it says.
pub async fn of(site: &Site, view: &View, contract: &ContractId) -> Result<Asset> {
    if let (Some(text), Some(known)) = (site.known.asset, site.known.asset_contract)
        && known == contract.to_string()
    {
        return asset("the known network", text);
    }
    let what = "the asset contract";
    let key = LedgerKey::ContractData(LedgerKeyContractData {
        contract: ScAddress::Contract(contract.clone()),
        key: ScVal::LedgerKeyContractInstance,
        durability: ContractDataDurability::Persistent,
    });
    let entries = view.entries([key.clone()]).await?;
    let Some(LedgerEntryData::ContractData(data)) = entries.get(&key).map(|entry| &entry.data) else {
        return Err(bad(what, format!("{contract} is not there")));
    };
    let name = name(&data.val).ok_or_else(|| bad(what, format!("{contract} has no name of an asset")))?;
    let found = asset(what, &name)?;
    let preimage = HashIdPreimage::ContractId(HashIdPreimageContractId {
        network_id: Hash(site.client.network_id()),
        contract_id_preimage: ContractIdPreimage::Asset(found.clone()),
    });
    let bytes = preimage.to_xdr(Limits::none()).map_err(|e| bad(what, e))?;
    if ContractId(Hash(Sha256::digest(bytes).into())) == *contract {
        Ok(found)
    } else {
        Err(bad(what, format!("{contract} calls itself {name}, which has another contract")))
    }
}

/// `METADATA.name` of an asset contract: `CODE:ISSUER`.
fn name(instance: &ScVal) -> Option<String> {
    let ScVal::ContractInstance(instance) = instance else { return None };
    let named = |key: &ScVal, name: &[u8]| matches!(key, ScVal::Symbol(symbol) if symbol.as_slice() == name);
    let storage = instance.storage.as_ref()?;
    let metadata = storage.iter().find(|entry| named(&entry.key, b"METADATA"))?;
    let ScVal::Map(Some(fields)) = &metadata.val else { return None };
    let field = fields.iter().find(|entry| named(&entry.key, b"name"))?;
    match &field.val {
        ScVal::String(text) => Some(text.to_utf8_string_lossy()),
        _ => None,
    }
}
