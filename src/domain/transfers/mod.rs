//! What can be done with transfers: one file a verb.
//!
//! Who may do it is settled before: callers pass a transfer that they were allowed to load.

mod claims;
mod complete;
mod counts;
mod create;
mod delete;
mod download;
mod events;
mod list;
mod new_grants;
mod open_uploads;
mod overview;
mod presign;
mod quota;
mod sweep;
mod turns;
mod upload;

use std::sync::Arc;
use std::time::Duration;

pub(in crate::domain) use create::Creation;
pub use create::new_terms;
pub use download::{Authorised, UnknownGrant};
pub(in crate::domain) use list::page_size;
pub use presign::DownloadUrl;
pub use sweep::Swept;
pub use upload::{BodyError, Upload};

use super::address::SiteKey;
use super::attempts::Attempts;
use super::audit::{Answer, AuditLog, EventKind, IpMode, RequestScope, keyed};
use super::clock::Clock;
use super::error::Error;
use super::id::{RecordIds, TransferId};
use super::limits::Limits;
use super::room::MinFree;
use super::stats::{Moves, Tally};
use super::store::{Commit, StorageKey, Store, Swap, read, swap};
use super::timestamp::Timestamp;
use super::transfer::{Status, Transfer};
use super::wire::Mode;

/// Wrong access proofs that one site may show for one transfer...
const WRONG_PROOFS: u32 = 10;
/// ...in this time.
const WRONG_PROOFS_IN: Duration = Duration::from_hours(1);

/// The transfers of a store.
#[derive(Clone)]
pub struct Transfers(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<RecordIds>,
    audit: AuditLog,
    rules: Rules,
    counts: counts::DownloadCounts,
    claims: claims::ClaimBudgets,
    turns: turns::Turns,
    token_turns: turns::Turns,
    guesses: Attempts<(TransferId, SiteKey)>,
    settled: quota::Settled,
    new_grants: new_grants::NewGrants,
    open_uploads: open_uploads::OpenUploads,
}

/// What holds for every transfer of a service.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// What is accepted.
    pub limits: Limits,
    /// How long audit records stay after a transfer's end.
    pub retain_audit: Duration,
    /// What is kept of addresses.
    pub ip_mode: IpMode,
    /// How much room uploads leave.
    pub min_free: MinFree,
    /// Whether payloads may come and go through this service where clients could also reach the payload store.
    pub bytes_fallback: bool,
}

impl Transfers {
    /// The transfers of `store`, under `rules`.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<RecordIds>,
        audit: AuditLog,
        rules: Rules,
    ) -> Self {
        let (counts, claims, turns, token_turns, settled, open_uploads, new_grants) = Default::default();
        let guesses = Attempts::new(WRONG_PROOFS, WRONG_PROOFS_IN);
        Self(Arc::new(Inner {
            store,
            clock,
            ids,
            audit,
            rules,
            counts,
            claims,
            turns,
            token_turns,
            guesses,
            settled,
            new_grants,
            open_uploads,
        }))
    }

    /// What holds for every transfer.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.0.rules
    }

    /// How payloads travel: presigned where the store can, else through the service.
    #[must_use]
    pub fn mode(&self) -> Mode {
        Mode::of(self.0.store.presigner().is_some())
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn store(&self) -> &dyn Store {
        self.0.store.as_ref()
    }

    /// Finds a transfer.
    ///
    /// # Errors
    /// [`Error::TransferNotFound`] where there is none.
    pub async fn find(&self, scope: &RequestScope, id: TransferId) -> Result<Transfer, Error> {
        scope.note_named(id);
        let found = read::<Transfer>(self.store(), &StorageKey::transfer(id)).await?.ok_or(Error::TransferNotFound)?;
        scope.note_exists(id);
        Ok(found.value)
    }

    /// Changes a transfer by compare-and-swap.
    async fn change<A: Send>(
        &self,
        id: TransferId,
        decide: impl FnMut(Transfer) -> Result<Swap<Transfer, A>, Error> + Send,
    ) -> Result<A, Error> {
        let _turn = self.0.turns.wait(id).await;
        self.change_in_turn(id, decide).await
    }

    /// Changes a transfer whose turn the caller has.
    async fn change_in_turn<A: Send>(
        &self,
        id: TransferId,
        decide: impl FnMut(Transfer) -> Result<Swap<Transfer, A>, Error> + Send,
    ) -> Result<A, Error> {
        swap(self.store(), &StorageKey::transfer(id), || Error::TransferNotFound, decide).await
    }

    /// What belongs to a change of `id` that `scope` makes.
    fn documented(
        id: TransferId,
        scope: &RequestScope,
        now: Timestamp,
        answer: Answer,
        events: &[EventKind],
        tally: Tally,
    ) -> Commit {
        let records = keyed(id, &scope.records_of_change(now, answer, events));
        Commit { records, tally: Some(tally), ..Commit::default() }
    }
}

/// A tally of a transfer that went from one stored status to another.
fn moved(now: Timestamp, from: Status, to: Status) -> Tally {
    Tally { moved: Moves::one(Some(from), Some(to)), ..Tally::on(now.day()) }
}

#[cfg(test)]
mod tests;
