//! The exit codes of the command-line contract.

use strum::VariantArray;

/// How a run of `poolctl` ended, as its caller sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, VariantArray)]
#[repr(u8)]
pub enum Exit {
    /// Done; also "nothing to do" and "already done".
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage or bad input.
    Usage = 2,
    /// Some items failed; each is named in the output.
    Partial = 3,
    /// A guard said no, or `--yes` is missing.
    Refused = 4,
    /// A check found something.
    Found = 5,
    /// The state is locked by another run.
    Locked = 11,
    /// The key store could not be unlocked.
    KeyStore = 12,
    /// Endpoints unreachable or rate limited; try again.
    Transient = 75,
    /// A transaction was sent and not yet seen.
    Unknown = 76,
}

impl Exit {
    /// Every exit code there is.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The process exit status.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether the run did all that it was there for: also where it is a check that found something.
    pub const fn is_complete(self) -> bool {
        matches!(self, Self::Done | Self::Found)
    }
}
