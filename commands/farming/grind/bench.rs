//! `grind --bench`: rates on this machine, against a scalar reference in the same run.

use super::{settings, shown_rate};
use crate::shell::prelude::*;
use base::amount::Base;
use grind::bench::{Row, bench};
use grind::kernel::checked;
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
pub fn run(session: &Session, threads: NonZeroUsize, seconds: Option<u32>) -> Result<Outcome> {
    let time = Duration::from_secs(seconds.unwrap_or(DEFAULT_SECONDS).into());
    let flag = session.call.stop.flag();
    let progress = session.console.progress();
    progress.begin("measuring", None);
    let rows = bench(time, &settings(checked(None, 0, 0).0, threads, &flag));
    progress.end();
    let rows = rows.map_err(|e| Error::new(Code::Bug, e.to_string()))?;
    let reference = rows.first().map_or(0, |row| whole(row.median())).max(1);
    let row = |row: &Row| BenchRow {
        kernel: row.kernel,
        lanes: row.lanes,
        threads: row.threads,
        median: whole(row.median()),
        best: whole(row.best()),
        ratio_percent: whole(row.median()).saturating_mul(100) / reference,
    };
    let output = BenchOutput { rows: rows.iter().map(row).collect() };
    let stopped = session.call.stop.wanted();
    let stopped = stopped.then(|| Error::new(Code::Interrupted, "interrupted; fewer rounds were done"));
    Ok(Outcome::of(output).but(stopped))
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
        let most = self.rows.iter().map(|row| row.median).max().unwrap_or_default();
        let heads = ["KERNEL", ">LANES", ">THREADS", ">MEDIAN", ">BEST", ">RATIO", "RATE"];
        page.rows(heads, &self.rows, |row| {
            let (median, best) = (shown_rate(row.median), shown_rate(row.best));
            let ratio = format!("{}.{:02}", row.ratio_percent / 100, row.ratio_percent % 100);
            let bar = spark::bar(Base::from(row.median), Base::from(most), WIDTH);
            cells![row.kernel, row.lanes, row.threads, median, best, ratio, bar]
        });
        page.line("ratio: times tiny-keccak on one thread, in the same run");
    }
}
