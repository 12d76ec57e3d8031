//! Pings of a watchdog (healthchecks.io and its like): it hears of each start and end, and misses those that do not come.
//!
//! Source: <https://healthchecks.io/docs/http_api/>

use super::{Http, HttpLimits};
use base::{Code, Endpoint, Error, Exit, Result};
use serde_json::json;
use std::time::Duration;

/// What the watchdog is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A run begins: `URL/start`.
    Start,
    /// It has ended: `URL` with exit code 0, else `URL/fail`.
    End(Exit),
}

/// A watchdog is never waited for longer.
const LIMITS: HttpLimits = HttpLimits {
    connect_timeout: Duration::from_secs(3),
    timeout: Duration::from_secs(5),
    max_body: 64 << 10,
};

/// Posts one ping, with the command and its exit code in the body.
///
/// # Errors
/// `unreachable`, `rpc_error` for an answer other than 2xx; none of them shows more of the URL than its host.
pub async fn ping(url: &Endpoint, command: &str, step: Step) -> Result<()> {
    let (target, exit_code) = match step {
        Step::Start => (url.below("start"), None),
        Step::End(exit @ Exit::Done) => (url.clone(), Some(exit.code())),
        Step::End(exit) => (url.below("fail"), Some(exit.code())),
    };
    let http = Http::new(LIMITS);
    let client = http.client(&target)?;
    let body = json!({ "command": command, "exit_code": exit_code }).to_string();
    let failed = |code: Code, why: String| Error::new(code, format!("watchdog {}: {why}", url.shown()));
    let reply = http
        .post(&client, &target, &url.redactor(), body.into_bytes())
        .await
        .map_err(|fault| failed(Code::Unreachable, fault.words))?;
    if (200..300).contains(&reply.status) {
        Ok(())
    } else {
        Err(failed(Code::Rpc, format!("answered with HTTP status {}", reply.status)))
    }
}
