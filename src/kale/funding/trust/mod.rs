//! Trustlines to KALE: who lacks one, who gives its reserve, and the accounts that a sponsor makes with it.

mod adopt;

pub use adopt::execute;

use crate::chain::wallet::{BASE_RESERVE, Look, Trust, Wallet};
use crate::chain::{Who, asset};
use crate::farming::Farming;
use crate::fees::Lack;
use crate::record::plan::{self, Stroops, TrustPlan, kind};
use crate::record::reason::{self, Reason};
use crate::record::rows::FarmerRow;
use base::amount::Base;
use base::{Code, Error, Result, say};
use outbox::{OperationState, Status};
use stellar::Action;
use stellar::submit::{self, Intent, Rehearsal, SubmitOptions, Submitted};
use stellar::xdr::{AccountId, Asset};

/// How trustlines are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// Whether the sponsor gives the reserves; `None` = where there is a sponsor.
    pub sponsored: Option<bool>,
    /// Stroops of lumens that the sponsor makes missing accounts with; `None` = it makes none.
    pub create: Option<i64>,
}

/// How a farmer fared.
#[derive(Debug, Clone)]
pub enum TrustOutcome {
    /// Made by this run.
    Made {
        /// Hash of the transaction.
        tx: String,
        /// Its ledger.
        ledger: u32,
        /// Stroops of lumens that it cost.
        fee: i64,
    },
    /// There was one already.
    Already,
    /// Not made, for this reason; what the error says is for a person.
    Failed {
        /// Why, in a word.
        reason: Reason,
        /// Why, for a person.
        error: Error,
    },
}

/// What came of it for one farmer.
#[derive(Debug, Clone)]
pub struct Trusted {
    /// Which farmer.
    pub who: Who,
    /// Whether its account is, or would be, made too.
    pub creates: bool,
    /// How it fared.
    pub outcome: TrustOutcome,
}

/// A trustline to be made.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Whose.
    pub who: Who,
    /// Whether the account is made too.
    pub creates: bool,
    /// The transaction that does it, for this farmer alone.
    pub(super) intent: Intent,
}

/// What is to be done.
#[derive(Debug)]
pub struct PreparedTrust {
    /// The accounts as they were read.
    pub look: Look,
    /// Trustlines to be made.
    pub wanted: Vec<Wanted>,
    /// Farmers that need none, or cannot have one.
    pub settled: Vec<Trusted>,
    /// Who pays the fees; each farmer its own where nobody does.
    pub payer: Option<AccountId>,
    /// Stroops of lumens that the sponsor gives: reserves, and what accounts are made with.
    pub given: i64,
}

/// Looks at the accounts, and works out what is to be made and who gives what for it.
///
/// # Errors
/// `no_key` where a sponsor is wanted and there is none, `not_ready` for one that cannot give enough.
pub async fn prepare(farming: &Farming<'_, '_>, hands: &[FarmerRow], wish: Wish) -> Result<PreparedTrust> {
    if (wish.sponsored == Some(true) || wish.create.is_some()) && farming.keys.sponsor()?.is_none() {
        return Err(Error::new(Code::NoKey, "there is no sponsor in the key store")
            .hint(say("bring its key in with: ").run("farmer import").with("sponsor")));
    }
    let accounts: Vec<&AccountId> = hands.iter().map(|hand| &hand.who.account).collect();
    let look = Look::read(farming.site, &accounts).await?;
    let books = farming.books()?;
    // One that is there, and for which something must be done all the same: its limit leaves no room for what may come in.
    let is_full = |hand: &FarmerRow, kale: Trust| kale.room < books.due(&hand.who.id) && !kale.is_highest();
    let has = |(hand, wallet): (&FarmerRow, &Option<Wallet>)| {
        wallet.and_then(|wallet| wallet.kale).is_some_and(|kale| !is_full(hand, kale))
    };
    let is_done = hands.iter().zip(&look.wallets).all(has);
    // The keys stay locked where nothing is to be signed.
    let payer = if is_done { None } else { farming.keys.sponsor()? };
    let sponsor = payer.clone().filter(|_| wish.sponsored != Some(false));
    let mut prepared = PreparedTrust { wanted: Vec::new(), settled: Vec::new(), payer, given: 0, look };
    for (hand, wallet) in hands.iter().zip(prepared.look.wallets.clone()) {
        let who = hand.who.clone();
        let refuse =
            |lack: Lack| TrustOutcome::Failed { reason: lack.reason(), error: lack.error(&who.address) };
        // Who gives the reserves, how much that is, and what the account is made with.
        let terms = match (wallet, wish.create, &sponsor) {
            (Some(Wallet { kale: Some(kale), .. }), ..) if is_full(hand, kale) => Ok((None, 0, None)),
            (Some(Wallet { kale: Some(_), .. }), ..) => Err(TrustOutcome::Already),
            (Some(wallet), _, None) if wallet.spare() < BASE_RESERVE => {
                Err(refuse(Lack::Lumens { spare: wallet.spare(), least: BASE_RESERVE }))
            }
            (Some(_), _, None) => Ok((None, 0, None)),
            (Some(_), _, sponsor) => Ok((sponsor.as_ref(), BASE_RESERVE, None)),
            (None, Some(balance), Some(sponsor)) => {
                Ok((Some(sponsor), balance.saturating_add(3 * BASE_RESERVE), Some(balance)))
            }
            (None, ..) => {
                let needed = farming.settings.min_lumens.saturating_add(3 * BASE_RESERVE);
                Err(refuse(Lack::Account { needed }))
            }
        };
        match terms {
            Ok((sponsor, gives, creates)) => {
                prepared.given = prepared.given.saturating_add(gives);
                let intent = intent(farming, &who, &prepared.look.asset, sponsor, creates)?;
                prepared.wanted.push(Wanted { who, creates: creates.is_some(), intent });
            }
            Err(outcome) => prepared.settled.push(Trusted { who, creates: false, outcome }),
        }
    }
    if let (Some(payer), false) = (&prepared.payer, prepared.wanted.is_empty()) {
        // The fees that open pails still take are not given away.
        can_give(farming, payer, prepared.given, books.owed_by_all()).await?;
    }
    Ok(prepared)
}

