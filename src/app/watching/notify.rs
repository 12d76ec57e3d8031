//! Of `notify …`: telling the channels what changed, trying them, and what waits. The state is held for moments only, never
//! while a channel is waited for.

use crate::failures::{Failure, partly};
use crate::paging::{PageEnd, Window};
use crate::{App, Document};
use base::{Code, Error, Result, clock, counted, forms, run};
use config::{Channel, Severity};
use futures_util::future::join_all;
use net::{Fault, FaultKind, Http, HttpLimits};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use watch::notify::{self, Change, Due, Fate, Listed, Notice, Target};

/// Answers of channels are short.
const MOST_ANSWER: usize = 64 << 10;
/// Notifications that one run sends to a channel at most; the rest waits for the next run.
const MOST_ROUNDS: u32 = 50;

/// What was told.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct SendOutput {
    /// What changed since the channels were last told; in a dry run, what would be told.
    pub changes: Vec<ChangeView>,
    /// What was sent, or tried; in a dry run, what would be.
    pub notifications: Vec<TryView>,
    /// Notifications that wait for another try.
    pub waiting: u64,
    #[serde(skip)]
    warnings: Vec<String>,
    #[serde(skip)]
    given_up: Vec<String>,
}

/// One thing that changed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChangeView {
    /// `new`, `worse`, `lost` or `resolved`.
    pub change: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// What it is told together with: `pool growth`, `farm north`, `prices`.
    pub topic: String,
    /// The pool, feed, farmer, pooler or channel; empty where it is one for all.
    pub subject: String,
    /// The rule, the kind of alert, or the job.
    pub kind: String,
    /// Why, in words; of what is over, nothing.
    pub why: String,
}

/// One notification that was tried.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TryView {
    /// The channel.
    pub channel: String,
    /// Its title.
    pub title: String,
    /// `sent`, `waiting` for another try, `given_up`, or `would_send`.
    pub status: &'static str,
    /// When it is tried again, RFC 3339.
    #[schemars(with = "Option<forms::Time>")]
    pub next_try: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

impl From<&Change> for ChangeView {
    fn from(Change { change, of }: &Change) -> Self {
        let of = of.clone();
        Self {
            change: change.as_str(),
            severity: of.severity,
            topic: of.topic,
            subject: of.subject,
            kind: of.kind,
            why: of.why,
        }
    }
}

impl SendOutput {
    fn take(&mut self, due: &Due, fate: Fate) {
        let (status, next_try, error) = match fate {
            Fate::Sent => ("sent", None, None),
            Fate::Waits(why, at) => ("waiting", Some(clock::rfc3339(at)), Some(why)),
            Fate::GivenUp(why) => ("given_up", None, Some(why)),
        };
        let (channel, title) = (due.channel.clone(), due.notice.title.clone());
        match (&error, &next_try) {
            (Some(why), Some(next)) => {
                self.warnings.push(format!("channel \"{channel}\": {why}; next try at {next}"));
            }
            (Some(why), None) => self.given_up.push(format!("channel \"{channel}\": {why}")),
            _ => {}
        }
        self.notifications.push(TryView { channel, title, status, next_try, error });
    }
}

