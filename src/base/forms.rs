//! Forms of text in JSON output, for its schema: a field of type `String` says with one of these what stands in it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

macro_rules! forms {
    ($($(#[$doc:meta])* $name:ident: $keyword:literal = $value:literal,)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $name {}

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", $keyword: $value })
            }
        }
    )+};
}

forms! {
    /// A time, RFC 3339 in UTC.
    Time: "format" = "date-time",
    /// An exact decimal in whole units, never negative: an amount, a price, a ratio.
    Decimal: "pattern" = r"^[0-9]+(\.[0-9]+)?$",
    /// A decimal that may be negative: a change.
    Change: "pattern" = r"^-?[0-9]+(\.[0-9]+)?$",
    /// A whole number, which may be too large for a reader's numbers.
    Whole: "pattern" = r"^[0-9]+$",
    /// An account or contract of an EVM chain.
    EvmAddress: "pattern" = r"^0x[0-9a-fA-F]{40}$",
    /// 32 bytes as an EVM chain writes them: a block's hash.
    EvmHash: "pattern" = r"^0x[0-9a-f]{64}$",
    /// A Stellar account: `G…`.
    StellarAccount: "pattern" = r"^G[A-Z2-7]{55}$",
    /// A Stellar contract: `C…`.
    StellarContract: "pattern" = r"^C[A-Z2-7]{55}$",
    /// 32 bytes in hexadecimal: a digest, a Stellar transaction's hash.
    Digest: "pattern" = r"^[0-9a-f]{64}$",
}
