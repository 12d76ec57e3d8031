//! Who is at work on the state, and on what.

use base::{Result, clock, forms};
use kale::poolers;
use rusqlite::Connection;
use schemars::JsonSchema;
use serde::Serialize;
use state::Lease;
use std::path::Path;

/// A lease that a run holds, or that it has the state open for writing.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LeaseView {
    /// `pools`, `farm`, `account`, `prune` or `schedule`; `run` for whoever has the state open for writing.
    pub lease: String,
    /// The pooler, the account, or the part of the schedule.
    pub of: Option<String>,
    /// Process id; null where it cannot be read.
    pub pid: Option<u32>,
    /// The command.
    pub command: Option<String>,
    /// Since when, RFC 3339.
    #[serde(serialize_with = "clock::serialize_if")]
    #[schemars(with = "Option<forms::Time>")]
    pub since: Option<i64>,
}

/// Who is at work on the state at `path`; poolers have their names where it can be read.
pub fn leases(path: &Path, conn: Option<&Connection>) -> Result<Vec<LeaseView>> {
    let poolers = conn.map_or_else(|| Ok(Vec::new()), poolers::list)?;
    let view = |found: state::LeaseHolder| {
        let (lease, of) = match found.lease.split_once(Lease::OF) {
            Some((lease, of)) => (lease.to_owned(), Some(of.to_owned())),
            None => (found.lease, None),
        };
        let name = poolers.iter().find(|pooler| of.as_ref() == Some(&pooler.id));
        LeaseView {
            lease,
            of: name.map(|pooler| pooler.name.clone()).or(of),
            pid: found.holder.as_ref().map(|holder| holder.pid),
            since: found.holder.as_ref().map(|holder| holder.since),
            command: found.holder.map(|holder| holder.command),
        }
    };
    Ok(state::leases(path)?.into_iter().map(view).collect())
}

impl LeaseView {
    /// What is held.
    pub fn what(&self) -> String {
        [Some(self.lease.as_str()), self.of.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// By whom.
    pub fn by(&self) -> String {
        let Some((command, pid)) = self.command.as_ref().zip(self.pid) else {
            return "another run".to_owned();
        };
        format!("{command} (pid {pid})")
    }
}
