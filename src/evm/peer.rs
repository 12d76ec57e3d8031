//! One endpoint as a view uses it: the asker, and what was learned about the chain behind it.

use super::config::ChainConfig;
use super::fault::{Fault, Sort, sort};
use base::redact::Redactor;
use net::RetryPolicy;
pub(super) use net::asker::Patience;
use net::asker::{Asker, Standing, Unanswered};
use net::jsonrpc::{Answer, Call, Client, RpcError};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

/// An endpoint with its client and what this process knows of it.
#[derive(Debug)]
pub(super) struct Peer {
    asker: Asker,
    /// How it is asked again.
    pub policy: RetryPolicy,
    /// Calls per multicall that the server managed.
    pub chunk: AtomicUsize,
    /// Its chain id was compared with the pin.
    pub checked: AtomicBool,
    /// Multicall3 has code from this block on.
    pub multicall_from: AtomicU64,
    /// Blocks per query of logs that it answered after it had refused more; 0 = it has refused nothing.
    pub log_width: AtomicU64,
}

impl Peer {
    /// `log_width` as an earlier run learned it, 0 where it learned nothing.
    pub fn new(client: Client, config: &ChainConfig, log_width: u64) -> Self {
        Self {
            policy: config.retry,
            asker: Asker::new(client, config.retry, config.batch, standing),
            chunk: AtomicUsize::new(config.multicall_chunk.max(1)),
            checked: AtomicBool::new(false),
            multicall_from: AtomicU64::new(u64::MAX),
            log_width: AtomicU64::new(log_width),
        }
    }

    pub fn name(&self) -> &str {
        self.asker.name()
    }

    /// What cleans its words.
    pub fn redactor(&self) -> &Redactor {
        self.asker.redactor()
    }

    /// Asked last until the rest is over.
    pub fn rest(&self) {
        self.asker.rest();
    }

    pub fn is_resting(&self) -> bool {
        self.asker.is_resting()
    }

    /// As [`Asker::ask`].
    pub async fn ask(&self, calls: &[Call], patience: Patience) -> Result<Vec<Answer>, Fault> {
        self.asker.ask(calls, patience).await.map_err(|unanswered| match unanswered {
            Unanswered::Net(fault) => Fault::Net(fault),
            Unanswered::Rpc { method, error } => {
                let sort = sort(method, &error);
                Fault::Rpc { method, error, sort }
            }
        })
    }
}

fn standing(method: &str, error: &RpcError) -> Standing {
    match sort(method, error) {
        Sort::RateLimited | Sort::Transient | Sort::NoBlock => Standing::Passes,
        Sort::Reverted => Standing::Final,
        Sort::TooMuch | Sort::Pruned | Sort::Other => Standing::Doubtful,
    }
}
