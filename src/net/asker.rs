//! Asking one endpoint many things: in as few HTTP requests as the server takes, again where a failure may pass.

use super::fault::{Fault, FaultKind};
use super::jsonrpc::{Answer, Batch, Call, Client, RpcError};
use super::redact::Redactor;
use super::retry::{RetryPolicy, Verdict, retry};
use futures_util::future::join_all;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Calls under way at once at a server that takes no batches.
const CONCURRENT: usize = 8;
/// How long an endpoint that failed is asked last.
const REST: Duration = Duration::from_mins(1);

/// Whether a slow or cut-off answer is worth asking for again as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Every transient failure is retried.
    Retry,
    /// Timeouts and broken answers come back at once: the caller asks for less.
    AskForLess,
    /// Nothing is retried: the caller decides.
    Once,
}

/// Why the questions were not answered.
#[derive(Debug, Clone)]
pub enum Unanswered {
    /// The exchange failed.
    Net(Fault),
    /// The server kept answering with an error that passes.
    Passing {
        /// What it was asked.
        method: &'static str,
        /// What it said.
        error: RpcError,
    },
}

impl From<Fault> for Unanswered {
    fn from(fault: Fault) -> Self {
        Self::Net(fault)
    }
}

/// A client with a retry policy and what this process has learned of its server.
#[derive(Debug)]
pub struct Asker {
    client: Client,
    policy: RetryPolicy,
    /// Tells errors that pass by waiting, for the method that was asked.
    passes: fn(&str, &RpcError) -> bool,
    /// Calls per HTTP request that the server takes; 1 = no batches.
    batch: AtomicUsize,
    rests_until: Mutex<Option<Instant>>,
}

impl Asker {
    /// An asker that begins with batches of `batch` calls.
    pub fn new(
        client: Client,
        policy: RetryPolicy,
        batch: usize,
        passes: fn(&str, &RpcError) -> bool,
    ) -> Self {
        let batch = AtomicUsize::new(batch.max(1));
        Self { client, policy, passes, batch, rests_until: Mutex::new(None) }
    }

    /// The endpoint's name.
    pub fn name(&self) -> &str {
        self.client.endpoint().name()
    }

    /// What cleans the server's words.
    pub fn redactor(&self) -> &Redactor {
        self.client.redactor()
    }

    /// Asked last until the rest is over.
    pub fn rest(&self) {
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now().checked_add(REST);
    }

    /// Whether it failed a short while ago.
    pub fn is_resting(&self) -> bool {
        let until = *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Asks everything. Each answer is a value or an error that does not pass by waiting; transient failures have
    /// been retried by the policy.
    pub async fn ask(&self, calls: &[Call], patience: Patience) -> Result<Vec<Answer>, Unanswered> {
        let mut answers: Vec<Option<Answer>> = Vec::new();
        answers.resize_with(calls.len(), || None);
        let verdict = |failure: &Unanswered| match failure {
            _ if patience == Patience::Once => Verdict::Stop,
            Unanswered::Net(fault)
                if patience == Patience::AskForLess
                    && matches!(fault.kind, FaultKind::Timeout | FaultKind::Closed) =>
            {
                Verdict::Stop
            }
            Unanswered::Net(fault) => fault.verdict(),
            Unanswered::Passing { .. } => Verdict::Again,
        };
        retry(&self.policy, verdict, async || self.round(calls, &mut answers).await).await?;
        answers.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| {
            let method = calls.first().map_or("a batch", |c| c.method);
            Fault::new(FaultKind::BadReply, format!("{method}: a call was left unanswered")).into()
        })
    }

    /// One try for everything that has no lasting answer yet.
    async fn round(&self, calls: &[Call], answers: &mut [Option<Answer>]) -> Result<(), Unanswered> {
        let mut passing = None;
        let mut open: Vec<usize> =
            (0..calls.len()).filter(|&i| answers.get(i).is_some_and(Option::is_none)).collect();
        while !open.is_empty() {
            let size = self.batch.load(Ordering::Relaxed).min(open.len());
            let (now, later) = open.split_at(if size > 1 { size } else { CONCURRENT.min(open.len()) });
            let asked: Vec<Call> = now.iter().filter_map(|&i| calls.get(i).cloned()).collect();
            let got = if size > 1 {
                match self.client.batch(&asked).await? {
                    Batch::Answers(got) => got,
                    Batch::Refused(error) => {
                        self.refused(asked.first(), error, size)?;
                        continue;
                    }
                }
            } else {
                let one_by_one = asked.iter().map(|call| self.client.one(call));
                join_all(one_by_one).await.into_iter().collect::<Result<Vec<_>, Fault>>()?
            };
            for ((&i, call), answer) in now.iter().zip(&asked).zip(got) {
                match answer {
                    Err(error) if (self.passes)(call.method, &error) => {
                        passing = Some(Unanswered::Passing { method: call.method, error });
                    }
                    lasting => {
                        if let Some(slot) = answers.get_mut(i) {
                            *slot = Some(lasting);
                        }
                    }
                }
            }
            open = later.to_vec();
        }
        passing.map_or(Ok(()), Err)
    }

    /// A batch was refused: for load, which passes, or for what it is, so that smaller ones are sent from now on.
    fn refused(&self, first: Option<&Call>, error: RpcError, size: usize) -> Result<(), Unanswered> {
        let method = first.map_or("a batch", |c| c.method);
        if (self.passes)(method, &error) {
            return Err(Unanswered::Passing { method, error });
        }
        tracing::debug!(endpoint = self.name(), size, %error, "batch refused");
        self.batch.store(if size <= 8 { 1 } else { size / 4 }, Ordering::Relaxed);
        Ok(())
    }
}
