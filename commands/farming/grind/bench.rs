//! `grind --bench`: rates on this machine, against a scalar reference in the same run.

use super::{settings, shown_rate};
use crate::output::{Outcome, Page, Present, Table};
use crate::shell::session::Session;
use base::amount::Base;
use base::{Code, Error, Result};
use grind::bench::{Row, bench};
use grind::kernel::checked;
use schemars::JsonSchema;
use serde::Serialize;
use std::num::NonZeroUsize;
use std::time::Duration;
use watch::spark;

const DEFAULT_SECONDS: u32 = 10;

/// Rates of every kernel and number of threads.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BenchOutput {
    /// The first row is the reference.
    pub rows: Vec<BenchRow>,
}

/// One kernel with one number of threads.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BenchRow {
    /// Its name.
    pub kernel: &'static str,
    /// Hashes at once.
    pub lanes: usize,
    /// Threads.
    pub threads: usize,
    /// Hashes a second: the middle of the rounds.
    pub median: u64,
    /// Hashes a second: the fastest round.
    pub best: u64,
    /// Times the reference, in hundredths, by medians.
    pub ratio_percent: u64,
}

/// Measures for about `seconds`.
///
/// # Errors
/// `interrupted`, with the rounds that were done.
pub fn run(session: &Session, threads: NonZeroUsize, seconds: Option<u32>) -> Result<Outcome> {
    let time = Duration::from_secs(seconds.unwrap_or(DEFAULT_SECONDS).into());
    let flag = session.call.stop.flag();
    let progress = session.console.progress();
    progress.begin("measuring", None);
    let rows = bench(time, &settings(checked(None, 0, 0).0, threads, &flag));
    progress.end();
    let rows = rows.map_err(|e| Error::new(Code::Bug, e.to_string()))?;
    let reference = rows.first().map_or(0, |row| whole(row.median())).max(1);
    let rows = rows.iter().map(|row| BenchRow::of(row, reference)).collect();
    let stopped = session
        .call
        .stop
        .wanted()
        .then(|| Error::new(Code::Interrupted, "interrupted; fewer rounds were done"));
    Ok(Outcome::of(&BenchOutput { rows })?.but(stopped))
}

impl BenchRow {
    fn of(row: &Row, reference: u64) -> Self {
        let median = whole(row.median());
        Self {
            kernel: row.kernel,
            lanes: row.lanes,
            threads: row.threads,
            median,
            best: whole(row.best()),
            ratio_percent: median.saturating_mul(100) / reference,
        }
    }
}

/// A rate without its fraction.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is not negative and far below 2^63"
)]
fn whole(rate: f64) -> u64 {
    rate as u64
}

impl Present for BenchOutput {
    fn present(&self, page: &mut Page) {
        const WIDTH: u32 = 40;
        let mut table = Table::new(&["KERNEL", ">LANES", ">THREADS", ">MEDIAN", ">BEST", ">RATIO", "RATE"]);
        let most = self.rows.iter().map(|row| row.median).max().unwrap_or_default();
        for row in &self.rows {
            table.row([
                row.kernel.to_owned(),
                row.lanes.to_string(),
                row.threads.to_string(),
                shown_rate(row.median),
                shown_rate(row.best),
                format!("{}.{:02}", row.ratio_percent / 100, row.ratio_percent % 100),
                spark::bar(Base::from(row.median), Base::from(most), WIDTH),
            ]);
        }
        page.table(table);
        page.line("ratio: times tiny-keccak on one thread, in the same run");
    }
}
