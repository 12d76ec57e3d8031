//! Inputs made of known ones: random changes that follow from a seed, and for each value of a JSON text, one that is too much.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::ops::Range;

/// Longest input.
pub const LONGEST: usize = 256 << 10;

/// Words that decoders branch on.
const TOKENS: &[&str] = &[
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "\"\"",
    "\"0x\"",
    "\"0x0\"",
    "0",
    "-1",
    "1.5",
    "1e400",
    "18446744073709551616",
    "\"0X1F\"",
    "\"10\"",
    "0x",
    "\\u0000",
    "\\ud800",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\n",
    "\r\n",
    "\0",
    "\u{feff}",
    "%41",
    "://",
    "\"id\":",
    "\"result\":",
    "\"error\":",
    "\"data\":",
    "\"events\":",
    "\"xdr\":",
    "\"logs\":",
    "\"topics\":",
    "-> scrypt ",
    "-> X25519 ",
    "--- ",
    "[profiles.x]\n",
    "a = 1\n",
];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "007",
    "255",
    "256",
    "4294967295",
    "4294967296",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "115792089237316195423570985008687907853269984665640564039457584007913129639936",
    "1.5",
];
const BYTES: &[u8] = &[0, 1, 4, 16, 32, 0x7f, 0x80, 0xff, b'"', b'\\', b'[', b'{', b'0', b'x'];

/// Numbers that follow from a seed: `SplitMix64`.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap_or(u64::MAX)).unwrap_or_default()
    }

    /// One of several.
    pub fn one<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    /// A part of a text of this length.
    fn part(&mut self, length: usize) -> Range<usize> {
        let start = self.below(length + 1);
        let most = (length - start).min(if self.below(4) == 0 { length } else { 32 });
        start..start + self.below(most + 1)
    }
}

/// A known input, or a part of two, changed at one to six places.
pub fn mutated(random: &mut Random, pool: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = random.one(pool).cloned().unwrap_or_default();
    for _ in 0..=random.below(6) {
        change(random, pool, &mut bytes);
        bytes.truncate(LONGEST);
    }
    bytes
}

fn change(random: &mut Random, pool: &[Vec<u8>], bytes: &mut Vec<u8>) {
    let part = random.part(bytes.len());
    match random.below(12) {
        0 => {
            let at = random.below(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => {
            let at = random.below(bytes.len());
            if let (Some(byte), Some(new)) = (bytes.get_mut(at), random.one(BYTES)) {
                *byte = *new;
            }
        }
        2 => drop(bytes.drain(part)),
        3 => bytes.truncate(part.start),
        4 => insert(bytes, part.start, random.one(TOKENS).map_or(&[], |token| token.as_bytes())),
        5 => {
            let copy = bytes.get(part.clone()).unwrap_or_default().to_vec();
            insert(bytes, part.start, &copy);
        }
        6 => {
            let copy = bytes.get(part.clone()).unwrap_or_default();
            let most = if random.below(20) == 0 { 4000 } else { 20 };
            let times = random.below(most);
            let copy = copy.repeat(times.min(LONGEST / copy.len().max(1)));
            insert(bytes, part.start, &copy);
        }
        7 => {
            if let Some(other) = random.one(pool) {
                let other = other.get(random.part(other.len())).unwrap_or_default();
                bytes.splice(part, other.iter().copied());
            }
        }
        8 => replace(random, bytes, u8::is_ascii_digit, |random, _| {
            random.one(NUMBERS).map_or_else(Vec::new, |number| number.as_bytes().to_vec())
        }),
        9 => {
            let values = values(bytes);
            if let (Some(place), Some(token)) = (random.one(&values), random.one(TOKENS)) {
                bytes.splice(place.clone(), token.bytes());
            }
        }
        // The bytes within base64, which a change of its letters seldom leaves readable.
        _ => replace(
            random,
            bytes,
            |byte| is_base64(*byte),
            |random, old| match STANDARD.decode(old) {
                Ok(mut inner) => {
                    let inner_pool = [inner.clone()];
                    for _ in 0..=random.below(3) {
                        change(random, &inner_pool, &mut inner);
                    }
                    STANDARD.encode(inner).into_bytes()
                }
                Err(_) => old.to_vec(),
            },
        ),
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    bytes.splice(at..at, new.iter().copied());
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// Replaces the run of such bytes around a random place.
fn replace(
    random: &mut Random,
    bytes: &mut Vec<u8>,
    of: impl Fn(&u8) -> bool,
    by: impl FnOnce(&mut Random, &[u8]) -> Vec<u8>,
) {
    let at = random.below(bytes.len());
    let Some(first) = bytes.iter().skip(at).position(&of).map(|more| at + more) else { return };
    let start = bytes.iter().take(first).rposition(|byte| !of(byte)).map_or(0, |before| before + 1);
    let end = bytes.iter().skip(first).position(|byte| !of(byte)).map_or(bytes.len(), |more| first + more);
    let new = by(random, bytes.get(start..end).unwrap_or_default());
    bytes.splice(start..end, new);
}

/// Where the values of a JSON text lie, so far as they do not hold others: texts that are no keys, numbers, words.
pub fn values(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let end = match byte {
            b'"' => {
                let mut end = at + 1;
                while bytes.get(end).is_some_and(|byte| *byte != b'"') {
                    end += if bytes.get(end) == Some(&b'\\') { 2 } else { 1 };
                }
                end + 1
            }
            byte if byte.is_ascii_alphanumeric() || *byte == b'-' => {
                let more = bytes.iter().skip(at).position(|byte| b",:]} \r\n\t".contains(byte));
                more.map_or(bytes.len(), |more| at + more)
            }
            _ => {
                at += 1;
                continue;
            }
        };
        let end = end.min(bytes.len());
        if bytes.iter().skip(end).find(|byte| !byte.is_ascii_whitespace()) != Some(&b':') {
            found.push(at..end);
        }
        at = end.max(at + 1);
    }
    found
}

/// Each value of a JSON text in turn replaced by something of `size` bytes that no field is.
pub fn too_much(bytes: &[u8], size: usize) -> impl Iterator<Item = Vec<u8>> {
    let repeat = |open: &str, one: &str, close: &str| {
        let body = one.repeat(size / one.len().max(1));
        format!("{open}{}{close}", body.trim_end_matches(',')).into_bytes()
    };
    let many = [
        repeat("[", "0,", "]"),
        repeat("[", "[],", "]"),
        repeat("[", "{},", "]"),
        repeat("[", "\"\",", "]"),
        repeat("{", "\"a\":1,", "}"),
        repeat("\"", "A", "\""),
        repeat("\"", "\\u0041", "\""),
        repeat("\"0x", "00", "\""),
        repeat("", "9", ""),
        repeat("", "[", ""),
    ];
    let places = values(bytes);
    let bytes = bytes.to_vec();
    places.into_iter().flat_map(move |place| {
        let bytes = bytes.clone();
        many.clone().into_iter().map(move |value| {
            let mut new = bytes.clone();
            new.splice(place.clone(), value);
            new
        })
    })
}
