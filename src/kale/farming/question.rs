//! What `strategy.command` is asked, and how its answer is read. Pure.

use crate::contract::address::shown;
use crate::contract::{BLOCK_SECONDS, Block, DECIMALS, base};
use crate::farmers::Farmer;
use crate::farmers::reward_split::ratio;
use crate::record::rows::Last;
use crate::strategy::{Answer, LONGEST_MIN_WORK, MOST_TARGET, Strategy};
use base::amount::{Base, Quantity, parse_units};
use base::{clock, redact};
use grind::json::{Object, why};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;

/// The version of question and answer.
const VERSION: u32 = 1;

/// The block that is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetBlock {
    /// Its number.
    pub index: u32,
    /// Its entry, or what the first plant would make it.
    pub entry: Block,
    /// When it is due, in seconds of ledger time.
    pub due: u64,
}

fn kale(stroops: Base) -> Quantity {
    Quantity::new(stroops, DECIMALS, "KALE")
}

fn time(second: u64) -> String {
    clock::rfc3339(i64::try_from(second).unwrap_or(i64::MAX))
}

/// A farmer with what is known of it: its terms, stroops of KALE that it holds (`None` without a trustline), its last block.
pub type Known<'a> = (&'a Farmer, Strategy, Option<Base>, Option<Last>);

