//! The one renderer: turns a report into the text for stdout and the text for stderr. It writes nothing itself.

use super::page::{Page, Piece, Table};
use super::{Ended, words};
use base::redact::plain;
use base::{Code, Error, Result};
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Width, presets};
use std::fmt::Write;

/// What the terminal, or the pipe, can take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// ANSI colours.
    pub color: bool,
    /// Columns of a terminal; `None` = a pipe, where nothing is ever cut or wrapped.
    pub width: Option<u16>,
}

/// Places between two columns.
const GAP: u16 = 2;

/// Characters from which on a word is taken for an id.
const ID: usize = 36;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "1;31";
const YELLOW: &str = "1;33";
const CYAN: &str = "36";

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// The JSON document with its newline: one line in a pipe, indented on a terminal.
pub fn json(report: &Ended, terminal: bool) -> Result<String> {
    // A stream is one document a line, on a terminal too.
    let text = if terminal && !report.outcome.streamed {
        serde_json::to_value(report).and_then(|report| serde_json::to_string_pretty(&report))
    } else {
        serde_json::to_string(report)
    };
    text.map(|text| text + "\n")
        .map_err(|e| Error::new(Code::Bug, format!("the result cannot be written as JSON: {e}")))
}

/// What a person sees on stdout.
pub fn page(page: &Page, style: Style) -> String {
    let mut text = String::new();
    for piece in &page.pieces {
        match piece {
            Piece::Line(line) => {
                for line in line.lines().chain(line.is_empty().then_some("")) {
                    text.push_str(&plain(line));
                    text.push('\n');
                }
            }
            Piece::Table(rows) => table(&mut text, rows, style),
            Piece::Pairs(pairs) => {
                let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
                for (name, value) in pairs {
                    let name = style.paint(DIM, &format!("{:<width$}", plain(name)));
                    let value = if value.is_empty() { "–" } else { value };
                    let _ = writeln!(text, "{name}  {}", plain(value));
                }
            }
        }
    }
    text
}

/// The lines that a terminal of this size shows with one to spare, and how many it does not.
pub fn top(text: &str, columns: u16, rows: u16) -> (&str, usize) {
    let (columns, rows) = (usize::from(columns.max(1)), usize::from(rows.max(2)) - 1);
    let (mut taken, mut end) = (0, 0);
    for (at, line) in text.split_inclusive('\n').enumerate() {
        taken += shown_width(line.trim_end_matches('\n')).div_ceil(columns).max(1);
        if taken > rows {
            return (text.get(..end).unwrap_or_default(), text.lines().count() - at);
        }
        end += line.len();
    }
    (text, 0)
}

/// How many characters of a line are seen: all but those that color it.
fn shown_width(line: &str) -> usize {
    let mut colors = false;
    let is_seen = |c: &char| {
        let seen = !colors && *c != '\u{1b}';
        colors = if colors { *c != 'm' } else { *c == '\u{1b}' };
        seen
    };
    line.chars().filter(is_seen).count()
}

/// What a person sees on stderr: that nothing was written, warnings, and why it failed.
pub fn notices(report: &Ended, style: Style) -> String {
    let mut text = String::new();
    if report.dry_run {
        let _ = writeln!(text, "{}", style.paint(CYAN, "dry run: nothing was written"));
    }
    for warning in &report.outcome.warnings {
        text.push_str(&self::warning(warning, style));
    }
    if let Some(e) = &report.outcome.failure {
        text.push_str(&error(e, style));
    }
    text
}

/// `warning: …`.
pub fn warning(text: &str, style: Style) -> String {
    format!("{} {}\n", style.paint(YELLOW, "warning:"), plain(text))
}

/// `error: …` and, where something can be done, `hint: …`.
pub fn error(e: &Error, style: Style) -> String {
    let mut text = format!("{} {}\n", style.paint(RED, "error:"), plain(&words::message(e)));
    if let Some(remedy) = e.remedy() {
        let _ = writeln!(text, "{} {}", style.paint(CYAN, "hint:"), plain(&words::hint(remedy)));
    }
    text
}

