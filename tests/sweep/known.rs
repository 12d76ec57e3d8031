//! What the sweep has found and is not fixed yet. It should be empty.

/// The beginning of a command, and words of what is wrong with it.
pub const KNOWN: &[(&str, &str)] = &[];
