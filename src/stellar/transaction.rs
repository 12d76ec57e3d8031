//! Transactions: what an action becomes on the network, what a simulation adds to it, its signatures and its hash.

use super::replies::Simulated;
use super::wire::{LIMITS, encode};
use super::xdr::{
    AccountId, Asset, BeginSponsoringFutureReservesOp, ChangeTrustAsset, ChangeTrustOp, ContractId,
    CreateAccountOp, DecoratedSignature, ExtendFootprintTtlOp, ExtensionPoint, FeeBumpTransaction,
    FeeBumpTransactionEnvelope, FeeBumpTransactionExt, FeeBumpTransactionInnerTx, HostFunction,
    InvokeContractArgs, InvokeHostFunctionOp, LedgerKey, Memo, MuxedAccount, Operation, OperationBody,
    PaymentOp, Preconditions, PublicKey, ReadXdr, RestoreFootprintOp, ScAddress, ScSymbol, ScVal,
    SequenceNumber, Signature, SignatureHint, SorobanCredentials, SorobanTransactionData, TimeBounds,
    TimePoint, Transaction, TransactionEnvelope, TransactionExt, TransactionV1Envelope, VecM,
};
use base::{Code, Error, Result};
use ed25519_dalek::{Signer as _, SigningKey};
use outbox::{Signed, Stored, Validity};

/// What is to be done on the network, on behalf of the account that sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Calls a contract's function.
    Invoke {
        /// Which contract.
        contract: ContractId,
        /// Which function.
        function: String,
        /// Its arguments, in order.
        args: Vec<ScVal>,
    },
    /// Makes a trustline.
    Trust {
        /// To which asset; not the native one.
        asset: Asset,
        /// The most that it may hold, in stroops.
        limit: i64,
        /// Who gives the reserve; the account itself where nobody does.
        sponsor: Option<AccountId>,
    },
    /// Pays.
    Pay {
        /// Whom.
        to: AccountId,
        /// In what.
        asset: Asset,
        /// How much, in stroops.
        amount: i64,
    },
    /// Makes an account.
    CreateAccount {
        /// Which.
        account: AccountId,
        /// What it is given, in stroops.
        balance: i64,
    },
    /// Makes accounts with their trustlines at once; a sponsor gives their reserves (CAP-0033).
    Adopt {
        /// Which accounts; as many as [`Action::most_adopted`] says.
        accounts: Vec<AccountId>,
        /// Who gives the reserves and the balances.
        sponsor: AccountId,
        /// What each is given, in stroops; may be 0.
        balance: i64,
        /// What it trusts; not the native asset.
        asset: Asset,
        /// The most that it may hold of that, in stroops.
        limit: i64,
    },
    /// Lets entries live until so many ledgers from now.
    Extend {
        /// Contract data or code.
        keys: Vec<LedgerKey>,
        /// Ledgers from the one that the transaction is in.
        ledgers: u32,
    },
    /// Restores archived entries, as a simulation asks.
    Restore {
        /// Its footprint, resources and fee.
        data: SorobanTransactionData,
    },
}

/// Holds keys and signs with them.
pub trait Signers {
    /// The ed25519 signature of an account's key over a transaction's hash.
    fn sign(&self, account: &AccountId, hash: &[u8; 32]) -> Result<[u8; 64]>;
}

impl Signers for [SigningKey] {
    fn sign(&self, account: &AccountId, hash: &[u8; 32]) -> Result<[u8; 64]> {
        let key = self.iter().find(|key| account_of(key) == *account);
        let key =
            key.ok_or_else(|| Error::new(Code::UnknownAccount, format!("there is no key of {account}")))?;
        Ok(key.sign(hash).to_bytes())
    }
}

/// The account of a key.
pub fn account_of(key: &SigningKey) -> AccountId {
    AccountId(PublicKey::PublicKeyTypeEd25519(super::xdr::Uint256(key.verifying_key().to_bytes())))
}

