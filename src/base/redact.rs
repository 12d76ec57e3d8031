//! Takes keys out of texts: whole URLs become their origin, and the parts of an endpoint's own URL become `***`.

use base64::Engine as _;
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

/// The beginning of a server's text that is looked at, in bytes.
const READ: usize = 16 << 10;
/// The longest way of writing one byte that is seen through: `\u0041`.
const WIDEST: usize = 6;
/// Parts of a path that are no keys. Anything else of three characters or more may be one.
const COMMON: &str = "api archive arb arbitrum avalanche avax base beta blockchain bnb bsc chain devnet eth ethereum evm \
    ext fail full futurenet gnosis goerli health holesky hoodi http https json jsonrpc main mainnet \
    matic net network node nodes one optimism ping polygon pubnet public rpc sepolia soroban stellar \
    test testnet";
/// Shorter texts are no keys.
const SHORTEST: usize = 3;
/// Parts of a text at its punctuation are keys of their own from this length on.
const SHORTEST_PART: usize = 6;

/// Cleans texts that come from one endpoint.
#[derive(Clone)]
pub struct Redactor {
    /// In lower case and without percent signs; longest first, so that a part never leaves the rest of a whole behind.
    secrets: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

impl Redactor {
    /// Knows the userinfo (also as the header that it becomes), the path with its segments, the query with its values,
    /// and the parts of each.
    pub fn of(url: &Url) -> Self {
        let mut secrets = Vec::new();
        let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
        if !(user.is_empty() && password.is_empty()) {
            let pair = [user.as_slice(), b":", password.as_slice()].concat();
            secrets.push(base64::engine::general_purpose::STANDARD.encode(&pair).into_bytes());
            secrets.push(pair);
        }
        let query = url.query().unwrap_or_default();
        let path = url.path().trim_matches('/');
        let values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        let segments = path.split('/').filter(|segment| !is_common(segment));
        for text in
            [url.username(), url.password().unwrap_or_default()].into_iter().chain(values).chain(segments)
        {
            let parts = text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_%".contains(c));
            secrets.extend(parts.filter(|part| part.len() >= SHORTEST_PART).map(decoded));
            secrets.push(decoded(text));
        }
        secrets.push(decoded(query));
        secrets.push(if path.len() > 15 { decoded(path) } else { Vec::new() });
        for secret in &mut secrets {
            secret.make_ascii_lowercase();
        }
        secrets.retain(|secret| secret.len() >= SHORTEST);
        secrets.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        Self { secrets }
    }

    /// The text on one line, without control characters, URLs cut to their origin, secrets in any case and encoding as
    /// `***`, at most [`MAX_WORDS`] characters.
    pub fn clean(&self, text: &str) -> String {
        let longest = self.secrets.first().map_or(0, Vec::len) * WIDEST;
        let read = text.get(..text.floor_char_boundary(READ + longest)).unwrap_or_default();
        let mut out = self.hide(&without_urls(read));
        if read.len() < text.len() {
            // The beginning of a secret that was cut off.
            out.truncate(out.floor_char_boundary(out.len().saturating_sub(longest)));
        }
        bounded(&out)
    }

    /// Whether bytes that are shown as hex hold a secret.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        (0..bytes.len()).any(|at| self.at(bytes, at).is_some())
    }

