//! The upload engine: seals a file and sends it, in constant memory and whatever happens to the connection.

mod body;
mod buffers;
mod ledger;
mod pipeline;
mod segments;
mod sending;
mod source;
mod state;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use ledger::LedgerError;
pub use segments::Unsealable;
pub use source::{Source, SourceError};
pub use state::{StateFile, UploadState};

use self::ledger::Ledger;
use self::segments::Segments;
use self::sending::Sending;
use super::{Api, ClientError, Interrupt, Patience, Progress, Signal};
use crate::domain::digest::Sha256;
use crate::domain::envelope::Metadata;
use crate::domain::key::{LinkKey, PayloadKey};
use crate::domain::limits::MAX_DOWNLOADS;
use crate::domain::link::Link;
use crate::domain::passphrase::Passphrase;
use crate::domain::proof::AccessProof;
use crate::domain::random;
use crate::domain::root::ServerRoot;
use crate::domain::wire::{CompletedTransfer, CreateTransfer, CreatedTransfer, Flow, Health, UploadInstruction};

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
}

/// An upload that is done.
pub struct Uploaded {
    /// The link, with its key.
    pub link: Link,
    /// The transfer, and what the server stored about its sender.
    pub completed: CompletedTransfer,
    /// Bytes of content.
    pub content_bytes: u64,
    /// An address that the server names for its links and that was not taken: what goes there can be read on the way.
    pub refused_root: Option<ServerRoot>,
}

/// An upload that came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// A call failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server takes no content of this size.
    #[error("the file has {size} bytes, and the server takes at most {limit}")]
    TooLarge {
        /// Bytes of content.
        size: u64,
        /// The server's limit, in bytes.
        limit: u64,
    },
    /// The server takes no transfers of this lifetime.
    #[error("this server keeps transfers for {} to {}", in_words(*min), in_words(*max))]
    Lifetime {
        /// The shortest it takes.
        min: Duration,
        /// The longest it takes.
        max: Duration,
    },
    /// No transfer allows that many downloads.
    #[error("a transfer allows 1 to {MAX_DOWNLOADS} downloads, or any number")]
    Downloads,
    /// The file cannot be put into a payload.
    #[error(transparent)]
    Unsealable(#[from] Unsealable),
    /// The file cannot be read as it was.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The tags could not be recorded, or differ.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The server says that it has more than there is.
    #[error("the server says that it has {received} bytes, and {sent} were sent")]
    TooManyBytes {
        /// What it says.
        received: u64,
        /// What may have been sent.
        sent: u64,
    },
    /// The upload needs a state, and there is no directory for it.
    #[error("there is no home directory to keep the state of a large upload in")]
    NoStateDirectory,
    /// The process was asked to end.
    #[error("the upload was interrupted")]
    Interrupted {
        /// How.
        signal: Signal,
        /// Whether the unfinished transfer could be deleted.
        deleted: bool,
    },
}

impl UploadError {
    /// Whether the file is no longer what it was.
    #[must_use]
    pub const fn is_changed(&self) -> bool {
        matches!(self, Self::Source(SourceError::Changed) | Self::Ledger(LedgerError::Changed))
    }
}

/// Checks `upload` against what the server accepts, before anything is created.
pub fn check(upload: &Upload, health: &Health) -> Result<(), UploadError> {
    if health.mode.upload == Flow::Presigned {
        return Err(presigned_unsupported().into());
    }
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

fn presigned_unsupported() -> ClientError {
    let text = "this server takes payloads through its storage provider, which this version of sgsend cannot";
    ClientError::Unsupported(text.to_owned())
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
    let UploadInstruction::Bytes { url: address } = &created.upload else {
        return Err(presigned_unsupported().into());
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
    let ledger = Arc::new(Mutex::new(Ledger::new(file)));
    let sending = async {
        if let Some(failed) = failed {
            return Err(failed.into());
        }
        progress.begin(segments.layout().sealed_size());
        let sending = Sending {
            api: api.clone(),
            id: created.transfer_id,
            address: address.clone(),
            segments: segments.clone(),
            ledger: ledger.clone(),
            patience,
            progress: progress.clone(),
            furthest: 0,
            rewarded: 0,
            busy_since: None,
        };
        sending.run().await
    };
    let outcome = tokio::select! {
        outcome = Box::pin(sending) => outcome,
        signal = interrupt.raised() => Err(UploadError::Interrupted { signal, deleted: false }),
    };
    progress.end();
    let outcome = match outcome {
        Ok(completed) => {
            let (link, refused_root) = link(api.root(), &created, link_key);
            Ok(Uploaded { link, completed, content_bytes, refused_root })
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
    ledger.lock().expect("nothing panics while it holds this lock").remove();
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

/// A duration in its largest whole unit, as people write it.
fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let whole = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{seconds} s"), |(unit, name)| format!("{} {name}", seconds / unit))
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
