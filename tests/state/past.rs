//! A farm's past, written by the library's own functions with a clock that the test sets.

use crate::support::{Place, run_at};
use base::Result;
use base::amount::Base;
use kale::reason::Reason;
use kale::reward_split::RewardSplit;
use kale::rows::{self, FarmerRow, HarvestRow, OpenPail, Tally, Trace, WorkRow};
use kale::{accounting, loss, record};
use outbox::{AttemptOutcome, OperationState, Signed, Validity};
use rusqlite::params;
use serde_json::json;
use sha2::{Digest, Sha256};
use state::{Lock, State, Tx};

/// When block 0 began.
pub const BEGAN: i64 = 1_700_000_000;
/// Seconds from one block to the next.
pub const BLOCK: i64 = 300;
/// When in a block, counted from its begin, it is harvested: in the next one.
pub const HARVEST: i64 = 365;
pub const STAKE: u64 = 1_250_000_000;
pub const REWARD: u64 = 48_123_457;

pub const FARMERS: [(&str, &str); 3] = [
    ("farmer-a", "GCNG4LWVSCTJK3AIQ2BPLTNMFPI2UFQTMP6TFX7SC5NJ4JWLCNBUVLES"),
    ("farmer-b", "GA5YWWKBT24HBQA5J3O6XICZTKM4GX3DEBDZ3TBKQK3IDDIXPTTFH6SU"),
    ("farmer-c", "GBOQ2HB6YM6XQ6WZO6KERECNMIHE76PJW2NUA5SLXWUXCQ5UHZ55US7A"),
];

/// What becomes of a farmer in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It does nothing.
    Idle,
    /// It could not plant.
    Refused,
    /// It plants, works and harvests.
    Harvested,
    /// A harvest failed before one took effect.
    HarvestedLate,
    /// Somebody else harvests for it.
    Elsewhere,
    /// Its stake is lost.
    Lost,
    /// Its stake is still out.
    Open,
    /// Its stake is still out, and held.
    Held,
}

impl Fate {
    pub const ALL: [Self; 8] = [
        Self::Idle,
        Self::Refused,
        Self::Harvested,
        Self::HarvestedLate,
        Self::Elsewhere,
        Self::Lost,
        Self::Open,
        Self::Held,
    ];

    pub const fn is_back(self) -> bool {
        matches!(self, Self::Harvested | Self::HarvestedLate | Self::Elsewhere)
    }

    pub const fn is_out(self) -> bool {
        matches!(self, Self::Open | Self::Held)
    }
}

/// Ledgers are counted with the seconds.
pub fn ledger(at: i64) -> u32 {
    u32::try_from(1_000 + (at - BEGAN) / 5).unwrap()
}

fn at(place: &Place, lock: &Lock, second: i64) -> State {
    State::write_access(&place.path(), run_at(second), lock).unwrap()
}

/// A pooler and its farmers, who joined before block 0.
pub fn begin(place: &Place, lock: &Lock) {
    let mut state = at(place, lock, BEGAN - 10);
    state
        .write(state::Permit::of(lock), |tx| {
            tx.conn().execute("INSERT INTO poolers VALUES ('p', 'north', 9, 200000, 50000, 1, NULL)", [])?;
            for (id, address) in FARMERS {
                tx.conn().execute(
                    "INSERT INTO farmers VALUES (?1, ?2, 'p', 'active', 250000, NULL, 1, 1, NULL)",
                    params![id, address],
                )?;
                tx.event("farmer.registered", id, &json!({ "address": address }))?;
            }
            Ok(())
        })
        .unwrap();
}

/// Blocks one after the other, from 0 on, with everybody's fate in each; one is harvested while the next is planted.
pub fn season(place: &Place, lock: &Lock, season: &[[Fate; 3]]) {
    let phases: [(i64, Phase); 3] = [(5, plant), (280, work), (HARVEST, harvest)];
    let mut all: Vec<(i64, u32, Phase)> = Vec::new();
    for (index, began) in (0..).zip((BEGAN..).step_by(300)).take(season.len()) {
        all.extend(phases.map(|(after, phase)| (began + after, index, phase)));
    }
    all.sort_by_key(|(second, ..)| *second);
    for (second, index, phase) in all {
        let mut state = at(place, lock, second);
        let hands = rows::hands(state.conn()).unwrap();
        let fates = season[usize::try_from(index).unwrap()];
        state
            .write(state::Permit::of(lock), |tx| {
                for ((id, _), fate) in FARMERS.into_iter().zip(fates) {
                    let hand = hands.iter().find(|hand| hand.who.id == id).unwrap();
                    phase(tx, hand, index, fate)?;
                }
                Ok(())
            })
            .unwrap();
    }
}

