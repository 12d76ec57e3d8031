//! How the end of a command is said in HTTP.

use axum::http::StatusCode;
use base::{Code, Exit};

/// The status for an exit code and its error, where there is one; `made` where something was made.
pub fn of(exit: Exit, code: Option<Code>, made: bool) -> StatusCode {
    use Code::{
        Ambiguous, Conflict, InvalidConfig, MissingSetting, NeedsConfirmation, StateMissing, UnknownAccount,
        UnknownAsset, UnknownEpoch, UnknownFarmer, UnknownFeed, UnknownKey, UnknownMember, UnknownPool,
        UnknownPooler, UnknownToken, UnknownTransaction, UnknownWithdrawal, Usage,
    };
    match (exit, code) {
        (Exit::Done, _) if made => StatusCode::CREATED,
        // What a check found is its result.
        (Exit::Done | Exit::Found, _) => StatusCode::OK,
        (Exit::Usage, Some(Usage)) => StatusCode::BAD_REQUEST,
        (
            Exit::Usage,
            Some(
                UnknownPool | UnknownMember | UnknownFeed | UnknownAccount | UnknownPooler | UnknownFarmer
                | UnknownAsset | UnknownWithdrawal | UnknownTransaction | UnknownEpoch | UnknownKey
                | UnknownToken,
            ),
        ) => StatusCode::NOT_FOUND,
        (Exit::Usage, Some(Conflict | Ambiguous | MissingSetting)) | (Exit::Locked, _) => {
            StatusCode::CONFLICT
        }
        (Exit::Usage, Some(InvalidConfig | StateMissing)) | (Exit::Transient | Exit::KeyStore, _) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        (Exit::Usage, _) => StatusCode::UNPROCESSABLE_ENTITY,
        (Exit::Partial, _) => StatusCode::MULTI_STATUS,
        (Exit::Refused, Some(NeedsConfirmation)) => StatusCode::FORBIDDEN,
        (Exit::Refused, _) => StatusCode::CONFLICT,
        (Exit::Unknown, _) => StatusCode::ACCEPTED,
        (Exit::Failed, Some(code)) => failed(code),
        (Exit::Failed, None) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What failed on a chain is no fault of the server.
const fn failed(code: Code) -> StatusCode {
    match code {
        Code::NotAContract
        | Code::Reverted
        | Code::TransactionFailed
        | Code::UnsupportedAuth
        | Code::WorkMissed => StatusCode::CONFLICT,
        Code::Rpc | Code::NewerProtocol => StatusCode::BAD_GATEWAY,
        Code::StateOutdated => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_status() {
        for (code, want) in [
            (Code::Usage, 400),
            (Code::InvalidAmount, 422),
            (Code::UnknownPool, 404),
            (Code::Conflict, 409),
            (Code::Partial, 207),
            (Code::NeedsConfirmation, 403),
            (Code::PoolPaused, 409),
            (Code::CheckFailed, 200),
            (Code::LeaseHeld, 409),
            (Code::Unreachable, 503),
            (Code::OutcomeUnknown, 202),
            (Code::NoPassphrase, 503),
            (Code::Bug, 500),
            (Code::Rpc, 502),
        ] {
            assert_eq!(of(code.exit(), Some(code), true).as_u16(), want, "{}", code.as_str());
        }
        assert_eq!(
            (of(Exit::Done, None, true), of(Exit::Done, None, false)),
            (StatusCode::CREATED, StatusCode::OK)
        );
    }
}
