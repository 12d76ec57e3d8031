//! ERC-20 tokens: what they say of themselves, and the rows of `assets`.

use super::abi::sol::IERC20;
use alloy::primitives::Address;
use base::amount::{Base, Quantity};
use base::{Code, Error, Result};
use evm::{BatchReply, CallError, Handle, PinnedView};
use rusqlite::{Connection, params};
use state::rows;

/// An ERC-20 token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Its address.
    pub address: Address,
    /// `symbol()`.
    pub symbol: String,
    /// `decimals()`.
    pub decimals: u8,
}

impl Asset {
    /// An amount of it.
    pub fn quantity(&self, base: Base) -> Quantity {
        Quantity::new(base, self.decimals, &self.symbol)
    }
}

/// Symbol and decimals of an ERC-20 token, which must tell the latter. One that has no symbol is called by its address.
pub async fn token(view: &PinnedView, address: Address) -> Result<Asset> {
    let token = |e: CallError| e.into_error("token");
    let mut batch = view.batch();
    let symbol = batch.add(address, &IERC20::symbolCall {});
    let decimals = batch.add(address, &IERC20::decimalsCall {});
    let reply = batch.send().await?;
    Ok(Asset {
        address,
        symbol: symbol_of(&reply, symbol)?.unwrap_or_else(|| brief(address)),
        decimals: sane_decimals(address, reply.get(decimals).map_err(token)?)?,
    })
}

/// What a token calls itself: a string, or `bytes32` as older ones have it; `None` where it says nothing that can be read.
pub fn symbol_of(reply: &BatchReply, handle: Handle<IERC20::symbolCall>) -> Result<Option<String>> {
    let text = match reply.get(handle) {
        Ok(text) => text,
        Err(e) if !e.of_contract() => return Err(e.into_error("token")),
        Err(_) => reply.raw(handle).map_or_else(|_| String::new(), |data| word(&data)),
    };
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// The text of a `bytes32`; empty where the bytes are none.
fn word(data: &[u8]) -> String {
    let text = data.split(|byte| *byte == 0).next().unwrap_or_default();
    let padded = data.len() == 32 && data.iter().skip(text.len()).all(|byte| *byte == 0);
    std::str::from_utf8(text).ok().filter(|_| padded).unwrap_or_default().to_owned()
}

/// An address as people shorten it: `0x83F2…BEeA`.
fn brief(address: Address) -> String {
    let text = address.to_string();
    format!("{}…{}", text.get(..6).unwrap_or_default(), text.get(38..).unwrap_or_default())
}

pub fn sane_decimals(address: Address, decimals: u8) -> Result<u8> {
    if decimals <= 77 {
        return Ok(decimals);
    }
    let why = format!("token {address} says it has {decimals} decimals; 256 bits hold at most 77");
    Err(Error::new(Code::NotAContract, why))
}

/// A token that was seen before.
pub fn asset(conn: &Connection, address: Address) -> Result<Option<Asset>> {
    let sql = "SELECT symbol, decimals FROM assets WHERE address = ?1";
    rows::first(conn, sql, [address.to_string()], |row| {
        Ok(Asset { address, symbol: row.get("symbol")?, decimals: row.get("decimals")? })
    })
}

/// Keeps a token.
pub fn put_asset(conn: &Connection, asset: &Asset) -> Result<()> {
    let values = params![asset.address.to_string(), asset.symbol, asset.decimals];
    rows::run(conn, "INSERT OR IGNORE INTO assets VALUES (?1, ?2, ?3)", values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_32_bytes_is_text_up_to_its_padding() {
        let padded = |text: &[u8]| [text, &[0; 32][text.len()..]].concat();
        for (data, want) in [
            (padded(b"MKR"), "MKR"),
            (padded(b""), ""),
            (padded("€".as_bytes()), "€"),
            (padded(&[0xff, 0xfe]), ""),
            (b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_vec(), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            ([padded(b"MKR"), padded(b"")].concat(), ""),
            (b"MKR".to_vec(), ""),
            (padded(b"M\0KR"), ""),
        ] {
            assert_eq!(word(&data), want, "{data:?}");
        }
    }
}
