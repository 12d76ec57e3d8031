//! The report as one HTML page: no script, nothing from elsewhere. Whatever stands between `(…)` is escaped by `maud`.

mod farm;
mod pool;
mod words;

use super::file::MARK;
use super::{Alarm, MOST_POOLS, Report};
use base::clock;
use maud::{Markup, PreEscaped, html};
use words::{amount, count, figure, kale, said, span_since};

/// Nothing may be loaded, and no script may run, whatever gets into the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE: &str = include_str!("style.css");

/// The page.
pub fn page(report: &Report) -> String {
    html! {
        (PreEscaped(MARK))
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                meta name="referrer" content="no-referrer";
                title { "Pools · " (report.profile) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(report))
                main {
                    (alarms(report))
                    (figures(report))
                    (list(report))
                    @for part in report.pools.iter().take(MOST_POOLS) { (pool::section(part, report.gathered_at)) }
                    @if let Some(farm) = &report.farm { (farm::section(farm)) }
                }
                (footer(report))
            }
        }
    }
    .into_string()
}

fn header(report: &Report) -> Markup {
    html! {
        header {
            p.brand { "poolctl" }
            h1 { "How the pools are doing" }
            p.facts {
                span { "profile " b { (said(&report.profile)) } }
                @if let Some(chain) = &report.evm { span { "EVM chain " b { (said(chain)) } } }
                @if let Some(network) = &report.stellar { span { "Stellar " b { (said(network)) } } }
                span { "as of " time datetime=(clock::rfc3339(report.gathered_at)) { (words::moment(report.gathered_at)) } }
            }
        }
    }
}

fn alarms(report: &Report) -> Markup {
    if report.alarms.is_empty() {
        return html! { section #alarms.calm { p { "Nothing needs a look: no open alert, no violation, no open breaker." } } };
    }
    let row = |alarm: &Alarm| {
        html! {
            li.alarm.grave[alarm.grave] {
                p.head {
                    b { (words::short(&alarm.subject)) } " "
                    code { (said(&alarm.kind)) }
                    @if let Some(since) = alarm.since { span.since { "for " (span_since(since, report.gathered_at)) } }
                }
                p.why { (said(&alarm.why)) }
            }
        }
    };
    html! {
        section #alarms {
            h2 { (count(report.alarms.len(), "thing needs a look", "things need a look")) }
            ul { @for alarm in &report.alarms { (row(alarm)) } }
        }
    }
}

/// The few figures that one looks for first.
fn figures(report: &Report) -> Markup {
    const MOST_ASSETS: usize = 6;
    html! {
        section #figures {
            @for sum in report.tvl.values().take(MOST_ASSETS) {
                (figure("total value locked", &amount("tvl-sum", sum)))
            }
            @if report.tvl.len() > MOST_ASSETS {
                (figure("and more", &count(report.tvl.len() - MOST_ASSETS, "other asset", "other assets")))
            }
            @if let Some(farm) = &report.farm {
                (figure("KALE rewards so far", &kale("minted", farm.minted)))
                (figure("at stake now", &kale("at-stake", farm.open.1)))
                @if !farm.lost.is_zero() { (figure("stakes lost", &kale("lost", farm.lost))) }
            }
        }
    }
}

/// Every pool in a line, where there are several.
fn list(report: &Report) -> Markup {
    if report.pools.len() < 2 {
        return html! {};
    }
    html! {
        section #pools {
            h2 { (count(report.pools.len(), "pool", "pools")) }
            div.scroll { table {
                thead { tr { th { "pool" } th.n { "TVL" } th.n { "rate" } th { "synced" } } }
                tbody {
                    @for part in &report.pools {
                        tr {
                            td { (said(&part.pool.name)) }
                            @if let Some(s) = &part.snapshot {
                                td.n { (amount("tvl", &part.pool.asset.quantity(s.total_assets))) }
                                td.n { (words::rate(s.rate_e18)) }
                                td { (span_since(s.synced_at, report.gathered_at)) " ago" }
                            } @else { td.n { "–" } td.n { "–" } td { "never" } }
                        }
                    }
                }
            } }
            @if report.pools.len() > MOST_POOLS {
                p.note { "The first " (MOST_POOLS) " are shown in detail; name others to see them." }
            }
        }
    }
}

fn footer(report: &Report) -> Markup {
    html! {
        footer {
            p {
                "Written by poolctl " (env!("CARGO_PKG_VERSION")) " from its state alone, version "
                (said(&report.data_version)) "; no network was asked. Each section says whose view its figures are and how old."
            }
            @if let Some(head) = &report.audit_head {
                p { "Audit log up to event " code { (words::audit(head)) } }
            }
            p { "Cut figures end in “…”: point at one to see it whole." }
        }
    }
}
