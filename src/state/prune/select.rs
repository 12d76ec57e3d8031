//! What `state prune` takes: rows of farmed blocks that have ended, routine events, transactions nothing refers to any
//! more, past syncs, closed alerts. One walk, whether rows are counted or archived.

use super::tables::{
    ATTEMPTS, ENTRIES, EVENTS, FARM_ALERTS, HARVESTS, NONCES, OPERATIONS, ORACLE_ALERTS, PLANTINGS,
    SNAPSHOTS, Sink, VIOLATIONS, WORKS,
};
use crate::columns::only;
use crate::rows;
use crate::rows::Row;
use base::clock::Clock;
use base::{Code, Error, Result, Stop, say};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{HashMap, HashSet};

/// What decides whether an event of a kind goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// What became of the pail that it is about.
    Pail,
    /// Its age alone.
    Age,
    /// Its age, where the transaction that it is about is one of the farm's routine.
    Transaction,
}

/// The kinds of events that are routine; every other kind stays, whatever its age.
const ROUTINE: [(By, &str); 3] = [
    (
        By::Pail,
        "plant.planted plant.failed work.worked work.improved work.failed work.elsewhere work.refused work.missed work.offered \
         harvest.harvested harvest.harvested_elsewhere harvest.failed",
    ),
    (
        By::Age,
        "extend.extended extend.failed pool.synced oracle.alert.opened oracle.alert.closed risk.violation.opened \
         risk.violation.closed farm.alert.opened farm.alert.closed notify.given_up",
    ),
    (By::Transaction, "operation.confirmed operation.failed operation.expired"),
];

/// Transactions that are routine, by kind: of farming, and of keeping its entries alive.
const TRANSACTIONS: &[&str] = &["plant", "work", "harvest", "extend", "restore"];

/// An event is written in the same transaction as its row; its clock is read a moment later, or after a correction.
const CLOCKS_SEC: i64 = 3_600;

/// Verdicts that are remembered.
const REMEMBERED: usize = 200_000;

/// Up to where rows may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    /// What is older may go; seconds since 1970.
    pub before: i64,
    /// The same, as events are dated.
    at: String,
    /// Blocks from this one on stay.
    end_block: i64,
}

impl Cut {
    /// Looks up what `before` means for blocks: those in which all began later stay, and the newest in any case, since
    /// runs look there first.
    pub fn new(conn: &Connection, before: i64) -> Result<Self> {
        let mut statement = conn.prepare(
            "SELECT block_index, at FROM plantings WHERE block_index > ?1 ORDER BY block_index LIMIT 1",
        )?;
        let mut end_block = -1;
        loop {
            let next: Option<(i64, i64)> = statement
                .query_row([end_block], |row| Ok((row.get("block_index")?, row.get("at")?)))
                .optional()?;
            match next {
                Some((block, at)) if at < before => end_block = block,
                Some((block, _)) => {
                    end_block = block;
                    break;
                }
                // The last one that there is.
                None => break,
            }
        }
        Ok(Self { before, at: Clock::Fixed(before).rfc3339(), end_block })
    }

    /// As an event would be dated.
    pub fn at(&self) -> &str {
        &self.at
    }
}

/// What becomes of a pail's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retention {
    /// It is open, or ended too recently, or lost; or its payment still tells others apart.
    Stays,
    /// It was harvested long ago.
    Goes,
    /// Nothing was ever at stake: each attempt by its age.
    Never,
}

impl Retention {
    /// Whether what is about the pail goes; `alone` says so where nothing was ever at stake.
    fn goes(self, alone: bool) -> bool {
        self == Self::Goes || self == Self::Never && alone
    }
}

/// What is out by now: it and what explains it stays.
pub(super) struct Out {
    /// Pails that are open, by block and farmer.
    open: HashSet<(i64, String)>,
    /// The ledger of each farmer's oldest plant that is out. While its pail is sought, our own harvests since then must be
    /// told from those of others.
    since: HashMap<String, i64>,
}

