//! Looks at what became of many transactions, in few requests.

use crate::Client;
use crate::replies::Lookup;
use base::{Code, Error, Result};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::cell::RefCell;
use tokio::sync::{Notify, oneshot};

/// Hashes in one request; an answer carries what the transaction changed, some kilobytes.
const CHUNK: usize = 20;
/// Requests under way at once.
const CONCURRENT: usize = 4;

type PendingLookup = (String, oneshot::Sender<Result<Lookup>>);

/// The questions that wait to be asked.
#[derive(Debug, Default)]
pub(super) struct Polls {
    asked: RefCell<Vec<PendingLookup>>,
    changed: Notify,
}

impl Polls {
    /// Asks, together with others, what became of a transaction.
    pub async fn lookup(&self, hash: &str) -> Result<Lookup> {
        let (done, answer) = oneshot::channel();
        self.asked.borrow_mut().push((hash.to_owned(), done));
        self.changed.notify_one();
        answer.await.map_err(|_| Error::new(Code::Bug, "a question was dropped"))?
    }

    /// Asks whatever is waiting, until dropped.
    pub async fn run(&self, client: &Client) {
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < CONCURRENT && !self.asked.borrow().is_empty() {
                let mut asked = self.asked.borrow_mut();
                let rest = asked.len().saturating_sub(CHUNK);
                under_way.push(ask(client, asked.split_off(rest)));
            }
            tokio::select! {
                () = self.changed.notified(), if under_way.len() < CONCURRENT => {}
                Some(()) = under_way.next() => {}
            }
        }
    }
}

async fn ask(client: &Client, asked: Vec<PendingLookup>) {
    let (hashes, done): (Vec<String>, Vec<_>) = asked.into_iter().unzip();
    match client.known(async |view| view.transactions(&hashes).await).await {
        Ok(lookups) => {
            for (done, lookup) in done.into_iter().zip(lookups) {
                // One whose transaction is not awaited any more needs no answer.
                let _ = done.send(lookup);
            }
        }
        Err(error) => {
            // Who cannot look transactions up may still tell how late it is, and so end the waiting for them.
            let _ = client.view(async |_| Ok(())).await;
            for done in done {
                let _ = done.send(Err(error.clone()));
            }
        }
    }
}

/// The answer of one question.
pub(super) fn only(answers: Vec<Result<Lookup>>) -> Result<Lookup> {
    let none = || Error::new(Code::BadReply, "getTransaction: no answer");
    answers.into_iter().next().ok_or_else(none)?
}
