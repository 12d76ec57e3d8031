//! One endpoint as a view uses it: retries, batches as large as it takes, and what was learned about it.

use super::fault::{Fault, Sort, sort};
use crate::net::jsonrpc::{Answer, Batch, Call, Client, RpcError};
use crate::net::{self, FaultKind, RetryPolicy, Verdict, retry};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

/// Calls under way at once at a server that takes no batches.
const CONCURRENT: usize = 8;
/// How long an endpoint that failed is asked last.
const REST: Duration = Duration::from_mins(1);

/// Whether a slow or cut-off answer is worth asking for again as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Every transient failure is retried.
    Retry,
    /// Timeouts and broken answers come back at once: the caller asks for less.
    AskForLess,
}

/// An endpoint with its client and what this process knows of it.
#[derive(Debug)]
pub(super) struct Peer {
    client: Client,
    policy: RetryPolicy,
    /// Calls per HTTP request that the server takes; 1 = no batches.
    batch: AtomicUsize,
    /// Calls per multicall that the server managed.
    pub chunk: AtomicUsize,
    /// Its chain id was compared with the pin.
    pub checked: AtomicBool,
    /// Multicall3 has code from this block on.
    pub multicall_from: AtomicU64,
    rests_until: Mutex<Option<Instant>>,
}

impl Peer {
    pub fn new(client: Client, policy: RetryPolicy, batch: usize, chunk: usize) -> Self {
        Self {
            client,
            policy,
            batch: AtomicUsize::new(batch.max(1)),
            chunk: AtomicUsize::new(chunk.max(1)),
            checked: AtomicBool::new(false),
            multicall_from: AtomicU64::new(u64::MAX),
            rests_until: Mutex::new(None),
        }
    }

    pub fn name(&self) -> &str {
        self.client.endpoint().name()
    }

    /// Asked last until the rest is over.
    pub fn rest(&self) {
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now().checked_add(REST);
    }

    pub fn is_resting(&self) -> bool {
        let until = *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    /// Asks everything, in as few HTTP requests as the server takes. Each answer is a value or an error that
    /// does not pass by waiting; transient ones have been retried by the policy.
    pub async fn ask(&self, calls: &[Call], patience: Patience) -> Result<Vec<Answer>, Fault> {
        let mut answers: Vec<Option<Answer>> = Vec::new();
        answers.resize_with(calls.len(), || None);
        let verdict = |fault: &Fault| match fault {
            Fault::Net(fault)
                if patience == Patience::AskForLess
                    && matches!(fault.kind, FaultKind::Timeout | FaultKind::Closed) =>
            {
                Verdict::Stop
            }
            Fault::Net(fault) => fault.verdict(),
            Fault::Rpc { sort: Sort::RateLimited | Sort::Transient, .. } => Verdict::Again,
            _ => Verdict::Stop,
        };
        retry(&self.policy, verdict, async || self.round(calls, &mut answers).await).await?;
        answers.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| Fault::Bad {
            method: calls.first().map_or("a batch", |c| c.method),
            why: "a call was left unanswered".to_owned(),
        })
    }

    /// One try for everything that has no lasting answer yet.
    async fn round(&self, calls: &[Call], answers: &mut [Option<Answer>]) -> Result<(), Fault> {
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
                together(one_by_one).await.into_iter().collect::<Result<Vec<_>, net::Fault>>()?
            };
            for ((&i, call), answer) in now.iter().zip(&asked).zip(got) {
                match answer {
                    Err(error) if is_passing(call.method, &error) => {
                        let sort = sort(call.method, &error);
                        passing = Some(Fault::Rpc { method: call.method, error, sort });
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
    fn refused(&self, first: Option<&Call>, error: RpcError, size: usize) -> Result<(), Fault> {
        let method = first.map_or("a batch", |c| c.method);
        if is_passing(method, &error) {
            let sort = sort(method, &error);
            return Err(Fault::Rpc { method, error, sort });
        }
        tracing::debug!(endpoint = self.name(), size, %error, "batch refused");
        self.batch.store(if size <= 8 { 1 } else { size / 4 }, Ordering::Relaxed);
        Ok(())
    }
}

fn is_passing(method: &str, error: &RpcError) -> bool {
    matches!(sort(method, error), Sort::RateLimited | Sort::Transient)
}

/// Runs a few futures at once on this thread; the answers keep their order.
async fn together<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|cx| {
        let mut waiting = false;
        for (future, output) in running.iter_mut().zip(&mut outputs).filter(|(_, output)| output.is_none()) {
            match future.as_mut().poll(cx) {
                Poll::Ready(value) => *output = Some(value),
                Poll::Pending => waiting = true,
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