impl Action {
    /// Whether it is tried by simulation, and carries resources.
    pub const fn is_contract(&self) -> bool {
        matches!(self, Self::Invoke { .. } | Self::Extend { .. } | Self::Restore { .. })
    }

    /// Whose signatures it may need beside that of the account that sends it.
    fn cosigners(&self) -> Vec<&AccountId> {
        match self {
            Self::Trust { sponsor, .. } => sponsor.iter().collect(),
            Self::Adopt { accounts, sponsor, .. } => std::iter::once(sponsor).chain(accounts).collect(),
            _ => Vec::new(),
        }
    }

    /// How many accounts one transaction can adopt: each signs, as do the sponsor and the account that sends it, and an
    /// envelope holds 20 signatures.
    pub fn most_adopted(source: &AccountId, sponsor: &AccountId) -> usize {
        const SIGNATURES: usize = 20;
        if source == sponsor { SIGNATURES - 1 } else { SIGNATURES - 2 }
    }

    fn operations(&self, source: &AccountId) -> Result<Vec<Operation>> {
        let own = |body| vec![by(None, body)];
        Ok(match self {
            Self::Invoke { contract, function, args } => {
                own(OperationBody::InvokeHostFunction(InvokeHostFunctionOp {
                    host_function: HostFunction::InvokeContract(InvokeContractArgs {
                        contract_address: ScAddress::Contract(contract.clone()),
                        function_name: ScSymbol(function.as_str().try_into().map_err(too_large)?),
                        args: args.clone().try_into().map_err(too_large)?,
                    }),
                    auth: VecM::default(),
                }))
            }
            Self::Trust { asset, limit, sponsor } => {
                let trust = change_trust(asset, *limit)?;
                match sponsor {
                    None => own(trust),
                    Some(sponsor) => vec![
                        by(Some(sponsor), begin_sponsoring(source)),
                        by(None, trust),
                        by(None, OperationBody::EndSponsoringFutureReserves),
                    ],
                }
            }
            Self::Adopt { accounts, sponsor, balance, asset, limit } => {
                let giver = Some(sponsor).filter(|sponsor| *sponsor != source);
                let mut operations = Vec::with_capacity(4 * accounts.len());
                for account in accounts {
                    operations.extend([
                        by(giver, begin_sponsoring(account)),
                        by(giver, create_account(account, *balance)),
                        by(Some(account), change_trust(asset, *limit)?),
                        by(Some(account), OperationBody::EndSponsoringFutureReserves),
                    ]);
                }
                operations
            }
            Self::Pay { to, asset, amount } => own(OperationBody::Payment(PaymentOp {
                destination: muxed(to),
                asset: asset.clone(),
                amount: *amount,
            })),
            Self::CreateAccount { account, balance } => own(create_account(account, *balance)),
            Self::Extend { ledgers, .. } => own(OperationBody::ExtendFootprintTtl(ExtendFootprintTtlOp {
                ext: ExtensionPoint::V0,
                extend_to: *ledgers,
            })),
            Self::Restore { .. } => {
                own(OperationBody::RestoreFootprint(RestoreFootprintOp { ext: ExtensionPoint::V0 }))
            }
        })
    }

    /// What a simulation must be told of the entries.
    fn footprint(&self) -> Result<TransactionExt> {
        Ok(match self {
            Self::Extend { keys, .. } => {
                let mut data = SorobanTransactionData::default();
                data.resources.footprint.read_only = keys.clone().try_into().map_err(too_large)?;
                TransactionExt::V1(data)
            }
            Self::Restore { data } => TransactionExt::V1(data.clone()),
            _ => TransactionExt::V0,
        })
    }
}

/// An operation on behalf of `account`; of the account that sends the transaction where none is named.
fn by(account: Option<&AccountId>, body: OperationBody) -> Operation {
    Operation { source_account: account.map(muxed), body }
}

fn begin_sponsoring(account: &AccountId) -> OperationBody {
    OperationBody::BeginSponsoringFutureReserves(BeginSponsoringFutureReservesOp {
        sponsored_id: account.clone(),
    })
}

