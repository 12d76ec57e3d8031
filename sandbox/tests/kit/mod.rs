//! What the tests share: a client that speaks to the sandbox over HTTP only, and builds transactions by hand.
#![allow(dead_code, missing_docs, clippy::missing_panics_doc, clippy::unwrap_used, clippy::panic)]

use ed25519_dalek::{Signer, SigningKey};
use poolctl_sandbox::stellar::{FARM_WASM, Farm, Keypair, Stellar, StellarOptions};
use poolctl_testkit::once::{call, exchange, request};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sha3::Keccak256;
use stellar_xdr::*;

/// The whole JSON-RPC reply.
pub fn reply(url: &str, method: &str, params: &Value) -> Value {
    exchange(url, &request(method, params))
}

pub fn decode<T: ReadXdr>(value: &Value) -> T {
    T::from_xdr_base64(value.as_str().unwrap_or_else(|| panic!("not a string: {value}")), Limits::none())
        .unwrap()
}

pub fn encode(value: &impl WriteXdr) -> String {
    value.to_xdr_base64(Limits::none()).unwrap()
}

/// A key that signs.
#[derive(Clone)]
pub struct Key(pub SigningKey);

impl Key {
    pub fn named(name: &str) -> Self {
        Self(SigningKey::from_bytes(&Sha256::digest(name).into()))
    }

    pub fn from_pair(pair: &Keypair) -> Self {
        let seed: stellar_strkey::ed25519::PrivateKey = pair.secret.parse().unwrap();
        Self(SigningKey::from_bytes(&seed.0))
    }

    pub fn id(&self) -> AccountId {
        AccountId(PublicKey::PublicKeyTypeEd25519(Uint256(self.0.verifying_key().to_bytes())))
    }

    pub fn address(&self) -> String {
        self.id().to_string()
    }

    pub fn muxed(&self) -> MuxedAccount {
        MuxedAccount::Ed25519(Uint256(self.0.verifying_key().to_bytes()))
    }

    pub fn sc(&self) -> ScVal {
        ScVal::Address(ScAddress::Account(self.id()))
    }

    pub fn sign(&self, hash: &[u8; 32]) -> DecoratedSignature {
        let public = self.0.verifying_key().to_bytes();
        DecoratedSignature {
            hint: SignatureHint(public[28..].try_into().unwrap()),
            signature: Signature(self.0.sign(hash).to_bytes().to_vec().try_into().unwrap()),
        }
    }
}

/// A network with a farm, and what is needed to use it.
pub struct Bench {
    pub network: Stellar,
    pub url: String,
    pub farm: Farm,
    pub network_id: [u8; 32],
}

impl Bench {
    pub fn new() -> Self {
        Self::with(&StellarOptions::default())
    }

    pub fn with(options: &StellarOptions) -> Self {
        let network = Stellar::start(options).unwrap();
        let farm = network.deploy_farm(FARM_WASM).unwrap();
        let network_id = Sha256::digest(network.passphrase()).into();
        Self { url: network.url(), network, farm, network_id }
    }

    pub fn call(&self, method: &str, params: &Value) -> Value {
        call(&self.url, method, params)
    }

    /// A funded account.
    pub fn account(&self, name: &str) -> Key {
        let key = Key::named(name);
        self.network.fund(&key.address(), 100_000_000_000).unwrap();
        key
    }

    /// A funded account with a trustline and this many stroops of the farm's token.
    pub fn farmer(&self, name: &str, kale: i64) -> Key {
        let key = self.account(name);
        self.land(&self.classic(&key, vec![self.trust(None)]));
        if kale > 0 {
            self.network.fund_kale(&key.address(), kale).unwrap();
        }
        key
    }

    pub fn asset(&self) -> Asset {
        let issuer: AccountId = self.farm.issuer.address.parse().unwrap();
        Asset::CreditAlphanum4(AlphaNum4 { asset_code: AssetCode4(*b"KALE"), issuer })
    }

    pub fn trust(&self, source: Option<&Key>) -> Operation {
        let Asset::CreditAlphanum4(asset) = self.asset() else { unreachable!() };
        let op = ChangeTrustOp { line: ChangeTrustAsset::CreditAlphanum4(asset), limit: i64::MAX };
        Operation { source_account: source.map(Key::muxed), body: OperationBody::ChangeTrust(op) }
    }

    /// An entry as the RPC gives it, with the last ledger it lives in.
    pub fn entry(&self, key: &LedgerKey) -> Option<(LedgerEntryData, Option<u32>)> {
        let answer = self.call("getLedgerEntries", &json!({ "keys": [encode(key)] }));
        let entry = answer["entries"].get(0)?;
        let live_until =
            entry.get("liveUntilLedgerSeq").map(|last| u32::try_from(last.as_u64().unwrap()).unwrap());
        Some((decode(&entry["xdr"]), live_until))
    }

