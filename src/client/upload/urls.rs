//! Signed URLs of a payload's parts: those that came with the transfer, and further and fresh ones as they are needed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use super::plan::{Plan, parts_of};
use crate::client::store::{SignedPut, Store};
use crate::client::{Api, ClientError, Progress, RetryPolicy};
use crate::domain::id::TransferId;
use crate::domain::wire::{UploadInstruction, UploadRequest};

/// The most URLs that are asked for at once.
const MOST_URLS: usize = 100;

/// What they are asked for by.
const CALL: &str = "upload/create-presign-urls";

/// What is signed of one payload, and what is yet to be.
pub(super) struct Urls {
    api: Api,
    id: TransferId,
    plan: Plan,
    store: Store,
    book: Mutex<Book>,
    /// One asks at a time, and for others too.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Book {
    /// What is signed, and the number of the answer that it came in.
    signed: BTreeMap<u32, (u64, UploadRequest)>,
    /// The parts that nobody has taken a URL for yet.
    wanted: BTreeSet<u32>,
    answers: u64,
}

/// A signed request for one part.
pub(super) struct Signed {
    pub request: SignedPut,
    /// The number of the answer that it came in: those that came with it run out when it does.
    pub answer: u64,
}

impl Urls {
    /// The URLs for the parts of `plan`, of which `instruction` brings the first.
    pub(super) fn new(api: Api, id: TransferId, plan: Plan, instruction: UploadInstruction) -> Self {
        let store = Store::of(&api);
        let this = Self { api, id, plan, store, book: Mutex::default(), asking: tokio::sync::Mutex::default() };
        this.book().enter(instruction);
        this
    }

    /// Says which parts are going to be sent next, in what order.
    pub(super) fn want(&self, numbers: &[u32]) {
        self.book().wanted = numbers.iter().copied().collect();
    }

    /// Takes the request for the part of this number, and asks for one if there is none.
    pub(super) async fn take(
        &self,
        number: u32,
        patience: &mut RetryPolicy,
        progress: &dyn Progress,
    ) -> Result<Signed, ClientError> {
        if let Some(signed) = self.look_up(number) {
            return signed;
        }
        let _asking = self.asking.lock().await;
        // Somebody else may have asked meanwhile.
        if let Some(signed) = self.look_up(number) {
            return signed;
        }
        let numbers = self.book().missing(number, self.plan.is_single());
        let answer = patience.call(progress, || self.api.upload_urls(self.id, &numbers)).await?;
        if Plan::of(&answer, self.plan.size(), self.api.origin())? != Some(self.plan) {
            return Err(self.store.invalid_response(CALL, "it divides the payload in another way than before"));
        }
        self.book().enter(answer);
        self.look_up(number)
            .unwrap_or_else(|| Err(self.store.invalid_response(CALL, "a part that was asked for is missing")))
    }

    /// Forgets what came with this answer or an earlier one: the store does not take it any more.
    pub(super) fn forget(&self, answer: u64) {
        self.book().signed.retain(|_, (from, _)| *from > answer);
    }

    /// Forgets everything that is signed.
    pub(super) fn forget_all(&self) {
        self.forget(u64::MAX);
    }

    fn look_up(&self, number: u32) -> Option<Result<Signed, ClientError>> {
        let mut book = self.book();
        let (answer, request) = book.signed.remove(&number)?;
        book.wanted.remove(&number);
        drop(book);
        let call = if answer == 1 { "create" } else { CALL };
        Some(self.store.put(&request, call).map(|request| Signed { request, answer }))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("nothing panics while it holds this lock")
    }
}

impl Book {
    fn enter(&mut self, instruction: UploadInstruction) {
        self.answers += 1;
        let answer = self.answers;
        let signed = parts_of(instruction).into_iter().map(|part| (part.number, (answer, part.request)));
        self.signed.extend(signed);
    }

    /// What to ask for: this part, and those that come next and have no URL. No numbers at all mean the only object.
    fn missing(&self, number: u32, is_single: bool) -> Vec<u32> {
        if is_single {
            return Vec::new();
        }
        let next = self.wanted.range(number + 1..).copied().filter(|next| !self.signed.contains_key(next));
        std::iter::once(number).chain(next).take(MOST_URLS).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::timestamp::Timestamp;
    use crate::domain::wire::UploadPart;

    #[test]
    fn a_few_urls_are_asked_for_ahead() {
        let request = UploadRequest { method: "PUT".into(), url: "https://b.example".into(), headers: BTreeMap::new() };
        let parts = (1..=3).map(|number| UploadPart { number, request: request.clone() }).collect();
        let mut book = Book { wanted: (1..=500).collect(), ..Book::default() };
        book.enter(UploadInstruction::Multipart {
            part_size_bytes: 1 << 20,
            part_count: 500,
            parts,
            url_expires_at: Timestamp::from_millis(0),
            fallback_url: None,
        });
        assert_eq!(book.missing(4, false), (4..104).collect::<Vec<_>>());
        assert_eq!(book.missing(450, false), (450..=500).collect::<Vec<_>>());
        assert_eq!(book.missing(1, false)[..3], [1, 4, 5], "what is signed already is asked for again");
        assert_eq!(book.missing(1, true), [0; 0]);
    }
}
