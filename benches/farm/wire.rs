//! A wire that notes when something is under way on it: what is left of a run's time is the run's own.

use anyhow::{Context as _, Result};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// From the first byte of a request to the last of its answer.
type Exchange = (Instant, Instant);

/// Relays every connection; there is one request at a time on each, as HTTP/1.1 without pipelining has it.
pub struct Wire {
    url: String,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    /// Connections that have not ended.
    open: Arc<AtomicUsize>,
}

impl Wire {
    /// A wire in front of `http://…`.
    pub fn start(upstream: &str) -> Result<Self> {
        let upstream = upstream.strip_prefix("http://").context("not http")?.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let exchanges = Arc::<Mutex<Vec<Exchange>>>::default();
        let open = Arc::<AtomicUsize>::default();
        let (noted, opened) = (Arc::clone(&exchanges), Arc::clone(&open));
        // Like its connections it ends with the process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (noted, opened, upstream) = (Arc::clone(&noted), Arc::clone(&opened), upstream.clone());
                opened.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    relay(&client, &upstream, &noted);
                    opened.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Ok(Self { url, exchanges, open })
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// How many requests there were since the last call, and for how long any of them was under way. Waits for the
    /// connections of a run that has ended to end too.
    pub fn take(&self) -> (usize, Duration) {
        while self.open.load(Ordering::SeqCst) > 0 {
            thread::sleep(Duration::from_millis(1));
        }
        let mut all = std::mem::take(&mut *self.exchanges.lock().unwrap_or_else(PoisonError::into_inner));
        all.sort_unstable();
        let mut busy = Duration::ZERO;
        let mut until: Option<Instant> = None;
        for (from, to) in &all {
            let from = until.map_or(*from, |until| until.max(*from));
            busy += to.saturating_duration_since(from);
            until = Some(until.map_or(*to, |until| until.max(*to)));
        }
        (all.len(), busy)
    }
}

/// Passes on one connection until either side ends it.
fn relay(client: &TcpStream, upstream: &str, noted: &Mutex<Vec<Exchange>>) -> Option<()> {
    let server = TcpStream::connect(upstream).ok()?;
    for stream in [client, &server] {
        stream.set_nodelay(true).ok()?;
    }
    let (mut asking, mut asked) = (client.try_clone().ok()?, server.try_clone().ok()?);
    let (mut answering, mut answered) = (server, client.try_clone().ok()?);
    let under_way: Mutex<Option<Exchange>> = Mutex::new(None);
    let lock = || under_way.lock().unwrap_or_else(PoisonError::into_inner);
    let keep = |exchange: Option<Exchange>| {
        noted.lock().unwrap_or_else(PoisonError::into_inner).extend(exchange);
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(read @ 1..) = asking.read(&mut buffer) {
                let now = Instant::now();
                let mut current = lock();
                // The first bytes after an answer: another request.
                if current.is_some_and(|(from, to)| to > from) {
                    keep(current.take());
                }
                current.get_or_insert((now, now));
                drop(current);
                if asked.write_all(buffer.get(..read).unwrap_or_default()).is_err() {
                    break;
                }
            }
            // The other side may be gone already.
            asked.shutdown(Shutdown::Both).ok();
        });
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = answering.read(&mut buffer) {
            if answered.write_all(buffer.get(..read).unwrap_or_default()).is_err() {
                break;
            }
            if let Some((_, to)) = lock().as_mut() {
                *to = Instant::now();
            }
        }
        answered.shutdown(Shutdown::Both).ok();
    });
    keep(lock().take());
    Some(())
}
