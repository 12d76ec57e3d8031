//! SVG charts of exact amounts, in integers: a thousand steps each way, stretched by the page, lines of even width.
//!
//! Words and figures stand beside a chart as text of the page, so that they stay readable at every width; each point and
//! bar tells its own figures when pointed at.

use base::amount::Base;
use maud::{Markup, html};
use std::fmt::Write;
use watch::spark::{range, step};

const STEPS: u32 = 1_000;

/// Bars are finer from left to right: a step more or less in the width of many bars would be seen.
const FINE: u32 = 10_000;

/// Room above and below a course, so that its line is whole.
const MARGIN: u32 = 40;

/// One point of a course.
pub struct Mark {
    /// Where it lies from left to right: any quantity that grows.
    pub at: u64,
    /// How high.
    pub value: Base,
    /// Its figures.
    pub title: String,
}

/// One bar.
pub struct Bar {
    /// The solid part, at the bottom.
    pub solid: Base,
    /// The pale part, above it.
    pub pale: Base,
    /// What was expected: a line across.
    pub expected: Option<Base>,
    /// Its figures.
    pub title: String,
}

/// Where a course's scale begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Floor {
    /// At nothing: sizes can be compared.
    Zero,
    /// At the lowest value: small changes can be seen.
    Lowest,
}

/// The scale of a course, lowest and highest value; `None` where there is no point.
pub fn scale(marks: &[Mark], floor: Floor) -> Option<(Base, Base)> {
    let (low, high) = range(marks.iter().map(|mark| mark.value))?;
    Some((if floor == Floor::Zero { Base::ZERO } else { low }, high))
}

/// A line through the points, over a filled area where the scale begins at nothing.
pub fn course(label: &str, marks: &[Mark], floor: Floor) -> Markup {
    let Some((low, high)) = scale(marks, floor) else { return html! {} };
    let places = places(marks);
    let mut line = String::new();
    for (at, (mark, x)) in marks.iter().zip(&places).enumerate() {
        let _ = write!(line, "{}{x} {}", if at == 0 { 'M' } else { 'L' }, height(mark.value, low, high));
    }
    // A single point is a line across: it holds since and until who knows when.
    if marks.len() == 1 {
        let _ = write!(line, "H{STEPS}");
    }
    let edge = places.first().copied().unwrap_or_default();
    html! {
        svg.course viewBox={ "0 0 " (STEPS) " " (STEPS) } preserveAspectRatio="none" role="img" aria-label=(label) data-points=(marks.len()) {
            (grid(STEPS))
            @if floor == Floor::Zero {
                path.area d={ (line) "V" (STEPS) "H" (edge) "Z" } {}
            }
            path.line d=(line) {}
            @for (at, mark) in marks.iter().enumerate() {
                // From half-way to the one before, to half-way to the one after.
                @let from = at.checked_sub(1).map_or(0, |before| u32::midpoint(places[before], places[at]));
                @let to = places.get(at + 1).map_or(STEPS, |after| u32::midpoint(places[at], *after));
                rect.touch x=(from) y="0" width=(to - from) height=(STEPS) { title { (mark.title) } }
            }
        }
    }
}

/// The highest of some bars, what was expected included.
pub fn highest(bars: &[Bar]) -> Base {
    let tall = |bar: &Bar| bar.solid.saturating_add(bar.pale).max(bar.expected.unwrap_or_default());
    bars.iter().map(tall).max().unwrap_or_default()
}

/// Bars beside each other, from nothing to the highest.
pub fn bars(label: &str, bars: &[Bar]) -> Markup {
    let count = u32::try_from(bars.len()).unwrap_or(u32::MAX).max(1);
    let high = highest(bars);
    let tall = |value: Base| if high.is_zero() { 0 } else { step(value, Base::ZERO, high, STEPS - MARGIN) };
    let slot = (FINE / count).max(1);
    // A few bars stay bars.
    let wide = (slot - slot / 5).min(FINE / 12);
    let inset = (slot - wide) / 2;
    html! {
        svg.bars viewBox={ "0 0 " (FINE) " " (STEPS) } preserveAspectRatio="none" role="img" aria-label=(label) data-points=(bars.len()) {
            (grid(FINE))
            @for (x, bar) in (0..).map(|at: u32| at * slot).zip(bars) {
                @let solid = tall(bar.solid);
                @let whole = tall(bar.solid.saturating_add(bar.pale));
                @let left = x + inset;
                @if !bar.solid.is_zero() {
                    rect.solid x=(left) y=(STEPS - solid.max(8)) width=(wide) height=(solid.max(8)) {}
                }
                @if !bar.pale.is_zero() {
                    rect.pale x=(left) y=(STEPS - whole.max(8)) width=(wide) height=((whole - solid).max(8)) {}
                }
                @if let Some(expected) = bar.expected {
                    path.expected d={ "M" (left) " " (STEPS - tall(expected)) "h" (wide) } {}
                }
                rect.touch x=(x) y="0" width=(slot) height=(STEPS) { title { (bar.title) } }
            }
        }
    }
}

