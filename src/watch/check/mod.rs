//! Is the file sound: SQLite's own checks, the audit chain, and every money invariant.

mod columns;
mod farm;
mod groups;
mod ledger;
mod rewards;
mod shares;
mod withdrawals;

use base::amount::{Base, Delta};
use base::{Code, Error, Result};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use schemars::JsonSchema;
use serde::Serialize;
use state::rows::{self, Row};
use state::{brought_forward, verify_chain};

/// What was checked and what does not hold.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CheckReport {
    /// Every invariant that was checked, by name.
    pub checked: Vec<&'static str>,
    /// What does not hold; empty for a sound file.
    pub findings: Vec<Finding>,
    /// Audit events walked.
    pub events: i64,
    /// `meta.data_version`: counts the write transactions.
    pub data_version: String,
}

/// One thing that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// The invariant's name.
    pub check: &'static str,
    /// Which row, what it says, and what it should say.
    pub message: String,
}

type Check = fn(&Connection) -> Result<Vec<String>>;

const MONEY: &[(&str, Check)] = &[
    ("foreign_keys", foreign_keys),
    ("ledger_sums_to_zero", ledger::ledger_sums_to_zero),
    ("cached_equals_derived", ledger::cached_equals_derived),
    ("epoch_conserves", rewards::epoch_conserves),
    ("emission_conserves", rewards::emission_conserves),
    ("emission_follows_settings", vault::reward::odd_budgets),
    ("emission_is_accounted_for", rewards::emission_is_accounted_for),
    ("epochs_are_gapless", rewards::epochs_are_gapless),
    ("claims_equal_credits", rewards::claims_equal_credits),
    ("exports_equal_unclaimed", rewards::exports_equal_unclaimed),
    ("payable_equals_unclaimed", rewards::payable_equals_unclaimed),
    ("shares_equal_transfers", shares::shares_equal_transfers),
    ("withdrawals_have_evidence", vault::withdrawal::withdrawals_have_evidence),
    ("reservations_fit_shares", withdrawals::reservations_fit_shares),
    ("pails_are_accounted_for", farm::pails_are_accounted_for),
    ("stakes_equal_open_pails", farm::stakes_equal_open_pails),
    ("harvests_equal_credits", farm::harvests_equal_credits),
    ("losses_equal_compensations", farm::losses_equal_compensations),
    ("pruned_is_brought_forward", brought_forward),
];

/// Runs every check, in memory that does not grow with the state: what belongs together is read in one order and
/// compared row by row. `full` reads every index too (`integrity_check`), otherwise `quick_check`, and every column as the
/// commands do. Where the schema is not the program's, nothing else can be told.
///
/// # Errors
/// `state_error` where the file cannot be read at all; what is wrong inside it is a finding, not an error.
pub fn check(conn: &Connection, full: bool) -> Result<CheckReport> {
    let mut report =
        CheckReport { checked: Vec::new(), findings: Vec::new(), events: 0, data_version: String::new() };
    let name = if full { "integrity_check" } else { "quick_check" };
    report.take(name, sqlite_check(conn, name));
    let foreign = state::difference(conn, state::SCHEMA_VERSION);
    let is_foreign = !matches!(foreign, Ok(None));
    report.take("schema", foreign.map(|found| found.into_iter().map(|found| found.why).collect()));
    if is_foreign {
        // What stands in the place of a table may say anything, and never come to an end.
        return Ok(report);
    }
    if full {
        report.take("columns", columns::columns(conn));
    }
    match verify_chain(conn) {
        Ok(chain) => {
            report.events = chain.events;
            let broken = chain.broken.map(|b| format!("event {}: {}", b.id, b.why));
            report.take("audit_chain", Ok(broken.into_iter().collect()));
        }
        Err(e) => report.take("audit_chain", Err(e)),
    }
    for (name, run) in MONEY {
        report.take(name, run(conn));
    }
    report.data_version = state::meta_get(conn, "data_version").ok().flatten().unwrap_or_default();
    Ok(report)
}

impl CheckReport {
    fn take(&mut self, check: &'static str, found: Result<Vec<String>>) {
        self.checked.push(check);
        let messages = found.unwrap_or_else(|e| vec![e.to_string()]);
        self.findings.extend(messages.into_iter().map(|message| Finding { check, message }));
    }
}

/// How many audit events a sound state has.
pub fn must_be_sound(conn: &Connection) -> Result<i64> {
    let report = check(conn, true)?;
    match report.findings.first() {
        None => Ok(report.events),
        Some(finding) => Err(Error::new(Code::CheckFailed, finding.message.clone())),
    }
}

/// SQLite ignores the CHECK constraints of a file that was opened for reading only, so this looks through a
/// connection that could write, and does not. Where the file cannot be written at all, they stay unchecked.
fn sqlite_check(conn: &Connection, pragma: &str) -> Result<Vec<String>> {
    let own = if conn.is_readonly("main")? { may_write(conn).ok() } else { None };
    let conn = own.as_ref().unwrap_or(conn);
    let mut found = lines(conn, &format!("PRAGMA {pragma}"), |row| Ok(row.get(0)?))?;
    found.retain(|line| line != "ok");
    Ok(found)
}

fn may_write(conn: &Connection) -> Result<Connection> {
    let own = state::connect_again(conn)?;
    own.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    own.pragma_update(None, "query_only", true)?;
    // Where no log can be made beside the file, it cannot even be read like this.
    own.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(own)
}

fn foreign_keys(conn: &Connection) -> Result<Vec<String>> {
    lines(conn, "PRAGMA foreign_key_check", |row| {
        Ok(format!(
            "{} row {:?} points to a missing row of {}",
            row.get::<_, String>("table")?,
            row.get::<_, Option<i64>>("rowid")?,
            row.get::<_, String>("parent")?
        ))
    })
}

fn lines(conn: &Connection, sql: &str, map: impl FnMut(&Row<'_>) -> Result<String>) -> Result<Vec<String>> {
    rows::all(conn, sql, [], map)
}

fn each(conn: &Connection, sql: &str, body: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
    rows::each(conn, sql, [], body)
}

fn add(slot: &mut Delta, amount: Delta) -> Result<()> {
    *slot = slot.checked_add(amount).ok_or_else(overflow)?;
    Ok(())
}

fn sum(a: Base, b: Base) -> Result<Base> {
    a.checked_add(b).ok_or_else(overflow)
}

fn overflow() -> Error {
    Error::new(Code::StateCorrupt, "a sum passes 256 bits")
}
