//! From a request to a command and back.

use crate::answer::{AGAIN, Refusal, json_body, seen};
use crate::endpoint::{Arguments, Endpoint, STREAM, admit};
use crate::idempotency::{self, Before};
use crate::limits::{BODY, PATIENCE};
use crate::server::{Asking, Server, Shared};
use crate::tokens::{self, Token};
use crate::{status, stream};
use app::api::Method;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, MatchedPath, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get, on};
use base::{Code, Error, Result};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

impl Server {
    /// Its routes.
    pub fn router(self: &Shared) -> Router {
        let mut api: HashMap<String, MethodRouter<Shared>> = HashMap::new();
        for endpoint in &self.endpoints {
            let (method, path) = (endpoint.route.method, endpoint.path());
            let handler = {
                let endpoint = Arc::clone(endpoint);
                move |State(server): State<Shared>, request: Request| async move {
                    server.handle(&endpoint, request).await.unwrap_or_else(IntoResponse::into_response)
                }
            };
            let filter = match method {
                Method::Get => MethodFilter::GET,
                Method::Post => MethodFilter::POST,
            };
            let methods = api.remove(&path).unwrap_or_default();
            api.insert(path, methods.merge(on(filter, handler)));
        }
        let mut router = Router::new();
        for (path, methods) in api {
            router = router.route(&path, methods);
        }
        router
            .route(STREAM, get(stream::events))
            .method_not_allowed_fallback(|| async {
                Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Code::Usage, "this route knows no such method")
            })
            .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, Code::Usage, "there is no such route") })
            .layer(from_fn_with_state(Arc::clone(self), authorized))
            .route("/health", get(health))
            .route("/openapi.json", get(document))
            .route("/docs", get(docs))
            .layer(CompressionLayer::new())
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn_with_state(Arc::clone(self), logged))
            .with_state(Arc::clone(self))
    }

    async fn handle(self: Shared, endpoint: &Arc<Endpoint>, request: Request) -> Result<Response, Refusal> {
        let token = request.extensions().get::<Asking>().map(|asking| Arc::clone(&asking.0));
        let token = token.ok_or_else(Refusal::unauthorized)?;
        let (parts, body) = request.into_parts();
        let mut given = in_path(&parts).await?;
        match endpoint.route.method {
            Method::Get => merge(&mut given, in_query(&parts.uri)?)?,
            Method::Post => merge(&mut given, in_body(&parts.headers, body).await?)?,
        }
        let key = match parts.headers.get("idempotency-key") {
            Some(key) if endpoint.route.method == Method::Post => {
                Some(idempotency::key(key.to_str().unwrap_or_default())?.to_owned())
            }
            _ => None,
        };
        let asks = parts.headers.get(header::IF_NONE_MATCH).cloned();
        let endpoint = Arc::clone(endpoint);
        let work = tokio::task::spawn_blocking(move || match (endpoint.route.is_of_state, key) {
            (true, _) => self.of_state(&endpoint, &token, given, asks.as_ref(), &parts.uri),
            (false, None) => self.run(&endpoint, &token, given),
            (false, Some(key)) => self.run_once(&endpoint, &token, given, &key),
        });
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(e)) => Err(Error::new(Code::Bug, format!("a request broke off: {e}")).into()),
            Err(_) => {
                let why = "it takes longer than a request may; what was begun goes on";
                Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, Code::Interrupted, why).after(10))
            }
        }
    }

    /// The arguments, once it is sure that the token may have them.
    fn arguments(
        &self,
        endpoint: &Endpoint,
        token: &Token,
        mut given: Map<String, Value>,
    ) -> Result<Arguments> {
        admit(endpoint, token, &mut given, self.face.as_ref())?;
        endpoint.arguments(&given.into_iter().collect::<Vec<_>>())
    }

    fn run(
        &self,
        endpoint: &Endpoint,
        token: &Token,
        given: Map<String, Value>,
    ) -> Result<Response, Refusal> {
        let (status, body) = self.answer(endpoint, token, given)?;
        Ok(respond(status, body))
    }

    fn answer(
        &self,
        endpoint: &Endpoint,
        token: &Token,
        given: Map<String, Value>,
    ) -> Result<(StatusCode, Vec<u8>), Refusal> {
        let arguments = self.arguments(endpoint, token, given)?;
        self.ran(endpoint, token, &arguments)
    }

    fn ran(
        &self,
        endpoint: &Endpoint,
        token: &Token,
        arguments: &Arguments,
    ) -> Result<(StatusCode, Vec<u8>), Refusal> {
        let ran = self.face.run(endpoint.words, arguments, token);
        let status = status::of(ran.exit, ran.code, endpoint.route.makes);
        Ok((status, seen(status, ran.exit, ran.envelope)?))
    }

    /// An act whose answer is remembered.
    fn run_once(
        &self,
        endpoint: &Endpoint,
        token: &Token,
        mut given: Map<String, Value>,
        key: &str,
    ) -> Result<Response, Refusal> {
        let request = format!("{}\n{}", endpoint.words, Value::Object(given.clone()));
        let face = self.face.as_ref();
        // A command that knows keys itself is done once even where the server is killed before its answer is kept.
        let own = endpoint.params.iter().find(|param| param.arg == "idempotency_key");
        if let Some(own) = own.filter(|own| given.get(&own.name).is_none_or(Value::is_null)) {
            given.insert(own.name.clone(), format!("{}:{}", token.id, tokens::hash(key)).into());
        }
        // Nothing that is refused is remembered: the key is free for the right request.
        self.arguments(endpoint, token, given.clone())?;
        match idempotency::begin(face, &self.worker, token, key, &request)? {
            Before::Answer(status, body) => Ok(respond(status, body)),
            Before::Nothing => {
                let answered = self.answer(endpoint, token, given);
                let kept = match &answered {
                    Ok((status, body)) => idempotency::end(face, token, key, *status, body),
                    Err(_) => idempotency::release(face, token, key),
                };
                // The act is done all the same, and is told.
                if let Err(e) = kept {
                    tracing::error!(target: "poolctl::serve", "an answer is not kept under its key: {e}");
                }
                answered.map(|(status, body)| respond(status, body))
            }
        }
    }

    /// What is in the state: an `ETag` says of which version of it.
    fn of_state(
        &self,
        endpoint: &Endpoint,
        token: &Token,
        given: Map<String, Value>,
        asks: Option<&HeaderValue>,
        uri: &Uri,
    ) -> Result<Response, Refusal> {
        // A restored state may have the number of another one, and not the end of its audit log.
        let version = self.reading(|state| {
            let fact = |name| state::meta_get(state.conn(), name).map(Option::unwrap_or_default);
            let head = fact("audit_head")?;
            Ok(format!("{}-{}", fact("data_version")?, head.get(..24).unwrap_or(&head).replace(':', "-")))
        })?;
        let tag = format!("W/\"{version}\"");
        let same = asks
            .and_then(|asks| asks.to_str().ok())
            .is_some_and(|asks| asks.split(',').any(|one| one.trim() == tag));
        // Whoever may not have it is not told that it is the same.
        let arguments = self.arguments(endpoint, token, given)?;
        if same {
            return tagged(StatusCode::NOT_MODIFIED.into_response(), &tag);
        }
        let whose = format!("{} {} {uri}", token.role.as_str(), token.subject.as_deref().unwrap_or_default());
        let known = self.known(&whose, &version);
        let (status, body) = if let Some(known) = known {
            known
        } else {
            let (status, body) = self.ran(endpoint, token, &arguments)?;
            let body = Bytes::from(body);
            self.remember(whose, version, status, &body);
            (status, body)
        };
        let response = respond(status, body);
        if status == StatusCode::OK { tagged(response, &tag) } else { Ok(response) }
    }
}