/// Refuses before anything is sent what the sponsor could not end.
async fn can_give(farming: &Farming<'_, '_>, sponsor: &AccountId, given: i64, owed: i64) -> Result<()> {
    let least = given.saturating_add(owed);
    let found = Look::read(farming.site, &[sponsor]).await?.wallets.into_iter().next().flatten();
    let spare = found.map_or(0, |wallet| wallet.spare());
    // Something must be left for the fees.
    if spare > least {
        return Ok(());
    }
    let lack = match found {
        None => Lack::Account { needed: 0 }.words(),
        Some(_) => Lack::Lumens { spare, least: least.saturating_add(1) }.words(),
    };
    Err(Error::new(Code::NotReady, format!("the sponsor {sponsor} {lack}"))
        .hint("send lumens to it, or name fewer farmers"))
}

fn intent(
    farming: &Farming<'_, '_>,
    who: &Who,
    kale: &Asset,
    sponsor: Option<&AccountId>,
    creates: Option<i64>,
) -> Result<Intent> {
    let plan = TrustPlan {
        farmer: who.id.clone(),
        address: who.address.clone(),
        asset: asset::text(kale),
        sponsor: sponsor.map(ToString::to_string),
        created: creates.map(|balance| Stroops(Base::from(u64::try_from(balance).unwrap_or_default()))),
    };
    let (account, limit) = (who.account.clone(), i64::MAX);
    let (source, action) = match (creates, sponsor) {
        (Some(balance), Some(sponsor)) => {
            let (accounts, asset, giver) = (vec![account], kale.clone(), sponsor.clone());
            (sponsor.clone(), Action::Adopt { accounts, sponsor: giver, balance, asset, limit })
        }
        _ => (account, Action::Trust { asset: kale.clone(), limit, sponsor: sponsor.cloned() }),
    };
    let key = free_key(farming, kind::TRUST, &who.address)?;
    Ok(Intent { source, ..plan::intent(kind::TRUST, key, who, &plan, action, None)? })
}

/// The key of a transaction that makes a trustline, by its first account; where it was done before and somebody has taken it
/// away since, it counts on.
pub(super) fn free_key(farming: &Farming<'_, '_>, kind: &str, address: &str) -> Result<String> {
    let first = format!("{kind}:{}:{address}", farming.site.network());
    let (mut key, mut again) = (first.clone(), 0);
    while outbox::find(farming.work.state.conn(), &key)?
        .is_some_and(|operation| operation.state == OperationState::Recorded)
    {
        again += 1;
        key = format!("{first}:{again}");
    }
    Ok(key)
}

/// What it would cost, trustline by trustline.
pub async fn rehearse(farming: &Farming<'_, '_>, prepared: &PreparedTrust) -> Result<Vec<Result<Rehearsal>>> {
    let intents: Vec<Intent> = prepared.wanted.iter().map(|wanted| wanted.intent.clone()).collect();
    if intents.is_empty() {
        return Ok(Vec::new());
    }
    let terms = SubmitOptions { payer: prepared.payer.clone(), ..farming.submit_options.clone() };
    submit::rehearse(&farming.site.client, &terms, &intents).await
}

/// How a farmer fared; `part` is its part of the fee.
pub(super) fn outcome(result: &Result<Submitted>, part: impl FnOnce(i64) -> i64) -> TrustOutcome {
    let settled = match result {
        Ok(Submitted::Settled(settled)) => settled,
        Ok(Submitted::AlreadyDone { .. }) => return TrustOutcome::Already,
        Err(error) => {
            return TrustOutcome::Failed { reason: Reason::of_error(error.code()), error: error.clone() };
        }
    };
    if let Some((tx, ledger, fee)) = reason::landed(settled) {
        return TrustOutcome::Made { tx, ledger, fee: part(fee) };
    }
    let reason =
        if settled.status == Status::Expired { Reason::Expired } else { reason::of_network(settled) };
    TrustOutcome::Failed { reason, error: reason::of_words(settled) }
}
