//! Doing to a state what its triggers let nobody do, and leaving the triggers as they were.

use rusqlite::Connection;

/// Runs `body` on a database without its triggers, which are there again afterwards.
///
/// # Panics
/// Where SQLite refuses.
#[expect(clippy::expect_used, reason = "a test ends where its own preparation fails")]
pub fn tamper<T>(conn: &Connection, body: impl FnOnce(&Connection) -> T) -> T {
    let mut triggers =
        conn.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").expect("triggers");
    let triggers: Vec<(String, String)> = triggers
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(Iterator::collect)
        .expect("their names");
    for (name, _) in &triggers {
        conn.execute_batch(&format!("DROP TRIGGER {name}")).expect("a trigger goes");
    }
    let done = body(conn);
    for (_, sql) in &triggers {
        conn.execute_batch(sql).expect("a trigger comes back");
    }
    done
}
