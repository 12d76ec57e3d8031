//! Nonces that other machines found, one JSON object a line: `{"farmer": …, "nonce": …}`, or what `grind --jobs` answers.

use grind::job::parse_nonce;
use grind::json::Object;
use grind::lines::Text;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Most bytes of a line.
pub const LONGEST: usize = 4096;

/// A nonce for a farmer, as a line has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Id or address.
    pub farmer: String,
    /// The nonce.
    pub nonce: u64,
    /// The hash that the finder computed, where the line has it.
    pub hash: Option<String>,
}

/// Why a line is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// A stable word.
    pub code: &'static str,
    /// For a person.
    pub message: String,
    /// Whom it names, as far as it does.
    pub farmer: Option<String>,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    farmer: Option<String>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    nonce: Option<&'a RawValue>,
    hash: Option<String>,
}

/// What a line calls a farmer, for a message: not at length, and not if it could be a secret key.
pub fn shown(name: &str) -> String {
    if name.len() >= 50 && name.starts_with('S') {
        return "S…".to_owned();
    }
    name.chars().take(80).collect()
}

fn wrong(code: &'static str, farmer: Option<&str>, message: impl Into<String>) -> Wrong {
    Wrong { code, message: message.into(), farmer: farmer.map(shown) }
}

/// Reads a line, which may be none of text. `None` for nothing to submit: an empty line, an improvement that a solution
/// follows, or the summary at the end.
pub fn read(line: &Text) -> Result<Option<Offer>, Wrong> {
    parse(line.as_ref().map_err(|e| wrong("invalid_json", None, e.to_string()))?)
}

fn parse(line: &str) -> Result<Option<Offer>, Wrong> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(None);
    }
    let odd =
        |e: serde_json::Error| wrong("invalid_json", None, format!("not {{\"farmer\", \"nonce\"}}: {e}"));
    let Object(raw): Object<Raw<'_>> = serde_json::from_str(line).map_err(odd)?;
    let farmer = raw.farmer.or_else(|| serde_json::from_str(raw.id?.get()).ok());
    match raw.kind.as_deref() {
        None | Some("solution") => {}
        Some("progress" | "result") => return Ok(None),
        Some("error") => return Err(wrong("not_solved", farmer.as_deref(), "the grinder refused this job")),
        Some(other) => {
            let message = format!("a line of type {other:?} holds no nonce");
            return Err(wrong("invalid_json", farmer.as_deref(), message));
        }
    }
    let farmer = farmer.ok_or_else(|| {
        wrong("unknown_farmer", None, "no \"farmer\": the farmer's id or address (in a job of grind, its id)")
    })?;
    let nonce = raw.nonce.ok_or_else(|| wrong("invalid_nonce", Some(&farmer), "no \"nonce\""))?;
    // The digits as they stand: read as a number, 2^64 would have become another one.
    let text = nonce.get();
    let text = serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned());
    let nonce = parse_nonce(&text).map_err(|e| wrong("invalid_nonce", Some(&farmer), e.to_string()))?;
    Ok(Some(Offer { farmer, nonce, hash: raw.hash }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offer(line: &str) -> Offer {
        parse(line).unwrap().unwrap()
    }

    #[test]
    fn nonces_are_whole_numbers_of_64_bits() {
        for (text, nonce) in [("0", 0), ("\"7\"", 7), ("18446744073709551615", u64::MAX)] {
            let line = format!("{{\"farmer\":\"G\",\"nonce\":{text}}}");
            assert_eq!(offer(&line), Offer { farmer: "G".to_owned(), nonce, hash: None });
        }
        for (text, code, says) in [
            ("-1", "invalid_nonce", "negative"),
            ("1.5", "invalid_nonce", "not a whole number"),
            ("1e3", "invalid_nonce", "not a whole number"),
            ("18446744073709551616", "invalid_nonce", "larger than a u64"),
            ("\"12junk\"", "invalid_nonce", "not a whole number"),
            ("\"\"", "invalid_nonce", "nothing there"),
            ("null", "invalid_nonce", "no \"nonce\""),
            ("12junk", "invalid_json", "expected"),
        ] {
            let wrong = parse(&format!("{{\"farmer\":\"G\",\"nonce\":{text}}}")).unwrap_err();
            assert_eq!(wrong.code, code, "{text}");
            assert!(wrong.message.contains(says), "{text}: {}", wrong.message);
        }
    }

    #[test]
    fn answers_of_grind_are_taken_as_they_are() {
        let line = r#"{"type":"solution","line":1,"id":"GA","nonce":"12","hash":"00ab","zeros":2,"hashes":"99","end":"zeros","milliseconds":4}"#;
        let want = Offer { farmer: "GA".to_owned(), nonce: 12, hash: Some("00ab".to_owned()) };
        assert_eq!(offer(line), want);
        for nothing in ["", "  ", r#"{"type":"progress","id":"GA","nonce":"1"}"#, r#"{"type":"result"}"#] {
            assert_eq!(parse(nothing), Ok(None));
        }
        for (line, code) in [
            (r#"{"type":"solution","id":"GA"}"#, "invalid_nonce"),
            (r#"{"type":"error","line":1,"code":"x","message":"y"}"#, "not_solved"),
            (r#"{"type":"other"}"#, "invalid_json"),
            (r#"{"id":5,"nonce":1}"#, "unknown_farmer"),
            (r#"{"nonce":1}"#, "unknown_farmer"),
            ("[1]", "invalid_json"),
            (r#"["solution","G",null,1,null]"#, "invalid_json"),
            ("nonsense", "invalid_json"),
        ] {
            assert_eq!(parse(line).unwrap_err().code, code, "{line}");
        }
        let long = Err(grind::lines::LineError::TooLong(LONGEST));
        assert_eq!(read(&long).unwrap_err().code, "invalid_json");
    }

    proptest! {
        #[test]
        fn whatever_is_read_nothing_panics(line in ".{0,200}") {
            let _ = parse(&line);
        }

        #[test]
        fn every_nonce_is_read_as_it_stands(nonce in any::<u64>(), quoted in any::<bool>()) {
            let text = if quoted { format!("\"{nonce}\"") } else { nonce.to_string() };
            prop_assert_eq!(offer(&format!("{{\"farmer\":\"G\",\"nonce\":{text}}}")).nonce, nonce);
        }
    }
}
