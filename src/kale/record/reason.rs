//! Why an action on the farm had no effect: stable words, and whose fault a stake that is lost by it is.

use crate::contract::fault::{AssetFault, Fault};
use crate::schedule::Step;
use base::{Code, Error, say};
use outbox::Status;
use stellar::Kind;
use stellar::submit::Settled;
use stellar::xdr::{ContractId, ScError};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// Who answers for a lost stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Blame {
    /// The work was missed.
    Pooler,
    /// The operator's side failed it.
    Operator,
}

impl Blame {
    /// As in `pooler_compensations.fault`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A reason, as `reason` of plantings, works, harvests and compensations has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// The account does not exist.
    NoAccount,
    /// Too few lumens for reserve and fees.
    TooFewLumens,
    /// The fee sponsor has too few lumens above its reserve.
    SponsorLow,
    /// The submitters have too few lumens, or too little time.
    SubmitterLow,
    /// No trustline to KALE.
    NoTrustline,
    /// The trustline may not hold or move KALE.
    NotAuthorized,
    /// The trustline has no room for what would come in.
    TrustlineFull,
    /// Less KALE than the stake.
    NotEnoughKale,
    /// No key of the farmer in the key store.
    NoKey,
    /// The farm is paused.
    Paused,
    /// Planted when there was no time left to work.
    PlantedLate,
    /// Inclusion costs more than the cap.
    FeeCapped,
    /// No endpoint could be reached.
    Unreachable,
    /// The transaction's time ran out before a ledger took it.
    Expired,
    /// The network refused it or it failed there.
    TransactionFailed,
    /// No nonce was found in time.
    NoNonce,
    /// A nonce was found, and not submitted in time.
    TooLate,
    /// The block rolled over before the work.
    RolledOver,
    /// The nonce's hash is not what it should be.
    HashInvalid,
    /// No more zeros than the work before.
    NotBetter,
    /// Submitted already in the same run.
    Duplicate,
    /// No pail in the block.
    NotPlanted,
    /// Work in the ledger of the plant.
    SameLedger,
    /// The contract refused it.
    ContractRefused,
    /// The pail was never worked.
    NotWorked,
    /// The pail's time ran out before the harvest.
    PailExpired,
    /// The pail is gone, and nobody was paid for it.
    PailGone,
    /// The pail looks lost, and not everything agrees that it is.
    Missing,
    /// It was booked as lost, and is seen again.
    LossReversed,
    /// The pail is gone, and the endpoint's history is too short to tell whether somebody was paid for it.
    OutOfSight,
    /// The block is still open.
    NotReady,
    /// The pail shows another stake than was recorded.
    StakeDisagrees,
    /// What was minted is not stake and reward.
    MintDisagrees,
    /// The operator stopped it.
    Interrupted,
    /// Anything else.
    Other,
}