fn table(text: &mut String, rows: &Table, style: Style) {
    if style.width.is_none()
        && let Some(widths) = narrow_widths(rows)
    {
        return straight(text, rows, &widths, style);
    }
    let crowded = style.width.filter(|width| natural_width(rows) > usize::from(*width));
    let shorter = crowded.map(|_| {
        let short = |row: &Vec<String>| row.iter().map(|cell| shorter_ids(cell)).collect();
        Table { rows: rows.rows.iter().map(short).collect(), ..rows.clone() }
    });
    let widths = match (crowded, &shorter) {
        (Some(width), Some(shorter)) => match fitted_widths(shorter, width.into()) {
            None => return stacked(text, rows, width.into(), style),
            widths => widths,
        },
        _ => None,
    };
    let rows = shorter.as_ref().unwrap_or(rows);
    let mut table = comfy_table::Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(rows.heads.iter().map(|head| plain(&head.title)));
    for row in &rows.rows {
        table.add_row(row.iter().map(|cell| plain(cell)));
    }
    if let Some(width) = style.width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let last = rows.heads.len().saturating_sub(1);
    for (at, (column, head)) in table.column_iter_mut().zip(&rows.heads).enumerate() {
        let gap = if at == last { 0 } else { GAP };
        column.set_padding((0, gap));
        if let Some(width) = widths.as_ref().and_then(|widths| widths.get(at)) {
            let width = u16::try_from(*width).unwrap_or(u16::MAX).saturating_add(gap);
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        }
        if head.right {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for (at, line) in table.lines().enumerate() {
        let line = line.trim_end();
        let line = if at == 0 { style.paint(BOLD, line) } else { line.to_owned() };
        text.push_str(&line);
        text.push('\n');
    }
}

/// About how wide a table is that is not wrapped.
fn natural_width(rows: &Table) -> usize {
    let width = |at: usize, head: &str| {
        let cells = rows.rows.iter().filter_map(|row| row.get(at));
        cells.map(|cell| places(cell)).chain([places(head)]).max().unwrap_or_default()
    };
    let widths = rows.heads.iter().enumerate().map(|(at, head)| width(at, &head.title) + usize::from(GAP));
    widths.sum::<usize>().saturating_sub(GAP.into())
}

/// Addresses, hashes and run ids by their beginning and end; all else as it is.
fn shorter_ids(cell: &str) -> String {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let shown = cell.split_inclusive(|c| !inside(c)).map(|part| {
        let id = part.trim_end_matches(|c| !inside(c));
        if id.len() < ID {
            return part.to_owned();
        }
        format!("{}…{}{}", &id[..8], &id[id.len() - 6..], &part[id.len()..])
    });
    shown.collect()
}

/// The widths of columns that a table has within `width`, no word broken; `None` where it has none.
fn fitted_widths(rows: &Table, width: usize) -> Option<Vec<usize>> {
    let cells = |at: usize| {
        let head = rows.heads.get(at).map(|head| head.title.as_str());
        rows.rows.iter().filter_map(move |row| row.get(at).map(String::as_str)).chain(head)
    };
    let columns = 0..rows.heads.len();
    let widest = |at: usize| cells(at).map(places).max().unwrap_or_default();
    let longest =
        |at: usize| cells(at).flat_map(|cell| cell.split(' ')).map(places).max().unwrap_or_default();
    let mut widths: Vec<usize> = columns.clone().map(longest).collect();
    let gaps = usize::from(GAP) * rows.heads.len().saturating_sub(1);
    let mut left = width.checked_sub(widths.iter().sum::<usize>() + gaps)?;
    // What is left goes first to those that need least to stand in one line.
    let mut wishes: Vec<(usize, usize)> = columns.map(|at| (widest(at) - widths[at], at)).collect();
    wishes.sort_unstable();
    for (n, (wish, at)) in wishes.iter().enumerate() {
        let given = left / (wishes.len() - n);
        let given = given.min(*wish);
        widths[*at] += given;
        left -= given;
    }
    Some(widths)
}

/// About how many places a text takes in a line.
fn places(text: &str) -> usize {
    let is_wide = |c: char| {
        matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f
            | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x2_0000..=0x3_fffd)
    };
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// A table that has no place: for each row its cells below each other, with their heads.
fn stacked(text: &mut String, rows: &Table, width: usize, style: Style) {
    let heads: Vec<String> = rows.heads.iter().map(|head| plain(&head.title)).collect();
    let indent = heads.iter().map(|head| places(head)).max().unwrap_or_default() + usize::from(GAP);
    for (n, row) in rows.rows.iter().enumerate() {
        if n > 0 {
            text.push('\n');
        }
        for (head, cell) in heads.iter().zip(row) {
            let title = style.paint(BOLD, &format!("{head:<indent$}"));
            for (line, words) in wrapped(&plain(cell), width.saturating_sub(indent)).into_iter().enumerate() {
                let start = if line == 0 { title.clone() } else { " ".repeat(indent) };
                let _ = writeln!(text, "{start}{words}");
            }
        }
    }
}

/// The words of a text in lines of at most so many places; a longer word stands alone in its line.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { continue };
        if !line.is_empty() && places(line) + 1 + places(word) > width {
            lines.push(word.to_owned());
        } else {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines
}

/// The widths of the columns, where every character is known to take one place; `None` where that is not so.
fn narrow_widths(rows: &Table) -> Option<Vec<usize>> {
    let width = |text: &str| {
        let one = |c: char| c < '\u{ad}' || matches!(c, '–' | '…' | '\u{fffd}');
        text.chars().all(one).then(|| text.chars().count())
    };
    let mut widths: Vec<usize> = rows.heads.iter().map(|head| width(&head.title)).collect::<Option<_>>()?;
    for row in &rows.rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell)?.max(*widest);
        }
    }
    Some(widths)
}