/// A part of a whole, as a bar on its own line.
pub fn portion(part: Base, whole: Base) -> Markup {
    let wide = if whole.is_zero() { 0 } else { step(part, Base::ZERO, whole, STEPS) };
    html! {
        svg.portion viewBox={ "0 0 " (STEPS) " 10" } preserveAspectRatio="none" aria-hidden="true" {
            rect.all x="0" y="0" width=(STEPS) height="10" {}
            rect.solid x="0" y="0" width=(wide) height="10" {}
        }
    }
}

fn grid(wide: u32) -> Markup {
    html! {
        path.grid d={ "M0 " (MARGIN) "H" (wide) "M0 " (STEPS / 2) "H" (wide) "M0 " (STEPS) "H" (wide) } {}
    }
}

/// Where the points lie from left to right.
fn places(marks: &[Mark]) -> Vec<u32> {
    let (first, last) = (marks.first().map_or(0, |mark| mark.at), marks.last().map_or(0, |mark| mark.at));
    let place = |mark: &Mark| {
        if marks.len() == 1 {
            0
        } else {
            step(Base::from(mark.at), Base::from(first), Base::from(last), STEPS)
        }
    };
    marks.iter().map(place).collect()
}

/// How far below the top a value lies.
fn height(value: Base, low: Base, high: Base) -> u32 {
    STEPS - MARGIN - step(value, low, high, STEPS - 2 * MARGIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(values: &[(u64, Base)]) -> Vec<Mark> {
        values.iter().map(|(at, value)| Mark { at: *at, value: *value, title: format!("<{at}>") }).collect()
    }

    fn path(markup: &Markup, class: &str) -> String {
        let text = &markup.0;
        let from = text.find(&format!("<path class=\"{class}\" d=\"")).unwrap();
        text[from..].split('"').nth(3).unwrap().to_owned()
    }

    #[test]
    fn a_course_goes_from_edge_to_edge() {
        let n = |value: u64| Base::from(value);
        for (values, floor, want) in [
            (&[(100, n(1)), (150, n(3)), (300, n(2))][..], Floor::Lowest, "M0 960L250 40L1000 500"),
            (&[(100, n(2)), (300, n(4))], Floor::Zero, "M0 500L1000 40"),
            (&[(100, n(7)), (300, n(7))], Floor::Lowest, "M0 500L1000 500"),
            (&[(100, n(7))], Floor::Zero, "M0 40H1000"),
            (&[(100, n(0))], Floor::Zero, "M0 500H1000"),
            (&[(0, Base::MAX), (u64::MAX, Base::ZERO)], Floor::Zero, "M0 40L1000 960"),
        ] {
            assert_eq!(path(&course("x", &marks(values), floor), "line"), want);
        }
        assert_eq!(course("x", &[], Floor::Zero).0, "");
    }

    #[test]
    fn what_is_there_is_seen_and_what_is_not_is_not() {
        let bar = |solid: u64, pale: u64| Bar {
            solid: Base::from(solid),
            pale: Base::from(pale),
            expected: None,
            title: String::new(),
        };
        let drawn = |values: &[Bar], class: &str| {
            let text = bars("x", values).0;
            text.matches(&format!("<rect class=\"{class}\"")).count()
        };
        let some = [bar(1, 0), bar(0, 1_000_000), bar(0, 0)];
        assert_eq!((drawn(&some, "solid"), drawn(&some, "pale"), drawn(&some, "touch")), (1, 1, 3));
        assert_eq!(drawn(&[bar(0, 0)], "solid"), 0);
        let huge = Bar { expected: Some(Base::MAX), ..bar(1, 1) };
        assert_eq!(highest(&[huge]), Base::MAX);
    }

    #[test]
    fn titles_are_escaped() {
        let text = course("\"><script>", &marks(&[(1, Base::ZERO)]), Floor::Zero).0;
        assert!(text.contains("<title>&lt;1&gt;</title>"), "{text}");
        assert!(text.contains("aria-label=\"&quot;&gt;&lt;script&gt;\""), "{text}");
    }
}
