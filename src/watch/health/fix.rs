//! What can be done about what is open: one answer for whoever shows it. Pure.

use super::Trouble;
use base::{Remedy, run, say};
use kale::alerts::{CODE_CHANGED, LOST, NOT_READY, SPONSOR_LOW};
use state::alert::Area;
use vault::risk::rules::Rule;

impl Trouble {
    /// What can be done.
    pub fn fix(&self) -> Remedy {
        let (subject, kind) = (&self.subject, self.kind.as_str());
        // What an engine holds only the engine lets go of.
        let engine = || say("; where it is an engine's: ").run("risk fetch").of(subject);
        match self.area {
            Area::Risk if kind == Rule::CircuitBreakerActive.as_str() => {
                let ours = say("once the cause is known: ").run("risk reset-breaker").of(subject);
                ours.with("reason").of("TEXT").then(engine())
            }
            Area::Risk if kind == Rule::EmergencyPause.as_str() => {
                let ours = say("once the cause is gone: ").run("risk unpause").of(subject);
                ours.with("reason").of("TEXT").then(engine())
            }
            Area::Risk => run("risk violations").of(subject),
            Area::Oracle => run("oracle alerts").of(subject),
            Area::Notify => run("notify list").say(", then ").run("notify test").of(subject),
            Area::Farm if kind == CODE_CHANGED => run("doctor")
                .say(" shows both hashes; once it is known what changed: ")
                .run("config set")
                .of("kale.wasm_hash")
                .of("HASH"),
            Area::Farm if [NOT_READY, SPONSOR_LOW].contains(&kind) => run("farmer check-funding").with("all"),
            Area::Farm if kind == LOST => run("farm reconcile")
                .say(" compares it with the chain; it closes when the farmer's next stake comes back"),
            Area::Farm => run("harvest").say(", then ").run("farm reconcile"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_remedy() {
        let engine = "; where it is an engine's: risk fetch x";
        for (area, kind, want) in [
            (
                Area::Risk,
                "circuit_breaker_active",
                format!("once the cause is known: risk reset-breaker x reason TEXT{engine}"),
            ),
            (
                Area::Risk,
                "emergency_pause",
                format!("once the cause is gone: risk unpause x reason TEXT{engine}"),
            ),
            (Area::Risk, "tvl_cap_exceeded", "risk violations x".to_owned()),
            (Area::Oracle, "stale", "oracle alerts x".to_owned()),
            (Area::Notify, "undelivered", "notify list, then notify test x".to_owned()),
            (
                Area::Farm,
                CODE_CHANGED,
                "doctor shows both hashes; once it is known what changed: config set kale.wasm_hash HASH"
                    .to_owned(),
            ),
            (Area::Farm, NOT_READY, "farmer check-funding all".to_owned()),
            (Area::Farm, SPONSOR_LOW, "farmer check-funding all".to_owned()),
            (Area::Farm, "pail_held", "harvest, then farm reconcile".to_owned()),
        ] {
            let (subject, why) = ("x".to_owned(), String::new());
            let trouble = Trouble { area, subject, kind: kind.to_owned(), why, since: 0 };
            assert_eq!(trouble.fix().to_string(), want, "{kind}");
        }
    }
}
