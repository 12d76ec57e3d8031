//! What is due on the block's clock, and when the next thing is. Pure: ledger time goes in, never the wall clock.

use crate::contract::model::{self, Moment, Refusal};
use crate::contract::{Block, Farm};
use crate::settings::Settings;
use serde::Serialize;
use strum::IntoStaticStr;

/// Whether a plant can begin now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planting {
    /// Into this block, by transactions that are valid until then (seconds of ledger time).
    Now {
        /// Number of the block that the plant will be in.
        index: u32,
        /// That block as it is, or as the first plant would begin it.
        block: Block,
        /// No ledger that closes later may hold the plant.
        valid_until: u64,
        /// Whether the first plant rolls the farm over.
        rolls: bool,
    },
    /// Too late for this block: the next one can begin then.
    Wait {
        /// Seconds of ledger time.
        until: u64,
    },
}

/// Where and until when a plant at `now` goes; `current` is the entry of block `farm.index`, if it is there, and `cutoff`
/// the last seconds of a block in which none is begun.
///
/// A plant of the current block must not land after the block is due: it would carry the wrong block's entries, trap, and
/// still cost its fee. An error where the farm was never set up.
pub fn planting(farm: &Farm, current: Option<&Block>, now: Moment, cutoff: u64) -> Result<Planting, Refusal> {
    let (after, block) = model::planting_block(farm, current, now.time)?;
    let due = after.due().unwrap_or(now.time);
    let rolls = after.index != farm.index;
    if now.time.saturating_add(cutoff) >= due {
        return Ok(Planting::Wait { until: due });
    }
    Ok(Planting::Now { index: after.index, block, valid_until: due.saturating_sub(1), rolls })
}

/// Ledger time of the last ledger in which work of a block that is due then is safe: from the next second on a plant may
/// roll it over.
pub const fn work_end(due: u64) -> u64 {
    due.saturating_sub(1)
}

/// The last second in which work can get into the current block, which is due then; `None` where it is too late, and what is
/// not worked is lost. Everything that speaks of work asks this.
pub fn work_until(due: u64, now: u64) -> Option<u64> {
    Some(work_end(due)).filter(|end| now < *end)
}

/// What is done on the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Step {
    /// Stakes come back with their rewards.
    Harvest,
    /// Stakes go into a block.
    Plant,
    /// Nonces are ground and submitted.
    Work,
}

