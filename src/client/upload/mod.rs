//! Upload engine: seals a file and sends it with retries, in constant memory.

mod body;
mod bytes_upload;
mod completion;
mod driver;
mod error;
mod journal;
mod pieces;
mod pipeline;
mod plan;
mod progress;
mod request;
mod request_target;
mod segments;
mod session;
mod source;
mod state;
mod store_upload;
mod unfinished;
mod urls;
mod verify;
mod watched_file;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use completion::Completion;
pub use completion::StatementSigner;
pub use error::{InterruptedState, UploadError};
pub use journal::JournalError;
pub use pieces::{FIRST_PIECE, MIN_PIECE};
pub use request_target::RequestTarget;
pub use segments::SealError;
pub use source::{SourceChange, SourceError, UploadSource};
pub use state::UploadState;
pub(in crate::client) use state::remove_stale;
pub use unfinished::{EarlierUpload, UnfinishedUpload};
pub use watched_file::{Fingerprint, WatchedFile, fills_its_size};
pub(in crate::client) use watched_file::{has_doubtful_size, plain_flags};

use self::driver::{AlreadyReceived, Driver};
use self::journal::Journal;
use self::progress::SentCounter;
use self::request::UploadPayload;
use self::segments::padded_layout;
use self::session::UploadSession;
use super::{Api, ClientError, FlowChoice, Interrupt, MAX_LINKS, NamedLink, NewLink, Origin, Progress, RetryPolicy};
use crate::client::links;
use crate::domain::base_url::BaseUrl;
use crate::domain::crypto::commitment::Commitment;
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::envelope;
use crate::domain::crypto::envelope::Metadata;
use crate::domain::crypto::info::MAX_MESSAGE_CHARACTERS;
use crate::domain::crypto::key::{LinkKey, LinkSecret};
use crate::domain::crypto::label::LinkName;
use crate::domain::crypto::padding::Padding;
use crate::domain::crypto::passphrase::Passphrase;
use crate::domain::id::TransferId;
use crate::domain::limits::MAX_DOWNLOADS;
use crate::domain::link::Link;
use crate::domain::notification::NotificationChoice;
use crate::domain::people::recipient_keys::RecipientKey;
use crate::domain::wire::{CompletedTransfer, Flow, Health};

/// Timeout for deleting the transfer of a failed upload.
const CLEAN_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// Parameters of an upload.
pub struct Upload {
    /// The file or archive to send.
    pub source: UploadSource,
    /// The name and other metadata for recipients. `size` must be the source's.
    pub metadata: Metadata,
    /// Message to the recipients; an unfinished upload keeps its own.
    pub message: Option<String>,
    /// Padding of the payload; an unfinished upload keeps its own.
    pub padding: Padding,
    /// The passphrase required in addition to the link's key.
    pub passphrase: Option<Passphrase>,
    /// Lifetime of the transfer; `None` for the server's default.
    pub expires: Option<Duration>,
    /// Download limit; `None` if unlimited.
    pub max_downloads: Option<u32>,
    /// Names of further links. With any, passphrase, lifetime and download limit hold for each of them, and nobody can
    /// use the transfer's own link. An unfinished upload keeps its own.
    pub links: Vec<LinkName>,
    /// People whose private keys open the transfer; its link then has no key. An unfinished upload keeps its own.
    pub recipients: Vec<RecipientKey>,
    /// Signs the payload, if the sender wants that.
    pub signer: Option<Arc<dyn StatementSigner>>,
    /// Choice of the notifications that the transfer causes; `None` for the default of the token.
    pub notify: Option<NotificationChoice>,
    /// Request that the upload is for, instead of a link for recipients.
    pub request: Option<RequestTarget>,
    /// Location of the state file, which only uploads of more than 8 MiB (encrypted size) need.
    pub state: StateFileLocation,
    /// Unfinished upload to resume.
    pub unfinished: Option<Box<UnfinishedUpload>>,
    /// Allowed data path of the payload.
    pub flow: FlowChoice,
    /// Base URL for the link, chosen by the user; `None` for the URL at which the service was reached.
    pub link_server: Option<BaseUrl>,
}

/// Location of the state file of a large upload, which lets another process resume the upload.
pub enum StateFileLocation {
    /// In a directory, under the digest of the command.
    Directory {
        /// The directory.
        uploads: PathBuf,
        /// Digest that identifies the command.
        command: Sha256,
    },
    /// No state file: the upload is not to be resumed.
    Disabled,
    /// No state directory exists for this user.
    NoStateDirectory,
}

impl Upload {
    /// Returns the encrypted size of the payload in bytes.
    ///
    /// # Errors
    /// [`UploadError`] if the content does not fit the payload format.
    pub fn sealed_size(&self) -> Result<u64, UploadError> {
        let envelope = envelope::encode(&self.metadata).map_err(SealError::from)?;
        let layout = padded_layout(&self.source, &envelope, self.padding).map_err(SealError::from)?;
        Ok(layout.sealed_size())
    }
}

