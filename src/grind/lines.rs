//! The lines of a file or pipe from outside, each of a bounded length. A bad one is an error of its own; the next is read.

use std::io::{self, BufRead, Read as _};

/// Without an end of line within so many bytes, no more is read.
const ENDLESS: usize = 64 << 20;

/// Why a line cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It cannot be held.
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
    /// It is no text.
    #[error("the line is not UTF-8")]
    NotText,
    /// It does not end; nothing follows.
    #[error("the line does not end within {} MiB", ENDLESS >> 20)]
    Endless,
    /// It could not be read; nothing follows.
    #[error("cannot read the line: {0}")]
    Read(#[from] io::Error),
}

impl LineError {
    /// Whether no line follows.
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::Endless | Self::Read(_))
    }
}

/// A line as it was read.
pub type Text = Result<String, LineError>;

/// Lines without their ends.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    longest: usize,
    over: bool,
}

impl<R: BufRead> Lines<R> {
    /// Lines of at most `longest` bytes.
    pub const fn new(reader: R, longest: usize) -> Self {
        Self { reader, longest, over: false }
    }

    fn read(&mut self) -> Result<Option<String>, LineError> {
        let mut line = Vec::new();
        // Room for `\r\n`, which is not of the line.
        let most = self.longest.saturating_add(2);
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        if self.reader.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() == most {
            self.skip()?;
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.len() > self.longest {
            return Err(LineError::TooLong(self.longest));
        }
        String::from_utf8(line).map(Some).map_err(|_| LineError::NotText)
    }

    /// Passes over the rest of a line without keeping it.
    fn skip(&mut self) -> Result<(), LineError> {
        let mut skipped = 0_usize;
        loop {
            let buffer = self.reader.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(buffer.len(), |end| end + 1);
            let last = buffer.is_empty() || end.is_some();
            self.reader.consume(used);
            skipped = skipped.saturating_add(used);
            if last {
                return Ok(());
            }
            if skipped > ENDLESS {
                return Err(LineError::Endless);
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Text;

    fn next(&mut self) -> Option<Text> {
        if self.over {
            return None;
        }
        let read = self.read().transpose();
        self.over = read.as_ref().is_none_or(|line| line.as_ref().is_err_and(LineError::is_last));
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    /// Each line, or the beginning of its error; through a buffer of three bytes, so that lines span several.
    fn read(bytes: &[u8]) -> Vec<String> {
        let lines = Lines::new(BufReader::with_capacity(3, bytes), 5);
        lines.map(|line| line.unwrap_or_else(|e| format!("E {e}"))).collect()
    }

    #[test]
    fn lines_come_one_by_one_and_bad_ones_alone() {
        for (bytes, want) in [
            (&b""[..], vec![]),
            (b"a\nb", vec!["a", "b"]),
            (b"a\r\n\r\nb\n", vec!["a", "", "b"]),
            (
                b"12345\n12345\r\n123456\nb\n",
                vec!["12345", "12345", "E the line is longer than 5 bytes", "b"],
            ),
            (b"1234567890123456\nb", vec!["E the line is longer than 5 bytes", "b"]),
            (b"12345678", vec!["E the line is longer than 5 bytes"]),
            (b"1234567", vec!["E the line is longer than 5 bytes"]),
            (b"12345", vec!["12345"]),
            (b"a\n\xff\xfe\nb\n", vec!["a", "E the line is not UTF-8", "b"]),
        ] {
            assert_eq!(read(bytes), want, "{bytes:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let mut lines = Lines::new(BufReader::new(io::repeat(b'x')), 5);
        assert!(matches!(lines.next(), Some(Err(LineError::Endless))));
        assert!(lines.next().is_none());
    }

    #[test]
    fn what_cannot_be_read_is_the_last() {
        struct Broken;
        impl io::Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let mut lines = Lines::new(BufReader::new(Broken), 5);
        assert!(matches!(lines.next(), Some(Err(LineError::Read(_)))));
        assert!(lines.next().is_none());
    }
}
