//! Asking one endpoint many things: in as few HTTP requests as the server takes, again where a failure may pass.

use super::fault::{Fault, FaultKind};
use super::jsonrpc::{Answer, Batch, Call, Client, RpcError};
use super::retry::{RetryDecision, RetryPolicy, retry};
use base::redact::Redactor;
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

/// What an error of the server means for the call that it stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It passes by waiting.
    Passes,
    /// It is the answer.
    Final,
    /// It is the answer, unless it speaks of the batch that the call travelled in.
    Doubtful,
}

/// Why the questions were not answered.
#[derive(Debug, Clone)]
pub enum Unanswered {
    /// The exchange failed.
    Net(Fault),
    /// The server kept answering with an error that passes, or took nothing of what was sent at once.
    Rpc {
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
    /// What errors mean, for the method that was asked.
    standing: fn(&str, &RpcError) -> Standing,
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
        standing: fn(&str, &RpcError) -> Standing,
    ) -> Self {
        let batch = AtomicUsize::new(batch.max(1));
        Self { client, policy, standing, batch, rests_until: Mutex::new(None) }
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
            _ if patience == Patience::Once => RetryDecision::Stop,
            Unanswered::Net(fault)
                if patience == Patience::AskForLess
                    && matches!(fault.kind, FaultKind::Timeout | FaultKind::Closed) =>
            {
                RetryDecision::Stop
            }
            Unanswered::Net(fault) => fault.verdict(),
            Unanswered::Rpc { error, .. } => {
                error.retry_after.map_or(RetryDecision::Again, RetryDecision::After)
            }
        };
        retry(&self.policy, verdict, async || self.round(calls, &mut answers, patience).await).await?;
        answers.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| {
            let method = calls.first().map_or("a batch", |c| c.method);
            Fault::new(FaultKind::BadReply, format!("{method}: a call was left unanswered")).into()
        })
    }

    /// One try for everything that has no lasting answer yet. What is answered stays so, whatever the rest comes to.
    async fn round(
        &self,
        calls: &[Call],
        answers: &mut [Option<Answer>],
        patience: Patience,
    ) -> Result<(), Unanswered> {
        let mut passing = None;
        let mut open: Vec<usize> =
            (0..calls.len()).filter(|&i| answers.get(i).is_some_and(Option::is_none)).collect();
        while !open.is_empty() {
            let size = self.batch.load(Ordering::Relaxed).min(open.len());
            let (now, later) = open.split_at(if size > 1 { size } else { CONCURRENT.min(open.len()) });
            let asked: Vec<Call> = now.iter().filter_map(|&i| calls.get(i).cloned()).collect();
            let got: Vec<Option<Answer>> = if size > 1 {
                self.batch(&asked, patience).await?
            } else {
                let one_by_one = asked.iter().map(|call| self.client.one(call));
                join_all(one_by_one)
                    .await
                    .into_iter()
                    .map(|answer| answer.map(Some))
                    .collect::<Result<_, _>>()?
            };
            let mut again = Vec::new();
            for ((&i, call), answer) in now.iter().zip(&asked).zip(got) {
                match answer {
                    None => again.push(i),
                    Some(Err(error)) if self.standing(call, &error) == Standing::Passes => {
                        if size > 1 {
                            self.shrink(size);
                        }
                        passing = Some(Unanswered::Rpc { method: call.method, error });
                    }
                    lasting => {
                        if let Some(slot) = answers.get_mut(i) {
                            *slot = lasting;
                        }
                    }
                }
            }
            again.extend_from_slice(later);
            open = again;
        }
        passing.map_or(Ok(()), Err)
    }

    /// Sends a batch of several calls; none where a call must be sent once more, in a smaller batch.
    async fn batch(&self, asked: &[Call], patience: Patience) -> Result<Vec<Option<Answer>>, Unanswered> {
        /// A batch of so few calls is not too large to be answered in time.
        const FEW: usize = 8;
        let size = asked.len();
        let Batch { mut answers, refused } = match self.client.batch(asked).await {
            Ok(batch) => batch,
            Err(fault) if fault.kind == FaultKind::TooLarge && patience == Patience::Retry => {
                self.shrink(size);
                return Ok(vec![None; size]);
            }
            Err(fault) => {
                if size > FEW && matches!(fault.kind, FaultKind::Timeout | FaultKind::Closed) {
                    self.shrink(size);
                }
                return Err(fault.into());
            }
        };
        if let Some(error) = refused {
            let method = asked.first().map_or("a batch", |c| c.method);
            tracing::debug!(endpoint = self.name(), size, %error, "batch refused");
            if patience == Patience::Once {
                return Err(Unanswered::Rpc { method, error });
            }
            self.shrink(size);
            let nothing = answers.iter().all(Option::is_none);
            if nothing && (self.standing)(method, &error) == Standing::Passes {
                return Err(Unanswered::Rpc { method, error });
            }
        } else if patience == Patience::Retry {
            self.doubt(asked, &mut answers).await?;
        }
        Ok(answers)
    }

    /// An error on a call may speak of the batch: the first such call is sent alone. If that goes well, the batch was
    /// too large, and all that failed in it are sent once more; if not, errors of the same code stand.
    async fn doubt(&self, asked: &[Call], answers: &mut [Option<Answer>]) -> Result<(), Unanswered> {
        let doubtful: Vec<(usize, i64)> = answers
            .iter()
            .zip(asked)
            .enumerate()
            .filter_map(|(at, (answer, call))| match answer {
                Some(Err(error)) if self.standing(call, error) == Standing::Doubtful => {
                    Some((at, error.code))
                }
                _ => None,
            })
            .collect();
        let Some((first, call)) = doubtful.first().and_then(|&(at, _)| Some((at, asked.get(at)?))) else {
            return Ok(());
        };
        let alone = self.client.one(call).await?;
        let stands = alone.as_ref().err().map(|error| error.code);
        if stands.is_none() {
            self.shrink(asked.len());
        }
        for &(at, code) in &doubtful {
            if let Some(slot) = answers.get_mut(at).filter(|_| at == first || stands != Some(code)) {
                *slot = None;
            }
        }
        if let Some(slot) = answers.get_mut(first) {
            *slot = Some(alone);
        }
        Ok(())
    }

    fn standing(&self, call: &Call, error: &RpcError) -> Standing {
        if call.spare { Standing::Final } else { (self.standing)(call.method, error) }
    }

    /// Smaller batches from now on.
    fn shrink(&self, size: usize) {
        self.batch.fetch_min(if size <= 8 { 1 } else { size / 4 }, Ordering::Relaxed);
    }
}
