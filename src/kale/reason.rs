//! Why an action on the farm had no effect: stable words, and whose fault a stake that is lost by it is.

use super::fault::Fault;
use crate::output::{Code, Error};
use crate::stellar::submit::{Settled, Status};
use crate::stellar::xdr::{ContractId, ScError};
use std::fmt;

/// Who answers for a lost stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The work was missed.
    Pooler,
    /// The operator's side failed it.
    Operator,
}

impl Blame {
    /// As in `pooler_compensations.fault`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pooler => "pooler",
            Self::Operator => "operator",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal => $blame:ident,)+) => {
        /// A reason, as `reason` of plantings, works, harvests and compensations has it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)+ }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its stable word.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// Who answers for a stake that is lost by it.
            pub const fn blame(self) -> Blame {
                match self { $(Self::$name => Blame::$blame,)+ }
            }
        }
    };
}

reasons! {
    /// The account does not exist.
    NoAccount = "no_account" => Operator,
    /// Too few lumens for reserve and fees.
    TooFewLumens = "too_few_lumens" => Operator,
    /// No trustline to KALE.
    NoTrustline = "no_trustline" => Operator,
    /// The trustline may not hold or move KALE.
    NotAuthorized = "not_authorized" => Operator,
    /// Less KALE than the stake.
    NotEnoughKale = "not_enough_kale" => Operator,
    /// No key of the farmer in the key store.
    NoKey = "no_key" => Operator,
    /// The farm is paused.
    Paused = "paused" => Operator,
    /// Planted when there was no time left to work.
    PlantedLate = "planted_late" => Operator,
    /// Inclusion costs more than the cap.
    FeeCapped = "fee_capped" => Operator,
    /// No endpoint could be reached.
    Unreachable = "unreachable" => Operator,
    /// The transaction's time ran out before a ledger took it.
    Expired = "expired" => Operator,
    /// The network refused it or it failed there.
    TransactionFailed = "transaction_failed" => Operator,
    /// No nonce was found in time.
    NoNonce = "no_nonce" => Pooler,
    /// A nonce was found, and not submitted in time.
    TooLate = "too_late" => Pooler,
    /// The block rolled over before the work.
    RolledOver = "rolled_over" => Pooler,
    /// The nonce's hash is not what it should be.
    HashInvalid = "hash_invalid" => Pooler,
    /// No more zeros than the work before.
    NotBetter = "not_better" => Pooler,
    /// Submitted already in the same run.
    Duplicate = "duplicate" => Pooler,
    /// No pail in the block.
    NotPlanted = "not_planted" => Operator,
    /// Work in the ledger of the plant.
    SameLedger = "same_ledger" => Pooler,
    /// The contract refused it.
    ContractRefused = "contract_refused" => Operator,
    /// The pail was never worked.
    NotWorked = "not_worked" => Pooler,
    /// The pail's time ran out before the harvest.
    PailExpired = "pail_expired" => Operator,
    /// The pail is gone, and nobody was paid for it.
    PailGone = "pail_gone" => Operator,
    /// The pail looks lost, and not everything agrees that it is.
    Missing = "missing" => Operator,
    /// It was booked as lost, and is seen again.
    LossReversed = "loss_reversed" => Operator,
    /// The pail is gone, and the endpoint's history is too short to tell whether somebody was paid for it.
    OutOfSight = "out_of_sight" => Operator,
    /// The block is still open.
    NotReady = "not_ready" => Operator,
    /// The pail shows another stake than was recorded.
    StakeDisagrees = "stake_disagrees" => Operator,
    /// What was minted is not stake and reward.
    MintDisagrees = "mint_disagrees" => Operator,
    /// The operator stopped it.
    Interrupted = "interrupted" => Operator,
    /// Anything else.
    Other = "other" => Operator,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Reason {
    /// The reason of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.word() == word)
    }

    /// Of an error of the contract.
    pub const fn of_fault(fault: Fault) -> Self {
        match fault {
            Fault::FarmPaused => Self::Paused,
            Fault::ZeroCountTooLow => Self::NotBetter,
            Fault::PailMissing => Self::NotPlanted,
            Fault::HashInvalid => Self::HashInvalid,
            Fault::BlockMissing => Self::PailExpired,
            Fault::HarvestNotReady => Self::NotReady,
            Fault::WorkMissing => Self::NotWorked,
            Fault::GapCountTooLow => Self::SameLedger,
            _ => Self::ContractRefused,
        }
    }

    /// Of an error of our own, before anything was sent.
    pub fn of_error(code: Code) -> Self {
        match code {
            Code::FeeCapped => Self::FeeCapped,
            Code::Unreachable | Code::RateLimited | Code::BadReply | Code::Behind | Code::Rpc => {
                Self::Unreachable
            }
            Code::UnknownAccount | Code::NoKey => Self::NoKey,
            Code::Interrupted => Self::Interrupted,
            Code::TransactionFailed => Self::TransactionFailed,
            _ => Self::Other,
        }
    }
}

/// What a contract said when an operation had no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// The farm, with one of its errors.
    Farm(Fault),
    /// Another contract (the asset's), with its error code.
    Other(u32),
}

/// Which contract raised which error, if any did. The same code means different things in different contracts.
pub fn said(farm: &ContractId, settled: &Settled) -> Option<Said> {
    let raised = settled.reason.as_ref()?.raised.as_ref()?;
    let ScError::Contract(code) = raised.error else { return None };
    match &raised.contract {
        Some(id) if id == farm => Fault::of_code(code).map(Said::Farm),
        Some(_) => Some(Said::Other(code)),
        None => None,
    }
}

/// Error codes of the asset contract (soroban-env-host, `ContractError` of the built-in token).
mod asset_error {
    pub(super) const ACCOUNT_MISSING: u32 = 6;
    pub(super) const BALANCE: u32 = 10;
    pub(super) const BALANCE_DEAUTHORIZED: u32 = 11;
    pub(super) const TRUSTLINE_MISSING: u32 = 13;
}

/// The reason why an operation had no effect; `None` for one that took effect.
pub fn of(farm: &ContractId, settled: &Settled) -> Option<Reason> {
    match settled.status {
        Status::Confirmed => None,
        Status::Expired => Some(Reason::Expired),
        Status::Failed => Some(match said(farm, settled) {
            Some(Said::Farm(fault)) => Reason::of_fault(fault),
            Some(Said::Other(asset_error::ACCOUNT_MISSING)) => Reason::NoAccount,
            Some(Said::Other(asset_error::BALANCE)) => Reason::NotEnoughKale,
            Some(Said::Other(asset_error::BALANCE_DEAUTHORIZED)) => Reason::NotAuthorized,
            Some(Said::Other(asset_error::TRUSTLINE_MISSING)) => Reason::NoTrustline,
            Some(Said::Other(_)) => Reason::ContractRefused,
            None => Reason::TransactionFailed,
        }),
    }
}

/// What an operation without effect comes to, for a person.
pub fn error(farm: &ContractId, settled: &Settled) -> Error {
    let words = settled.reason.as_ref().map_or("no reason is known", |reason| reason.words.as_str());
    match said(farm, settled) {
        Some(Said::Farm(fault)) => Error::new(Code::TransactionFailed, fault.to_string()),
        _ if settled.status == Status::Expired => {
            Error::new(Code::TransactionFailed, format!("its time ran out: {words}"))
        }
        _ => Error::new(Code::TransactionFailed, words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_unique_and_read_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::of_word(reason.word()), Some(*reason));
        }
        assert_eq!(Reason::of_word("nonsense"), None);
    }
}
