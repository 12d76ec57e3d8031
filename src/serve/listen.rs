//! Connections: where the server listens, by TLS or not, how many there may be, and how it ends.

use crate::Server;
use crate::limits::{CONNECTIONS, HEADER};
use axum_server::Handle;
use axum_server::accept::{Accept, DefaultAcceptor};
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use base::{Code, Error, Result, Stop};
use hyper_util::rt::TokioTimer;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Certificate chain and key, as PEM.
pub struct Tls {
    /// The chain, the server's own first.
    pub certificates: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
}

/// Where it listens, and how.
pub struct Listen {
    /// A socket that is open already.
    pub socket: TcpListener,
    /// By TLS.
    pub tls: Option<Tls>,
}

/// How long headers may take: who sends them byte by byte is cut off.
const HEADERS: Duration = Duration::from_secs(10);
/// How long requests that are under way have when the server is to end.
const GRACE: Duration = Duration::from_secs(10);
/// How often it is looked whether it is to end.
const LOOK: Duration = Duration::from_millis(100);
/// How often it forgets who has not asked lately.
const TIDY: Duration = Duration::from_mins(1);

/// Serves until it is to stop; `ready` is told once it listens.
pub async fn serve(server: Arc<Server>, listen: Listen, stop: &Stop, ready: impl FnOnce()) -> Result<()> {
    let broken = |e: io::Error| Error::new(Code::Io, format!("the server cannot listen: {e}"));
    let handle = Handle::new();
    let ending = async {
        let mut tidied = Instant::now();
        while stop.check().is_ok() {
            tokio::time::sleep(LOOK).await;
            if tidied.elapsed() > TIDY {
                server.limits.tidy();
                tidied = Instant::now();
            }
        }
        server.end();
        handle.graceful_shutdown(Some(GRACE));
        std::future::pending::<()>().await;
    };
    let app = server.router().into_make_service_with_connect_info::<SocketAddr>();
    let bound = axum_server::from_tcp(listen.socket).map_err(broken)?.handle(handle.clone()).http1_only();
    let mut bound = bound.first_request_timeout(HEADERS);
    bound.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(HEADER);
    let limited = Limited { room: Arc::new(Semaphore::new(CONNECTIONS)), inner: DefaultAcceptor };
    let config = match listen.tls {
        None => None,
        Some(tls) => {
            let wrong =
                |e| Error::field(Code::InvalidValue, "tls-cert", format!("no chain with its key: {e}"));
            Some(RustlsConfig::from_pem(tls.certificates, tls.key).await.map_err(wrong)?)
        }
    };
    ready();
    let served = async {
        match config {
            None => bound.acceptor(limited).serve(app).await,
            Some(config) => bound.acceptor(RustlsAcceptor::new(config).acceptor(limited)).serve(app).await,
        }
    };
    tokio::select! {
        served = served => served.map_err(broken),
        () = ending => Ok(()),
    }
}

/// So many connections at once; others are closed.
#[derive(Clone)]
struct Limited<A> {
    room: Arc<Semaphore>,
    inner: A,
}

impl<I, S, A: Accept<I, S>> Accept<I, S> for Limited<A>
where
    A::Future: Send + 'static,
{
    type Stream = Held<A::Stream>;
    type Service = A::Service;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let permit = Arc::clone(&self.room).try_acquire_owned();
        let accepted = self.inner.accept(stream, service);
        Box::pin(async move {
            let permit = permit.map_err(|_| io::Error::other("too many connections"))?;
            let (stream, service) = accepted.await?;
            Ok((Held { stream, _permit: permit }, service))
        })
    }
}

/// A connection that counts as long as it is open.
pub struct Held<S> {
    stream: S,
    _permit: OwnedSemaphorePermit,
}

impl<S: AsyncRead + Unpin> AsyncRead for Held<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Held<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
