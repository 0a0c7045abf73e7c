//! Events: requests of function URLs and HTTP APIs, and scheduled events.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Sources of scheduled events: the rules and the scheduler of Amazon's event bus.
const SCHEDULERS: [&str; 2] = ["aws.events", "aws.scheduler"];

/// An event that a function handles.
#[derive(Debug)]
pub(super) enum LambdaEventKind {
    /// A request.
    Request(Box<RequestEvent>),
    /// A scheduled event, which asks for a sweep.
    Sweep,
}

/// The event is none that a function handles. The error has no part of the event, which may contain secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidEvent {
    #[error(
        "unknown event: expected a request of a function URL or an HTTP API (payload format 2.0), or a scheduled event"
    )]
    Unknown,
    #[error("the event is a request in payload format 1.0: choose payload format 2.0 in the API's integration")]
    OldFormat,
}

/// A request in payload format 2.0.
///
/// Source: "Creating AWS Lambda proxy integrations for HTTP APIs", and "Request and response payloads" of function URLs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RequestEvent {
    /// Path, with the stage of the API, but without query.
    pub(super) raw_path: String,
    /// Query without `?`; empty for none.
    pub(super) raw_query_string: String,
    /// Cookies, which are not in `headers`.
    pub(super) cookies: Vec<String>,
    /// Headers with lower-case names; repeated ones are joined by commas.
    pub(super) headers: BTreeMap<String, String>,
    /// Body; `None` if it is empty.
    pub(super) body: Option<String>,
    /// Whether the body is in Base64.
    pub(super) is_base64_encoded: bool,
    /// Properties of the request, by the platform.
    pub(super) request_context: RequestContext,
}

/// Properties of a request, by the platform.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RequestContext {
    /// Stage of the API; `$default` for function URLs and APIs without stages.
    pub(super) stage: String,
    /// Description of the request.
    pub(super) http: HttpDescription,
}

/// Description of a request by the platform.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct HttpDescription {
    /// Method.
    pub(super) method: String,
    /// Address of the platform's client.
    pub(super) source_ip: String,
}

impl LambdaEventKind {
    /// Recognises an event.
    ///
    /// # Errors
    /// [`InvalidEvent`] for all other events.
    pub(super) fn parse(event: Value) -> Result<Self, InvalidEvent> {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        if SCHEDULERS.contains(&text("source")) && text("detail-type") == "Scheduled Event" {
            return Ok(Self::Sweep);
        }
        if text("version") == "1.0" || (event.get("httpMethod").is_some() && event.get("path").is_some()) {
            return Err(InvalidEvent::OldFormat);
        }
        if text("version") != "2.0" || event.pointer("/requestContext/http/method").is_none() {
            return Err(InvalidEvent::Unknown);
        }
        serde_json::from_value(event).map(|event| Self::Request(Box::new(event))).map_err(|_| InvalidEvent::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_and_schedules_are_recognised() {
        let request = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/health", "rawQueryString": "a=1",
            "cookies": ["a=b"], "headers": { "host": "x.lambda-url.eu-central-1.on.aws" },
            "requestContext": { "stage": "$default", "http": { "method": "GET", "sourceIp": "192.0.2.1" } },
            "isBase64Encoded": false,
        });
        let Ok(LambdaEventKind::Request(event)) = LambdaEventKind::parse(request) else { panic!("no request") };
        assert_eq!((event.raw_path.as_str(), event.raw_query_string.as_str()), ("/health", "a=1"));
        assert_eq!(event.request_context.http.source_ip, "192.0.2.1");
        for source in SCHEDULERS {
            let schedule = json!({ "source": source, "detail-type": "Scheduled Event", "detail": {} });
            assert!(matches!(LambdaEventKind::parse(schedule), Ok(LambdaEventKind::Sweep)));
        }
    }

    #[test]
    fn other_events_are_rejected_without_their_content() {
        let error = |event| LambdaEventKind::parse(event).unwrap_err();
        for event in [
            json!({}),
            json!("text"),
            json!({ "version": "2.0" }),
            json!({ "source": "aws.s3", "detail-type": "Object Created" }),
            json!({ "version": "2.0", "requestContext": { "http": { "method": 1 } }, "body": "secret" }),
        ] {
            assert_eq!(error(event), InvalidEvent::Unknown);
        }
        assert_eq!(error(json!({ "version": "1.0", "httpMethod": "GET" })), InvalidEvent::OldFormat);
        assert_eq!(error(json!({ "httpMethod": "GET", "path": "/" })), InvalidEvent::OldFormat);
    }
}
