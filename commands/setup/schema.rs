//! `poolctl schema`: what a command writes with `--json`, as JSON Schema.

use crate::shell::cli;
use crate::shell::prelude::*;
use serde_json::{Map, Value};

/// Show the JSON Schema of what a command writes with --json
///
/// Draft 2020-12, of the whole document, or of each line where the command is a stream. Without COMMAND the commands
/// are listed, and --json has the schemas of all.
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl schema pool list")]
pub struct Schema {
    /// The command, or a group of commands
    #[arg(value_name = "COMMAND")]
    words: Vec<String>,
}

/// Schemas of what commands write.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SchemaOutput {
    /// Command by command.
    pub schemas: Vec<SchemaView>,
    /// One command was named, and its schema is what is wanted.
    #[serde(skip)]
    one: bool,
}

/// What one command writes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SchemaView {
    /// Its words.
    pub command: &'static str,
    /// Whether it may be a stream of lines.
    pub stream: bool,
    /// The schema.
    #[schemars(with = "Map<String, Value>")]
    pub schema: schemars::Schema,
}

impl Schema {
    pub fn run(self, _session: &Session) -> Result<Outcome> {
        let wanted = self.words.join(" ");
        let all = cli::contracts();
        let view = |contract: &crate::output::Contract| SchemaView {
            command: contract.command,
            stream: contract.is_stream(),
            schema: contract.schema(),
        };
        if let Some(contract) = all.iter().find(|contract| contract.command == wanted) {
            return Ok(Outcome::of(SchemaOutput { schemas: vec![view(contract)], one: true }));
        }
        let inside = format!("{wanted} ");
        let named = all.iter().filter(|it| wanted.is_empty() || it.command.starts_with(&inside));
        let schemas: Vec<SchemaView> = named.map(view).collect();
        if schemas.is_empty() {
            return Err(Error::new(Code::Usage, format!("there is no command \"{wanted}\""))
                .hint("see all with: poolctl schema"));
        }
        Ok(Outcome::of(SchemaOutput { schemas, one: false }))
    }
}

impl Present for SchemaOutput {
    fn present(&self, page: &mut Page) {
        if let ([view], true) = (self.schemas.as_slice(), self.one) {
            // Plain data with text keys, so this cannot fail.
            page.line(serde_json::to_string_pretty(&view.schema).unwrap_or_default());
            return;
        }
        page.rows(["COMMAND", "WRITES", "SCHEMA"], &self.schemas, |view| {
            let writes = if view.stream { "a stream, or a document" } else { "a document" };
            cells![view.command, writes, format!("poolctl schema {}", view.command)]
        });
    }
}
