//! The state file: SQLite's version, its own quick check, the write-ahead log.

use super::Line;
use crate::leases::leases;
use base::{Result, say};
use state::State;
use state::columns::only;
use std::path::Path;

/// Older ones may corrupt a database when its write-ahead log is begun anew (fixed in 3.51.3).
const FIXED: i32 = 3_051_003;
/// Bytes of the log that a checkpoint should have taken long ago.
const LONG_LOG: u64 = 256 << 20;

/// The bundled SQLite.
pub fn sqlite_line() -> Line {
    let version = rusqlite::version();
    if rusqlite::version_number() >= FIXED {
        Line::ok("state", "sqlite", format!("version {version}"))
    } else {
        let words = format!("version {version} may corrupt a state");
        Line::fail("state", "sqlite", words, "use a poolctl with SQLite 3.51.3 or newer")
    }
}

/// What SQLite says of an open state, and how it stands on disk.
pub fn lines(state: &State) -> Result<Vec<Line>> {
    let path = state.path();
    let shown = path.display();
    let size = size_of(path);
    let mut lines = vec![Line::ok(
        "state",
        "schema",
        format!("schema {}, {} MiB at {shown}", state::SCHEMA_VERSION, size >> 20),
    )];
    let verdict: String = state.conn().query_row("PRAGMA quick_check(1)", [], only)?;
    lines.push(if verdict == "ok" {
        Line::ok("state", "quick check", "ok")
    } else {
        Line::fail("state", "quick check", verdict, say("restore a backup: ").backup())
    });
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = size_of(Path::new(&log));
    lines.push(if log > LONG_LOG {
        let words = format!("{} MiB: a reader holds it open", log >> 20);
        Line::warn("state", "write-ahead log", words, format!("see who reads: fuser -v {shown}"))
    } else {
        Line::ok("state", "write-ahead log", format!("{} KiB", log >> 10))
    });
    let held = leases(path, Some(state.conn()))?;
    let held: Vec<String> = held.iter().map(|one| format!("{}: {}", one.what(), one.by())).collect();
    lines.push(Line::ok(
        "state",
        "at work",
        if held.is_empty() { "nobody".to_owned() } else { held.join(", ") },
    ));
    Ok(lines)
}

fn size_of(path: &Path) -> u64 {
    std::fs::metadata(path).map(|file| file.len()).unwrap_or_default()
}