    pub fn ledger_account(&self, id: &AccountId) -> Option<AccountEntry> {
        match self.entry(&LedgerKey::Account(LedgerKeyAccount { account_id: id.clone() }))?.0 {
            LedgerEntryData::Account(account) => Some(account),
            other => panic!("{other:?}"),
        }
    }

    pub fn balance(&self, key: &Key) -> i64 {
        self.ledger_account(&key.id()).unwrap().balance
    }

    pub fn kale(&self, key: &Key) -> Option<i64> {
        let Asset::CreditAlphanum4(asset) = self.asset() else { unreachable!() };
        let key = LedgerKeyTrustLine { account_id: key.id(), asset: TrustLineAsset::CreditAlphanum4(asset) };
        match self.entry(&LedgerKey::Trustline(key))?.0 {
            LedgerEntryData::Trustline(line) => Some(line.balance),
            other => panic!("{other:?}"),
        }
    }

    pub fn sequence(&self, key: &Key) -> i64 {
        self.ledger_account(&key.id()).map_or(0, |account| account.seq_num.0)
    }

    pub fn contract(&self) -> ContractId {
        self.farm.contract.parse().unwrap()
    }

    /// A transaction without signatures, the next of its source.
    pub fn bare(&self, source: &Key, operations: Vec<Operation>) -> Transaction {
        Transaction {
            source_account: source.muxed(),
            fee: 100 * u32::try_from(operations.len().max(1)).unwrap(),
            seq_num: SequenceNumber(self.sequence(source) + 1),
            cond: Preconditions::None,
            memo: Memo::None,
            operations: operations.try_into().unwrap(),
            ext: TransactionExt::V0,
        }
    }

    pub fn signed(&self, transaction: Transaction, keys: &[&Key]) -> TransactionEnvelope {
        let hash = transaction.hash(self.network_id).unwrap();
        let signatures: Vec<_> = keys.iter().map(|key| key.sign(&hash)).collect();
        TransactionEnvelope::Tx(TransactionV1Envelope {
            tx: transaction,
            signatures: signatures.try_into().unwrap(),
        })
    }

    /// A classic transaction, signed by its source.
    pub fn classic(&self, source: &Key, operations: Vec<Operation>) -> TransactionEnvelope {
        self.signed(self.bare(source, operations), &[source])
    }

    /// A call of the farm, not simulated yet.
    pub fn invocation(&self, source: &Key, function: &str, args: Vec<ScVal>) -> Transaction {
        let op = InvokeHostFunctionOp {
            host_function: HostFunction::InvokeContract(InvokeContractArgs {
                contract_address: ScAddress::Contract(self.contract()),
                function_name: ScSymbol(function.try_into().unwrap()),
                args: args.try_into().unwrap(),
            }),
            auth: VecM::default(),
        };
        self.bare(
            source,
            vec![Operation { source_account: None, body: OperationBody::InvokeHostFunction(op) }],
        )
    }

    pub fn simulate(&self, transaction: &Transaction) -> Value {
        let envelope = TransactionEnvelope::Tx(TransactionV1Envelope {
            tx: transaction.clone(),
            signatures: VecM::default(),
        });
        self.call("simulateTransaction", &json!({ "transaction": encode(&envelope) }))
    }

    /// Puts what the simulation found into the transaction.
    pub fn assemble(mut transaction: Transaction, simulated: &Value) -> Transaction {
        assert!(simulated.get("error").is_none(), "{simulated}");
        let data: SorobanTransactionData = decode(&simulated["transactionData"]);
        transaction.fee = 100 + u32::try_from(data.resource_fee).unwrap();
        transaction.ext = TransactionExt::V1(data);
        if let Some(auth) = simulated["results"][0]["auth"].as_array() {
            let auth: Vec<SorobanAuthorizationEntry> = auth.iter().map(decode).collect();
            let mut operations = transaction.operations.to_vec();
            if let OperationBody::InvokeHostFunction(op) = &mut operations[0].body {
                op.auth = auth.try_into().unwrap();
            }
            transaction.operations = operations.try_into().unwrap();
        }
        transaction
    }

    /// A call of the farm, simulated, assembled and signed.
    pub fn prepared(&self, source: &Key, function: &str, args: Vec<ScVal>) -> TransactionEnvelope {
        let transaction = self.invocation(source, function, args);
        let simulated = self.simulate(&transaction);
        self.signed(Self::assemble(transaction, &simulated), &[source])
    }

