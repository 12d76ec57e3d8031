//! What the sweep has found and is not mended yet. It should be empty.

/// The beginning of a command, and words of what is wrong with it.
pub const KNOWN: &[(&str, &str)] = &[
    // Drafts of a new state are not removed by later runs.
    ("init", "left over: .local/share/poolctl/.sandbox.sqlite."),
    // Killed between the link and the removal of the draft; later runs have no reason to look for it.
    ("init", "left over: .config/poolctl/.config.toml."),
    // Drafts of copies are not removed by later runs.
    ("state migrate", ".partial"),
    ("state backup", ".partial"),
    ("state restore", ".partial"),
    // That the state cannot be looked at is taken for its absence: it is replaced, and no copy of it is kept.
    ("state restore", "\"kept\":null"),
    // Killed in the first switch to WAL, a state is locked for good.
    ("", "attempt to write a readonly database"),
];
