//! Watches over a process that tries a target: what ends it from within, or never ends, is told from outside.

use anyhow::{Context as _, Result};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// How a process ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself: whether it found nothing, and what it said.
    Said(bool, String),
    /// Within this input: by a signal, or it went no further for too long.
    Within(Vec<u8>, String),
}

/// Waits for a process that writes each input to `current` before it reads it, and says one line at its end.
///
/// # Errors
/// Where the process cannot be waited for, or what it was at cannot be read.
pub fn guard(child: &mut Child, current: &Path, stuck: Duration) -> Result<Ended> {
    let at = || fs::metadata(current).and_then(|file| file.modified()).ok();
    let (mut last, mut since) = (at(), Instant::now());
    let status: ExitStatus = loop {
        if let Some(status) = child.try_wait().context("cannot wait for the trial")? {
            break status;
        }
        let now = at();
        if now != last {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() > stuck {
            child.kill().context("cannot end the trial")?;
            child.wait().context("cannot wait for the trial")?;
            return Ok(Ended::Within(
                input(current)?,
                format!("it does not end within {} s", stuck.as_secs()),
            ));
        }
        thread::sleep(Duration::from_millis(50));
    };
    match status.code() {
        Some(code) => {
            let mut said = String::new();
            child.stdout.take().context("no standard output")?.read_to_string(&mut said)?;
            Ok(Ended::Said(code == 0, said.trim_end().to_owned()))
        }
        None => Ok(Ended::Within(input(current)?, format!("it ends the process: {status}"))),
    }
}

fn input(current: &Path) -> Result<Vec<u8>> {
    fs::read(current).with_context(|| format!("cannot read {}", current.display()))
}
