//! What one client may take of the server.

use crate::answer::Refusal;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use base::Code;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

/// Bytes of a body.
pub const BODY: usize = 1024 * 1024;
/// Bytes of all headers.
pub const HEADER: usize = 16 * 1024;
/// Connections at once.
pub const CONNECTIONS: usize = 4_096;
/// How long a request may take, and a client's headers or body.
pub const PATIENCE: Duration = Duration::from_secs(30);

type Keyed<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// Requests a second, by token and by address.
pub struct Limits {
    tokens: Keyed<String>,
    addresses: Keyed<IpAddr>,
    clock: DefaultClock,
    rate: NonZeroU32,
}

impl Limits {
    /// So many requests a second of one token, or of one address without one; twice as many at once.
    pub fn new(rate: NonZeroU32) -> Self {
        let quota =
            Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(1)));
        Self {
            tokens: RateLimiter::keyed(quota).with_middleware(),
            addresses: RateLimiter::keyed(quota).with_middleware(),
            clock: DefaultClock::default(),
            rate,
        }
    }

    /// A request of a token; what it has left is told in headers.
    pub fn of_token(&self, id: &str) -> Result<HeaderMap, Refusal> {
        self.told(self.tokens.check_key(&id.to_owned()).map_err(|not| not.wait_time_from(self.clock.now())))
    }

    /// A request without a good token.
    pub fn of_address(&self, address: IpAddr) -> Result<HeaderMap, Refusal> {
        self.told(self.addresses.check_key(&address).map_err(|not| not.wait_time_from(self.clock.now())))
    }

    /// Forgets who has not asked for a while.
    pub fn tidy(&self) {
        self.tokens.retain_recent();
        self.addresses.retain_recent();
    }

    fn told(
        &self,
        checked: Result<governor::middleware::StateSnapshot, Duration>,
    ) -> Result<HeaderMap, Refusal> {
        match checked {
            Ok(left) => {
                let mut headers = HeaderMap::new();
                headers.insert("ratelimit-limit", HeaderValue::from(self.rate.get()));
                headers.insert("ratelimit-remaining", HeaderValue::from(left.remaining_burst_capacity()));
                Ok(headers)
            }
            Err(wait) => {
                let wait = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let why = format!("more than {} requests a second", self.rate);
                Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, Code::RateLimited, why).after(wait.max(1)))
            }
        }
    }
}
