//! Bodies of `POST …/links/…` and `POST …/update`, and the status of a further link.

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::{Mode, TransferStatus, present};
use crate::domain::crypto::digest::Sha256;
use crate::domain::crypto::link_text::{SealedLabel, WrappedKey};
use crate::domain::id::LinkId;
use crate::domain::timestamp::Timestamp;
use crate::domain::transfer::Status;

/// Use of the own link of a new transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OwnLinkChoice {
    /// Recipients can use the own link.
    #[default]
    Open,
    /// Recipients can use further links only.
    Closed,
}

impl OwnLinkChoice {
    /// Returns whether recipients can use the own link.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

/// A further link to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateLink {
    /// Id of the link, chosen by the client: 128 random bits. A repeated request returns the existing link.
    pub link_id: LinkId,
    /// Payload key, encrypted with the key of the link.
    pub wrapped_key: WrappedKey,
    /// SHA-256 of the access proof, which every further link requires.
    pub access_sha256: Sha256,
    /// Whether the access proof depends on a passphrase, which could be guessed. Wrong proofs of a client network are
    /// limited then.
    #[serde(default = "super::create::yes", skip_serializing_if = "super::create::is_yes")]
    #[schema(default = true)]
    pub access_from_passphrase: bool,
    /// Name of the link, encrypted for the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<SealedLabel>,
    /// Lifetime of the link, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 7_776_000, default = 604_800)]
    pub expires_in_s: Option<u64>,
    /// Download limit; absent means unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000)]
    pub max_downloads: Option<u32>,
}

/// A created link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedLink {
    /// The link.
    #[serde(flatten)]
    pub link: LinkItem,
    /// URL of the download page for recipients; absolute if the server's public URL is configured.
    pub page_url: String,
}

/// Change of a link's expiry or download limit. Never revives a link that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateLink {
    /// Remaining lifetime of the link from now, in seconds; absent leaves the expiry time as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 7_776_000)]
    pub expires_in_s: Option<u64>,
    /// Download limit; null means unlimited, absent leaves the limit as it is. A limit at or below the number of counted
    /// downloads ends the link at once.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000)]
    #[allow(clippy::option_option, reason = "unlimited is a value, apart from no change")]
    pub max_downloads: Option<Option<u32>>,
}

/// Selection of a page of a transfer's links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkPageQuery {
    /// Id of the last link before the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<LinkId>,
    /// Maximum number of links in the response, 1 to 1 000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000, default = 100)]
    pub limit: Option<u32>,
}

/// One page of the links of a transfer. The own link comes first, then further links in the order of creation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkPage {
    /// Links of the page.
    pub items: Vec<LinkItem>,
    /// Value of `after` for the next page; null if there is none.
    pub next: Option<LinkId>,
}

/// A link of a transfer, as its sender sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkItem {
    /// Id of the link; that of the transfer for its own link.
    pub link_id: LinkId,
    /// Whether this is the transfer's own link.
    pub own: bool,
    /// Status of the link.
    pub status: Status,
    /// Creation time.
    pub created_at: Timestamp,
    /// Expiry time.
    pub expires_at: Timestamp,
    /// Number of counted downloads; may lag by 1 second for an unlimited link.
    pub download_count: u64,
    /// Download limit; null means unlimited.
    pub max_downloads: Option<u32>,
    /// Remaining downloads; null means unlimited.
    pub downloads_remaining: Option<u32>,
    /// Time of the last counted download; null if there was none.
    pub last_download_at: Option<Timestamp>,
    /// Whether downloads require an access proof.
    pub access_proof: bool,
    /// Name of the link, encrypted for the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<SealedLabel>,
}

/// Status of a further link for clients without its access proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RedactedStatus {
    /// Id asked for.
    pub transfer_id: LinkId,
    /// Status of the link.
    pub status: Status,
    /// Whether downloads require an access proof: always, under a further link.
    pub access_proof: bool,
    /// Mode of upload and download: presigned URLs, or bytes through this service.
    pub mode: Mode,
}

/// Response of `GET …/status`. Under the id of a further link, all members but four need the access proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LinkStatus {
    /// All members.
    Full(Box<TransferStatus>),
    /// The members for clients without the access proof of a further link.
    Redacted(RedactedStatus),
}

/// Schema of a union without a discriminator, which the derive would require.
impl PartialSchema for LinkStatus {
    fn schema() -> RefOr<Schema> {
        let union = AnyOfBuilder::new()
            .description(Some(
                "Status of a transfer or link. Under the id of a further link, all members but four need the access proof.",
            ))
            .item(Ref::from_schema_name(TransferStatus::name()))
            .item(Ref::from_schema_name(RedactedStatus::name()))
            .build();
        RefOr::T(Schema::AnyOf(union))
    }
}

impl ToSchema for LinkStatus {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((TransferStatus::name().into(), TransferStatus::schema()));
        schemas.push((RedactedStatus::name().into(), RedactedStatus::schema()));
        TransferStatus::schemas(schemas);
        RedactedStatus::schemas(schemas);
    }
}
