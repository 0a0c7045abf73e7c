//! The route table of both services: method, path template, audited action, and possible error codes.

use http::{Method, StatusCode};

use crate::domain::audit::{ActionName, ServiceName};
#[allow(clippy::enum_glob_use, reason = "the table below is lists of codes, and nothing else")]
use crate::domain::error::ErrorCode::{self, *};
use crate::server::api::error_status::status_of;

/// One route of one service.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The service with this route.
    pub service: ServiceName,
    /// The HTTP method.
    pub method: &'static str,
    /// The path template.
    pub template: &'static str,
    /// The action in the audit trail; `None` for routes without audit.
    ///
    /// These are health, metrics, documents, pages, and proofs of the admin key.
    pub action: Option<ActionName>,
    /// The error codes specific to this route, in reusable groups.
    codes: &'static [&'static [ErrorCode]],
}

/// Error codes of every audited route.
const RECORDED: &[ErrorCode] = &[RateLimited, Internal, StorageUnavailable, ServerBusy, StorageFull, StorageUpgraded];
/// Error codes of every route without audit records.
const UNRECORDED: &[ErrorCode] = &[RateLimited, Internal, StorageUnavailable, ServerBusy];

/// Errors of a service that is not ready, with status 503.
const NOT_READY: &[ErrorCode] =
    &[StorageFull, StorageUpgraded, RecordsNotReadable, RecordsNotWritable, PayloadsNotReadable, PayloadsNotWritable];
/// Errors of an id in the path.
const ID: &[ErrorCode] = &[InvalidId];
/// Errors of a list.
const LIST: &[ErrorCode] = &[InvalidRequest, ServerBusy];
/// Errors of a request body.
const BODY: &[ErrorCode] = &[InvalidRequest, PayloadTooLarge, RequestTimeout];
/// Errors of a route on any transfer.
const ANY_TRANSFER: &[ErrorCode] = &[InvalidId, TransferNotFound];
/// Errors of a required token, of a sender or of a request.
const UPLOADER: &[ErrorCode] = &[TokenMissing, TokenInvalid, TokenRevoked, TokenExpired];
/// Errors of a required sender token.
const SENDER: &[ErrorCode] = &[TokenMissing, TokenInvalid, TokenRevoked, TokenExpired, NotForRequests];
/// Errors of the upload of a transfer.
const UPLOADED_TRANSFER: &[ErrorCode] =
    &[InvalidId, InvalidRequest, TransferNotFound, NotYourTransfer, IsALink, GuestProofInvalid];
/// Errors of a route on the sender's own transfers.
const OWN_TRANSFER: &[ErrorCode] = &[
    InvalidId,
    TokenMissing,
    TokenInvalid,
    TokenRevoked,
    TokenExpired,
    NotForRequests,
    TransferNotFound,
    NotYourTransfer,
    IsALink,
];
/// Errors of a route on any transfer with an optional sender token.
const VISIBLE_TRANSFER: &[ErrorCode] =
    &[InvalidId, TokenInvalid, TokenRevoked, TokenExpired, NotForRequests, TransferNotFound, NotYourTransfer];
/// Errors of a recipient's access proof or grant.
const PROOFS: &[ErrorCode] = &[InvalidRequest, AccessRequired, AccessInvalid, GrantExpired];
/// Errors of the access proof of a further link.
const LINK_PROOF: &[ErrorCode] = &[AccessRequired, AccessInvalid];
/// Errors of an upload that has ended.
const UPLOAD_ENDED: &[ErrorCode] = &[TransferExpired, TransferDeleted, SizeMismatch];
/// Errors of a transfer that has ended.
const TRANSFER_ENDED: &[ErrorCode] = &[TransferExpired, TransferExhausted, TransferDeleted];
/// Errors of a link that has ended.
const LINK_ENDED: &[ErrorCode] = &[TransferExpired, TransferExhausted, TransferDeleted, LinkClosed];
/// Errors of a payload that cannot be downloaded.
const NOT_DOWNLOADABLE: &[ErrorCode] = &[NotCompleted, TransferExpired, TransferExhausted, TransferDeleted, LinkClosed];
/// Errors of the admin key.
const ADMIN: &[ErrorCode] = &[AdminKeyInvalid];
/// Errors of the metrics key.
const METRICS: &[ErrorCode] = &[MetricsKeyInvalid];
/// Errors of an admin request that changes something.
const ADMIN_CHANGE: &[ErrorCode] =
    &[AdminKeyInvalid, OriginNotAllowed, InvalidRequest, PayloadTooLarge, RequestTimeout];