fn create_account(account: &AccountId, balance: i64) -> OperationBody {
    OperationBody::CreateAccount(CreateAccountOp { destination: account.clone(), starting_balance: balance })
}

fn change_trust(asset: &Asset, limit: i64) -> Result<OperationBody> {
    let line = match asset {
        Asset::CreditAlphanum4(asset) => ChangeTrustAsset::CreditAlphanum4(asset.clone()),
        Asset::CreditAlphanum12(asset) => ChangeTrustAsset::CreditAlphanum12(asset.clone()),
        Asset::Native => return Err(Error::new(Code::InvalidValue, "lumens need no trustline")),
    };
    Ok(OperationBody::ChangeTrust(ChangeTrustOp { line, limit }))
}

/// The action as a transaction that offers nothing yet: what is simulated, or priced and signed.
pub(super) fn draft(
    action: &Action,
    source: &AccountId,
    sequence: i64,
    validity: Validity,
) -> Result<Transaction> {
    let times = TimeBounds { min_time: TimePoint(validity.from), max_time: TimePoint(validity.until.max(1)) };
    Ok(Transaction {
        source_account: muxed(source),
        fee: 0,
        seq_num: SequenceNumber(sequence),
        cond: Preconditions::Time(times),
        memo: Memo::None,
        operations: action.operations(source)?.try_into().map_err(too_large)?,
        ext: action.footprint()?,
    })
}

/// Puts what a simulation found into a contract transaction, with some more instructions and fee than it found. Errors:
/// `unsupported_auth` for a call that needs more signatures than its source's.
pub(super) fn assemble(mut draft: Transaction, found: &Simulated, margin: u32) -> Result<Transaction> {
    // A limit of the network (CAP-0046-07); a call that is below it must not be lifted above it.
    const MOST_INSTRUCTIONS: u64 = 100_000_000;
    if found.auth.iter().any(|auth| !matches!(auth.credentials, SorobanCredentials::SourceAccount)) {
        let why = "the call asks for the authorisation of another account than its own";
        return Err(Error::new(Code::UnsupportedAuth, why));
    }
    let mut data = found.data.clone();
    let instructions = u64::from(data.resources.instructions);
    let lifted = instructions + instructions * u64::from(margin) * 2 / 300;
    let lifted = lifted.min(MOST_INSTRUCTIONS.max(instructions));
    data.resources.instructions = u32::try_from(lifted).unwrap_or(u32::MAX);
    let fee = i128::from(data.resource_fee);
    data.resource_fee = i64::try_from(fee + fee * i128::from(margin) / 100).unwrap_or(i64::MAX);
    draft.ext = TransactionExt::V1(data);
    if !found.auth.is_empty() {
        let mut operations = draft.operations.to_vec();
        if let [Operation { body: OperationBody::InvokeHostFunction(op), .. }] = operations.as_mut_slice() {
            op.auth = found.auth.clone().try_into().map_err(too_large)?;
        }
        draft.operations = operations.try_into().map_err(too_large)?;
    }
    Ok(draft)
}

/// Sets the fee: so much for the inclusion of each operation, and what the resources cost. Returns the most that the
/// transaction can cost, in stroops; an account that bumps its fee pays for one operation more (CAP-0015). Errors:
/// `fee_capped` for a fee that no transaction can offer.
pub(super) fn price(transaction: &mut Transaction, inclusion: u32, is_bumped: bool) -> Result<i64> {
    let resources = match &transaction.ext {
        TransactionExt::V1(data) => data.resource_fee,
        TransactionExt::V0 => 0,
    };
    let operations = i64::try_from(transaction.operations.len()).unwrap_or(i64::MAX);
    let inclusion = i64::from(inclusion);
    let own = operations.saturating_mul(inclusion).saturating_add(resources);
    transaction.fee = u32::try_from(own).map_err(|_| {
        Error::new(Code::FeeCapped, format!("the fee would be {own} stroops, more than one can offer"))
    })?;
    Ok(if is_bumped { own.saturating_add(inclusion) } else { own })
}

