//! The one error type: a stable code, what happened to what and why, and what to do about it.

use super::exit::Exit;
use super::remedy::{Remedy, say};
use serde_json::{Map, Value};
use std::fmt;
use std::ops::Range;

/// The result of everything in this library that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! codes {
    ($($name:ident $exit:ident $word:literal $doc:literal;)+) => {
        /// A stable word for a kind of failure; scripts match on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $doc] $name,)+ }

        impl Code {
            /// Every code there is, for documentation and tests.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The word as it stands in `error.code`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// The exit code that a command ends with when this ends it.
            pub const fn exit(self) -> Exit {
                match self { $(Self::$name => Exit::$exit,)+ }
            }
        }
    };
}

codes! {
    Bug Failed "bug" "A fault of poolctl itself.";
    Usage Usage "usage" "Flags or arguments that do not fit the command.";
    InvalidAmount Usage "invalid_amount" "An amount that is not a plain decimal, or is too precise or too large.";
    InvalidAddress Usage "invalid_address" "A malformed address or a wrong checksum.";
    InvalidWeight Usage "invalid_weight" "A weight outside 0..=1 or with more than six decimals.";
    InvalidValue Usage "invalid_value" "Any other malformed value.";
    InvalidConfig Usage "invalid_config" "The config file cannot be read or has an unknown or ill-typed key.";
    UnknownKey Usage "unknown_key" "A config key that does not exist.";
    UnknownProfile Usage "unknown_profile" "A profile that is neither built in nor in the config file.";
    MissingSetting Usage "missing_setting" "A setting that this command needs is not set.";
    UnknownPool Usage "unknown_pool" "No such pool.";
    UnknownMember Usage "unknown_member" "No such member.";
    UnknownFeed Usage "unknown_feed" "No such oracle feed.";
    UnknownAccount Usage "unknown_account" "No such account, or no key of it.";
    UnknownPooler Usage "unknown_pooler" "No such pooler.";
    UnknownFarmer Usage "unknown_farmer" "No such farmer.";
    Ambiguous Usage "ambiguous" "The beginning of several ids or addresses.";
    UnknownAsset Usage "unknown_asset" "No such asset.";
    UnknownWithdrawal Usage "unknown_withdrawal" "No such withdrawal.";
    UnknownTransaction Usage "unknown_transaction" "No endpoint knows a transaction of this hash.";
    UnknownEpoch Usage "unknown_epoch" "No such reward epoch.";
    UnknownToken Usage "unknown_token" "No such token.";
    Unauthorized Refused "unauthorized" "A request without a token that is in force.";
    Forbidden Refused "forbidden" "A request that the token's role may not make.";
    Conflict Usage "conflict" "Something of that name or address exists already, with other values.";
    Partial Partial "partial" "Some of several items failed.";
    NeedsConfirmation Refused "needs_confirmation" "The command moves value and was not confirmed.";
    WrongNetwork Refused "wrong_network" "An endpoint or a state file belongs to another network.";
    NotValid Refused "not_valid" "A deposit or withdrawal that does not validate; `details.reasons` has every failed rule.";
    TransactionMismatch Refused "transaction_mismatch" "A transaction that does something else than it is named for.";
    BreakerActive Refused "breaker_active" "The pool's circuit breaker is open.";
    PoolPaused Refused "pool_paused" "The pool is paused.";
    ContractChanged Refused "contract_changed" "The pool's contract changed, and the operator has not accepted that.";
    NotReady Refused "not_ready" "A farmer that lacks what its next step needs: account, lumens, trustline.";
    FarmPaused Refused "farm_paused" "The KALE farm is paused.";
    StrategyFailed Refused "strategy_failed" "The strategy's command gave no answer that can be used: nothing is planted without one.";
    PoolerFull Refused "pooler_full" "The pooler has as many farmers as it takes.";
    Unsettled Refused "unsettled" "Something is under way: stakes or transactions of a farmer, withdrawals or epochs of a pool.";
    NotFinal Refused "not_final" "The block is not final yet.";
    ReorgPastFinal Refused "reorg_past_final" "A reorg reaches below a block that rewards were paid on.";
    CheckFailed Found "check_failed" "A check found something wrong.";
    WorkMissed Failed "work_missed" "No work got into the block in time.";
    StakeLost Found "stake_lost" "A stake is lost, or will be: its block ended without work.";
    Drift Found "drift" "The chain and the state, or two figures of the chain, disagree.";
    NotAContract Failed "not_a_contract" "An address without code, or one that does not answer as it should.";
    Reverted Failed "reverted" "A contract call that reverted.";
    BadReply Transient "bad_reply" "A reply that cannot be what the server meant to say.";
    Unreachable Transient "unreachable" "No endpoint could be reached in time.";
    RateLimited Transient "rate_limited" "The endpoint refused for load.";
    Reorged Transient "reorged" "The chain changed under the view and kept changing.";
    StateChanged Transient "state_changed" "What was decided from kept being changed by other runs.";
    Behind Transient "behind" "The endpoint knows less of the chain than the state does.";
    Rpc Failed "rpc_error" "The node answered with an error of its own.";
    NewerProtocol Failed "newer_protocol" "The network is at a newer protocol than this build can read.";
    UnsupportedAuth Failed "unsupported_auth" "A contract call that asks for signatures that poolctl does not give.";
    TransactionFailed Failed "transaction_failed" "A transaction that the network refused or that failed on it.";
    FeeCapped Transient "fee_capped" "Inclusion costs more than the configured cap allows to offer.";
    OutcomeUnknown Unknown "outcome_unknown" "A transaction was sent, and it is not known yet whether it took effect.";
    NoPrice Found "no_price" "No valid price.";
    NoQuorum Found "no_quorum" "Too few of an asset's feeds have a valid price.";
    SpreadExceeded Found "spread_exceeded" "The prices of an asset's feeds lie too far apart.";
    Undelivered Found "undelivered" "A notification was given up after its last try.";
    StateLocked Locked "state_locked" "Another run holds the state.";
    LeaseHeld Locked "lease_held" "Another run acts on the same farm, account or pools.";
    KeysLocked Locked "keys_locked" "Another run changes the key store.";
    KeysMissing KeyStore "keys_missing" "There is no key store.";
    KeysExposed KeyStore "keys_exposed" "A file of secrets that others may read.";
    KeysCorrupt KeyStore "keys_corrupt" "The key store is truncated or damaged.";
    WrongPassphrase KeyStore "wrong_passphrase" "The passphrase is not the key store's.";
    WrongIdentity KeyStore "wrong_identity" "The age identity is not the key store's.";
    NoPassphrase KeyStore "no_passphrase" "No passphrase or identity could be had.";
    NoKey KeyStore "no_key" "The key store has no key for an address.";
    StateMissing Usage "state_missing" "There is no state file yet.";
    StateTooNew Failed "state_too_new" "The state file was written by a newer poolctl.";
    StateForeign Failed "state_foreign" "Not a state file of poolctl.";
    StateCorrupt Failed "state_corrupt" "The state file is damaged.";
    StateOutdated Failed "state_outdated" "The state must be migrated first; that of a development build cannot be.";
    State Failed "state_error" "SQLite or the disk said no.";
    Io Failed "io_error" "A file or folder cannot be read or written.";
    Interrupted Transient "interrupted" "The run was interrupted before it was done.";
}