type Phase = fn(&Tx<'_>, &FarmerRow, u32, Fate) -> Result<()>;

/// A transaction that took effect, or did not; returns its row.
fn sent(tx: &Tx<'_>, kind: &'static str, hand: &FarmerRow, block: u32, worked: bool) -> Result<i64> {
    let (farmer, address) = (&hand.who.id, &hand.who.address);
    let key = format!("{kind}:sandbox:{address}:{block}");
    let hash = alloy::hex::encode(Sha256::digest(format!("{key} {worked}")));
    let plan = json!({ "farmer": farmer, "block": block });
    let id = outbox::plan(tx, "stellar", &key, kind, farmer, &plan)?;
    let now = u64::try_from(tx.now()).unwrap();
    let signed = Signed {
        hash: hash.clone(),
        envelope: "AAAAAgAAAAA=".into(),
        validity: Some(Validity { from: now, until: now + 60 }),
        max_fee: 100,
    };
    let attempt = outbox::signed(tx, id, &plan, &signed, "one")?;
    outbox::sent(tx, id, attempt, 1, "one")?;
    let (outcome, state, event) = if worked {
        (AttemptOutcome::Confirmed, OperationState::Recorded, "operation.confirmed")
    } else {
        (AttemptOutcome::Failed, OperationState::Failed, "operation.failed")
    };
    outbox::end_attempt(tx, id, attempt, outcome, None)?;
    outbox::end(tx, id, OperationState::Sent, state, None)?;
    tx.event(event, farmer, &json!({ "key": key, "hash": hash }))?;
    Ok(id)
}

fn plant(tx: &Tx<'_>, hand: &FarmerRow, block: u32, fate: Fate) -> Result<()> {
    let farmer = hand.who.id.as_str();
    match fate {
        Fate::Idle => Ok(()),
        Fate::Refused => {
            let operation = Some(sent(tx, "plant", hand, block, false)?);
            let trace = Trace { operation, reason: Some("pail_exists"), ..Trace::default() };
            rows::planting(tx, farmer, block, "failed", Base::from(STAKE), &trace)?;
            tx.event("plant.failed", farmer, &json!({ "block": block }))?;
            Ok(())
        }
        _ => {
            let pail = OpenPail {
                block,
                farmer: farmer.to_owned(),
                stake: Base::from(STAKE),
                planted_ledger: ledger(tx.now()),
                planted_time: None,
                due: 0,
                work: None,
                forecast: None,
                live_until: None,
                held: None,
                missed_at: None,
            };
            let operation = Some(sent(tx, "plant", hand, block, true)?);
            let trace = Trace { operation, ledger: Some(pail.planted_ledger), reason: None };
            record::planted(tx, &pail, &trace, &json!({ "block": block }))
        }
    }
}

fn work(tx: &Tx<'_>, hand: &FarmerRow, block: u32, fate: Fate) -> Result<()> {
    let farmer = hand.who.id.as_str();
    let row = |outcome| WorkRow { farmer, block, outcome, nonce: 7, hash: "00ff", zeros: 2, gap: Some(53) };
    match fate {
        Fate::Idle | Fate::Refused => Ok(()),
        Fate::Lost => {
            let trace = Trace { reason: Some("too_late"), ..Trace::default() };
            rows::work(tx, &row("failed"), &trace)?;
            tx.event("work.missed", farmer, &json!({ "block": block })).map(|_| ())
        }
        _ => {
            let operation = Some(sent(tx, "work", hand, block, true)?);
            rows::work(tx, &row("worked"), &Trace { operation, ..Trace::default() })?;
            rows::work_pail(tx, farmer, block, 53, 2)?;
            tx.event("work.worked", farmer, &json!({ "block": block })).map(|_| ())
        }
    }
}

fn harvest(tx: &Tx<'_>, hand: &FarmerRow, block: u32, fate: Fate) -> Result<()> {
    let farmer = hand.who.id.as_str();
    let (stake, reward) = (Base::from(STAKE), Base::from(REWARD));
    let row = |outcome, reward| HarvestRow { farmer, block, outcome, stake, reward, forecast: None };
    match fate {
        Fate::Idle | Fate::Refused | Fate::Open => return Ok(()),
        Fate::Held => return rows::hold_pail(tx, farmer, block, "mint_disagrees").map(drop),
        Fate::Lost => {
            let pail = rows::pail(tx.conn(), farmer, block)?.unwrap();
            let cause = Reason::TooLate;
            return loss::book(tx, "sandbox", hand, &pail, cause, cause).map(|_| ());
        }
        Fate::HarvestedLate => {
            let operation = Some(sent(tx, "harvest", hand, block, false)?);
            let trace = Trace { operation, reason: Some("expired"), ..Trace::default() };
            rows::harvest(tx, &row("failed", Base::ZERO), &trace)?;
            tx.event("harvest.failed", farmer, &json!({ "block": block }))?;
        }
        Fate::Harvested | Fate::Elsewhere => {}
    }
    let ours = fate != Fate::Elsewhere;
    let outcome = if ours { "harvested" } else { "harvested_elsewhere" };
    let operation = ours.then(|| sent(tx, "harvest", hand, block, true)).transpose()?;
    let trace = Trace { operation, ledger: Some(ledger(tx.now())), reason: None };
    rows::harvest(tx, &row(outcome, reward), &trace)?;
    let event = tx.event(&format!("harvest.{outcome}"), farmer, &json!({ "block": block }))?;
    let terms = RewardSplit::new(200_000, 50_000)?;
    let (lines, _) = accounting::harvested("sandbox", farmer, "p", terms, stake, reward)?;
    tx.post(event, &lines)?;
    rows::tally(tx, farmer, block, Tally { harvested: 1, rewarded: reward, ..Tally::default() })?;
    rows::close_pail(tx, farmer, block)
}
