//! Jobs as text: addresses, entropy and nonces as people and other programs write them, and NDJSON jobs.

use super::block::Job;
use super::json::{Object, Scalar, whole};
use super::lines::LineError;
use super::search::{Limits, Solution};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use stellar_strkey::Strkey;

/// Text that is not what it should be: what was given, and what is wrong with it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    /// Not 32 bytes of entropy.
    #[error("entropy '{0}': {1}; allowed: 64 hex digits, or 44 characters of standard base64 (32 bytes)")]
    Entropy(String, String),
    /// Not a farmer's address.
    #[error("farmer '{0}': {1}; allowed: a G… or C… address, or 64 hex digits")]
    Farmer(String, String),
    /// Not a nonce.
    #[error("nonce '{0}': {1}; allowed: a whole number from 0 to {max}", max = u64::MAX)]
    Nonce(String, &'static str),
}

/// At most so many characters of bad input are repeated in an error.
const SHOWN: usize = 80;

fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

fn hex32(value: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(value, &mut bytes).ok().map(|()| bytes)
}

fn is_hex(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// 32 bytes from 64 hex digits or standard base64 with padding. The lengths differ, so nothing is ambiguous.
pub fn parse_entropy(value: &str) -> Result<[u8; 32], ParseError> {
    let bad = |reason: String| ParseError::Entropy(shown(value), reason);
    if let Some(bytes) = hex32(value) {
        return Ok(bytes);
    }
    if value.len() != 44 && is_hex(value) {
        return Err(bad(format!("{} hex digits", value.len())));
    }
    let bytes = STANDARD.decode(value).map_err(|error| bad(format!("neither hex nor base64 ({error})")))?;
    let count = bytes.len();
    bytes.try_into().map_err(|_| bad(format!("{count} bytes")))
}

/// The 32 bytes that go into the hash, from a `G…` address, a `C…` address (both with their checksum) or 64 hex digits.
pub fn parse_farmer(value: &str) -> Result<[u8; 32], ParseError> {
    let bad = |reason: String| ParseError::Farmer(shown(value), reason);
    if let Some(bytes) = hex32(value) {
        return Ok(bytes);
    }
    // A secret seed must not come back in a message that is written to a log.
    if value.starts_with('S') && value.len() == 56 {
        return Err(ParseError::Farmer("S…".to_owned(), "a secret seed".to_owned()));
    }
    if is_hex(value) && !value.starts_with('C') {
        return Err(bad(format!("{} hex digits", value.len())));
    }
    match Strkey::from_string(value) {
        Ok(Strkey::PublicKeyEd25519(key)) => Ok(key.0),
        Ok(Strkey::Contract(contract)) => Ok(contract.0),
        Ok(_) => Err(bad("an address of another kind".to_owned())),
        Err(error) => Err(bad(error.to_string())),
    }
}

/// A nonce in decimal digits.
pub fn parse_nonce(value: &str) -> Result<u64, ParseError> {
    let bad = |reason| Err(ParseError::Nonce(shown(value), reason));
    match value.as_bytes() {
        [] => bad("nothing there"),
        [b'-', ..] => bad("negative"),
        digits if !digits.iter().all(u8::is_ascii_digit) => bad("not a whole number"),
        _ => value.parse().or_else(|_| bad("larger than a u64")),
    }
}

/// A 64-bit whole number in JSON: a number, or a string of digits (many readers keep only 53 bits of a number).
/// Written as a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(pub u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        whole(deserializer).map(Self)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl JsonSchema for Number {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+$" })
    }
}

/// The name a job is answered under: any JSON string or whole number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Id {
    /// A whole number.
    Number(u64),
    /// A string.
    Text(String),
}

/// Not as serde derives it, which holds whatever is there in many times its size before it looks what it is.
impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = |text: &str| Ok(Self::Text(text.to_owned()));
        deserializer.deserialize_any(Scalar {
            expected: "a string or a whole number",
            number: Self::Number,
            text,
        })
    }
}

/// A line of NDJSON that asks for work. At least one of `nonces`, `zeros` and `until` must be there.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobLine {
    /// Repeated in every answer.
    pub id: Id,
    /// Number of the farm's block.
    pub index: u32,
    /// Hex or base64, see [`parse_entropy`].
    pub entropy: String,
    /// Address or hex, see [`parse_farmer`].
    pub farmer: String,
    /// First nonce, a random one if left out.
    #[serde(default)]
    pub start: Option<Number>,
    /// Number of nonces.
    #[serde(default)]
    pub nonces: Option<Number>,
    /// Zeros that are enough.
    #[serde(default)]
    pub zeros: Option<u32>,
    /// Unix time in seconds at which to stop.
    #[serde(default)]
    pub until: Option<Number>,
}

/// A job line that cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Not JSON, or not a job.
    #[error("not a job: {0}")]
    Json(#[from] serde_json::Error),
    /// A field with wrong content.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A limit that cannot be.
    #[error(transparent)]
    Limit(#[from] super::search::LimitError),
    /// Nothing would end it.
    #[error("the job has no end; allowed: at least one of nonces, zeros, until")]
    Endless,
    /// The line itself could not be read.
    #[error(transparent)]
    Line(#[from] LineError),
}

impl JobError {
    /// A word that stays the same for scripts to match.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json(_) | Self::Line(LineError::TooLong(_) | LineError::NotText) => "invalid_json",
            Self::Parse(ParseError::Entropy(..)) => "invalid_entropy",
            Self::Parse(ParseError::Farmer(..)) => "invalid_farmer",
            Self::Parse(ParseError::Nonce(..)) => "invalid_nonce",
            Self::Limit(_) => "invalid_limit",
            Self::Endless => "endless_job",
            Self::Line(LineError::Endless | LineError::Read(_)) => "unreadable",
        }
    }
}

/// A job line, checked. The deadline is still a Unix time, as this file knows no clock.
#[derive(Clone, Debug)]
pub struct Task {
    /// Repeated in every answer.
    pub id: Id,
    /// What is hashed.
    pub job: Job,
    /// Limits but for the deadline.
    pub limits: Limits,
    /// Unix time in seconds at which to stop.
    pub until: Option<u64>,
}

impl Task {
    /// Reads a line of NDJSON. Where it names no start, `random` decides.
    pub fn parse(line: &str, random: u64) -> Result<Self, JobError> {
        let Object(line): Object<JobLine> = serde_json::from_str(line)?;
        let job = Job {
            index: line.index,
            entropy: parse_entropy(&line.entropy)?,
            farmer: parse_farmer(&line.farmer)?,
        };
        if line.nonces.is_none() && line.zeros.is_none() && line.until.is_none() {
            return Err(JobError::Endless);
        }
        let nonces = line.nonces.map(|nonces| nonces.0);
        let limits = Limits {
            start: line.start.map_or_else(|| Limits::random_start(random, nonces), |start| start.0),
            nonces,
            zeros: line.zeros,
            deadline: None,
        };
        limits.range()?;
        Ok(Self { id: line.id, job, limits, until: line.until.map(|until| until.0) })
    }
}

/// A solution as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema)]
pub struct Found {
    /// The nonce.
    pub nonce: Number,
    /// Its digest in hex.
    #[schemars(pattern("^[0-9a-f]{64}$"))]
    pub hash: String,
    /// Leading zero hex digits of it.
    pub zeros: u32,
}

impl From<Solution> for Found {
    fn from(solution: Solution) -> Self {
        Self { nonce: Number(solution.nonce), hash: hex::encode(solution.hash), zeros: solution.zeros }
    }
}
