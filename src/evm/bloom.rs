//! What a header's bloom says of a token's events: evidence that an answer without them is held against. Pure.

use super::wire::{self, BlockRef};
use alloy::primitives::{Address, B256, Bloom, BloomInput};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Bits of 2,048 above which a hit means little: at a quarter of them, one address in 64 is a hit by chance.
const FULL: u32 = 512;

/// Whether a block most likely has events with `topic` of `token`. The other way round nothing is said: there are chains
/// whose blooms leave out what the chain itself writes, or keep none at all.
pub(super) fn likely(bloom: Option<&Bloom>, token: Address, topic: B256) -> bool {
    bloom.is_some_and(|bloom| {
        let bits: u32 = bloom.iter().map(|byte| byte.count_ones()).sum();
        let has = |bytes: &[u8]| bloom.contains_input(BloomInput::Raw(bytes));
        bits <= FULL && has(token.as_slice()) && has(topic.as_slice())
    })
}

/// A header with its bloom, if it has one.
pub(super) type Header = (BlockRef, Option<Box<Bloom>>);

#[derive(Deserialize)]
struct RawBloom {
    #[serde(default, rename = "logsBloom")]
    logs_bloom: Option<Box<Bloom>>,
}

/// Reads a header with its bloom, or none for `null`.
pub(super) fn header(raw: &RawValue) -> Result<Option<Header>, String> {
    let Some(block) = wire::header(raw)? else { return Ok(None) };
    let RawBloom { logs_bloom } =
        serde_json::from_str(raw.get()).map_err(|e| format!("field logsBloom: {e}"))?;
    Ok(Some((block, logs_bloom)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Address = Address::repeat_byte(1);
    const TOPIC: B256 = B256::repeat_byte(2);

    fn of(entries: &[&[u8]]) -> Bloom {
        let mut bloom = Bloom::ZERO;
        for entry in entries {
            bloom.accrue(BloomInput::Raw(entry));
        }
        bloom
    }

    #[test]
    fn what_a_bloom_says() {
        let (token, topic) = (TOKEN.as_slice(), TOPIC.as_slice());
        let others: Vec<[u8; 4]> = (0..500_u32).map(u32::to_be_bytes).collect();
        let mut crowd: Vec<&[u8]> = others.iter().map(<[u8; 4]>::as_slice).collect();
        crowd.extend([token, topic]);
        for (bloom, want) in [
            (None, false),
            // A chain that does not work blooms out.
            (Some(Bloom::ZERO), false),
            (Some(Bloom::repeat_byte(0xff)), false),
            (Some(of(&[token, topic])), true),
            (Some(of(&[token, topic, b"others", b"too"])), true),
            (Some(of(&[token])), false),
            (Some(of(&[topic])), false),
            (Some(of(&[b"others"])), false),
            (Some(of(&crowd)), false),
        ] {
            assert_eq!(likely(bloom.as_ref(), TOKEN, TOPIC), want);
        }
    }

    #[test]
    fn reads_headers_with_and_without_a_bloom() {
        let hash = format!("{TOPIC:#x}");
        let read = |bloom: &str| {
            let text = format!(r#"{{"number":"0x10","hash":"{hash}","timestamp":"0x5"{bloom}}}"#);
            header(&RawValue::from_string(text).unwrap())
        };
        for (bloom, want) in [
            (String::new(), None),
            (r#","logsBloom":null"#.to_owned(), None),
            (format!(r#","logsBloom":"0x{}""#, "00".repeat(256)), Some(Bloom::ZERO)),
        ] {
            let (block, found) = read(&bloom).unwrap().unwrap();
            assert_eq!((block.number, found.as_deref()), (16, want.as_ref()));
        }
        for bad in [r#","logsBloom":"0x""#, r#","logsBloom":5"#] {
            assert!(read(bad).unwrap_err().starts_with("field logsBloom: "), "{bad}");
        }
    }
}
