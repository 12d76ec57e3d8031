//! The one retry policy: jittered exponential backoff, a server's `Retry-After` honoured up to a cap, time bounded.

use backon::{BackoffBuilder, ExponentialBuilder};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often and how long one endpoint is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, the first included; at least one is made.
    pub attempts: u32,
    /// The wait before the second try; it doubles with each, and each is lengthened by a random part of itself.
    pub base: Duration,
    /// The longest wait between two tries.
    pub max_delay: Duration,
    /// No new try starts later than this after the first.
    pub total: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(250),
            max_delay: Duration::from_secs(10),
            total: Duration::from_mins(1),
        }
    }
}

/// What a failure says about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    /// Trying again would not help.
    Stop,
    /// It may pass.
    Again,
    /// The server said how long to wait; longer than `max_delay` means to give up on it.
    After(Duration),
}

/// Runs `step` until it succeeds, its failure is final, or the policy is used up; then returns the last failure.
pub async fn retry<T, E>(
    policy: &RetryPolicy,
    verdict: impl Fn(&E) -> RetryDecision,
    mut step: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, E> {
    let start = Instant::now();
    let mut waits = ExponentialBuilder::default()
        .with_min_delay(policy.base)
        .with_max_delay(policy.max_delay)
        .with_max_times(usize::try_from(policy.attempts.saturating_sub(1)).unwrap_or(usize::MAX))
        .with_jitter()
        .build();
    loop {
        let failure = match step().await {
            Ok(value) => return Ok(value),
            Err(failure) => failure,
        };
        let asked = match verdict(&failure) {
            RetryDecision::Stop => return Err(failure),
            RetryDecision::Again => Duration::ZERO,
            RetryDecision::After(wait) if wait > policy.max_delay => return Err(failure),
            RetryDecision::After(wait) => wait,
        };
        let Some(wait) = waits.next() else { return Err(failure) };
        let wait = wait.max(asked);
        if start.elapsed().saturating_add(wait) > policy.total {
            return Err(failure);
        }
        sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: RetryPolicy = RetryPolicy {
        attempts: 3,
        base: Duration::from_millis(1),
        max_delay: Duration::from_millis(50),
        total: Duration::from_secs(5),
    };

    fn run(policy: RetryPolicy, verdict: RetryDecision, ok_at: u32) -> (u32, Result<(), ()>, Duration) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let mut tries = 0;
        let start = Instant::now();
        let result = runtime.block_on(retry(
            &policy,
            |&()| verdict,
            async || {
                tries += 1;
                if tries == ok_at { Ok(()) } else { Err(()) }
            },
        ));
        (tries, result, start.elapsed())
    }

    #[test]
    fn tries_as_often_as_the_policy_says() {
        assert_eq!(run(QUICK, RetryDecision::Again, 2).0, 2);
        let (tries, result, _) = run(QUICK, RetryDecision::Again, 0);
        assert_eq!((tries, result), (3, Err(())));
        assert_eq!(run(QUICK, RetryDecision::Stop, 2).0, 1);
        assert_eq!(run(RetryPolicy { attempts: 0, ..QUICK }, RetryDecision::Again, 0).0, 1);
    }

    #[test]
    fn waits_as_long_as_the_server_asks_up_to_the_cap() {
        let (tries, result, took) = run(QUICK, RetryDecision::After(Duration::from_millis(40)), 2);
        assert_eq!((tries, result), (2, Ok(())));
        assert!(took >= Duration::from_millis(40), "{took:?}");
        assert_eq!(run(QUICK, RetryDecision::After(Duration::from_hours(1)), 2).0, 1);
    }

    #[test]
    fn never_starts_a_try_after_the_total() {
        let policy = RetryPolicy { total: Duration::from_millis(10), attempts: 100, ..QUICK };
        let (tries, _, took) = run(policy, RetryDecision::Again, 0);
        assert!(tries < 20 && took < Duration::from_millis(200), "{tries} {took:?}");
    }
}
