//! `--quiet`: what goes to stdout is kept until it is known how the run ends. It is shown unless all went well.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Most pieces that are kept, and most bytes of them.
const MOST: (usize, usize) = (1_000, 4 << 20);

/// What is kept; none where everything is shown at once.
static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

/// The newest pieces, in their order.
#[derive(Debug, Default)]
struct Kept {
    pieces: VecDeque<String>,
    bytes: usize,
    /// Lines that are not kept any more.
    dropped: usize,
}

impl Kept {
    fn add(&mut self, piece: &str) {
        self.pieces.push_back(piece.to_owned());
        self.bytes += piece.len();
        // The last one stays, whatever its size.
        while self.pieces.len() > MOST.0 || self.bytes > MOST.1 && self.pieces.len() > 1 {
            let Some(oldest) = self.pieces.pop_front() else { return };
            self.bytes -= oldest.len();
            self.dropped += oldest.lines().count();
        }
    }

    fn text(self) -> String {
        let head = match self.dropped {
            0 => String::new(),
            some => format!("({} before this not shown)\n", base::counted(some, "line")),
        };
        self.pieces.into_iter().fold(head, |text, piece| text + &piece)
    }
}

/// Keeps what is written from now on.
pub fn begin() {
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Kept::default());
}

/// Keeps a piece; false where it is to be shown.
pub fn keep(piece: &str) -> bool {
    match &mut *KEPT.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(kept) => {
            kept.add(piece);
            true
        }
        None => false,
    }
}

/// What was kept, which is to be shown now, as is everything from now on.
pub fn end() -> String {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner).take();
    kept.map(Kept::text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_pieces_are_kept_and_the_rest_is_counted() {
        let mut kept = Kept::default();
        for n in 0..MOST.0 + 2 {
            kept.add(&format!("{n}\n"));
        }
        assert_eq!((kept.pieces.len(), kept.dropped), (MOST.0, 2));
        let text = kept.text();
        assert!(text.starts_with("(2 lines before this not shown)\n2\n3\n") && text.ends_with("\n1001\n"));
        let mut kept = Kept::default();
        for _ in 0..3 {
            kept.add(&"x".repeat(MOST.1 / 2));
        }
        assert_eq!((kept.pieces.len(), kept.dropped), (2, 1));
        kept.add(&"y".repeat(MOST.1 * 2));
        assert_eq!((kept.pieces.len(), kept.dropped), (1, 3), "the last one stays");
        assert_eq!(Kept::default().text(), "");
    }
}
