//! Words that go with a number.

use std::fmt::Display;

/// A number with its noun: `1 difference`, `2 differences`.
pub fn counted(n: impl Display, noun: &str) -> String {
    let n = n.to_string();
    match (n.as_str(), noun) {
        ("1", _) => format!("1 {noun}"),
        (_, "hash") => format!("{n} hashes"),
        _ => format!("{n} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        assert_eq!(counted(1, "difference"), "1 difference");
        assert_eq!([counted(0, "zero"), counted(11, "zero")], ["0 zeros", "11 zeros"]);
        assert_eq!([counted(1, "hash"), counted(2, "hash")], ["1 hash", "2 hashes"]);
    }
}
