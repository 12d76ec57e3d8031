//! The audit log as it grows, as Server-Sent Events.

use crate::answer::Refusal;
use crate::server::{Asking, Shared};
use crate::tokens;
use app::api::{READER, Role};
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use base::{Code, Error, Result};
use futures_util::stream::unfold;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

/// How often it is looked for what is new.
const LOOK: Duration = Duration::from_millis(500);
/// A line without meaning where nothing happens for so long: proxies close what is silent.
const ALIVE: Duration = Duration::from_secs(15);

/// How far a stream is.
struct Place {
    server: Shared,
    token: String,
    last: i64,
    ahead: VecDeque<state::Event>,
}

/// `GET /api/v1/events/stream`: from the newest event on, or from behind `Last-Event-ID`.
pub async fn events(
    State(server): State<Shared>,
    asking: Option<Extension<Asking>>,
    headers: HeaderMap,
) -> Response {
    begin(server, asking, headers).await.unwrap_or_else(IntoResponse::into_response)
}

async fn begin(
    server: Shared,
    asking: Option<Extension<Asking>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let token = asking.map(|asking| asking.0.0.clone());
    let token = token.ok_or_else(Refusal::unauthorized)?;
    if token.role != Role::Operator && !READER.iter().any(|who| who.role == token.role) {
        let why = format!("a token of the role {} may not do this", token.role.as_str());
        return Err(Error::new(Code::Forbidden, why).into());
    }
    let after = match headers.get("last-event-id") {
        None => None,
        Some(id) => {
            let wrong =
                || Refusal::new(StatusCode::BAD_REQUEST, Code::InvalidValue, "Last-Event-ID: no such event");
            Some(
                id.to_str()
                    .ok()
                    .and_then(|id| id.parse::<i64>().ok())
                    .filter(|id| *id >= 0)
                    .ok_or_else(wrong)?,
            )
        }
    };
    let newest = server.read(|state| state::last_event(state.conn())).await?;
    // An id beyond the newest is of a state that was there before.
    let last = after.unwrap_or(newest).min(newest);
    let place = Place { server, token: token.id.clone(), last, ahead: VecDeque::new() };
    Ok(Sse::new(unfold(place, next)).keep_alive(KeepAlive::new().interval(ALIVE)).into_response())
}

/// The next event; the end where the server ends, the token is worth nothing any more, or the state cannot be read.
async fn next(mut place: Place) -> Option<(Result<Event, Infallible>, Place)> {
    loop {
        if let Some(event) = place.ahead.pop_front() {
            place.last = event.id;
            let told = Event::default().id(event.id.to_string()).event(&event.kind);
            return Some((Ok(told.data(serde_json::to_string(&event).ok()?)), place));
        }
        let (token, last) = (place.token.clone(), place.last);
        let now = place.server.now();
        let found = place.server.read(move |state| {
            let token = tokens::find(state.conn(), &token)?;
            if token.fault(now).is_some() {
                return Ok(None);
            }
            state::events_after(state.conn(), last).map(Some)
        });
        match found.await {
            Ok(Some(events)) if events.is_empty() => {
                if place.server.ends_within(LOOK).await {
                    return None;
                }
            }
            Ok(Some(events)) => place.ahead.extend(events),
            Ok(None) => return None,
            Err(e) => {
                tracing::warn!(target: "poolctl::serve", "a stream of events ends: {e}");
                return None;
            }
        }
    }
}
