//! `poolctl work submit`: nonces that other machines found.

use crate::shell::options::parallel;
use crate::shell::prelude::*;
use app::farming::work::{SubmitOutput, submit};
use grind::lines::{LineError, Lines, Text};
use kale::work::LONGEST;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Lines of one submission at most.
const MOST_LINES: usize = 100_000;

/// Submit nonces from other machines: NDJSON lines {farmer, nonce}, or what grind --jobs answers
///
/// Each line is checked before anything is sent: the nonce is a whole number of 64 bits, its hash is computed here, the
/// farmer has a pail in the current block, and the zeros are more than what is submitted. Every line gets its result; the
/// valid ones go through.
#[derive(Debug, Args)]
#[command(
    before_help = "Example: poolctl work submit solutions.ndjson\n         poolctl grind --jobs jobs.ndjson | poolctl work submit -"
)]
pub struct Submit {
    /// NDJSON: {"farmer": id or address, "nonce": …}; - = stdin
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Transactions under way at once; default: kale.parallel
    #[arg(long, value_name = "N", value_parser = parallel)]
    parallel: Option<usize>,
    #[command(flatten)]
    dry: DryRun,
}

impl Submit {
    pub(super) fn run(self, session: &Session) -> Result<Outcome> {
        let lines = read(&self.file)?;
        let app = App::open(session)?;
        Ok(Outcome::document(submit(&app, &lines, self.parallel, self.dry.dry_run)?))
    }
}

/// Reads every line, each and all of a bounded length. One that is no line of text is refused alone.
fn read(path: &Path) -> Result<Vec<Text>> {
    let named = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
    let trouble = |e: &dyn std::fmt::Display| Error::new(Code::Io, format!("cannot read {named}: {e}"));
    let reader: Box<dyn BufRead> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(path).map_err(|e| trouble(&e))?))
    };
    let mut lines = Vec::new();
    for line in Lines::new(reader, LONGEST) {
        if let Err(LineError::Read(e)) = &line {
            return Err(trouble(e));
        }
        lines.push(line);
        if lines.len() > MOST_LINES {
            return Err(Error::new(Code::InvalidValue, format!("{named} has more than {MOST_LINES} lines"))
                .hint("submit it in parts"));
        }
    }
    Ok(lines)
}

impl Present for SubmitOutput {
    fn present(&self, page: &mut Page) {
        if self.lines.is_empty() {
            page.line("no lines");
        }
        page.rows([">LINE", "FARMER", "STATUS", ">ZEROS", ">GAP", "WHY"], &self.lines, |line| {
            let (zeros, gap) = line.work.as_ref().map(|work| (work.zeros, work.gap)).unwrap_or_default();
            cells![line.line, line.farmer, line.status.replace('_', " "), zeros, gap, line.message]
        });
        let queued = if self.queued > 0 { format!(", {} queued", self.queued) } else { String::new() };
        page.line(format!(
            "block {}: {} submitted{queued}, {} refused",
            self.block, self.submitted, self.refused
        ));
        page.line(&self.view);
    }
}