impl Reason {
    /// All of them.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Its stable word.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The reason of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        word.parse().ok()
    }

    /// Who answers for a stake that is lost by it.
    pub const fn blame(self) -> Blame {
        match self {
            Self::NoNonce
            | Self::TooLate
            | Self::RolledOver
            | Self::HashInvalid
            | Self::NotBetter
            | Self::Duplicate
            | Self::SameLedger
            | Self::NotWorked => Blame::Pooler,
            _ => Blame::Operator,
        }
    }

    /// Whether it says no more than that time ran out: what kept it from being done in time is the cause.
    pub const fn is_lapse(self) -> bool {
        matches!(self, Self::Expired | Self::TooLate | Self::RolledOver)
    }

    /// What a thing failed by of which these tries failed, in their order: the last that is more than a lapse of time, else
    /// the last.
    pub fn cause(tries: impl IntoIterator<Item = Self>) -> Option<Self> {
        tries
            .into_iter()
            .reduce(|before, next| if next.is_lapse() && !before.is_lapse() { before } else { next })
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

    /// Of an error of the asset's contract: a plant burns, a harvest mints.
    const fn of_asset(fault: AssetFault, step: Step) -> Self {
        match (fault, step) {
            (AssetFault::AccountMissing, _) => Self::NoAccount,
            (AssetFault::Balance, Step::Harvest) => Self::TrustlineFull,
            (AssetFault::Balance, _) => Self::NotEnoughKale,
            (AssetFault::BalanceDeauthorized, _) => Self::NotAuthorized,
            (AssetFault::TrustlineMissing, _) => Self::NoTrustline,
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
            // Nobody could send it: what farmers lack is said before a stake goes out.
            Code::NotReady => Self::SubmitterLow,
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
    /// The asset's contract, with one of its own.
    Asset(AssetFault),
}

/// Which contract raised which error in this step, if any did. The same code means different things in different contracts.
pub fn said(farm: &ContractId, step: Step, settled: &Settled) -> Option<Said> {
    let raised = settled.reason.as_ref()?.why.raised.as_ref()?;
    let ScError::Contract(code) = raised.error else { return None };
    match &raised.contract {
        Some(id) if id == farm => Fault::of_code(code).map(Said::Farm),
        Some(_) => AssetFault::of_code(code).map(Said::Asset),
        None => unsigned(step, code),
    }
}

/// Whose an error is that came without its contract, where only one of them can have raised it: in a plant of no less than
/// nothing, in a harvest of a pail that was seen worked, and in work, which calls no asset.
fn unsigned(step: Step, code: u32) -> Option<Said> {
    let farm = match step {
        Step::Plant => &[Fault::FarmBlockMissing, Fault::FarmPaused, Fault::PailExists][..],
        Step::Work => Fault::ALL,
        // A block that is missing has the code of a trustline that is frozen.
        Step::Harvest if code == Fault::BlockMissing.code() => return None,
        Step::Harvest => &[Fault::PailMissing, Fault::HarvestNotReady],
    };
    match farm.iter().find(|fault| fault.code() == code) {
        Some(fault) => Some(Said::Farm(*fault)),
        None => AssetFault::of_code(code).map(Said::Asset),
    }
}

/// The reason why an operation had no effect; `None` for one that took effect.
pub fn of(farm: &ContractId, step: Step, settled: &Settled) -> Option<Reason> {
    match settled.status {
        Status::Confirmed => None,
        Status::Expired => Some(Reason::Expired),
        Status::Failed => Some(match said(farm, step, settled) {
            Some(Said::Farm(fault)) => Reason::of_fault(fault),
            Some(Said::Asset(fault)) => Reason::of_asset(fault, step),
            None => of_network(settled),
        }),
    }
}

/// Of what the network itself refused.
pub fn of_network(settled: &Settled) -> Reason {
    let failure = settled.reason.as_ref().and_then(|reason| reason.why.failure.as_ref());
    match failure.map(|failure| failure.kind) {
        Some(Kind::Balance) if settled.payer.is_some() => Reason::SponsorLow,
        Some(Kind::Balance) if settled.sender.is_some() => Reason::SubmitterLow,
        Some(Kind::Balance) => Reason::TooFewLumens,
        _ => Reason::TransactionFailed,
    }
}

/// What an operation without effect failed by: the reason, and for a person.
pub fn why(farm: &ContractId, step: Step, settled: &Settled) -> (Reason, Error) {
    let error = match said(farm, step, settled) {
        Some(Said::Farm(fault)) => Error::new(Code::TransactionFailed, fault.to_string()),
        Some(Said::Asset(fault)) => Error::new(Code::TransactionFailed, fault.to_string()),
        None => of_words(settled),
    };
    (of(farm, step, settled).unwrap_or(Reason::Other), error)
}

/// Of one that took effect: the hash, the ledger, and the stroops that it cost.
pub fn landed(settled: &Settled) -> Option<(String, u32, i64)> {
    let ledger = settled.effect.ledger.filter(|_| settled.status == Status::Confirmed)?;
    Some((settled.hash.clone()?, ledger.sequence, settled.effect.fee_charged))
}

/// The network's own words.
pub fn of_words(settled: &Settled) -> Error {
    let words = settled.words().unwrap_or("no reason is known");
    let poor = |why: String, do_first: &'static str| {
        Error::new(Code::TransactionFailed, format!("{why}: {words}"))
            .hint(say(do_first).run("farmer check-funding"))
    };
    match (settled.status, of_network(settled), &settled.payer) {
        (Status::Expired, ..) => Error::new(Code::TransactionFailed, words),
        (_, Reason::SponsorLow, Some(payer)) => {
            poor(format!("the fee sponsor {payer} has too few lumens"), "send lumens to it; see: ")
        }
        (_, Reason::SubmitterLow, _) => {
            let sender = settled.sender.as_ref().map(ToString::to_string).unwrap_or_default();
            poor(format!("the submitter {sender} has too few lumens"), "send lumens to it; see: ")
        }
        (_, Reason::TooFewLumens, _) => poor("it has too few lumens for the fee".to_owned(), "see: "),
        _ => Error::new(Code::TransactionFailed, words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_unique_and_read_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::of_word(reason.as_str()), Some(*reason));
        }
        assert_eq!(Reason::of_word("nonsense"), None);
    }

    #[test]
    fn time_that_ran_out_is_no_cause_where_something_let_it() {
        use Reason::{Expired, SponsorLow, TooFewLumens, TooLate, Unreachable};
        for (tries, want) in [
            (&[][..], None),
            (&[Expired], Some(Expired)),
            (&[Expired, TooLate], Some(TooLate)),
            (&[SponsorLow, Expired], Some(SponsorLow)),
            (&[SponsorLow, Expired, TooLate], Some(SponsorLow)),
            (&[Expired, SponsorLow], Some(SponsorLow)),
            (&[SponsorLow, TooFewLumens, Expired], Some(TooFewLumens)),
            (&[Unreachable, SponsorLow], Some(SponsorLow)),
        ] {
            assert_eq!(Reason::cause(tries.iter().copied()), want, "{tries:?}");
        }
    }

    #[test]
    fn a_code_is_named_by_the_contract_that_raised_it() {
        use stellar::xdr::Hash;
        use stellar::{Failure, Raised, submit};
        let [farm, kale] = [1, 2].map(|n| ContractId(Hash([n; 32])));
        let settled = |contract: Option<&ContractId>, code| Settled {
            status: Status::Failed,
            hash: None,
            source: None,
            payer: None,
            sender: None,
            effect: submit::Effect::default(),
            reason: Some(submit::Reason {
                words: "words".to_owned(),
                why: submit::Why {
                    raised: Some(Raised {
                        contract: contract.cloned(),
                        error: ScError::Contract(code),
                        words: None,
                    }),
                    failure: None,
                },
            }),
        };
        let (ours, theirs, nobody) = (Some(&farm), Some(&kale), None);
        for (contract, step, code, want) in [
            (ours, Step::Harvest, 10, Reason::NotWorked),
            (theirs, Step::Harvest, 10, Reason::TrustlineFull),
            (theirs, Step::Plant, 10, Reason::NotEnoughKale),
            (nobody, Step::Harvest, 10, Reason::TrustlineFull),
            (nobody, Step::Plant, 10, Reason::NotEnoughKale),
            (ours, Step::Harvest, 11, Reason::PailExpired),
            (theirs, Step::Harvest, 11, Reason::NotAuthorized),
            (nobody, Step::Harvest, 11, Reason::TransactionFailed),
            (nobody, Step::Plant, 11, Reason::NotAuthorized),
            (nobody, Step::Work, 11, Reason::PailExpired),
            (ours, Step::Work, 13, Reason::HashInvalid),
            (nobody, Step::Work, 13, Reason::HashInvalid),
            (theirs, Step::Harvest, 13, Reason::NoTrustline),
            (nobody, Step::Harvest, 13, Reason::NoTrustline),
            (nobody, Step::Plant, 6, Reason::NoAccount),
            (nobody, Step::Plant, 4, Reason::Paused),
            (nobody, Step::Harvest, 14, Reason::NotReady),
            (theirs, Step::Harvest, 14, Reason::ContractRefused),
            (theirs, Step::Harvest, 99, Reason::TransactionFailed),
        ] {
            assert_eq!(of(&farm, step, &settled(contract, code)), Some(want), "{contract:?} {step:?} {code}");
        }
        assert_eq!(
            why(&farm, Step::Harvest, &settled(theirs, 13)).1.message(),
            "the account has no trustline (asset contract error 13)"
        );
        // Whose lumens are missing is known by who was to pay.
        let poor = |payer: Option<&str>| {
            let mut settled = settled(None, 0);
            let failure = Failure { kind: Kind::Balance, words: "TxInsufficientBalance".to_owned() };
            let why = submit::Why { raised: None, failure: Some(failure) };
            settled.reason = Some(submit::Reason { words: "refused".to_owned(), why });
            settled.payer = payer.map(|payer| payer.parse().unwrap());
            of(&farm, Step::Work, &settled)
        };
        assert_eq!(poor(None), Some(Reason::TooFewLumens));
        let sponsor = "GBDVX4VELCDSQ54KQJYTNHXAHFLBCA77ZY2USQBM4CSHTTV7DME7KALE";
        assert_eq!(poor(Some(sponsor)), Some(Reason::SponsorLow));
    }
}
