//! `GET /events/stream`: notifications about the sender's transfers, as server-sent events.
//!
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::error::{Error, chain};
use crate::domain::id::{RecordId, TokenId};
use crate::domain::limits::concurrency::Permit;
use crate::domain::notification::{Notification, NotificationCursor};
use crate::domain::token::TokenStatus;
use crate::server::api::error::ApiError;
use crate::server::api::extract::Sender;
use crate::server::notify::poll_interval;
use crate::server::state::AppState;

/// Header with the id of the last event that a client has received.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Interval of comments that keep the connection open, and of checks of the token.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Delay after which a client connects again, in the first line of a stream.
const RETRY: Duration = Duration::from_secs(5);

/// Stream in progress.
struct NotificationStream {
    app: AppState,
    token_id: TokenId,
    cursor: NotificationCursor,
    next_heartbeat: Instant,
    ending: CancellationToken,
    /// Id from which a client resumes before it has received an event; taken by the first piece.
    start: Option<RecordId>,
    _permit: Arc<Permit<TokenId>>,
}

/// Sends notifications about the sender's transfers as they happen.
///
/// The stream of `text/event-stream` begins at the time of the request, or after the event in `Last-Event-ID`; then a
/// client may get an event again, under the same id. A comment arrives at least every 15 s. The stream ends when the
/// token is revoked or expires, and when the server stops. A token can have 8 streams at once.
#[utoipa::path(
    get, operation_id = "stream_events", path = "/events/stream", tag = "transfers",
    params(("last-event-id" = inline(Option<RecordId>), Header, description = "The id of the last event received, of at most 48 hours ago")),
    responses((status = 200, body = String, content_type = "text/event-stream")),
    security(("sender_token" = []))
)]
pub(super) async fn stream_events(
    State(app): State<AppState>,
    Sender(token): Sender,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let invalid = || Error::InvalidRequest("last-event-id must be the id of an event".to_owned());
    let last = headers.get(LAST_EVENT_ID).filter(|last| !last.is_empty());
    let last = last.map(|last| last.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(invalid));
    let (token_id, last) = (token.token_id, last.transpose()?);
    let permit = app.event_streams.acquire(token_id)?;
    let stream = NotificationStream {
        cursor: NotificationCursor::new(token_id, last, app.now()),
        start: Some(last.unwrap_or_else(|| NotificationCursor::start_id(app.now()))),
        next_heartbeat: Instant::now() + HEARTBEAT,
        ending: app.event_streams.ending(),
        token_id,
        app,
        _permit: Arc::new(permit),
    };
    let pieces = stream::unfold(stream, |mut stream| async move {
        let piece = stream.next().await?;
        Some((Ok::<_, Infallible>(piece), stream))
    });
    Ok(([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(pieces)).into_response())
}

impl NotificationStream {
    /// Returns the next piece of the stream; `None` at its end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(id) = self.start.take() {
            return Some(format!("retry: {}\nid: {id}\n: connected\n\n", RETRY.as_millis()).into());
        }
        loop {
            match self.cursor.next(&*self.app.store, self.app.now()).await {
                Ok(found) if !found.is_empty() => return Some(found.iter().map(event_text).collect::<String>().into()),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "cannot read notifications for a stream");
                    return None;
                }
            }
            // A function sends its response once it is complete.
            if !self.app.event_streams.can_stream() {
                return None;
            }
            if Instant::now() >= self.next_heartbeat {
                self.next_heartbeat = Instant::now() + HEARTBEAT;
                return self.is_active().await.then(|| Bytes::from_static(b": heartbeat\n\n"));
            }
            let pause = (Instant::now() + poll_interval(self.app.is_remote)).min(self.next_heartbeat);
            tokio::select! {
                () = self.ending.cancelled() => return None,
                () = tokio::time::sleep_until(pause) => {}
            }
        }
    }

    /// Returns whether the token is neither revoked nor expired.
    async fn is_active(&self) -> bool {
        let token = self.app.tokens.find(self.token_id).await;
        token.is_ok_and(|token| token.status_at(self.app.now()) == TokenStatus::Active)
    }
}

fn event_text(notification: &Notification) -> String {
    let data = serde_json::to_string(notification).expect("notifications serialise to JSON");
    format!("id: {}\nevent: {}\ndata: {data}\n\n", notification.id, notification.kind.as_str())
}
