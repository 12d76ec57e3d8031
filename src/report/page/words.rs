//! Names, amounts and times as the page shows them. Names, symbols and reasons come from outside: what could steer the
//! reading order is replaced as on a terminal, and each stands in a `bdi`.

use base::amount::{Base, E18, Quantity, to_people, to_units};
use base::clock;
use base::redact::plain;
use kale::contract::DECIMALS;
use maud::{Markup, html};

/// Decimals that are shown; the whole figure stands in the title.
const SHOWN: usize = 7;

/// A word from outside.
pub fn said(text: &str) -> Markup {
    html! { bdi { (plain(text)) } }
}

/// An address or a name; what is long is cut in the middle.
pub fn short(text: &str) -> Markup {
    let text = plain(text);
    if text.chars().count() <= 24 {
        return said(&text);
    }
    html! { abbr title=(text) { bdi { (cut(&text)) } } }
}

/// Both ends of a long text.
pub fn cut(text: &str) -> String {
    let (start, end): (String, Vec<char>) =
        (text.chars().take(8).collect(), text.chars().rev().take(6).collect());
    format!("{start}…{}", end.into_iter().rev().collect::<String>())
}

/// An amount with its symbol; `data-is` says what it is, and `value` is exact.
pub fn amount(is: &str, quantity: &Quantity) -> Markup {
    let exact = to_units(quantity.base, quantity.decimals);
    html! {
        data data-is=(is) value=(exact) title=[whole(quantity)] { (shown(quantity.base, quantity.decimals)) }
        @if !quantity.symbol.is_empty() { " " span.unit { (said(&quantity.symbol)) } }
    }
}

/// An amount in a sentence or a title, whole.
pub fn exact(quantity: &Quantity) -> String {
    plain(&quantity.to_string())
}

/// Stroops of KALE.
pub fn stroops(base: Base) -> Quantity {
    Quantity::new(base, DECIMALS, "KALE")
}

/// An amount of KALE.
pub fn kale(is: &str, base: Base) -> Markup {
    amount(is, &stroops(base))
}

/// An exchange rate.
pub fn rate(rate_e18: Base) -> Markup {
    amount("rate", &Quantity::new(rate_e18, E18, ""))
}

/// The whole figure, where it is shown cut.
fn whole(quantity: &Quantity) -> Option<String> {
    shown(quantity.base, quantity.decimals).ends_with('…').then(|| exact(quantity))
}

/// With separators, and with at most [`SHOWN`] decimals; `…` stands for the rest.
pub fn shown(base: Base, decimals: u8) -> String {
    let text = to_people(base, decimals);
    match text.split_once('.') {
        Some((whole, fraction)) if fraction.len() > SHOWN => format!("{whole}.{}…", &fraction[..SHOWN]),
        _ => text,
    }
}

/// Millionths as a percentage with two decimals, cut.
pub fn percent(ppm: Base) -> String {
    format!("{}%", to_people(ppm / Base::from(100u8), 2))
}

/// A figure under its name.
pub fn figure(name: &str, value: &Markup) -> Markup {
    html! { div.figure { p.name { (name) } p.value { (value) } } }
}

/// "1 pool", "3 pools".
pub fn count(n: usize, one: &str, many: &str) -> Markup {
    html! { (n) " " (if n == 1 { one } else { many }) }
}

/// A time to the minute, UTC.
pub fn moment(second: i64) -> String {
    let text = clock::rfc3339(second);
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => text,
    }
}

/// [`moment`] of a chain's time.
pub fn chain_moment(second: u64) -> String {
    moment(i64::try_from(second).unwrap_or(i64::MAX))
}

/// How long ago.
pub fn span_since(then: i64, now: i64) -> String {
    clock::span(u64::try_from(now.saturating_sub(then)).unwrap_or(0))
}

/// Number and the first digits of the hash of the newest event.
pub fn audit(head: &str) -> Markup {
    match head.split_once(':') {
        Some((id, hash)) => {
            html! { (plain(id)) " " abbr title=(plain(hash)) { (plain(&hash.chars().take(12).collect::<String>())) "…" } }
        }
        None => said(head),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_figure_is_cut_and_kept() {
        let quantity = Quantity::new(Base::from(36_673_487_123_456_789_012u128), 18, "DETH");
        assert_eq!(shown(quantity.base, 18), "36.6734871…");
        let text = amount("x", &quantity).0;
        assert!(
            text.contains(r#"value="36.673487123456789012" title="36.673487123456789012 DETH""#),
            "{text}"
        );
        assert!(!amount("x", &Quantity::new(Base::from(1u8), 6, "D")).0.contains("title"));
        assert_eq!(percent(Base::from(1_234_567u32)), "123.45%");
    }

    #[test]
    fn long_names_are_cut_by_characters() {
        assert_eq!(cut("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"), "0x709979…dc79C8");
        assert_eq!(cut(&"é".repeat(30)), format!("{}…{}", "é".repeat(8), "é".repeat(6)));
        assert_eq!(short("alice").0, "<bdi>alice</bdi>");
        assert_eq!(said("a\u{202e}b<").0, "<bdi>a\u{fffd}b&lt;</bdi>");
    }
}
