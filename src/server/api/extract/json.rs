//! Extractor for JSON request bodies.

use axum::extract::{FromRequest, Request};
use bytes::BytesMut;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::Scope;
use crate::domain::error::Error;
use crate::domain::transfers::BodyError;
use crate::server::api::error::ApiError;

/// Maximum size of a JSON request body in bytes.
const MAX_JSON_BYTES: usize = 64 * 1024;

/// JSON request body of up to 64 KiB. Ignores the content type; an empty body means `{}`.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, mut body) = request.into_parts();
        let scope = Scope::of(&parts)?;
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(body_error)?;
            let data = frame.into_data().unwrap_or_default();
            scope.add_bytes_in(data.len() as u64);
            if bytes.len() + data.len() > MAX_JSON_BYTES {
                return Err(Error::PayloadTooLarge { limit_bytes: MAX_JSON_BYTES as u64 }.into());
            }
            bytes.extend_from_slice(&data);
        }
        Self::parse(&bytes)
    }
}

impl<T: DeserializeOwned> Json<T> {
    /// Parses a complete body.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ApiError> {
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { bytes };
        // Rejects arrays: serde would read the elements of an array as the fields of a struct, in order.
        if text.trim_ascii_start().first() != Some(&b'{') {
            return Err(Error::InvalidRequest("the body must be a JSON object".to_owned()).into());
        }
        let mut json = serde_json::Deserializer::from_slice(text);
        let value =
            serde_path_to_error::deserialize(&mut json).map_err(|error| Error::InvalidRequest(error.to_string()))?;
        json.end().map_err(|error| Error::InvalidRequest(error.to_string()))?;
        Ok(Self(value))
    }
}

/// Returns the API error for a request body that ended early or was sent too slowly.
pub(crate) fn body_error(error: axum::Error) -> Error {
    match error.into_inner().downcast::<BodyError>() {
        Ok(error) if *error == BodyError::TooSlow => Error::RequestTimeout,
        _ => Error::InvalidRequest("the body ended early".to_owned()),
    }
}