impl Document for SendOutput {
    fn failure(&self) -> Option<Error> {
        let first = self.given_up.first()?;
        let count = counted(self.given_up.len(), "notification");
        let error = Error::new(Code::Undelivered, format!("{count} given up; first: {first}"));
        Some(
            error.hint(run("notify list").say(" has all of them; try the channel with: ").run("notify test")),
        )
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Tells the channels what changed, and sends what is due. Cheap where nothing changed: nothing is written then.
///
/// # Errors
/// `missing_setting` where there is no channel. What a channel does wrong is no error, but stands in the document.
pub fn send(app: &App<'_>, dry_run: bool) -> Result<SendOutput> {
    app.config.require("notify.channels")?;
    let channels = app.config.channels()?;
    let mut output = SendOutput::default();
    let outlook = {
        let state = app.read()?;
        let look = state.look()?;
        output.waiting = notify::waiting(look.conn())?;
        notify::outlook(look.conn(), &app.config, &channels, MOST_ROUNDS, state.run().clock.now())?
    };
    if dry_run {
        app.call().set_dry_run();
        output.changes = outlook.changes.iter().map(ChangeView::from).collect();
        let would_send = |(channel, notice): (String, Notice)| TryView {
            channel,
            title: notice.title,
            status: "would_send",
            next_try: None,
            error: None,
        };
        output.notifications = outlook.notices.into_iter().map(would_send).collect();
        return Ok(output);
    }
    if outlook.idle {
        return Ok(output);
    }
    let sender = Sender::new(app)?;
    let mut open: Vec<&Channel> = channels.iter().collect();
    let (changes, mut due) = app.write(false, |work| {
        let config = work.config;
        work.state.write(work.permit, |tx| {
            let changes = notify::take_in(tx, config, &channels)?;
            Ok((changes, notify::claim(tx, config, open.iter().copied())?))
        })
    })?;
    output.changes = changes.iter().map(ChangeView::from).collect();
    for round in 1.. {
        if due.is_empty() {
            break;
        }
        let results = sender.send_all(&channels, &due)?;
        // What did not get through to a channel now is not tried again with the next one.
        open.retain(|channel| {
            due.iter().zip(&results).any(|(due, result)| due.channel == channel.name && result.is_ok())
        });
        let more = round < MOST_ROUNDS && !app.call().stop.wanted();
        let (fates, next, waiting) = app.write(false, |work| {
            let config = work.config;
            work.state.write(work.permit, |tx| {
                let of = |(due, result): (&Due, &Result<(), Fault>)| {
                    notify::record(tx, config, due, result.as_ref().copied())
                };
                let fates = due.iter().zip(&results).map(of).collect::<Result<Vec<Fate>>>()?;
                let next = notify::claim(tx, config, open.iter().copied().filter(|_| more))?;
                Ok((fates, next, notify::waiting(tx.conn())?))
            })
        })?;
        for (due, fate) in due.iter().zip(fates) {
            output.take(due, fate);
        }
        (due, output.waiting) = (next, waiting);
    }
    Ok(output)
}

/// The client, and how channels are reached.
struct Sender<'a, 's> {
    app: &'a App<'s>,
    http: Http,
    /// How long a try may take, and each secret.
    limit: Duration,
}

impl<'a, 's> Sender<'a, 's> {
    fn new(app: &'a App<'s>) -> Result<Self> {
        let timeout = Duration::from_secs(app.config.number("notify.timeout_sec")?);
        let connect_timeout = HttpLimits::default().connect_timeout.min(timeout);
        let http = Http::new(HttpLimits { timeout, connect_timeout, max_body: MOST_ANSWER });
        Ok(Self { app, http, limit: timeout })
    }

    /// Channels with their secrets, read now: they may have been replaced.
    fn targets(&self, channels: &[&Channel]) -> Vec<Result<Target>> {
        let secrets = self.app.channel_secrets(channels, self.limit);
        let of_each = channels.iter().zip(secrets).map(|(channel, secrets)| {
            let (url, token) = secrets?;
            let (url, token) = (url.as_ref().map(|url| url.as_str()), token.as_ref().map(|one| one.as_str()));
            Target::new(channel, url, token)
        });
        of_each.collect()
    }

    /// Sends these at the same time; a secret that cannot be had is a failure of its channel.
    fn send_all(&self, channels: &[Channel], due: &[Due]) -> Result<Vec<Result<(), Fault>>> {
        let channel = |due: &Due| {
            let gone = || Error::new(Code::Bug, format!("there is no channel \"{}\"", due.channel));
            channels.iter().find(|channel| channel.name == due.channel).ok_or_else(gone)
        };
        let targets = self.targets(&due.iter().map(channel).collect::<Result<Vec<&Channel>>>()?);
        let sent = due.iter().zip(&targets).map(async |(due, target)| match target {
            Ok(target) => notify::send(&self.http, target, &due.key, &due.notice).await,
            Err(e) => Err(Fault::new(FaultKind::Denied, e.message())),
        });
        Ok(self.app.host.runtime()?.block_on(join_all(sent)))
    }
}

/// How channels were tried.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TestOutput {
    /// One by one.
    pub channels: Vec<TestView>,
    #[serde(skip)]
    failures: Vec<Failure>,
}

/// How a channel was tried.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TestView {
    /// Its name.
    pub channel: String,
    /// `webhook`, `slack`, `discord`, `telegram` or `ntfy`.
    pub service: &'static str,
    /// From which severity on it is told.
    pub least: Severity,
    /// Where it goes: scheme and host.
    pub host: Option<String>,
    /// `sent`, `failed` or `would_send`.
    pub status: &'static str,
    /// Why it failed.
    pub error: Option<String>,
}

impl Document for TestOutput {
    fn failure(&self) -> Option<Error> {
        partly(self.channels.len() - self.failures.len(), &self.failures, "channels")
    }
}