    /// The text with secrets in any case and encoding as `***`, and all else as it is.
    pub fn hide(&self, text: &str) -> String {
        let bytes = text.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let Some(length) = self.at(bytes, at) {
                out.extend_from_slice(b"***");
                at += length;
            } else {
                out.push(*byte);
                at += 1;
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    /// How many bytes of the text are a secret that begins here.
    fn at(&self, text: &[u8], start: usize) -> Option<usize> {
        self.secrets.iter().find_map(|secret| {
            let mut at = start;
            for want in secret {
                let (byte, width) = unit(text.get(at..)?)?;
                if byte.eq_ignore_ascii_case(want) {
                    at += width;
                } else if text.get(at)?.eq_ignore_ascii_case(want) {
                    at += 1;
                } else {
                    return None;
                }
            }
            Some(at - start)
        })
    }
}

/// Whether a segment says which network or interface, as `v2`, `rpc` or `eth-mainnet` do, and no more.
fn is_common(segment: &str) -> bool {
    segment.split(['-', '_', '.']).all(|word| {
        let version = word.strip_prefix('v').unwrap_or(word);
        let number = (1..=2).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_digit());
        number || COMMON.split(' ').any(|common| word.eq_ignore_ascii_case(common))
    })
}

/// The next byte of a text, however it is written (`a`, `%61`, `\u0061`, `\/`), and how wide that is.
fn unit(text: &[u8]) -> Option<(u8, usize)> {
    let hex = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u8::from_str_radix(digits, 16).ok()
    };
    Some(match text {
        [b'%', a, b, ..] if let Some(byte) = hex(&[*a, *b]) => (byte, 3),
        [b'\\', b'u', b'0', b'0', a, b, ..] if let Some(byte) = hex(&[*a, *b]) => (byte, 6),
        [b'\\', byte @ (b'/' | b'\\' | b'"'), ..] => (*byte, 2),
        [byte, ..] => (*byte, 1),
        [] => return None,
    })
}

/// A part of a URL without percent signs.
fn decoded(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some((byte, width)) = unit(rest) {
        out.push(byte);
        rest = rest.get(width..).unwrap_or_default();
    }
    out
}

/// Words from outside that are nobody's secret: URLs cut to their origin, as [`bounded`].
pub fn words(text: &str) -> String {
    bounded(&without_urls(text.get(..text.floor_char_boundary(READ)).unwrap_or_default()))
}

/// Words of a program of the operator's, which may print anything: as [`words`], and as [`hidden`].
pub fn said(text: &str) -> String {
    bounded(&hidden(text))
}

/// A text without what looks like a secret key, and without the value of a `token=…`, or of anything else that is named like
/// a secret; URLs cut to their origin. Nothing else is cut but what is beyond some thousand characters.
pub fn hidden(text: &str) -> String {
    const NAMES: [&str; 7] = ["token", "key", "secret", "password", "passphrase", "auth", "authorization"];
    let read = without_urls(text.get(..text.floor_char_boundary(READ)).unwrap_or_default());
    let mut out = String::with_capacity(read.len());
    let (mut hide, mut named) = (false, false);
    let ends = |c: char| c.is_whitespace() || "=:,;&\"'".contains(c);
    for part in without_secrets(&read).split_inclusive(ends) {
        let word = part.trim_end_matches(ends);
        let rest = part.get(word.len()..).unwrap_or_default();
        out.push_str(if hide && !word.is_empty() { "***" } else { word });
        out.push_str(rest);
        let lower = word.to_ascii_lowercase();
        let is_scheme = hide && matches!(lower.as_str(), "bearer" | "basic");
        named = if word.is_empty() { named } else { NAMES.iter().any(|name| lower.ends_with(name)) };
        hide = is_scheme || named && rest.contains(['=', ':']) || hide && word.is_empty();
    }
    out
}

/// Takes everything out of a text that could be a secret key.
pub fn without_secrets(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(part.len());
        let (word, rest) = part.split_at(end);
        let any = word.split('-').any(is_secret) || is_secret(word);
        clean.push_str(if any { "S…" } else { word });
        clean.push_str(rest);
    }
    clean
}

/// Whether this is a secret key of Stellar or age, or one that is mistyped or cut by a little.
pub fn is_secret(text: &str) -> bool {
    let alphabet = |b: u8| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b);
    let text = text.trim();
    (text.len() >= 50 && text.starts_with('S') && text.bytes().all(alphabet))
        || text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-")
}

/// Cuts every URL within a text to its origin.
fn without_urls(text: &str) -> String {
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
    let text = text.trim();
    let mut out = String::new();
    for c in text.chars().take(MAX_WORDS) {
        match c.is_whitespace() || c.is_control() {
            true if out.ends_with(' ') => {}
            true => out.push(' '),
            false => out.push(c),
        }
    }
    if text.chars().nth(MAX_WORDS).is_some() {
        out.push('…');
    }
    out
}

