//! Answers that are in memory as a whole until they are taken: so much of them at once, whoever does not take them.

use std::sync::Arc;

use axum::response::Response;
use http_body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::trail::PayloadAnswer;
use crate::domain::error::Error;

/// What is counted at once, in bytes.
const UNIT: u64 = 1024;
/// A shorter answer is not counted: what a connection takes for a request is more.
const SHORT: u64 = 2 * UNIT;
/// All of them at once, in units: 64 MiB, or some 300 pages of a thousand records.
const AT_ONCE: usize = 64 * 1024;
/// When another try makes sense.
const TRY_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// The answers of a server that wait to be taken.
#[derive(Debug)]
pub(super) struct HeldAnswers(Arc<Semaphore>);

/// The room of one answer, until the last copy is dropped.
#[derive(Clone, Debug)]
pub(super) struct HeldAnswer {
    _room: Arc<OwnedSemaphorePermit>,
}

impl Default for HeldAnswers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl HeldAnswers {
    /// Gives an answer its room, which goes with it. One that is short needs none, nor does a payload, which is never
    /// there as a whole.
    ///
    /// # Errors
    /// [`Error::RateLimited`] while too much waits to be taken.
    pub(super) fn hold(&self, response: &mut Response) -> Result<(), Error> {
        let bytes = response.body().size_hint().lower();
        if bytes <= SHORT || response.extensions().get::<PayloadAnswer>().is_some() {
            return Ok(());
        }
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let room = self.0.clone().try_acquire_many_owned(units);
        let room = room.map_err(|_| Error::RateLimited { retry_after: TRY_AGAIN })?;
        response.extensions_mut().insert(HeldAnswer { _room: Arc::new(room) });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    #[test]
    fn so_much_waits_to_be_taken_and_no_more() {
        let answers = HeldAnswers::default();
        let page = || {
            let mut page = vec![b'x'; 200 * 1024].into_response();
            answers.hold(&mut page).map(|()| page)
        };
        let mut waiting = Vec::new();
        while let Ok(page) = page() {
            waiting.push(page);
        }
        assert_eq!(waiting.len(), 64 * 1024 / 200);
        let mut short = "short".into_response();
        answers.hold(&mut short).unwrap();
        assert!(short.extensions().get::<HeldAnswer>().is_none(), "short answers wait for long ones");
        waiting.pop();
        page().unwrap();
    }
}