fn respond(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = (status, json_body(body)).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(AGAIN));
    }
    response
}

fn tagged(mut response: Response, tag: &str) -> Result<Response, Refusal> {
    let tag = HeaderValue::try_from(tag).map_err(|e| Error::new(Code::Bug, e.to_string()))?;
    response.headers_mut().insert(header::ETAG, tag);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// Lets in who has a token, and not too often.
async fn authorized(State(server): State<Shared>, mut request: Request, next: Next) -> Response {
    let address = client(&server, &request);
    let headers = request.headers().clone();
    let asking = Arc::clone(&server);
    let found = tokio::task::spawn_blocking(move || asking.whose(&headers)).await;
    let found = found.unwrap_or_else(|e| Err(Error::new(Code::Bug, e.to_string()).into()));
    let (left, token) = match found {
        Ok(token) => (server.limits.of_token(&token.id), Some(Arc::new(token))),
        Err(refusal) => {
            let left = server.limits.of_address(address);
            return left.map_or_else(IntoResponse::into_response, |_| refusal.into_response());
        }
    };
    let left = match left {
        Ok(left) => left,
        Err(refusal) => return refusal.into_response(),
    };
    let asking = token.map(Asking);
    if let Some(asking) = &asking {
        request.extensions_mut().insert(asking.clone());
        note(&server, &asking.0);
    }
    let mut response = next.run(request).await;
    response.headers_mut().extend(left);
    if let Some(asking) = asking {
        response.extensions_mut().insert(asking);
    }
    response
}

/// Notes that a token was used; nobody waits for it.
fn note(server: &Shared, token: &Arc<Token>) {
    if tokens::is_news(token, server.face.now()) {
        let (server, token) = (Arc::clone(server), Arc::clone(token));
        drop(tokio::task::spawn_blocking(move || {
            let now = server.face.now();
            if let Err(e) = server.face.note(&mut |conn| tokens::used(conn, &token.id, now)) {
                tracing::warn!(target: "poolctl::serve", "the use of token {} is not noted: {e}", token.id);
            }
        }));
    }
}

/// Where a request comes from. What a proxy says counts only where one is there.
fn client(server: &Server, request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let forwarded = || {
        // The last one is the proxy's own word; those before it are the client's.
        let said = request.headers().get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
        said.rsplit(',').next()?.trim().parse().ok()
    };
    let said = server.settings.behind_proxy.then(forwarded).flatten();
    said.or(peer).unwrap_or(IpAddr::from([0, 0, 0, 0]))
}

/// A line a request, and its id in the answer.
async fn logged(State(server): State<Shared>, request: Request, next: Next) -> Response {
    let (begun, id) = (Instant::now(), uuid::Uuid::new_v4());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let address = client(&server, &request);
    let mut response = next.run(request).await;
    let token = response.extensions().get::<Asking>().map_or("-", |asking| asking.0.id.as_str());
    tracing::info!(
        target: "poolctl::serve", %id, %address, token, %method, route = route.as_deref().unwrap_or("-"),
        status = response.status().as_u16(), ms = begun.elapsed().as_millis()
    );
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert("x-request-id", id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn panicked(_payload: Box<dyn std::any::Any + Send>) -> Response {
    Refusal::from(Error::new(Code::Bug, "a request panicked")).into_response()
}

/// Whether it can answer at all: what anybody may know.
async fn health(State(server): State<Shared>) -> Response {
    let read = server.read(|state| state::meta_get(state.conn(), "data_version")).await;
    let (status, word) = match read {
        Ok(_) => (StatusCode::OK, "ok"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "failed"),
    };
    respond(status, json!({ "status": word }).to_string())
}

/// The same for people.
async fn docs(State(server): State<Shared>) -> Response {
    let mut response = Html(server.docs.clone()).into_response();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

async fn document(State(server): State<Shared>) -> Response {
    respond(StatusCode::OK, server.document.clone())
}

type Given = Map<String, Value>;

fn bad(why: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, Code::Usage, why)
}

fn merge(given: &mut Given, more: Vec<(String, Value)>) -> Result<(), Refusal> {
    for (name, value) in more {
        if given.insert(name.clone(), value).is_some() {
            return Err(bad(format!("{}: given twice", base::redact::shown(&name))));
        }
    }
    Ok(())
}

async fn in_path(parts: &axum::http::request::Parts) -> Result<Given, Refusal> {
    use axum::extract::FromRequestParts;
    let mut parts = parts.clone();
    let found = Path::<HashMap<String, String>>::from_request_parts(&mut parts, &()).await;
    let found = match found {
        Ok(Path(found)) => found,
        Err(axum::extract::rejection::PathRejection::MissingPathParams(_)) => HashMap::new(),
        Err(_) => return Err(bad("the path is no UTF-8")),
    };
    Ok(found.into_iter().map(|(name, value)| (name, value.into())).collect())
}

fn in_query(uri: &Uri) -> Result<Vec<(String, Value)>, Refusal> {
    let query = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
    let found = query.map_err(|_| bad("the query cannot be read"))?.0;
    Ok(found.into_iter().map(|(name, value)| (name, Value::String(value))).collect())
}

/// The members of an object, in their order, one that is named twice twice.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

async fn in_body(headers: &HeaderMap, body: Body) -> Result<Vec<(String, Value)>, Refusal> {
    let too_large = || {
        let why = format!("a body of at most {BODY} bytes is taken");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Code::Usage, why)
    };
    let read = tokio::time::timeout(PATIENCE, to_bytes(body, BODY)).await;
    let late = || Refusal::new(StatusCode::REQUEST_TIMEOUT, Code::Usage, "the body did not come in time");
    let bytes = read.map_err(|_| late())?.map_err(|_| too_large())?;
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
        let why = "a body is JSON: Content-Type: application/json";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Usage, why));
    }
    let members: Result<Members, _> = serde_json::from_slice(&bytes);
    members.map(|members| members.0).map_err(|e| bad(format!("the body is no JSON object: {e}")))
}
