//! Whether the sequencer of an L2 chain lets its prices be used: Chainlink's uptime feed and a grace period. Pure.
//!
//! Source: <https://docs.chain.link/data-feeds/l2-sequencer-feeds>

use alloy::primitives::{Address, I256, U256};
use base::clock;

/// The uptime feed that a profile names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequencer {
    /// The feed's contract; `answer` 0 = up, 1 = down, `startedAt` = when that began.
    pub feed: Address,
    /// Seconds after which prices are trusted again; up for exactly so long is not long enough yet.
    pub grace_sec: u64,
}

/// Says why no price may be used, judged by the time of the block that the feed was read at.
///
/// # Errors
/// What stands against it, in words.
pub fn standing(answer: I256, started_at: U256, block_time: u64, grace_sec: u64) -> Result<(), String> {
    // A time past 2^64 lies in the future, and has lasted no time at all.
    let since = block_time.saturating_sub(u64::try_from(started_at).unwrap_or(u64::MAX));
    if answer == I256::ONE {
        return Err(format!("the chain's sequencer is down since {}", clock::span(since)));
    }
    if !answer.is_zero() {
        return Err(format!("the sequencer feed answers {answer}, which is neither up (0) nor down (1)"));
    }
    if started_at.is_zero() {
        return Err("the sequencer feed has not been initialised".into());
    }
    if since <= grace_sec {
        let (since, grace) = (clock::span(since), clock::span(grace_sec));
        return Err(format!("the chain's sequencer is up for {since} only, the grace period is {grace}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_for_longer_than_the_grace_period_is_up() {
        for (answer, started_at, want) in [
            (0, 1_000, "up for 1h only"),
            (0, 999, ""),
            (0, 5_000, "up for 0s only"),
            (0, 0, "not been initialised"),
            (1, 999, "down since 1h"),
            (1, 0, "is down"),
            (2, 999, "answers 2"),
            (-1, 999, "answers -1"),
        ] {
            let got = standing(I256::try_from(answer).unwrap(), U256::from(started_at), 4_600, 3_600);
            match want {
                "" => assert_eq!(got, Ok(()), "{answer} {started_at}"),
                why => {
                    assert!(got.as_ref().is_err_and(|e| e.contains(why)), "{answer} {started_at}: {got:?}");
                }
            }
        }
        let never = standing(I256::ZERO, U256::MAX, 4_600, 0);
        assert!(never.is_err(), "a start in the far future is not in the past");
    }
}