impl Code {
    /// Whether another try, or another endpoint, may help.
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::RateLimited
                | Self::BadReply
                | Self::Behind
                | Self::Rpc
                | Self::Reorged
                | Self::FeeCapped
        )
    }
}

/// What failed, to what, why, and what to do.
#[derive(Debug, Clone)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    message: String,
    /// Where in the message the name of the field stands that is at fault.
    field: Option<Range<usize>>,
    remedy: Option<Remedy>,
    details: Map<String, Value>,
}

impl Error {
    /// An error with its code and a sentence that names what, which and why.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { inner: Box::new(Inner { code, message, field: None, remedy: None, details: Map::new() }) }
    }

    /// An error of one field, by its plain name (`from`, not as a face says it): `from: block 7 is …`.
    pub fn field(code: Code, field: &str, why: impl fmt::Display) -> Self {
        let mut e = Self::new(code, format!("{field}: {why}"));
        e.inner.field = Some(0..field.len());
        e
    }

    /// Something stored that no command can have written.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(Code::StateCorrupt, message).hint(say("run: ").run("state check"))
    }

    /// Adds what the operator can do about it.
    #[must_use]
    pub fn hint(mut self, remedy: impl Into<Remedy>) -> Self {
        self.inner.remedy = Some(remedy.into());
        self
    }

    /// Adds a fact for programs.
    #[must_use]
    pub fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.inner.details.insert(key.to_owned(), value.into());
        self
    }

    /// Puts the larger operation before the message: `cannot sync pool "main": …`.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        let before = format!("{what}: ");
        self.inner.field = self.inner.field.map(|at| at.start + before.len()..at.end + before.len());
        self.inner.message.insert_str(0, &before);
        self
    }

    /// The same under another code, without its facts: for the first one of several.
    #[must_use]
    pub fn instead(&self, code: Code) -> Self {
        Self { inner: Box::new(Inner { code, details: Map::new(), ..(*self.inner).clone() }) }
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.inner.code
    }

    /// The sentence for a person, without the hint.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The plain name of the field at fault, with what the message says before and after it.
    pub fn by_field(&self) -> Option<(&str, &str, &str)> {
        let at = self.inner.field.clone()?;
        let (before, after) = (self.message().get(..at.start)?, self.message().get(at.end..)?);
        Some((before, self.message().get(at)?, after))
    }

    /// What to do, where something can be done.
    pub fn remedy(&self) -> Option<&Remedy> {
        self.inner.remedy.as_ref()
    }

    /// Facts for programs.
    pub fn details(&self) -> &Map<String, Value> {
        &self.inner.details
    }

    /// The exit code that this error ends a command with.
    pub fn exit(&self) -> Exit {
        self.inner.code.exit()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl std::error::Error for Error {}

impl From<rusqlite::Error> for Error {
    fn from(e: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as C;
        let (code, hint) = match e.sqlite_error_code() {
            // SQLite says the same of a disk that cannot be read.
            Some(C::DatabaseCorrupt) => (
                Code::StateCorrupt,
                say("see to the disk and run: ")
                    .run("state check")
                    .say("; if the file is damaged, restore the newest backup: ")
                    .backup(),
            ),
            Some(C::NotADatabase) => {
                (Code::StateForeign, say("check ").with("state").say(": this file is not an SQLite database"))
            }
            Some(C::DiskFull) => {
                (Code::State, say("free disk space and run the command again; nothing was lost"))
            }
            Some(C::SystemIoFailure) => (
                Code::State,
                say("the disk refused: see to its space, quota and health, then run the command again"),
            ),
            Some(C::ReadOnly | C::CannotOpen | C::PermissionDenied) => {
                (Code::State, say("check that the folder of the state file exists and is writable"))
            }
            Some(C::DatabaseBusy | C::DatabaseLocked) => (
                Code::StateLocked,
                say("another program holds the state file; try again or use ").with("wait").of("30s"),
            ),
            None if is_of_a_value(&e) => (
                Code::StateCorrupt,
                say("what is stored there cannot be read: see all of it with ")
                    .run("state check")
                    .with("full")
                    .say(", then restore the newest backup: ")
                    .backup(),
            ),
            _ => return Self::new(Code::State, format!("state: {e}")),
        };
        Self::new(code, format!("state: {e}")).hint(hint)
    }
}

/// Whether a value of a row is not of the form that its column has.
const fn is_of_a_value(e: &rusqlite::Error) -> bool {
    use rusqlite::Error as E;
    matches!(
        e,
        E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::InvalidColumnType(..)
            | E::Utf8Error(..)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_snake_case_and_unique() {
        let mut seen = std::collections::HashSet::new();
        for code in Code::ALL {
            let word = code.as_str();
            assert!(word.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{word}");
            assert!(seen.insert(word), "{word} twice");
            assert_ne!(code.exit(), Exit::Done, "{word}");
        }
    }

    #[test]
    fn a_value_that_no_command_can_read_is_a_damaged_state() {
        let conn = rusqlite::Connection::open_in_memory().unwrap();
        let value = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, u32>(0));
        for (sql, code) in [
            ("SELECT -1", Code::StateCorrupt),
            ("SELECT 4294967296", Code::StateCorrupt),
            ("SELECT 'x'", Code::StateCorrupt),
            ("SELECT NULL", Code::StateCorrupt),
            ("SELECT 1 WHERE 0", Code::State),
        ] {
            assert_eq!(Error::from(value(sql).unwrap_err()).code(), code, "{sql}");
        }
        let text = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, String>(0));
        assert_eq!(Error::from(text("SELECT CAST(x'ff' AS TEXT)").unwrap_err()).code(), Code::StateCorrupt);
    }

    #[test]
    fn context_goes_before_the_message() {
        let e = Error::new(Code::UnknownPool, "no pool \"x\"").context("cannot sync");
        assert_eq!(e.to_string(), "cannot sync: no pool \"x\"");
    }

    #[test]
    fn a_field_is_found_behind_its_context() {
        let e = Error::field(Code::InvalidValue, "start", "7 is too early").context("pool \"main\"");
        assert_eq!(e.message(), "pool \"main\": start: 7 is too early");
        assert_eq!(e.by_field(), Some(("pool \"main\": ", "start", ": 7 is too early")));
        assert_eq!(Error::new(Code::InvalidValue, "start: x").by_field(), None);
    }
}
