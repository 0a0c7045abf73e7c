//! The store side of the stub: stores what it receives, and misbehaves on demand of its script.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use sgsend::domain::transfer::Status;

use super::listening::{Answered, Body, Cut};
use super::{SIGNATURE, Shared};

/// A request to the store.
pub(crate) struct StoreRequest {
    pub(crate) method: Method,
    /// Part number; 1 for a whole object.
    pub(crate) number: u32,
    /// Number of the response that contained the URL, starting at 1.
    pub(crate) issue: u64,
    /// Number of earlier requests for the same part.
    pub(crate) before: usize,
    /// Start of the requested range in bytes.
    pub(crate) start: Option<u64>,
}

/// Action of the store for a request.
pub(crate) enum Act {
    /// Behaves like a real store.
    Serve,
    /// Responds with this status and body, without reading the request body.
    Respond(u16, String),
    /// Reads the request body, then responds with this status and body.
    AnswerAfterwards(u16, String),
    /// Transfers this number of bytes, then cuts the connection.
    Cut(usize),
    /// Reads and stores the body, then cuts the connection without a response.
    LoseAnswer,
    /// Reads the body and responds with success, but stores nothing.
    Forget,
    /// Reads nothing and never responds.
    Silence,
    /// Responds once this number of requests has been open at the same time.
    Together(usize),
    /// Responds once this number of parts is stored.
    After(usize),
    /// Sends the whole object and ignores the requested range.
    IgnoreRange,
    /// Sends a range other than the requested one.
    OtherRange,
    /// Deletes the transfer, and responds like a store without the object.
    Delete,
}

/// Returns an S3 error body.
pub(crate) fn refusal(code: &str) -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>No.</Message></Error>")
}

pub(super) async fn respond(shared: Arc<Shared>, request: Request<Incoming>) -> Answered {
    let (described, range) = describe(&shared, &request);
    let _counted = InFlight::enter(&shared);
    let act = (shared.script)(&described);
    match act {
        Act::Silence => {
            shared.silent.send_modify(|silent| *silent += 1);
            std::future::pending::<()>().await;
        }
        Act::Respond(status, body) => return Ok(plain(status, body)),
        Act::Delete => {
            let mut state = shared.state();
            (state.object, state.status) = (None, Some(Status::Deleted));
            return Ok(plain(404, refusal(if described.method == Method::PUT { "NoSuchUpload" } else { "NoSuchKey" })));
        }
        Act::Together(number) => drop(shared.at_once.subscribe().wait_for(|most| *most >= number).await),
        Act::After(number) => drop(shared.stored.subscribe().wait_for(|stored| *stored >= number).await),
        _ => {}
    }
    if described.method == Method::PUT {
        put(&shared, described.number, &act, request).await
    } else {
        Ok(get(&shared, &act, range))
    }
}

fn describe(shared: &Shared, request: &Request<Incoming>) -> (StoreRequest, Option<(u64, u64)>) {
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
    let value = |name: &str| query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    assert_eq!(value("X-Amz-Signature"), Some(SIGNATURE), "an unsigned request");
    let range = request.headers().get(RANGE).map(|range| range.to_str().unwrap().trim_start_matches("bytes="));
    let range = range.map(|range| {
        let (start, end) = range.split_once('-').unwrap();
        (start.parse().unwrap(), end.parse::<u64>().unwrap() + 1)
    });
    let number = value("partNumber").map_or(1, |number| number.parse().unwrap());
    let mut state = shared.state();
    state.to_store.push((request.method().clone(), request.headers().clone()));
    let count = state.requests.entry(format!("{} {number} {range:?}", request.method())).or_default();
    let before = *count;
    *count += 1;
    let described = StoreRequest {
        method: request.method().clone(),
        number,
        issue: value("issue").unwrap().parse().unwrap(),
        before,
        start: range.map(|(start, _)| start),
    };
    (described, range)
}

async fn put(shared: &Shared, number: u32, act: &Act, request: Request<Incoming>) -> Answered {
    let is_part = request.uri().query().unwrap_or_default().contains("partNumber");
    let condition = request.headers().contains_key("if-none-match");
    let length: usize = request.headers()[CONTENT_LENGTH].to_str().unwrap().parse().unwrap();
    let limit = if let Act::Cut(limit) = act { *limit } else { usize::MAX };
    let (mut body, mut got) = (request.into_body(), Vec::new());
    while got.len() < limit
        && let Some(Ok(frame)) = body.frame().await
    {
        got.extend_from_slice(frame.data_ref().unwrap());
    }
    let mut state = shared.state();
    state.bodies.entry(number).or_default().push(got.clone());
    match act {
        Act::Cut(_) => return Err(Cut),
        _ if got.len() < length => return Err(Cut),
        Act::Forget => return Ok(plain(200, String::new())),
        Act::AnswerAfterwards(status, body) => return Ok(plain(*status, body.clone())),
        _ if !is_part && condition && state.object.is_some() => {
            return Ok(plain(412, refusal("PreconditionFailed")));
        }
        _ if is_part => drop(state.parts.insert(number, got)),
        _ => state.object = Some(got),
    }
    let stored = state.parts.len();
    drop(state);
    shared.stored.send_replace(stored);
    if matches!(act, Act::LoseAnswer) { Err(Cut) } else { Ok(plain(200, String::new())) }
}

fn get(shared: &Shared, act: &Act, range: Option<(u64, u64)>) -> Response<Body> {
    let state = shared.state();
    let Some(object) = &state.object else { return plain(404, refusal("NoSuchKey")) };
    let total = object.len();
    let at = |at: u64| usize::try_from(at).unwrap().min(total);
    let range = range.filter(|_| !matches!(act, Act::IgnoreRange));
    let (mut start, mut end) = range.map_or((0, total), |(start, end)| (at(start), at(end)));
    if matches!(act, Act::OtherRange) {
        (start, end) = (start - 1, end - 1);
    }
    let response = Response::builder().status(if range.is_some() { 206 } else { 200 });
    let response = match range {
        Some(_) => response.header(CONTENT_RANGE, format!("bytes {start}-{}/{total}", end - 1)),
        None => response,
    };
    let response = response.header(CONTENT_LENGTH, end - start);
    let content = Bytes::copy_from_slice(&object[start..end]);
    let body = match act {
        Act::Cut(after) => {
            let pieces = [Ok(Frame::data(content.slice(..*after))), Err(Cut)];
            Body::new(StreamBody::new(stream::iter(pieces)))
        }
        _ => whole(content),
    };
    response.body(body).unwrap()
}

fn plain(status: u16, body: String) -> Response<Body> {
    let response = Response::builder().status(status);
    let is_redirection = (300..400).contains(&status);
    let elsewhere = format!("http://127.0.0.1:9/?X-Amz-Signature={SIGNATURE}");
    let response = if is_redirection { response.header(LOCATION, elsewhere) } else { response };
    response.body(whole(body)).unwrap()
}

/// Returns a body that doesn't break off.
pub(super) fn whole(body: impl Into<Bytes>) -> Body {
    Body::new(Full::new(body.into()).map_err(|never: Infallible| match never {}))
}

/// Counts a request as in flight until drop.
struct InFlight<'a>(&'a Shared);

impl<'a> InFlight<'a> {
    fn enter(shared: &'a Shared) -> Self {
        let mut state = shared.state();
        state.in_flight += 1;
        let now = state.in_flight;
        drop(state);
        shared.at_once.send_if_modified(|most| {
            now > *most && {
                *most = now;
                true
            }
        });
        Self(shared)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.state().in_flight -= 1;
    }
}