impl Out {
    /// As the state has it.
    pub fn read(conn: &Connection) -> Result<Self> {
        let mut out = Self { open: HashSet::new(), since: HashMap::new() };
        let pails = "SELECT block_index, farmer_id, planted_ledger FROM open_pails";
        rows::each(conn, pails, [], |row| {
            let (farmer, ledger): (String, i64) = (row.get("farmer_id")?, row.get("planted_ledger")?);
            let oldest = out.since.entry(farmer.clone()).or_insert(ledger);
            *oldest = ledger.min(*oldest);
            out.open.insert((row.get("block_index")?, farmer));
            Ok(())
        })?;
        Ok(out)
    }

    /// Whether what was selected of a pail must stay after all: it is open again, or lost, or its payment tells others apart.
    pub fn keeps(&self, conn: &Connection, pail: &(i64, String)) -> Result<bool> {
        Ok(self.judge(conn, pail, i64::MAX)? == Retention::Stays)
    }

    fn judge(&self, conn: &Connection, pail: &(i64, String), before: i64) -> Result<Retention> {
        if self.open.contains(pail) {
            return Ok(Retention::Stays);
        }
        let (block, farmer) = pail;
        let ends = "SELECT outcome, at, ledger FROM harvests
             WHERE farmer_id = ?1 AND block_index = ?2 AND outcome <> 'failed'";
        let read = |row: &Row<'_>| Ok((row.get("outcome")?, row.get("at")?, row.get("ledger")?));
        let end: Option<(String, i64, Option<i64>)> = rows::first(conn, ends, params![farmer, block], read)?;
        if let Some((outcome, at, ledger)) = end {
            let sought = self.since.get(farmer).is_some_and(|since| ledger.is_none_or(|l| l >= *since));
            let goes = outcome != "lost" && at < before && !sought;
            return Ok(if goes { Retention::Goes } else { Retention::Stays });
        }
        let plants = "SELECT EXISTS (SELECT 1 FROM plantings
             WHERE farmer_id = ?1 AND block_index = ?2 AND outcome = 'planted')";
        let planted: bool = rows::one(conn, plants, params![farmer, block])?;
        Ok(if planted { Retention::Stays } else { Retention::Never })
    }
}

/// The block of a transaction on one pail, by the key of its operation.
pub(super) fn block_of_key(key: &str) -> Option<i64> {
    let mut parts = key.split(':');
    // Others are about several pails, or what lies below them.
    parts.next().filter(|kind| matches!(*kind, "plant" | "work" | "harvest"))?;
    parts.nth(2)?.parse().ok()
}

/// Whether a past sync of a pool is one that goes: all but the newest two, the last one and the rate before it.
pub(super) fn is_past(conn: &Connection, pool: i64, block: i64) -> Result<bool> {
    let sql = "SELECT coalesce(?2 < (SELECT max(s.block_number) FROM pool_snapshots s JOIN pools p ON p.id = s.pool_id
             WHERE s.pool_id = ?1 AND s.block_number < p.synced_block), 0)";
    rows::one(conn, sql, params![pool, block])
}

/// Walks over everything that may go.
pub(super) struct Selection<'a> {
    conn: &'a Connection,
    cut: &'a Cut,
    stop: &'a Stop,
    out: Out,
    verdicts: HashMap<(i64, String), Retention>,
    /// Harvests that go, by their rows and by their events.
    harvests: [u64; 2],
}

impl<'a> Selection<'a> {
    /// On one moment of the state.
    pub fn new(conn: &'a Connection, cut: &'a Cut, stop: &'a Stop) -> Result<Self> {
        Ok(Self { conn, cut, stop, out: Out::read(conn)?, verdicts: HashMap::new(), harvests: [0; 2] })
    }

    /// Hands every row that goes to `sink`.
    ///
    /// # Errors
    /// `state_corrupt` where harvests and their events do not agree; `interrupted`.
    pub fn walk(mut self, sink: &mut dyn Sink, progress: &mut dyn FnMut(u64)) -> Result<()> {
        self.farmed(sink, progress)?;
        self.operations(sink, progress)?;
        self.events(sink, progress)?;
        self.snapshots(sink)?;
        self.alerts(sink)?;
        let [rows, events] = self.harvests;
        if rows == events {
            return Ok(());
        }
        Err(Error::new(
            Code::StateCorrupt,
            format!("{rows} harvests are older than {}, and {events} events say so", self.cut.at),
        )
        .hint(say("nothing was pruned; run: ").run("state check")))
    }

