//! Taking contract values apart, strictly: each error names what was read and the field that is wrong.

use base::{Code, Error, Result, counted};
use stellar_xdr::{ScMap, ScVal};

/// A contract value that cannot be what the contract stores.
pub(crate) fn bad(what: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Code::BadReply, format!("{what}: {why}"))
        .hint("is kale.contract_id the KALE farm, and is the endpoint sound?")
}

/// The kind of a value, for messages; never its contents.
pub(super) const fn kind(value: &ScVal) -> &'static str {
    value.name()
}

/// A struct of the contract: a map from symbols, of which each expected one is there once and no other.
pub(super) struct Fields<'a> {
    what: &'a str,
    map: &'a ScMap,
}

impl<'a> Fields<'a> {
    /// The fields of `value`, which is called `what` in errors.
    pub(super) fn of(what: &'a str, value: &'a ScVal, names: &[&str]) -> Result<Self> {
        let ScVal::Map(Some(map)) = value else {
            return Err(bad(what, format!("expected a map, found {}", kind(value))));
        };
        let mut seen = Vec::with_capacity(names.len());
        for entry in map.iter() {
            let ScVal::Symbol(symbol) = &entry.key else {
                return Err(bad(what, format!("expected symbols as keys, found {}", kind(&entry.key))));
            };
            let name = symbol.to_utf8_string_lossy();
            if !names.contains(&name.as_str()) {
                return Err(bad(what, format!("has a field \"{name}\" that is not known")));
            }
            if seen.contains(&name) {
                return Err(bad(what, format!("has the field \"{name}\" twice")));
            }
            seen.push(name);
        }
        Ok(Self { what, map })
    }

    fn get(&self, name: &str) -> Result<&'a ScVal> {
        let named =
            |key: &ScVal| matches!(key, ScVal::Symbol(symbol) if symbol.0.as_slice() == name.as_bytes());
        let entry = self.map.iter().find(|entry| named(&entry.key));
        let entry = entry.ok_or_else(|| bad(self.what, format!("the field \"{name}\" is missing")))?;
        Ok(&entry.val)
    }

    fn wrong(&self, name: &str, expected: &str, found: impl std::fmt::Display) -> Error {
        bad(self.what, format!("the field \"{name}\" should be {expected}, found {found}"))
    }

    /// A value that is `expected` to be of this kind.
    fn take<T: TryFrom<ScVal>>(&self, name: &str, expected: &str) -> Result<T> {
        let value = self.get(name)?;
        value.clone().try_into().map_err(|_| self.wrong(name, expected, kind(value)))
    }

    pub(super) fn u32(&self, name: &str) -> Result<u32> {
        self.take(name, "a u32")
    }

    /// A u32 that may be absent, as the contract's `Option`.
    pub(super) fn optional_u32(&self, name: &str) -> Result<Option<u32>> {
        match self.get(name)? {
            ScVal::Void => Ok(None),
            ScVal::U32(value) => Ok(Some(*value)),
            other => Err(self.wrong(name, "a u32 or nothing", kind(other))),
        }
    }

    pub(super) fn u64(&self, name: &str) -> Result<u64> {
        self.take(name, "a u64")
    }

    pub(super) fn i128(&self, name: &str) -> Result<i128> {
        self.take(name, "an i128")
    }

    /// An i128 that is not negative: every amount and total of the contract.
    pub(super) fn amount(&self, name: &str) -> Result<i128> {
        let value = self.i128(name)?;
        if value >= 0 { Ok(value) } else { Err(self.wrong(name, "0 or more", value)) }
    }

    pub(super) fn bytes32(&self, name: &str) -> Result<[u8; 32]> {
        match self.get(name)? {
            ScVal::Bytes(bytes) => bytes
                .as_slice()
                .try_into()
                .map_err(|_| self.wrong(name, "32 bytes", counted(bytes.len(), "byte"))),
            other => Err(self.wrong(name, "32 bytes", kind(other))),
        }
    }
}
