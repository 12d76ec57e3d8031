//! How the command line says what the library knows by its plain name: commands, and fields as the flags that give them.

use base::{Error, Remedy};
use serde_json::{Map, Value};

/// What to do, as commands to be typed: `run: poolctl sync main`.
pub fn hint(remedy: &Remedy) -> String {
    remedy.line(|words| format!("poolctl {words}"), flag)
}

/// The message, with the field at fault as its flag: `--start: …`.
pub fn message(e: &Error) -> String {
    match e.by_field() {
        Some((before, field, after)) => format!("{before}{}{after}", flag(field)),
        None => e.message().to_owned(),
    }
}

/// The particulars, with the field at fault as `flag`.
pub fn details(e: &Error) -> Map<String, Value> {
    let mut details = e.details().clone();
    if let Some((_, field, _)) = e.by_field() {
        details.shift_insert(0, "flag".to_owned(), flag(field).into());
    }
    details
}

/// The flag of a field. Settings have a dot, arguments and variables are in capitals: these are said as they are.
fn flag(field: &str) -> String {
    let plain = field.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if plain && !field.starts_with('-') { format!("--{field}") } else { field.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Code, say};

    #[test]
    fn fields_are_flags_and_commands_are_typed() {
        let remedy = say("wait with ").with("wait").of("30s").say(", or: ").run("state check").with("full");
        assert_eq!(hint(&remedy), "wait with --wait 30s, or: poolctl state check --full");
        for (field, said) in [
            ("start", "--start"),
            ("--weight", "--weight"),
            ("AMOUNT", "AMOUNT"),
            ("reward.asset", "reward.asset"),
            ("POOLCTL_PING_URL", "POOLCTL_PING_URL"),
        ] {
            let e = Error::field(Code::InvalidValue, field, "no").detail("value", "x").context("epoch 3");
            assert_eq!(message(&e), format!("epoch 3: {said}: no"));
            assert_eq!(Value::Object(details(&e)).to_string(), format!(r#"{{"flag":"{said}","value":"x"}}"#));
        }
    }
}
