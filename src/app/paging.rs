//! Pages of lists: how much of a list is asked for, and where a page of it ends.

use base::{Code, Error, Result};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Display;
use std::str::FromStr;

/// What part of a list is asked for.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Most rows; `None` = all.
    pub limit: Option<u32>,
    /// The cursor that the page before ended with.
    pub after: Option<String>,
}

/// Where a page of a list ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PageEnd {
    /// Whether there are more rows after this page.
    pub more: bool,
    /// What the next page is asked for with; null on the last one.
    pub cursor: Option<String>,
    /// Rows on all pages; null where counting them would take long.
    pub total: Option<u64>,
}

/// Joins the two parts of a cursor.
pub fn cursor(first: impl Display, second: impl Display) -> String {
    format!("{first}-{second}")
}

impl Window {
    /// Rows to be read: one more than are shown, to see whether there are more.
    pub fn reach(&self) -> u32 {
        self.limit.map_or(u32::MAX, |limit| limit.saturating_add(1))
    }

    /// Where to go on, by a key of one part; `invalid_value` for a cursor that no page ended with.
    pub fn after<T: FromStr>(&self) -> Result<Option<T>> {
        self.after.as_ref().map(|text| text.parse().map_err(|_| unknown(text))).transpose()
    }

    /// The same, by a key of two parts.
    pub fn after_both<A: FromStr, B: FromStr>(&self) -> Result<Option<(A, B)>> {
        let Some(text) = &self.after else { return Ok(None) };
        let both = text.rsplit_once('-').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        both.map(Some).ok_or_else(|| unknown(text))
    }

    /// The page of rows that were read up to [`Window::reach`]; `key` is a row's cursor.
    pub fn page<T>(
        &self,
        mut rows: Vec<T>,
        total: Option<u64>,
        key: impl Fn(&T) -> String,
    ) -> (Vec<T>, PageEnd) {
        let most = self.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let more = rows.len() > most;
        rows.truncate(most);
        let cursor = rows.last().filter(|_| more).map(key);
        (rows, PageEnd { more, cursor, total })
    }

    /// The page of a list that was read whole.
    pub fn of_whole<T>(&self, mut rows: Vec<T>, key: impl Fn(&T) -> String) -> Result<(Vec<T>, PageEnd)> {
        let total = u64::try_from(rows.len()).ok();
        if let Some(after) = &self.after {
            let at = rows.iter().position(|row| key(row) == *after).ok_or_else(|| unknown(after))?;
            rows.drain(..=at);
        }
        Ok(self.page(rows, total, key))
    }
}

/// A cursor that no page ended with.
pub fn unknown(cursor: &str) -> Error {
    Error::field(Code::InvalidValue, "after", format_args!("no such cursor: \"{cursor}\""))
        .hint("begin with the first page; each page ends with the cursor of the next")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(limit: u32, after: Option<&str>) -> Window {
        Window { limit: Some(limit), after: after.map(str::to_owned) }
    }

    /// Page by page, every row comes once and in its place, whatever the size of a page.
    #[test]
    fn pages_make_up_the_list() {
        let all: Vec<u32> = (1..=20).collect();
        for limit in 1..=21 {
            let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
            loop {
                let (rows, end) =
                    window(limit, after.as_deref()).of_whole(all.clone(), u32::to_string).unwrap();
                assert_eq!((end.total, end.more), (Some(20), end.cursor.is_some()));
                found.extend(rows);
                pages += 1;
                let Some(cursor) = end.cursor else { break };
                after = Some(cursor);
            }
            assert_eq!((&found, pages), (&all, 20_u32.div_ceil(limit)), "{limit}");
        }
        let (rows, end) = Window::default().of_whole(all.clone(), u32::to_string).unwrap();
        assert_eq!((rows, end.more, end.cursor), (all, false, None));
    }

    #[test]
    fn a_cursor_is_one_that_a_page_ended_with() {
        for bad in ["", "x", "1-", "-", "1-x", "é"] {
            let window = window(1, Some(bad));
            assert_eq!(window.after_both::<u64, i64>().unwrap_err().code(), Code::InvalidValue, "{bad}");
            assert_eq!(window.after::<i64>().map_err(|e| e.code()), Err(Code::InvalidValue), "{bad}");
            assert!(window.of_whole(vec![1, 2], i32::to_string).is_err(), "{bad}");
        }
        assert_eq!(window(1, Some(&cursor(7, 2))).after_both().unwrap(), Some((7_u64, 2_i64)));
        assert_eq!(Window::default().after::<i64>().unwrap(), None);
        assert_eq!((Window::default().reach(), window(u32::MAX, None).reach()), (u32::MAX, u32::MAX));
    }
}
