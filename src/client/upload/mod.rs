//! The upload engine: seals a file and sends it, in constant memory and whatever happens to the connection.

mod body;
mod by_service;
mod by_store;
mod delivery;
mod error;
mod ledger;
mod pipeline;
mod plan;
mod segments;
mod sending;
mod source;
mod state;
mod through;
mod urls;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use error::UploadError;
pub use ledger::LedgerError;
pub use segments::Unsealable;
pub use source::{Mark, Source, SourceError, Watched};
pub use state::{StateFile, UploadState};

use self::delivery::Payload;
use self::ledger::Ledger;
use self::segments::Segments;
use self::sending::Sending;
use self::through::Through;
use super::{Api, FlowChoice, Interrupt, Patience, Progress};
use crate::domain::digest::Sha256;
use crate::domain::envelope::Metadata;
use crate::domain::key::{LinkKey, PayloadKey};
use crate::domain::limits::MAX_DOWNLOADS;
use crate::domain::link::Link;
use crate::domain::passphrase::Passphrase;
use crate::domain::proof::AccessProof;
use crate::domain::random;
use crate::domain::root::ServerRoot;
use crate::domain::wire::{CompletedTransfer, CreateTransfer, CreatedTransfer, Flow, Health};

/// Up to this many sealed bytes the tags stay in memory.
const IN_MEMORY_BYTES: u64 = 8 * 1024 * 1024;
/// How long an upload that ends early tries to delete what it has begun.
const CLEAN_UP: Duration = Duration::from_secs(2);

/// What to send, and how.
pub struct Upload {
    /// The file.
    pub source: Source,
    /// Its name and what else recipients learn. `size` is the source's.
    pub metadata: Metadata,
    /// What the link's key does not open alone.
    pub passphrase: Option<Passphrase>,
    /// How long the transfer lives; the server's default if `None`.
    pub expires: Option<Duration>,
    /// How many downloads it allows; any number if `None`.
    pub max_downloads: Option<u32>,
    /// Where the state of uploads beyond 8 MiB is kept while they run; smaller ones do without.
    pub uploads: Option<PathBuf>,
    /// Which way it may go.
    pub flow: FlowChoice,
}

/// An upload that is done.
pub struct Uploaded {
    /// The link, with its key.
    pub link: Link,
    /// The transfer, and what the server stored about its sender.
    pub completed: CompletedTransfer,
    /// Which way the payload went.
    pub flow: Flow,
    /// Bytes of content.
    pub content_bytes: u64,
    /// An address that the server names for its links and that was not taken: what goes there can be read on the way.
    pub refused_root: Option<ServerRoot>,
}

/// Checks `upload` against what the server of `api` accepts, before anything is created.
pub fn check(api: &Api, upload: &Upload, health: &Health) -> Result<(), UploadError> {
    upload.flow.check(health.mode.upload, api.origin())?;
    let (size, limit) = (upload.source.size(), health.limits.max_content_bytes);
    if size > limit {
        return Err(UploadError::TooLarge { size, limit });
    }
    let lifetimes = health.limits.expires_in_s;
    if upload.expires.is_some_and(|expires| !(lifetimes.min..=lifetimes.max).contains(&expires.as_secs())) {
        let (min, max) = (Duration::from_secs(lifetimes.min), Duration::from_secs(lifetimes.max));
        return Err(UploadError::Lifetime { min, max });
    }
    if upload.max_downloads.is_some_and(|downloads| !(1..=MAX_DOWNLOADS).contains(&downloads)) {
        return Err(UploadError::Downloads);
    }
    Ok(())
}

