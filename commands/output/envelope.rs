//! The one JSON document of `--json`: the same fields in the same order, on success and on failure.

use super::{Outcome, words};
use base::{Exit, Result};
use schemars::JsonSchema;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

/// Version of the envelope and of every command's data: no field is renamed or retyped within it.
pub const SCHEMA_VERSION: u32 = 1;

/// How a run ended, ready to be shown.
pub struct Ended {
    /// The command's words: `pool list`; empty where none was recognised.
    pub command: String,
    /// Nothing was written because `--dry-run` was given.
    pub dry_run: bool,
    /// What there is to say.
    pub outcome: Outcome,
}

/// Why a command failed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(super) struct Failure {
    /// A stable word, on which scripts match.
    #[schemars(pattern("^[a-z][a-z0-9_]*$"))]
    code: &'static str,
    /// What happened, to what, and why.
    message: String,
    /// What to do about it.
    hint: Option<String>,
    /// The particulars.
    details: Map<String, Value>,
}

impl Ended {
    /// The report on a command that returned this.
    pub fn new(command: &str, dry_run: bool, result: Result<Outcome>) -> Self {
        Self { command: command.to_owned(), dry_run, outcome: result.unwrap_or_else(Outcome::failed) }
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.outcome.exit()
    }
}

impl Serialize for Ended {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let failure = self.outcome.failure.as_ref().map(|e| Failure {
            code: e.code().as_str(),
            message: words::message(e),
            hint: e.remedy().map(words::hint),
            details: words::details(e),
        });
        let mut map = serializer.serialize_map(None)?;
        if self.outcome.streamed {
            map.serialize_entry("type", "result")?;
        }
        map.serialize_entry("schema_version", &SCHEMA_VERSION)?;
        map.serialize_entry("command", &self.command)?;
        map.serialize_entry("ok", &failure.is_none())?;
        if self.dry_run {
            map.serialize_entry("dry_run", &true)?;
        }
        map.serialize_entry("data", &self.outcome.data().map_err(serde::ser::Error::custom)?)?;
        map.serialize_entry("warnings", &self.outcome.warnings)?;
        map.serialize_entry("error", &failure)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Page, Present};
    use base::{Code, Error};

    #[derive(Serialize, JsonSchema)]
    struct Yes(bool);

    impl Present for Yes {
        fn present(&self, _page: &mut Page) {}
    }

    fn json(report: &Ended) -> String {
        serde_json::to_string(report).unwrap()
    }

    #[test]
    fn fields_stand_in_their_order() {
        let done = Ended::new("pool list", false, Ok(Outcome::of(Yes(true))));
        assert_eq!(
            json(&done),
            r#"{"schema_version":1,"command":"pool list","ok":true,"data":true,"warnings":[],"error":null}"#
        );
        let e = Error::new(Code::StateLocked, "locked").hint("wait").detail("pid", 7);
        let failed = Ended::new("sync", true, Err(e));
        assert_eq!(
            json(&failed),
            r#"{"schema_version":1,"command":"sync","ok":false,"dry_run":true,"data":null,"warnings":[],"error":{"code":"state_locked","message":"locked","hint":"wait","details":{"pid":7}}}"#
        );
        assert_eq!(failed.exit(), Exit::Locked);
    }
}
