//! How soon poolctl answers where people wait at a prompt: `cargo bench --bench start`.
//!
//! The release binary runs as a whole process, each question in turn with `true`, which does nothing: what is above that
//! is poolctl's own. A limit that does not hold fails the bench.
#![allow(clippy::print_stderr, reason = "a bench says what it found")]

#[path = "support/measure.rs"]
mod measure;

use anyhow::{Result, ensure};
use measure::{Table, interleaved, median, quiet, spread};
use std::path::Path;
use std::process::{Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_poolctl");
/// An answer may take so many times as long as `true`, from the start of the process to its end.
const RATIO: f64 = 8.0;
const RUNS: usize = 201;

/// What is asked, each as words after `poolctl`. Names come from the state, which is opened for them.
const QUESTIONS: [(&str, &str); 6] = [
    ("poolctl --version", "--version"),
    ("poolctl --help", "--help"),
    ("poolctl pool list --help", "pool list --help"),
    ("completion of a command", "__complete 1 poolctl poo"),
    ("completion of a pooler's name, of 1,000", "__complete 4 poolctl farmer register --pooler pooler-99"),
    ("completion of a setting", "__complete 3 poolctl config set oracle."),
];

fn main() -> Result<()> {
    // `cargo test --benches` only wants to see that it starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return Ok(());
    }
    let home = tempfile::tempdir()?;
    let run = |line: &str| {
        let mut command = Command::new(BINARY);
        command.args(line.split_whitespace()).env_clear().env("HOME", home.path()).stdin(Stdio::null());
        command
    };
    quiet(&mut run("init"))?;
    fill(&home.path().join(".local/share/poolctl/sandbox.sqlite"))?;
    let answer = String::from_utf8(run(QUESTIONS[4].1).output()?.stdout)?;
    ensure!(answer.lines().count() == 11, "{answer}");

    let mut table = Table::default();
    for (what, line) in QUESTIONS {
        let (ours, nothing) =
            interleaved(RUNS, || quiet(&mut run(line)), || quiet(Command::new("true").env_clear()))?;
        table.note(format!("{what}: wall"), spread(&ours));
        table.note("true: wall".to_owned(), spread(&nothing));
        table.ratio(format!("{what} / true, of the medians"), median(&ours), median(&nothing), RATIO);
    }
    eprintln!("\n{table}");
    table.verdict()
}

/// A thousand poolers.
fn fill(state: &Path) -> Result<()> {
    let conn = rusqlite::Connection::open(state)?;
    conn.execute_batch(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
         INSERT INTO poolers SELECT 'id-' || i, 'pooler-' || i, 1, 0, 0, 1, NULL FROM n;",
    )?;
    Ok(())
}
