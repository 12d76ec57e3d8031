//! What `doctor` says of a subject.
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends at what it did not expect"
)]

use serde_json::Value;

/// The only line on a subject that begins so.
#[track_caller]
pub fn line<'a>(data: &'a Value, area: &str, subject: &str) -> &'a Value {
    let is_meant =
        |line: &&Value| line["area"] == area && line["subject"].as_str().unwrap().starts_with(subject);
    let mut found = data["checks"].as_array().unwrap().iter().filter(is_meant);
    let first = found.next().unwrap_or_else(|| panic!("no {area} {subject} in {data}"));
    assert!(found.next().is_none(), "{area} {subject} twice in {data}");
    first
}

/// Demands that a subject stands so, and that it is said with these words.
#[track_caller]
pub fn stands(data: &Value, area: &str, subject: &str, status: &str, words: &str) {
    let line = line(data, area, subject);
    assert_eq!(line["status"], status, "{line}");
    assert!(line["found"].as_str().unwrap().contains(words), "{words} in {line}");
    assert_eq!(line["fix"].is_null(), status == "ok", "what is wrong can be fixed: {line}");
}
