//! Forms of text in JSON output, for its schema: a field of type `String` says with one of these what stands in it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

macro_rules! forms {
    ($($name:ident: $keyword:literal = $value:literal, $doc:literal;)+) => {$(
        #[doc = $doc]
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
    Time: "format" = "date-time", "A time, RFC 3339 in UTC.";
    Decimal: "pattern" = r"^[0-9]+(\.[0-9]+)?$", "An exact decimal in whole units, never negative: an amount, a price, a ratio.";
    Change: "pattern" = r"^-?[0-9]+(\.[0-9]+)?$", "A decimal that may be negative: a change.";
    Whole: "pattern" = r"^[0-9]+$", "A whole number, which may be too large for a reader's numbers.";
    EvmAddress: "pattern" = r"^0x[0-9a-fA-F]{40}$", "An account or contract of an EVM chain.";
    EvmHash: "pattern" = r"^0x[0-9a-f]{64}$", "32 bytes as an EVM chain writes them: a block's hash.";
    StellarAccount: "pattern" = r"^G[A-Z2-7]{55}$", "A Stellar account: `G…`.";
    StellarContract: "pattern" = r"^C[A-Z2-7]{55}$", "A Stellar contract: `C…`.";
    Digest: "pattern" = r"^[0-9a-f]{64}$", "32 bytes in hexadecimal: a digest, a Stellar transaction's hash.";
}