/// A table as it goes into a pipe, for which a thousand rows are nothing unusual.
fn straight(text: &mut String, rows: &Table, widths: &[usize], style: Style) {
    let heads = rows.heads.iter().map(|head| head.title.as_str()).collect();
    let cells = rows.rows.iter().map(|row| row.iter().map(String::as_str).collect());
    for (at, row) in std::iter::once::<Vec<&str>>(heads).chain(cells).enumerate() {
        let mut line = String::with_capacity(widths.iter().sum::<usize>() + 2 * widths.len());
        for ((cell, &width), head) in row.into_iter().zip(widths).zip(&rows.heads) {
            let cell = plain(cell);
            let _ =
                if head.right { write!(line, "{cell:>width$}  ") } else { write!(line, "{cell:<width$}  ") };
        }
        let line = line.trim_end();
        text.push_str(&if at == 0 { style.paint(BOLD, line) } else { line.to_owned() });
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Outcome;
    use base::Code;

    fn sample() -> Page {
        let mut table = Table::new(&["NAME", ">AMOUNT", "NOTE"]);
        table.row(["main".into(), "1,234.50".into(), "a rather long remark on this pool".into()]);
        table.row(["b".into(), "7.00".into(), String::new()]);
        let mut page = Page::default();
        page.pairs([("pool", "main"), ("rate", "")]).gap().table(table).line("two\nlines");
        page
    }

    #[test]
    fn tables_are_aligned_and_never_cut_in_a_pipe() {
        let want = "pool  main\nrate  –\n\n\
                    NAME    AMOUNT  NOTE\n\
                    main  1,234.50  a rather long remark on this pool\n\
                    b         7.00  –\ntwo\nlines\n";
        assert_eq!(page(&sample(), Style::default()), want);
    }

    #[test]
    fn a_table_looks_the_same_whoever_lays_it_out() {
        let mut table = Table::new(&["NAME", ">AMOUNT", "NOTE"]);
        table.row(["main…".into(), "1,234.50".into(), "–".into()]);
        table.row(["b\u{7}".into(), String::new(), String::new()]);
        let mut ours = Page::default();
        ours.table(table.clone());
        let ours = page(&ours, Style::default());
        // A character that takes two places is not laid out by hand.
        table.row(["世".into(), String::new(), String::new()]);
        assert!(narrow_widths(&table).is_none());
        let mut theirs = Page::default();
        theirs.table(table);
        let theirs = page(&theirs, Style::default());
        assert_eq!(ours.lines().collect::<Vec<_>>(), theirs.lines().take(3).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_taller_than_the_terminal_is_cut_below() {
        let text = "first\n\u{1b}[2msecond\u{1b}[0m\n0123456789ab\nlast\n";
        for (columns, rows, want) in [
            (80, 24, (text, 0)),
            (80, 5, (text, 0)),
            (80, 4, ("first\n\u{1b}[2msecond\u{1b}[0m\n0123456789ab\n", 1)),
            // The third line takes two.
            (10, 5, ("first\n\u{1b}[2msecond\u{1b}[0m\n0123456789ab\n", 1)),
            (10, 4, ("first\n\u{1b}[2msecond\u{1b}[0m\n", 2)),
            (0, 0, ("", 4)),
        ] {
            assert_eq!(top(text, columns, rows), want, "{columns} x {rows}");
        }
    }

    #[test]
    fn a_narrow_terminal_wraps() {
        let text = page(&sample(), Style { color: false, width: Some(36) });
        assert!(text.lines().all(|line| line.chars().count() <= 36), "{text}");
        assert!(text.contains("remark") && text.contains("pool"), "{text}");
    }

    #[test]
    fn a_cell_of_any_length_is_shown_by_its_beginning() {
        for symbol in ["x".repeat(70_000), "世".repeat(70_000), "\u{1f4b0}\u{301}".repeat(40_000)] {
            let mut table = Table::new(&["NAME", ">AMOUNT"]);
            table.row([symbol.clone(), format!("1.5 {symbol}")]);
            let mut long = Page::default();
            long.table(table).pairs([(symbol.clone(), symbol.clone())]).line(&symbol);
            for width in [None, Some(20), Some(80), Some(u16::MAX)] {
                let text = page(&long, Style { color: true, width });
                assert!(text.contains('…') && text.ends_with(&format!("{symbol}\n")), "{width:?}");
            }
        }
    }

    #[test]
    fn ids_are_shortened_where_a_table_would_not_fit() {
        let address = "0xcA11bde05977b3631167028862bE2a173976CA11";
        let mut table = Table::new(&["MEMBER", "NOTE"]);
        table.row([address.to_owned(), "a long remark on this member, in words".to_owned()]);
        let mut crowded = Page::default();
        crowded.table(table);
        for (width, whole) in [(None, true), (Some(120), true), (Some(60), false)] {
            let text = page(&crowded, Style { color: false, width });
            assert_eq!(text.contains(address), whole, "{text}");
            assert!(whole || text.contains("0xcA11bd…76CA11"), "{text}");
        }
        let key = format!("plant:testnet:{}:12, and {}.", "G".repeat(56), "7".repeat(35));
        let want = format!("plant:testnet:GGGGGGGG…GGGGGG:12, and {}.", "7".repeat(35));
        assert_eq!(shorter_ids(&key), want);
        assert_eq!(shorter_ids("é, (x) – 世 "), "é, (x) – 世 ");
    }

    /// Whatever the width: every word of a table is whole somewhere, an id perhaps shortened.
    #[test]
    fn nothing_breaks_inside_a_word_or_an_id() {
        let address = "0xcA11bde05977b3631167028862bE2a173976CA11";
        let mut table = Table::new(&["MEMBER", ">AMOUNT", "REWARD SPLIT", "WHY"]);
        table.row([
            address.into(),
            "1,234,567.50 vDUSD".into(),
            "0.250000".into(),
            "late-notice, in a few words".into(),
        ]);
        table.row(["alice".into(), "7.00".into(), String::new(), "incomprehensibilities happen".into()]);
        let mut words = Page::default();
        words.table(table.clone());
        let known: Vec<String> = std::iter::once(table.heads.iter().map(|head| head.title.clone()).collect())
            .chain(table.rows.clone())
            .flatten()
            .flat_map(|cell: String| cell.split(' ').map(str::to_owned).collect::<Vec<_>>())
            .chain([shorter_ids(address)])
            .collect();
        let mut stacked = 0;
        for width in 20..=140 {
            let text = page(&words, Style { color: false, width: Some(width) });
            for word in text.split_whitespace() {
                assert!(known.contains(&word.to_owned()), "{width}: {word}\n{text}");
            }
            let widest = text.lines().map(places).max().unwrap();
            // A single word may be wider than a terminal.
            assert!(widest <= usize::from(width) || width < 58, "{width}: {text}");
            stacked += usize::from(text.starts_with("MEMBER  ") && text.lines().count() > 8);
        }
        assert!((5..100).contains(&stacked), "{stacked}");
    }

    #[test]
    fn colour_only_where_asked() {
        assert!(!page(&sample(), Style::default()).contains('\u{1b}'));
        assert!(page(&sample(), Style { color: true, width: None }).contains("\u{1b}[1mNAME"));
    }

    #[test]
    fn nothing_can_steer_the_terminal() {
        let mut evil = Page::default();
        let mut table = Table::new(&["SYMBOL"]);
        table.row(["\u{1b}[2Jx\u{202e}\n\u{7f}y".to_owned()]);
        evil.table(table).line("\u{9b}31m").pairs([("\u{7}", "\r")]);
        let e = Error::new(Code::BadReply, "\u{1b}]0;x\u{7}").hint("\u{8}");
        let text = page(&evil, Style::default()) + &error(&e, Style::default());
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()) && !text.contains('\u{202e}'), "{text:?}");
    }

    #[test]
    fn notices_name_warnings_then_the_error() {
        let failure = Error::new(Code::Partial, "1 of 2 failed").hint("again");
        let outcome = Outcome::failed(failure).warn(["slow".to_owned()]);
        let report = Ended::new("sync", true, Ok(outcome));
        let text = notices(&report, Style::default());
        assert_eq!(text, "dry run: nothing was written\nwarning: slow\nerror: 1 of 2 failed\nhint: again\n");
        assert!(json(&report, true).unwrap().contains("\n  \"schema_version\": 1,\n"));
        assert_eq!(json(&report, false).unwrap().lines().count(), 1);
    }
}
