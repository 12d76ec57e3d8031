//! The HTTP client of the product: rustls with ring, bundled root certificates, time and size limits, no redirects.

use super::fault::{Fault, FaultKind};
use base::redact::Redactor;
use base::{Code, Endpoint, Error, Result, clock, killpoint};
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Limits on one HTTP exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Time to get a connection, TLS included.
    pub connect_timeout: Duration,
    /// Time for the whole exchange, from sending to the last byte.
    pub timeout: Duration,
    /// Largest answer in bytes.
    pub max_body: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            max_body: 64 << 20,
        }
    }
}

/// A whole answer, whatever its status.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// What `Retry-After` asks for.
    pub retry_after: Option<Duration>,
    /// Whether it says that it is a web page.
    pub html: bool,
    /// Where a redirect points to: `scheme://host[:port]`, since the rest may be a key.
    pub redirect: Option<String>,
    /// The body, which is bounded.
    pub body: Vec<u8>,
}

/// The clients of a process, built when first needed; it counts what they send.
#[derive(Debug, Default)]
pub struct Http {
    limits: HttpLimits,
    /// Beyond this machine and within it, each without and with TLS.
    clients: Mutex<[[Option<reqwest::Client>; 2]; 2]>,
    sent: AtomicU64,
    /// The last `Date` that a server sent, in seconds since 1970, and when it came.
    dated: Mutex<Option<(Instant, i64)>>,
}

impl Http {
    /// Nothing is built or sent yet.
    pub fn new(limits: HttpLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// The client for an endpoint; those of one kind share their connections.
    ///
    /// The bundled roots stand beside the machine's own, so a machine without any works. The machine's own take
    /// milliseconds to read and are left out where no TLS is spoken. A proxy named by the usual environment
    /// variables is used, except towards this machine. Errors: `bug` when TLS cannot be set up.
    pub fn client(&self, endpoint: &Endpoint) -> Result<reqwest::Client> {
        let (tls, near) = (endpoint.url().scheme() == "https", endpoint.is_loopback());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut clients[usize::from(near)][usize::from(tls)];
        if let Some(client) = slot {
            return Ok(client.clone());
        }
        let failed =
            |e: reqwest::Error| Error::new(Code::Bug, format!("the HTTP client cannot be built: {e}"));
        // An error only says that a provider is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
            .iter()
            .map(|der| reqwest::Certificate::from_der(der))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(self.limits.connect_timeout)
            .timeout(self.limits.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("poolctl/", env!("CARGO_PKG_VERSION")));
        builder = if tls { builder.tls_certs_merge(roots) } else { builder.tls_certs_only(roots) };
        if near {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(failed)?;
        *slot = Some(client.clone());
        Ok(client)
    }

    /// HTTP requests sent so far, tries that failed included.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// What the clock of a server said last (its `Date`, in seconds since 1970), and when that came; `None` where none
    /// says.
    pub fn server_clock(&self) -> Option<(Instant, i64)> {
        *self.dated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Posts JSON and reads the whole answer, within the limits.
    pub async fn post(
        &self,
        client: &reqwest::Client,
        endpoint: &Endpoint,
        redactor: &Redactor,
        body: Vec<u8>,
    ) -> Result<Reply, Fault> {
        let json = [("content-type", "application/json".to_owned())];
        self.post_with(client, endpoint, redactor, &json, body).await
    }

    /// The same for any body, with these headers.
    pub async fn post_with(
        &self,
        client: &reqwest::Client,
        endpoint: &Endpoint,
        redactor: &Redactor,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<Reply, Fault> {
        killpoint::reach();
        self.sent.fetch_add(1, Ordering::Relaxed);
        let mut request = client.post(endpoint.url().clone()).body(body);
        for (name, value) in headers {
            // As bytes: titles may have any letters.
            request = request.header(*name, value.as_bytes());
        }
        let reply = match request.send().await {
            Ok(response) => self.read(response, endpoint, redactor).await,
            Err(error) => Err(self.fault(error, redactor)),
        };
        killpoint::reach();
        reply
    }

    async fn read(
        &self,
        mut response: reqwest::Response,
        endpoint: &Endpoint,
        redactor: &Redactor,
    ) -> Result<Reply, Fault> {
        let too_large = || {
            let limit = self.limits.max_body;
            Fault::new(FaultKind::TooLarge, format!("the answer is larger than the limit of {limit} bytes"))
        };
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        if let Some(date) = date(response.headers()) {
            let dated = Some((Instant::now(), date.timestamp().as_second()));
            *self.dated.lock().unwrap_or_else(PoisonError::into_inner) = dated;
        }
        let html = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| v.to_ascii_lowercase().contains("html"));
        let target = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
        let redirect = target
            .and_then(|to| endpoint.url().join(to.to_str().ok()?).ok())
            .map(|to| base::redact::origin(&to));
        let announced = response.content_length().unwrap_or_default();
        if usize::try_from(announced).map_or(true, |n| n > self.limits.max_body) {
            return Err(too_large());
        }
        let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or_default());
        while let Some(chunk) = response.chunk().await.map_err(|e| self.fault(e, redactor))? {
            if body.len() + chunk.len() > self.limits.max_body {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, retry_after, html, redirect, body })
    }

    fn fault(&self, error: reqwest::Error, redactor: &Redactor) -> Fault {
        let error = error.without_url();
        let cause = redactor.clean(&root_cause(&error));
        if error.is_connect() {
            let words = if error.is_timeout() {
                format!("no connection within {}", clock::span(self.limits.connect_timeout.as_secs()))
            } else {
                format!("cannot connect: {cause}")
            };
            Fault::new(FaultKind::Connect, words)
        } else if error.is_timeout() {
            let limit = clock::span(self.limits.timeout.as_secs());
            Fault::new(FaultKind::Timeout, format!("no answer within {limit}"))
        } else {
            Fault::new(
                FaultKind::Closed,
                format!("the connection broke before the whole answer was there: {cause}"),
            )
        }
    }
}

/// The innermost reason, which alone says something: `Connection refused (os error 111)`.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Whole seconds or an HTTP date, as RFC 9110 section 10.2.3 has them.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(value).ok()?;
    // Measured by the server's own clock, so that ours needs no trust.
    let span = until.timestamp().duration_since(date(headers)?.timestamp());
    Some(Duration::try_from(span).unwrap_or_default())
}

/// When the server sent it, by its own clock (RFC 9110 section 6.6.1).
fn date(headers: &HeaderMap) -> Option<jiff::Zoned> {
    let text = headers.get(reqwest::header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_retry_after() {
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        for (value, want) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            headers.insert(reqwest::header::DATE, date.parse().unwrap());
            assert_eq!(retry_after(&headers), want.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