    fn farmed(&mut self, sink: &mut dyn Sink, progress: &mut dyn FnMut(u64)) -> Result<()> {
        for (table, sql) in [
            (PLANTINGS, "SELECT * FROM plantings WHERE block_index < ?1 ORDER BY block_index, farmer_id"),
            (WORKS, "SELECT * FROM works WHERE block_index < ?1 ORDER BY block_index, farmer_id"),
            (HARVESTS, "SELECT * FROM harvests WHERE block_index < ?1 ORDER BY block_index, farmer_id"),
            (
                NONCES,
                "SELECT n.*, n.updated_at AS at FROM farmers f
                 CROSS JOIN nonces n ON n.farmer_id = f.id AND n.block_index < ?1",
            ),
        ] {
            let mut statement = self.conn.prepare(sql)?;
            let mut rows = rows::of(&mut statement, [self.cut.end_block])?;
            while let Some(row) = &rows.next()? {
                let (farmer, block, at): (String, i64, i64) =
                    (row.get("farmer_id")?, row.get("block_index")?, row.get("at")?);
                if self.verdict(&farmer, block)?.goes(at < self.cut.before) {
                    let harvested = table == HARVESTS && row.get::<_, String>("outcome")? != "failed";
                    self.harvests[0] += u64::from(harvested);
                    sink.take(table, row)?;
                    progress(1);
                }
            }
            self.stop.check()?;
        }
        Ok(())
    }

    fn verdict(&mut self, farmer: &str, block: i64) -> Result<Retention> {
        if block >= self.cut.end_block {
            return Ok(Retention::Stays);
        }
        let pail = (block, farmer.to_owned());
        if let Some(known) = self.verdicts.get(&pail) {
            return Ok(*known);
        }
        let verdict = self.out.judge(self.conn, &pail, self.cut.before)?;
        if self.verdicts.len() >= REMEMBERED {
            self.verdicts.clear();
        }
        self.verdicts.insert(pail, verdict);
        Ok(verdict)
    }

    fn operations(&mut self, sink: &mut dyn Sink, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let mut statement = self.conn.prepare(
            "SELECT *, json_extract(plan, '$.farmer') AS farmer, json_extract(plan, '$.block') AS block FROM operations
             WHERE id > 0 ORDER BY id",
        )?;
        let mut attempts =
            self.conn.prepare("SELECT * FROM operation_attempts WHERE operation_id = ?1 ORDER BY attempt")?;
        let mut rows = rows::of(&mut statement, [])?;
        while let Some(row) = &rows.next()? {
            let (id, kind, state): (i64, String, String) =
                (row.get("id")?, row.get("kind")?, row.get("state")?);
            let (planned, settled): (i64, Option<i64>) = (row.get("planned_at")?, row.get("settled_at")?);
            if planned >= self.cut.before {
                // They are planned in the order of their ids.
                break;
            }
            let ended = matches!(state.as_str(), "recorded" | "failed" | "expired");
            if !ended
                || settled.is_none_or(|settled| settled >= self.cut.before)
                || !TRANSACTIONS.contains(&kind.as_str())
            {
                continue;
            }
            let pail: (Option<String>, Option<i64>) = (row.get("farmer")?, row.get("block")?);
            let verdict = match pail {
                (Some(farmer), Some(block)) => self.verdict(&farmer, block)?,
                _ => Retention::Never,
            };
            if verdict.goes(verdict == Retention::Never && !self.is_wanted(id)?) {
                let mut found = rows::of(&mut attempts, [id])?;
                while let Some(attempt) = &found.next()? {
                    sink.take(ATTEMPTS, attempt)?;
                }
                sink.take(OPERATIONS, row)?;
                progress(1);
            }
        }
        self.stop.check()
    }