/// Names and symbols come from chains: whatever could steer a terminal or turn the reading order is replaced.
pub fn plain(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

/// A text that was typed, for a message, in quotes: not at length, without control characters, and not if it looks like a
/// secret key.
pub fn shown(text: &str) -> String {
    if is_secret(text) {
        return "\"S…\"".to_owned();
    }
    let text = &plain(&without_secrets(text));
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("\"{}…\"", &text[..end]),
        None => format!("\"{text}\""),
    }
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
            ("https://h/eth-mainnet/v1.0", "eth-mainnet v1.0", "eth-mainnet v1.0"),
            // Segments of any length, and in any form.
            ("https://h/abc", "key abc, 'ABC', xabcx", "key ***, '***', x***x"),
            ("https://h/supersecret", "no supersecret here", "no *** here"),
            ("https://h/v2/pass-word", "PASS-WORD or p%61ss%2Dword", "*** or ***"),
            ("https://h/a%2Fb%20c", "a/b c, A%2fB%20C, a\\/b c", "***, ***, ***"),
            ("https://h/v2/ab%C3%A9cd", "abécd, AB%c3%a9CD", "***, ***"),
            ("https://h/v2;key=SeCrEt77", "the key secret77", "the key ***"),
            ("https://h/rpc?auth=aaaaaa.bbbbbb.cccccc", "part bbbbbb", "part ***"),
            // Changed case, and JSON's escapes.
            ("https://h/v2/AbC123xyz", "abc123xyz ABC123XYZ", "*** ***"),
            ("https://h/v2/AbC123xyz", "\\u0041bC123xyz", "***"),
            ("https://joe:pass@h/", "Authorization: Basic am9lOnBhc3M=", "Authorization: Basic ***"),
        ] {
            assert_eq!(clean(url, text), want, "{url} {text}");
        }
    }

    #[test]
    fn what_a_program_says_has_no_secrets() {
        const SEED: &str = "SBU2RRGLXH3E5CQHTD3ODLDF2BWDCYUSSBLLZ5GNW7JXHDIYKXZWHOKR";
        for (text, want) in [
            (SEED, "S…"),
            ("cannot use -SEED-", "cannot use S…"),
            ("seed: SEED.", "seed: S…."),
            ("token=hunter2 failed", "token=*** failed"),
            ("API_KEY: hunter2, next", "API_KEY: ***, next"),
            ("{\"password\":\"hunter2\"}", "{\"password\":\"***\"}"),
            ("Authorization: Bearer hunter2 x", "Authorization: *** *** x"),
            ("block=7: no monkey", "block=7: no monkey"),
            ("https://u:p@h/x", "https://h"),
            ("a\u{1b}[2J\0b", "a [2J b"),
        ] {
            assert_eq!(said(&text.replace("SEED", SEED)), want, "{text}");
        }
    }

    #[test]
    fn a_secret_that_is_cut_off_does_not_show_its_beginning() {
        let url = "https://h/v2/SeCrEtKeY12345";
        // Blanks shrink to one, so that the end of what is read would be shown.
        for blanks in READ - 20..READ + 120 {
            let text = format!("{}SeCrEtKeY12345 {}", " ".repeat(blanks), "x".repeat(500));
            assert!(!clean(url, &text).contains("SeCr"), "{blanks}");
            let text = format!("a{}SeCrEtKeY12345 {}", " ".repeat(blanks), "x".repeat(500));
            assert!(!clean(url, &text).contains("SeCr"), "{blanks}");
        }
    }

    #[test]
    fn secrets_in_bytes_are_found() {
        let redactor = Redactor::of(&Url::parse("https://h/v2/AbC123xyz").unwrap());
        assert!(redactor.is_in(b"\x12\x34aBc123XYZ\xff"));
        assert!(!redactor.is_in(b"\x12\x34aBc123XY\xff"));
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
            let encoded = key.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02x}"));
            for form in [&key, &url, &key.to_lowercase(), &key.to_uppercase(), &encoded] {
                let text = clean(&url, &format!("{before}{form}{after}")).to_lowercase();
                let shown = text.contains(&key.to_lowercase()) || text.contains(&encoded);
                proptest::prop_assert!(!shown, "{}", text);
            }
        }
    }
}
