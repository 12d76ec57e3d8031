//! Setting up a farm: the token, its contract, the farm's code and contract, and the right to mint.

use sha2::{Digest, Sha256};
use stellar_xdr::{
    AccountId, AlphaNum4, Asset, AssetCode4, ContractExecutable, ContractId, ContractIdPreimage,
    ContractIdPreimageFromAddress, CreateContractArgs, CreateContractArgsV2, Hash, HostFunction,
    InvokeContractArgs, ScAddress, ScSymbol, ScVal, Uint256, VecM,
};

use super::chain::Chain;
use super::keys::{Keypair, account_id, signing_key};
use super::{assets, client, control};
use crate::{Error, Result};

/// The farm contract of this crate, built by `contracts/build.sh`.
pub const FARM_WASM: &[u8] = include_bytes!("../../contracts/farm.wasm");

/// What the issuer's key is derived from.
const ISSUER: &str = "poolctl sandbox: issuer";
/// What the administrator's key is derived from.
const HOMESTEADER: &str = "poolctl sandbox: homesteader";
/// Lumens of the issuer and the administrator, in stroops; a deployment pays some 40 lumens of rent.
const SETUP_FUNDS: i64 = 10_000_000_000;

/// A farm that is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farm {
    /// Id of the farm contract, `C…`.
    pub contract: String,
    /// The token, `KALE:G…`.
    pub asset: String,
    /// Id of the token's contract, `C…`.
    pub asset_contract: String,
    /// The token's issuer.
    pub issuer: Keypair,
    /// The farm's administrator.
    pub homesteader: Keypair,
}

impl Farm {
    pub(crate) fn asset_xdr(&self) -> Result<Asset> {
        let issuer: AccountId = self.issuer.address.parse()?;
        Ok(kale(issuer))
    }
}

fn kale(issuer: AccountId) -> Asset {
    Asset::CreditAlphanum4(AlphaNum4 { asset_code: AssetCode4(*b"KALE"), issuer })
}

/// Deploys token and farm, in four ledgers.
pub(crate) fn deploy(chain: &mut Chain, wasm: &[u8]) -> Result<Farm> {
    let farm = deploy_unlocked(chain, wasm)?;
    let (token, contract): (ContractId, ContractId) = (farm.asset_contract.parse()?, farm.contract.parse()?);
    // The farm mints at harvest, so it must administer the token.
    let admin = vec![ScVal::Address(ScAddress::Contract(contract))];
    client::call(chain, &signing_key(ISSUER), invocation(&token, "set_admin", admin)?)?;
    Ok(farm)
}

/// Deploys token and farm, with the issuer still administering the token.
pub(crate) fn deploy_unlocked(chain: &mut Chain, wasm: &[u8]) -> Result<Farm> {
    let (issuer_key, homesteader_key) = (signing_key(ISSUER), signing_key(HOMESTEADER));
    let (issuer, homesteader) = (Keypair::derive(ISSUER), Keypair::derive(HOMESTEADER));
    for account in [&issuer, &homesteader] {
        control::fund(chain, &account.address, SETUP_FUNDS)?;
    }
    let asset = kale(account_id(&issuer_key));

    let token = HostFunction::CreateContract(CreateContractArgs {
        contract_id_preimage: ContractIdPreimage::Asset(asset.clone()),
        executable: ContractExecutable::StellarAsset,
    });
    client::call(chain, &issuer_key, token)?;
    client::call(chain, &homesteader_key, HostFunction::UploadContractWasm(wasm.to_vec().try_into()?))?;

    let token_id = assets::contract_id(&asset, chain.network_id)?;
    let constructor = [
        ScVal::Address(ScAddress::Account(account_id(&homesteader_key))),
        ScVal::Address(ScAddress::Contract(token_id.clone())),
    ];
    let made = HostFunction::CreateContractV2(CreateContractArgsV2 {
        contract_id_preimage: ContractIdPreimage::Address(ContractIdPreimageFromAddress {
            address: ScAddress::Account(account_id(&homesteader_key)),
            salt: Uint256(Sha256::digest(wasm).into()),
        }),
        executable: ContractExecutable::Wasm(Hash(Sha256::digest(wasm).into())),
        constructor_args: VecM::try_from(constructor.to_vec())?,
    });
    let contract = match client::call(chain, &homesteader_key, made)? {
        ScVal::Address(ScAddress::Contract(id)) => id,
        other => return Err(Error::new(format!("deployment returned {other:?}"))),
    };
    Ok(Farm {
        contract: contract.to_string(),
        asset: assets::name(&asset),
        asset_contract: token_id.to_string(),
        issuer,
        homesteader,
    })
}

/// A call of a contract's function.
pub(crate) fn invocation(contract: &ContractId, function: &str, args: Vec<ScVal>) -> Result<HostFunction> {
    Ok(HostFunction::InvokeContract(InvokeContractArgs {
        contract_address: ScAddress::Contract(contract.clone()),
        function_name: ScSymbol(function.try_into()?),
        args: VecM::try_from(args)?,
    }))
}