/// Uploads, after [`check`].
pub async fn run(
    api: &Api,
    upload: Upload,
    mut patience: Patience,
    progress: Arc<dyn Progress>,
    mut interrupt: Interrupt,
) -> Result<Uploaded, UploadError> {
    let content_bytes = upload.source.size();
    let (expires, max_downloads, uploads) = (upload.expires, upload.max_downloads, upload.uploads.clone());
    let flow = upload.flow;
    let needs_proof = max_downloads.is_some() || upload.passphrase.is_some();
    let (link_key, key, segments) =
        tokio::task::spawn_blocking(move || seal_key(upload)).await.expect("deriving a key does not panic")?;
    let uploads = state_directory(segments.layout().sealed_size(), uploads)?;
    let asked = CreateTransfer {
        size_bytes: segments.layout().sealed_size(),
        expires_in_s: expires.map(|expires| expires.as_secs()),
        max_downloads,
        access_sha256: needs_proof.then(|| AccessProof::of(&key).digest()),
        idempotency_key: Some(Sha256::of(&random::bytes::<32>()).to_string()),
    };
    let created = tokio::select! {
        created = patience.call(&*progress, || api.create(&asked)) => created?,
        signal = interrupt.raised() => return Err(UploadError::Interrupted { signal, deleted: false }),
    };
    patience.progressed();

    let segments = Arc::new(segments);
    // Waited for whatever happens: a file that the ledger does not know would not be removed, and the key stands in it.
    let state = match uploads {
        None => Ok(None),
        Some(uploads) => {
            let state = UploadState::of(api.root().to_string(), created.transfer_id, &segments, &link_key, &key);
            let count = segments.layout().segments();
            let create = move || StateFile::create(&uploads, &state, count).map(Some);
            tokio::task::spawn_blocking(create).await.expect("writing a file does not panic")
        }
    };
    let (file, failed) = match state {
        Ok(file) => (file, None),
        Err(error) => (None, Some(LedgerError::Write(error))),
    };
    let ledger = Arc::new(Ledger::new(file));
    let sending = async {
        if let Some(failed) = failed {
            return Err(failed.into());
        }
        progress.begin(segments.layout().sealed_size());
        let through = Arc::new(Through::of(segments.clone(), progress.clone()));
        let payload = Payload { segments: segments.clone(), ledger: ledger.clone(), through };
        let sending =
            Sending { api: api.clone(), id: created.transfer_id, payload, patience, progress: progress.clone() };
        sending.run(created.upload.clone(), flow).await
    };
    let outcome = tokio::select! {
        outcome = Box::pin(sending) => outcome,
        signal = interrupt.raised() => Err(UploadError::Interrupted { signal, deleted: false }),
    };
    progress.end();
    let outcome = match outcome {
        Ok((completed, flow)) => {
            let (link, refused_root) = link(api.root(), &created, link_key);
            Ok(Uploaded { link, completed, flow, content_bytes, refused_root })
        }
        Err(error) => {
            let deleted = tokio::time::timeout(CLEAN_UP, api.delete(created.transfer_id)).await;
            let deleted = matches!(deleted, Ok(Ok(_)));
            Err(match error {
                UploadError::Interrupted { signal, .. } => UploadError::Interrupted { signal, deleted },
                other => other,
            })
        }
    };
    ledger.remove();
    outcome
}

/// Where the state of an upload of so many sealed bytes is kept, if anywhere.
fn state_directory(sealed: u64, uploads: Option<PathBuf>) -> Result<Option<PathBuf>, UploadError> {
    match uploads {
        _ if sealed <= IN_MEMORY_BYTES => Ok(None),
        None => Err(UploadError::NoStateDirectory),
        uploads => Ok(uploads),
    }
}

/// Draws the key and prepares the segments. Blocks: a passphrase is stretched.
fn seal_key(upload: Upload) -> Result<(LinkKey, PayloadKey, Segments), UploadError> {
    let link_key = match upload.passphrase {
        None => LinkKey::random(),
        Some(_) => LinkKey::random_with_passphrase(),
    };
    let key = link_key.payload_key(upload.passphrase.as_ref()).expect("the key's kind is chosen by the passphrase");
    let segments = Segments::new(upload.source, &upload.metadata, &key)?;
    Ok((link_key, key, segments))
}

/// The link to a transfer: at the server's own public address where it names a fit one, else where it was `reached`.
/// An address that lets others read along, where we did not, is given back instead.
fn link(reached: &ServerRoot, created: &CreatedTransfer, key: LinkKey) -> (Link, Option<ServerRoot>) {
    let named = created.page_url.parse::<Link>().ok().filter(|link| link.transfer_id == created.transfer_id);
    let named = named.map_or_else(|| reached.clone(), |link| link.root);
    let unfit = named.is_plain_http_beyond_loopback() && !reached.is_plain_http_beyond_loopback();
    let (root, refused) = if unfit { (reached.clone(), Some(named)) } else { (named, None) };
    (Link { root, transfer_id: created.transfer_id, key: Some(key) }, refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_uploads_need_no_directory() {
        let directory = || Some(PathBuf::from("/state"));
        assert!(matches!(state_directory(IN_MEMORY_BYTES, None), Ok(None)));
        assert!(matches!(state_directory(IN_MEMORY_BYTES, directory()), Ok(None)));
        assert!(matches!(state_directory(IN_MEMORY_BYTES + 1, directory()), Ok(Some(_))));
        assert!(matches!(state_directory(IN_MEMORY_BYTES + 1, None), Err(UploadError::NoStateDirectory)));
    }
}