/// The question as it is written to the command.
pub fn question(network: &str, asked: &TargetBlock, farmers: &[Known<'_>]) -> serde_json::Result<Vec<u8>> {
    let block = &asked.entry;
    let stake = |stroops: i128| kale(base(stroops).unwrap_or_default());
    let last = |last: &Last| {
        let (stake, reward) = (kale(last.stake), last.reward.map(kale));
        json!({ "block": last.block, "stake": stake, "zeros": last.zeros, "gap": last.gap, "reward": reward })
    };
    let farmer = |(farmer, strategy, balance, before): &Known<'_>| {
        json!({
            "id": farmer.id,
            "address": farmer.address,
            "pooler": farmer.pooler,
            "status": farmer.status.as_str(),
            "balance": balance.map(kale),
            "stake_percentage": ratio(farmer.stake_percentage_ppm),
            "target_zeros": strategy.enough(block),
            "min_work_sec": strategy.min_work_sec.unwrap_or_default(),
            "harvest_only": !strategy.plants(),
            "min_stake": strategy.min_stake.map(kale),
            "max_stake": strategy.max_stake.map(kale),
            "last": before.as_ref().map(last),
        })
    };
    serde_json::to_vec(&json!({
        "version": VERSION,
        "network": network,
        "block": {
            "index": asked.index,
            "began_at": time(asked.due.saturating_sub(BLOCK_SECONDS)),
            "due_at": time(asked.due),
            "gaps": { "min": block.min_gap, "max": block.max_gap },
            "stakes": { "min": stake(block.min_stake), "max": stake(block.max_stake) },
            "zeros": { "min": block.min_zeros, "max": block.max_zeros },
        },
        "farmers": farmers.iter().map(farmer).collect::<Vec<_>>(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    farmers: Vec<Object<Line>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: Option<String>,
    address: Option<String>,
    stake: Option<String>,
    target_zeros: Option<u32>,
    min_work_sec: Option<u64>,
    harvest_only: Option<bool>,
}

/// Reads an answer about these farmers (id, address).
/// An error names what is wrong, and in which farmer's line.
pub fn answer<'a>(bytes: &[u8], farmers: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Answer, String> {
    let Object(reply): Object<Reply> = serde_json::from_slice(bytes).map_err(|e| redact::said(&why(&e)))?;
    let ids: HashMap<&str, &str> = farmers.flat_map(|(id, address)| [(id, id), (address, id)]).collect();
    let mut found = Answer::new();
    for (n, Object(line)) in (1..).zip(reply.farmers) {
        let names: Vec<&str> = [&line.id, &line.address].into_iter().flatten().map(String::as_str).collect();
        let name =
            names.first().ok_or_else(|| format!("line {n} of farmers names neither id nor address"))?;
        let unknown = |name: &str| format!("no farmer {}", shown(name));
        let id = *ids.get(name).ok_or_else(|| unknown(name))?;
        if let Some(other) = names.iter().find(|name| ids.get(*name) != Some(&id)) {
            return Err(format!("{}: {} is not its address", shown(name), shown(other)));
        }
        let terms = line.terms().map_err(|why| format!("farmer {}: {why}", shown(name)))?;
        if found.insert(id.to_owned(), terms).is_some() {
            return Err(format!("farmer {} is there twice", shown(name)));
        }
    }
    Ok(found)
}

impl Line {
    fn terms(&self) -> Result<Strategy, String> {
        let stroops = |text: &String| {
            parse_units(text, DECIMALS).map_err(|why| format!("stake: {} {why}", shown(text)))
        };
        let outside = |name, number: u64, least: u64, most: u64| {
            let good = (least..=most).contains(&number);
            if good { Ok(()) } else { Err(format!("{name}: {number} is outside {least} to {most}")) }
        };
        if let Some(zeros) = self.target_zeros {
            outside("target_zeros", zeros.into(), 1, MOST_TARGET.into())?;
        }
        if let Some(seconds) = self.min_work_sec {
            outside("min_work_sec", seconds, 0, LONGEST_MIN_WORK)?;
        }
        Ok(Strategy {
            target_zeros: self.target_zeros,
            min_work_sec: self.min_work_sec,
            harvest_only: self.harvest_only,
            stake: self.stake.as_ref().map(stroops).transpose()?,
            ..Strategy::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FARMERS: [(&str, &str); 2] = [("a", "GA"), ("b", "GB")];

    fn read(text: &str) -> Result<Answer, String> {
        answer(text.as_bytes(), FARMERS.into_iter())
    }

    #[test]
    fn what_is_not_said_keeps_the_terms() {
        assert_eq!(read(r#"{"farmers":[]}"#), Ok(Answer::new()));
        let said = read(
            r#"{"farmers":[{"id":"a","stake":"1.5","target_zeros":7},
                {"address":"GB","id":"b","min_work_sec":180,"harvest_only":true,"stake":null}]}"#,
        )
        .unwrap();
        let stake = Some(Base::from(15_000_000u32));
        assert_eq!(said["a"], Strategy { stake, target_zeros: Some(7), ..Strategy::default() });
        let of_b = Strategy { min_work_sec: Some(180), harvest_only: Some(true), ..Strategy::default() };
        assert_eq!(said["b"], of_b);
    }

    #[test]
    fn what_is_not_meant_is_named() {
        for (text, needle) in [
            ("", "EOF"),
            ("[]", "an object"),
            ("{}", "farmers"),
            (r#"{"farmers":[]} x"#, "trailing"),
            (r#"{"farmers":[],"farmers":[]}"#, "duplicate field"),
            (r#"{"farmers":[],"version":1}"#, "version"),
            (r#"{"farmers":[["a"]]}"#, "an object"),
            (r#"{"farmers":[{"stake":"1"}]}"#, "line 1 of farmers names neither"),
            (r#"{"farmers":[{"id":"c"}]}"#, "no farmer"),
            (r#"{"farmers":[{"id":"a","address":"GB"}]}"#, "is not its address"),
            (r#"{"farmers":[{"id":"a"},{"address":"GA"}]}"#, "twice"),
            (r#"{"farmers":[{"id":"a","zeros":7}]}"#, "zeros"),
            (r#"{"farmers":[{"id":"a","stake":1}]}"#, "stake"),
            (r#"{"farmers":[{"id":"a","stake":"1e3"}]}"#, "stake"),
            (r#"{"farmers":[{"id":"a","stake":"0.00000001"}]}"#, "stake"),
            (r#"{"farmers":[{"id":"a","stake":"-1"}]}"#, "stake"),
            (r#"{"farmers":[{"id":"a","target_zeros":17}]}"#, "target_zeros: 17 is outside 1 to 16"),
            (r#"{"farmers":[{"id":"a","target_zeros":5.0}]}"#, "target_zeros"),
            (r#"{"farmers":[{"id":"a","min_work_sec":300}]}"#, "min_work_sec: 300 is outside 0 to 299"),
            (r#"{"farmers":[{"id":"a","harvest_only":"yes"}]}"#, "harvest_only"),
        ] {
            let why = read(text).unwrap_err();
            assert!(why.contains(needle), "{text}: {why}");
        }
    }
}
