//! Keeps secrets in memory from files that outlive the process: core dumps, and the swap space.

use rustix::process::{Resource, Rlimit, setrlimit};

/// No core dump of this process is written, whatever it dies of. Where the system refuses that, it is only logged.
pub fn no_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(e) = setrlimit(Resource::Core, none) {
        tracing::debug!("core dumps cannot be turned off: {e}");
    }
}

/// From now on no other process of the same user reads the memory of this one or attaches to it, and the kernel writes no
/// dump of it, not even to a handler that ignores the limit. Linux only.
pub fn conceal() {
    #[cfg(target_os = "linux")]
    if let Err(e) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::debug!("the process cannot be concealed: {e}");
    }
}

/// Keeps the memory of these values out of the swap space, until the process ends. Where the system allows no more locked
/// memory (`ulimit -l`, `LimitMEMLOCK=`), it is only logged.
#[allow(unsafe_code, reason = "mlock takes a raw range")]
pub(super) fn lock<T>(values: &[T]) {
    if values.is_empty() {
        return;
    }
    let (start, length) = (values.as_ptr().cast_mut().cast(), size_of_val(values));
    // SAFETY: the range is the memory of a borrowed slice. Locking reads and changes none of it, and stays harmless after
    // it is freed.
    if let Err(e) = unsafe { rustix::mm::mlock(start, length) } {
        tracing::debug!("{length} bytes of keys cannot be locked in memory: {e}");
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// What `/proc/self/status` says of a field.
    fn status(field: &str) -> u64 {
        let text = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = text.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn values_are_locked_where_that_is_allowed() {
        let values = vec![[7_u8; 64]; 1000];
        let before = status("VmLck:");
        lock(&values);
        let limit = rustix::process::getrlimit(Resource::Memlock).current;
        if limit.is_none_or(|limit| limit >= 1 << 20) {
            assert!(status("VmLck:") >= before + 60, "{} kB", status("VmLck:"));
        }
        lock::<u8>(&[]);
    }
}
