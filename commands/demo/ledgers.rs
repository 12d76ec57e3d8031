//! Ledgers of the demo's Stellar network, which close while its commands wait for them.

use super::stage::End;
use crate::sandbox::broken;
use base::{Code, Error};
use poolctl_sandbox::stellar::Stellar;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

/// How often it is looked whether a transaction waits.
const LOOK: Duration = Duration::from_millis(10);
/// A ledger closes at least so often, as it would on a public network; some five times faster.
const IDLE: Duration = Duration::from_secs(1);
/// Calls of contracts need more than a thread's usual stack.
const STACK: usize = 16 << 20;

/// Runs `body` while ledgers close: as soon as transactions wait and no more come, and now and then without.
pub fn closing<T>(stellar: &Stellar, body: impl FnOnce() -> Result<T, End>) -> Result<T, End> {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        // However `body` ends, the thread does too.
        let ending = Ending(&ended);
        let closer = Builder::new()
            .name("demo-ledgers".into())
            .stack_size(STACK)
            .spawn_scoped(scope, || close(stellar, &ended))
            .map_err(|e| Error::new(Code::Io, format!("cannot start a thread: {e}")))?;
        let result = body();
        drop(ending);
        match closer.join() {
            Ok(Ok(())) => result,
            Ok(Err(e)) => Err(broken(&e).into()),
            Err(_) => Err(broken(&"no ledger closes any more").into()),
        }
    })
}

struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn close(stellar: &Stellar, ended: &AtomicBool) -> poolctl_sandbox::Result<()> {
    let (mut before, mut closed) = (0, Instant::now());
    while !ended.load(Ordering::Relaxed) {
        let waiting = stellar.waiting();
        if (waiting > 0 && waiting == before) || closed.elapsed() >= IDLE {
            stellar.advance(1)?;
            closed = Instant::now();
        }
        before = waiting;
        thread::sleep(LOOK);
    }
    Ok(())
}
