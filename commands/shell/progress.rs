//! The progress bar: one at a time, on stderr, cleared before anything else is said.

use base::Progress;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The bar on show; logs step aside for it.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

const KNOWN: &str = "{msg} [{bar:30}] {human_pos}/{human_len}  {rate}  {eta} left  {prefix}";
const UNKNOWN: &str = "{spinner} {msg} {human_pos}  {rate}  {elapsed}  {prefix}";

/// Shows progress with rate and time left.
#[derive(Debug, Default)]
pub struct Bar;

fn replace(bar: Option<ProgressBar>) {
    let old = std::mem::replace(&mut *SHOWN.lock().unwrap_or_else(PoisonError::into_inner), bar);
    if let Some(old) = old {
        old.finish_and_clear();
    }
}

fn shown() -> Option<ProgressBar> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Whole steps a second.
fn rate(state: &ProgressState, out: &mut dyn Write) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a pace for the eye; the cast saturates"
    )]
    let per_second = state.per_sec() as u64;
    // A bar that cannot be written to is not worth failing for.
    let _ = write!(out, "{}/s", HumanCount(per_second));
}

impl Progress for Bar {
    fn begin(&self, what: &str, total: Option<u64>) {
        let template = if total.is_some() { KNOWN } else { UNKNOWN };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr())
            .with_style(style.progress_chars("=> ").with_key("rate", rate))
            .with_message(what.to_owned())
            .with_finish(ProgressFinish::AndClear);
        bar.enable_steady_tick(Duration::from_millis(200));
        replace(Some(bar));
    }

    fn advance(&self, steps: u64) {
        if let Some(bar) = shown() {
            bar.inc(steps);
        }
    }

    fn note(&self, text: &str) {
        if let Some(bar) = shown() {
            bar.set_prefix(text.to_owned());
        }
    }

    fn end(&self) {
        replace(None);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        replace(None);
    }
}

/// Runs `body`, which writes to stderr, with the bar out of the way.
pub fn suspend<T>(body: impl FnOnce() -> T) -> T {
    match shown() {
        Some(bar) => bar.suspend(body),
        None => body(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for template in [KNOWN, UNKNOWN] {
            ProgressStyle::with_template(template).unwrap();
        }
    }
}
