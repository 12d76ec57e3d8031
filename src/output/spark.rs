//! Small pictures of exact amounts: where a value lies on a scale, sparklines, columns and bars of block characters. Pure.

use base::amount::{Base, mul_div};

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What stands for nothing: one cannot tell a space from the end of a line.
const NOTHING: char = '·';

/// Where `value` lies between `low` and `high`, in `steps` equal steps, rounded down: 0 at `low`, `steps` at `high`. What
/// lies outside is moved to the edge; where `low` and `high` are one, everything lies in the middle.
pub fn step(value: Base, low: Base, high: Base, steps: u32) -> u32 {
    if high <= low {
        return steps / 2;
    }
    let above = value.clamp(low, high) - low;
    let found = mul_div(above, Base::from(steps), high - low).unwrap_or_default();
    u32::try_from(found).unwrap_or(steps)
}

/// The lowest and the highest of some values; `None` where there are none.
pub fn range(values: impl IntoIterator<Item = Base>) -> Option<(Base, Base)> {
    values.into_iter().fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((low, high)) => Some((low.min(value), high.max(value))),
    })
}

fn block(step: u32) -> char {
    BLOCKS.get(step as usize).copied().unwrap_or('█')
}

/// A course, one character a value, from the lowest of the values (`▁`) to the highest (`█`): it shows changes, not sizes.
pub fn line(values: &[Base]) -> String {
    let Some((low, high)) = range(values.iter().copied()) else { return String::new() };
    values.iter().map(|value| block(step(*value, low, high, 7))).collect()
}

/// Sizes, one column a value, from nothing (`·`) to the highest of the values (`█`).
pub fn columns(values: &[Base]) -> String {
    let Some((_, high)) = range(values.iter().copied()) else { return String::new() };
    let column = |value: &Base| {
        if value.is_zero() { NOTHING } else { block(step(*value, Base::ZERO, high, 8).saturating_sub(1)) }
    };
    values.iter().map(column).collect()
}

/// A size as a bar of at most `width` characters, which stand for `most`; what is there at all has one.
pub fn bar(value: Base, most: Base, width: u32) -> String {
    if value.is_zero() {
        return NOTHING.to_string();
    }
    "█".repeat(step(value, Base::ZERO, most, width).max(1) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(values: &[u64]) -> Vec<Base> {
        values.iter().copied().map(Base::from).collect()
    }

    #[test]
    fn courses() {
        for (values, want) in [
            (&[][..], ""),
            (&[5], "▄"),
            (&[0], "▄"),
            (&[7, 7, 7], "▄▄▄"),
            (&[0, 1], "▁█"),
            (&[0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
            (&[1_000_000, 1_000_001, 1_000_000], "▁█▁"),
            (&[10, 24, 39, 80], "▁▂▃█"),
        ] {
            assert_eq!(line(&all(values)), want, "{values:?}");
        }
        let (huge, middle) = (Base::MAX, Base::MAX >> 1);
        assert_eq!(line(&[huge, Base::ZERO, middle, huge - Base::from(1u8)]), "█▁▄▇");
    }

    #[test]
    fn sizes() {
        for (values, want) in [
            (&[][..], ""),
            (&[5], "█"),
            (&[0], "·"),
            (&[0, 0], "··"),
            (&[7, 7, 7], "███"),
            (&[0, 1, 1_000_000], "·▁█"),
            (&[1, 2, 3, 4, 5, 6, 7, 8], "▁▂▃▄▅▆▇█"),
        ] {
            assert_eq!(columns(&all(values)), want, "{values:?}");
        }
        assert_eq!(columns(&[Base::MAX, Base::from(1u8), Base::MAX >> 1]), "█▁▃");
    }

    #[test]
    fn bars() {
        for (value, most, width, want) in
            [(0, 9, 4, "·"), (1, 1_000, 4, "█"), (50, 100, 4, "██"), (100, 100, 4, "████"), (9, 0, 4, "██")]
        {
            assert_eq!(bar(Base::from(value), Base::from(most), width), want, "{value} of {most}");
        }
        assert_eq!(bar(Base::MAX, Base::MAX, 3), "███");
    }

    #[test]
    fn steps_stay_on_the_scale() {
        let n = |value: u64| Base::from(value);
        for (value, low, high, want) in [
            (5, 5, 10, 0),
            (10, 5, 10, 1_000),
            (7, 5, 10, 400),
            (1, 5, 10, 0),
            (99, 5, 10, 1_000),
            (3, 3, 3, 500),
        ] {
            assert_eq!(step(n(value), n(low), n(high), 1_000), want, "{value} in {low}..{high}");
        }
        assert_eq!(step(Base::MAX, Base::ZERO, Base::MAX, u32::MAX), u32::MAX);
    }
}
