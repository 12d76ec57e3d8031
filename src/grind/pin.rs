//! Threads that hash, kept on cores of their own.

/// Runs `work` on so many threads, and `watch` on this one meanwhile. If `pinned`, each thread stays on a core of its own,
/// where this process has as many cores as there are threads and the system tells.
pub(super) fn threads(count: usize, pinned: bool, work: impl Fn() + Sync, watch: impl FnOnce()) {
    let cores = if pinned { allowed() } else { Vec::new() };
    // With fewer threads than cores the scheduler knows better which are free; with more, it must share them out.
    let cores = if cores.len() == count { cores } else { Vec::new() };
    std::thread::scope(|scope| {
        for thread in 0..count {
            let (core, work) = (cores.get(thread).copied(), &work);
            scope.spawn(move || {
                pin(core);
                work();
            });
        }
        watch();
    });
}

/// The cores of this process, by their numbers in the system.
#[cfg(target_os = "linux")]
fn allowed() -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    match sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect(),
        Err(_) => Vec::new(),
    }
}

/// Binds the current thread. It is no loss if that fails: the thread then runs where the scheduler puts it.
#[cfg(target_os = "linux")]
fn pin(core: Option<usize>) {
    use rustix::thread::{CpuSet, sched_setaffinity};
    if let Some(core) = core {
        let mut set = CpuSet::new();
        set.set(core);
        let _ = sched_setaffinity(None, &set);
    }
}

#[cfg(not(target_os = "linux"))]
fn allowed() -> Vec<usize> {
    Vec::new()
}

#[cfg(not(target_os = "linux"))]
fn pin(_core: Option<usize>) {}
