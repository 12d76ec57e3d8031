//! Sending one notification: one request, within a time limit, to the channel's host alone.

use super::payload::{asked_to_wait, post};
use super::text::Notice;
use base::redact::Redactor;
use base::{Code, Endpoint, Error, Result};
use config::Channel;
use config::channels::{self, Service};
use net::http::Reply;
use net::{Fault, FaultKind, Http};
use std::fmt;

/// Where Telegram's bots are, unless the channel names another server.
const TELEGRAM: &str = "https://api.telegram.org";

/// A channel with its secrets, which nothing shows.
pub struct Target {
    channel: Channel,
    endpoint: Endpoint,
    token: Option<String>,
    redactor: Redactor,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({} at {})", self.channel.name, self.endpoint.shown())
    }
}

impl Target {
    /// A channel, and what its secrets are.
    ///
    /// # Errors
    /// `invalid_value` where the URL is none, without showing it.
    pub fn new(channel: &Channel, url: Option<&str>, token: Option<&str>) -> Result<Self> {
        let bad =
            |why: String| Error::new(Code::InvalidValue, format!("channel \"{}\": {why}", channel.name));
        let mut endpoint = channels::endpoint(url.unwrap_or(TELEGRAM)).map_err(bad)?;
        if channel.service == Service::Telegram {
            endpoint = endpoint.below(&format!("bot{}", token.unwrap_or_default())).below("sendMessage");
        }
        // A token is as secret as a password, and is looked for as one.
        let mut known = endpoint.url().clone();
        if let Some(token) = token {
            let _ = known.set_password(Some(token));
        }
        let (channel, token) = (channel.clone(), token.map(str::to_owned));
        Ok(Self { channel, token, redactor: Redactor::of(&known), endpoint })
    }

    /// `scheme://host[:port]` of it.
    pub fn shown(&self) -> String {
        self.endpoint.shown()
    }
}

/// Sends a notification.
///
/// # Errors
/// Why it is not known to have arrived, without secrets, and how long the service asks to wait.
pub async fn send(http: &Http, target: &Target, key: &str, notice: &Notice) -> Result<(), Fault> {
    let Target { channel, endpoint, token, redactor } = target;
    let post = post(channel.service, key, notice, token.as_deref(), channel.chat.as_deref());
    let client = http.client(endpoint).map_err(|e| Fault::new(FaultKind::Connect, e.message()))?;
    let sent = http.post_with(&client, endpoint, redactor, &post.headers, post.body.into_bytes()).await;
    sent.and_then(|reply| verdict(&reply, redactor))
}

/// Whether an answer says that it arrived.
fn verdict(reply: &Reply, redactor: &Redactor) -> Result<(), Fault> {
    let status = reply.status;
    let kind = match status {
        200..=299 => return Ok(()),
        300..=399 => {
            let to = reply.redirect.as_deref().unwrap_or("another place");
            let why = format!("HTTP status {status}: it redirects to {to}, which is not followed");
            return Err(Fault::new(FaultKind::Redirect, why));
        }
        401..=403 => FaultKind::Denied,
        429 => FaultKind::RateLimited,
        500..=599 => FaultKind::Server,
        _ => FaultKind::Status,
    };
    let said = String::from_utf8_lossy(&reply.body);
    let said = redactor.clean(if reply.html { "" } else { said.as_ref() });
    let mut words = format!("HTTP status {status}");
    if !said.is_empty() {
        words = format!("{words}: {said}");
    }
    let retry_after = reply.retry_after.max(asked_to_wait(&reply.body));
    Err(Fault { retry_after, ..Fault::new(kind, words) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::redact::origin;
    use config::Severity;
    use std::time::Duration;

    fn channel(service: Service) -> Channel {
        let (url, token, chat) = (None, None, Some("-7".to_owned()));
        Channel { name: "ops".to_owned(), service, least: Severity::Info, url, token, chat }
    }

    #[test]
    fn a_bot_is_below_its_token() {
        let target = Target::new(&channel(Service::Telegram), None, Some("12:AbCdEf")).unwrap();
        assert_eq!(target.endpoint.url().as_str(), "https://api.telegram.org/bot12:AbCdEf/sendMessage");
        assert_eq!(format!("{target:?}"), "Target(ops at https://api.telegram.org)");
        let own = Target::new(&channel(Service::Telegram), Some("http://127.0.0.1:81/"), Some("12:AbCdEf"))
            .unwrap();
        assert_eq!(origin(own.endpoint.url()), "http://127.0.0.1:81");
        let bad = Target::new(&channel(Service::Ntfy), Some("ftp://h/KEY"), None).unwrap_err();
        assert!(
            bad.message().starts_with("channel \"ops\": url: ") && !bad.message().contains("KEY"),
            "{bad}"
        );
    }

    #[test]
    fn answers_are_read_without_their_secrets() {
        let target =
            Target::new(&channel(Service::Ntfy), Some("http://h/topic77"), Some("tk_SeCrEt")).unwrap();
        let reply = |status, body: &str| Reply {
            status,
            retry_after: Some(Duration::from_secs(3)),
            html: false,
            redirect: None,
            body: body.as_bytes().to_vec(),
        };
        let verdict = |status, body| verdict(&reply(status, body), &target.redactor);
        assert_eq!([200, 204].map(|status| verdict(status, "no")), [Ok(()), Ok(())]);
        let fault = verdict(429, "{\"parameters\":{\"retry_after\":9}}").unwrap_err();
        assert_eq!((fault.kind, fault.retry_after), (FaultKind::RateLimited, Some(Duration::from_secs(9))));
        let fault = verdict(403, "no topic77 for tk_SeCrEt, see http://h/topic77").unwrap_err();
        assert_eq!(fault.words, "HTTP status 403: no *** for ***, see http://h");
        assert_eq!(verdict(302, "").unwrap_err().kind, FaultKind::Redirect);
        assert_eq!(verdict(500, "").unwrap_err().words, "HTTP status 500");
    }
}
