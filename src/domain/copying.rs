//! Copying a store into another one, so that its services can go on there.
//!
//! A first pass copies what the copy lacks, a second one reads both and compares. The copy carries a mark in place of its
//! header until then, so that nobody takes half of it for a store, and so that whoever was interrupted can go on: what is
//! there already and the same is not written again.
//!
//! Records are copied byte for byte. Payloads are copied where they are whole and may still be fetched. Of a transfer that
//! is still uploading nothing of its payload is copied, since what has arrived hangs on the backend: it stays pending, and
//! its sender learns from the service, as ever, that it is to begin with the first byte.

mod claim;
mod error;
mod payloads;
mod records;
mod sides;

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{TryStreamExt, stream};

pub use error::CopyError;

use self::claim::Claim;
use super::id::TransferId;
use super::stats::DayStats;
use super::store::{Prefix, StorageKey, Store, StoreError, StoreHeader};
use super::transfer::{State, Transfer};

/// Transfers that are copied at once. Each may hold two parts of a payload in memory.
const TRANSFERS: usize = 4;
/// Days of counters listed at once: more than are kept.
const DAYS: usize = 1_000;

/// Hears how far the copying of payloads is.
pub trait Watch: Send + Sync {
    /// About so many bytes are to be copied.
    fn begin(&self, total: u64);

    /// So many of them are there.
    fn moved_to(&self, bytes: u64);

    /// All are there, and the comparison begins.
    fn compares(&self);
}

/// A copy that is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Records in it, its header included.
    pub records: u64,
    /// Payloads in it.
    pub payloads: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of them that were sent now, and not before an interruption.
    pub bytes_sent: u64,
    /// Transfers whose senders begin anew with the payload.
    pub pending: u64,
}

/// Copies everything in `from`, which is called `of`, into `to`.
///
/// # Errors
/// [`CopyError`]. What was copied by then stays, and the same call goes on with it.
pub async fn copy(from: &dyn Store, to: &dyn Store, of: &str, watch: &dyn Watch) -> Result<Copied, CopyError> {
    let header = from.get(&StorageKey::header()).await.map_err(CopyError::From)?.ok_or(CopyError::NoStore)?.value;
    StoreHeader::parse(&header).map_err(CopyError::From)?;
    let claim = Claim::of(to, of).await?;
    to.prove(&StorageKey::header()).await.map_err(CopyError::To)?;
    let copying = Copying { from, to, watch, resumed: claim.resumed, counts: Counts::default() };
    watch.begin(copying.bytes_expected().await?);
    copying.pass(Pass::Write).await?;
    watch.compares();
    copying.pass(Pass::Compare).await?;
    let now = from.get(&StorageKey::header()).await.map_err(CopyError::From)?;
    if now.is_none_or(|now| now.value != header) {
        return Err(CopyError::Differs { key: StorageKey::header() });
    }
    claim.release(to, header).await?;
    Ok(copying.counts.copied())
}

/// What is done with what is found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// The copy is made to be like the original.
    Write,
    /// It must be.
    Compare,
}

struct Copying<'a> {
    from: &'a dyn Store,
    to: &'a dyn Store,
    watch: &'a dyn Watch,
    /// Whether the copy may hold something already.
    resumed: bool,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    records: AtomicU64,
    payloads: AtomicU64,
    bytes: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_there: AtomicU64,
    pending: AtomicU64,
}

impl Counts {
    fn copied(&self) -> Copied {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Copied {
            records: get(&self.records) + 1,
            payloads: get(&self.payloads),
            bytes: get(&self.bytes),
            bytes_sent: get(&self.bytes_sent),
            pending: get(&self.pending),
        }
    }
}

fn add(count: &AtomicU64, number: u64) -> u64 {
    count.fetch_add(number, Ordering::Relaxed) + number
}

impl Copying<'_> {
    /// About how many bytes of payloads there are, as the counters have it.
    async fn bytes_expected(&self) -> Result<u64, CopyError> {
        let days = self.from.keys(&StorageKey::all_stats(), None, DAYS).await.map_err(CopyError::From)?;
        let Some(last) = days.last() else { return Ok(0) };
        let stored = self.from.get(last).await.map_err(CopyError::From)?;
        let stats = stored.and_then(|stored| DayStats::parse(last.as_str(), &stored.value).ok());
        Ok(stats.and_then(|stats| stats.bytes_stored.try_into().ok()).unwrap_or(0))
    }

    /// Tokens and transfers come first: reading them can bring forth records that a killed writer has left behind.
    async fn pass(&self, pass: Pass) -> Result<(), CopyError> {
        if pass == Pass::Write && self.resumed {
            self.remove_strangers().await?;
        }
        self.records(&StorageKey::tokens(), pass).await?;
        let ids = stream::try_unfold(None, async |after| {
            let next = self.next_transfer(after).await?;
            Ok::<_, CopyError>(next.map(|id| (id, Some(id))))
        });
        Box::pin(ids.try_for_each_concurrent(TRANSFERS, |id| self.transfer(id, pass))).await?;
        for prefix in [
            StorageKey::all_creates(),
            StorageKey::all_due(),
            StorageKey::all_service_records(),
            StorageKey::all_stats(),
        ] {
            self.records(&prefix, pass).await?;
        }
        Ok(())
    }

    /// The transfer that comes next on either side.
    async fn next_transfer(&self, after: Option<TransferId>) -> Result<Option<TransferId>, CopyError> {
        let from = next_transfer(self.from, after).await.map_err(CopyError::From)?;
        let to = next_transfer(self.to, after).await.map_err(CopyError::To)?;
        Ok(from.into_iter().chain(to).min())
    }

    /// The state of a transfer in the original; `None` where there is none.
    async fn read_transfer(&self, id: TransferId) -> Result<Option<Transfer>, CopyError> {
        let key = StorageKey::transfer(id);
        let found = self.from.get(&key).await.map_err(CopyError::From)?;
        let parse = |stored: &[u8]| super::store::from_json::<Transfer>(key.as_str(), stored);
        found.map(|found| parse(&found.value)).transpose().map_err(CopyError::From)
    }

    /// One transfer. Its state is written last, and so says that all the rest has arrived, and was found to be right.
    async fn transfer(&self, id: TransferId, pass: Pass) -> Result<(), CopyError> {
        let transfer = self.read_transfer(id).await?;
        if let Some(transfer) = &transfer {
            match pass {
                Pass::Write if transfer.keeps_payload() => self.copy_payload(transfer).await?,
                Pass::Compare if transfer.keeps_payload() => self.compare_payload(transfer).await?,
                Pass::Compare if transfer.state == State::Pending => drop(add(&self.counts.pending, 1)),
                _ => {}
            }
        }
        self.records(&StorageKey::everything_of(id), pass).await?;
        self.record(StorageKey::transfer(id), pass).await
    }
}

/// The transfer behind `after` in one store.
async fn next_transfer(store: &dyn Store, after: Option<TransferId>) -> Result<Option<TransferId>, StoreError> {
    let (all, mut after): (Prefix, _) = (StorageKey::all_transfers(), after.map(StorageKey::behind_transfer));
    loop {
        let Some(key) = store.keys(&all, after.as_ref(), 1).await?.pop() else { return Ok(None) };
        match key.transfer_id() {
            Some(id) => return Ok(Some(id)),
            // It belongs to nothing.
            None => after = Some(key),
        }
    }
}