impl Step {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What our farmers have, in numbers of them or of their pails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stock {
    /// Farmers that may plant.
    pub planters: usize,
    /// Those of them that have no pail in the current block.
    pub idle: usize,
    /// Pails of the current block that are to be worked.
    pub unworked: usize,
    /// Pails of the current block that are worked.
    pub worked: usize,
    /// Pails of the block before the current one.
    pub rolled: usize,
    /// Pails of blocks before that.
    pub older: usize,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Action {
    /// What.
    pub step: Step,
    /// For which block.
    pub block: u32,
    /// For how many farmers, or pails.
    pub count: usize,
    /// From when on, in seconds of ledger time.
    pub from: u64,
    /// When it must be done, where that is limited.
    pub until: Option<u64>,
    /// Why then.
    pub why: &'static str,
}

impl Action {
    /// Whether its time has come.
    pub const fn is_due(&self, now: u64) -> bool {
        self.from <= now
    }
}

/// What is to be done now and next, the first first; `current` is the entry of block `farm.index`, if it is there. A farm
/// that is paused or was never set up takes no plant, and none is listed.
pub fn agenda(
    farm: &Farm,
    current: Option<&Block>,
    now: Moment,
    stock: Stock,
    settings: &Settings,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut add = |step, block, count, from, until, why| {
        if count > 0 {
            actions.push(Action { step, block, count, from, until, why });
        }
    };
    let before = farm.index.saturating_sub(1);
    add(Step::Harvest, before.saturating_sub(1), stock.older, now.time, None, "their blocks are long over");
    let rolled_at = current.map_or(now.time, |block| block.timestamp.saturating_add(settings.harvest_delay));
    add(Step::Harvest, before, stock.rolled, rolled_at, None, "their block has rolled over");
    if !farm.paused
        && let Ok(planting) = planting(farm, current, now, settings.plant_cutoff)
    {
        let due = farm.due().unwrap_or(now.time);
        let next = farm.index.saturating_add(1);
        match planting {
            Planting::Now { index, valid_until, rolls: true, .. } => {
                let why = "the block is over: the first plant begins the next one";
                add(Step::Plant, index, stock.planters, now.time, Some(valid_until), why);
            }
            Planting::Now { index, valid_until, .. } => {
                let until = valid_until.saturating_sub(settings.plant_cutoff);
                add(Step::Plant, index, stock.idle, now.time, Some(until), "they have no pail in this block");
                add(Step::Plant, next, stock.planters, due, None, "the block is over then");
            }
            Planting::Wait { until } => {
                let why = "too little is left of this block; the next one begins then";
                add(Step::Plant, next, stock.planters, until, None, why);
            }
        }
    }
    if let Some(due) = farm.due().filter(|_| current.is_some()) {
        if work_until(due, now.time).is_some() {
            let deadline = due.saturating_sub(settings.work_margin);
            let why = "they are planted and not worked";
            add(Step::Work, farm.index, stock.unworked, now.time, Some(deadline), why);
        }
        let harvest = due.max(now.time).saturating_add(settings.harvest_delay);
        add(Step::Harvest, farm.index, stock.worked, harvest, None, "the block can have rolled over by then");
    }
    actions.sort_by_key(|action| (action.from.max(now.time), action.step));
    actions
}

/// When something that is not due yet will be, in seconds of ledger time.
pub fn next(actions: &[Action], now: u64) -> Option<u64> {
    actions.iter().map(|action| action.from).filter(|from| *from > now).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Policy;
    use proptest::prelude::*;
    use stellar_xdr::{ContractId, Hash, ScAddress};

    const BEGUN: u64 = 1_000_000;

    fn farm(index: u32) -> Farm {
        Farm { index, open: Some(model::unseen(BEGUN)), paused: false, asset: None }
    }

    #[test]
    fn plants_go_where_they_can_land() {
        let current = model::unseen(BEGUN);
        for (age, want) in [
            (0, Some((7, BEGUN + 299, false))),
            (239, Some((7, BEGUN + 299, false))),
            (240, None),
            (299, None),
            (300, Some((8, BEGUN + 599, true))),
            (10_000, Some((8, BEGUN + 10_299, true))),
        ] {
            let now = Moment { ledger: 1, time: BEGUN + age };
            let got = match planting(&farm(7), Some(&current), now, 60).unwrap() {
                Planting::Now { index, valid_until, rolls, .. } => Some((index, valid_until, rolls)),
                Planting::Wait { until } => {
                    assert_eq!(until, BEGUN + 300);
                    None
                }
            };
            assert_eq!(got, want, "age {age}");
        }
    }

    #[test]
    fn work_gets_in_until_the_next_ledger_may_end_the_block() {
        let end = Some(BEGUN + 299);
        for (age, want) in [(0, end), (298, end), (299, None), (300, None), (10_000, None)] {
            assert_eq!(work_until(BEGUN + 300, BEGUN + age), want, "{age}");
        }
        assert_eq!(work_until(0, 0), None, "there is no time at all");
    }

    #[test]
    fn a_farm_that_was_never_set_up_takes_no_plant() {
        let farm = Farm { open: None, ..farm(0) };
        assert!(planting(&farm, None, Moment { ledger: 1, time: 1 }, 60).is_err());
        assert!(
            agenda(&farm, None, Moment { ledger: 1, time: 1 }, ALL, &settings())
                .iter()
                .all(|a| a.step != Step::Plant)
        );
    }

    const ALL: Stock = Stock { planters: 5, idle: 2, unworked: 3, worked: 1, rolled: 4, older: 6 };

    fn settings() -> Settings {
        Settings {
            strategy: crate::strategy::Strategy::default(),
            command: None,
            cap_stake: true,
            min_lumens: 0,
            max_resource_fee: 0,
            submitters: Vec::new(),
            parallel: 10,
            plant_cutoff: 60,
            work_margin: 20,
            policy: Policy::Late,
            early: 30,
            harvest_delay: 60,
            harvest_alarm: 10_800,
            wasm_hash: None,
        }
    }

    /// Step, block, count, from (seconds after the block's start).
    fn listed(age: u64, stock: Stock) -> Vec<(Step, u32, usize, u64)> {
        let block = model::unseen(BEGUN);
        let now = Moment { ledger: 1, time: BEGUN + age };
        let actions = agenda(&farm(7), Some(&block), now, stock, &settings());
        actions.iter().map(|a| (a.step, a.block, a.count, a.from - BEGUN)).collect()
    }

    #[test]
    fn the_clock_says_what_is_due_and_what_is_next() {
        use Step::{Harvest, Plant, Work};
        assert_eq!(
            listed(10, ALL),
            [
                (Harvest, 5, 6, 10),
                (Plant, 7, 2, 10),
                (Work, 7, 3, 10),
                (Harvest, 6, 4, 60),
                (Plant, 8, 5, 300),
                (Harvest, 7, 1, 360),
            ]
        );
        // What was due stays due from its own time on.
        assert_eq!(listed(70, Stock { rolled: 4, ..Stock::default() }), [(Harvest, 6, 4, 60)]);
        // Too late for this block; the work goes on.
        assert_eq!(
            listed(250, Stock { planters: 5, idle: 2, unworked: 3, ..Stock::default() }),
            [(Work, 7, 3, 250), (Plant, 8, 5, 300)]
        );
        // Overdue: the plant begins the next block, for everybody; no work is begun any more.
        assert_eq!(
            listed(305, Stock { planters: 5, idle: 0, unworked: 3, ..Stock::default() }),
            [(Plant, 8, 5, 305)]
        );
        assert_eq!(listed(10, Stock::default()), []);
    }

    #[test]
    fn a_block_that_begins_late_ends_by_the_clock() {
        let farm = farm(0);
        let block = model::unseen(BEGUN + 155);
        let work = |age: u64| {
            let now = Moment { ledger: 1, time: BEGUN + age };
            let actions =
                agenda(&farm, Some(&block), now, Stock { unworked: 1, ..Stock::default() }, &settings());
            actions.first().map(|action| (action.step, action.until))
        };
        assert_eq!(work(160), Some((Step::Work, Some(BEGUN + 280))));
        assert_eq!(work(299), None, "the next ledger may roll it over");
        let late = Moment { ledger: 1, time: BEGUN + 240 };
        assert_eq!(planting(&farm, Some(&block), late, 60), Ok(Planting::Wait { until: BEGUN + 300 }));
    }

    #[test]
    fn a_paused_farm_is_worked_and_harvested_but_not_planted() {
        let block = model::unseen(BEGUN);
        let paused = Farm { paused: true, ..farm(7) };
        let now = Moment { ledger: 1, time: BEGUN + 70 };
        let steps: Vec<Step> =
            agenda(&paused, Some(&block), now, ALL, &settings()).iter().map(|a| a.step).collect();
        assert_eq!(steps, [Step::Harvest, Step::Harvest, Step::Work, Step::Harvest]);
    }

    proptest! {
        #[test]
        fn whatever_the_moment_the_agenda_keeps_its_rules(
            age in 0u64..1_000, planters in 0usize..4, idle in 0usize..4, unworked in 0usize..4,
            worked in 0usize..4, rolled in 0usize..4, older in 0usize..4, is_there in any::<bool>(), late in 0u64..300,
        ) {
            let stock = Stock { planters, idle: idle.min(planters), unworked, worked, rolled, older };
            // The entry of a block may begin later than the clock, by which alone it ends.
            let block = model::unseen(BEGUN + late);
            let current = is_there.then_some(&block);
            let now = Moment { ledger: 1, time: BEGUN + age };
            let farm = farm(7);
            let actions = agenda(&farm, current, now, stock, &settings());
            prop_assert!(actions.is_sorted_by_key(|a| a.from.max(now.time)));
            prop_assert!(actions.iter().all(|a| a.count > 0));
            for action in actions.iter().filter(|a| a.is_due(now.time)) {
                match action.step {
                    // What is listed as due can be done: into that block, with time to get in.
                    Step::Plant => match planting(&farm, current, now, 60).unwrap() {
                        Planting::Now { index, valid_until, .. } => {
                            prop_assert_eq!(index, action.block);
                            prop_assert!(valid_until > now.time);
                        }
                        Planting::Wait { .. } => prop_assert!(false, "listed as due"),
                    },
                    Step::Work => {
                        prop_assert!(is_there && now.time < BEGUN + 299);
                        prop_assert_eq!(action.until, Some(BEGUN + 280));
                    }
                    Step::Harvest => prop_assert!(action.block < farm.index),
                }
            }
            if let Some(next) = next(&actions, now.time) {
                prop_assert!(next > now.time);
            }
            // Nobody who can plant is forgotten.
            let plants = actions.iter().any(|a| a.step == Step::Plant);
            prop_assert_eq!(plants, planters > 0);
        }

        /// Whenever farmers plant, and whatever block goes: the farm rolls over when it says that it is due, not before,
        /// and what is planted or worked in time is in that block.
        #[test]
        fn a_block_ends_when_the_farm_says(
            waits in prop::collection::vec((0u64..400, any::<bool>()), 1..12), ahead in 0u64..400,
        ) {
            let mut model = model::Model::new(BEGUN);
            let mut at = Moment { ledger: 1, time: BEGUN };
            for (farmer, (wait, goes)) in (0u8..).zip(waits) {
                at = Moment { ledger: at.ledger + 1, time: at.time + wait };
                let farmer = ScAddress::Contract(ContractId(Hash([farmer; 32])));
                let planned = planting(&model.farm, model.blocks.get(&model.farm.index), at, 0).unwrap();
                let Planting::Now { index, valid_until, .. } = planned else { panic!("without a cutoff") };
                let later = Moment { ledger: at.ledger, time: at.time + ahead };
                let before = model.clone();
                model.plant(&farmer, 1, later).unwrap();
                // It is in the block that was planned where it lands in time; a new one waits for its first plant.
                let is_new = index > before.farm.index;
                prop_assert_eq!(model.farm.index == index, later.time <= valid_until || is_new);
                model = before;
                model.plant(&farmer, 1, at).unwrap();
                prop_assert_eq!(model.farm.index, index);
                prop_assert!(at.time <= work_end(model.farm.due().unwrap()));
                if goes {
                    model.blocks.remove(&model.farm.index);
                }
            }
        }
    }
}
