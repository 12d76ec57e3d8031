//! What a notification looks like to each service. Pure.
//!
//! Sources: Slack, <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>; Discord,
//! <https://discord.com/developers/docs/resources/webhook#execute-webhook>; Telegram,
//! <https://core.telegram.org/bots/api#sendmessage>; ntfy, <https://docs.ntfy.sh/publish/>.

use super::text::Notice;
use config::Severity;
use config::channels::Service;
use serde_json::{Value, json};
use std::time::Duration;

/// What is posted: headers, and a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body as text.
    pub body: String,
}

/// The notification with this key, for a service. `chat` is for Telegram; a token goes with webhooks and ntfy as a header,
/// with Telegram in the URL.
pub fn post(service: Service, key: &str, notice: &Notice, token: Option<&str>, chat: Option<&str>) -> Post {
    let json = |body: &Value| ("application/json", body.to_string());
    let Notice { title, text, .. } = notice;
    // Whoever reads one twice can tell by its beginning.
    let id = format!("id {}", key.get(..8).unwrap_or(key));
    let ((form, body), more) = match service {
        Service::Webhook => (json(&webhook(key, notice)), Vec::new()),
        Service::Slack => {
            (json(&json!({ "text": escaped(&format!("*{title}*\n{text}\n{id}")) })), Vec::new())
        }
        Service::Discord => {
            // Names must not call anybody.
            let mentions = json!({ "parse": [] });
            let content = format!("**{title}**\n{text}\n{id}");
            (json(&json!({ "content": content, "allowed_mentions": mentions })), Vec::new())
        }
        Service::Telegram => {
            let text = format!("{title}\n{text}\n{id}");
            (json(&json!({ "chat_id": chat.unwrap_or_default(), "text": text })), Vec::new())
        }
        Service::Ntfy => {
            let (priority, tag) = match notice.severity {
                _ if notice.resolved => ("3", "white_check_mark"),
                Severity::Info => ("3", "information_source"),
                Severity::Warning => ("4", "warning"),
                Severity::Critical => ("5", "rotating_light"),
            };
            let more = [("title", title.as_str()), ("priority", priority), ("tags", tag)];
            (("text/plain; charset=utf-8", format!("{text}\n{id}")), more.to_vec())
        }
    };
    let mut headers = vec![("content-type", form.to_owned()), ("idempotency-key", key.to_owned())];
    headers.extend(more.into_iter().map(|(name, value)| (name, value.to_owned())));
    let bearer = token.filter(|_| service != Service::Telegram);
    headers.extend(bearer.map(|token| ("authorization", format!("Bearer {token}"))));
    Post { headers, body }
}

/// The documented JSON.
fn webhook(key: &str, notice: &Notice) -> Value {
    let mut body = json!({
        "id": key, "title": notice.title, "text": notice.text, "severity": notice.severity,
        "resolved": notice.resolved,
    });
    if let Value::Object(body) = &mut body {
        body.extend(notice.more.clone());
    }
    body
}

/// The three characters that are markup to Slack.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// How long a service asks to wait in the body of its answer: Telegram's `parameters.retry_after`, Discord's `retry_after`.
pub fn asked_to_wait(body: &[u8]) -> Option<Duration> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let seconds = body.pointer("/parameters/retry_after").or_else(|| body.get("retry_after"))?;
    let text = seconds.as_number()?.to_string();
    let (whole, part) = text.split_once('.').map_or((text.as_str(), false), |(whole, _)| (whole, true));
    Some(Duration::from_secs(whole.parse::<u64>().ok()?.saturating_add(u64::from(part))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0b9d1f6e-0000-4000-8000-000000000000";

    fn notice(severity: Severity, resolved: bool) -> Notice {
        let mut notice = Notice::test("mainnet", 0);
        (notice.severity, notice.resolved) = (severity, resolved);
        (notice.title, notice.text) = ("poolctl é: pool <a>".to_owned(), "new: a & b @everyone".to_owned());
        notice
    }

    fn header<'p>(post: &'p Post, name: &str) -> Option<&'p str> {
        post.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn each_service_gets_its_form() {
        let of = |service, token| post(service, KEY, &notice(Severity::Critical, false), token, Some("-7"));
        let json = |post: &Post| serde_json::from_str::<Value>(&post.body).unwrap();
        let text = "new: a & b @everyone\nid 0b9d1f6e";

        let slack = of(Service::Slack, None);
        let want = "*poolctl é: pool &lt;a&gt;*\nnew: a &amp; b @everyone\nid 0b9d1f6e";
        assert_eq!(json(&slack), json!({ "text": want }));

        let discord = json(&of(Service::Discord, None));
        assert_eq!(discord["content"], format!("**poolctl é: pool <a>**\n{text}"));
        assert_eq!(discord["allowed_mentions"], json!({ "parse": [] }), "nobody is called");

        let telegram = of(Service::Telegram, Some("TOKEN"));
        assert_eq!(
            json(&telegram),
            json!({ "chat_id": "-7", "text": format!("poolctl é: pool <a>\n{text}") })
        );
        assert_eq!(header(&telegram, "authorization"), None, "it is in the URL");

        let ntfy = of(Service::Ntfy, Some("TOKEN"));
        assert_eq!(ntfy.body, text);
        for (name, want) in [
            ("title", "poolctl é: pool <a>"),
            ("priority", "5"),
            ("tags", "rotating_light"),
            ("authorization", "Bearer TOKEN"),
        ] {
            assert_eq!(header(&ntfy, name), Some(want), "{name}");
        }

        let webhook = of(Service::Webhook, None);
        let body = json(&webhook);
        assert_eq!(
            (&body["id"], &body["schema_version"], &body["source"]),
            (&KEY.into(), &1.into(), &"poolctl".into())
        );
        assert_eq!((&body["severity"], &body["resolved"]), (&"critical".into(), &false.into()));
        for one in [slack, discord_post(), telegram, ntfy, webhook] {
            assert_eq!(header(&one, "idempotency-key"), Some(KEY));
        }
    }

    fn discord_post() -> Post {
        post(Service::Discord, KEY, &notice(Severity::Info, false), None, None)
    }

    #[test]
    fn ntfy_rings_by_severity() {
        for (severity, resolved, want) in [
            (Severity::Info, false, ["3", "information_source"]),
            (Severity::Warning, false, ["4", "warning"]),
            (Severity::Critical, false, ["5", "rotating_light"]),
            (Severity::Critical, true, ["3", "white_check_mark"]),
        ] {
            let post = post(Service::Ntfy, KEY, &notice(severity, resolved), None, None);
            assert_eq!(["priority", "tags"].map(|name| header(&post, name).unwrap()), want);
        }
    }

    #[test]
    fn a_service_may_ask_to_wait_in_its_body() {
        for (body, want) in [
            (r#"{"ok":false,"error_code":429,"parameters":{"retry_after":35}}"#, Some(35)),
            (r#"{"message":"You are being rate limited.","retry_after":0.529,"global":false}"#, Some(1)),
            (r#"{"retry_after":64}"#, Some(64)),
            (r#"{"retry_after":"64"}"#, None),
            (r#"{"retry_after":-1}"#, None),
            ("rate limited", None),
        ] {
            assert_eq!(asked_to_wait(body.as_bytes()), want.map(Duration::from_secs), "{body}");
        }
    }
}
