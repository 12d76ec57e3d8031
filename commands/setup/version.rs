//! `poolctl version`: which poolctl this is, and what it reads and writes.

use crate::output::SCHEMA_VERSION;
use crate::shell::prelude::*;
use app::watching::VersionOutput;

/// Show the version, the build, and the versions of the schemas
#[derive(Debug, Args)]
#[command(before_help = "Example: poolctl version --json")]
pub struct Version {}

impl Version {
    pub fn run(self, _session: &Session) -> Result<Outcome> {
        let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
        let build = format!("{profile} {}-{}", std::env::consts::ARCH, std::env::consts::OS);
        let (version, state_schema) = (env!("CARGO_PKG_VERSION"), state::SCHEMA_VERSION);
        Ok(Outcome::of(VersionOutput { version, build, state_schema, json_schema: SCHEMA_VERSION }))
    }
}

impl Present for VersionOutput {
    fn present(&self, page: &mut Page) {
        page.line(format!("poolctl {} ({})", self.version, self.build));
        page.line(format!("state schema {}, JSON schema {}", self.state_schema, self.json_schema));
    }
}
