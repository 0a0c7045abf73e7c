//! JSON bodies of the HTTP API.
//!
//! Request bodies with unknown members are rejected, so that a misspelt limit cannot silently mean "unlimited".
//! Responses may gain members in later versions.

mod create;
mod download;
mod event;
mod health;
mod key_proof;
mod link;
mod notifications;
mod page;
mod problem;
mod request;
pub(in crate::domain) mod schema;
mod stats;
mod status;
mod token;
mod token_update;
mod transfer_list;
mod transparency;
mod upload;

pub use create::{CreateTransfer, CreatedTransfer, PartNumbers, UploadInstruction, UploadPart, UploadRequest};
pub use download::{DownloadRequest, DownloadResponse};
pub use event::{AddEvent, ClientEventKind, EventAdded};
pub use health::{Health, HealthLimits, LifetimeLimits, Readiness};
pub use key_proof::{KeyProof, ProveKey};
pub use link::{
    CreateLink, CreatedLink, LinkItem, LinkPage, LinkPageQuery, LinkStatus, OwnLinkChoice, RedactedStatus, UpdateLink,
};
pub use notifications::{SetNotifications, TargetList, TokenNotifications, TokenWebhook, UpdatedToken};
pub use page::{Page, PageQuery, RecordPage};
pub use problem::Problem;
pub use request::{CreateRequest, CreatedRequest, RequestItem, RequestList};
pub use stats::{DayOverview, StatsOverview, StorageSpace, TokenCounts};
pub use status::{CompleteUpload, CompletedTransfer, Empty, Flow, Mode, TransferStatus};
pub use token::{CreateToken, CreatedToken, TokenItem};
pub use token_update::UpdateToken;
pub use transfer_list::{
    DeleteTransfers, DeletedTransfer, DeletedTransfers, InvalidStatusFilter, OwnTransferQuery, StatusFilter,
    TransferItem, TransferOrder, TransferPage, TransferQuery,
};
pub use transparency::{Disclosure, Transparency};
pub use upload::{Received, UploadStatus};

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Reads a member that is present, so that `null` differs from an absent one, which has the default.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads an object or `null`. Without it, serde would accept the members of a struct as an array, too.
fn object<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let members = Option::<Map<String, Value>>::deserialize(deserializer)?;
    members.map(|members| serde_json::from_value(Value::Object(members))).transpose().map_err(Error::custom)
}
