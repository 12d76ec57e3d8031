//! Whose a database is, and of which schema.

use super::{connect, steps};
use crate::columns::only;
use base::{Code, Error, Result, say};
use rusqlite::{Connection, ErrorCode};
use std::path::Path;

/// `PRAGMA application_id` of a poolctl state: "Pool".
pub const APPLICATION_ID: i32 = 0x506f_6f6c;

/// `PRAGMA application_id` of an archive of rows that `state prune` took out of one: `PooA`.
pub(crate) const ARCHIVE_ID: i32 = 0x506f_6f41;

/// The schema version of a poolctl state; anything else is refused.
pub(super) fn identify(conn: &Connection, path: &Path) -> Result<u32> {
    let shown = path.display();
    let pragma = |name: &str| -> Result<i32> {
        let found = conn.pragma_query_value(None, name, only);
        if found.as_ref().is_err_and(|e| e.sqlite_error_code() == Some(ErrorCode::ReadOnly)) {
            return Err(connect::unfinished(path));
        }
        found.map_err(|e| match Error::from(e) {
            e if e.code() == Code::StateForeign || e.code() == Code::StateCorrupt => {
                Error::new(e.code(), format!("{shown} is not a readable SQLite database")).hint(
                    say("it is left as it is; check ").with("state").say(", or restore a backup: ").backup(),
                )
            }
            e => e.context(format!("cannot read state {shown}")),
        })
    };
    let application = pragma("application_id")?;
    let version = pragma("user_version")?;
    if application == ARCHIVE_ID {
        let why = format!("{shown} is an archive of pruned rows, and no state by itself");
        return Err(Error::new(Code::StateForeign, why)
            .hint("any SQLite tool reads it; its table meta says where the rows come from"));
    }
    if application != APPLICATION_ID {
        return Err(Error::new(Code::StateForeign, format!("{shown} is a database of another program"))
            .hint(say("it is left as it is; check ").with("state")));
    }
    let version = u32::try_from(version)
        .map_err(|_| Error::new(Code::StateCorrupt, format!("state {shown} has schema {version}")))?;
    if steps::UNRELEASED.contains(&version) {
        let why =
            format!("state {shown} has schema {version}, of a development build: it cannot be migrated");
        return Err(Error::new(Code::StateOutdated, why)
            .hint(say("set it aside, and create a new state: ").run("init")));
    }
    if version > steps::SCHEMA_VERSION {
        let why =
            format!("state {shown} has schema {version}, this poolctl knows up to {}", steps::SCHEMA_VERSION);
        return Err(Error::new(Code::StateTooNew, why)
            .hint("use the newer poolctl that wrote it; it is never taken back to an older schema")
            .detail("found", version)
            .detail("known", steps::SCHEMA_VERSION));
    }
    Ok(version)
}
