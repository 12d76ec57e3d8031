//! Output structs and words that several commands share.

use crate::output::{Page, Table};
use alloy::primitives::U256;
use base::amount::{Base, Quantity};
use vault::risk::verdict::Verdict;

/// An amount for a person, or a dash.
pub fn or_dash(amount: Option<&Quantity>) -> String {
    amount.map(ToString::to_string).unwrap_or_default()
}

/// An exchange rate in a table: down to nine decimals, since beyond them it is rounding that changes.
pub fn rate(rate: Option<&Quantity>) -> String {
    let shown = |rate: &Quantity| Quantity::new(rate.base / U256::from(1_000_000_000), 9, "").to_string();
    rate.map(shown).unwrap_or_default()
}

/// A limit for a person.
pub fn limit(amount: Option<&Quantity>) -> String {
    amount.map_or_else(|| "unlimited".to_owned(), ToString::to_string)
}

/// "yes", "no", or a dash.
pub fn yes_no(flag: Option<bool>) -> String {
    flag.map(|flag| if flag { "yes" } else { "no" }).unwrap_or_default().to_owned()
}

/// Millionths as a percentage for a person: `25%`.
pub fn percent(value: u32) -> String {
    let text = base::amount::to_units(Base::from(value), 4);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A verdict for a person: one line where it is valid, else a table of what failed. `what` names the matter:
/// "withdrawal of 12.5 sUSD".
pub fn show_verdict(verdict: &Verdict, what: &str, page: &mut Page) {
    if verdict.valid {
        page.line(format!("{what}: valid"));
        return;
    }
    page.line(format!("{what}: NOT valid"));
    let mut table = Table::new(&["REASON", "WHY"]);
    for reason in &verdict.reasons {
        table.row([reason.code.as_str().to_owned(), reason.message.clone()]);
    }
    page.table(table);
}
