//! The routes for people: a page of its own, without script, made of what `openapi` is made of.

use crate::Endpoint;
use crate::endpoint::STREAM;
use app::api::{Method, Role};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin: 2.5rem 0 .5rem; } h3 { font: 600 1rem/1.5 ui-monospace, monospace; margin: 1.5rem 0 0; overflow-wrap: anywhere; }
p { margin: .25rem 0; } .roles { opacity: .75; font-size: .875rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .125rem 1rem; margin: .25rem 0; font-size: .875rem; }
dt { font-family: ui-monospace, monospace; } dd { margin: 0; }
";

/// The page.
pub fn page(endpoints: &[Endpoint], version: &str) -> String {
    let mut groups: Vec<&str> = endpoints.iter().map(group).collect();
    groups.dedup();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "poolctl " (version) ": routes" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "poolctl " (version) }
                p {
                    "GET takes its arguments in the query, POST in a JSON object. Each request has a token: "
                    code { "Authorization: Bearer …" } ". For programs: " a href="/openapi.json" { "OpenAPI" } "."
                }
                nav aria-label="Groups" { p { @for group in &groups { a href={ "#" (group) } { (group) } " " } } }
                main {
                    @for group in &groups {
                        section id=(group) {
                            h2 { (group) }
                            @for endpoint in endpoints.iter().filter(|endpoint| self::group(endpoint) == *group) {
                                (route(endpoint))
                            }
                        }
                    }
                    section id="stream" {
                        h2 { "stream" }
                        h3 { "GET " (STREAM) }
                        p { "The audit log as it grows, as Server-Sent Events; Last-Event-ID goes on without a gap" }
                        p.roles { "operator, reader" }
                    }
                }
            }
        }
    };
    markup.into_string()
}

fn group(endpoint: &Endpoint) -> &str {
    endpoint.words.split(' ').next().unwrap_or_default()
}

fn route(endpoint: &Endpoint) -> Markup {
    let method = match endpoint.route.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let roles: Vec<&str> = [Role::Operator]
        .into_iter()
        .chain(endpoint.route.access.iter().map(|who| who.role))
        .map(Role::as_str)
        .collect();
    html! {
        h3 { (method) " " (endpoint.path()) }
        p { (endpoint.about) }
        @if !endpoint.params.is_empty() {
            dl {
                @for param in &endpoint.params {
                    dt { (param.name) @if endpoint.must_have(param) { " *" } }
                    dd { (param.help) }
                }
            }
        }
        p.roles { (roles.join(", ")) }
    }
}
