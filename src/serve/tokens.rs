//! Tokens: who may use the server, and as what. 256 random bits that are shown once; what is stored is their SHA-256.

use app::api::Role;
use base::{Code, Error, Result, say};
use rusqlite::{Connection, params};
use serde_json::json;
use sha2::{Digest, Sha256};
use state::rows::{self, Row};
use state::{Tx, check_words};
use subtle::ConstantTimeEq;

/// A token, as far as the state knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// `t` and seven hex digits; they stand in the token too.
    pub id: String,
    /// The operator's name for it.
    pub name: Option<String>,
    /// What it may do.
    pub role: Role,
    /// Whose it is: id of a pooler or farmer, address of a member, name of a miner.
    pub subject: Option<String>,
    /// Seconds since 1970, as the other times.
    pub created_at: i64,
    /// From then on it is worth nothing.
    pub expires_at: Option<i64>,
    /// Since then it is worth nothing.
    pub revoked_at: Option<i64>,
    /// To the minute.
    pub used_at: Option<i64>,
}

impl Token {
    /// Who an audit event names.
    pub fn actor(&self) -> String {
        let name = self.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        format!("token {}{name}", self.id)
    }

    /// Why it is worth nothing, if it is not.
    pub fn fault(&self, now: i64) -> Option<&'static str> {
        match self {
            Self { revoked_at: Some(_), .. } => Some("is revoked"),
            Self { expires_at: Some(at), .. } if *at <= now => Some("has expired"),
            _ => None,
        }
    }
}

/// Begins every token, so that it is known for what it is where it should not stand.
const PREFIX: &str = "poolctl";

/// What a token is wanted for.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// A name of the operator's own.
    pub name: Option<String>,
    /// What it may do.
    pub role: Role,
    /// Whose it is.
    pub subject: Option<String>,
    /// Seconds from now on.
    pub lifetime: Option<i64>,
}

const COLUMNS: &str = "id, name, role, subject, created_at, expires_at, revoked_at, used_at";

fn read(row: &Row<'_>) -> Result<Token> {
    Ok(
        state::from_row!(row => Token { id, name, role, subject, created_at, expires_at, revoked_at, used_at }),
    )
}

/// Makes a token. Its text is returned beside it and can never be had again; `conflict` where another one has the name.
pub fn create(tx: &Tx<'_>, wanted: &NewToken) -> Result<(Token, String)> {
    let NewToken { name, role, subject, lifetime } = wanted;
    if let Some(name) = name {
        check_words("name", name)?;
        let sql = "SELECT EXISTS (SELECT 1 FROM tokens WHERE name = ?1)";
        if rows::one(tx.conn(), sql, [name])? {
            return Err(Error::new(Code::Conflict, format!("there is a token \"{name}\" already"))
                .hint("choose another name"));
        }
    }
    let mut secret = [0_u8; 32];
    let mut id = [0_u8; 4];
    for bytes in [secret.as_mut_slice(), id.as_mut_slice()] {
        getrandom::fill(bytes)
            .map_err(|e| Error::new(Code::Io, format!("the system gives no random bytes: {e}")))?;
    }
    let id: String = format!("t{}", hex::encode(id)).chars().take(8).collect();
    let text = format!("{PREFIX}_{id}_{}", hex::encode(secret));
    let expires_at = lifetime.map(|lifetime| tx.now().saturating_add(lifetime));
    let values = params![id, name, role, subject, hash(&text), tx.now(), expires_at];
    rows::run(tx.conn(), "INSERT INTO tokens VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, NULL)", values)?;
    let payload =
        json!({ "name": name, "role": role.as_str(), "subject": subject, "expires_at": expires_at });
    tx.event("token.created", &id, &payload)?;
    Ok((find(tx.conn(), &id)?, text))
}

/// Every token, the oldest first.
pub fn list(conn: &Connection) -> Result<Vec<Token>> {
    rows::all(conn, &format!("SELECT {COLUMNS} FROM tokens ORDER BY created_at, id"), [], read)
}

/// A token by its id or name.
pub fn find(conn: &Connection, text: &str) -> Result<Token> {
    let by_id = rows::first(conn, &format!("SELECT {COLUMNS} FROM tokens WHERE id = ?1"), [text], read)?;
    let by_name =
        || rows::first(conn, &format!("SELECT {COLUMNS} FROM tokens WHERE name = ?1"), [text], read);
    by_id.map_or_else(by_name, |token| Ok(Some(token)))?.ok_or_else(|| {
        Error::new(Code::UnknownToken, format!("there is no token \"{text}\""))
            .hint(say("see all with: ").run("token list"))
    })
}

/// Revokes a token, at once and everywhere; whether it was in force.
pub fn revoke(tx: &Tx<'_>, id: &str) -> Result<bool> {
    let sql = "UPDATE tokens SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL";
    let changed = rows::put(tx.conn(), sql, params![id, tx.now()])?;
    if changed {
        tx.event("token.revoked", id, &json!({}))?;
    }
    Ok(changed)
}

/// The token of this text, if it is one that was made here and is in force.
pub fn check(conn: &Connection, text: &str, now: i64) -> Result<Option<Token>> {
    let id = text
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_prefix('_'))
        .and_then(|rest| rest.split_once('_'));
    let Some((id, _)) = id else { return Ok(None) };
    let sql = format!("SELECT {COLUMNS}, hash FROM tokens WHERE id = ?1");
    let found = rows::first(conn, &sql, [id], |row| Ok((read(row)?, row.get::<_, String>("hash")?)))?;
    let is_it = |stored: &String| bool::from(stored.as_bytes().ct_eq(hash(text).as_bytes()));
    Ok(found.filter(|(token, stored)| is_it(stored) && token.fault(now).is_none()).map(|(token, _)| token))
}

/// Uses closer together are noted once, seconds.
const APART: i64 = 60;

/// Notes that it was used, where that was not noted within the last minute.
pub fn used(conn: &Connection, id: &str, now: i64) -> Result<()> {
    let sql = "UPDATE tokens SET used_at = ?2 WHERE id = ?1 AND coalesce(used_at, 0) <= ?2 - ?3";
    rows::run(conn, sql, params![id, now, APART])
}

/// Whether a use at `now` is worth noting.
pub fn is_news(token: &Token, now: i64) -> bool {
    token.used_at.is_none_or(|at| at <= now - APART)
}

/// What is stored of a text that nobody may have.
pub(super) fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
