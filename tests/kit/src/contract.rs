//! Whether what the binary writes with `--json` is what its own `poolctl schema` promises, and nothing more.

use crate::watch;
use anyhow::{Context, Result, anyhow, ensure};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

/// Compiled schemas by command; made when a test first sees a command's output.
static KNOWN: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());

/// Checks a run's whole stdout: its only line, or each line of a stream, of which the last is the envelope. What is no
/// JSON document of poolctl, such as a help text, or what was cut short by a signal, is not looked at.
///
/// # Errors
/// Where a line is not what the schema says, or has a field that it does not name.
pub fn check(binary: &Path, stdout: &str) -> Result<()> {
    let lines: Vec<&str> = stdout.lines().collect();
    let Some(envelope) = lines.last().and_then(|line| serde_json::from_str::<Value>(line).ok()) else {
        return Ok(());
    };
    let Some(command) = envelope["command"].as_str().filter(|_| envelope["schema_version"].is_u64()) else {
        return Ok(());
    };
    // Where no command was recognised there is none to look up.
    if command.is_empty() {
        return Ok(());
    }
    let Some(validator) = validator(binary, command)? else {
        ensure!(envelope["error"]["code"] == "usage", "poolctl schema {command} is no JSON, but {envelope}");
        return Ok(());
    };
    for line in lines {
        let line: Value = serde_json::from_str(line).with_context(|| format!("{command}: {line}"))?;
        valid(&validator, command, &line)?;
        // The demo's steps hold the envelopes of other commands.
        let inner = &line["envelope"];
        if inner.is_object() {
            check(binary, &inner.to_string())?;
        }
    }
    Ok(())
}

fn valid(validator: &Validator, command: &str, line: &Value) -> Result<()> {
    let mut faults = String::new();
    for fault in validator.iter_errors(line) {
        explain(&fault, 1, &mut faults);
    }
    ensure!(
        faults.is_empty(),
        "`poolctl {command} --json` wrote what `poolctl schema {command}` does not say:\n{faults}{line}",
    );
    Ok(())
}

/// A line for each fault, those inside of a choice too: what is wrong stands innermost.
fn explain(fault: &ValidationError<'_>, depth: usize, text: &mut String) {
    let (indent, place) = ("  ".repeat(depth), fault.instance_path());
    let (ValidationErrorKind::AnyOf { context: branches }
    | ValidationErrorKind::OneOfNotValid { context: branches }) = fault.kind()
    else {
        let _ = writeln!(text, "{indent}{place}: {fault}");
        return;
    };
    let _ = writeln!(text, "{indent}{place}: fits no branch:");
    for inner in branches.iter().flatten() {
        explain(inner, depth + 1, text);
    }
}

/// The validator of a command; of a group, as in `poolctl pool lst`, there is none.
fn validator(binary: &Path, command: &str) -> Result<Option<Arc<Validator>>> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(validator) = known.get(command) {
        return Ok(Some(Arc::clone(validator)));
    }
    let printed = watch::output(Command::new(binary).arg("schema").args(command.split(' ')).env_clear())?;
    ensure!(
        printed.status.success(),
        "poolctl schema {command}: {}",
        String::from_utf8_lossy(&printed.stderr)
    );
    let Ok(schema) = serde_json::from_slice::<Value>(&printed.stdout) else { return Ok(None) };
    let validator = Arc::new(validator_of(schema)?);
    known.insert(command.to_owned(), Arc::clone(&validator));
    Ok(Some(validator))
}

/// A validator that takes what this schema describes, and no field besides.
///
/// # Errors
/// Where it is no JSON Schema.
pub fn validator_of(mut schema: Value) -> Result<Validator> {
    jsonschema::meta::validate(&schema).map_err(|e| anyhow!("no JSON Schema: {e}"))?;
    close(&mut schema);
    jsonschema::options().should_validate_formats(true).build(&schema).map_err(|e| anyhow!("{e}"))
}

/// Forbids every field that the schema does not name. A schema lets new fields come; the binary that printed it has none.
fn close(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    let own = schema.contains_key("properties") || schema.contains_key("$ref");
    if own {
        // Fields of what is referred to, or of the branch that holds, count as named.
        schema.insert("unevaluatedProperties".to_owned(), json!(false));
    }
    inside(schema, own);
}

/// As [`close`] for all that is inside, but not for the fields of this object itself.
fn inside(schema: &mut Map<String, Value>, own: bool) {
    for (keyword, value) in schema {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(fields)) => fields.values_mut().for_each(close),
            ("$defs", Value::Object(definitions)) => {
                for definition in definitions.values_mut() {
                    open(definition);
                }
            }
            ("anyOf" | "oneOf" | "allOf", Value::Array(branches)) => {
                branches.iter_mut().for_each(if own { open } else { close });
            }
            ("prefixItems", Value::Array(items)) => items.iter_mut().for_each(close),
            ("items" | "additionalProperties", value) => close(value),
            _ => {}
        }
    }
}

fn open(schema: &mut Value) {
    if let Value::Object(schema) = schema {
        // A definition that only chooses between others is closed where it is used.
        inside(schema, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(mut schema: Value) -> Validator {
        close(&mut schema);
        jsonschema::validator_for(&schema).unwrap()
    }

    #[test]
    fn fields_that_are_not_named_are_refused_at_every_depth() {
        let flattened = json!({
            "properties": { "a": { "type": "object", "properties": { "b": true } }, "list": { "items": { "$ref": "#/$defs/one" } } },
            "oneOf": [{ "properties": { "kind": { "const": "x" } }, "required": ["kind"] }, { "properties": { "kind": { "const": "y" }, "why": true }, "required": ["kind", "why"] }],
            "$defs": { "one": { "type": "object", "properties": { "c": true } } },
        });
        let validator = closed(flattened);
        for good in [
            json!({ "kind": "x", "a": { "b": 1 }, "list": [{ "c": 1 }, {}] }),
            json!({ "kind": "y", "why": "so" }),
        ] {
            assert!(validator.is_valid(&good), "{good}");
        }
        for bad in [
            json!({ "kind": "x", "other": 1 }),
            json!({ "kind": "x", "why": "so" }),
            json!({ "kind": "x", "a": { "c": 1 } }),
            json!({ "kind": "x", "list": [{ "d": 1 }] }),
        ] {
            assert!(!validator.is_valid(&bad), "{bad}");
        }
    }
}