    pub fn send(&self, envelope: &TransactionEnvelope) -> Value {
        self.call("sendTransaction", &json!({ "transaction": encode(envelope) }))
    }

    pub fn hash(&self, envelope: &TransactionEnvelope) -> String {
        let hash = envelope.hash(self.network_id).unwrap();
        Hash(hash).to_string()
    }

    pub fn get(&self, envelope: &TransactionEnvelope) -> Value {
        self.call("getTransaction", &json!({ "hash": self.hash(envelope) }))
    }

    /// Sends, closes a ledger, and demands success.
    pub fn land(&self, envelope: &TransactionEnvelope) -> Value {
        let landed = self.settle(envelope);
        let result = landed.get("resultXdr").map(decode::<TransactionResult>);
        assert_eq!(landed["status"], "SUCCESS", "{result:?} {landed}");
        landed
    }

    /// Sends, closes a ledger, and says what became of it.
    pub fn settle(&self, envelope: &TransactionEnvelope) -> Value {
        let sent = self.send(envelope);
        let error = sent.get("errorResultXdr").map(decode::<TransactionResult>);
        assert_eq!(sent["status"], "PENDING", "{error:?}");
        self.network.advance(1).unwrap();
        self.get(envelope)
    }

    pub fn return_value(landed: &Value) -> ScVal {
        let TransactionMeta::V4(meta) = decode(&landed["resultMetaXdr"]) else { panic!("old meta") };
        meta.soroban_meta.clone().unwrap().return_value.unwrap()
    }

    pub fn plant(&self, farmer: &Key, stake: i64) -> TransactionEnvelope {
        self.prepared(farmer, "plant", vec![farmer.sc(), amount(stake)])
    }

    pub fn farm_data(&self, key: ScVal, durability: ContractDataDurability) -> LedgerKey {
        let contract = ScAddress::Contract(self.contract());
        LedgerKey::ContractData(LedgerKeyContractData { contract, key, durability })
    }

    pub fn temporary(&self, key: Vec<ScVal>) -> LedgerKey {
        self.farm_data(ScVal::Vec(Some(ScVec(key.try_into().unwrap()))), ContractDataDurability::Temporary)
    }

    pub fn pail_key(&self, farmer: &Key, index: u32) -> LedgerKey {
        self.temporary(vec![symbol("Pail"), farmer.sc(), ScVal::U32(index)])
    }

    pub fn instance_key(&self) -> LedgerKey {
        self.farm_data(ScVal::LedgerKeyContractInstance, ContractDataDurability::Persistent)
    }

    /// Work with any nonce for a block, by the farmer itself.
    pub fn work(&self, farmer: &Key, index: u32, nonce: u64) -> TransactionEnvelope {
        let key = self.temporary(vec![symbol("Block"), ScVal::U32(index)]);
        let Some((LedgerEntryData::ContractData(data), _)) = self.entry(&key) else {
            panic!("no block {index}")
        };
        let ScVal::Map(Some(block)) = &data.val else { panic!("{data:?}") };
        let entropy = block.iter().find(|item| item.key == symbol("entropy")).unwrap();
        let ScVal::Bytes(entropy) = &entropy.val else { panic!("{entropy:?}") };
        let message = [
            &index.to_be_bytes()[..],
            &nonce.to_be_bytes(),
            entropy.as_slice(),
            &farmer.0.verifying_key().to_bytes(),
        ]
        .concat();
        let hash = ScVal::Bytes(ScBytes(Keccak256::digest(message).to_vec().try_into().unwrap()));
        self.prepared(farmer, "work", vec![farmer.sc(), hash, ScVal::U64(nonce)])
    }
}

pub fn symbol(text: &str) -> ScVal {
    ScVal::Symbol(ScSymbol(text.try_into().unwrap()))
}

pub fn amount(stroops: i64) -> ScVal {
    let (hi, lo) = (if stroops < 0 { -1 } else { 0 }, stroops.cast_unsigned());
    ScVal::I128(Int128Parts { hi, lo })
}

pub fn payment(to: &Key, asset: Asset, amount: i64) -> Operation {
    let op = PaymentOp { destination: to.muxed(), asset, amount };
    Operation { source_account: None, body: OperationBody::Payment(op) }
}

/// The result of a transaction, from `sendTransaction` or `getTransaction`.
pub fn result(answer: &Value) -> TransactionResult {
    decode(answer.get("errorResultXdr").or_else(|| answer.get("resultXdr")).unwrap_or(&Value::Null))
}
