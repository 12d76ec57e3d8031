//! One RPC endpoint: a name to show and a URL that is never shown whole.

use super::redact::{self, Redactor};
use crate::{Code, Error, Result};
use std::fmt;
use url::Url;

/// An endpoint as configured. Its path, query and userinfo often are keys: no `Debug`, `Display` or error shows them.
#[derive(Clone)]
pub struct Endpoint {
    name: String,
    url: Url,
}

impl Endpoint {
    /// Reads `NAME=URL` or `URL` (the name is then `host[:port]`).
    ///
    /// `position` counts from 1 and names the entry in errors, because its text may hold a key.
    /// Errors: `invalid_value` for anything that is not an http or https URL with a host, or for a name with
    /// characters other than letters, digits, `.`, `_`, `:` and `-`.
    pub fn parse(text: &str, position: usize) -> Result<Self> {
        let bad = |why: &str| {
            Error::new(Code::InvalidValue, format!("endpoint {position}: {why}"))
                .hint("write URL or NAME=URL, as in main=https://rpc.example.org/v1/KEY")
        };
        let text = text.trim();
        let (name, url) = match text.split_once('=') {
            Some((name, url)) if !name.contains("://") && !name.contains('?') => {
                (Some(name.trim()), url.trim())
            }
            _ => (None, text),
        };
        if url.is_empty() {
            return Err(bad("the URL is empty"));
        }
        let mut url = Url::parse(url).map_err(|e| bad(&format!("not a URL: {e}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad(&format!("scheme {:?} is not supported, only http and https are", url.scheme())));
        }
        url.set_fragment(None);
        let host =
            url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| bad("the URL has no host"))?;
        let name = match name {
            Some("") => return Err(bad("the name before `=` is empty")),
            Some(name)
                if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':')) =>
            {
                return Err(bad("a name has only letters, digits, `.`, `_`, `:` and `-`"));
            }
            Some(name) => name.to_owned(),
            None => match url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            },
        };
        Ok(Self { name, url })
    }

    /// Reads an ordered list. A name that stands twice gets `#2`, `#3` … when it was not given, and is an
    /// `invalid_value` error when it was; so is one and the same URL given twice.
    pub fn parse_list<S: AsRef<str>>(entries: &[S]) -> Result<Vec<Self>> {
        let mut list: Vec<Self> = Vec::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            let mut next = Self::parse(entry.as_ref(), at + 1)?;
            if let Some(before) = list.iter().position(|e| e.url == next.url) {
                let why = format!("endpoint {}: the same URL as endpoint {}", at + 1, before + 1);
                return Err(Error::new(Code::InvalidValue, why));
            }
            let same = list.iter().filter(|e| e.name.split('#').next() == Some(&next.name)).count();
            if same > 0 {
                if entry.as_ref().trim().starts_with(&format!("{}=", next.name)) {
                    let why = format!("endpoint {}: the name {:?} is taken already", at + 1, next.name);
                    return Err(Error::new(Code::InvalidValue, why));
                }
                next.name = format!("{}#{}", next.name, same + 1);
            }
            list.push(next);
        }
        Ok(list)
    }

    /// The name that outputs and errors use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `scheme://host[:port]`, the part of the URL that may be shown.
    pub fn shown(&self) -> String {
        redact::origin(&self.url)
    }

    /// The same with one more segment at the end of its path; the query stays.
    #[must_use]
    pub fn below(&self, segment: &str) -> Self {
        let mut url = self.url.clone();
        // An http URL always has a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(segment);
        }
        Self { name: self.name.clone(), url }
    }

    /// The whole URL, for the HTTP client only.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether it is this machine, which no proxy should stand before.
    pub fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }

    /// What cleans texts that may repeat parts of this URL.
    pub fn redactor(&self) -> Redactor {
        Redactor::of(&self.url)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({})", self.name, self.shown())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls_and_names() {
        for (text, name, shown) in [
            ("https://rpc.example.org/v2/KEY", "rpc.example.org", "https://rpc.example.org"),
            ("http://127.0.0.1:8545", "127.0.0.1:8545", "http://127.0.0.1:8545"),
            ("http://[::1]:8545/", "[::1]:8545", "http://[::1]:8545"),
            (" main=https://user:pw@rpc.example.org:444/?k=v=w ", "main", "https://rpc.example.org:444"),
            ("https://rpc.example.org/?key=SECRET", "rpc.example.org", "https://rpc.example.org"),
            ("a.b-c_1=http://localhost", "a.b-c_1", "http://localhost"),
        ] {
            let endpoint = Endpoint::parse(text, 1).unwrap();
            assert_eq!((endpoint.name(), endpoint.shown().as_str()), (name, shown), "{text}");
            let printed = format!("{endpoint} {endpoint:?}");
            for secret in ["KEY", "SECRET", "user", "pw", "k=v"] {
                assert!(!printed.contains(secret), "{printed}");
            }
        }
    }

    #[test]
    fn refuses_what_is_no_endpoint_and_names_the_position() {
        for (text, why) in [
            ("", "the URL is empty"),
            ("x=", "the URL is empty"),
            ("=http://a", "the name before `=` is empty"),
            ("a b=http://a", "a name has only"),
            ("localhost:8545", "is not supported"),
            ("ws://a/KEY", "scheme \"ws\" is not supported"),
            ("file:///etc/KEY", "is not supported"),
            ("https://", "not a URL"),
            ("KEY", "not a URL"),
            ("http://a:99999/KEY", "not a URL"),
        ] {
            let error = Endpoint::parse(text, 3).unwrap_err();
            assert_eq!(error.code(), Code::InvalidValue);
            assert!(error.message().starts_with("endpoint 3: "), "{error}");
            assert!(error.message().contains(why), "{text}: {error}");
            assert!(!error.message().contains("KEY"), "{error}");
        }
    }

    #[test]
    fn a_segment_goes_before_the_query() {
        for (text, want) in [
            ("https://a/KEY", "https://a/KEY/fail"),
            ("https://a/KEY/", "https://a/KEY/fail"),
            ("https://a", "https://a/fail"),
            ("https://a/KEY?rid=1", "https://a/KEY/fail?rid=1"),
        ] {
            assert_eq!(Endpoint::parse(text, 1).unwrap().below("fail").url().as_str(), want);
        }
    }

    #[test]
    fn lists_keep_order_and_have_unique_names() {
        let list = Endpoint::parse_list(&["http://a/1", "http://a/2", "b=http://a/3"]).unwrap();
        assert_eq!(list.iter().map(Endpoint::name).collect::<Vec<_>>(), ["a", "a#2", "b"]);
        let twice = Endpoint::parse_list(&["b=http://a/1", "b=http://a/2"]).unwrap_err();
        assert_eq!(twice.message(), "endpoint 2: the name \"b\" is taken already");
        let same = Endpoint::parse_list(&["http://a/KEY", "b=http://a/KEY"]).unwrap_err();
        assert_eq!(same.message(), "endpoint 2: the same URL as endpoint 1");
    }
}
