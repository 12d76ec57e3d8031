//! A client inside the sandbox: simulates, signs and lands the transactions that set it up.

use ed25519_dalek::SigningKey;
use soroban_env_host::e2e_invoke::RecordingInvocationAuthMode;
use stellar_xdr::{
    HostFunction, InvokeHostFunctionOp, Memo, MuxedAccount, Operation, OperationBody, Preconditions, ScVal,
    SequenceNumber, Transaction, TransactionEnvelope, TransactionExt, TransactionMeta, TransactionV1Envelope,
    Uint256, VecM,
};

use super::account;
use super::chain::{Chain, Submission};
use super::entries::Entries;
use super::host::Trial;
use super::keys::{account_id, sign};
use crate::{Error, Result};

/// Calls a host function from an account and closes a ledger over it; the value that it returned.
pub(crate) fn call(chain: &mut Chain, key: &SigningKey, function: HostFunction) -> Result<ScVal> {
    let source = account_id(key);
    let view = chain.view(0)?;
    let machine = std::sync::Arc::clone(&chain.machine);
    let info = machine.ledger_info(view.sequence, view.time);
    let seed = chain.draw_seed();
    let auth = RecordingInvocationAuthMode::recording(true, false);
    let trial = Trial { function: function.clone(), auth, source: &source, seed };
    let (simulated, _) = machine.simulate(&view.base, &info, trial, true)?;
    let data = match (simulated.invoke_result, simulated.transaction_data) {
        (Ok(_), Some(data)) => data,
        (Err(error), _) => return Err(Error::new(format!("simulation: {error:?}"))),
        (Ok(_), None) => return Err(Error::new("simulation gave no transaction data")),
    };
    let held = account::load(&Entries::new(view.base, view.sequence), &source)
        .ok_or_else(|| Error::new(format!("no account {source}")))?;
    let fee = data.resource_fee.saturating_add(chain.base_fee);
    let transaction = Transaction {
        source_account: MuxedAccount::Ed25519(Uint256(key.verifying_key().to_bytes())),
        fee: u32::try_from(fee).map_err(|_| Error::new("the fee does not fit a transaction"))?,
        seq_num: SequenceNumber(held.seq_num.0.saturating_add(1)),
        cond: Preconditions::None,
        memo: Memo::None,
        operations: VecM::try_from(vec![Operation {
            source_account: None,
            body: OperationBody::InvokeHostFunction(InvokeHostFunctionOp {
                host_function: function,
                auth: VecM::try_from(simulated.auth)?,
            }),
        }])?,
        ext: TransactionExt::V1(data),
    };
    let signature = sign(key, &transaction.hash(chain.network_id)?)?;
    let signatures = VecM::try_from(vec![signature])?;
    let envelope = TransactionEnvelope::Tx(TransactionV1Envelope { tx: transaction, signatures });
    let (hash, submission) = chain.submit(envelope)?;
    if !matches!(submission, Submission::Pending) {
        return Err(Error::new(format!("not accepted: {submission:?}")));
    }
    let seconds = chain.ledger_seconds;
    chain.close(seconds)?;
    let record = chain.record(&hash).ok_or_else(|| Error::new("dropped when the ledger closed"))?;
    let value = match &record.executed.meta {
        TransactionMeta::V4(meta) => meta.soroban_meta.as_ref().and_then(|meta| meta.return_value.clone()),
        _ => None,
    };
    value.ok_or_else(|| Error::new(format!("failed: {:?}", record.executed.result.result)))
}
