//! The shapes of JSON-RPC answers, each part bounded by what it is for: an id of sixty megabytes is not read into memory.

use grind::json::{Object, shown};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;
use std::fmt;

/// What an answer calls itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Id {
    /// No id, or `null`: the server could not read the question.
    #[default]
    Null,
    /// A number, as the questions have it.
    Number(u64),
    /// Anything else, for an error: its beginning.
    Other(String),
}

impl Id {
    /// The number, if it is one.
    pub const fn number(&self) -> Option<u64> {
        match self {
            Self::Number(id) => Some(*id),
            _ => None,
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Number(id) => write!(f, "{id}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Id, E> {
                Ok(Id::Null)
            }

            fn visit_u64<E: de::Error>(self, id: u64) -> Result<Id, E> {
                Ok(Id::Number(id))
            }

            fn visit_i64<E: de::Error>(self, id: i64) -> Result<Id, E> {
                Ok(Id::Other(id.to_string()))
            }

            fn visit_f64<E: de::Error>(self, id: f64) -> Result<Id, E> {
                Ok(Id::Other(id.to_string()))
            }

            fn visit_str<E: de::Error>(self, id: &str) -> Result<Id, E> {
                Ok(Id::Other(format!("{:?}", shown(id))))
            }
        }
        from.deserialize_any(Any)
    }
}

/// One answer.
#[derive(Debug, Deserialize)]
pub struct Response {
    /// To which question.
    #[serde(default)]
    pub id: Id,
    /// `null` is a result; only a missing one is none.
    #[serde(default, deserialize_with = "present")]
    pub result: Option<Box<RawValue>>,
    /// An object by the standard; some servers send a bare text.
    pub error: Option<Box<RawValue>>,
}

fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(from).map(Some)
}

/// An error as the server put it.
#[derive(Debug)]
pub struct Refusal {
    /// Its code; 0 where it gave none, or one that is no number.
    pub code: i64,
    /// Its words: a text as it is, the beginning of anything else as it was written.
    pub message: String,
    /// Its data, as it came.
    pub data: Option<Box<RawValue>>,
}

impl Refusal {
    /// Reads the `error` of an answer, whatever it is.
    pub fn parse(raw: &RawValue) -> Self {
        #[derive(Deserialize)]
        struct Parts<'a> {
            #[serde(borrow)]
            code: Option<&'a RawValue>,
            #[serde(borrow)]
            message: Option<&'a RawValue>,
            data: Option<Box<RawValue>>,
        }
        match serde_json::from_str::<Object<Parts<'_>>>(raw.get()) {
            Ok(Object(parts)) => Self {
                code: parts.code.and_then(|code| code.get().parse().ok()).unwrap_or_default(),
                message: parts.message.map(words).unwrap_or_default(),
                data: parts.data,
            },
            Err(_) => Self { code: 0, message: words(raw), data: None },
        }
    }
}

/// A text as it is, the beginning of anything else as it was written; nothing for `null`.
fn words(raw: &RawValue) -> String {
    match raw.get() {
        "null" => String::new(),
        text if text.starts_with('"') => serde_json::from_str(text).unwrap_or_default(),
        other => shown(other).into_owned(),
    }
}

/// A text with escapes is copied to be read, in steps that double: one longer than this, which no answer has, would cost
/// more than the answer is allowed to.
const LONGEST_ESCAPED: usize = 32 * 1024;

/// Refuses texts with escapes that are too long, closed or not.
fn bounded(body: &[u8]) -> serde_json::Result<()> {
    let too_long = |begun: usize, end: usize| {
        let long = end - begun > LONGEST_ESCAPED;
        let why =
            || de::Error::custom(format_args!("a text of more than {LONGEST_ESCAPED} bytes with escapes"));
        if long { Err(why()) } else { Ok(()) }
    };
    let (mut at, mut begun, mut escaped) = (0, None, false);
    while let Some(byte) = body.get(at) {
        match (begun, byte) {
            (None, b'"') => (begun, escaped) = (Some(at + 1), false),
            (Some(_), b'\\') => {
                escaped = true;
                at += 1;
            }
            (Some(start), b'"') => {
                if escaped {
                    too_long(start, at)?;
                }
                begun = None;
            }
            _ => {}
        }
        at += 1;
    }
    begun.filter(|_| escaped).map_or(Ok(()), |start| too_long(start, at))
}

/// Reads the answer to one question.
pub fn one(body: &[u8]) -> serde_json::Result<Response> {
    bounded(body)?;
    serde_json::from_slice(body).map(|Object(response)| response)
}

