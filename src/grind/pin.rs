//! Keeping threads on cores of their own.

/// A core by its number in the system.
pub(super) type Core = usize;

/// As many cores of this process' as there are threads; none if there are fewer, or the system does not tell.
pub(super) fn cores(threads: usize) -> Vec<Core> {
    let cores = allowed();
    // With fewer threads than cores the scheduler knows better which are free; with more, it must share them out.
    if cores.len() == threads { cores } else { Vec::new() }
}

#[cfg(target_os = "linux")]
fn allowed() -> Vec<Core> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    match sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect(),
        Err(_) => Vec::new(),
    }
}

/// Binds the current thread. It is no loss if that fails: the thread then runs where the scheduler puts it.
#[cfg(target_os = "linux")]
pub(super) fn pin(core: Option<Core>) {
    use rustix::thread::{CpuSet, sched_setaffinity};
    if let Some(core) = core {
        let mut set = CpuSet::new();
        set.set(core);
        let _ = sched_setaffinity(None, &set);
    }
}

#[cfg(not(target_os = "linux"))]
fn allowed() -> Vec<Core> {
    Vec::new()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn pin(_core: Option<Core>) {}
