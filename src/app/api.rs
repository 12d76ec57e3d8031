//! How commands are had by HTTP: a line of the registry names method, path and who may.

use schemars::JsonSchema;
use serde::Serialize;
use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

/// What a token may do.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    EnumString,
    IntoStaticStr,
    VariantArray,
    VariantNames,
    Serialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// Everything.
    Operator,
    /// Reading everything.
    Reader,
    /// A pooler, with its farmers.
    Pooler,
    /// One farmer.
    Farmer,
    /// One member of the EVM pools.
    Member,
    /// Somebody who hashes for the pool.
    Miner,
}

state::stored_as_word!(Role);

impl Role {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it is somebody's, and not for all there is.
    pub const fn has_subject(self) -> bool {
        !matches!(self, Self::Operator | Self::Reader)
    }
}

/// GET reads, POST acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Acts.
    Post,
}

/// A role that may, besides operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who {
    /// The role.
    pub role: Role,
    /// Arguments that name somebody, who must be its own; where none of them is given, it means its own by the first.
    pub own: &'static [&'static str],
    /// Arguments that are the operator's alone.
    pub not: &'static [&'static str],
}

/// How a command is had by HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// What it does.
    pub method: Method,
    /// Behind `/api/v1`; what stands in braces are arguments.
    pub path: &'static str,
    /// Who may, besides operators.
    pub access: &'static [Who],
    /// What it shows is in the state alone, and changes with it.
    pub is_of_state: bool,
    /// It makes something.
    pub makes: bool,
}

/// A route that reads the state.
pub const fn get(path: &'static str, access: &'static [Who]) -> Route {
    Route { method: Method::Get, path, access, is_of_state: true, makes: false }
}

/// One that acts.
pub const fn post(path: &'static str, access: &'static [Who]) -> Route {
    Route { method: Method::Post, path, access, is_of_state: false, makes: false }
}

impl Route {
    /// It reads a network, a clock or files too.
    #[must_use]
    pub const fn live(self) -> Self {
        Self { is_of_state: false, ..self }
    }

    /// It makes something: 201.
    #[must_use]
    pub const fn made(self) -> Self {
        Self { makes: true, ..self }
    }
}

/// Operators alone.
pub const OPERATOR: &[Who] = &[];

const READ: Who = Who { role: Role::Reader, own: &[], not: &[] };

/// Readers.
pub const READER: &[Who] = &[READ];

/// Whoever has a token.
pub const ALL: &[Who] = &[
    READ,
    Who { role: Role::Pooler, own: &[], not: &[] },
    Who { role: Role::Farmer, own: &[], not: &[] },
    Who { role: Role::Member, own: &[], not: &[] },
    Who { role: Role::Miner, own: &[], not: &[] },
];

/// Readers, and a member of itself.
pub const MEMBER_READS: &[Who] = &[READ, Who { role: Role::Member, own: &["member"], not: &[] }];

/// A member, for itself.
pub const MEMBER: &[Who] = &[Who { role: Role::Member, own: &["member"], not: &[] }];

/// Readers, a pooler of its farmers, a farmer of itself: one farmer.
pub const FARMER_READS: &[Who] = &[
    READ,
    Who { role: Role::Pooler, own: &["farmer"], not: &[] },
    Who { role: Role::Farmer, own: &["farmer"], not: &[] },
];

/// Readers, and a pooler of what is its own.
pub const POOLER_READS: &[Who] = &[READ, Who { role: Role::Pooler, own: &["pooler"], not: &[] }];

/// A pooler, for its farmers.
pub const POOLER_FARMERS: &[Who] = &[Who { role: Role::Pooler, own: &["farmers"], not: &["all"] }];

/// A pooler, for farmers that are to be its own.
pub const POOLER: &[Who] = &[Who { role: Role::Pooler, own: &["pooler"], not: &["address"] }];
