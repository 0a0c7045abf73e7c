//! Request that finds out whether a proxy in front of the service limits request bodies.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body::Frame;
use http_body_util::StreamBody;
use reqwest::{Body, Method};

use super::api::Api;
use super::response;
use crate::client::ClientError;
use crate::domain::id::TransferId;

/// Pause behind the first byte of a probe, in which a proxy's early response arrives.
const PROBE_PAUSE: Duration = Duration::from_millis(500);

impl Api {
    /// Sends a request body of `length` bytes that the service rejects. The request names a transfer that does not
    /// exist, and has no token.
    ///
    /// # Errors
    /// Fails if the response does not come from the service, such as a proxy's 413.
    pub async fn probe_request_body(&self, length: usize) -> Result<(), ClientError> {
        let url = self.route(TransferId::random(), "payload/upload-bytes");
        let frame = |length| Ok::<_, Infallible>(Frame::data(Bytes::from(vec![0; length])));
        let rest = async move {
            // A proxy that refuses the length responds now, and may reset a connection on which more bytes arrive.
            tokio::time::sleep(PROBE_PAUSE).await;
            frame(length - 1)
        };
        let body = Body::wrap(StreamBody::new(stream::iter([frame(1)]).chain(stream::once(rest))));
        let request = self.bare(Method::POST, url).timeout(self.transport().call_timeout).body(body);
        let request = request.header(CONTENT_TYPE, "application/octet-stream").header(CONTENT_LENGTH, length);
        match response::send(self.destination(), request).await {
            Err(ClientError::Api(error)) if error.code.is_some() => Ok(()),
            outcome => outcome.map(drop),
        }
    }
}