/// Sends a test notification to the channel of this name, or to all; nothing is queued. Where the last notification of a
/// channel was given up and this one gets through, that is noted.
///
/// # Errors
/// `missing_setting` where there is no channel, `invalid_value` where there is none of this name.
pub fn test(app: &App<'_>, name: Option<&str>, dry_run: bool) -> Result<TestOutput> {
    app.config.require("notify.channels")?;
    let all = app.config.channels()?;
    let chosen: Vec<&Channel> =
        all.iter().filter(|channel| name.is_none_or(|name| channel.name == name)).collect();
    if let (Some(name), true) = (name, chosen.is_empty()) {
        let known: Vec<&str> = all.iter().map(|channel| channel.name.as_str()).collect();
        return Err(Error::new(Code::InvalidValue, format!("no channel \"{name}\""))
            .hint(format!("there are: {}", known.join(", "))));
    }
    if dry_run {
        app.call().set_dry_run();
    }
    let sender = Sender::new(app)?;
    let (key, notice) = (notify::key(), Notice::test(&app.config.profile, app.call().run.clock.now()));
    let targets = sender.targets(&chosen);
    let sent = targets.iter().map(async |target| match target {
        Ok(_) if dry_run => Ok(()),
        Ok(target) => notify::send(&sender.http, target, &key, &notice)
            .await
            .map_err(|fault| Error::new(fault.code(), fault.to_string())),
        Err(e) => Err(e.clone()),
    });
    let sent = app.host.runtime()?.block_on(join_all(sent));
    let mut output = TestOutput { channels: Vec::new(), failures: Vec::new() };
    for ((channel, target), sent) in chosen.iter().zip(&targets).zip(&sent) {
        let status = match sent {
            Ok(()) if dry_run => "would_send",
            Ok(()) => "sent",
            Err(_) => "failed",
        };
        output.channels.push(TestView {
            channel: channel.name.clone(),
            service: channel.service.as_str(),
            least: channel.least,
            host: target.as_ref().ok().map(Target::shown),
            status,
            error: sent.as_ref().err().map(|e| e.message().to_owned()),
        });
        let failure =
            |e: &Error| (channel.name.clone(), e.clone().context(format!("channel \"{}\"", channel.name)));
        output.failures.extend(sent.as_ref().err().map(failure));
    }
    if !dry_run {
        let works = chosen.iter().zip(&sent).filter(|(_, sent)| sent.is_ok()).map(|(channel, _)| *channel);
        note(app, works, &key, &notice)?;
    }
    Ok(output)
}

/// Notes that channels work whose last notification was given up.
fn note<'c>(
    app: &App<'_>,
    works: impl Iterator<Item = &'c Channel>,
    key: &str,
    notice: &Notice,
) -> Result<()> {
    let state = match app.read() {
        Ok(state) => state,
        Err(e) if e.code() == Code::StateMissing => return Ok(()),
        Err(e) => return Err(e),
    };
    let mut mended = BTreeMap::new();
    for channel in works {
        if notify::is_failing(state.conn(), &channel.name)? {
            mended.insert(&channel.name, format!("{key}-{}", channel.name));
        }
    }
    drop(state);
    if mended.is_empty() {
        return Ok(());
    }
    app.write(false, |work| {
        work.state.write(work.permit, |tx| {
            mended.iter().try_for_each(|(channel, key)| notify::works(tx, channel, key, notice))
        })
    })
}

/// Each channel's name, and where it goes (scheme and host) or why what it needs cannot be had. Nothing is sent.
pub fn reach(app: &App<'_>) -> Result<Vec<(String, Result<String>)>> {
    let channels = app.config.channels()?;
    let targets = Sender::new(app)?.targets(&channels.iter().collect::<Vec<&Channel>>());
    let shown = |target: Result<Target>| target.map(|target| target.shown());
    Ok(channels.into_iter().map(|channel| channel.name).zip(targets.into_iter().map(shown)).collect())
}

/// A page of notifications.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListOutput {
    /// The newest first.
    pub notifications: Vec<NotificationView>,
    /// Where the page ends.
    #[serde(flatten)]
    pub end: PageEnd,
    /// How many wait, of all there are.
    pub waiting: u64,
}

/// One notification.
#[derive(Debug, Serialize, JsonSchema)]
pub struct NotificationView {
    /// Its key, which went with each try.
    pub key: String,
    /// The channel.
    pub channel: String,
    /// How grave the gravest of it is.
    pub severity: Severity,
    /// Its title.
    pub title: String,
    /// A line for each change.
    pub text: String,
    /// `waiting`, `sent` or `given_up`.
    pub status: &'static str,
    /// Tries so far.
    pub attempts: u64,
    /// When it was queued, RFC 3339.
    #[schemars(with = "forms::Time")]
    pub created_at: String,
    /// When it is tried next; null where it does not wait.
    #[schemars(with = "Option<forms::Time>")]
    pub next_try: Option<String>,
    /// When it was sent or given up.
    #[schemars(with = "Option<forms::Time>")]
    pub ended_at: Option<String>,
    /// Why the last try failed.
    pub error: Option<String>,
}

impl From<Listed> for NotificationView {
    fn from(one: Listed) -> Self {
        Self {
            key: one.key,
            channel: one.channel,
            severity: one.notice.severity,
            title: one.notice.title,
            text: one.notice.text,
            status: match (one.done_at, one.sent) {
                (None, _) => "waiting",
                (Some(_), true) => "sent",
                (Some(_), false) => "given_up",
            },
            attempts: one.attempts,
            created_at: clock::rfc3339(one.created_at),
            next_try: one.done_at.is_none().then(|| clock::rfc3339(one.next_at)),
            ended_at: one.done_at.map(clock::rfc3339),
            error: one.error,
        }
    }
}

/// A page of the notifications, and how many of all wait.
pub fn list(app: &App<'_>, window: &Window) -> Result<ListOutput> {
    let state = app.read()?;
    let look = state.look()?;
    let found = notify::list(look.conn(), window.after()?, window.reach())?;
    let (found, end) = window.page(found, notify::count(look.conn())?, |one| one.id.to_string());
    let notifications = found.into_iter().map(NotificationView::from).collect();
    Ok(ListOutput { notifications, end, waiting: notify::waiting(look.conn())? })
}