/// Reads the answers to a batch of `asked` questions. One more than asked is kept, which shows that there are too many.
pub fn many(body: &[u8], asked: usize) -> serde_json::Result<Vec<Response>> {
    bounded(body)?;
    let mut from = serde_json::Deserializer::from_slice(body);
    let responses = Several(asked.saturating_add(1)).deserialize(&mut from)?;
    from.end()?;
    Ok(responses)
}

struct Several(usize);

impl<'de> DeserializeSeed<'de> for Several {
    type Value = Vec<Response>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<Response>, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Several {
    type Value = Vec<Response>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of answers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Response>, A::Error> {
        let mut responses = Vec::new();
        while responses.len() < self.0 {
            match list.next_element()? {
                Some(Object(response)) => responses.push(response),
                None => return Ok(responses),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(responses)
    }
}

/// Why a body is no JSON at all: cut off, or another format. None where it is, with other parts than expected.
pub fn not_json(body: &[u8]) -> Option<serde_json::Error> {
    serde_json::from_slice::<IgnoredAny>(body).err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_small() {
        for (text, want) in [
            ("{}", "null"),
            (r#"{"id":null}"#, "null"),
            (r#"{"id":7}"#, "7"),
            (r#"{"id":-7}"#, "-7"),
            (r#"{"id":7.5}"#, "7.5"),
            (r#"{"id":"7"}"#, "\"7\""),
        ] {
            assert_eq!(one(text.as_bytes()).unwrap().id.to_string(), want, "{text}");
        }
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(1000));
        assert!(one(long.as_bytes()).unwrap().id.to_string().len() < 60);
        for bad in [r#"{"id":[1]}"#, r#"{"id":{}}"#, r#"{"id":true}"#, r#"[1,"0x1",null]"#, "5", "null"] {
            assert!(one(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_batch_keeps_no_more_than_was_asked() {
        let count = |text: &str| many(text.as_bytes(), 2).map(|all| all.len()).map_err(|e| e.to_string());
        assert_eq!(count("[]"), Ok(0));
        assert_eq!(count(r#"[{"id":1,"result":1},{"id":2}]"#), Ok(2));
        assert_eq!(count("[{},{},{},{},{}]"), Ok(3));
        for (bad, why) in [
            (r#"[[1,"0x1",null]]"#, "invalid type: sequence, expected an object"),
            (r#"{"id":1}"#, "invalid type: map, expected a list of answers"),
            ("[{},{},{},{}", "EOF"),
            ("[] x", "trailing"),
        ] {
            assert!(count(bad).unwrap_err().starts_with(why), "{bad}: {:?}", count(bad));
        }
    }

    #[test]
    fn errors_in_every_form() {
        for (text, code, message) in [
            (r#"{"code":-5,"message":"no"}"#, -5, "no"),
            (r#"{"code":"x","message":{"a":1}}"#, 0, r#"{"a":1}"#),
            (r#"{"code":1.5,"message":null}"#, 0, ""),
            (r#""over quota""#, 0, "over quota"),
            (r#"["a",1]"#, 0, r#"["a",1]"#),
            ("17", 0, "17"),
        ] {
            let raw = RawValue::from_string(text.to_owned()).unwrap();
            let refusal = Refusal::parse(&raw);
            assert_eq!((refusal.code, refusal.message.as_str()), (code, message), "{text}");
        }
    }

    #[test]
    fn texts_with_escapes_are_bounded() {
        let long = "x".repeat(LONGEST_ESCAPED);
        for (text, taken) in [
            (format!(r#"{{"result":"{long}{long}"}}"#), true),
            (format!(r#"{{"result":"\n{}","{long}":1}}"#, &long[2..]), true),
            (format!(r#"{{"result":"\n{long}"}}"#), false),
            (format!(r#"{{"a\"{long}":1}}"#), false),
            (format!(r#"{{"result":"\\","b":"{long}{long}"}}"#), true),
            (format!(r#"{{"result":"{long}\n"#), false),
        ] {
            let read = one(text.as_bytes()).map(drop).map_err(|e| e.to_string());
            assert_eq!(read.is_ok(), taken, "{read:?}");
            let bounded = many(format!("[{text}]").as_bytes(), 1);
            assert_eq!(bounded.is_ok(), taken);
        }
    }

    #[test]
    fn tells_what_is_no_json() {
        assert!(not_json(b"[1,{}]").is_none());
        assert!(not_json(b"{\"id\":").unwrap().is_eof());
        assert!(not_json(b"<p>").unwrap().is_syntax());
    }
}
