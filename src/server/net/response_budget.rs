//! Caps the total size of buffered responses that clients have not read yet.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http_body::Body as _;
use tokio::sync::Semaphore;

use super::permit_body::PermitBody;
use super::response_body::StreamedPayload;
use crate::domain::error::Error;
use crate::domain::limits::LimitName;

/// Total size of buffered responses, in bytes (64 MiB). Enough for about 300 list pages of 1 000 records.
pub(crate) const RESPONSE_BUDGET_BYTES: usize = 64 * 1024 * 1024;

/// Size of a unit of the budget, in bytes.
const UNIT: usize = 1024;
/// Largest response outside the budget, in bytes.
///
/// A connection needs more memory than that for any request.
const UNCOUNTED_BYTES: u64 = 2 * UNIT as u64;
/// `Retry-After` of a request rejected for lack of budget.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// The memory budget for buffered responses of one server process.
///
/// A limit on bytes in all, without keys: a semaphore whose permits have the size of the response.
#[derive(Debug)]
pub(crate) struct ResponseBudget(Arc<Semaphore>);

impl Default for ResponseBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(RESPONSE_BUDGET_BYTES / UNIT)))
    }
}

impl ResponseBudget {
    /// Reserves budget for a response, until the client has read it.
    ///
    /// Responses of up to 2 KiB need no budget, nor do payloads, which are streamed and never buffered as a whole.
    ///
    /// # Errors
    /// [`Error::RateLimited`] if the budget is used up.
    pub(crate) fn reserve(&self, response: Response) -> Result<Response, Error> {
        let bytes = response.body().size_hint().lower();
        if bytes <= UNCOUNTED_BYTES || response.extensions().get::<StreamedPayload>().is_some() {
            return Ok(response);
        }
        let units = u32::try_from(bytes.div_ceil(UNIT as u64)).unwrap_or(u32::MAX);
        let permit = self.0.clone().try_acquire_many_owned(units);
        let permit =
            permit.map_err(|_| Error::RateLimited { limit: LimitName::UnreadResponses, retry_after: RETRY_AFTER })?;
        Ok(response.map(|body| Body::new(PermitBody::new(body, Arc::new(permit)))))
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn buffered_responses_are_capped() {
        let budget = ResponseBudget::default();
        let page = || budget.reserve(vec![b'x'; 200 * 1024].into_response());
        let mut unread = Vec::new();
        while let Ok(page) = page() {
            unread.push(page);
        }
        assert_eq!(unread.len(), 64 * 1024 / 200);
        let before = budget.0.available_permits();
        let _short = budget.reserve("short".into_response()).unwrap();
        assert_eq!(budget.0.available_permits(), before, "a short response used budget");
        unread.pop();
        page().unwrap();
    }
}
