//! JSON from outside, read strictly: an object is an object, a whole number is one, and a list has an end.
//!
//! What serde derives takes an array for the fields of a struct in their order, and a `Value` costs up to forty times
//! the text that it is read from. Nothing here does either, and an error names the field.

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::marker::PhantomData;

/// Most bytes of a text from outside that an error repeats.
const SHOWN: usize = 40;
/// Longest error about a field.
const LONGEST: usize = 300;

/// A struct that is read from an object and from nothing else; an error within it names the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(Named { map, key: Cow::Borrowed("") }))
    }
}

/// The fields of an object, which knows the one that is being read.
struct Named<'de, A> {
    map: A,
    key: Cow<'de, str>,
}

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Named<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(Key(key)) = self.map.next_key()? else { return Ok(None) };
        self.key = key;
        seed.deserialize(self.key.as_ref().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        let read = self.map.next_value_seed(seed);
        read.map_err(|e| A::Error::custom(format_args!("field {}: {}", shown(&self.key), why(&e))))
    }
}

/// An error of a decoder in a few words, of which no more is ever held: what it quotes may be as long as an answer. The
/// place in the text, at its end, stays.
pub fn why(error: &impl fmt::Display) -> String {
    let mut ends = Ends::default();
    // It takes whatever is written.
    let _ = write!(ends, "{error}");
    let Ends { mut first, last } = ends;
    if last.is_empty() {
        return first;
    }
    first.truncate(first.floor_char_boundary(LONGEST));
    let place = last.rfind(" at line ").and_then(|at| last.get(at..)).unwrap_or_default();
    format!("{first}…{}", head(place, SHOWN))
}

/// Both ends of a text that is written.
#[derive(Default)]
struct Ends {
    first: String,
    last: String,
}

impl fmt::Write for Ends {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LONGEST.saturating_sub(self.first.len() + self.last.len());
        let start = head(text, if self.last.is_empty() { room } else { 0 });
        self.first.push_str(start);
        let rest = text.get(start.len()..).unwrap_or_default();
        let from = rest.ceil_char_boundary(rest.len().saturating_sub(2 * SHOWN));
        self.last.push_str(rest.get(from..).unwrap_or_default());
        let from = self.last.ceil_char_boundary(self.last.len().saturating_sub(2 * SHOWN));
        self.last.drain(..from);
        Ok(())
    }
}

fn head(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

/// The beginning of a text from outside, for an error.
pub fn shown(text: &str) -> Cow<'_, str> {
    match head(text, SHOWN) {
        all if all.len() == text.len() => Cow::Borrowed(text),
        start => Cow::Owned(format!("{start}…")),
    }
}

/// A list of at most `N` elements; a longer one is refused where it passes that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtMost<T, const N: usize>(pub Vec<T>);

impl<T, const N: usize> Default for AtMost<T, N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for AtMost<T, N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(ListVisitor::<T, N>(PhantomData)).map(Self)
    }
}

struct ListVisitor<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for ListVisitor<T, N> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {N}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut read = Vec::new();
        while let Some(element) = list.next_element()? {
            if read.len() == N {
                return Err(A::Error::custom(format_args!("more than {N} elements")));
            }
            read.push(element);
        }
        Ok(read)
    }
}

/// Reads a whole number of 64 bits: a JSON number, or a string of decimal digits. Nothing of a wrong value is kept.
pub fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let text = |text: &str| {
        let wrong = || format!("invalid whole number {:?}; allowed: 0 to {}", shown(text), u64::MAX);
        digits(text).ok_or_else(wrong)
    };
    let expected = "a whole number from 0 to 18446744073709551615, as a number or a string";
    from.deserialize_any(Scalar { expected, number: |number| number, text })
}

/// Reads a whole number or a text.
pub(super) struct Scalar<T> {
    pub(super) expected: &'static str,
    pub(super) number: fn(u64) -> T,
    pub(super) text: fn(&str) -> Result<T, String>,
}

impl<T> Visitor<'_> for Scalar<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        Ok((self.number)(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<T, E> {
        (self.text)(value).map_err(E::custom)
    }
}

