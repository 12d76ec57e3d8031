//! What a command shows a person: lines and aligned tables, independent of terminal and colour.

use base::amount::Quantity;
use std::fmt::Display;

/// Characters of a cell that are shown. Symbols come from chains, and can be of any length; `--json` has all of it.
const MOST_CELL: usize = 2_000;

/// A text, or its beginning and an ellipsis where it is longer than a cell.
fn clipped(text: String) -> String {
    match text.char_indices().nth(MOST_CELL) {
        Some((end, _)) => text[..end].to_owned() + "…",
        None => text,
    }
}

/// A value as a cell shows it; of what is not there, nothing.
pub trait Cell {
    fn cell(&self) -> String;
}

impl<T: Cell + ?Sized> Cell for &T {
    fn cell(&self) -> String {
        (**self).cell()
    }
}

impl<T: Cell> Cell for Option<T> {
    fn cell(&self) -> String {
        self.as_ref().map(T::cell).unwrap_or_default()
    }
}

macro_rules! shown {
    ($($kind:ty),*) => {
        $( impl Cell for $kind {
            fn cell(&self) -> String {
                self.to_string()
            }
        } )*
    };
}

shown!(str, String, Quantity, i64, u32, u64, usize);

/// The cells of a row, or whatever else is to be shown of several values.
macro_rules! cells {
    ($($value:expr),* $(,)?) => { [$( $crate::output::Cell::cell(&$value) ),*] };
}

pub(crate) use cells;

/// A table: short upper-case heads, one row a thing.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub(super) heads: Vec<Head>,
    pub(super) rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) title: String,
    pub(super) right: bool,
}

impl Table {
    /// Heads in order; one that starts with `>` is right-aligned (amounts, counts).
    pub fn new(heads: &[&str]) -> Self {
        let heads = heads
            .iter()
            .map(|head| Head { title: head.trim_start_matches('>').to_owned(), right: head.starts_with('>') })
            .collect();
        Self { heads, rows: Vec::new() }
    }

    /// A row for each of these.
    pub fn of<T, const N: usize>(
        heads: [&str; N],
        things: impl IntoIterator<Item = T>,
        cells: impl FnMut(T) -> [String; N],
    ) -> Self {
        let mut table = Self::new(&heads);
        things.into_iter().map(cells).for_each(|row| table.row(row));
        table
    }

    /// Adds a row; missing cells are shown as `–`.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> =
            cells.into_iter().map(|c| if c.is_empty() { "–".to_owned() } else { clipped(c) }).collect();
        cells.resize(self.heads.len(), "–".to_owned());
        self.rows.push(cells);
    }

    /// No rows.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// One piece of a page.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Line(String),
    Table(Table),
    Pairs(Vec<(String, String)>),
}

/// What a person gets to see on stdout.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub(super) pieces: Vec<Piece>,
}

impl Page {
    /// A line of text.
    pub fn line(&mut self, text: impl Display) -> &mut Self {
        self.pieces.push(Piece::Line(text.to_string()));
        self
    }

    /// An empty line.
    pub fn gap(&mut self) -> &mut Self {
        self.line("")
    }

    /// A table.
    pub fn table(&mut self, table: Table) -> &mut Self {
        self.pieces.push(Piece::Table(table));
        self
    }

    /// A table with a row for each of these; nothing where there are none.
    pub fn rows<T, const N: usize>(
        &mut self,
        heads: [&str; N],
        things: impl IntoIterator<Item = T>,
        cells: impl FnMut(T) -> [String; N],
    ) -> &mut Self {
        let table = Table::of(heads, things, cells);
        if table.is_empty() { self } else { self.table(table) }
    }

    /// Name and value, the values aligned.
    pub fn pairs<N: Into<String>, V: Into<String>>(
        &mut self,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> &mut Self {
        let pairs = pairs.into_iter().map(|(n, v)| (clipped(n.into()), v.into()));
        self.pieces.push(Piece::Pairs(pairs.collect()));
        self
    }
}