const fn public(
    method: &'static str,
    template: &'static str,
    action: ActionName,
    codes: &'static [&'static [ErrorCode]],
) -> Route {
    Route { service: ServiceName::Public, method, template, action: Some(action), codes }
}

const fn admin(
    method: &'static str,
    template: &'static str,
    action: ActionName,
    codes: &'static [&'static [ErrorCode]],
) -> Route {
    Route { service: ServiceName::Admin, method, template, action: Some(action), codes }
}

const fn unrecorded(service: ServiceName, template: &'static str, codes: &'static [&'static [ErrorCode]]) -> Route {
    Route { service, method: "GET", template, action: None, codes }
}

const DOWNLOAD_BYTES: &str = "/transfers/id/{transfer_id}/payload/download-bytes";
const DOWNLOAD_CODES: &[&[ErrorCode]] =
    &[ANY_TRANSFER, PROOFS, NOT_DOWNLOADABLE, &[GrantInvalid, RangeNotSatisfiable, WrongMode]];

/// All routes of both services.
pub const ROUTES: &[Route] = &[
    unrecorded(ServiceName::Public, "/health", &[]),
    unrecorded(ServiceName::Public, "/health/ready", &[NOT_READY]),
    unrecorded(ServiceName::Public, "/metrics", &[METRICS]),
    public(
        "POST",
        "/transfers/create",
        ActionName::TransferCreate,
        &[UPLOADER, BODY, &[IdempotencyMismatch, QuotaExceeded]],
    ),
    public("GET", "/transfers/list", ActionName::TransferList, &[SENDER, LIST, &[RequestNotFound]]),
    public("GET", "/token/status", ActionName::TokenStatus, &[SENDER]),
    public(
        "POST",
        "/transfers/id/{transfer_id}/payload/upload-bytes",
        ActionName::PayloadUpload,
        &[
            UPLOADER,
            UPLOADED_TRANSFER,
            BODY,
            UPLOAD_ENDED,
            &[TransferNotPending, OffsetMismatch, UploadInProgress, WrongMode],
        ],
    ),
    public(
        "GET",
        "/transfers/id/{transfer_id}/upload/status",
        ActionName::UploadStatus,
        &[UPLOADER, UPLOADED_TRANSFER],
    ),
    public(
        "POST",
        "/transfers/id/{transfer_id}/upload/create-presign-urls",
        ActionName::UploadPresign,
        &[UPLOADER, UPLOADED_TRANSFER, BODY, UPLOAD_ENDED, &[TransferNotPending, WrongMode]],
    ),
    public(
        "POST",
        "/transfers/id/{transfer_id}/upload/complete",
        ActionName::UploadComplete,
        &[UPLOADER, UPLOADED_TRANSFER, BODY, UPLOAD_ENDED, &[UploadIncomplete, UploadInProgress, InfoMismatch, NoLink]],
    ),
    public(
        "GET",
        "/transfers/id/{transfer_id}/status",
        ActionName::TransferStatus,
        &[ANY_TRANSFER, &[InvalidRequest, AccessInvalid]],
    ),
    public(
        "GET",
        "/transfers/id/{transfer_id}/keys",
        ActionName::KeysRead,
        &[ANY_TRANSFER, NOT_DOWNLOADABLE, &[NoKeys]],
    ),
    public(
        "POST",
        "/transfers/id/{transfer_id}/download/create-presign-url",
        ActionName::DownloadGrant,
        &[ANY_TRANSFER, BODY, PROOFS, NOT_DOWNLOADABLE],
    ),
    public("GET", DOWNLOAD_BYTES, ActionName::PayloadDownload, DOWNLOAD_CODES),
    public("HEAD", DOWNLOAD_BYTES, ActionName::PayloadDownload, DOWNLOAD_CODES),
    public(
        "POST",
        "/transfers/id/{transfer_id}/events/add",
        ActionName::EventAdd,
        &[ANY_TRANSFER, BODY, PROOFS, &[GrantInvalid, NotCompleted, EventLimitReached]],
    ),
    public(
        "GET",
        "/transfers/id/{transfer_id}/events/list",
        ActionName::EventList,
        &[VISIBLE_TRANSFER, LIST, LINK_PROOF],
    ),
    public(
        "GET",
        "/transfers/id/{transfer_id}/actions/list",
        ActionName::ActionList,
        &[VISIBLE_TRANSFER, LIST, LINK_PROOF],
    ),
    public(
        "POST",
        "/transfers/id/{transfer_id}/delete",
        ActionName::TransferDelete,
        &[UPLOADER, UPLOADED_TRANSFER, BODY, &[AlreadyDownloaded]],
    ),
    public("POST", "/requests/create", ActionName::RequestCreate, &[SENDER, BODY, &[TooManyRequests]]),
    public("POST", "/requests/list", ActionName::RequestList, &[SENDER, BODY, &[ServerBusy]]),
    public(
        "POST",
        "/requests/id/{token_id}/revoke",
        ActionName::RequestRevoke,
        &[ID, SENDER, BODY, &[RequestNotFound]],
    ),
    public("GET", "/events/stream", ActionName::EventStream, &[SENDER, &[InvalidRequest, ServerBusy]]),
    public("POST", "/transfers/id/{transfer_id}/update", ActionName::TransferUpdate, &[OWN_TRANSFER, BODY, LINK_ENDED]),
    public(
        "POST",
        "/transfers/id/{transfer_id}/links/create",
        ActionName::LinkCreate,
        &[OWN_TRANSFER, BODY, TRANSFER_ENDED, &[LinkMismatch, TooManyLinks]],
    ),
    public(
        "POST",
        "/transfers/id/{transfer_id}/links/list",
        ActionName::LinkList,
        &[OWN_TRANSFER, BODY, &[LinkNotFound, ServerBusy]],
    ),
    public(
        "POST",
        "/transfers/id/{transfer_id}/links/id/{link_id}/update",
        ActionName::LinkUpdate,
        &[OWN_TRANSFER, BODY, LINK_ENDED, &[LinkNotFound]],
    ),
    public(
        "POST",
        "/transfers/id/{transfer_id}/links/id/{link_id}/revoke",
        ActionName::LinkRevoke,
        &[OWN_TRANSFER, BODY, &[LinkNotFound]],
    ),
    unrecorded(ServiceName::Public, "/d/{transfer_id}", &[ID]),
    unrecorded(ServiceName::Public, "/r/{token_id}", &[ID]),
    unrecorded(ServiceName::Public, "/", &[]),
    unrecorded(ServiceName::Public, "/web/{*path}", &[&[RouteNotFound]]),
    unrecorded(ServiceName::Public, "/save/worker.js", &[]),
    unrecorded(ServiceName::Public, "/openapi.json", &[]),
    unrecorded(ServiceName::Public, "/docs", &[]),
    unrecorded(ServiceName::Admin, "/health", &[]),
    unrecorded(ServiceName::Admin, "/health/ready", &[NOT_READY]),
    admin("POST", "/tokens/create", ActionName::TokenCreate, &[ADMIN_CHANGE, &[NotificationsUnavailable]]),
    admin("GET", "/tokens/list", ActionName::TokenList, &[ADMIN, LIST]),
    admin(
        "POST",
        "/tokens/id/{token_id}/update",
        ActionName::TokenUpdate,
        &[ID, ADMIN_CHANGE, &[TokenNotFound, NotificationsUnavailable]],
    ),
    admin("POST", "/tokens/id/{token_id}/revoke", ActionName::TokenRevoke, &[ID, ADMIN_CHANGE, &[TokenNotFound]]),
    admin("GET", "/stats/overview", ActionName::StatsRead, &[ADMIN, &[ServerBusy]]),
    admin("GET", "/notifications/targets", ActionName::StatsRead, &[ADMIN, &[ServerBusy]]),
    admin(
        "GET",
        "/audit/transfers/id/{transfer_id}/all",
        ActionName::AuditRead,
        &[ANY_TRANSFER, &[IsALink], ADMIN, LIST],
    ),
    admin(
        "POST",
        "/transfers/id/{transfer_id}/delete",
        ActionName::TransferDelete,
        &[ANY_TRANSFER, &[IsALink], ADMIN_CHANGE],
    ),
    admin("GET", "/transfers/list", ActionName::TransferList, &[ADMIN, LIST]),
    admin(
        "POST",
        "/transfers/delete-many",
        ActionName::TransferDeleteMany,
        &[ADMIN_CHANGE, &[TokenNotFound, ServerBusy]],
    ),
    unrecorded(ServiceName::Admin, "/metrics", &[ADMIN, METRICS]),
    unrecorded(ServiceName::Admin, "/", &[]),
    unrecorded(ServiceName::Admin, "/web/{*path}", &[&[RouteNotFound]]),
    unrecorded(ServiceName::Admin, "/auth/set-cookie-form", &[]),
    unrecorded(ServiceName::Admin, "/auth/set-cookie-form.js", &[]),
    admin("POST", "/auth/set-auth-cookie", ActionName::SessionCreate, &[ADMIN_CHANGE]),
    admin("POST", "/auth/end-session", ActionName::SessionEnd, &[ADMIN_CHANGE]),
    Route {
        service: ServiceName::Admin,
        method: "POST",
        template: "/auth/prove",
        action: None,
        codes: &[BODY, &[OriginNotAllowed, ProofUnavailable]],
    },
    unrecorded(ServiceName::Admin, "/openapi.json", &[]),
    unrecorded(ServiceName::Admin, "/docs", &[]),
];

impl Route {
    /// Finds the route for `method` and `template`; HEAD falls back to GET.
    #[must_use]
    pub fn find(service: ServiceName, method: &Method, template: &str) -> Option<&'static Self> {
        let find = |method: &str| {
            let matches =
                |route: &&Self| route.service == service && route.template == template && route.method == method;
            ROUTES.iter().find(matches)
        };
        find(method.as_str()).or_else(|| if *method == Method::HEAD { find("GET") } else { None })
    }

    /// Returns the status of a response of this route with error `code`.
    #[must_use]
    pub fn status_of(&self, code: ErrorCode) -> StatusCode {
        // A full storage fails no request to a route without audit records: it only makes the service not ready.
        if code == StorageFull && self.action.is_none() { StatusCode::SERVICE_UNAVAILABLE } else { status_of(code) }
    }

    /// Returns all error codes that the route can respond with.
    pub fn error_codes(&self) -> impl Iterator<Item = ErrorCode> {
        let common = if self.action.is_some() { RECORDED } else { UNRECORDED };
        self.codes.iter().copied().chain([common]).flatten().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_belongs_to_a_route() {
        // Errors of requests that match no route.
        let unrouted = [RouteNotFound, MethodNotAllowed];
        for code in ErrorCode::ALL {
            let used = ROUTES.iter().any(|route| route.error_codes().any(|known| known == *code));
            assert!(used || unrouted.contains(code), "{} belongs to no route", code.as_str());
        }
    }
}
