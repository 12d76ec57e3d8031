//! What must hold of every withdrawal: it stands on a request and on evidence.

use base::{Code, Error, Remedy, Result};
use rusqlite::Connection;
use state::rows;

/// Every withdrawal is as it was asked for, and its transaction, mark and reason are what its status demands.
pub fn withdrawals_have_evidence(conn: &Connection) -> Result<Vec<String>> {
    evidence(conn, None)
}

/// Refuses to go on with a withdrawal that is not what was asked for, or whose row contradicts itself.
pub fn must_be_as_asked(conn: &Connection, id: i64) -> Result<()> {
    evidence(conn, Some(id))?.into_iter().next().map_or(Ok(()), |why| {
        Err(Error::new(Code::StateCorrupt, format!("{why}; nothing is changed")).hint(Remedy::restore()))
    })
}

/// What does not hold of one withdrawal, or of any.
fn evidence(conn: &Connection, id: Option<i64>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let sql = "SELECT w.id, w.status, w.tx_hash IS NOT NULL AS tx, w.verified, w.error IS NOT NULL AS error,
             w.processing_at IS NOT NULL AS processing,
             w.shares = e.payload ->> 'shares' AND w.assets = e.payload ->> 'assets' AS as_asked
         FROM pool_withdrawals w
         LEFT JOIN events e ON e.subject = 'withdrawal ' || w.id AND e.kind = 'withdrawal.requested'
         WHERE w.id BETWEEN ?1 AND ?2 ORDER BY w.id";
    rows::each(conn, sql, [id.unwrap_or(i64::MIN), id.unwrap_or(i64::MAX)], |row| {
        let (id, status): (i64, String) = (row.get("id")?, row.get("status")?);
        let (tx, verified): (bool, Option<bool>) = (row.get("tx")?, row.get("verified")?);
        let (error, processing): (bool, bool) = (row.get("error")?, row.get("processing")?);
        let wrong = match (status.as_str(), verified) {
            ("pending", None) => tx.then_some("a transaction, and is not in process"),
            ("processing", None) => (!tx || !processing).then_some("no transaction or time of its own"),
            ("completed", Some(true)) => (!tx).then_some("no transaction that shows it"),
            ("completed", Some(false)) => None,
            ("failed", None) => (tx || !error).then_some("a transaction, or no reason"),
            _ => Some("a mark that its status does not allow"),
        };
        found.extend(wrong.map(|wrong| format!("withdrawal {id}: {status} with {wrong}")));
        match row.get::<_, Option<bool>>("as_asked")? {
            Some(true) => {}
            Some(false) => found.push(format!("withdrawal {id}: other amounts than were asked for")),
            None => found.push(format!("withdrawal {id}: nobody asked for it")),
        }
        Ok(())
    })?;
    Ok(found)
}