/// Completed upload.
pub struct Uploaded {
    /// The transfer's own link, with its key. Closed if there are further links.
    pub link: Link,
    /// The further links, in the order of their names.
    pub links: Vec<NamedLink>,
    /// The transfer, and the sender's details as stored by the server.
    pub completed: CompletedTransfer,
    /// Data path of the payload.
    pub flow: Flow,
    /// Content size, in bytes.
    pub content_bytes: u64,
    /// Base URL that the service suggests for links, if its origin is not that of [`Self::link`].
    pub suggested_base_url: Option<BaseUrl>,
}

/// Checks `upload` against the limits and data paths of the server, before a transfer is created.
pub fn check(api: &Api, upload: &Upload, health: &Health) -> Result<(), UploadError> {
    upload.flow.check(health.mode.upload, api.origin())?;
    let (size, limit) = (upload.source.size(), health.limits.max_content_bytes);
    if size > limit {
        let name = upload.metadata.filename.clone();
        return Err(UploadError::TooLarge { name, size: Some(size), limit });
    }
    let lifetimes = health.limits.expires_in_s;
    if upload.expires.is_some_and(|expires| !(lifetimes.min..=lifetimes.max).contains(&expires.as_secs())) {
        let (min, max) = (Duration::from_secs(lifetimes.min), Duration::from_secs(lifetimes.max));
        return Err(UploadError::Lifetime { min, max });
    }
    if upload.message.as_ref().is_some_and(|message| message.chars().count() > MAX_MESSAGE_CHARACTERS) {
        return Err(UploadError::Message);
    }
    if upload.links.len() > MAX_LINKS {
        return Err(UploadError::TooManyLinks);
    }
    if upload.max_downloads.is_some_and(|downloads| !(1..=MAX_DOWNLOADS).contains(&downloads)) {
        return Err(UploadError::Downloads);
    }
    Ok(())
}

/// Uploads after [`check`].
pub async fn run(
    api: &Api,
    upload: Upload,
    mut retry: RetryPolicy,
    progress: Arc<dyn Progress>,
    mut interrupt: Interrupt,
) -> Result<Uploaded, UploadError> {
    let content_bytes = upload.source.size();
    let (flow, link_server) = (upload.flow, upload.link_server.clone());
    let unfinished_id = upload.unfinished.as_ref().map(|unfinished| unfinished.id());
    let session = tokio::select! {
        session = Box::pin(UploadSession::of(api, upload, &mut retry, &progress)) => session?,
        signal = interrupt.raised() => {
            let state = unfinished_id.map_or(InterruptedState::Unknown, InterruptedState::Resumable);
            return Err(UploadError::Interrupted { signal, state });
        }
    };
    retry.reset();
    let UploadSession { id, page_url, link_key, links, segments, info, keys, signature, journal, instruction, already } =
        session;
    let (base_url, suggested_base_url) = link_base_url(api.base_url(), link_server, id, &page_url);
    let signature = signature.map(|signature| (signature, base_url.clone()));
    // A link for recipients has a commitment in place of the key.
    let link_key = match (&keys, link_key.unlock(None).ok().and_then(LinkSecret::into_own)) {
        (Some(_), Some(key)) => LinkKey::for_recipients(Commitment::of(&key)),
        _ => link_key,
    };
    let (segments, journal) = (Arc::new(segments), Arc::new(journal.reporting_to(progress.clone())));
    progress.begin(segments.layout().sealed_size());
    let payload = UploadPayload {
        segments: segments.clone(),
        journal: journal.clone(),
        sent_counter: Arc::new(SentCounter::of(segments, progress.clone())),
        completion: Arc::new(Completion::new(info, keys, signature)),
        may_have_arrived: Arc::new(AtomicBool::new(already != AlreadyReceived::default())),
    };
    let may_have_arrived = payload.may_have_arrived.clone();
    let sending = async {
        // Before the payload: a transfer without a usable link cannot be completed.
        let is_complete = already.complete_by.is_some();
        let links = create_links(api, (id, &base_url), (links, is_complete), (&mut retry, &*progress)).await?;
        let driver = Driver { api: api.clone(), id, payload, retry: retry.renewed(), progress: progress.clone() };
        let (completed, flow) = driver.run(instruction, flow, already).await?;
        Ok((completed, flow, links))
    };
    let outcome = tokio::select! {
        outcome = Box::pin(sending) => outcome,
        signal = interrupt.raised() => Err(UploadError::Interrupted { signal, state: InterruptedState::Unknown }),
    };
    progress.end();
    let error = match outcome {
        Ok((completed, flow, links)) => {
            journal.remove();
            progress.step(format_args!("upload of transfer {id} is complete"));
            let link = Link { base_url, transfer_id: id, key: Some(link_key) };
            return Ok(Uploaded { link, links, completed, flow, content_bytes, suggested_base_url });
        }
        Err(error) => error,
    };
    if !journal.is_durable() {
        return Err(clean_up(api, id, &journal, error).await);
    }
    let error = if may_have_arrived.load(Ordering::Relaxed) { error.or_unfinished(id) } else { error };
    match error {
        UploadError::Interrupted { signal, .. } => {
            Err(UploadError::Interrupted { signal, state: InterruptedState::Resumable(id) })
        }
        error if error.is_local_error() || matches!(error, UploadError::Unfinished { .. }) => Err(error),
        error => Err(clean_up(api, id, &journal, error).await),
    }
}