    /// Whether a row refers to an operation that stays because of its age.
    fn is_wanted(&self, operation: i64) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM plantings WHERE operation_id = ?1 AND at >= ?2)
             OR EXISTS (SELECT 1 FROM works WHERE operation_id = ?1 AND at >= ?2)
             OR EXISTS (SELECT 1 FROM harvests WHERE operation_id = ?1 AND at >= ?2)";
        rows::one(self.conn, sql, params![operation, self.cut.before])
    }

    fn events(&mut self, sink: &mut dyn Sink, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let end = Clock::Fixed(self.cut.before.saturating_add(CLOCKS_SEC)).rfc3339();
        let last: Option<i64> = self
            .conn
            .prepare("SELECT id FROM events WHERE at < ?1 ORDER BY at DESC, id DESC LIMIT 1")?
            .query_row([end], only)
            .optional()?;
        let mut statement = self.conn.prepare(
            "SELECT *, json_extract(payload, '$.block') AS block, json_extract(payload, '$.key') AS key FROM events
             WHERE id <= ?1 ORDER BY id",
        )?;
        let mut entries =
            self.conn.prepare("SELECT * FROM ledger_entries WHERE event_id = ?1 ORDER BY line")?;
        let mut rows = rows::of(&mut statement, [last.unwrap_or(0)])?;
        while let Some(row) = &rows.next()? {
            let (id, at, kind): (i64, String, String) = (row.get("id")?, row.get("at")?, row.get("kind")?);
            let is_it = |(_, kinds): &&(By, &str)| kinds.split(' ').any(|routine| routine == kind);
            let Some((by, _)) = ROUTINE.iter().find(is_it) else { continue };
            let old = at < self.cut.at;
            let pail = match by {
                By::Age => None,
                By::Pail => row.get::<_, Option<i64>>("block")?,
                By::Transaction => {
                    let key: Option<String> = row.get("key")?;
                    let key = key.as_deref().unwrap_or_default();
                    let kind = key.split(':').next().filter(|kind| old && TRANSACTIONS.contains(kind));
                    if kind.is_none() {
                        continue;
                    }
                    block_of_key(key)
                }
            };
            let goes = match pail {
                None => old,
                Some(block) => self.verdict(&row.get::<_, String>("subject")?, block)?.goes(old),
            };
            if !goes {
                continue;
            }
            self.harvests[1] += u64::from(is_harvest(&kind));
            sink.take(EVENTS, row)?;
            let mut lines = rows::of(&mut entries, [id])?;
            while let Some(line) = &lines.next()? {
                sink.take(ENTRIES, line)?;
            }
            progress(1);
            if id % 65_536 == 0 {
                self.stop.check()?;
            }
        }
        self.stop.check()
    }

    /// All but the newest two of each pool: the last one, and the rate before it.
    fn snapshots(&self, sink: &mut dyn Sink) -> Result<()> {
        let mut pools = self.conn.prepare("SELECT id, synced_block FROM pools")?;
        let mut statement = self.conn.prepare(
            "SELECT * FROM pool_snapshots WHERE pool_id = ?1 AND block_number <
                 (SELECT max(block_number) FROM pool_snapshots WHERE pool_id = ?1 AND block_number < ?2)
             ORDER BY block_number",
        )?;
        let mut pools = rows::of(&mut pools, [])?;
        while let Some(pool) = &pools.next()? {
            let (id, synced): (i64, Option<i64>) = (pool.get("id")?, pool.get("synced_block")?);
            let mut rows = rows::of(&mut statement, params![id, synced.unwrap_or(0)])?;
            while let Some(row) = &rows.next()? {
                if row.get::<_, i64>("synced_at")? >= self.cut.before {
                    break;
                }
                sink.take(SNAPSHOTS, row)?;
            }
        }
        Ok(())
    }

    fn alerts(&self, sink: &mut dyn Sink) -> Result<()> {
        for (table, sql) in [
            (ORACLE_ALERTS, "SELECT * FROM oracle_alerts WHERE id > 0 ORDER BY id"),
            (VIOLATIONS, "SELECT * FROM risk_violations WHERE id > 0 ORDER BY id"),
            (FARM_ALERTS, "SELECT * FROM farm_alerts WHERE id > 0 ORDER BY id"),
        ] {
            let mut statement = self.conn.prepare(sql)?;
            let mut rows = rows::of(&mut statement, [])?;
            while let Some(row) = &rows.next()? {
                let (first_seen, closed): (i64, Option<i64>) =
                    (row.get("first_seen")?, row.get("closed_at")?);
                if first_seen >= self.cut.before {
                    break;
                }
                if closed.is_some_and(|closed| closed < self.cut.before) {
                    sink.take(table, row)?;
                }
            }
        }
        Ok(())
    }
}

/// Whether an event of this kind stands for a harvest that is booked.
pub(super) fn is_harvest(kind: &str) -> bool {
    matches!(kind, "harvest.harvested" | "harvest.harvested_elsewhere")
}
