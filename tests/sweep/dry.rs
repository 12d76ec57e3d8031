//! Dry runs say the same on a state of more than 64 MiB as on a small one, and change neither.

use crate::facts;
use crate::homes::{self, filled};
use crate::support::Home;
use crate::sweep::{Place, Row, shown};
use poolctl_testkit::watch;
use serde_json::Value;
use std::collections::BTreeMap;

/// The document of a dry run, without what follows from the time of day, and its exit code; none of a command that has no
/// dry run.
fn plan(home: &Home, line: &str, input: &str) -> Option<(Option<i32>, Value)> {
    let line = format!("{line} --dry-run --json");
    let output = watch::output(&mut home.command(&[], &line, input)).unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let last = text.lines().last().unwrap_or_else(|| panic!("{line}: {}", shown(&output)));
    let mut document = serde_json::from_str(last).unwrap();
    timeless(&mut document, home.path().to_str().unwrap());
    let unknown = document["error"]["code"] == "usage" && last.contains("--dry-run");
    (!unknown).then_some((output.status.code(), document))
}

fn timeless(value: &mut Value, folder: &str) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                // Times, and the size and the hash of a copy of the state.
                if name.ends_with("_sec") || ["bytes", "sha256"].contains(&name.as_str()) {
                    *field = Value::Null;
                }
                timeless(field, folder);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| timeless(item, folder)),
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => "TIME".clone_into(text),
        // An id that is drawn anew each time.
        Value::String(text) if is_id(text) => "ID".clone_into(text),
        Value::String(text) => *text = text.replace(folder, "~"),
        _ => {}
    }
}

fn is_id(text: &str) -> bool {
    let is_hex = |text: &str| text.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    let is_token = text.len() == 8 && text.strip_prefix('t').is_some_and(is_hex);
    is_token || parts == [8, 4, 4, 4, 12] && is_hex(text)
}

/// Tries the rows on a home and on the same with a large state; what comes before a row is done in both. Says how many have a
/// dry run.
fn compared(small: &Home, rows: &[&[Row]], words: &BTreeMap<&str, String>) -> usize {
    let large = Place::fork(small);
    let ballast = "INSERT INTO farm_alerts (subject, kind, message, first_seen, last_seen, count, closed_at)
         VALUES ('gone', 'not_ready', hex(zeroblob(40000000)), 0, 0, 1, 1)";
    large.sqlite().execute(ballast, []).unwrap();
    assert!(std::fs::metadata(large.state()).unwrap().len() > 64 << 20);
    // In this order: looking at the state brings its log into it.
    let now = |home: &Home| (home.snapshot(), facts::names(home.path()));
    let mut done: Vec<&str> = Vec::new();
    let mut count = 0;
    for row in rows.iter().copied().flatten() {
        for before in row.before.iter().filter(|before| !done.contains(*before)) {
            for home in [small, &large] {
                let output = watch::output(&mut home.command(&[], &filled(before, words), "")).unwrap();
                assert!(output.status.success(), "{before}: {}", shown(&output));
            }
        }
        done.extend(row.before);
        let (line, input) = (filled(row.line, words), filled(row.input, words));
        let [here, there] = [small, &large].map(|home| {
            let before = now(home);
            let plan = plan(home, &line, &input);
            assert!(now(home) == before, "{line}");
            plan
        });
        assert_eq!(here, there, "{line}");
        count += usize::from(here.is_some());
    }
    count
}

#[test]
fn on_a_large_state_as_on_a_small_one() {
    let (home, words) = homes::local();
    let local = compared(&home, &[homes::NEW, homes::LOCAL], &words);
    let (desk, words) = homes::pools();
    let pools = compared(&desk.home, &[homes::POOLS], &words);
    assert!(local >= 10 && pools >= 24, "{local} {pools}");
}