/// Creates the further links, or finds those that an earlier process has created.
async fn create_links(
    api: &Api,
    (id, base_url): (TransferId, &BaseUrl),
    (links, is_complete): (Vec<NewLink>, bool),
    (retry, progress): (&mut RetryPolicy, &dyn Progress),
) -> Result<Vec<NamedLink>, ClientError> {
    // A complete transfer has its links, and takes no others once they have ended.
    let mut existing = if is_complete && !links.is_empty() {
        links::existing(api, id, (retry, progress)).await?
    } else {
        HashMap::new()
    };
    let mut created = Vec::with_capacity(links.len());
    for link in links {
        created.push(match existing.remove(&link.request.link_id) {
            Some(item) => link.with_item(item, base_url),
            None => link.create(api, id, base_url, (retry, progress)).await?,
        });
    }
    retry.reset();
    Ok(created)
}

/// Deletes the transfer and the state file of an upload that cannot be resumed.
async fn clean_up(api: &Api, id: TransferId, journal: &Journal, error: UploadError) -> UploadError {
    let deleted = tokio::time::timeout(CLEAN_UP_TIMEOUT, api.delete(id)).await;
    journal.remove();
    match error {
        UploadError::Interrupted { signal, .. } => {
            let state =
                if matches!(deleted, Ok(Ok(_))) { InterruptedState::Deleted } else { InterruptedState::Unknown };
            UploadError::Interrupted { signal, state }
        }
        other => other,
    }
}

/// Returns the base URL of a link, and that of the service's suggestion if its origin differs.
///
/// The link has the origin at which the service was `reached`, unless the user has `chosen` a base URL: a service must
/// not direct recipients, who trust the sender, to another server. It may choose the path at its own origin.
fn link_base_url(
    reached: &BaseUrl,
    chosen: Option<BaseUrl>,
    id: TransferId,
    page_url: &str,
) -> (BaseUrl, Option<BaseUrl>) {
    let suggested = page_url.parse::<Link>().ok().filter(|link| link.transfer_id == id).map(|link| link.base_url);
    let has_origin = |base_url: &BaseUrl, other: &BaseUrl| Origin::from(base_url) == Origin::from(other);
    let used = chosen.unwrap_or_else(|| {
        let own = suggested.clone().filter(|suggested| has_origin(suggested, reached));
        own.unwrap_or_else(|| reached.clone())
    });
    let other = suggested.filter(|suggested| !has_origin(suggested, &used));
    (used, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_the_origin_that_was_reached_or_chosen() {
        let id = TransferId::random();
        let url = |text: &str| text.parse::<BaseUrl>().unwrap();
        let reached = "https://send.example:8443/base";
        for (chosen, named, used, suggested) in [
            (None, "/d/ID", reached, None),
            (None, "https://send.example:8443/base/d/ID", reached, None),
            (None, "https://send.example:8443/other/d/ID", "https://send.example:8443/other", None),
            (None, "https://evil.example/d/ID", reached, Some("https://evil.example")),
            (None, "https://send.example/base/d/ID", reached, Some("https://send.example/base")),
            (None, "http://send.example:8443/base/d/ID", reached, Some("http://send.example:8443/base")),
            (None, "https://send.example.:8443/d/ID", reached, Some("https://send.example.:8443")),
            (None, "https://evil.example/d/0123456789abcdef0123456789abcdef", reached, None),
            (None, "javascript:alert(1)", reached, None),
            (Some("https://links.example"), "/d/ID", "https://links.example", None),
            (Some("https://links.example"), "https://links.example/d/ID", "https://links.example", None),
            (
                Some("https://links.example"),
                "https://evil.example/d/ID",
                "https://links.example",
                Some("https://evil.example"),
            ),
        ] {
            let found = link_base_url(&url(reached), chosen.map(url), id, &named.replace("ID", &id.to_string()));
            assert_eq!(found, (url(used), suggested.map(url)), "{chosen:?} {named}");
        }
    }
}
