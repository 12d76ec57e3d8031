//! Takes keys out of texts: whole URLs become their origin, and the parts of an endpoint's own URL become `***`.

use std::borrow::Cow;
use url::Url;

/// The longest text of a server that is repeated, in characters.
pub const MAX_WORDS: usize = 300;

/// `scheme://host[:port]` of a URL.
pub fn origin(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{}://{host}:{port}", url.scheme()),
        (Some(host), None) => format!("{}://{host}", url.scheme()),
        (None, _) => format!("{}://", url.scheme()),
    }
}

/// Cleans texts that come from one endpoint.
#[derive(Clone)]
pub struct Redactor {
    /// Longest first, so that a part never leaves the rest of a whole behind.
    secrets: Vec<String>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

impl Redactor {
    /// Knows the userinfo, the path and its segments that look like keys, and the query and its values.
    pub fn of(url: &Url) -> Self {
        let mut secrets = Vec::new();
        let mut add = |text: &str, min: usize| {
            for form in [Cow::Borrowed(text), decoded(text)] {
                if form.chars().count() >= min && !secrets.iter().any(|s| s == form.as_ref()) {
                    secrets.push(form.into_owned());
                }
            }
        };
        add(url.username(), 3);
        add(url.password().unwrap_or_default(), 3);
        add(url.query().unwrap_or_default(), 3);
        for pair in url.query().unwrap_or_default().split('&') {
            add(pair.split_once('=').map_or(pair, |(_, value)| value), 3);
        }
        add(url.path().trim_matches('/'), 16);
        for segment in url.path().split('/') {
            let keyish = segment.chars().any(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
            add(segment, if keyish { 6 } else { 16 });
        }
        secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
        Self { secrets }
    }

    /// The text on one line, without control characters, URLs cut to their origin, secrets as `***`, at most
    /// [`MAX_WORDS`] characters.
    pub fn clean(&self, text: &str) -> String {
        let mut text = without_urls(text);
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), "***");
            }
        }
        bounded(&text)
    }
}

fn decoded(text: &str) -> Cow<'_, str> {
    // `+` stays: only percent signs are undone, by reading the text as a query value.
    let pair = format!("k={}", text.replace('+', "%2B"));
    let value = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, v)| v.into_owned());
    value.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Cuts every URL within a text to its origin.
pub fn without_urls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let scheme = rest[..at]
            .rfind(|c: char| !c.is_ascii_alphanumeric())
            .map_or(0, |i| i + rest[i..].chars().next().map_or(1, char::len_utf8));
        let after = at + 3;
        let end = rest[after..]
            .find(|c: char| {
                c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ')' | ']' | '}' | ',' | '`')
            })
            .map_or(rest.len(), |i| after + i);
        out.push_str(&rest[..scheme]);
        match Url::parse(&rest[scheme..end]) {
            Ok(url) if url.has_host() => out.push_str(&origin(&url)),
            _ => {
                out.push_str(&rest[scheme..after]);
                out.push_str("***");
            }
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// One line of at most [`MAX_WORDS`] characters.
pub fn bounded(text: &str) -> String {
    let mut out = String::new();
    let mut space = false;
    for (count, c) in text.trim().chars().enumerate() {
        if count >= MAX_WORDS {
            out.push('…');
            break;
        }
        if c.is_whitespace() || c.is_control() {
            if !space {
                out.push(' ');
            }
            space = true;
        } else {
            out.push(c);
            space = false;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(url: &str, text: &str) -> String {
        Redactor::of(&Url::parse(url).unwrap()).clean(text)
    }

    #[test]
    fn takes_keys_out() {
        for (url, text, want) in [
            ("https://h/v2/AbC123xyz", "invalid key AbC123xyz", "invalid key ***"),
            ("https://h/v2/AbC123xyz", "no route /v2/AbC123xyz", "no route /v2/***"),
            ("https://h/rpc?apikey=tok", "bad token tok!", "bad ***en ***!"),
            ("https://h/?a=x%2Fyz", "key x/yz or x%2Fyz", "key *** or ***"),
            ("https://joe:pass@h/", "joe, wrong pass", "***, wrong ***"),
            ("https://h/", "see https://u:p@docs.io/v1/KEY?x=1, or ask", "see https://docs.io, or ask"),
            ("https://h/", "url (http://h:8545/KEY): refused", "url (http://h:8545): refused"),
            ("https://h/", "wss://a.b/KEY\nnext\t\u{7}line", "wss://a.b next line"),
            ("https://h/", "é://KEY x", "é://*** x"),
            ("https://h/mainnet/rpc", "rpc of mainnet", "rpc of mainnet"),
        ] {
            assert_eq!(clean(url, text), want, "{url}");
        }
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let long = "é".repeat(1000);
        let short = clean("https://h/", &long);
        assert_eq!(short.chars().count(), MAX_WORDS + 1);
        assert!(short.ends_with('…'));
    }

    proptest::proptest! {
        #[test]
        fn no_key_survives(before in "\\PC{0,40}", after in "\\PC{0,40}", key in "[A-Za-z0-9_-]{20,40}") {
            let url = format!("https://h/v3/{key}");
            let text = format!("{before}{key}{after}");
            proptest::prop_assert!(!clean(&url, &text).contains(&key));
            let text = format!("{before}{url}{after}");
            proptest::prop_assert!(!clean(&url, &text).contains(&key));
        }
    }
}
