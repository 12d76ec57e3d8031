//! Logs on stderr, from poolctl's own code only: those of the HTTP stack may show endpoint keys.

use crate::shell::console::Console;
use crate::shell::progress;
use std::io::{self, Write};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging at a `log.level`; a second call changes nothing.
pub fn start(level: &str, console: &Console) {
    let level: LevelFilter = level.parse().unwrap_or(LevelFilter::INFO);
    if level == LevelFilter::OFF {
        return;
    }
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| AroundTheBar)
        .with_ansi(console.err.color)
        .with_target(level >= LevelFilter::DEBUG);
    let own = Targets::new().with_target("poolctl", level);
    let _ = tracing_subscriber::registry().with(own).with(lines).try_init();
}

struct AroundTheBar;

impl Write for AroundTheBar {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        progress::suspend(|| io::stderr().lock().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