/// Signs; with a `payer`, in an envelope that lets that account pay the fee (CAP-0015). `max_fee` is [`price`]'s.
pub(super) fn sign(
    transaction: Transaction,
    action: &Action,
    max_fee: i64,
    payer: Option<&AccountId>,
    network_id: [u8; 32],
    signers: &dyn Signers,
) -> Result<Signed> {
    let source = transaction.source_account.clone().account_id();
    let Preconditions::Time(times) = &transaction.cond else {
        return Err(Error::new(Code::Bug, "a transaction without time bounds"));
    };
    let validity = Validity { from: times.min_time.0, until: times.max_time.0 };
    let hash = transaction.hash(network_id).map_err(too_large)?;
    let mut signatures = vec![decorated(signers, &source, &hash)?];
    for other in action.cosigners().into_iter().filter(|other| **other != source) {
        signatures.push(decorated(signers, other, &hash)?);
    }
    let signatures = signatures.try_into().map_err(too_large)?;
    let inner = TransactionV1Envelope { tx: transaction, signatures };
    let envelope = match payer {
        None => TransactionEnvelope::Tx(inner),
        Some(payer) => {
            let tx = FeeBumpTransaction {
                fee_source: muxed(payer),
                fee: max_fee,
                inner_tx: FeeBumpTransactionInnerTx::Tx(inner),
                ext: FeeBumpTransactionExt::V0,
            };
            let hash = tx.hash(network_id).map_err(too_large)?;
            let signatures = vec![decorated(signers, payer, &hash)?].try_into().map_err(too_large)?;
            TransactionEnvelope::TxFeeBump(FeeBumpTransactionEnvelope { tx, signatures })
        }
    };
    let hash = envelope.hash(network_id).map_err(too_large)?;
    let envelope = encode(&envelope).map_err(too_large)?;
    let max_fee = u128::try_from(max_fee).map_err(too_large)?;
    Ok(Signed { envelope, hash: hex(&hash), max_fee, validity: Some(validity) })
}

/// Reads an envelope; `None` for anything but what [`sign`] makes.
pub fn read(envelope: &str) -> Option<Stored<AccountId>> {
    let (transaction, payer) = match TransactionEnvelope::from_xdr_base64(envelope, LIMITS).ok()? {
        TransactionEnvelope::Tx(inner) => (inner.tx, None),
        TransactionEnvelope::TxFeeBump(outer) => {
            let FeeBumpTransactionInnerTx::Tx(inner) = outer.tx.inner_tx;
            (inner.tx, Some(outer.tx.fee_source.account_id()))
        }
        TransactionEnvelope::TxV0(_) => return None,
    };
    let Preconditions::Time(times) = &transaction.cond else { return None };
    Some(Stored {
        validity: Some(Validity { from: times.min_time.0, until: times.max_time.0 }),
        number: u64::try_from(transaction.seq_num.0).ok()?,
        source: transaction.source_account.account_id(),
        payer,
    })
}

/// A draft as the simulation takes it: without signatures.
pub(super) fn unsigned(transaction: Transaction) -> TransactionEnvelope {
    TransactionEnvelope::Tx(TransactionV1Envelope { tx: transaction, signatures: VecM::default() })
}

fn decorated(signers: &dyn Signers, account: &AccountId, hash: &[u8; 32]) -> Result<DecoratedSignature> {
    let signature = signers.sign(account, hash)?;
    let PublicKey::PublicKeyTypeEd25519(key) = &account.0;
    let [.., a, b, c, d] = key.0;
    let signature = Signature(signature.to_vec().try_into().map_err(too_large)?);
    Ok(DecoratedSignature { hint: SignatureHint([a, b, c, d]), signature })
}

fn muxed(account: &AccountId) -> MuxedAccount {
    let PublicKey::PublicKeyTypeEd25519(key) = &account.0;
    MuxedAccount::Ed25519(key.clone())
}

fn too_large(error: impl std::fmt::Display) -> Error {
    Error::new(Code::InvalidValue, format!("no transaction can hold this: {error}"))
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    alloy::hex::encode(bytes)
}
