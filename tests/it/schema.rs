//! `poolctl schema`: the schemas of all commands as snapshots, and what a schema is good for. That every command's real
//! output fits its own is seen wherever a test runs one with `--json`. After a change:
//! `INSTA_UPDATE=always cargo test --test it schema`.

use crate::support::Home;
use serde_json::{Value, json};

/// Every command with its schema, as the binary tells them.
fn all() -> Vec<(String, Value)> {
    let data = Home::empty().run("schema").json();
    let schemas = data["schemas"].as_array().unwrap().iter();
    schemas.map(|one| (one["command"].as_str().unwrap().to_owned(), one["schema"].clone())).collect()
}

/// What is the same for all commands, and what is a command's own.
fn parts(command: &str, schema: &Value) -> (Value, Value) {
    let mut schema = schema.clone();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["title"], format!("poolctl {command} --json"));
    let root = schema.as_object_mut().unwrap();
    for name in ["$schema", "title"] {
        root.shift_remove(name);
    }
    let mut own = json!({ "$defs": root.shift_remove("$defs").unwrap() });
    let error = own["$defs"].as_object_mut().unwrap().shift_remove("Error").unwrap();
    let mut envelope = match schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([lines @ .., envelope]) => {
            own["line"] = if let [line] = lines { line.clone() } else { json!(lines) };
            envelope.clone()
        }
        _ => schema,
    };
    let fields = envelope["properties"].as_object_mut().unwrap();
    assert_eq!(fields.shift_remove("command").unwrap(), json!({ "const": command }));
    assert_eq!(fields.shift_remove("type").is_some(), own.get("line").is_some(), "{command}");
    own["data"] = fields.shift_remove("data").unwrap();
    (json!({ "envelope": envelope, "error": error }), own)
}

#[test]
fn schemas_of_every_command() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    let (mut groups, mut common): (Vec<(String, String)>, Option<Value>) = Default::default();
    for (command, schema) in all() {
        let (shared, own) = parts(&command, &schema);
        assert_eq!(common.get_or_insert_with(|| shared.clone()), &shared, "{command}");
        let group = command.split(' ').next().unwrap().to_owned();
        let text = format!("$ poolctl schema {command}\n{}\n\n", serde_json::to_string_pretty(&own).unwrap());
        match groups.last_mut() {
            Some((last, all)) if *last == group => all.push_str(&text),
            _ => groups.push((group, text)),
        }
    }
    insta::assert_snapshot!("schema-of-all", serde_json::to_string_pretty(&common).unwrap());
    for (group, text) in groups {
        insta::assert_snapshot!(format!("schema-{group}"), text);
    }
}

/// The list, a group's part of it, and one schema are the same thing; none needs a config or a state.
#[test]
fn one_some_or_all() {
    let home = Home::empty();
    let schemas = all();
    for (command, schema) in &schemas {
        let one = home.run(&format!("schema {command}")).ok();
        assert_eq!(&serde_json::from_str::<Value>(&one).unwrap(), schema, "{command}");
    }
    let pools = home.run("schema pool").json();
    let pools: Vec<&str> =
        pools["schemas"].as_array().unwrap().iter().map(|one| one["command"].as_str().unwrap()).collect();
    let want: Vec<&str> =
        schemas.iter().map(|(command, _)| command.as_str()).filter(|c| c.starts_with("pool ")).collect();
    assert_eq!(pools, want);
    let listed = home.run("schema").ok();
    assert_eq!(listed.lines().count(), 1 + schemas.len());
    assert!(listed.lines().any(|line| line.ends_with("poolctl schema pool list")), "{listed}");
    assert!(std::fs::read_dir(home.path()).unwrap().next().is_none(), "it left something");
}

#[test]
fn a_command_that_there_is_not() {
    let home = Home::empty();
    let envelope = home.run("schema pool lst").fails(2, "usage");
    assert_eq!(envelope["error"]["message"], "there is no command \"pool lst\"");
}

/// A schema tells a right document from a wrong one; the harness would not notice one that takes everything.
#[test]
fn a_schema_refuses_what_the_command_does_not_write() {
    let home = Home::ready();
    let schema: Value = serde_json::from_str(&home.run("schema pool list").ok()).unwrap();
    let validator = poolctl_testkit::contract::validator_of(schema).unwrap();
    let good = home.run("pool list --json").exits(0).envelope();
    assert!(validator.is_valid(&good));
    let edits: [(&str, Value); 7] = [
        ("/ok", "yes".into()),
        ("/command", "pool show".into()),
        ("/schema_version", 2.into()),
        ("/data/pools", Value::Null),
        ("/data", json!({ "pools": [], "more": 1 })),
        ("/warnings", "none".into()),
        ("/error", json!({ "code": "Not A Word", "message": "", "hint": null, "details": {} })),
    ];
    for (place, value) in edits {
        let mut bad = good.clone();
        *bad.pointer_mut(place).unwrap() = value;
        assert!(!validator.is_valid(&bad), "{place}: {bad}");
    }
    for name in ["schema_version", "command", "ok", "data", "warnings", "error"] {
        let mut bad = good.clone();
        bad.as_object_mut().unwrap().remove(name);
        assert!(!validator.is_valid(&bad), "without {name}");
    }
}
