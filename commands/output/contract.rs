//! What a command writes with `--json`, as JSON Schema (draft 2020-12) made from its output structs: one document, or
//! the lines of a stream.

use super::envelope::{Failure, SCHEMA_VERSION};
use super::outcome::Present;
use app::api::Route;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Part of a schema, made when it is asked for.
type Part = fn(&mut SchemaGenerator) -> Schema;

/// What one command promises to write with `--json`.
#[derive(Debug, Clone)]
pub struct Contract {
    /// The command's words: `pool list`.
    pub command: &'static str,
    /// How it is had by HTTP, if it is.
    #[cfg_attr(not(feature = "serve"), expect(dead_code, reason = "the server reads it"))]
    pub route: Option<Route>,
    data: Vec<Part>,
    lines: Vec<Part>,
}

impl Contract {
    /// A command whose data is a `T`.
    pub fn of<T: Present>(command: &'static str) -> Self {
        Self { command, route: None, data: vec![SchemaGenerator::subschema_for::<T>], lines: Vec::new() }
    }

    /// Its data may be a `T` too: by a flag, or as things stand.
    #[must_use]
    pub fn or<T: Present>(mut self) -> Self {
        self.data.push(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// It may be a stream, whose lines are a `T`, or one of several, but for the last, which is the envelope with the type `result`.
    #[must_use]
    pub fn lines<T: JsonSchema>(mut self) -> Self {
        self.lines.push(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// It is a route too.
    #[must_use]
    pub fn route(self, route: Route) -> Self {
        Self { route: Some(route), ..self }
    }

    /// Whether it may be a stream.
    pub fn is_stream(&self) -> bool {
        !self.lines.is_empty()
    }

    /// The schema of the whole document; of a stream, of each of its lines.
    ///
    /// It describes what this version writes. A later one may add fields, so nothing forbids them.
    pub fn schema(&self) -> Schema {
        let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let envelope = self.envelope(&mut generator);
        let mut schema = json_schema!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": format!("poolctl {} --json", self.command),
        });
        if self.is_stream() {
            let lines = self.lines.iter().map(|line| line(&mut generator));
            let all: Vec<Schema> = lines.chain([envelope]).collect();
            schema.insert("anyOf".to_owned(), json!(all));
        } else if let Value::Object(envelope) = envelope.to_value() {
            schema.ensure_object().extend(envelope);
        }
        let definitions = generator.take_definitions(true);
        if !definitions.is_empty() {
            schema.insert("$defs".to_owned(), Value::Object(definitions));
        }
        schema
    }

    /// The schema of the envelope; what it refers to stays with the generator.
    pub fn envelope(&self, generator: &mut SchemaGenerator) -> Schema {
        let mut data: Vec<Schema> = self.data.iter().map(|part| part(generator)).collect();
        data.push(json_schema!({ "type": "null" }));
        let error = generator.subschema_for::<Option<Failure>>();
        let mut schema = json_schema!({
            "type": "object",
            "description": "How the command ended.",
            "properties": {
                "schema_version": {
                    "description": "No field is renamed or retyped within it.",
                    "const": SCHEMA_VERSION,
                },
                "command": { "const": self.command },
                "ok": { "description": "True where the exit code is 0.", "type": "boolean" },
                "dry_run": { "description": "There where --dry-run was given: nothing was written.", "const": true },
                "data": { "description": "What the command did or found; null where it failed before.", "anyOf": data },
                "warnings": {
                    "description": "What the operator should know.",
                    "type": "array",
                    "items": { "type": "string" },
                },
                "error": error,
            },
            "required": ["schema_version", "command", "ok", "data", "warnings", "error"],
        });
        if self.is_stream()
            && let Some(Value::Object(properties)) = schema.get_mut("properties")
        {
            let kind = json!({ "description": "There in the last line of a stream.", "const": "result" });
            properties.insert("type".to_owned(), kind);
        }
        schema
    }
}