/// Decimal digits alone, without a sign or blanks, up to 2^64 - 1.
pub fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    #[derive(Debug, serde::Deserialize)]
    struct Inner<'a> {
        #[serde(deserialize_with = "whole")]
        number: u64,
        #[serde(borrow, default)]
        raw: Option<&'a RawValue>,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[serde(default)]
        list: AtMost<u8, 3>,
        inner: Option<Object<Pair>>,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Pair {
        a: u8,
        b: u8,
    }

    fn outer(text: &str) -> Result<Outer, String> {
        serde_json::from_str::<Object<Outer>>(text).map(|read| read.0).map_err(|e| e.to_string())
    }

    #[test]
    fn objects_are_objects() {
        let want = Outer { list: AtMost(vec![1, 2, 3]), inner: Some(Object(Pair { a: 1, b: 2 })) };
        assert_eq!(outer(r#"{"list":[1,2,3],"inner":{"a":1,"\u0062":2}}"#), Ok(want));
        assert_eq!(outer(r#"{"inner":null}"#), Ok(Outer { list: AtMost(vec![]), inner: None }));
        for (text, why) in [
            ("[[1],null]", "invalid type: sequence, expected an object"),
            ("5", "invalid type: integer `5`, expected an object"),
            (
                r#"{"inner":[1,2]}"#,
                "field inner: invalid type: sequence, expected an object at line 1 column 9",
            ),
            (r#"{"inner":{"a":300,"b":1}}"#, "field inner: field a: invalid value: integer `300`"),
            (r#"{"inner":{"a":3}}"#, "field inner: missing field `b`"),
            (r#"{"list":[1,2,3,4]}"#, "field list: more than 3 elements"),
            (r#"{"list":{}}"#, "field list: invalid type: map, expected a list of at most 3"),
            (r#"{"more":1}"#, "unknown field `more`"),
            (r#"{"list":[],"list":[]}"#, "duplicate field `list`"),
        ] {
            let got = outer(text).unwrap_err();
            assert!(got.starts_with(why), "{text}: {got}");
        }
    }

    #[test]
    fn borrowed_and_raw_values_pass_through() {
        let text = r#"{"raw":[1, {}],"number":"7"}"#;
        let Object(read) = serde_json::from_str::<Object<Inner<'_>>>(text).unwrap();
        assert_eq!((read.number, read.raw.unwrap().get()), (7, "[1, {}]"));
    }

    /// Written piece by piece.
    struct Pieces(Vec<String>);

    impl fmt::Display for Pieces {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().try_for_each(|piece| f.write_str(piece))
        }
    }

    #[test]
    fn errors_are_short_and_keep_their_place() {
        let text = format!(r#"{{"inner":{{"a":"{}"}}}}"#, "x".repeat(5_000));
        let got = outer(&text).unwrap_err();
        assert!(got.len() < 500 && got.ends_with(" at line 1 column 5016"), "{got}");
        let text = format!("\"{}\"", "x".repeat(5_000));
        let error = serde_json::from_str::<Object<Outer>>(&text).unwrap_err();
        let got = why(&error);
        assert!(got.starts_with("invalid type: string \"xxx") && got.len() < 400, "{got}");
        assert!(got.ends_with("… at line 1 column 5002"), "{got}");
        for length in [0, 299, 300, 301, 380, 10_000] {
            let text = "é".repeat(length / 2) + &"x".repeat(length % 2);
            let want = if length <= LONGEST { text.clone() } else { head(&text, LONGEST).to_owned() + "…" };
            assert_eq!(why(&text), want, "{length}");
            let pieces = text.chars().map(String::from).collect::<Vec<_>>();
            assert_eq!(why(&Pieces(pieces)), want, "{length}");
        }
        let text = format!(r#"{{"{}":1}}"#, "k".repeat(5_000));
        assert!(serde_json::from_str::<Object<Inner<'_>>>(&text).is_err());
    }

    #[test]
    fn whole_numbers() {
        let read = |text: &str| whole(&mut serde_json::Deserializer::from_str(text)).ok();
        for text in ["5", "\"5\"", "\"007\"", "18446744073709551615", "\"18446744073709551615\""] {
            assert_eq!(read(text), text.trim_matches('"').parse().ok(), "{text}");
        }
        let bad = r#"18446744073709551616 "18446744073709551616" "" "-5" -5 "+5" "1_000" "0x5" "0b11" 5.0 5e0 null [5] {} true"#;
        for text in bad.split(' ').chain(["\" 5\""]) {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_number_is_its_digits(number: u64) {
            prop_assert_eq!(digits(&number.to_string()), Some(number));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            let _ = outer(&text);
            let _ = shown(&text);
            let _ = digits(&text);
        }
    }
}
